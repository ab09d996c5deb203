//! Attribution: each nanosecond of a message from creation to execution, charged to a resource.
//!
//! # Rules
//! 1. Every event has one cause: the event that triggered it. Time between a cause and its effect
//!    is a [`segments::Segment`] and was spent on one resource, at one place ([`places`]).
//! 2. Time in a queue is charged to the work that the queue's server did meanwhile. Before that,
//!    the item's own path is followed, not that of the items ahead.
//! 3. A message's path is: client link and tries, hop by hop with validation at every node to the
//!    one that made its block ([`own`]); the wait for that block ([`cycles`]); then the path from
//!    the proposal to the execution at the node that reports it (segments).
//! 4. Work slowed by a fault is charged to the fault and to the work ([`fault_spans`]).
//! 5. The charges of a message sum to executed − created exactly. Time that cannot be attributed is
//!    [`Resource::Other`], not hidden.
//!
//! # Theory of operation
//! Only events of the ordering protocol are kept as segments: votes, proposals, timers, blocks. Of
//! clients' messages, which are far more, only the first arrival at each node is kept, until they
//! are executed.

mod cells;
mod cycles;
mod departure;
mod fault_spans;
mod own;
mod places;
mod segments;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use surgetank_layer::message::{Block, Payload};
use surgetank_layer::node::{Done, Node, Timer, Wait, WaitKind};
use surgetank_layer::units::{Digest, Height, MessageId, NEVER, NodeId, Ns};

use crate::faults::Hindrance;
use crate::host::Wake;
use crate::network::Flight;
use crate::trace::{Place, PlaceRow, Resource, WaitRow};
use cells::Cells;
use cycles::{CLASSES, Cycles, LeftOut, Proposal};
use departure::{Departing, departure};
use fault_spans::FaultSpans;
use own::Way;
use places::Part;
pub use places::Places;
pub use segments::Id;
use segments::{Charged, NONE, Segment, Segments};

/// A consensus message that waits for verification, or is verified.
#[derive(Clone, Copy)]
struct Verification {
    /// None for one that was sent to this node alone.
    message: Option<MessageId>,
    got: Ns,
    arrival: Id,
}

/// Attribution state of one node.
struct Station {
    /// Messages of consensus that wait for its server, in order.
    verifying: VecDeque<Verification>,
    /// Time and cause of each height's decision at this node, from height 1.
    decided: Vec<(Ns, Id)>,
    /// When a height was opened here and why, if that is later than its decision.
    opened: BTreeMap<Height, (Ns, Id)>,
    /// Height of the last executed block.
    executed: Height,
    /// When the block that is being executed came to be executed.
    begun: Ns,
    /// Since when it has executed without a pause.
    busy_since: Ns,
    /// When it last decided by itself, not by catching up.
    in_step: Ns,
    /// Time and cause of its last own consensus message.
    spoke: (Ns, Id),
    /// When it crashed and when it came back, last.
    down: (Ns, Ns),
}

/// Classes of which messages wait at a node that are not in this block of its own.
fn left_out(at: &Node, block: &Block) -> LeftOut {
    let mut waiting = at.mempool_by_class();
    if at.engine().peeks() {
        for entry in &block.entries {
            let of_class = &mut waiting[entry.envelope.class as usize];
            *of_class = of_class.saturating_sub(1);
        }
        for (of_class, below) in waiting.iter_mut().zip(at.below_by_class()) {
            *of_class = of_class.saturating_sub(below);
        }
    }
    waiting.iter().enumerate().filter(|(_, count)| **count > 0).map(|(class, _)| 1 << class).sum()
}

/// Whether a time bounds a round.
fn of_round(what: WaitKind) -> bool {
    matches!(what, WaitKind::Proposal | WaitKind::Votes(_))
}

/// Attribution of a run.
pub struct Waits {
    nodes: usize,
    single: bool,
    fair: bool,
    fault_spans: FaultSpans,
    /// When messages of consensus were dropped: by themselves, and by faults.
    drops: [Vec<Ns>; 2],
    /// Cause of the present event.
    cause: Id,
    /// Blocks that came by catching up are being read.
    catching_up: bool,
    segments: Segments,
    stations: Vec<Station>,
    /// Paths of messages in flight.
    ways: Vec<Option<Way>>,
    cells: Cells,
    /// Why a block was proposed, and whether it left messages out.
    proposals: BTreeMap<Digest, (Id, LeftOut)>,
    /// Time and cause of each height's first decision at any node.
    first_decided: Vec<(Ns, Id)>,
    cycles: Cycles,
    /// From proposal to execution, for the block that is being reported.
    tail: Charged,
    /// Number of measured messages of each class in that block.
    carried: [u32; CLASSES],
    /// Charges by place; taken out while a message is charged.
    places: Option<Box<Places>>,
    /// Attributions of executed messages, in order of execution.
    pub rows: Vec<WaitRow>,
}

impl Waits {
    /// Attribution at the start of a run. `single` = one node orders; `fair` = under a fair order.
    pub fn new(places: Places, single: bool, fair: bool, faults: Vec<Hindrance>) -> Waits {
        let nodes = places.nodes();
        let station = || Station {
            verifying: VecDeque::new(),
            decided: Vec::new(),
            opened: BTreeMap::new(),
            executed: 0,
            begun: 0,
            busy_since: 0,
            in_step: 0,
            spoke: (0, NONE),
            down: (NEVER, NEVER),
        };
        // An idle sequencer waits for its window; consensus is never idle.
        let idle = if single { Resource::Timers } else { Resource::Other };
        Waits {
            nodes,
            single,
            fair,
            fault_spans: FaultSpans::new(faults),
            drops: Default::default(),
            cause: NONE,
            catching_up: false,
            segments: Segments::new(),
            stations: (0..nodes).map(|_| station()).collect(),
            ways: Vec::new(),
            cells: Cells::new(nodes),
            proposals: BTreeMap::new(),
            first_decided: Vec::new(),
            cycles: Cycles::new(idle),
            tail: Charged::default(),
            carried: [0; CLASSES],
            places: Some(Box::new(places)),
            rows: Vec::new(),
        }
    }

    fn segment(&mut self, parent: Id, resource: Resource, place: Place, begin: Ns, end: Ns) -> Id {
        self.segments.add(Segment { parent, resource, place, begin, end })
    }

    /// Work of a node, part of which may be a fault's.
    fn work(&mut self, parent: Id, resource: Resource, node: NodeId, begin: Ns, end: Ns) -> Id {
        self.work_since(parent, resource, node, begin, begin, end)
    }

    /// The same, of a server that has been at work since a time before it.
    fn work_since(
        &mut self,
        parent: Id,
        resource: Resource,
        node: NodeId,
        since: Ns,
        begin: Ns,
        end: Ns,
    ) -> Id {
        let span = end.saturating_sub(begin);
        let usual = end - self.fault_spans.slowness(node, since, end, span);
        let (at, slowed) = (Place::at(node), begin + (end - usual));
        let slow = self.segment(parent, Resource::Faults, at, begin, slowed);
        self.segment(slow, resource, at, slowed, end)
    }

    /// The resource to which a loss in this time is charged: the one that dropped more packets.
    /// Drops at a node that is down delay no other node, unless a third of the nodes are down.
    fn lost(&self, since: Ns, until: Ns) -> Resource {
        let [chance, faults] = self.drops.each_ref().map(|drops| {
            drops.partition_point(|&at| at <= until) - drops.partition_point(|&at| at < since)
        });
        let halted = 3 * self.fault_spans.stopped(since, until) >= self.nodes;
        let fault = match (chance, faults) {
            (0, 0) => self.fault_spans.lose(since, until),
            _ => faults > chance,
        };
        if halted || fault { Resource::Faults } else { Resource::Loss }
    }

    /// Records that a consensus packet was dropped.
    pub fn drops(&mut self, now: Ns, by_fault: bool) {
        self.drops[usize::from(by_fault)].push(now);
    }

    /// The segment of a packet's path: uplink, distance, and delay added by faults.
    fn flight(&mut self, parent: Id, way: Place, sent: Ns, flight: &Flight) -> Id {
        let Flight { at, leaves, extra, held } = *flight;
        let mut left = parent;
        for Departing { resource, place, begin, end } in
            departure(way.node, way, (sent, leaves), &held)
        {
            left = self.segment(left, resource, place, begin, end);
        }
        let due = at.saturating_sub(extra);
        let along = self.segment(left, Resource::Distance, way, leaves, due);
        self.segment(along, Resource::Faults, way, due, at)
    }

    /// The present event has no recorded cause: a client, a gauge, the outside price.
    pub fn nothing(&mut self) {
        (self.cause, self.catching_up) = (NONE, false);
    }

    /// Adds the message of the next number.
    pub fn carried(&mut self, message: MessageId) {
        debug_assert_eq!(self.ways.len(), message as usize);
        self.ways.push(Some(Way::default()));
        self.cells.add();
    }

    /// The first copy of a message of consensus is at a node; `heard`: which has room for it.
    pub fn first_arrival(&mut self, now: Ns, node: NodeId, message: MessageId, heard: bool) {
        self.nothing();
        if !heard || self.ways[message as usize].is_none() {
            return;
        }
        let cell = *self.cells.get(message, node);
        let held = self.cells.held(message, node);
        let flight = Flight { at: cell.at, leaves: cell.leaves, extra: cell.extra, held };
        let along = Place::between(cell.from, node);
        let arrival = self.flight(cell.before, along, cell.sent, &flight);
        let back = self.stations[node as usize].down.1;
        // An earlier copy may have been missed while the node was down.
        let missed = back != NEVER && cell.at < back;
        let resource = if missed { Resource::Faults } else { Resource::Bandwidth };
        let arrival = self.segment(arrival, resource, Place::at(node), cell.at, now);
        self.stations[node as usize].verifying.push_back(Verification {
            message: Some(message),
            got: now,
            arrival,
        });
        self.cause = arrival;
    }

    /// A node's work begins or a timer is set: the segment to hand back when it is over.
    pub fn begins(&mut self, now: Ns, node: NodeId, span: Ns, wake: &Wake) -> Id {
        let resource = match wake {
            Wake::Timer(Timer::Engine(_)) => Resource::Timers,
            Wake::Timer(Timer::Revealed(_) | Timer::SharesDue | Timer::Report)
            | Wake::Done(Done::ShareMade { .. }) => Resource::Rules,
            Wake::Done(Done::Executed) => {
                self.stations[node as usize].begun = now;
                return NONE;
            }
            Wake::Done(Done::Validated(work)) => {
                if self.ways[work.envelope.id as usize].is_some() {
                    let cell = self.cells.get_mut(work.envelope.id, node);
                    (cell.begun, cell.done) = (now, now + span);
                }
                return NONE;
            }
            Wake::Done(Done::Verified)
            | Wake::Timer(Timer::Rebroadcast | Timer::Heartbeat | Timer::Tune) => return NONE,
        };
        self.segment(self.cause, resource, Place::at(node), now, now + span)
    }

    /// A node's timer expires or its work ends. `awaited` is the proposer of the round that a timer
    /// bounds.
    pub fn wakes(
        &mut self,
        now: Ns,
        node: NodeId,
        wake: &Wake,
        begun: Id,
        awaited: Option<NodeId>,
    ) {
        self.nothing();
        self.cause = match wake {
            Wake::Done(Done::Verified) => self.heard(now, node),
            Wake::Done(Done::Executed) => self.executes(now, node),
            Wake::Timer(Timer::Rebroadcast) => {
                let (since, why) = self.stations[node as usize].spoke;
                self.segment(why, self.lost(since, now), Place::at(node), since, now)
            }
            // A round's timeout is not waited out unless a proposal does not come.
            Wake::Timer(Timer::Engine(Wait { what, .. })) if of_round(*what) && begun != NONE => {
                self.waited_out(now, begun, awaited)
            }
            _ => begun,
        };
    }

    /// A round has timed out. The wait is charged to the cause of its proposer's delay, if that is
    /// known.
    fn waited_out(&mut self, now: Ns, armed: Id, awaited: Option<NodeId>) -> Id {
        let Some(proposer) = awaited else { return armed };
        let Segment { parent, begin, place, .. } = self.segments.get(armed);
        let station = &self.stations[proposer as usize];
        if (station.executed as usize) < station.decided.len() {
            let since = station.busy_since;
            return self.work_since(parent, Resource::ExecutionOthers, proposer, since, begin, now);
        }
        let (waiter, faulty) = (place.node, Place::at(proposer));
        // Back from a fault, it is out of step until it decides again.
        let in_step = station.decided.last().map_or(0, |(at, _)| *at).min(begin);
        let busy = !station.verifying.is_empty();
        if self.fault_spans.silence(in_step, now, proposer, waiter) {
            return self.segment(parent, Resource::Faults, faulty, begin, now);
        }
        let late = begin + self.fault_spans.lateness(begin, now, [proposer, waiter]);
        let span = if busy { now - late } else { 0 };
        let slow = late + self.fault_spans.slowness(proposer, late, now, span);
        if slow == begin {
            return armed;
        }
        let parent = self.segment(parent, Resource::Faults, faulty, begin, slow);
        self.segment(parent, Resource::Timers, place, slow, now)
    }

    fn heard(&mut self, now: Ns, node: NodeId) -> Id {
        let Some(first) = self.stations[node as usize].verifying.pop_front() else { return NONE };
        let heard = self.work(first.arrival, Resource::Consensus, node, first.got, now);
        let Some(message) = first.message else { return heard };
        if let Some(way) = &mut self.ways[message as usize] {
            self.cells.get_mut(message, node).heard = heard;
            way.heard += 1;
            // Its sender has it from the start, so every node has it now.
            if way.heard + 1 >= self.nodes {
                self.ways[message as usize] = None;
                self.cells.remove(message);
            }
        }
        heard
    }

    /// The next block is executed, after waiting for earlier blocks and for its own execution.
    fn executes(&mut self, now: Ns, node: NodeId) -> Id {
        let station = &mut self.stations[node as usize];
        station.executed += 1;
        let height = station.executed;
        let decided = station.decided[height as usize - 1];
        let (ready, why) = station.opened.remove(&height).unwrap_or(decided);
        let (begun, (crashed, back)) = (station.begun, station.down);
        if ready >= begun {
            station.busy_since = begun;
        }
        let since = station.busy_since;
        let mut parent = why;
        let mut from = ready;
        if ready <= crashed && back <= begun {
            parent = self.work(parent, Resource::ExecutionOthers, node, ready, crashed);
            parent = self.segment(parent, Resource::Faults, Place::at(node), crashed, back);
            from = back;
        }
        parent = self.work_since(parent, Resource::ExecutionOthers, node, since, from, begun);
        self.work(parent, Resource::ExecutionOwn, node, begun, now)
    }

    /// Cause of the present event.
    pub fn present(&self) -> Id {
        self.cause
    }

    /// A packet is sent; returns the segment to pass back when it arrives.
    pub fn packet_leaves(&mut self, now: Ns, way: Place, flight: &Flight) -> Id {
        self.flight(self.cause, way, now, flight)
    }

    /// The same of one that was sent at a time, for this reason.
    pub fn packet_leaves_for(&mut self, cause: Id, sent: Ns, way: Place, flight: &Flight) -> Id {
        self.flight(cause, way, sent, flight)
    }

    /// A packet arrives.
    pub fn packet_arrives(&mut self, sent: Id, catching_up: bool) {
        (self.cause, self.catching_up) = (sent, catching_up);
    }

    /// A message of consensus for this node alone has arrived, and waits for verification.
    pub fn arrives_alone(&mut self, now: Ns, node: NodeId) {
        let arrived = Verification { message: None, got: now, arrival: self.cause };
        self.stations[node as usize].verifying.push_back(arrived);
    }

    /// A node publishes a statement: records the cause and, for a new block, the classes left out.
    pub fn publishes(&mut self, now: Ns, node: NodeId, payload: &Payload, again: bool, at: &Node) {
        if !again {
            self.stations[node as usize].spoke = (now, self.cause);
        }
        if let Some(block) = payload.block()
            && block.proposer == node
            && block.proposed_ns == now
        {
            let left_out = left_out(at, block);
            self.proposals.entry(block.hash).or_insert((self.cause, left_out));
        }
    }

    /// A node knows that the next block is decided.
    pub fn decides(&mut self, now: Ns, node: NodeId, block: &Arc<Block>, at: &Node) {
        let index = block.height as usize - 1;
        if self.catching_up
            && let Some(&(first, why)) = self.first_decided.get(index)
        {
            let since = self.stations[node as usize].in_step.min(first);
            self.cause = self.segment(why, self.lost(since, now), Place::at(node), first, now);
        } else {
            self.stations[node as usize].in_step = now;
        }
        self.stations[node as usize].decided.push((now, self.cause));
        self.stations[node as usize].spoke = (now, self.cause);
        if index < self.first_decided.len() {
            return;
        }
        self.first_decided.push((now, self.cause));
        let (why, left_out) = match self.proposals.remove(&block.hash) {
            Some(proposal) => proposal,
            // A sequencer seals and decides at once.
            None if block.proposed_ns == now => (self.cause, left_out(at, block)),
            None => (NONE, 0),
        };
        let proposed = block.proposed_ns.max(self.cycles.last());
        let charged = self.segments.charge(why, self.cycles.last(), proposed);
        let proposer = block.proposer;
        self.cycles.add(Proposal { at: proposed, proposer, left_out }, charged);
    }

    /// A node has opened blocks up to here.
    pub fn opens(&mut self, now: Ns, node: NodeId, height: Height) {
        let cause = self.cause;
        let station = &mut self.stations[node as usize];
        for below in station.executed + 1..=height {
            station.opened.entry(below).or_insert((now, cause));
        }
    }

    /// Records the crash of a node.
    pub fn crashes(&mut self, now: Ns, node: NodeId) {
        self.nothing();
        let station = &mut self.stations[node as usize];
        station.verifying.clear();
        station.down = (now, NEVER);
    }

    /// Records the restart of a node.
    pub fn restarts(&mut self, now: Ns, node: NodeId) {
        self.nothing();
        let station = &mut self.stations[node as usize];
        station.down.1 = now;
        let (since, why) = station.spoke;
        self.cause = self.segment(why, Resource::Faults, Place::at(node), since, now);
    }

    /// A node reports a block; records the path from its proposal to the report. Proposers of two
    /// rounds may have made the same block: the cycle says which proposal is meant.
    pub fn reports(&mut self, now: Ns, height: Height) {
        let proposed = self.cycles.end(height);
        if let Some(places) = &mut self.places {
            places.carry(&self.tail.parts, std::mem::take(&mut self.carried));
        }
        self.tail = self.segments.charge(self.cause, proposed, now);
        let (resource, span) = (Resource::Other, self.tail.unknown);
        self.tail.charges.add(resource, span);
        self.tail.parts.push(Part { resource, place: Place::NOWHERE, span });
    }

    /// Waits so far by class, resource and place.
    pub fn places(&self) -> Vec<PlaceRow> {
        let Some(mut places) = self.places.clone() else { return Vec::new() };
        places.carry(&self.tail.parts, self.carried);
        self.cycles.settle(&mut places);
        places.rows()
    }
}
