//! One Tendermint machine under the hand of a test. With four equal weights the proposer of
//! height h, round r is validator (h + r) mod 4: at height 1, rounds 0, 1, 2, 3 are those of
//! validators 1, 2, 3, 0.

use surgetank_layer::consensus::tendermint::{
    Config, Input, Output, Step, Tendermint, Timeout, Timeouts,
};
use surgetank_layer::machine::{Draws, Machine};
use surgetank_layer::message::{Proposal, Vote, VoteType};
use surgetank_layer::units::{Digest, Height, Round, Weight};

pub const TIMEOUTS: Timeouts = Timeouts {
    propose_ns: 1000,
    propose_delta_ns: 100,
    prevote_ns: 2000,
    prevote_delta_ns: 200,
    precommit_ns: 3000,
    precommit_delta_ns: 300,
    commit_ns: 4000,
};

/// Tendermint needs no chance.
struct NoDraws;

impl Draws for NoDraws {
    fn next_u64(&mut self) -> u64 {
        panic!("Tendermint drew a number")
    }
}

pub struct Rig {
    pub machine: Tendermint,
    validators: u32,
}

pub const A: Option<Digest> = Some(Digest([0xaa; 32]));
pub const B: Option<Digest> = Some(Digest([0xbb; 32]));
pub const NIL: Option<Digest> = None;

impl Rig {
    /// Not yet started.
    pub fn idle(weights: &[Weight], validator: u32) -> Rig {
        let config = Config { validator, weights: weights.to_vec(), timeouts: TIMEOUTS };
        Rig { machine: Tendermint::new(config), validators: weights.len() as u32 }
    }

    /// One of four equals, started.
    pub fn of_four(validator: u32) -> Rig {
        let mut rig = Rig::idle(&[1; 4], validator);
        rig.feed(Input::Start);
        rig
    }

    /// Validator 0 of four, locked on A in round 0 and moved on to round 1.
    pub fn locked() -> Rig {
        let mut rig = Rig::of_four(0);
        rig.propose(1, 0, A, None);
        rig.votes(VoteType::Prevote, 1, 0, &[(1, A), (2, A)]);
        assert_eq!(rig.machine.locked(), A.map(|a| (0, a)));
        rig.votes(VoteType::Precommit, 1, 0, &[(1, NIL), (2, NIL)]);
        rig.expire(Step::Precommit, 1, 0);
        assert_eq!(rig.machine.round(), 1);
        rig
    }

    pub fn feed(&mut self, input: Input) -> Vec<Output> {
        let mut outbox = Vec::new();
        self.machine.step(0, input, &mut NoDraws, &mut outbox);
        outbox
    }

    /// A valid proposal of the round's proposer.
    pub fn propose(
        &mut self,
        height: Height,
        round: Round,
        value: Option<Digest>,
        valid_round: Option<Round>,
    ) -> Vec<Output> {
        let validator = self.machine.proposer(height, round);
        let value = value.expect("nil is never proposed");
        let proposal = Proposal { height, round, value, valid_round, validator };
        self.feed(Input::Proposal { proposal, valid: true })
    }

    pub fn vote(
        &mut self,
        vote_type: VoteType,
        height: Height,
        round: Round,
        validator: u32,
        value: Option<Digest>,
    ) -> Vec<Output> {
        self.feed(Input::Vote(Vote { vote_type, height, round, value, validator }))
    }

    /// Votes of others, one after the other; all that came out.
    pub fn votes(
        &mut self,
        vote_type: VoteType,
        height: Height,
        round: Round,
        votes: &[(u32, Option<Digest>)],
    ) -> Vec<Output> {
        let mut all = Vec::new();
        for &(validator, value) in votes {
            all.extend(self.vote(vote_type, height, round, validator, value));
        }
        all
    }

    /// Decides A at this height in round 0, by the votes of others.
    pub fn decide(&mut self, height: Height) -> Vec<Output> {
        let mut all = self.propose(height, 0, A, None);
        let votes: Vec<_> = (0..self.validators).map(|i| (i, A)).collect();
        all.extend(self.votes(VoteType::Precommit, height, 0, &votes));
        all
    }

    pub fn expire(&mut self, step: Step, height: Height, round: Round) -> Vec<Output> {
        self.feed(Input::Timeout(Timeout { step, height, round }))
    }

    pub fn at(&self) -> (Height, Round, Step) {
        (self.machine.height(), self.machine.round(), self.machine.step_now())
    }
}

/// The votes among the outputs.
pub fn votes_in(outputs: &[Output]) -> Vec<(VoteType, Round, Option<Digest>)> {
    let vote = |output: &Output| match output {
        Output::Vote(v) => Some((v.vote_type, v.round, v.value)),
        _ => None,
    };
    outputs.iter().filter_map(vote).collect()
}

/// The timeouts among the outputs, and their spans.
pub fn timeouts_in(outputs: &[Output]) -> Vec<(Step, Round, u64)> {
    let timeout = |output: &Output| match output {
        Output::Schedule { timeout, after_ns } => Some((timeout.step, timeout.round, *after_ns)),
        _ => None,
    };
    outputs.iter().filter_map(timeout).collect()
}

/// The proposals among the outputs.
pub fn proposals_in(outputs: &[Output]) -> Vec<Proposal> {
    let proposal = |output: &Output| match output {
        Output::Propose(proposal) => Some(*proposal),
        _ => None,
    };
    outputs.iter().filter_map(proposal).collect()
}

/// The decisions among the outputs.
pub fn decisions_in(outputs: &[Output]) -> Vec<(Height, Round, Option<Digest>)> {
    let decision = |output: &Output| match output {
        Output::Decide { height, round, value } => Some((*height, *round, Some(*value))),
        _ => None,
    };
    outputs.iter().filter_map(decision).collect()
}

/// How many accusations are among the outputs.
pub fn accusations_in(outputs: &[Output]) -> usize {
    outputs.iter().filter(|output| matches!(output, Output::Equivocation { .. })).count()
}
