//! No two honest nodes decide differently, under any schedule of delays, losses, duplicates,
//! partitions and crashes, with less than a third of the weight lying; and once the network heals,
//! all decide. `SURGETANK_SEED=n` replays one world; `SURGETANK_WORLDS=n` runs more or fewer.

use crate::hotstuff_world;

use hotstuff_world::{Outcome, Seeded, World};
use surgetank_layer::consensus::hotstuff::Clause;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a whole number"))
}

/// Runs worlds and returns how often each clause applied in all of them.
fn all_agree(seeded: Seeded, worlds: u64) -> Vec<(Clause, u64)> {
    let mut total: Vec<(Clause, u64)> = Clause::ALL.map(|clause| (clause, 0)).to_vec();
    let seeds = match number("SURGETANK_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SURGETANK_WORLDS").unwrap_or(worlds),
    };
    for seed in seeds {
        match World::new(seed, seeded).run() {
            Outcome::Agreed(fired) => {
                total.iter_mut().zip(fired).for_each(|(sum, (_, n))| sum.1 += n);
            }
            Outcome::Disagreed(what) => panic!("seed {seed}: honest nodes disagree at {what}"),
            Outcome::Stuck(what) => panic!("seed {seed}: stuck after the network healed: {what}"),
        }
    }
    total
}

fn assert_finds(seeded: Seeded, worlds: u64) {
    let disagrees = |seed: &u64| matches!(World::new(*seed, seeded).run(), Outcome::Disagreed(_));
    let found = (0..worlds).find(disagrees);
    assert!(found.is_some(), "{worlds} worlds with {seeded:?}, and all agreed");
}

#[test]
fn honest_nodes_agree_and_decide_although_a_minority_lies() {
    let fired = all_agree(Seeded::Liars, 4_000);
    if number("SURGETANK_SEED").is_none() {
        let silent: Vec<_> = fired.iter().filter(|(_, n)| *n == 0).collect();
        assert!(silent.is_empty(), "the worlds never reach {silent:?}: {fired:?}");
    }
}

#[test]
fn honest_nodes_agree_and_decide_among_themselves() {
    all_agree(Seeded::Honest, 4_000);
}

/// The checks above can fail.
#[test]
fn a_disagreement_is_found_once_more_than_a_third_lies() {
    assert_finds(Seeded::TooManyLiars, 300);
}

#[test]
fn a_disagreement_is_found_if_validators_vote_twice_in_a_round() {
    assert_finds(Seeded::VotesTwice, 2_000);
}

#[test]
fn a_disagreement_is_found_if_one_certificate_decides() {
    assert_finds(Seeded::CommitsOneChain, 2_000);
}

#[test]
fn the_same_seed_is_the_same_world() {
    let run = |seed| format!("{:?}", World::new(seed, Seeded::Liars).run());
    assert!((0..20).all(|seed| run(seed) == run(seed)));
    assert!((1..20).any(|seed| run(seed) != run(0)), "every seed gives the same world");
}
