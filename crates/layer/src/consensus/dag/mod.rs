//! Narwhal's graph of certified vertices, and two rules that order it without further messages: Tusk,
//! whose anchors a common coin draws, and Bullshark, whose anchors take turns.
//!
//! # Rules
//! 1. A validator makes one vertex in a round: messages, and references to the vertices of a quorum in
//!    the round before. It votes for the first valid vertex of each author in a round, to its author,
//!    once it has all of the vertex's history. A quorum's votes are the vertex's certificate.
//! 2. A vertex is in the graph of a node once the node has it, its certificate, and its parents in the
//!    graph. With a quorum of round r in its graph a validator enters round r + 1.
//! 3. Each odd round has an anchor, the vertex of one author. With vertices of more than a third in
//!    the next round that refer to it, it is decided; before it, in turn, each earlier anchor to which
//!    a path leads from the one decided after it.
//! 4. A decided anchor orders its history that is not ordered: by round, then by author. That is a
//!    block.
//!
//! # Theory of operation
//! Two quorums share an honest validator while less than 1/3 of the weight is faulty, so a vertex has
//! one certificate and all graphs agree where they overlap. More than a third that refer to an anchor
//! meet each quorum of parents: every anchor two rounds later or more has a path to it, so whoever
//! decides a later one first decides this one before it.
//!
//! *Tusk* has no timer. The anchor of round r is drawn by a coin of which vertices of round r + 2
//! carry shares, and which more than a third of them reveal: then a quorum has completed round r + 1,
//! and no delay can change which vertices of round r are supported. More than a third of the authors
//! are, under any schedule (a quorum of vertices have a quorum of references each), so a wave decides
//! with probability of more than 1/3, independently of the others.
//!
//! *Bullshark* (partially synchronous) knows the author of the anchor before. A validator waits for the
//! anchor in its round, and for support or its absence in the next, but no longer than a timer. It
//! decides a round earlier, and does not while an adversary delays each anchor.
//!
//! A round takes three delays: vertex, votes, certificate. An anchor that is supported is decided after
//! 6 delays under Bullshark, and 7 under Tusk (the shares come with the vertices of the next round).
//!
//! [`rounds`] makes vertices and certificates, [`graph`] keeps them, [`order`] decides and orders,
//! [`coin`] draws, [`relay`] says what to repeat and what to ask for; [`DagClause`] counts what applied.
//!
//! Sources: G. Danezis, L. Kokoris-Kogias, A. Sonnino, A. Spiegelman, "Narwhal and Tusk", EuroSys 2022
//! (arXiv 2105.11827), section 3.1 and 5; A. Spiegelman, N. Giridharan, A. Sonnino, L. Kokoris-Kogias,
//! "Bullshark: the partially synchronous version", 2022 (arXiv 2209.05633).
//!
//! # Departures
//! - Weights in place of counts. One process is primary and worker: the messages are in the vertex.
//! - The waves of Tusk share a round, as in its implementation: the shares of round r + 2 are in
//!   vertices that can be the next anchor.
//! - The coin is a draw from `seed`, which is known when more than a third of the weight has given its
//!   share. Shares are not computed; a threshold signature over the wave would be this draw.
//! - A validator waits `wait_ns` in a round before it makes its vertex (Narwhal's max_header_delay;
//!   there a full header does not wait).
//! - Bullshark's fallback for asynchrony is not here.
//! - What is more than `depth` rounds below the last decided anchor is forgotten and never ordered
//!   (Narwhal's garbage collection). There are no weak references. Its author proposes the messages of
//!   a vertex again, once no vertex of the next round refers to it; the node leaves out a message that
//!   was ordered before.
//! - A node that fell behind takes blocks from others, with what each was made of
//!   ([`SubDag`](crate::dag::SubDag)).
//! - The machine outlives a process, as what it has voted must.

mod clause;
mod coin;
mod graph;
mod order;
mod relay;
mod rounds;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::electorate::Electorate;
use crate::chained::ChainMessage;
use crate::dag::SubDag;
use crate::machine::{Draws, Machine};
use crate::units::{Digest, Height, Ns, Round, Weight};

pub use super::chain::{Due, ROUNDS_AHEAD};
pub use clause::DagClause;
use graph::Graph;

/// How the anchors are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchors {
    /// Tusk: by a common coin, from keys dealt with this seed.
    Coin(u64),
    /// Bullshark: in turn, by weight. A validator waits so long for the anchor, and so long for its
    /// support.
    Turns(Ns),
}

/// Parameters of a machine.
#[derive(Clone, Debug)]
pub struct Config {
    /// Index of this validator.
    pub validator: u32,
    /// Voting weight of each validator; at least one is positive. One without weight follows: it
    /// makes no vertices and does not vote.
    pub weights: Vec<Weight>,
    /// How anchors are chosen.
    pub anchors: Anchors,
    /// How long a validator waits in a round before it makes its vertex.
    pub wait_ns: Ns,
    /// Rounds that are kept below the last decided anchor.
    pub depth: Round,
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
    /// A message has arrived, with the block of a vertex.
    Message {
        /// The message, whose signatures are genuine.
        message: Arc<ChainMessage>,
        /// Of a vertex: whether the block is the one named.
        valid: bool,
    },
    /// A scheduled time is over.
    Over {
        /// Which of the times of a round.
        due: Due,
        /// Of which round.
        round: Round,
    },
    /// It is time to ask for what is missing.
    Tick,
    /// The node has taken the next block of its chain from another, which was made of this.
    CatchUp(Arc<SubDag>),
}

/// Requests of a machine to its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Make a block that follows `base` and answer with [`Input::Value`].
    GetValue {
        /// The round of the vertex.
        round: Round,
        /// What the block follows.
        base: Digest,
        /// This validator's vertices that are not ordered: their messages are to be left out.
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
    /// Ask another validator for these vertices and their certificates, by round and author.
    Ask {
        /// Index of the validator.
        to: u32,
        /// Rounds and authors.
        vertices: Vec<(Round, u32)>,
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
    /// The next block: the messages of these blocks of vertices, in this order.
    Decide {
        /// Hashes of the blocks.
        values: Vec<Digest>,
        /// What it is made of.
        graph: Arc<SubDag>,
        /// How many anchors before this one were not decided, since the last one that was.
        failed: Round,
    },
    /// These blocks of vertices are of no more use.
    Forget(Vec<Digest>),
    /// A validator made two vertices in one round. Reported once per validator and round.
    Equivocation {
        /// Index of the validator.
        validator: u32,
        /// Round of the vertices.
        round: Round,
    },
}

/// A node's part in ordering a graph.
#[derive(Clone, Debug)]
pub struct Dag {
    me: u32,
    electorate: Electorate,
    anchors: Anchors,
    wait_ns: Ns,
    depth: Round,
    started: bool,
    graph: Graph,
    /// The current round; 0 before the start.
    round: Round,
    /// The last round in which this validator made a vertex.
    made: Round,
    /// The wait in the current round is over.
    is_due: bool,
    /// The block was asked for, with these parents.
    asked: Option<Vec<(u32, Digest)>>,
    /// Bullshark: the timer of the current round has gone off.
    expired: bool,
    /// Votes for this validator's vertices without a certificate.
    votes: BTreeMap<Round, BTreeSet<u32>>,
    /// The first round whose anchor may be decided: that after the last decided anchor's.
    next_anchor: Round,
    decided: Height,
    /// What was missing at the last tick, and the last round of its vertices then.
    missing: BTreeSet<(Round, u32)>,
    made_before: Round,
    ticks: u32,
    accused: BTreeSet<(Round, u32)>,
    fired: [(DagClause, u64); DagClause::COUNT],
}

impl Dag {
    /// A machine before its start. Panics if no weight is positive, if the weights overflow, or if the
    /// validator index is beyond them.
    pub fn new(config: Config) -> Dag {
        let electorate = Electorate::new(config.weights);
        let me = config.validator;
        assert!((me as usize) < electorate.len(), "consensus: validator {me} has no weight");
        Dag {
            me,
            electorate,
            anchors: config.anchors,
            wait_ns: config.wait_ns,
            depth: config.depth,
            started: false,
            graph: Graph::default(),
            round: 0,
            made: 0,
            is_due: false,
            asked: None,
            expired: false,
            votes: BTreeMap::new(),
            next_anchor: 1,
            decided: 0,
            missing: BTreeSet::new(),
            made_before: 0,
            ticks: 0,
            accused: BTreeSet::new(),
            fired: DagClause::ALL.map(|clause| (clause, 0)),
        }
    }

    /// The current round; 0 before the start.
    pub fn round(&self) -> Round {
        self.round
    }

    /// Number of decided anchors.
    pub fn decided(&self) -> Height {
        self.decided
    }

    /// Index of this validator.
    pub fn validator(&self) -> u32 {
        self.me
    }

    /// How long it waits in a round before it makes its vertex.
    pub fn wait_ns(&self) -> Ns {
        self.wait_ns
    }

    /// Sets that wait, from the next round on.
    pub fn set_wait_ns(&mut self, wait_ns: Ns) {
        self.wait_ns = wait_ns;
    }

    /// How often each clause applied, by name.
    pub fn counts(&self) -> Vec<(String, u64)> {
        self.fired.iter().map(|(clause, times)| (format!("{clause:?}"), *times)).collect()
    }

    /// The counts of a new process begin at zero.
    pub fn forget_counts(&mut self) {
        self.fired = DagClause::ALL.map(|clause| (clause, 0));
    }

    /// How many vertices, certificates and votes are held, for a test of the bound.
    pub fn held(&self) -> usize {
        self.graph.held() + self.votes.values().map(BTreeSet::len).sum::<usize>()
    }

    fn fire(&mut self, clause: DagClause) {
        self.fired[clause as usize].1 += 1;
    }

    fn has_voice(&self) -> bool {
        self.electorate.weight(self.me) > 0
    }

    fn weight_of(&self, who: impl Iterator<Item = u32>) -> Weight {
        who.map(|who| self.electorate.weight(who)).sum()
    }
}

impl Machine for Dag {
    type Input = Input;
    type Output = Output;

    fn step(&mut self, _now: Ns, input: Input, _draws: &mut dyn Draws, outbox: &mut Vec<Output>) {
        match input {
            Input::Start if !self.started => {
                self.started = true;
                self.enter(1, outbox);
            }
            Input::Start => {}
            Input::Value { round, value } => self.answer(round, value, outbox),
            Input::Message { message, valid } => self.receive(&message, valid, outbox),
            Input::Over { due, round } if self.started && round == self.round => match due {
                Due::Propose => self.is_due = true,
                Due::Round => self.expired = true,
            },
            Input::Over { .. } => {}
            Input::Tick => self.tick(outbox),
            Input::CatchUp(graph) => self.catch_up(&graph, outbox),
        }
        if self.started {
            self.advance(outbox);
            self.make(outbox);
        }
    }
}
