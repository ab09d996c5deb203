//! Scores against values computed by hand from the specification's formula.

use proptest::prelude::*;
use surgetank_layer::gossip::{Promises, ScoreConfig, Scores};
use surgetank_layer::units::{MessageId, Ns, Peer, SECOND};

/// Round numbers: each part can be seen in a sum.
pub fn config() -> ScoreConfig {
    ScoreConfig {
        topic_weight: 2.0,
        topic_score_cap: 0.0,
        time_in_mesh_weight: 0.01,
        time_in_mesh_quantum_ns: SECOND,
        time_in_mesh_cap: 10.0,
        first_message_deliveries_weight: 1.0,
        first_message_deliveries_decay: 0.5,
        first_message_deliveries_cap: 5.0,
        mesh_message_deliveries_weight: -1.0,
        mesh_message_deliveries_decay: 0.5,
        mesh_message_deliveries_cap: 20.0,
        mesh_message_deliveries_threshold: 4.0,
        mesh_message_deliveries_window_ns: SECOND / 10,
        mesh_message_deliveries_activation_ns: 5 * SECOND,
        mesh_failure_penalty_weight: -1.0,
        mesh_failure_penalty_decay: 0.5,
        behaviour_penalty_weight: -10.0,
        behaviour_penalty_threshold: 1.0,
        behaviour_penalty_decay: 0.5,
        decay_interval_ns: SECOND,
        decay_to_zero: 0.1,
        gossip_threshold: -100.0,
        publish_threshold: -200.0,
        graylist_threshold: -300.0,
        opportunistic_graft_threshold: 1.0,
    }
}

/// A peer delivers messages first, valid at once.
fn deliver(scores: &mut Scores, now: Ns, from: Peer, ids: std::ops::Range<MessageId>) {
    for id in ids {
        scores.first_copy(id, from);
        scores.validated(now, id, from);
    }
}

fn near(one: f64, other: f64) {
    assert!((one - other).abs() < 1e-9, "{one} is not {other}");
}

#[test]
fn time_in_the_mesh_counts_up_to_its_cap() {
    let mut scores = Scores::new(config(), 1);
    near(scores.of(SECOND, 0), 0.0);
    scores.grafts(SECOND, 0);
    near(scores.of(4 * SECOND, 0), 2.0 * 0.01 * 3.0);
    deliver(&mut scores, 5 * SECOND, 0, 0..5);
    near(scores.of(100 * SECOND, 0), 2.0 * (0.01 * 10.0 + 5.0));
}

#[test]
fn first_deliveries_count_up_to_a_cap_and_decay() {
    let mut scores = Scores::new(config(), 2);
    deliver(&mut scores, 0, 1, 0..9);
    near(scores.of(0, 1), 2.0 * 5.0);
    scores.refresh(2 * SECOND);
    near(scores.of(2 * SECOND, 1), 2.0 * 5.0 * 0.25);
    // Below `decay_to_zero` it is nothing.
    scores.refresh(6 * SECOND);
    near(scores.of(6 * SECOND, 1), 0.0);
    near(scores.of(6 * SECOND, 0), 0.0);
}

#[test]
fn a_deficit_in_the_mesh_counts_from_its_activation_and_sticks() {
    let mut scores = Scores::new(config(), 1);
    scores.grafts(0, 0);
    deliver(&mut scores, SECOND, 0, 0..1);
    let first = 1.0;
    near(scores.of(5 * SECOND, 0), 2.0 * (0.01 * 5.0 + first));
    let deficit = (4.0 - 1.0) * (4.0 - 1.0);
    near(scores.of(6 * SECOND, 0), 2.0 * (0.01 * 6.0 + first - deficit));
    scores.prunes(6 * SECOND, 0);
    near(scores.of(6 * SECOND, 0), 2.0 * (first - deficit));
    // A new graft begins anew, with the old failure.
    scores.grafts(7 * SECOND, 0);
    near(scores.of(8 * SECOND, 0), 2.0 * (0.01 + first - deficit));
}

#[test]
fn copies_count_in_the_mesh_within_the_window_and_once() {
    let mut scores = Scores::new(config(), 3);
    for peer in 0..3 {
        scores.grafts(0, peer);
    }
    // 0 is first; 1 comes before the validation, twice; 2 after it, within the window or not.
    for id in 0..4 {
        scores.first_copy(id, 0);
        scores.copy(0, id, 1);
        scores.copy(0, id, 1);
        scores.validated(SECOND, id, 0);
        let late = if id < 3 { SECOND / 20 } else { SECOND / 5 };
        scores.copy(SECOND + late, id, 2);
    }
    let at = 6 * SECOND;
    near(scores.of(at, 0), 2.0 * (0.06 + 4.0));
    near(scores.of(at, 1), 2.0 * 0.06);
    let deficit = 1.0;
    near(scores.of(at, 2), 2.0 * (0.06 - deficit));
}

#[test]
fn misbehaviour_counts_squared_beyond_what_is_forgiven() {
    let mut scores = Scores::new(config(), 1);
    scores.misbehaves(0, 1.0);
    near(scores.of(0, 0), 0.0);
    scores.misbehaves(0, 2.0);
    near(scores.of(0, 0), -10.0 * 4.0);
    scores.refresh(SECOND);
    near(scores.of(SECOND, 0), -10.0 * 0.25);
}

#[test]
fn the_topic_has_a_cap_and_penalties_have_none() {
    let config = ScoreConfig { topic_score_cap: 3.0, ..config() };
    let mut scores = Scores::new(config, 1);
    deliver(&mut scores, 0, 0, 0..5);
    near(scores.of(0, 0), 3.0);
    scores.misbehaves(0, 3.0);
    near(scores.of(0, 0), 3.0 - 40.0);
}

#[test]
fn promises_are_broken_by_who_made_them() {
    let mut promises = Promises::default();
    promises.ask(1, 7, 10);
    promises.ask(1, 8, 12);
    promises.ask(2, 7, 11);
    assert_eq!(promises.broken(9), []);
    assert_eq!(promises.broken(10), [7], "of message 1");
    promises.arrives(1);
    assert_eq!(promises.broken(20), [7], "of message 2; that of 8 was kept");
    assert_eq!(promises.broken(30), []);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Without penalties a score is never negative; each part only ever lowers or raises it.
    #[test]
    fn a_peer_that_only_delivers_is_never_below_zero(
        deliveries in proptest::collection::vec((0u64..100, 0u32..3), 0..60),
        seconds in 1u64..200,
    ) {
        let free = ScoreConfig {
            mesh_message_deliveries_weight: 0.0,
            mesh_failure_penalty_weight: 0.0,
            ..config()
        };
        let mut scores = Scores::new(free, 3);
        let mut sorted = deliveries;
        sorted.sort_unstable();
        for (id, (at, from)) in (0..).zip(sorted) {
            scores.refresh(at * SECOND);
            deliver(&mut scores, at * SECOND, from, id..id + 1);
        }
        let now = (100 + seconds) * SECOND;
        scores.refresh(now);
        for peer in 0..3 {
            prop_assert!(scores.of(now, peer) >= 0.0);
        }
    }
}
