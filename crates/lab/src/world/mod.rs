//! The world: nodes, links, clients and the market around one agenda.
//!
//! # Rules
//! 1. Everything that happens is an event; between events nothing changes.
//! 2. Machines are stepped, their outputs are interpreted here, and nowhere else.
//! 3. Each part draws from its own named stream.
//!
//! # The shortcut
//! Of the copies of a message that reach a node, only the first does anything, and its sender knows
//! when it will arrive. So the earliest known arrival is kept per (message, node), and only what
//! improves it becomes an event. The other copies still take their sender's uplink and are still
//! counted. Where copies matter to each other (a downlink, a node that may be down when the first
//! arrives), every copy is an event; `network.every_copy` asks for it, and a test shows that both
//! give the same trace.
//!
//! Files: [`links`] (packets), [`sending`] (messages and packets leave a node), [`clients`] (messages enter and are confirmed), [`actors`](crate::actors) (who sends
//! them), [`adversary`](crate::adversary) (who attacks), [`routing`] (what they hear and do), [`lane`] (who bought precedence), [`said`] (consensus), [`settle`] (the [exchange](crate::exchange) executes them), [`incidents`] (faults, gauges), [`waits`] (what messages waited for), [`build`] (set-up).

mod build;
mod clients;
mod incidents;
mod journal;
mod lane;
mod links;
mod routing;
mod said;
mod sending;
mod settle;
mod told;
mod waits;

use std::collections::BTreeSet;
use std::sync::Arc;

use surgetank_layer::gossip::Frame;
use surgetank_layer::message::{Block, Envelope, Payload};
use surgetank_layer::node::{Input, Output, Packet, Task};
use surgetank_layer::queue::Discipline;
use surgetank_layer::tuning::Controller;
use surgetank_layer::units::{MessageId, NEVER, NodeId, Ns};

use crate::actors::{self, Action, Actors, Heard};
use crate::adversary::Adversary;
use crate::agenda::Agenda;
use crate::exchange::Exchange;
use crate::host::{Host, Wake};
use crate::scenario::{self, Scenario};
use crate::trace::{BlockRow, DecisionRow, GaugeRow, Outcome, Reason, Record};

pub use links::{Counts, Links};

/// What can happen next. Small: the agenda copies it about.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A copy of a message arrives over a link.
    Arrive { link: u32, message: MessageId },
    /// A copy of a message is through the receiver's downlink.
    Through { link: u32, message: MessageId },
    /// Something larger: see the slab.
    Parcel(u32),
    /// A node's timer goes off, or its work is over.
    Wake { slot: u32 },
    /// A client's message reaches its gateway.
    Gateway(u32),
    /// A client's message that was held back may enter.
    Enter(u32),
    /// A time of the express lane has come.
    Lane,
    /// The outside price steps.
    Price,
    /// A time that somebody outside asked for.
    Outside(actors::Timer),
    /// Gauges are read.
    Gauge,
    /// A fault begins or ends.
    Fault { index: u32, begins: bool },
    /// The run ends.
    End,
}

/// A packet that is too large for an event.
enum Parcel {
    /// A gossip frame other than a message, over a link.
    Frame(u32, Frame),
    /// A packet between any two nodes.
    Packet { from: NodeId, to: NodeId, packet: Packet, sent: waits::Id },
}

/// A message on the wire: what it is, and where its content is.
#[derive(Clone, Copy)]
struct Carried {
    envelope: Envelope,
    /// Index into `records` (client messages) or `payloads` (consensus).
    slot: u32,
    /// It was said before: it goes to those who lack it.
    again: bool,
}

/// Things that wait under a number.
struct Slab<T> {
    items: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    fn new() -> Self {
        Slab { items: Vec::new(), free: Vec::new() }
    }

    fn put(&mut self, item: T) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.items[slot as usize] = Some(item);
            return slot;
        }
        self.items.push(Some(item));
        self.items.len() as u32 - 1
    }

    fn take(&mut self, slot: u32) -> Option<T> {
        self.free.push(slot);
        self.items[slot as usize].take()
    }
}

/// What a user brings to a run.
#[derive(Default)]
pub struct Plugins {
    /// The queue rule, where the scenario's is `custom`.
    pub rule: Option<Box<dyn Discipline>>,
    /// Makes the controller of a node from a seed, where the scenario's is `custom`.
    pub controller: Option<NewController>,
    /// Decisions of an earlier run, to be played instead of any controller's.
    pub decisions: Option<Vec<DecisionRow>>,
}

/// Makes a controller from a seed.
pub type NewController = Box<dyn Fn(u64) -> Box<dyn Controller + Send + Sync> + Send + Sync>;

/// The simulated world.
pub struct World {
    scenario: Scenario,
    now: Ns,
    done: bool,
    events: u64,
    agenda: Agenda<Event>,
    parcels: Slab<Parcel>,
    /// Which node to wake, in which of its epochs, for what, and the segment that ends then.
    wakes: Slab<(NodeId, u32, Wake, waits::Id)>,
    nodes: Vec<Host>,
    links: Links,
    every_copy: bool,
    carried: Vec<Carried>,
    payloads: Vec<Payload>,
    records: Vec<Record>,
    /// First arrival of message m at node k, at m·n + k.
    arrivals: Vec<Ns>,
    outbox: Vec<Output>,
    /// What somebody outside has just asked for.
    actions: Vec<Action>,
    /// The one node that orders, if there is one.
    leader: Option<NodeId>,
    /// (decided, executed) per node and height.
    executions: Vec<Vec<(Ns, Ns)>>,
    blocks: Vec<BlockRow>,
    gauges: Vec<GaugeRow>,
    decisions: Vec<DecisionRow>,
    safety: bool,
    equivocations: u64,
    duplicates: u64,
    first_arrivals: u64,
    incidents: incidents::Incidents,
    clients: clients::Clients,
    adversary: Adversary,
    lane: Option<lane::Lane>,
    /// Messages whose sender did not reveal them.
    silent: BTreeSet<MessageId>,
    said: said::Said,
    executed_blocks: journal::Executed,
    actors: Actors,
    exchange: Option<Exchange>,
    /// What messages waited for; where nobody orders, nothing is executed.
    waits: Option<Box<waits::Waits>>,
}

impl World {
    /// Simulated time.
    pub fn now(&self) -> Ns {
        self.now
    }

    /// Events so far.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Client messages so far.
    pub fn messages(&self) -> u64 {
        self.records.len() as u64
    }

    /// Whether the run has ended.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Lives through at most `events` events; false once the run has ended.
    pub fn run(&mut self, events: u64) -> bool {
        let until = self.events + events;
        while !self.done && self.events < until {
            let Some((at, event)) = self.agenda.pop() else {
                self.done = true;
                break;
            };
            self.now = at;
            self.events += 1;
            self.happen(event);
        }
        !self.done
    }

    #[inline]
    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive { link, message } => self.arrive(link, message),
            Event::Through { link, message } => self.deliver(link, message),
            Event::Wake { slot } => self.wake(slot),
            Event::Gateway(record) => self.reach_gateway(record),
            Event::Enter(record) => self.enter(record),
            Event::Lane => self.lane_timer(),
            Event::Price => self.price_step(),
            Event::Outside(timer) => self.outside_timer(timer),
            Event::Parcel(slot) => self.parcel(slot),
            Event::Gauge => self.gauge(),
            Event::Fault { index, begins } => self.fault(index, begins),
            Event::End => self.done = true,
        }
    }

    /// A copy of a message is at the receiver's door.
    #[inline]
    fn arrive(&mut self, link: u32, message: MessageId) {
        if self.links.has_downlink() {
            let to = self.links.graph.peers[link as usize];
            let size = self.carried[message as usize].envelope.size_bytes;
            let through = self.links.receive(self.now, to, size);
            if self.carried[message as usize].envelope.class.is_consensus() {
                self.note_copy(message, to, through);
            }
            return self.agenda.push(through, Event::Through { link, message });
        }
        self.deliver(link, message);
    }

    #[inline]
    fn deliver(&mut self, link: u32, message: MessageId) {
        let to = self.links.graph.peers[link as usize];
        let cell = message as usize * self.nodes.len() + to as usize;
        if self.every_copy {
            if !self.nodes[to as usize].is_up() {
                self.waits.iter_mut().for_each(|waits| waits.strikes(self.now, to, message));
                return self.incidents.missed(to);
            }
            if self.arrivals[cell] != NEVER {
                self.duplicates += 1;
                return;
            }
            self.arrivals[cell] = self.now;
        } else if self.arrivals[cell] != self.now {
            // An earlier copy was found after this one had been sent.
            return;
        }
        self.first_arrivals += 1;
        self.pass_by(to, message);
        let carried = self.carried[message as usize];
        let is_consensus = carried.envelope.class.is_consensus();
        if let Some(waits) = &mut self.waits {
            if is_consensus {
                waits.hears(self.now, to, message);
            } else {
                waits.gets(self.now, to, message);
            }
        }
        let payload = if is_consensus {
            self.payloads[carried.slot as usize].clone()
        } else {
            Payload::Opaque
        };
        let from = self.links.graph.reverse[link as usize] - self.links.graph.offsets[to as usize];
        let frame = Frame::Message(carried.envelope);
        self.step(to, Input::Receive { from, frame, payload });
    }

    fn parcel(&mut self, slot: u32) {
        match self.parcels.take(slot) {
            Some(Parcel::Frame(link, frame)) => {
                self.waits.iter_mut().for_each(|waits| waits.nothing());
                let to = self.links.graph.peers[link as usize];
                let offset = self.links.graph.offsets[to as usize];
                let from = self.links.graph.reverse[link as usize] - offset;
                self.step_if_up(to, Input::Receive { from, frame, payload: Payload::Opaque });
            }
            Some(Parcel::Packet { from, to, packet, sent }) => {
                if let Packet::Forward(envelope) = &packet {
                    self.pass_by(to, envelope.id);
                }
                if let Some(waits) = &mut self.waits {
                    waits.packet_arrives(sent, matches!(packet, Packet::Blocks(_)));
                }
                self.step_if_up(to, Input::Packet { from, packet });
            }
            None => {}
        }
    }

    fn wake(&mut self, slot: u32) {
        let Some((node, epoch, wake, begun)) = self.wakes.take(slot) else { return };
        if self.nodes[node as usize].epoch() == epoch {
            let awaited = self.awaited(&wake, node);
            if let Some(waits) = &mut self.waits {
                waits.wakes(self.now, node, &wake, begun, awaited);
            }
            let input = match wake {
                Wake::Timer(timer) => Input::Timer(timer),
                Wake::Done(done) => Input::Done(done),
            };
            self.step_if_up(node, input);
        }
    }

    fn step_if_up(&mut self, node: NodeId, input: Input) {
        if self.nodes[node as usize].is_up() {
            self.step(node, input);
        } else {
            self.incidents.missed(node);
        }
    }

    /// Steps a node and does what it asks.
    #[inline]
    fn step(&mut self, node: NodeId, input: Input) {
        let mut next = Some(input);
        while let Some(input) = next {
            let mut outbox = std::mem::take(&mut self.outbox);
            self.nodes[node as usize].step(self.now, input, &mut outbox);
            for output in outbox.drain(..) {
                self.interpret(node, output);
            }
            self.outbox = outbox;
            next = self.nodes[node as usize].finished().map(Input::Done);
        }
        if let Some(waits) = &mut self.waits {
            let node_now = &self.nodes[node as usize].node;
            if node_now.opening().delays() {
                waits.opens(self.now, node, node_now.opened_height());
            }
        }
    }

    /// A node's work begins.
    fn begin_work(&mut self, node: NodeId, task: &Task) {
        if let Some(span) = self.nodes[node as usize].begin(self.now, task) {
            let done = task.done();
            self.incidents.observe_work(node, span, &done);
            self.wake_after(node, span, Wake::Done(done));
        }
    }

    fn wake_after(&mut self, node: NodeId, span: Ns, wake: Wake) {
        let waits = self.waits.as_mut();
        let begun = waits.map_or(0, |waits| waits.begins(self.now, node, span, &wake));
        let slot = self.wakes.put((node, self.nodes[node as usize].epoch(), wake, begun));
        self.agenda.push(self.now + span, Event::Wake { slot });
    }

    #[inline]
    fn interpret(&mut self, node: NodeId, output: Output) {
        match output {
            Output::Forward { envelope, except } => self.forward(node, envelope, except),
            Output::After(span, timer) => self.wake_after(node, span, Wake::Timer(timer)),
            Output::Work(task) => self.begin_work(node, &task),
            Output::Send { to, frame } => self.send_frame(node, to, frame),
            Output::Packet { to, packet } => self.send_packet(node, to, packet),
            Output::Publish(payload) => self.publish(node, payload, false),
            Output::PublishAgain(payload) => self.publish_again(node, payload),
            Output::Admitted(message) => self.admitted(message),
            Output::Refused { message, reason, retry_after_ns } => {
                self.refused(node, message, reason, retry_after_ns);
            }
            Output::Decided(block, round) => self.decided(node, &block, round),
            Output::Executed(block) => self.executed(node, &block),
            Output::Equivocation(_) => self.equivocations += 1,
            Output::Charged(message, micros) => self.charge(message, micros),
            Output::Changed(change) => {
                self.decisions.push(DecisionRow { time_ns: self.now, node, change });
            }
        }
    }

    fn decided(&mut self, node: NodeId, block: &Arc<Block>, round: u32) {
        self.observe_block(node);
        if let Some(waits) = &mut self.waits {
            waits.decides(self.now, node, block, &self.nodes[node as usize].node);
        }
        let index = block.height as usize - 1;
        debug_assert_eq!(self.executions[node as usize].len(), index);
        self.executions[node as usize].push((self.now, NEVER));
        match self.blocks.get(index) {
            Some(row) => self.safety &= row.hash == block.hash.0,
            None => self.blocks.push(BlockRow {
                round,
                proposer: block.proposer,
                messages: block.entries.len() as u32,
                size_bytes: block.entries.iter().map(|e| u64::from(e.envelope.size_bytes)).sum(),
                proposed_ns: block.proposed_ns,
                decided_ns: self.now,
                hash: block.hash.0,
            }),
        }
        for entry in &block.entries {
            let message = entry.envelope.id;
            let slot = self.carried[message as usize].slot;
            let record = &mut self.records[slot as usize];
            if self.leader.unwrap_or(record.gateway) != node {
                continue;
            }
            let mut by_ns = entry.queued_ns;
            if block.proposer != record.gateway {
                let at = message as usize * self.nodes.len() + block.proposer as usize;
                by_ns = by_ns.min(self.arrivals[at]);
            }
            self.clients.stem_from(slot, record, by_ns);
            record.height = block.height;
            record.queued_ns = entry.queued_ns;
            record.proposed_ns = block.proposed_ns;
            record.decided_ns = self.now;
        }
    }

    fn executed(&mut self, node: NodeId, block: &Arc<Block>) {
        let now = self.now;
        self.executions[node as usize][block.height as usize - 1].1 = now;
        self.executed_blocks.note(block);
        self.ask_to_reveal(block);
        self.waits.iter_mut().for_each(|waits| waits.reports(now, block.proposed_ns));
        let pays_bids = self.scenario.layer.queue.discipline == scenario::Discipline::Fee;
        for (position, entry) in block.entries.iter().enumerate() {
            if self.silent.contains(&entry.envelope.id) {
                continue;
            }
            let Some(record) = self.reported_by(node, entry.envelope.id) else { continue };
            record.executed_ns = now;
            if pays_bids {
                record.owed_micros = entry.envelope.fee_micros;
            }
            record.position = position as u32;
            (record.outcome, record.reason) = (Outcome::Executed, Reason::None);
            let slot = self.carried[entry.envelope.id as usize].slot;
            if let Some(waits) = &mut self.waits {
                let record = &self.records[slot as usize];
                waits.done(now, record, block.height, block.proposer);
            }
            self.confirm(slot, node);
            if self.adversary.follows(entry.envelope.id) {
                self.tell_attacker(Heard::Confirmed(entry.envelope.id));
            }
        }
        if self.exchange.is_some() {
            self.settle(node, block);
            self.pay_out_quotas();
        }
    }

    /// The record of a message that this node reports to its client.
    fn reported_by(&mut self, node: NodeId, message: MessageId) -> Option<&mut Record> {
        let record = &mut self.records[self.carried[message as usize].slot as usize];
        (self.leader.unwrap_or(record.gateway) == node).then_some(record)
    }
}
