//! Chained HotStuff with a commit in two steps: Jolteon, with the pacemaker of DiemBFT v4.
//!
//! Rules. Rounds have leaders. The leader of a round proposes a block on top of the highest block
//! for which it knows a quorum's votes (QC). Validators vote at most once a round and send their
//! votes to the *next* leader only, whose proposal carries them as the QC of its parent. A block is
//! decided, with its ancestors, once it and a child of the *next* round are both certified. Who
//! waits too long in a round gives it up and says so to all; a quorum of that (TC) ends the round.
//!
//! Theory of operation. Two quorums share more than 1/3 of the weight, hence an honest validator
//! while less than 1/3 is faulty: so a round has at most one QC. When a block of round r is
//! decided, a quorum has seen its QC before it voted in round r + 1. Any later TC has one of them,
//! whose qc_high is at least r, and no block with an older parent gets honest votes after it: all
//! later blocks grow on the decided one. Without faults a round costs n messages of votes and the
//! proposal; only giving a round up costs n².
//!
//! Each clause of the figure is a method ([`rules`]; the pacemaker's in [`pacemaker`]), and
//! [`Clause`] counts what applied.
//!
//! Source: R. Gelashvili, L. Kokoris-Kogias, A. Sonnino, A. Spiegelman, Z. Xiang, "Jolteon and
//! Ditto: Network-Adaptive Efficient Consensus with Asynchronous Fallback", arXiv 2106.10362, the
//! figure of Jolteon (Propose, Vote, Lock, Commit, Advance Round, Timer and Timeout); and The Diem
//! Team, "DiemBFT v4: State Machine Replication in the Diem Blockchain", 2021, module Pacemaker.
//! HotStuff itself: M. Yin et al., PODC 2019.
//!
//! Departures:
//! - Rounds start at 1 and the beginning of the chain has round 0. Leaders are a round robin by
//!   weight, as in Tendermint here. For a commit three leaders in a row must be alive; with equal
//!   weights there always are such, and with very unequal ones a crashed validator that comes every
//!   third round prevents it.
//! - A leader waits `wait_ns` before it proposes, and each round's timer is longer by that; 0 is the
//!   paper's protocol. It asks the node for the block, which it makes when it has executed what is
//!   decided.
//! - The timer of round r is `timeout_ns + delta_ns × (r − 2 − round of the last decided block)`: a
//!   line where DiemBFT suggests α + β^commit_gap.
//! - A validator votes only for blocks all of whose ancestors it has. The node fetches decided ones;
//!   undecided ones come by re-broadcast ([`HotStuff::known_messages`]). Votes are not repeated: a
//!   round whose votes are lost is given up.
//! - Bounds: votes for rounds up to [`ROUNDS_AHEAD`] ahead; the first of a validator's votes in a
//!   round, and its first timeout.
//! - [`HotStuffLog`] outlives a process, as r_vote and qc_high must.

mod clause;
mod pacemaker;
mod relay;
mod rules;
mod tree;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::electorate::Electorate;
use crate::machine::{Draws, Machine};
use crate::units::{Digest, Height, Ns, Round, Weight};

pub use crate::chained::{
    BlockProposal, BlockVote, ChainMessage, QuorumCertificate, RoundTimeout, TimeoutCertificate,
};
pub use clause::Clause;
use tree::Tree;

/// How many rounds ahead of its own a leader keeps votes for.
pub const ROUNDS_AHEAD: Round = 64;

/// How long rounds last at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundTimes {
    /// A leader's wait before it proposes.
    pub wait_ns: Ns,
    /// How long a round lasts beyond that wait, at most, while blocks are decided.
    pub timeout_ns: Ns,
    /// Growth per round without a decision.
    pub delta_ns: Ns,
}

/// Parameters of the machine.
#[derive(Clone, Debug)]
pub struct Config {
    /// Index of this validator.
    pub validator: u32,
    /// Voting weight of each validator; at least one is positive. One without weight follows: it
    /// neither votes nor proposes.
    pub weights: Vec<Weight>,
    /// How long rounds last.
    pub times: RoundTimes,
}

/// A scheduled time, handed back when it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Due {
    /// A leader's wait before it proposes.
    Propose,
    /// The round's timer.
    Round,
}

/// Events of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The first round begins.
    Start,
    /// The answer to [`Output::GetValue`].
    Value {
        /// Round of the request.
        round: Round,
        /// Hash of a new block.
        value: Digest,
    },
    /// A validator's message arrived, with the block that it proposes.
    Message {
        /// The message, whose signatures are genuine.
        message: Arc<ChainMessage>,
        /// Of a proposal: whether the block is the one named, and follows its parent.
        valid: bool,
    },
    /// A scheduled time is over.
    Over {
        /// Which of the times of a round.
        due: Due,
        /// Of which round.
        round: Round,
    },
    /// The node has synced this decided block, the next of its chain.
    CatchUp {
        /// Height of the block.
        height: Height,
        /// Hash of the block.
        value: Digest,
    },
}

/// Requests of the machine to its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Make a block on top of undecided ones and answer with [`Input::Value`].
    GetValue {
        /// The height of the block.
        height: Height,
        /// The round that requests it.
        round: Round,
        /// The undecided blocks below it, oldest first.
        after: Vec<Digest>,
    },
    /// Send to all others; this machine has applied its own copy.
    Broadcast(Arc<ChainMessage>),
    /// Send to one other.
    Send {
        /// Index of the validator.
        to: u32,
        /// What to send.
        message: Arc<ChainMessage>,
    },
    /// Hand [`Input::Over`] back after a while.
    Schedule {
        /// Which time.
        due: Due,
        /// Of which round.
        round: Round,
        /// After how long.
        after_ns: Ns,
    },
    /// The next height is decided, and final. Not emitted for [`Input::CatchUp`].
    Decide {
        /// Decided height; each is decided once, in order.
        height: Height,
        /// Rounds that failed between this block's and its parent's.
        failed: Round,
        /// Hash of the block.
        value: Digest,
    },
    /// A validator equivocated. Reported once per validator and round.
    Equivocation {
        /// Index of the validator.
        validator: u32,
        /// Height of the conflicting message.
        height: Height,
        /// Round of the conflicting messages.
        round: Round,
    },
}

/// Votes for blocks of one round, at the leader of the next: each validator's first.
#[derive(Clone, Debug, Default)]
struct RoundVotes {
    votes: BTreeMap<u32, (Height, Digest)>,
}

/// A node's part in chained HotStuff.
#[derive(Clone, Debug)]
pub struct HotStuff {
    me: u32,
    electorate: Electorate,
    times: RoundTimes,
    started: bool,
    /// r_cur: the current round.
    round: Round,
    /// r_vote: the last round voted in, or given up.
    voted: Round,
    /// qc_high: the certificate of the highest round that is known.
    high: Arc<QuorumCertificate>,
    /// The TC by which r_cur was entered, if it was by one.
    entered_by: Option<Arc<TimeoutCertificate>>,
    tree: Tree,
    /// Round of the last decided block, as far as known.
    committed: Round,
    /// Votes for rounds of which this validator leads the next.
    votes: BTreeMap<Round, RoundVotes>,
    /// Timeouts of r_cur, each with its sender's.
    timeouts: BTreeMap<u32, Arc<ChainMessage>>,
    /// The last round in which this validator proposed.
    proposed: Round,
    /// The leader's wait in r_cur is over, and it has not proposed.
    is_due: bool,
    /// The parent of the block that was asked for.
    asked: Option<Arc<QuorumCertificate>>,
    accused: BTreeMap<Round, Vec<u32>>,
    fired: [(Clause, u64); Clause::COUNT],
}

/// What outlives a validator's process: what it has voted and knows. DiemBFT keeps the votes and
/// qc_high in its persistent safety storage, and the blocks in its block store.
#[derive(Clone, Debug)]
pub struct HotStuffLog(HotStuff);

impl HotStuff {
    /// A machine before its start, at height 1. Panics if no weight is positive, if the weights
    /// overflow, or if the validator index is beyond them.
    pub fn new(config: Config) -> HotStuff {
        let electorate = Electorate::new(config.weights);
        let me = config.validator;
        assert!((me as usize) < electorate.len(), "consensus: validator {me} has no weight");
        let genesis =
            QuorumCertificate { round: 0, height: 0, value: Digest::default(), voters: Vec::new() };
        HotStuff {
            me,
            electorate,
            times: config.times,
            started: false,
            round: 0,
            voted: 0,
            high: Arc::new(genesis),
            entered_by: None,
            tree: Tree::new(0, Digest::default()),
            committed: 0,
            votes: BTreeMap::new(),
            timeouts: BTreeMap::new(),
            proposed: 0,
            is_due: false,
            asked: None,
            accused: BTreeMap::new(),
            fired: Clause::ALL.map(|clause| (clause, 0)),
        }
    }

    /// The process ends: what is on its disk.
    pub fn into_log(self) -> HotStuffLog {
        HotStuffLog(self)
    }

    /// A new machine, which continues where the log ends.
    pub fn from_log(config: Config, log: HotStuffLog) -> HotStuff {
        let mut next = HotStuff { times: config.times, ..log.0 };
        next.fired = Clause::ALL.map(|clause| (clause, 0));
        next
    }

    /// How long rounds last.
    pub fn times(&self) -> RoundTimes {
        self.times
    }

    /// Sets the times of rounds that begin from now on.
    pub fn set_times(&mut self, times: RoundTimes) {
        self.times = times;
    }

    /// L_r: the leader of a round.
    pub fn leader(&self, round: Round) -> u32 {
        self.electorate.proposer(Height::from(round), 0)
    }

    /// r_cur; 0 before the start.
    pub fn round(&self) -> Round {
        self.round
    }

    /// qc_high: the certificate of the highest round that is known.
    pub fn high(&self) -> &Arc<QuorumCertificate> {
        &self.high
    }

    /// Height of the last decided block.
    pub fn decided(&self) -> Height {
        self.tree.decided()
    }

    /// How often each clause applied.
    pub fn fired(&self) -> &[(Clause, u64)] {
        &self.fired
    }

    fn fire(&mut self, clause: Clause) {
        self.fired[clause as usize].1 += 1;
    }

    /// How many messages are held, for a test of the bound.
    pub fn held(&self) -> usize {
        let votes: usize = self.votes.values().map(|round| round.votes.len()).sum();
        votes + self.timeouts.len() + self.tree.len()
    }
}

impl Machine for HotStuff {
    type Input = Input;
    type Output = Output;

    fn step(&mut self, _now: Ns, input: Input, _draws: &mut dyn Draws, outbox: &mut Vec<Output>) {
        match input {
            Input::Start if !self.started => {
                self.started = true;
                self.enter(self.high.round + 1, None, outbox);
            }
            Input::Start => {}
            Input::Value { round, value } => self.answer(round, value, outbox),
            Input::Message { message, valid } => self.receive(&message, valid, outbox),
            Input::Over { due: Due::Round, round } => self.expire(round, outbox),
            Input::Over { due: Due::Propose, round } => {
                self.is_due |= self.started && round == self.round && round > self.proposed;
            }
            Input::CatchUp { height, value } => self.catch_up(height, value),
        }
        self.settle(outbox);
    }
}
