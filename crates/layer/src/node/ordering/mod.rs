//! Ordering engines: protocols by which nodes agree on one order of blocks, behind one trait.
//!
//! # Rules
//! 1. A node does not depend on the kind of engine. It passes it the backlog, others' messages and
//!    timers ([`Input`]), and performs its requests ([`Output`]).
//! 2. An engine holds no message, block or packet: it knows blocks by their hashes. The node keeps
//!    them, fills them ([`super::BlockBuilder`]), sends them and executes them.
//! 3. An engine is a file or folder here, with a `Config` as a scenario names it, and one line of the
//!    registry ([`Ordering`]); its machine is in [`crate::consensus`], if that is one of its own.
//!
//! # Theory of operation
//! Three ways to make a block. Where blocks are voted on ([`Output::Peek`]), messages stay in the queue
//! until a block that has them is decided; where one node seals them ([`Output::Take`]), they leave it.
//! Where vertices are ordered, each node makes some of what becomes one block ([`Output::Assemble`]).

pub mod bullshark;
mod chained;
mod graph;
pub mod hotstuff;
pub mod none;
pub mod simplex;
pub mod single;
pub mod tendermint;
pub mod tusk;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::AdaptiveTimeouts;
use crate::chained::ChainMessage;
use crate::consensus::chain::ChainLog;
use crate::consensus::dag::Dag;
use crate::consensus::hotstuff::HotStuff;
use crate::consensus::simplex::Simplex;
use crate::dag::SubDag;
use crate::machine::Draws;
use crate::message::{Block, Entry, Proposal, Statement, Vote, VoteType};
use crate::units::{Digest, Height, NodeId, Ns, Round, Weight};

/// The registry: a variant for each engine, with the configuration that its module declares.
macro_rules! engines {
    ($($(#[$doc:meta])* $name:ident = $module:ident,)*) => {
        /// The ordering protocol of a venue.
        #[derive(Clone, Debug, Deserialize, Serialize)]
        #[serde(tag = "kind", rename_all = "kebab-case")]
        pub enum Ordering { $($(#[$doc])* $name($module::Config),)* }

        impl Ordering {
            /// The part of node `id` among nodes of these weights.
            pub(super) fn engine(self, id: NodeId, weights: &[Weight]) -> Box<dyn Engine> {
                match self { $(Ordering::$name(config) => $module::engine(config, id, weights),)* }
            }

            /// The same, with the keys of its common coin dealt, if it has one.
            pub fn dealt(mut self, coin_seed: u64) -> Ordering {
                match &mut self { $(Ordering::$name(config) => config.deal(coin_seed),)* }
                self
            }
        }
    };
}

engines! {
    /// No ordering: messages are validated and spread only.
    None = none,
    /// One node.
    Single = single,
    /// All nodes with weight.
    Tendermint = tendermint,
    /// All nodes with weight, in a pipeline.
    Hotstuff = hotstuff,
    /// All nodes with weight, a block an iteration.
    Simplex = simplex,
    /// All nodes with weight at the same time, with anchors in turn.
    Bullshark = bullshark,
    /// All nodes with weight at the same time, with anchors that a coin draws.
    Tusk = tusk,
}

/// A configuration, with the keys of the common coin if its engine has one.
trait Dealt {
    /// Deals the keys: all nodes of a venue need the same seed.
    fn deal(&mut self, _coin_seed: u64) {}
}

impl Dealt for none::Config {}
impl Dealt for single::Config {}
impl Dealt for tendermint::Config {}
impl Dealt for chained::Config {}
impl Dealt for bullshark::Config {}

impl Dealt for graph::Config {
    fn deal(&mut self, coin_seed: u64) {
        self.coin_seed = coin_seed;
    }
}

/// What an engine waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The answer, message or time that it waits for.
    pub what: WaitKind,
    /// In which height; 0 = in none.
    pub height: Height,
    /// In which round.
    pub round: Round,
}

/// What a time bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitKind {
    /// More messages for a batch.
    Batch,
    /// A proposal of the round.
    Proposal,
    /// Votes of the round.
    Votes(VoteType),
    /// The next height: it begins so long after everything decided is executed.
    NextHeight,
}

/// Events of an engine.
#[derive(Clone, Debug)]
pub enum Input {
    /// The first process of the node begins.
    Start,
    /// What waits in this node's queue, all in all. Said whenever it grows.
    Waiting {
        /// How many messages.
        messages: u32,
        /// Total size of these messages, in bytes.
        bytes: u64,
    },
    /// The answer to [`Output::Peek`].
    Made {
        /// Height of the request.
        height: Height,
        /// Round of the request.
        round: Round,
        /// Hash of the block.
        value: Digest,
    },
    /// The answer to [`Output::Take`]; empty if nothing was left.
    Taken(Vec<Entry>),
    /// A proposal has come, with its block.
    Proposal {
        /// The received proposal.
        proposal: Proposal,
        /// Whether the block is the one proposed and follows the chain, as far as is known here.
        valid: bool,
    },
    /// A vote has come.
    Vote(Vote),
    /// A message of a chained protocol has come; `valid`: of a proposal, as there.
    Chained {
        /// The received message.
        message: Arc<ChainMessage>,
        /// Whether the block is the one proposed and follows its parent, decided or not.
        valid: bool,
    },
    /// A sealed block has come from another node.
    Sealed {
        /// Height of the block.
        height: Height,
        /// The block before it.
        prev: Digest,
        /// Hash of the block.
        hash: Digest,
    },
    /// The next block of the chain was fetched from another node: decide it.
    Fetched {
        /// Height of the block.
        height: Height,
        /// The block before it.
        prev: Digest,
        /// Hash of the block.
        hash: Digest,
        /// What it is made of, where vertices of a graph are ordered.
        graph: Option<Arc<SubDag>>,
    },
    /// A timer has expired.
    Waited(Wait),
    /// [`Engine::rebroadcast_ns`] have passed: time to ask for what is missing.
    Tick,
}

/// Requests of an engine to its node.
#[derive(Clone, Debug)]
pub enum Output {
    /// Make a block of what waits, leave it there, and answer with [`Input::Made`].
    Peek {
        /// The height of the block.
        height: Height,
        /// The round that requests it.
        round: Round,
        /// What it follows; `None`: the last block of `after`, or the last decided one.
        base: Option<Digest>,
        /// Blocks on which it follows that are not decided, oldest first: their messages wait in
        /// the queue, too, and are left out.
        after: Vec<Digest>,
        /// Greatest number of messages.
        messages_max: u32,
        /// Greatest total size of messages, in bytes.
        bytes_max: u32,
    },
    /// Take messages out of the queue and answer with [`Input::Taken`].
    Take {
        /// Greatest number of messages.
        messages_max: u32,
        /// Greatest total size of messages, in bytes.
        bytes_max: u64,
    },
    /// This node has sealed a block: send it to all others.
    Seal(Arc<Block>),
    /// Spread a proposal, with its block.
    Propose(Proposal),
    /// Spread a vote.
    Vote(Vote),
    /// Send a message of a chained protocol, with its block if it proposes one.
    Chained {
        /// To this node only; `None` = spread it.
        to: Option<NodeId>,
        /// The message.
        message: Arc<ChainMessage>,
    },
    /// Hand [`Input::Waited`] back.
    Schedule {
        /// What to hand back.
        wait: Wait,
        /// After how long.
        after_ns: Ns,
    },
    /// The next block is decided, and final.
    Decide {
        /// Hash of the block.
        hash: Digest,
        /// The round in which it was.
        round: Round,
    },
    /// The next block is decided, and final: the messages of these blocks, in this order.
    Assemble {
        /// Hashes of the blocks of vertices.
        values: Vec<Digest>,
        /// What it is made of.
        graph: Arc<SubDag>,
        /// Anchors that were passed over since the last block.
        round: Round,
    },
    /// These blocks of vertices are of no more use.
    Forget(Vec<Digest>),
    /// Ask another node for vertices and their certificates.
    Ask {
        /// The node.
        to: NodeId,
        /// Rounds and authors.
        vertices: Vec<(Round, u32)>,
    },
    /// Blocks are missing here.
    Missing {
        /// The last of them.
        to_height: Height,
        /// A node that has them.
        at: NodeId,
    },
    /// A validator equivocated.
    Equivocation(Equivocation),
    /// The orderer's block of this height does not follow the one before it.
    Broken(Height),
}

/// Two different statements of one kind by one validator in one round, as a node has received them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Equivocation {
    /// Height of the statements.
    pub height: Height,
    /// Round of the statements.
    pub round: Round,
    /// Index of the validator.
    pub validator: u32,
}

/// Logs of the engines that have one: what was heard, and what was signed, written before it is acted
/// on.
#[derive(Clone, Debug)]
pub enum EngineLog {
    /// A validator's.
    Tendermint(Box<crate::consensus::tendermint::ValidatorLog>),
    /// A validator's of chained HotStuff.
    Hotstuff(Box<ChainLog<HotStuff>>),
    /// A validator's of Simplex.
    Simplex(Box<ChainLog<Simplex>>),
    /// A validator's of a graph.
    Graph(Box<Dag>),
}

/// How fast an engine goes: what may be set while it runs. An engine reads what it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Most messages in a block of this node's.
    pub block_messages_max: u32,
    /// How long a batch stays open, or how long the next height waits after a decision.
    pub window_ns: Ns,
    /// How long a first proposal is waited for; `None` = there are none.
    pub propose_ns: Option<Ns>,
}

/// A node's part in an engine.
pub trait Engine: fmt::Debug + Send + Sync {
    /// Takes one input and appends what follows from it.
    fn step(&mut self, now: Ns, input: Input, draws: &mut dyn Draws, out: &mut Vec<Output>);

    /// The process dies: its log, from which that of the next one continues. `None`: there is no
    /// log, and no block that was proposed and not decided outlives the process.
    fn into_log(self: Box<Self>) -> Option<EngineLog>;

    /// This engine, which is new, continues after one of the same configuration that left this log.
    /// Its node has decided `height` blocks, the last with this hash.
    ///
    /// # Panics
    /// If the log is that of another engine.
    fn resume(&mut self, log: Option<EngineLog>, height: Height, hash: Digest);

    /// Whether this node makes blocks, at some time, and so needs a queue of messages.
    fn proposes(&self) -> bool;

    /// The node that orders for all others, if one does.
    fn leader(&self) -> Option<NodeId> {
        None
    }

    /// The proposer of a round; `None` if rounds have no proposers.
    fn proposer(&self, _height: Height, _round: Round) -> Option<NodeId> {
        None
    }

    /// Whether this node is the leader, or the proposer of the round in which it is; `None` if the
    /// protocol has no leader whom its nodes know while it leads.
    fn leads(&self) -> Option<bool> {
        None
    }

    /// Whether messages stay in the queue until they are in a decided block.
    fn peeks(&self) -> bool {
        false
    }

    /// Whether blocks are made on undecided ones, whose messages a proposer passes over.
    fn overlaps(&self) -> bool {
        false
    }

    /// Whether clients' messages spread to all nodes before they are ordered; else each is ordered by
    /// the node that has received it.
    fn spreads(&self) -> bool {
        true
    }

    /// Whether it says itself which blocks are of no more use ([`Output::Forget`]).
    fn forgets(&self) -> bool {
        false
    }

    /// Vertices with their certificates, for a node that asks for them by round and author.
    fn vertices(&self, _asked: &[(Round, u32)]) -> Vec<Arc<ChainMessage>> {
        Vec::new()
    }

    /// The most bytes of messages in a block; `None` where there are no blocks.
    fn block_bytes_max(&self) -> Option<u32> {
        None
    }

    /// What may be set here; `None` = nothing.
    fn pace(&self) -> Option<Pace> {
        None
    }

    /// Sets it. Only called with what follows from [`Engine::pace`].
    fn set_pace(&mut self, _pace: Pace) {}

    /// How long it takes at least until so many waiting messages are in blocks.
    fn closes_ns(&self, _messages: u64) -> Ns {
        0
    }

    /// How its timeouts adapt to congestion, if they do.
    fn adaptive(&self) -> Option<AdaptiveTimeouts> {
        None
    }

    /// How long an answer to a request for blocks may take, before any was timed (RFC 6298, 2.1).
    fn answer_ns(&self) -> Ns;

    /// Without progress for this long, [`Engine::repeats`] is spread again; `None` = never.
    fn rebroadcast_ns(&self) -> Option<Ns> {
        None
    }

    /// Statements to re-broadcast: this node's own, or all that it knows.
    fn repeats(&self, _all: bool) -> Vec<Statement> {
        Vec::new()
    }

    /// Whether a statement is unknown here.
    fn lacks(&self, _statement: &Statement) -> bool {
        false
    }

    /// Counts of what happened inside, by name, for a test or a trace.
    fn counters(&self) -> Vec<(String, u64)> {
        Vec::new()
    }
}
