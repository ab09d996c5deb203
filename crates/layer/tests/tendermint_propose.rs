//! Lines 10 to 33 and 57 to 60: starting a round, proposing, and answering a proposal.

use crate::tendermint_rig;

use proptest::prelude::*;
use surgetank_layer::consensus::tendermint::{Input, Line, Output, Step};
use surgetank_layer::message::{Proposal, VoteType};
use surgetank_layer::units::Round;
use tendermint_rig::*;

#[test]
fn the_proposer_asks_for_a_value_proposes_it_and_prevotes_it() {
    let mut rig = Rig::idle(&[1; 4], 1);
    let start = rig.feed(Input::Start);
    assert!(start.contains(&Output::GetValue { height: 1, round: 0 }));
    let out = rig.feed(Input::Value { height: 1, round: 0, value: A.unwrap() });
    let proposal = proposals_in(&out)[0];
    assert_eq!((proposal.height, proposal.round, proposal.valid_round), (1, 0, None));
    assert_eq!((proposal.validator, Some(proposal.value)), (1, A));
    assert_eq!(votes_in(&out), [(VoteType::Prevote, 0, A)]);
    assert_eq!(rig.at(), (1, 0, Step::Prevote));
}

#[test]
fn the_others_wait_for_timeout_propose_and_then_prevote_nil() {
    let mut rig = Rig::idle(&[1; 4], 0);
    let start = rig.feed(Input::Start);
    assert_eq!(timeouts_in(&start), [(Step::Propose, 0, 1000)]);
    let out = rig.expire(Step::Propose, 1, 0);
    assert_eq!(votes_in(&out), [(VoteType::Prevote, 0, NIL)]);
    assert_eq!(rig.machine.fired_at(Line::L59), 1);
    assert!(rig.propose(1, 0, A, None).is_empty(), "the prevote is cast");
}

#[test]
fn a_timeout_out_of_date_does_nothing() {
    let mut rig = Rig::of_four(0);
    rig.propose(1, 0, A, None);
    assert!(rig.expire(Step::Propose, 1, 0).is_empty());
    assert!(rig.expire(Step::Prevote, 1, 1).is_empty());
    assert!(rig.expire(Step::Precommit, 2, 0).is_empty());
    assert!(rig.expire(Step::Commit, 1, 0).is_empty());
}

#[test]
fn a_valid_proposal_is_prevoted_and_an_invalid_one_answered_by_nil() {
    let mut rig = Rig::of_four(0);
    assert_eq!(votes_in(&rig.propose(1, 0, A, None)), [(VoteType::Prevote, 0, A)]);
    assert_eq!(rig.machine.fired_at(Line::L24), 1);

    let mut rig = Rig::of_four(0);
    let value = A.unwrap();
    let proposal = Proposal { height: 1, round: 0, value, valid_round: None, validator: 1 };
    let out = rig.feed(Input::Proposal { proposal, valid: false });
    assert_eq!(votes_in(&out), [(VoteType::Prevote, 0, NIL)]);
    assert_eq!(rig.machine.fired_at(Line::L26), 1);
}

#[test]
fn a_proposal_of_another_than_the_proposer_or_with_an_impossible_valid_round_is_ignored() {
    let mut rig = Rig::of_four(0);
    let value = A.unwrap();
    for (validator, valid_round) in [(2, None), (1, Some(0)), (1, Some(7)), (9, None)] {
        let proposal = Proposal { height: 1, round: 0, value, valid_round, validator };
        assert!(rig.feed(Input::Proposal { proposal, valid: true }).is_empty());
    }
    assert_eq!((rig.at(), rig.machine.held()), ((1, 0, Step::Propose), 0));
}

#[test]
fn a_late_or_unasked_value_is_ignored() {
    let mut rig = Rig::of_four(1);
    let value = A.unwrap();
    assert!(rig.feed(Input::Value { height: 1, round: 4, value }).is_empty());
    assert!(rig.feed(Input::Value { height: 2, round: 0, value }).is_empty());
    rig.expire(Step::Propose, 1, 0);
    assert!(rig.feed(Input::Value { height: 1, round: 0, value }).is_empty());
    assert!(Rig::of_four(0).feed(Input::Value { height: 1, round: 0, value }).is_empty());
}

#[test]
fn line_16_proposes_the_valid_value_again_with_its_round() {
    let mut rig = Rig::of_four(2);
    rig.propose(1, 0, A, None);
    rig.votes(VoteType::Prevote, 1, 0, &[(0, A), (1, A)]);
    rig.votes(VoteType::Precommit, 1, 0, &[(0, NIL), (1, NIL)]);
    let out = rig.expire(Step::Precommit, 1, 0);
    let proposal = proposals_in(&out)[0];
    assert_eq!((Some(proposal.value), proposal.valid_round, proposal.round), (A, Some(0), 1));
    assert_eq!(votes_in(&out), [(VoteType::Prevote, 1, A)]);
    assert_eq!((rig.machine.fired_at(Line::L16), rig.machine.fired_at(Line::L18)), (1, 0));
}

#[test]
fn equal_weights_propose_in_turn_and_unequal_ones_by_their_share() {
    let rig = Rig::idle(&[7; 4], 0);
    for height in 1..9 {
        for round in 0..9 {
            let turn = (height + u64::from(round)) % 4;
            assert_eq!(u64::from(rig.machine.proposer(height, round)), turn);
        }
    }
    let weights = [20, 0, 60, 30, 90];
    let rig = Rig::idle(&weights, 0);
    let turns: Vec<u32> = (0..20).map(|round| rig.machine.proposer(5, round)).collect();
    for (validator, weight) in (0u32..).zip(weights) {
        let mine = turns.iter().filter(|&&turn| turn == validator).count() as u64;
        assert_eq!(mine, weight / 10, "validator {validator} in {turns:?}");
    }
    let twice = |who: u32| turns.windows(2).any(|pair| pair == [who, who]);
    assert!(![0, 2, 3].into_iter().any(twice), "a light validator twice in a row: {turns:?}");
}

/// CometBFT's `TestProposerSelection1` (types/validator_set_test.go): its validators foo, bar and
/// baz have powers 1000, 300 and 330, and stand here in the order of their addresses.
#[test]
fn unequal_weights_propose_as_in_cometbft() {
    let expected = concat!(
        "foo baz foo bar foo foo baz foo bar foo foo baz foo foo bar foo baz foo foo bar ",
        "foo foo baz foo bar foo foo baz foo bar foo foo baz foo foo bar foo baz foo foo bar ",
        "foo baz foo foo bar foo baz foo foo bar foo baz foo foo foo baz bar foo foo foo baz ",
        "foo bar foo foo baz foo bar foo foo baz foo bar foo foo baz foo bar foo foo baz foo ",
        "foo bar foo baz foo foo bar foo baz foo foo bar foo baz foo foo",
    );
    let rig = Rig::idle(&[300, 330, 1000], 0);
    let names = ["bar", "baz", "foo"];
    let turns: Vec<&str> =
        (0..99).map(|height| names[rig.machine.proposer(height, 0) as usize]).collect();
    assert_eq!(turns.join(" "), expected);
    // After (300 + 330 + 1000) / 10 turns the order repeats; a round is a turn as a height is.
    for turn in 0..163 {
        assert_eq!(rig.machine.proposer(turn + 163, 0), rig.machine.proposer(turn, 0));
        assert_eq!(rig.machine.proposer(163, turn as Round), rig.machine.proposer(turn, 0));
    }
}

#[test]
fn a_node_without_weight_follows_and_says_nothing() {
    let mut rig = Rig::idle(&[1, 1, 1, 0], 3);
    let mut out = rig.feed(Input::Start);
    out.extend(rig.propose(1, 0, A, None));
    out.extend(rig.votes(VoteType::Prevote, 1, 0, &[(0, A), (1, A), (2, A)]));
    out.extend(rig.votes(VoteType::Precommit, 1, 0, &[(0, A), (1, A), (2, A)]));
    assert!(votes_in(&out).is_empty() && proposals_in(&out).is_empty(), "{out:?}");
    assert_eq!(rig.machine.decided().map(|(height, _)| height), Some(1));
}

proptest! {
    /// In as many turns as the total weight, from wherever, each validator proposes as often as its
    /// weight.
    #[test]
    fn each_proposes_its_share(weights in prop::collection::vec(0u64..40, 1..8), at in 0u64..500) {
        prop_assume!(weights.iter().any(|&weight| weight > 0));
        let rig = Rig::idle(&weights, 0);
        let total: u64 = weights.iter().sum();
        let mut counts = vec![0; weights.len()];
        for turn in at..at + total {
            counts[rig.machine.proposer(turn, 0) as usize] += 1;
        }
        prop_assert_eq!(&counts, &weights);
    }
}
