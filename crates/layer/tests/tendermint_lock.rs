//! Lines 22 to 33 for a validator that is locked: what it prevotes, and what unlocks it.

use crate::tendermint_rig;

use surgetank_layer::consensus::tendermint::{Line, Step};
use surgetank_layer::message::VoteType::{Precommit, Prevote};
use tendermint_rig::*;

#[test]
fn line_26_a_locked_validator_prevotes_nil_on_another_fresh_value() {
    let mut rig = Rig::locked();
    assert_eq!(votes_in(&rig.propose(1, 1, B, None)), [(Prevote, 1, NIL)]);
    assert_eq!(rig.machine.fired_at(Line::L26), 1);
}

#[test]
fn line_24_a_locked_validator_prevotes_its_own_value_proposed_afresh() {
    let mut rig = Rig::locked();
    assert_eq!(votes_in(&rig.propose(1, 1, A, None)), [(Prevote, 1, A)]);
}

/// Locked on A in round 0, in round 2; round 1 went by without a quorum seen here.
fn locked_in_round_2() -> Rig {
    let mut rig = Rig::locked();
    rig.expire(Step::Propose, 1, 1);
    rig.votes(Precommit, 1, 1, &[(1, NIL), (2, NIL), (3, NIL)]);
    rig.expire(Step::Precommit, 1, 1);
    assert_eq!((rig.machine.round(), rig.machine.locked()), (2, A.map(|a| (0, a))));
    rig
}

#[test]
fn line_30_a_later_quorum_unlocks() {
    let mut rig = locked_in_round_2();
    assert!(rig.propose(1, 2, B, Some(1)).is_empty(), "without the prevotes of round 1 it waits");
    rig.votes(Prevote, 1, 1, &[(1, B), (2, B)]);
    let out = rig.vote(Prevote, 1, 1, 3, B);
    assert_eq!(votes_in(&out), [(Prevote, 2, B)]);
    assert_eq!(rig.machine.fired_at(Line::L30), 1);
    rig.votes(Prevote, 1, 2, &[(1, B), (2, B)]);
    assert_eq!(rig.machine.locked(), B.map(|b| (2, b)), "locked anew");
}

#[test]
fn line_28_waits_until_timeout_propose_for_prevotes_that_never_come() {
    let mut rig = locked_in_round_2();
    rig.propose(1, 2, B, Some(1));
    rig.votes(Prevote, 1, 1, &[(1, B), (2, B)]);
    assert_eq!(votes_in(&rig.expire(Step::Propose, 1, 2)), [(Prevote, 2, NIL)]);
    assert_eq!(rig.machine.fired_at(Line::L28), 0);
}

#[test]
fn line_32_an_earlier_quorum_does_not_unlock() {
    // Locked on B in round 1, shown prevotes for A in round 0.
    let mut rig = Rig::of_four(0);
    rig.expire(Step::Propose, 1, 0);
    rig.votes(Precommit, 1, 0, &[(1, NIL), (2, NIL), (3, NIL)]);
    rig.expire(Step::Precommit, 1, 0);
    rig.propose(1, 1, B, None);
    rig.votes(Prevote, 1, 1, &[(1, B), (2, B)]);
    assert_eq!(rig.machine.locked(), B.map(|b| (1, b)));
    rig.votes(Precommit, 1, 1, &[(1, NIL), (2, NIL)]);
    rig.expire(Step::Precommit, 1, 1);
    rig.votes(Prevote, 1, 0, &[(1, A), (2, A), (3, A)]);
    assert_eq!(votes_in(&rig.propose(1, 2, A, Some(0))), [(Prevote, 2, NIL)]);
    assert_eq!(rig.machine.fired_at(Line::L32), 1);
    assert_eq!(rig.machine.locked(), B.map(|b| (1, b)));
}

#[test]
fn a_new_height_begins_unlocked() {
    let mut rig = Rig::locked();
    rig.votes(Precommit, 1, 0, &[(3, A)]);
    rig.decide_late(B);
    assert_eq!((rig.machine.locked(), rig.machine.valid()), (None, None));
}

impl Rig {
    /// Decides a value in round 1 by the votes of the others.
    fn decide_late(&mut self, value: Option<surgetank_layer::units::Digest>) {
        self.propose(1, 1, value, None);
        self.votes(Precommit, 1, 1, &[(1, value), (2, value), (3, value)]);
        assert_eq!(self.machine.height(), 2);
    }
}
