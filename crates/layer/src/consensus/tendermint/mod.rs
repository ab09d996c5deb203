//! Tendermint consensus: Algorithm 1 of the paper, line by line.
//!
//! Rules. Validators agree on one value per height, in rounds. A round has a proposer, a vote on
//! its proposal (prevote) and a vote to commit to what was prevoted (precommit). A quorum is
//! strictly more than 2/3 of the weight. A validator that precommits a value is *locked* on it and
//! prevotes nothing else until a quorum of a later round prevoted otherwise.
//!
//! Theory of operation. Two quorums share more than 1/3 of the weight, hence an honest validator
//! while less than 1/3 is faulty; the lock makes that validator carry a possible decision from
//! round to round. So no two honest nodes decide differently, whatever the network does. Timeouts
//! grow with the round, so once messages arrive in bounded time some round is long enough.
//! Every `upon` of the paper is a method `line_NN` (see `rules`; timeouts in `expiry`, the message
//! log in `reception`), and [`Line`] counts what fired.
//!
//! Source: E. Buchman, J. Kwon, Z. Milosevic, "The latest gossip on BFT consensus",
//! arXiv 1807.04938, Algorithm 1. Line numbers are the paper's.
//!
//! Departures:
//! - Heights start at 1. −1 is `None`. `valid(v)` comes with each proposal, from the node.
//! - `getValue()` (line 18) is asked of the node and answered by [`Input::Value`]; until then the
//!   proposer too has a propose timeout, as in CometBFT, else an idle node would stall n ≤ 3.
//! - Between a decision and the next round 0 passes a commit timeout (CometBFT's
//!   `timeout_commit`): [`Step::Commit`]. Lines 49 and 55 still apply during it.
//! - The log is bounded (the paper's is not). Of a validator's different votes of one kind in one
//!   round the first counts; another one counts for its value only once more than 1/3 of the weight
//!   stands behind that value, so that at most two more are kept. Without that exception an
//!   equivocator could hide a quorum from a node permanently; with it, re-broadcasting
//!   [`Tendermint::known_messages`] resolves it. Rounds from [`ROUNDS_BEHIND`] behind to
//!   [`ROUNDS_AHEAD`] ahead are kept; of rounds further ahead only each validator's highest, for
//!   line 55. Messages of the next height: [`NEXT_PER_VALIDATOR`] each. All else is dropped and
//!   must be sent again.
//! - Line 55 with rounds beyond the window: the highest round that f+1 reached or passed.
//! - What a validator must not forget is its [`ValidatorLog`], which the paper's model, without restarts, does
//!   not have. One that restarted without it could equivocate.

mod expiry;
mod line;
mod reception;
mod relay;
mod round_log;
mod rules;
mod tally;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::machine::{Draws, Machine};
use crate::message::{Proposal, Vote};
use crate::units::{Digest, Height, Ns, Round, Weight};

use super::electorate::Electorate;
pub use line::Line;
use round_log::{Received, RoundLog};

/// How many past rounds of the current height are kept (besides the locked and valid rounds).
pub const ROUNDS_BEHIND: Round = 64;
/// How many future rounds of the current height are kept.
pub const ROUNDS_AHEAD: Round = 64;
/// How many messages of the next height are kept per validator.
pub const NEXT_PER_VALIDATOR: usize = 8;

/// How long each step waits: `init + round × delta`. Must be alike at all validators: safety does
/// not need it, but with different growths nodes can drift apart faster than timeoutPropose grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// timeoutPropose of round 0.
    pub propose_ns: Ns,
    /// Growth of timeoutPropose per round.
    pub propose_delta_ns: Ns,
    /// timeoutPrevote of round 0.
    pub prevote_ns: Ns,
    /// Growth of timeoutPrevote per round.
    pub prevote_delta_ns: Ns,
    /// timeoutPrecommit of round 0.
    pub precommit_ns: Ns,
    /// Growth of timeoutPrecommit per round.
    pub precommit_delta_ns: Ns,
    /// Between a decision and the next height.
    pub commit_ns: Ns,
}

impl Timeouts {
    /// The span of a step in a round.
    pub fn span_ns(&self, step: Step, round: Round) -> Ns {
        let (init, delta) = match step {
            Step::Propose => (self.propose_ns, self.propose_delta_ns),
            Step::Prevote => (self.prevote_ns, self.prevote_delta_ns),
            Step::Precommit => (self.precommit_ns, self.precommit_delta_ns),
            Step::Commit => (self.commit_ns, 0),
        };
        init.saturating_add(delta.saturating_mul(Ns::from(round)))
    }
}

/// Parameters of the machine.
#[derive(Clone, Debug)]
pub struct Config {
    /// Index of this validator.
    pub validator: u32,
    /// Voting weight of each validator; at least one is positive. One without weight follows: it
    /// neither votes nor proposes.
    pub weights: Vec<Weight>,
    /// How long each step waits.
    pub timeouts: Timeouts,
}

/// Step within a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Step {
    /// Waits for the proposal of the round.
    Propose = 0,
    /// This validator has prevoted; it waits for prevotes.
    Prevote = 1,
    /// This validator has precommitted; it waits for precommits.
    Precommit = 2,
    /// The height before is decided (or nothing has started yet); round 0 has not begun.
    Commit = 3,
}

impl Step {
    /// The step's name in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Step::Propose => "propose",
            Step::Prevote => "prevote",
            Step::Precommit => "precommit",
            Step::Commit => "commit",
        }
    }
}

/// A scheduled timeout, handed back when it expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timeout {
    /// Which step it bounds.
    pub step: Step,
    /// The height in which it was set; for [`Step::Commit`], the height that is to begin.
    pub height: Height,
    /// The round in which it was set.
    pub round: Round,
}

/// Events of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Line 10. Messages received earlier are kept.
    Start,
    /// The answer to [`Output::GetValue`].
    Value {
        /// Height of the request.
        height: Height,
        /// Round of the request.
        round: Round,
        /// id(v) of a new block.
        value: Digest,
    },
    /// A proposal arrived, with its block.
    Proposal {
        /// The received proposal.
        proposal: Proposal,
        /// valid(v). A proposal may be passed in again: pass `false` for one of the next height
        /// that cannot be validated yet, and pass it in again upon `Decide`.
        valid: bool,
    },
    /// A vote arrived.
    Vote(Vote),
    /// A scheduled timeout expired.
    Timeout(Timeout),
    /// The node has synced and verified this decided block: continue at the next height.
    CatchUp {
        /// Height of the block.
        height: Height,
        /// Identifier id(v) of the block.
        value: Digest,
    },
}

/// Requests of the machine to its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Line 18: make a block and answer with [`Input::Value`].
    GetValue {
        /// The height of the block.
        height: Height,
        /// The round that requests it.
        round: Round,
    },
    /// Broadcast to all others; this machine has applied its own copy.
    Propose(Proposal),
    /// Broadcast to all others; this machine has applied its own copy.
    Vote(Vote),
    /// Hand [`Input::Timeout`] back after a while.
    Schedule {
        /// What to hand back.
        timeout: Timeout,
        /// After how long.
        after_ns: Ns,
    },
    /// Line 51: the height is decided, and final. Not emitted for [`Input::CatchUp`].
    Decide {
        /// Decided height; each is decided once, in order.
        height: Height,
        /// The round whose precommits decided it.
        round: Round,
        /// Identifier id(v) of the decided block.
        value: Digest,
    },
    /// A validator equivocated. Reported once per validator, height and round.
    Equivocation {
        /// Index of the validator.
        validator: u32,
        /// Height of the conflicting messages.
        height: Height,
        /// Round of the conflicting messages.
        round: Round,
    },
}

/// A node's part in Tendermint.
#[derive(Clone, Debug)]
pub struct Tendermint {
    me: u32,
    electorate: Electorate,
    timeouts: Timeouts,
    started: bool,
    /// h_p, round_p and step_p.
    height: Height,
    round: Round,
    step: Step,
    /// lockedRound_p and lockedValue_p.
    locked: Option<(Round, Digest)>,
    /// validRound_p and validValue_p.
    valid: Option<(Round, Digest)>,
    /// decision_p of the last height.
    decided: Option<(Height, Digest)>,
    /// The message log of the current height.
    rounds: BTreeMap<Round, RoundLog>,
    /// Rounds with new messages, for lines 49 and 55.
    touched: BTreeSet<Round>,
    /// Highest round of each validator received beyond the window.
    far: BTreeMap<u32, Round>,
    /// Messages of the next height, by validator, in order of arrival.
    next: BTreeMap<u32, Vec<Received>>,
    /// Messages kept for the current height, to be processed again.
    replay: VecDeque<Received>,
    fired: [(Line, u64); Line::COUNT],
}

/// What outlives a validator's process: its place in the algorithm, its locks, and the messages that
/// it has sent and received. Of CometBFT's write-ahead log, which is replayed, this is the outcome.
#[derive(Clone, Debug)]
pub struct ValidatorLog {
    started: bool,
    height: Height,
    round: Round,
    step: Step,
    locked: Option<(Round, Digest)>,
    valid: Option<(Round, Digest)>,
    decided: Option<(Height, Digest)>,
    rounds: BTreeMap<Round, RoundLog>,
    far: BTreeMap<u32, Round>,
    next: BTreeMap<u32, Vec<Received>>,
}

impl Tendermint {
    /// A machine before its start, at height 1. Panics if no weight is positive, if the weights
    /// overflow, or if the validator index is beyond them.
    pub fn new(config: Config) -> Tendermint {
        let electorate = Electorate::new(config.weights);
        let me = config.validator;
        assert!((me as usize) < electorate.len(), "consensus: validator {me} has no weight");
        Tendermint {
            me,
            electorate,
            timeouts: config.timeouts,
            started: false,
            height: 1,
            round: 0,
            step: Step::Commit,
            locked: None,
            valid: None,
            decided: None,
            rounds: BTreeMap::new(),
            touched: BTreeSet::new(),
            far: BTreeMap::new(),
            next: BTreeMap::new(),
            replay: VecDeque::new(),
            fired: Line::ALL.map(|line| (line, 0)),
        }
    }

    /// The process ends: what is on its disk.
    pub fn into_log(self) -> ValidatorLog {
        ValidatorLog {
            started: self.started,
            height: self.height,
            round: self.round,
            step: self.step,
            locked: self.locked,
            valid: self.valid,
            decided: self.decided,
            rounds: self.rounds,
            far: self.far,
            next: self.next,
        }
    }

    /// A new machine, which continues where the log ends. Its timeouts are to be set again.
    pub fn from_log(config: Config, log: ValidatorLog) -> Tendermint {
        let ValidatorLog {
            started,
            height,
            round,
            step,
            locked,
            valid,
            decided,
            rounds,
            far,
            next,
        } = log;
        Tendermint {
            started,
            height,
            round,
            step,
            locked,
            valid,
            decided,
            rounds,
            far,
            next,
            ..Tendermint::new(config)
        }
    }

    /// How long each step waits.
    pub fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// Sets the timeouts of steps that begin from now on. Growths must be equal at all validators:
    /// see [`Timeouts`].
    pub fn set_timeouts(&mut self, timeouts: Timeouts) {
        self.timeouts = timeouts;
    }

    /// h_p: the height being decided. In [`Step::Commit`] it is the one about to begin.
    pub fn height(&self) -> Height {
        self.height
    }

    /// The current round, round_p.
    pub fn round(&self) -> Round {
        self.round
    }

    /// The current step, step_p.
    pub fn step_now(&self) -> Step {
        self.step
    }

    /// lockedRound_p and lockedValue_p.
    pub fn locked(&self) -> Option<(Round, Digest)> {
        self.locked
    }

    /// validRound_p and validValue_p.
    pub fn valid(&self) -> Option<(Round, Digest)> {
        self.valid
    }

    /// The last decided (or caught up) height and its value.
    pub fn decided(&self) -> Option<(Height, Digest)> {
        self.decided
    }

    /// CometBFT's weighted round robin over height + round; for equal weights
    /// `(height + round) mod n`.
    pub fn proposer(&self, height: Height, round: Round) -> u32 {
        self.electorate.proposer(height, round)
    }

    /// How often each line of the paper fired, in the paper's order.
    pub fn fired(&self) -> &[(Line, u64)] {
        &self.fired
    }

    /// How often one line fired.
    pub fn fired_at(&self, line: Line) -> u64 {
        self.fired[line as usize].1
    }

    fn fire(&mut self, line: Line) {
        self.fired[line as usize].1 += 1;
    }

    /// How many messages and votes are held, for a test of the bound.
    pub fn held(&self) -> usize {
        let next: usize = self.next.values().map(Vec::len).sum();
        next + self.far.len() + self.rounds.values().map(RoundLog::held).sum::<usize>()
    }
}

impl Machine for Tendermint {
    type Input = Input;
    type Output = Output;

    fn step(&mut self, _now: Ns, input: Input, _draws: &mut dyn Draws, outbox: &mut Vec<Output>) {
        match input {
            Input::Start => self.line_10(outbox),
            Input::Value { height, round, value } => self.answer(height, round, value, outbox),
            Input::Proposal { proposal, valid } => {
                self.receive(Received::Proposal(proposal, valid), outbox);
            }
            Input::Vote(vote) => self.receive(Received::Vote(vote), outbox),
            Input::Timeout(timeout) => self.expire(timeout, outbox),
            Input::CatchUp { height, value } => self.catch_up(height, value, outbox),
        }
        self.settle(outbox);
    }
}
