//! Tusk and Bullshark: no two honest nodes order differently, under any schedule of delays, losses,
//! duplicates, partitions and crashes, with less than a third of the weight lying, and all decide once
//! the network heals; and which of them decides while it does not.
//! `SURGETANK_SEED=n` replays one world; `SURGETANK_WORLDS=n` runs more or fewer.

use crate::chained_world::runs::{
    all_agree_in, assert_finds_in, assert_reached, assert_repeats_in,
};
use crate::chained_world::{Outcome, Seeded};
use crate::dag_world::World;
use crate::dag_world::schedule::{DEPTH, NODES, Ran, run};
use surgetank_layer::consensus::dag::Anchors;

fn worlds(seeded: Seeded) -> impl Fn(u64) -> Outcome {
    move |seed| World::new(seed, seeded).run()
}

#[test]
fn honest_nodes_agree_and_decide_although_a_minority_lies() {
    assert_reached(&all_agree_in(2_000, worlds(Seeded::Liars)));
}

#[test]
fn honest_nodes_agree_and_decide_among_themselves() {
    all_agree_in(1_000, worlds(Seeded::Honest));
}

/// The control of the last of the next three: the same crashes.
#[test]
fn validators_that_crash_again_and_again_agree() {
    all_agree_in(500, worlds(Seeded::Crashes));
}

/// The checks above can fail.
#[test]
fn a_disagreement_is_found_once_more_than_a_third_lies() {
    assert_finds_in(1_000, worlds(Seeded::TooManyLiars));
}

#[test]
fn a_disagreement_is_found_if_validators_vote_for_two_vertices() {
    assert_finds_in(1_000, worlds(Seeded::VotesTwice));
}

#[test]
fn a_disagreement_is_found_if_validators_forget_their_votes_in_a_crash() {
    assert_finds_in(4_000, worlds(Seeded::Forgets));
}

#[test]
fn the_same_seed_is_the_same_world() {
    assert_repeats_in(worlds(Seeded::Liars));
}

const ROUNDS: u32 = 200;
const TURNS: Anchors = Anchors::Turns(1);
const COIN: Anchors = Anchors::Coin(0);

/// Runs of many seeds under one rule of the adversary.
fn runs(anchors: Anchors, victim: fn(u32) -> Option<u32>) -> Vec<Ran> {
    (0..20).map(|seed| run(seed, anchors, victim, ROUNDS)).collect()
}

/// Whose turn it is under Bullshark with equal weights.
fn in_turn(round: u32) -> Option<u32> {
    (round % 2 == 1).then_some(round / 2 % NODES)
}

/// An adversary that holds the anchor back stops Bullshark for good; with any other it decides.
#[test]
fn who_knows_the_anchor_stops_bullshark() {
    for ran in runs(TURNS, in_turn) {
        assert_eq!((ran.round, ran.decided), (ROUNDS, 0), "{ran:?}");
    }
    for ran in runs(TURNS, |_| Some(3)) {
        assert!(ran.decided > 50, "the same power over one author: {ran:?}");
    }
}

/// The same power, spent by any rule that does not know the coin, leaves Tusk deciding more than a
/// third of its waves by themselves: a quorum of vertices refers to each of more than a third.
#[test]
fn no_schedule_stops_tusk() {
    let rules: [fn(u32) -> Option<u32>; 4] =
        [in_turn, |_| Some(3), |round| Some(round * 7 / 3 % NODES), |_| None];
    for rule in rules {
        let all = runs(COIN, rule);
        assert!(all.iter().all(|ran| ran.round == ROUNDS));
        // A vertex and a vote of each in a round, of those kept and of the last that are not decided.
        let most = (2 * NODES * (DEPTH + 20)) as usize;
        assert!(all.iter().all(|ran| ran.held < most), "{all:?}");
        let waves: u32 = all.iter().map(|ran| ran.waves).sum();
        let direct: u64 = all.iter().map(|ran| ran.direct).sum();
        // Four standard deviations of a share of one third, over 20 runs of 98 waves.
        let share = direct as f64 / f64::from(waves);
        let least = 1.0 / 3.0 - 4.0 * (2.0 / 9.0 / f64::from(waves)).sqrt();
        assert!(share > least, "{share} of {waves} waves");
    }
}
