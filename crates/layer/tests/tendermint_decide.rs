//! Lines 47 to 54 and 65 to 67: precommits, decisions, timeouts that grow, catching up.

use crate::tendermint_rig;

use surgetank_layer::consensus::tendermint::{Input, Line, Step};
use surgetank_layer::message::Proposal;
use surgetank_layer::message::VoteType::{Precommit, Prevote};
use tendermint_rig::*;

#[test]
fn line_47_schedules_timeout_precommit_once_and_its_expiry_starts_the_next_round() {
    let mut rig = Rig::of_four(0);
    let out = rig.votes(Precommit, 1, 0, &[(1, A), (2, NIL), (3, B)]);
    assert_eq!(timeouts_in(&out), [(Step::Precommit, 0, 3000)]);
    rig.propose(1, 0, A, None);
    let out = rig.expire(Step::Precommit, 1, 0);
    assert_eq!(rig.at(), (1, 1, Step::Propose));
    assert_eq!(timeouts_in(&out), [(Step::Propose, 1, 1100)]);
    assert_eq!((rig.machine.fired_at(Line::L47), rig.machine.fired_at(Line::L67)), (1, 1));
}

#[test]
fn timeouts_grow_with_the_round() {
    let mut rig = Rig::of_four(3);
    for round in 0..5u32 {
        let r = u64::from(round);
        // Validator 3 proposes round 2; it too has a propose timeout while it has no value.
        let out = rig.expire(Step::Propose, 1, round);
        assert_eq!(votes_in(&out), [(Prevote, round, NIL)]);
        let out = rig.votes(Prevote, 1, round, &[(0, A), (1, B)]);
        assert_eq!(timeouts_in(&out), [(Step::Prevote, round, 2000 + 200 * r)]);
        rig.expire(Step::Prevote, 1, round);
        let out = rig.votes(Precommit, 1, round, &[(0, A), (1, B)]);
        assert_eq!(timeouts_in(&out), [(Step::Precommit, round, 3000 + 300 * r)]);
        let out = rig.expire(Step::Precommit, 1, round);
        assert_eq!(timeouts_in(&out), [(Step::Propose, round + 1, 1000 + 100 * (r + 1))]);
    }
}

#[test]
fn line_49_decides_then_waits_for_the_commit_timeout() {
    let mut rig = Rig::of_four(0);
    rig.propose(1, 0, A, None);
    let out = rig.votes(Precommit, 1, 0, &[(1, A), (2, A), (3, A)]);
    assert_eq!(decisions_in(&out), [(1, 0, A)]);
    assert_eq!(rig.at(), (2, 0, Step::Commit));
    assert!(timeouts_in(&out).contains(&(Step::Commit, 0, 4000)));
    assert!(rig.vote(Precommit, 1, 0, 1, A).is_empty(), "older heights are ignored");
    assert!(rig.propose(2, 0, B, None).is_empty(), "heard, but round 0 has not begun");
    let out = rig.expire(Step::Commit, 2, 0);
    assert_eq!(rig.at(), (2, 0, Step::Prevote));
    assert_eq!(votes_in(&out), [(Prevote, 0, B)]);
}

#[test]
fn line_49_decides_a_round_ahead_and_a_round_behind() {
    let mut ahead = Rig::of_four(0);
    ahead.propose(1, 2, A, None);
    let out = ahead.votes(Precommit, 1, 2, &[(1, A), (2, A), (3, A)]);
    assert_eq!(decisions_in(&out), [(1, 2, A)]);

    let mut behind = Rig::of_four(0);
    behind.votes(Precommit, 1, 0, &[(1, A), (2, A), (3, A)]);
    behind.expire(Step::Precommit, 1, 0);
    assert_eq!(behind.machine.round(), 1);
    assert_eq!(decisions_in(&behind.propose(1, 0, A, None)), [(1, 0, A)]);
}

#[test]
fn two_thirds_of_the_precommits_do_not_decide() {
    let mut rig = Rig::of_four(0);
    rig.propose(1, 0, A, None);
    let out = rig.votes(Precommit, 1, 0, &[(1, A), (2, A), (1, A)]);
    assert!(decisions_in(&out).is_empty());
}

#[test]
fn line_50_an_invalid_value_is_not_decided_until_it_is_known_to_be_valid() {
    let mut rig = Rig::of_four(0);
    let value = A.unwrap();
    let proposal = Proposal { height: 1, round: 0, value, valid_round: None, validator: 1 };
    rig.feed(Input::Proposal { proposal, valid: false });
    let out = rig.votes(Precommit, 1, 0, &[(1, A), (2, A), (3, A)]);
    assert!(decisions_in(&out).is_empty());
    let out = rig.feed(Input::Proposal { proposal, valid: true });
    assert_eq!(decisions_in(&out), [(1, 0, A)]);
}

#[test]
fn the_second_of_two_proposals_can_be_decided() {
    let mut rig = Rig::of_four(0);
    rig.propose(1, 0, A, None);
    assert_eq!(accusations_in(&rig.propose(1, 0, B, None)), 1);
    let out = rig.votes(Precommit, 1, 0, &[(1, B), (2, B), (3, B)]);
    assert_eq!(decisions_in(&out), [(1, 0, B)]);
}

#[test]
fn a_single_validator_decides_alone() {
    let mut rig = Rig::idle(&[1], 0);
    rig.feed(Input::Start);
    for height in 1..5 {
        let out = rig.feed(Input::Value { height, round: 0, value: A.unwrap() });
        assert_eq!(decisions_in(&out), [(height, 0, A)]);
        rig.expire(Step::Commit, height + 1, 0);
    }
}

#[test]
fn catching_up_goes_on_after_the_synced_height_without_deciding_it_again() {
    let mut rig = Rig::locked();
    let value = B.unwrap();
    let out = rig.feed(Input::CatchUp { height: 5, value });
    assert!(decisions_in(&out).is_empty());
    assert_eq!(timeouts_in(&out), [(Step::Commit, 0, 4000)]);
    assert_eq!((rig.at(), rig.machine.decided()), ((6, 0, Step::Commit), Some((5, value))));
    assert_eq!(rig.machine.locked(), None);
    assert!(rig.feed(Input::CatchUp { height: 5, value }).is_empty(), "it is done");
    rig.expire(Step::Commit, 6, 0);
    assert_eq!(decisions_in(&rig.decide(6)), [(6, 0, A)]);
}
