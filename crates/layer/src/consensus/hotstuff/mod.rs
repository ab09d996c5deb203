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
//!   undecided ones come by re-broadcast ([`Chained::known_messages`]). Votes are not repeated: a
//!   round whose votes are lost is given up.
//! - Bounds: votes for rounds up to [`ROUNDS_AHEAD`] ahead; the first of a validator's votes in a
//!   round, and its first timeout.
//! - [`ChainLog`] outlives a process, as r_vote and qc_high must.

mod clause;
mod pacemaker;
mod relay;
mod rules;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::chain::Tree;
use super::electorate::Electorate;
use crate::machine::{Draws, Machine};
use crate::units::{Digest, Height, Ns, Round};

pub use super::chain::{ChainLog, Chained, Config, Due, Input, Output, ROUNDS_AHEAD, RoundTimes};
pub use crate::chained::{
    BlockProposal, BlockVote, ChainMessage, QuorumCertificate, RoundTimeout, TimeoutCertificate,
};
pub use clause::Clause;

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

impl HotStuff {
    fn fire(&mut self, clause: Clause) {
        self.fired[clause as usize].1 += 1;
    }
}

impl Chained for HotStuff {
    fn new(config: Config) -> HotStuff {
        let electorate = Electorate::new(config.weights);
        let me = config.validator;
        assert!((me as usize) < electorate.len(), "consensus: validator {me} has no weight");
        HotStuff {
            me,
            electorate,
            times: config.times,
            started: false,
            round: 0,
            voted: 0,
            high: Arc::new(QuorumCertificate::genesis()),
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

    fn times(&self) -> RoundTimes {
        self.times
    }

    fn set_times(&mut self, times: RoundTimes) {
        self.times = times;
    }

    /// L_r: a round robin by weight.
    fn leader(&self, round: Round) -> u32 {
        self.electorate.proposer(Height::from(round), 0)
    }

    /// r_cur, which is 0 before the start.
    fn round(&self) -> Round {
        self.round
    }

    /// qc_high: the certificate of the highest round that is known.
    fn high(&self) -> &Arc<QuorumCertificate> {
        &self.high
    }

    fn decided(&self) -> Height {
        self.tree.decided()
    }

    /// Its timeout of the current round, and its proposals that are not decided.
    fn own_messages(&self) -> Vec<Arc<ChainMessage>> {
        self.known().filter(|message| message.validator() == self.me).collect()
    }

    /// All timeouts of the current round and all undecided proposals.
    fn known_messages(&self) -> Vec<Arc<ChainMessage>> {
        self.known().collect()
    }

    fn lacks(&self, message: &ChainMessage) -> bool {
        self.is_lacked(message)
    }

    fn counts(&self) -> Vec<(String, u64)> {
        self.fired.iter().map(|(clause, times)| (format!("{clause:?}"), *times)).collect()
    }

    fn forget_counts(&mut self) {
        self.fired = Clause::ALL.map(|clause| (clause, 0));
    }

    fn held(&self) -> usize {
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
