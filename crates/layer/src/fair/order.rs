//! Aggregates the reports of many replicas into one order, in rounds, after Themis.
//!
//! # Rules
//! 1. A replica reports messages in the order in which it received them, each once.
//! 2. At the close of a round the [`themis`](super::themis) rule extracts messages as a *proposal*;
//!    the others are deferred to the next round, with all reports of them.
//! 3. A proposal is ordered once there is an edge between any two of its messages: at once if all
//!    are solid, else when later reports supply the missing edges (deferred ordering). Proposals
//!    are ordered one after the other.
//! 4. No message is ordered twice, and every message that at least n − f replicas report is
//!    eventually ordered.
//!
//! # Theory of operation
//! The state is, for each replica, the places of the messages that it has reported and that are not
//! yet ordered. For an honest replica they are a prefix of its receive order, so counting them in
//! any round gives at most as many votes for a wrong edge as the rule tolerates. A round costs O(k²
//! · replicas) for k messages that are not blank, and k² bits.
//!
//! Memory is bounded: `pending_max` messages per replica, beyond which its report is refused from
//! the first excess message on (a later one must not overtake it); a message that stays blank for
//! `memory_rounds` is dropped; an ordered one is remembered until all replicas have reported it or
//! `memory_rounds` have passed. The delay caused by a shaded message that no other replica reports
//! is bounded by `patience_rounds`: then it is treated as solid, missing edges take the heavier
//! direction, and the output counts both.
//!
//! # Source
//! Kelkar, Deb, Long, Juels and Kannan, "Themis", CCS 2023: FairPropose, FairUpdate, FairFinalize.
//!
//! # Departures
//! Reports carry the entries since the last report instead of whole lists. [`Extraction::Safe`] is
//! the default. Patience and the bounds on memory are additions; beyond them the guarantee does not
//! hold, and the output says so.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::graph::{ABSENT, Graph, heavier, weigh};
use super::themis::{Extraction, Thresholds, batches, extracted};
use crate::machine::{Draws, Machine};
use crate::units::{MessageId, NodeId, Ns};

/// Parameters of a fair order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Replicas, faults and γ.
    pub thresholds: Thresholds,
    /// Extraction rule at the end of a round.
    pub extraction: Extraction,
    /// Greatest number of pending messages of one replica.
    pub pending_max: usize,
    /// Number of rounds after which a shaded message is extracted nevertheless.
    pub patience_rounds: u32,
    /// Rounds for which a message that stays blank waits, and an ordered one is remembered. They
    /// must be longer than a message's propagation to all replicas, or it may be dropped or ordered
    /// again.
    pub memory_rounds: u32,
}

impl Config {
    /// The safe extraction, 4,096 pending messages per replica, patience of 16 rounds, memory of
    /// 64.
    pub fn of(thresholds: Thresholds) -> Config {
        let extraction = Extraction::Safe;
        Config { thresholds, extraction, pending_max: 4096, patience_rounds: 16, memory_rounds: 64 }
    }
}

/// Events of a fair order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A replica's report: the messages received since its last one, in order.
    Report {
        /// Replica that reports.
        from: NodeId,
        /// Messages received. Those reported before are ignored.
        messages: Vec<MessageId>,
    },
    /// Ends the round.
    Close,
}

/// Answers of a fair order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A round has ended.
    Closed(Census),
    /// The next part of the order.
    Ordered(Ordered),
    /// Messages that are not blank but deferred to the next round, ascending.
    Deferred {
        /// The deferred messages, ascending.
        messages: Vec<MessageId>,
    },
    /// Messages dropped because too few replicas reported them for too long; all must report them
    /// again.
    Dropped {
        /// The dropped messages, ascending.
        messages: Vec<MessageId>,
    },
    /// A report was refused, for lack of room or of an unknown replica: report these again, in this
    /// order, before any other.
    Refused {
        /// Replica that reported.
        from: NodeId,
        /// Messages that were refused.
        messages: Vec<MessageId>,
    },
}

/// Counts of a round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Number of the round, from 1.
    pub round: u32,
    /// Messages that n − 2f lists contain.
    pub solid: u32,
    /// Messages that enough lists for an edge contain, but fewer than n − 2f.
    pub shaded: u32,
    /// Messages that fewer lists contain.
    pub blank: u32,
    /// Messages extracted from the graph.
    pub extracted: u32,
    /// Of these, shaded messages extracted after `patience_rounds`.
    pub overdue: u32,
}

/// A part of the order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ordered {
    /// The round in which it was proposed.
    pub round: u32,
    /// Batches in order; a batch of more than one is a Condorcet cycle.
    pub batches: Vec<Vec<MessageId>>,
    /// Pairs with too few votes in time; the heavier direction was taken.
    pub forced_pairs: u32,
}

impl Ordered {
    /// Sizes of the batches of more than one message.
    pub fn cycles(&self) -> impl Iterator<Item = usize> {
        self.batches.iter().map(Vec::len).filter(|&len| len > 1)
    }
}

#[derive(Clone, Debug, Default)]
struct Replica {
    /// Positions of messages reported and not yet ordered.
    places: BTreeMap<MessageId, u32>,
    next: u32,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    reports: u32,
    /// Round of the first report; once it is not blank, the round in which it ceased to be.
    since: u32,
    blank: bool,
}

#[derive(Clone, Debug)]
struct Done {
    round: u32,
    reported: BTreeSet<NodeId>,
}

#[derive(Clone, Debug)]
struct Proposal {
    round: u32,
    messages: Vec<MessageId>,
    graph: Graph,
    missing: Vec<(usize, usize)>,
}

/// The machine that aggregates local orders.
#[derive(Clone, Debug)]
pub struct FairOrder {
    config: Config,
    round: u32,
    replicas: Vec<Replica>,
    pending: BTreeMap<MessageId, Pending>,
    /// Messages of open proposals with their reports.
    proposed: BTreeMap<MessageId, u32>,
    open: VecDeque<Proposal>,
    done: BTreeMap<MessageId, Done>,
}

impl FairOrder {
    /// A machine before its first round.
    pub fn new(config: Config) -> FairOrder {
        FairOrder {
            config,
            round: 1,
            replicas: vec![Replica::default(); config.thresholds.replicas() as usize],
            pending: BTreeMap::new(),
            proposed: BTreeMap::new(),
            open: VecDeque::new(),
            done: BTreeMap::new(),
        }
    }

    /// Number of pending messages, including proposed ones.
    pub fn len(&self) -> usize {
        self.pending.len() + self.proposed.len()
    }

    /// Whether no message is pending.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of ordered messages that are still remembered.
    pub fn remembered(&self) -> usize {
        self.done.len()
    }

    fn report(&mut self, from: NodeId, messages: Vec<MessageId>, outbox: &mut Vec<Output>) {
        let Some(replica) = self.replicas.get_mut(from as usize) else {
            return outbox.push(Output::Refused { from, messages });
        };
        for (index, &message) in messages.iter().enumerate() {
            if let Some(done) = self.done.get_mut(&message) {
                done.reported.insert(from);
                if done.reported.len() == self.config.thresholds.replicas() as usize {
                    self.done.remove(&message);
                }
                continue;
            }
            if replica.places.contains_key(&message) {
                continue;
            }
            if replica.places.len() >= self.config.pending_max {
                let messages = messages[index..].to_vec();
                return outbox.push(Output::Refused { from, messages });
            }
            replica.places.insert(message, replica.next);
            replica.next += 1;
            if let Some(reports) = self.proposed.get_mut(&message) {
                *reports += 1;
                continue;
            }
            let new = Pending { reports: 0, since: self.round, blank: true };
            let pending = self.pending.entry(message).or_insert(new);
            pending.reports += 1;
            if pending.blank && pending.reports >= self.config.thresholds.edge_min() {
                (pending.blank, pending.since) = (false, self.round);
            }
        }
    }

    fn close(&mut self, outbox: &mut Vec<Output>) {
        let thresholds = self.config.thresholds;
        let seen = self.pending.iter().filter(|(_, p)| !p.blank);
        let messages: Vec<MessageId> = seen.map(|(&message, _)| message).collect();
        let pending: Vec<Pending> = messages.iter().map(|m| self.pending[m]).collect();
        let overdue = |p: &Pending| self.round - p.since >= self.config.patience_rounds;
        let is_solid = |p: &Pending| p.reports >= thresholds.solid_min();
        let goes: Vec<bool> = pending.iter().map(|p| is_solid(p) || overdue(p)).collect();

        let graph = Graph::of(messages.len(), &self.lists(&messages), thresholds.edge_min());
        let kept = extracted(&graph, &goes, self.config.extraction);
        let solid = pending.iter().filter(|p| is_solid(p)).count() as u32;
        let late = |&&v: &&usize| !is_solid(&pending[v]) && overdue(&pending[v]);
        outbox.push(Output::Closed(Census {
            round: self.round,
            solid,
            shaded: messages.len() as u32 - solid,
            blank: (self.pending.len() - messages.len()) as u32,
            extracted: kept.len() as u32,
            overdue: kept.iter().filter(late).count() as u32,
        }));
        self.propose(&messages, &graph, &kept);
        while self.finish(outbox) {}
        let left = |m: &&MessageId| self.pending.contains_key(m);
        let deferred: Vec<MessageId> = messages.iter().filter(left).copied().collect();
        if !deferred.is_empty() {
            outbox.push(Output::Deferred { messages: deferred });
        }
        self.forget(outbox);
        self.round += 1;
    }

    /// For each replica the positions of `messages` in its list.
    fn lists(&self, messages: &[MessageId]) -> Vec<Vec<u32>> {
        let place = |replica: &Replica, m| replica.places.get(m).copied().unwrap_or(ABSENT);
        let places = |r: &Replica| messages.iter().map(|m| place(r, m)).collect();
        self.replicas.iter().map(places).collect()
    }

    fn propose(&mut self, messages: &[MessageId], graph: &Graph, kept: &[usize]) {
        if kept.is_empty() {
            return;
        }
        let graph = graph.among(kept);
        let proposal = Proposal {
            round: self.round,
            messages: kept.iter().map(|&v| messages[v]).collect(),
            missing: graph.missing(),
            graph,
        };
        for &message in &proposal.messages {
            if let Some(pending) = self.pending.remove(&message) {
                self.proposed.insert(message, pending.reports);
            }
        }
        self.open.push_back(proposal);
    }

    /// Orders the first open proposal, if no edge is missing.
    fn finish(&mut self, outbox: &mut Vec<Output>) -> bool {
        let Some(mut proposal) = self.open.pop_front() else { return false };
        let forced_pairs = self.fill(&mut proposal);
        if !proposal.missing.is_empty() {
            self.open.push_front(proposal);
            return false;
        }
        let named = |batch: Vec<usize>| batch.iter().map(|&v| proposal.messages[v]).collect();
        let batches = batches(&proposal.graph).into_iter().map(named).collect();
        for message in &proposal.messages {
            self.proposed.remove(message);
            let holds = |(_, r): &(NodeId, &mut Replica)| r.places.contains_key(message);
            let holders = (0..).zip(&mut self.replicas).filter(holds);
            let reported: BTreeSet<NodeId> = holders
                .map(|(replica, state)| {
                    state.places.remove(message);
                    replica
                })
                .collect();
            if reported.len() < self.config.thresholds.replicas() as usize {
                self.done.insert(*message, Done { round: self.round, reported });
            }
        }
        outbox.push(Output::Ordered(Ordered { round: proposal.round, batches, forced_pairs }));
        true
    }

    /// Adds the missing edges of pairs of which one is now solid, or all edges after the patience;
    /// returns how many had too little weight.
    fn fill(&self, proposal: &mut Proposal) -> u32 {
        if proposal.missing.is_empty() {
            return 0;
        }
        let thresholds = self.config.thresholds;
        // Under the safe extraction an edge is only missing between messages that are overdue.
        let late = self.round - proposal.round >= self.config.patience_rounds
            || self.config.extraction == Extraction::Safe;
        let lists = self.lists(&proposal.messages);
        let solid = |&v: &usize| self.proposed[&proposal.messages[v]] >= thresholds.solid_min();
        let solid: Vec<bool> = (0..proposal.messages.len()).map(|v| solid(&v)).collect();
        let mut forced = 0;
        proposal.missing.retain(|&(a, b)| {
            let (there, back) = weigh(&lists, a, b);
            let enough = if solid[a] || solid[b] { thresholds.edge_min() } else { u32::MAX };
            match heavier(there, back, enough) {
                Some(true) => proposal.graph.add(a, b),
                Some(false) => proposal.graph.add(b, a),
                None if late => {
                    forced += 1;
                    match there >= back {
                        true => proposal.graph.add(a, b),
                        false => proposal.graph.add(b, a),
                    }
                }
                None => return true,
            }
            false
        });
        forced
    }

    fn forget(&mut self, outbox: &mut Vec<Output>) {
        let (round, memory) = (self.round, self.config.memory_rounds);
        self.done.retain(|_, done| round - done.round < memory);
        let old = |p: &Pending| p.blank && round - p.since >= memory;
        let dropped: Vec<MessageId> =
            self.pending.iter().filter(|(_, p)| old(p)).map(|(&m, _)| m).collect();
        if dropped.is_empty() {
            return;
        }
        for message in &dropped {
            self.pending.remove(message);
            self.replicas.iter_mut().for_each(|r| _ = r.places.remove(message));
        }
        outbox.push(Output::Dropped { messages: dropped });
    }
}

impl Machine for FairOrder {
    type Input = Input;
    type Output = Output;

    fn step(&mut self, _: Ns, input: Input, _: &mut dyn Draws, outbox: &mut Vec<Output>) {
        match input {
            Input::Report { from, messages } => self.report(from, messages, outbox),
            Input::Close => self.close(outbox),
        }
    }
}
