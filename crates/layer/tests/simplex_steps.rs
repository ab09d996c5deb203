//! The steps of Simplex, one machine under the hand of a test. With four equal weights validator
//! h mod 4 leads iteration h.

use std::sync::Arc;

use surgetank_layer::chained::{
    BlockProposal, BlockVote, ChainMessage, ChainView, DummyCertificate, DummyVote, NotarizedChain,
    QuorumCertificate,
};
use surgetank_layer::consensus::simplex::{
    Chained, Config, Due, Input, Output, ROUNDS_AHEAD, RoundTimes, Simplex,
};
use surgetank_layer::machine::Machine;
use surgetank_layer::units::{Digest, Height, Round};

use crate::tendermint_world::SplitMix;

const TIMES: RoundTimes = RoundTimes { wait_ns: 10, timeout_ns: 1_000, delta_ns: 100 };

struct Rig(Simplex);

fn value(number: u8) -> Digest {
    Digest([number; 32])
}

/// A certificate of the first three.
fn qc(round: Round, height: Height, value: Digest) -> Arc<QuorumCertificate> {
    Arc::new(QuorumCertificate { round, height, value, voters: vec![0, 1, 2] })
}

fn dummy(round: Round) -> Arc<DummyCertificate> {
    Arc::new(DummyCertificate { round, voters: vec![0, 1, 2] })
}

fn genesis() -> NotarizedChain {
    NotarizedChain { qc: Arc::new(QuorumCertificate::genesis()), dummies: Vec::new() }
}

fn config(validator: u32) -> Config {
    Config { validator, weights: vec![1; 4], times: TIMES }
}

impl Rig {
    /// Validator 0, which has begun.
    fn new() -> Rig {
        let mut rig = Rig(Simplex::new(config(0)));
        let out = rig.feed(Input::Start);
        assert!(matches!(out[..], [Output::Schedule { due: Due::Round, round: 1, .. }]), "{out:?}");
        rig
    }

    fn feed(&mut self, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        self.0.step(0, input, &mut SplitMix(0), &mut out);
        out
    }

    fn hear(&mut self, message: ChainMessage) -> Vec<Output> {
        self.feed(Input::Message { message: Arc::new(message), valid: true })
    }

    fn propose(&mut self, round: Round, value: Digest, parent: NotarizedChain) -> Vec<Output> {
        let NotarizedChain { qc, dummies } = parent;
        let validator = self.0.leader(round);
        let height = qc.height + 1;
        self.hear(ChainMessage::Proposal(BlockProposal {
            round,
            height,
            value,
            qc,
            tc: None,
            dummies,
            decided: 0,
            validator,
        }))
    }

    fn vote(&mut self, round: Round, value: Digest, validator: u32) -> Vec<Output> {
        let height = Height::from(round);
        self.hear(ChainMessage::Vote(BlockVote { round, height, value, validator }))
    }

    fn vote_dummy(&mut self, round: Round, validator: u32) -> Vec<Output> {
        let vote = DummyVote { round, height: 1, decided: 0, validator };
        self.hear(ChainMessage::DummyVote(vote))
    }

    fn view(&mut self, chain: NotarizedChain, finalizes: bool, validator: u32) -> Vec<Output> {
        self.hear(ChainMessage::View(ChainView { chain, finalizes, decided: 0, validator }))
    }

    fn fires(&mut self, round: Round) -> Vec<Output> {
        self.feed(Input::Over { due: Due::Round, round })
    }
}

fn said(out: &[Output]) -> Vec<&ChainMessage> {
    let messages = out.iter().filter_map(|output| match output {
        Output::Broadcast(message) => Some(&**message),
        _ => None,
    });
    messages.collect()
}

fn finalizes(out: &[Output]) -> Vec<bool> {
    let views = said(out).into_iter().filter_map(|message| match message {
        ChainMessage::View(view) => Some(view.finalizes),
        _ => None,
    });
    views.collect()
}

fn decided(out: &[Output]) -> Vec<Digest> {
    let values = out.iter().filter_map(|output| match output {
        Output::Decide { value, .. } => Some(*value),
        _ => None,
    });
    values.collect()
}

fn accused(out: &[Output]) -> Vec<u32> {
    let accused = out.iter().filter_map(|output| match output {
        Output::Equivocation { validator, .. } => Some(*validator),
        _ => None,
    });
    accused.collect()
}

#[test]
fn the_first_proposal_of_the_leader_is_voted_for() {
    let mut rig = Rig::new();
    let out = rig.propose(1, value(1), genesis());
    assert!(matches!(said(&out)[..], [ChainMessage::Vote(BlockVote { round: 1, height: 1, .. })]));
    let out = rig.propose(1, value(2), genesis());
    assert_eq!((said(&out).len(), accused(&out)), (0, vec![1]));
}

#[test]
fn a_quorum_of_votes_begins_the_next_iteration_with_a_finalize_vote() {
    let mut rig = Rig::new();
    rig.propose(1, value(1), genesis());
    assert!(rig.vote(1, value(1), 1).is_empty() && rig.0.round() == 1);
    let out = rig.vote(1, value(1), 2);
    assert_eq!((finalizes(&out), rig.0.round()), (vec![true], 2));
    assert!(rig.fires(1).is_empty(), "the timer of an iteration that is over fires");
}

/// The rule on which safety rests.
#[test]
fn who_has_voted_for_the_dummy_may_vote_for_the_block_and_does_not_finalize_it() {
    let mut rig = Rig::new();
    let out = rig.fires(1);
    assert!(matches!(said(&out)[..], [ChainMessage::DummyVote(DummyVote { round: 1, .. })]));
    assert!(rig.fires(1).is_empty(), "it is said once");
    assert_eq!(said(&rig.propose(1, value(1), genesis())).len(), 1);
    rig.vote(1, value(1), 1);
    let out = rig.vote(1, value(1), 2);
    assert_eq!((finalizes(&out), rig.0.round()), (vec![false], 2));
}

#[test]
fn what_it_has_said_outlives_its_process() {
    let mut rig = Rig::new();
    rig.propose(1, value(1), genesis());
    rig.fires(1);
    let mut next = Rig(Simplex::from_log(config(0), rig.0.into_log()));
    assert!(next.feed(Input::Start).is_empty() && next.fires(1).is_empty());
    assert!(said(&next.propose(1, value(2), genesis())).is_empty());
    next.vote(1, value(1), 1);
    assert_eq!(finalizes(&next.vote(1, value(1), 2)), [false]);
}

#[test]
fn a_quorum_for_the_dummy_begins_the_next_iteration_without_a_finalize_vote() {
    let mut rig = Rig::new();
    (1..3).for_each(|who| drop(rig.vote_dummy(1, who)));
    let out = rig.vote_dummy(1, 3);
    assert_eq!((finalizes(&out), rig.0.round()), (vec![false], 2));
    let on_dummy = NotarizedChain { dummies: vec![dummy(1)], ..genesis() };
    assert_eq!(said(&rig.propose(2, value(2), on_dummy)).len(), 1);
}

#[test]
fn a_longer_chain_is_followed_at_once_if_nothing_of_it_is_missing() {
    let signers = |dummies| NotarizedChain { dummies, ..genesis() };
    let few = Arc::new(DummyCertificate { round: 2, voters: vec![0, 1] });
    let twice = Arc::new(DummyCertificate { round: 2, voters: vec![0, 1, 1] });
    for broken in
        [vec![dummy(2)], vec![dummy(1), dummy(3)], vec![dummy(1), few], vec![dummy(1), twice]]
    {
        let mut rig = Rig::new();
        assert!(rig.view(signers(broken), false, 1).is_empty() && rig.0.round() == 1);
    }
    let mut rig = Rig::new();
    assert_eq!(finalizes(&rig.view(signers(vec![dummy(1), dummy(2)]), false, 1)), [false]);
    assert_eq!(rig.0.round(), 3);
    assert!(rig.view(signers(vec![dummy(1)]), false, 2).is_empty(), "a shorter one");
}

#[test]
fn a_quorum_of_finalize_votes_decides_the_block_and_those_before_it() {
    let mut rig = Rig::new();
    let first = NotarizedChain { qc: qc(1, 1, value(1)), dummies: Vec::new() };
    let second = NotarizedChain { qc: qc(2, 2, value(2)), dummies: Vec::new() };
    rig.propose(1, value(1), genesis());
    rig.propose(2, value(2), first);
    // Its own is one of them.
    assert_eq!(finalizes(&rig.view(second.clone(), true, 1)), [true]);
    assert_eq!(decided(&rig.view(second.clone(), false, 2)), []);
    assert_eq!(decided(&rig.view(second.clone(), true, 1)), [], "said twice");
    assert_eq!(decided(&rig.view(second, true, 3)), [value(1), value(2)]);
}

#[test]
fn a_final_block_is_decided_when_it_comes() {
    let mut rig = Rig::new();
    let first = NotarizedChain { qc: qc(1, 1, value(1)), dummies: Vec::new() };
    rig.view(first.clone(), true, 1);
    assert_eq!(decided(&rig.view(first, true, 2)), []);
    assert_eq!(decided(&rig.propose(1, value(1), genesis())), [value(1)]);
}

#[test]
fn who_finalizes_what_it_gave_up_is_accused() {
    let mut rig = Rig::new();
    let first = NotarizedChain { qc: qc(1, 1, value(1)), dummies: Vec::new() };
    rig.vote_dummy(1, 1);
    assert_eq!(accused(&rig.view(first.clone(), true, 1)), [1]);
    assert_eq!(accused(&rig.view(first, true, 2)), []);
}

#[test]
fn what_is_held_is_bounded_whatever_a_validator_sends() {
    let mut rig = Rig::new();
    for k in 0..20_000u32 {
        let round = 1 + k % 3_000;
        rig.vote(round, value(k as u8), 3);
        rig.vote_dummy(round, 3);
        rig.propose(1, value((k % 251) as u8), genesis());
        let unfit = NotarizedChain { qc: qc(1, 1, value(9)), dummies: vec![dummy(k)] };
        rig.view(unfit, true, 3);
    }
    // What the two have said: a vote of each kind in each iteration that is kept; and of proposals
    // the first ones.
    let bound = 2 * 3 * (2 * ROUNDS_AHEAD + 1) as usize + 4;
    assert!(rig.0.held() > ROUNDS_AHEAD as usize, "{} held", rig.0.held());
    assert!(rig.0.held() <= bound, "{} held, at most {bound}", rig.0.held());
}
