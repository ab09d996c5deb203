//! Many worlds of a protocol.

use std::collections::BTreeMap;

use super::{Outcome, Protocol, Seeded, World};

pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a whole number"))
}

/// Runs worlds and returns how often each clause applied in all of them.
pub fn all_agree_in(worlds: u64, run: impl Fn(u64) -> Outcome) -> BTreeMap<String, u64> {
    let mut total = BTreeMap::new();
    let seeds = match number("SURGETANK_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SURGETANK_WORLDS").unwrap_or(worlds),
    };
    for seed in seeds {
        match run(seed) {
            Outcome::Agreed(fired) => {
                fired.into_iter().for_each(|(clause, n)| *total.entry(clause).or_default() += n);
            }
            Outcome::Disagreed(what) => panic!("seed {seed}: honest nodes disagree at {what}"),
            Outcome::Stuck(what) => panic!("seed {seed}: stuck after the network healed: {what}"),
        }
    }
    total
}

/// These worlds, of which there is more than one, must reach each clause.
pub fn assert_reached(fired: &BTreeMap<String, u64>) {
    if number("SURGETANK_SEED").is_none() {
        let silent: Vec<_> = fired.iter().filter(|(_, n)| **n == 0).collect();
        assert!(silent.is_empty(), "the worlds never reach {silent:?}: {fired:?}");
    }
}

/// The checks can fail.
pub fn assert_finds_in(worlds: u64, run: impl Fn(u64) -> Outcome) {
    let found = (0..worlds).find(|seed| matches!(run(*seed), Outcome::Disagreed(_)));
    assert!(found.is_some(), "{worlds} worlds, and all agreed");
}

/// The same seed is the same world.
pub fn assert_repeats_in(run: impl Fn(u64) -> Outcome) {
    let said = |seed| format!("{:?}", run(seed));
    assert!((0..20).all(|seed| said(seed) == said(seed)));
    assert!((1..20).any(|seed| said(seed) != said(0)), "every seed gives the same world");
}

/// Worlds of a chained protocol.
pub fn all_agree<M: Protocol>(seeded: Seeded, worlds: u64) -> BTreeMap<String, u64> {
    all_agree_in(worlds, |seed| World::<M>::new(seed, seeded).run())
}

/// Runs worlds in which less than a third lies, and which must reach each clause.
pub fn all_agree_with_liars<M: Protocol>(worlds: u64) {
    assert_reached(&all_agree::<M>(Seeded::Liars, worlds));
}

pub fn assert_finds<M: Protocol>(seeded: Seeded, worlds: u64) {
    assert_finds_in(worlds, |seed| World::<M>::new(seed, seeded).run());
}

pub fn assert_repeats<M: Protocol>() {
    assert_repeats_in(|seed| World::<M>::new(seed, Seeded::Liars).run());
}
