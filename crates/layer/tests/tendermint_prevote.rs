//! Lines 34 to 46 and 61 to 64: what a quorum of prevotes does.

use crate::tendermint_rig;

use surgetank_layer::consensus::tendermint::{Line, Step};
use surgetank_layer::message::VoteType::{Precommit, Prevote};
use tendermint_rig::*;

#[test]
fn line_34_schedules_timeout_prevote_once_and_its_expiry_precommits_nil() {
    let mut rig = Rig::of_four(0);
    rig.propose(1, 0, A, None);
    assert!(rig.vote(Prevote, 1, 0, 1, B).is_empty());
    let out = rig.vote(Prevote, 1, 0, 2, NIL);
    assert_eq!(timeouts_in(&out), [(Step::Prevote, 0, 2000)]);
    assert!(rig.vote(Prevote, 1, 0, 3, NIL).is_empty(), "for the first time only");
    assert_eq!(votes_in(&rig.expire(Step::Prevote, 1, 0)), [(Precommit, 0, NIL)]);
    assert_eq!((rig.machine.fired_at(Line::L34), rig.machine.fired_at(Line::L63)), (1, 1));
    assert_eq!(rig.machine.locked(), None);
}

#[test]
fn line_36_locks_and_precommits() {
    let mut rig = Rig::of_four(0);
    rig.propose(1, 0, A, None);
    assert!(rig.vote(Prevote, 1, 0, 1, A).is_empty());
    let out = rig.vote(Prevote, 1, 0, 2, A);
    assert!(votes_in(&out).contains(&(Precommit, 0, A)));
    let place = A.map(|a| (0, a));
    assert_eq!((rig.machine.locked(), rig.machine.valid()), (place, place));
    assert_eq!(rig.at(), (1, 0, Step::Precommit));
}

#[test]
fn line_36_waits_for_the_proposal() {
    let mut rig = Rig::of_four(0);
    rig.votes(Prevote, 1, 0, &[(1, A), (2, A), (3, A)]);
    assert_eq!(rig.at(), (1, 0, Step::Propose));
    let out = rig.propose(1, 0, A, None);
    assert_eq!(votes_in(&out), [(Prevote, 0, A), (Precommit, 0, A)]);
}

#[test]
fn after_precommitting_nil_a_late_quorum_makes_a_valid_value_but_no_lock() {
    let mut rig = Rig::of_four(0);
    rig.propose(1, 0, A, None);
    rig.votes(Prevote, 1, 0, &[(1, NIL), (2, A)]);
    rig.expire(Step::Prevote, 1, 0);
    assert!(rig.vote(Prevote, 1, 0, 3, A).is_empty());
    assert_eq!((rig.machine.valid(), rig.machine.locked()), (A.map(|a| (0, a)), None));
    assert_eq!((rig.machine.fired_at(Line::L42), rig.machine.fired_at(Line::L38)), (1, 0));
}

#[test]
fn line_44_precommits_nil_without_waiting() {
    let mut rig = Rig::of_four(0);
    rig.expire(Step::Propose, 1, 0);
    let out = rig.votes(Prevote, 1, 0, &[(1, NIL), (2, NIL)]);
    assert_eq!(votes_in(&out), [(Precommit, 0, NIL)]);
    assert_eq!(rig.machine.fired_at(Line::L44), 1);
}

#[test]
fn a_quorum_is_strictly_more_than_two_thirds() {
    for (weights, enough) in [(vec![1, 1, 1], 3), (vec![1; 4], 3), (vec![2, 1, 1, 1, 1], 4)] {
        let mut rig = Rig::idle(&weights, 0);
        rig.feed(surgetank_layer::consensus::tendermint::Input::Start);
        rig.propose(1, 0, A, None);
        let voters = weights.len() as u32;
        // From the last: the heaviest votes last.
        let deciding = (1..=voters)
            .find(|&n| !decisions_in(&rig.vote(Precommit, 1, 0, voters - n, A)).is_empty());
        assert_eq!(deciding, Some(if weights[0] == 2 { 5 } else { enough }), "{weights:?}");
    }
}

#[test]
fn a_repeated_vote_counts_once() {
    let mut rig = Rig::of_four(0);
    rig.propose(1, 0, A, None);
    for _ in 0..5 {
        assert!(rig.vote(Prevote, 1, 0, 1, A).is_empty());
        assert!(rig.propose(1, 0, A, None).is_empty());
        assert!(rig.vote(Prevote, 1, 0, 0, A).is_empty(), "its own vote comes back");
    }
}
