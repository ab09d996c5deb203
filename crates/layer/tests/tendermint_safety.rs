//! No two honest nodes decide differently, under any schedule of delays, losses, duplicates and
//! partitions, with less than a third of the weight lying; and once the network heals, all decide.
//!
//! `SURGETANK_SEED=n` replays one world; `SURGETANK_WORLDS=n` runs more or fewer of them.

use crate::tendermint_world;

use surgetank_layer::consensus::tendermint::Line;
use tendermint_world::{Lying, Outcome, World};

/// The first world in which ignoring the lock of line 29 shows as a disagreement.
const RARE: [u64; 1] = [155_403];

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a whole number"))
}

/// Names the seed when a machine panics inside the world.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failing world: replay it with SURGETANK_SEED={}", self.0);
        }
    }
}

/// Runs worlds and returns how often each line fired in all of them.
fn all_agree(lying: Lying, worlds: u64) -> Vec<(Line, u64)> {
    let mut total: Vec<(Line, u64)> = Line::ALL.map(|line| (line, 0)).to_vec();
    let seeds: Vec<u64> = match number("SURGETANK_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("SURGETANK_WORLDS").unwrap_or(worlds)).chain(RARE).collect(),
    };
    for seed in seeds {
        let _named = Named(seed);
        match World::new(seed, lying).run() {
            Outcome::Agreed(fired) => {
                total.iter_mut().zip(fired).for_each(|(sum, (_, n))| sum.1 += n);
            }
            Outcome::Disagreed(what) => panic!("honest nodes disagree at {what}"),
            Outcome::Stuck(what) => panic!("stuck after the network healed: {what}"),
        }
    }
    total
}

#[test]
fn honest_nodes_agree_and_decide_although_a_minority_lies() {
    let fired = all_agree(Lying::BelowThird, 12_000);
    if number("SURGETANK_SEED").is_none() {
        let silent: Vec<Line> = fired.iter().filter(|(_, n)| *n == 0).map(|(l, _)| *l).collect();
        assert!(silent.is_empty(), "the worlds never reach {silent:?}: {fired:?}");
    }
}

#[test]
fn honest_nodes_agree_and_decide_with_own_messages_alone() {
    all_agree(Lying::None, 8_000);
}

/// The check above can fail: with more than a third lying, some world shows a disagreement.
#[test]
fn a_disagreement_is_found_once_more_than_a_third_lies() {
    let disagrees =
        |seed: &u64| matches!(World::new(*seed, Lying::AboveThird).run(), Outcome::Disagreed(_));
    let found = (0..300).find(disagrees);
    assert!(found.is_some(), "300 worlds with more than a third lying, and all agreed");
}

#[test]
fn the_same_seed_is_the_same_world() {
    let run = |seed| format!("{:?}", World::new(seed, Lying::BelowThird).run());
    assert!((0..20).all(|seed| run(seed) == run(seed)));
    assert!((1..20).any(|seed| run(seed) != run(0)), "every seed gives the same world");
}
