//! What the chained protocols have in common: a block a round on a parent that need not be decided.
//! Their events, their requests, and the tree of undecided blocks.

mod tree;

use std::fmt;
use std::sync::Arc;

use crate::chained::{ChainMessage, QuorumCertificate};
use crate::machine::Machine;
use crate::units::{Digest, Height, Ns, Round, Weight};

pub(super) use tree::Tree;

/// How many rounds ahead of its own a validator keeps votes for.
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

/// Parameters of a machine.
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

/// Events of a machine.
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

/// Requests of a machine to its node.
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

/// A validator's part in a chained protocol.
pub trait Chained:
    Machine<Input = Input, Output = Output> + Clone + fmt::Debug + Send + Sync + 'static
{
    /// A machine before its start, at height 1. Panics if no weight is positive, if the weights
    /// overflow, or if the validator index is beyond them.
    fn new(config: Config) -> Self;

    /// The process ends: what is on its disk.
    fn into_log(self) -> ChainLog<Self> {
        ChainLog(self)
    }

    /// A new machine, which continues where the log ends.
    fn from_log(config: Config, log: ChainLog<Self>) -> Self {
        let mut next = log.0;
        next.set_times(config.times);
        next.forget_counts();
        next
    }

    /// How long rounds last.
    fn times(&self) -> RoundTimes;

    /// Sets the times of rounds that begin from now on.
    fn set_times(&mut self, times: RoundTimes);

    /// The leader of a round.
    fn leader(&self, round: Round) -> u32;

    /// The current round; 0 before the start.
    fn round(&self) -> Round;

    /// The certificate of the block that this validator would extend.
    fn high(&self) -> &Arc<QuorumCertificate>;

    /// Height of the last decided block.
    fn decided(&self) -> Height;

    /// This validator's statements that may be lacked where nothing is decided: of the current round,
    /// and its proposals that are not decided.
    fn own_messages(&self) -> Vec<Arc<ChainMessage>>;

    /// The same of all validators: with these a node that has the decided blocks can do all that this
    /// one can.
    fn known_messages(&self) -> Vec<Arc<ChainMessage>>;

    /// Whether a message is unknown here and would be used.
    fn lacks(&self, message: &ChainMessage) -> bool;

    /// How often each clause of the protocol applied, by name.
    fn counts(&self) -> Vec<(String, u64)>;

    /// The counts of a new process begin at zero.
    fn forget_counts(&mut self);

    /// How many messages are held, for a test of the bound.
    fn held(&self) -> usize;
}

/// What outlives a validator's process: what it has voted and knows. DiemBFT keeps the votes and
/// qc_high in its persistent safety storage, and the blocks in its block store.
#[derive(Clone, Debug)]
pub struct ChainLog<M>(M);
