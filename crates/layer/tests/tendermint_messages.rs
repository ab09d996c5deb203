//! Line 55 and the message log: rounds and heights ahead, duplicates, contradictions, bounds.

use crate::tendermint_rig;

use surgetank_layer::consensus::tendermint::{
    Input, Line, NEXT_PER_VALIDATOR, ROUNDS_AHEAD, ROUNDS_BEHIND, Step,
};
use surgetank_layer::message::VoteType::{Precommit, Prevote};
use surgetank_layer::units::Digest;
use tendermint_rig::*;

#[test]
fn line_55_skips_to_a_round_that_f_plus_1_are_in() {
    let mut rig = Rig::of_four(0);
    rig.vote(Prevote, 1, 5, 1, NIL);
    rig.vote(Precommit, 1, 5, 1, NIL);
    assert_eq!(rig.machine.round(), 0, "one validator, however often it speaks, is not f+1");
    let out = rig.vote(Precommit, 1, 5, 2, NIL);
    assert_eq!(rig.at(), (1, 5, Step::Propose));
    assert_eq!(timeouts_in(&out), [(Step::Propose, 5, 1500)]);
    assert_eq!(rig.machine.fired_at(Line::L55), 1);
}

#[test]
fn a_proposal_counts_towards_the_skip_and_is_answered_after_it() {
    let mut rig = Rig::of_four(0);
    assert!(rig.propose(1, 1, A, None).is_empty());
    let out = rig.vote(Prevote, 1, 1, 1, A);
    assert_eq!(votes_in(&out), [(Prevote, 1, A)], "the proposal was kept");
}

#[test]
fn rounds_beyond_the_window_still_pull_a_node_along() {
    let mut rig = Rig::of_four(0);
    let far = ROUNDS_AHEAD + 1000;
    rig.vote(Prevote, 1, far + 7, 1, A);
    assert_eq!(rig.machine.held(), 1);
    rig.vote(Prevote, 1, far, 2, A);
    assert_eq!(rig.at(), (1, far, Step::Propose), "both have reached this round");
}

#[test]
fn messages_of_the_next_height_are_kept_and_replayed() {
    let mut rig = Rig::of_four(0);
    rig.propose(2, 0, B, None);
    rig.votes(Prevote, 2, 0, &[(1, B), (2, B)]);
    rig.vote(Prevote, 3, 0, 1, B);
    rig.decide(1);
    assert_eq!(rig.at(), (2, 0, Step::Commit));
    let out = rig.expire(Step::Commit, 2, 0);
    assert_eq!(votes_in(&out), [(Prevote, 0, B), (Precommit, 0, B)]);
}

#[test]
fn a_kept_decision_of_the_next_height_follows_at_once() {
    let mut rig = Rig::of_four(0);
    rig.propose(2, 0, B, None);
    rig.votes(Precommit, 2, 0, &[(1, B), (2, B), (3, B)]);
    assert_eq!(decisions_in(&rig.decide(1)), [(1, 0, A), (2, 0, B)]);
}

#[test]
fn messages_before_the_start_are_kept() {
    let mut rig = Rig::idle(&[1; 4], 0);
    rig.propose(1, 0, A, None);
    rig.votes(Precommit, 1, 0, &[(1, A), (2, A), (3, A)]);
    assert_eq!(rig.at(), (1, 0, Step::Commit));
    assert_eq!(decisions_in(&rig.feed(Input::Start)), [(1, 0, A)]);
}

#[test]
fn the_first_of_two_votes_counts_and_the_contradiction_is_reported_once() {
    let mut rig = Rig::of_four(0);
    rig.propose(1, 0, A, None);
    rig.vote(Prevote, 1, 0, 1, B);
    let out = rig.votes(Prevote, 1, 0, &[(1, A), (1, A), (1, NIL), (1, B)]);
    assert_eq!((accusations_in(&out), out.len()), (1, 1), "{out:?}");
    rig.vote(Precommit, 1, 0, 1, A);
    assert_eq!(accusations_in(&rig.vote(Precommit, 1, 0, 1, B)), 0, "same height and round");
    assert_eq!(rig.machine.locked(), None);
}

#[test]
fn a_second_vote_counts_for_a_value_that_more_than_a_third_stands_behind() {
    // Validator 1 prevotes B here and A elsewhere: the quorum for A must not stay hidden.
    let mut rig = Rig::of_four(0);
    rig.propose(1, 0, A, None);
    rig.vote(Prevote, 1, 0, 1, B);
    rig.vote(Prevote, 1, 0, 2, A);
    let out = rig.vote(Prevote, 1, 0, 1, A);
    assert_eq!(votes_in(&out), [(Precommit, 0, A)]);
    assert_eq!(accusations_in(&out), 1);
}

#[test]
fn what_is_held_is_bounded_whatever_two_byzantine_validators_send() {
    let mut rig = Rig::idle(&[1; 7], 0);
    rig.feed(Input::Start);
    for k in 0..20_000u32 {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&k.to_le_bytes());
        let value = Some(Digest(bytes));
        for height in [1, 2] {
            for of in [Prevote, Precommit] {
                rig.vote(of, height, k % 3000, 6, value);
            }
            rig.propose(height, if height == 1 { 5 } else { 4 }, value, None);
        }
    }
    let bound = 2 * (ROUNDS_AHEAD + 1) as usize + 4 + 1 + 2 * NEXT_PER_VALIDATOR;
    assert!(rig.machine.held() <= bound, "{} held, at most {bound}", rig.machine.held());
    assert_eq!(rig.at(), (1, 0, Step::Propose));
}

#[test]
fn old_rounds_are_forgotten_but_the_locked_one() {
    let mut rig = Rig::locked();
    let far = ROUNDS_BEHIND + 5;
    rig.vote(Prevote, 1, far, 1, NIL);
    rig.vote(Prevote, 1, far, 2, NIL);
    assert_eq!(rig.machine.round(), ROUNDS_BEHIND + 5);
    assert_eq!(rig.machine.held(), 1 + 3 + 3, "round 0; far votes only pull");
    let out = rig.vote(Precommit, 1, 0, 1, A);
    assert_eq!(accusations_in(&out), 1, "round 0 is still known");
    assert!(rig.vote(Precommit, 1, 1, 1, A).is_empty());
}

#[test]
fn own_messages_are_what_a_peer_a_round_behind_needs() {
    let mut rig = Rig::of_four(1);
    let value = A.unwrap();
    rig.feed(Input::Value { height: 1, round: 0, value });
    let (proposal, votes) = rig.machine.own_messages();
    assert_eq!((proposal.map(|p| p.value), votes.len()), (A, 1));
    rig.votes(Prevote, 1, 0, &[(0, A), (2, A)]);
    rig.votes(Precommit, 1, 0, &[(0, NIL), (2, NIL)]);
    rig.expire(Step::Precommit, 1, 0);
    rig.expire(Step::Propose, 1, 1);
    let said = |rig: &Rig| -> Vec<_> {
        let (proposal, votes) = rig.machine.own_messages();
        assert_eq!(proposal, None);
        votes.iter().map(|v| (v.vote_type, v.round, v.value)).collect()
    };
    let old = [(Prevote, 0, A), (Precommit, 0, A)];
    assert_eq!(said(&rig), [old[0], old[1], (Prevote, 1, NIL)]);
    rig.votes(Precommit, 1, 1, &[(0, NIL), (2, NIL), (3, NIL)]);
    rig.expire(Step::Precommit, 1, 1);
    assert_eq!(said(&rig), [old[0], (Prevote, 1, NIL)], "prevotes for a value stay");
    let (proposals, votes) = rig.machine.known_messages();
    assert_eq!((proposals.len(), votes.len()), (1, 3 + 3 + 1 + 3), "of everyone, three rounds");
}
