//! Many worlds of a protocol.

use std::collections::BTreeMap;

use super::{Outcome, Protocol, Seeded, World};

pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a whole number"))
}

/// Runs worlds and returns how often each clause applied in all of them.
pub fn all_agree<M: Protocol>(seeded: Seeded, worlds: u64) -> BTreeMap<String, u64> {
    let mut total = BTreeMap::new();
    let seeds = match number("SURGETANK_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SURGETANK_WORLDS").unwrap_or(worlds),
    };
    for seed in seeds {
        match World::<M>::new(seed, seeded).run() {
            Outcome::Agreed(fired) => {
                fired.into_iter().for_each(|(clause, n)| *total.entry(clause).or_default() += n);
            }
            Outcome::Disagreed(what) => panic!("seed {seed}: honest nodes disagree at {what}"),
            Outcome::Stuck(what) => panic!("seed {seed}: stuck after the network healed: {what}"),
        }
    }
    total
}

/// Runs worlds in which less than a third lies, and which must reach each clause.
pub fn all_agree_with_liars<M: Protocol>(worlds: u64) {
    let fired = all_agree::<M>(Seeded::Liars, worlds);
    if number("SURGETANK_SEED").is_none() {
        let silent: Vec<_> = fired.iter().filter(|(_, n)| **n == 0).collect();
        assert!(silent.is_empty(), "the worlds never reach {silent:?}: {fired:?}");
    }
}

/// The checks can fail.
pub fn assert_finds<M: Protocol>(seeded: Seeded, worlds: u64) {
    let disagrees =
        |seed: &u64| matches!(World::<M>::new(*seed, seeded).run(), Outcome::Disagreed(_));
    let found = (0..worlds).find(disagrees);
    assert!(found.is_some(), "{worlds} worlds with {seeded:?}, and all agreed");
}

pub fn assert_repeats<M: Protocol>() {
    let run = |seed| format!("{:?}", World::<M>::new(seed, Seeded::Liars).run());
    assert!((0..20).all(|seed| run(seed) == run(seed)));
    assert!((1..20).any(|seed| run(seed) != run(0)), "every seed gives the same world");
}
