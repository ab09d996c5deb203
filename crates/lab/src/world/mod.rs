//! The world: nodes, links, clients, actors and the market around one agenda.
//!
//! # Rules
//! 1. All changes are events; between events nothing changes.
//! 2. Machines are stepped, their outputs are interpreted here, and nowhere else.
//! 3. Each part has its own state and draws from its own named stream; what one part needs of
//!    another is passed to it here.
//!
//! The parts: [hosts](crate::host) with their nodes, the [wire](crate::wire) between them,
//! [clients](crate::clients) and the express [lane](crate::lane), the [chain](crate::chain) of
//! blocks, the [exchange](crate::exchange) that executes them, [actors](crate::actors) and the
//! [attacker](crate::adversary), and the [attribution](crate::waits) of waits.
//!
//! Files: this one (the agenda, and nodes' outputs), [`routing`] (clients, actors and blocks),
//! [`faults`] (their effects), [`validators`] (what those of the attacker's say), [`build`] (set-up),
//! [`summary`] (the results).

mod build;
mod faults;
mod routing;
mod summary;
mod validators;

use std::sync::Arc;

use surgetank_layer::gossip::Frame;
use surgetank_layer::message::{Envelope, Payload};
use surgetank_layer::node::{Input, Output, Packet, Task, Timer, Wait};
use surgetank_layer::queue::Discipline;
use surgetank_layer::tuning::Controller;
use surgetank_layer::units::{MessageId, NodeId, Ns};

use crate::actors::{self, Action, Actors};
use crate::adversary::Adversary;
use crate::agenda::Agenda;
use crate::chain::Chain;
use crate::clients::Clients;
use crate::exchange::Exchange;
use crate::faults::Seen;
use crate::gauges::Gauges;
use crate::host::{Host, Wake};
use crate::lane::Lane;
use crate::scenario::Scenario;
use crate::slab::Slab;
use crate::trace::DecisionRow;
use crate::waits::{self, Waits};
use crate::wire::{Due, Parcel, Wire};
use build::Processes;

pub use build::Files;

/// Events of the agenda. Small, as the agenda copies them.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A copy of a message arrives over a link.
    Arrive { link: u32, message: MessageId },
    /// A copy of a message is through the receiver's downlink.
    Through { link: u32, message: MessageId },
    /// A larger packet arrives, stored in the slab.
    Parcel(u32),
    /// A connection has something to do.
    Connection(u32),
    /// A node's routine for votes looks at what the peer of a link lacks.
    Votes(u32),
    /// A node's routine for blocks does.
    Parts(u32),
    /// A node's timer expires, or its work ends.
    Wake { slot: u32 },
    /// A client's message reaches its gateway.
    Gateway(u32),
    /// A delayed message may enter its gateway.
    Enter(u32),
    /// A timer of the express lane expires.
    Lane,
    /// The outside price steps.
    Price,
    /// A timer of an actor or the attacker expires.
    Outside(actors::Timer),
    /// Gauges are read.
    Gauge,
    /// A fault begins or ends.
    Fault { index: u32, begins: bool },
    /// A timer of a fault expires.
    FaultActs { index: u32 },
    /// The run ends.
    End,
}

/// Small: see above.
const _: () = assert!(size_of::<Event>() <= 12);

/// A user's plug-ins.
#[derive(Default)]
pub struct Plugins {
    /// The queue rule, where the scenario's is `custom`.
    pub rule: Option<Box<dyn Discipline>>,
    /// Makes the controller of a node from a seed, where the scenario's is `custom`.
    pub controller: Option<NewController>,
    /// Decisions of an earlier run, replayed instead of a controller's.
    pub decisions: Option<Vec<DecisionRow>>,
}

/// Makes a controller from a seed.
pub type NewController = Box<dyn Fn(u64) -> Box<dyn Controller + Send + Sync> + Send + Sync>;

/// The simulated world.
pub struct World {
    /// The scenario, read at set-up and in the summary.
    scenario: Scenario,
    now: Ns,
    end_ns: Ns,
    done: bool,
    events: u64,
    agenda: Agenda<Event>,
    /// Pending wake-ups: node, its epoch, the event, and the segment that ends then.
    wakes: Slab<(NodeId, u32, Wake, waits::Id)>,
    nodes: Vec<Host>,
    processes: Processes,
    wire: Wire,
    chain: Chain,
    clients: Clients,
    lane: Option<Lane>,
    exchange: Option<Exchange>,
    actors: Actors,
    adversary: Adversary,
    gauges: Gauges,
    /// Attribution; `None` without an ordering engine, as nothing is executed.
    waits: Option<Box<Waits>>,
    /// Outputs of the node's last step.
    outbox: Vec<Output>,
    /// Actions of the last step of an actor or the attacker.
    actions: Vec<Action>,
}

impl World {
    /// Simulated time, in ns.
    pub fn now(&self) -> Ns {
        self.now
    }

    /// Number of events so far.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Number of client messages so far.
    pub fn messages(&self) -> u64 {
        self.clients.messages().len() as u64
    }

    /// Whether the run has ended.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Runs at most `events` events; false once the run has ended.
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
            if self.wire.has_events() {
                self.ship();
            }
        }
        !self.done
    }

    #[inline]
    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive { link, message } => self.arrive(link, message),
            Event::Through { link, message } => self.deliver(link, message),
            Event::Connection(id) => self.wire.wake_connection(self.now, id),
            Event::Votes(link) => {
                let waits = self.waits.as_deref_mut();
                self.wire.pass_votes(self.now, link, &self.nodes, waits);
            }
            Event::Parts(link) => {
                self.wire.pass_parts(self.now, link, self.waits.as_deref_mut());
            }
            Event::Wake { slot } => self.wake(slot),
            Event::Gateway(slot) => self.reach_gateway(slot),
            Event::Enter(slot) => self.enter(slot),
            Event::Lane => self.lane_timer(),
            Event::Price => self.price_step(),
            Event::Outside(timer) => self.outside_timer(timer),
            Event::Parcel(slot) => self.parcel(slot),
            Event::Gauge => self.gauge(),
            Event::Fault { index, begins } => self.fault(index, begins),
            Event::FaultActs { index } => self.fault_acts(index, false),
            Event::End => self.done = true,
        }
    }

    /// Puts on the agenda what has happened on connections.
    fn ship(&mut self) {
        self.wire.settle(self.now, self.waits.as_deref_mut());
        for (at, due) in self.wire.take_due() {
            let event = match due {
                Due::Arrive { link, message } => Event::Arrive { link, message },
                Due::Parcel(slot) => Event::Parcel(slot),
                Due::Connection(id) => Event::Connection(id),
                Due::Votes(link) => Event::Votes(link),
                Due::Parts(link) => Event::Parts(link),
            };
            self.agenda.push(at, event);
        }
        for message in self.wire.take_undelivered() {
            self.clients.lost(self.wire.slot(message));
        }
    }

    /// A copy of a message reaches the receiver.
    #[inline]
    fn arrive(&mut self, link: u32, message: MessageId) {
        match self.wire.through(self.now, link, message) {
            Some(at) => self.agenda.push(at, Event::Through { link, message }),
            None => self.deliver(link, message),
        }
    }

    #[inline]
    fn deliver(&mut self, link: u32, message: MessageId) {
        let to = self.wire.links.graph.peers[link as usize];
        if self.wire.is_every_copy() && !self.nodes[to as usize].is_up() {
            self.waits.iter_mut().for_each(|waits| waits.strikes(self.now, to, message));
            return self.wire.links.faults.observe(to, &Seen::Missed);
        }
        if !self.wire.arrives(self.now, to, message) {
            return self.hear_copy(link, to, message);
        }
        self.pass_by(to, message);
        let envelope = self.wire.envelope(message);
        let payload = self.wire.payload(message);
        if let Some(waits) = &mut self.waits {
            if envelope.class.is_consensus() {
                waits.first_arrival(
                    self.now,
                    to,
                    message,
                    self.nodes[to as usize].node.hears(&payload),
                );
            } else if self.wire.is_every_copy() {
                // Where only first copies are events, it is here at the time known when it was sent.
                waits.gets(self.now, to, message);
            }
        }
        let from = self.wire.links.graph.peer_at_receiver(link);
        self.step(to, Input::Receive { from, frame: Frame::Message(envelope), payload });
    }

    /// A copy that is not the first: of interest where neighbours are scored.
    #[inline]
    fn hear_copy(&mut self, link: u32, to: NodeId, message: MessageId) {
        if self.wire.is_every_copy() && self.nodes[to as usize].node.hears_copies() {
            let (envelope, payload) = (self.wire.envelope(message), self.wire.payload(message));
            let from = self.wire.links.graph.peer_at_receiver(link);
            self.step(to, Input::Receive { from, frame: Frame::Message(envelope), payload });
        }
    }

    fn parcel(&mut self, slot: u32) {
        match self.wire.open(slot) {
            Some(Parcel::Frame(link, frame)) => {
                self.waits.iter_mut().for_each(|waits| waits.nothing());
                let to = self.wire.links.graph.peers[link as usize];
                let from = self.wire.links.graph.peer_at_receiver(link);
                self.step_if_up(to, Input::Receive { from, frame, payload: Payload::Opaque });
            }
            Some(Parcel::Part { link, message, part, sent }) => {
                self.part(link, (message, part), sent);
            }
            Some(Parcel::Packet { from, to, packet, sent }) => {
                if let Packet::Forward(envelope) = &packet {
                    self.pass_by(to, envelope.id);
                }
                if let Some(waits) = &mut self.waits {
                    waits.packet_arrives(sent, matches!(packet, Packet::Blocks(_)));
                    if let Packet::Chained(message, _) = &packet {
                        let (at, said) = (&self.nodes[to as usize], Arc::clone(message));
                        if at.is_up() && at.node.hears(&Payload::Chained(said, None)) {
                            waits.arrives_alone(self.now, to);
                        }
                    }
                }
                self.step_if_up(to, Input::Packet { from, packet });
            }
            None => {}
        }
    }

    /// A part of a block has arrived.
    fn part(&mut self, link: u32, (message, part): (MessageId, u32), sent: waits::Id) {
        let to = self.wire.links.graph.peers[link as usize];
        if !self.nodes[to as usize].is_up() {
            return self.wire.links.faults.observe(to, &Seen::Missed);
        }
        if !self.wire.part_arrives(self.now, link, (message, part), sent) {
            return;
        }
        if let Some(waits) = self.waits.as_deref_mut() {
            self.wire.block_is_complete(self.now, link, message, sent, waits);
        }
        self.deliver(link, message);
    }

    fn wake(&mut self, slot: u32) {
        let Some((node, epoch, wake, begun)) = self.wakes.take(slot) else { return };
        if self.nodes[node as usize].epoch() == epoch {
            let awaited_proposer = self.awaited_proposer(&wake, node);
            if let Some(waits) = &mut self.waits {
                waits.wakes(self.now, node, &wake, begun, awaited_proposer);
            }
            let input = match wake {
                Wake::Timer(timer) => Input::Timer(timer),
                Wake::Done(done) => Input::Done(done),
            };
            self.step_if_up(node, input);
        }
    }

    /// The proposer of the round that this timer bounds.
    fn awaited_proposer(&self, wake: &Wake, node: NodeId) -> Option<NodeId> {
        let Wake::Timer(Timer::Engine(Wait { height, round, .. })) = wake else { return None };
        self.nodes[node as usize].node.engine().proposer(*height, *round)
    }

    fn gauge(&mut self) {
        let next = self.gauges.read(self.now, &self.nodes, &self.wire.links);
        next.into_iter().for_each(|at| self.agenda.push(at, Event::Gauge));
    }

    fn step_if_up(&mut self, node: NodeId, input: Input) {
        if self.nodes[node as usize].is_up() {
            self.step(node, input);
        } else {
            self.wire.links.faults.observe(node, &Seen::Missed);
        }
    }

    /// Steps a node and performs its outputs, including those of work that takes no time.
    fn step(&mut self, node: NodeId, input: Input) {
        self.step_once(node, input);
        while let Some(done) = self.nodes[node as usize].finished() {
            self.step_once(node, Input::Done(done));
        }
        if let Some(waits) = &mut self.waits {
            let node_now = &self.nodes[node as usize].node;
            if node_now.unsealing().delays() {
                waits.opens(self.now, node, node_now.opened_height());
            }
        }
    }

    pub(super) fn step_once(&mut self, node: NodeId, input: Input) {
        let mut outbox = std::mem::take(&mut self.outbox);
        self.nodes[node as usize].step(self.now, input, &mut outbox);
        if self.wire.links.faults.follow_leaders() {
            let leads = self.nodes[node as usize].node.engine().leads();
            self.wire.links.faults.leads(node, leads == Some(true));
        }
        for output in outbox.drain(..) {
            self.interpret(node, output);
        }
        self.outbox = outbox;
    }

    /// A node's work begins.
    fn begin_work(&mut self, node: NodeId, task: &Task) {
        if let Some(span) = self.nodes[node as usize].begin(self.now, task) {
            self.observe_work(node, task, span);
            self.wake_after(node, span, Wake::Done(task.done()));
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
            Output::Forward { envelope, except } => {
                if !self.mutes(node, &envelope) {
                    self.forward(node, &envelope, except);
                }
            }
            Output::After(span, timer) => self.wake_after(node, span, Wake::Timer(timer)),
            Output::Work(task) => self.begin_work(node, &task),
            Output::Send { to, frame } => self.send_frame(node, to, frame),
            Output::Packet { to, packet } => self.send_packet_if_said(node, to, packet),
            Output::Publish(payload) => self.publish_or_replace(node, payload),
            Output::PublishAgain(payload) => {
                if !self.keeps_back(node, || payload.statement()) {
                    self.repeat(node, &payload);
                }
            }
            Output::Admitted(message) => {
                self.clients.admitted(self.now, self.wire.slot(message));
            }
            Output::Refused { message, reason, retry_after_ns } => {
                self.refused(node, message, reason, retry_after_ns);
            }
            Output::Decided(block, round) => self.decided(node, &block, round),
            Output::Executed(block) => self.executed(node, &block),
            Output::Equivocation(found) => {
                // A validator of the attacker's reports nothing.
                if !self.adversary.controls(node) {
                    self.chain.equivocation(found);
                }
            }
            Output::Broken(_) => self.chain.broken(),
            Output::Charged(message, micros) => {
                self.clients.charge(self.wire.slot(message), micros);
            }
            Output::Changed(change) => self.gauges.changed(self.now, node, change),
        }
    }

    /// Sends a message to all neighbours but one.
    #[inline]
    fn forward(&mut self, node: NodeId, envelope: &Envelope, except: Option<u32>) {
        let first = self.wire.links.graph.offsets[node as usize];
        let last = self.wire.links.graph.offsets[node as usize + 1];
        let skip = except.map_or(u32::MAX, |peer| first + peer);
        for link in (first..last).filter(|&link| link != skip) {
            self.transmit(node, link, envelope);
        }
    }

    #[inline(always)]
    fn transmit(&mut self, node: NodeId, link: u32, envelope: &Envelope) {
        let waits = self.waits.as_deref_mut();
        let sent = self.wire.transmit(self.now, node, link, envelope, &self.nodes, waits);
        if let Some(at) = sent {
            self.agenda.push(at, Event::Arrive { link, message: envelope.id });
        }
    }

    fn send_frame(&mut self, node: NodeId, to: u32, frame: Frame) {
        let link = self.wire.links.graph.offsets[node as usize] + to;
        if let Frame::Message(envelope) = frame {
            if !self.mutes(node, &envelope) {
                self.transmit(node, link, &envelope);
            }
            return;
        }
        if let Some((at, slot)) = self.wire.send_frame(self.now, node, link, frame) {
            self.agenda.push(at, Event::Parcel(slot));
        }
    }

    fn send_packet(&mut self, from: NodeId, to: NodeId, packet: Packet) {
        let waits = self.waits.as_deref_mut();
        match self.wire.send_packet(self.now, from, to, packet, waits) {
            Ok(Some((at, slot))) => self.agenda.push(at, Event::Parcel(slot)),
            Ok(None) => {}
            Err(Packet::Forward(envelope)) => self.clients.lost(self.wire.slot(envelope.id)),
            Err(_) => {}
        }
    }

    /// Sends a statement again to the neighbours of a node that lack it.
    fn repeat(&mut self, node: NodeId, payload: &Payload) {
        for link in self.wire.lacking_links(self.now, node, payload, &self.nodes) {
            let number = self.wire.number_for(node, link, payload);
            let number = number.unwrap_or_else(|| self.number(node, payload, true).id);
            let envelope = self.wire.envelope(number);
            self.transmit(node, link, &envelope);
        }
    }

    /// Publishes a consensus message of a node, which does not send it to some of the others itself.
    fn publish(&mut self, node: NodeId, payload: Payload, withheld_from: &[NodeId]) {
        let envelope = self.number(node, &payload, false);
        self.wire.withhold(envelope.id, node, withheld_from);
        self.step(node, Input::Publish(envelope, payload));
    }

    /// Gives a consensus message of a node a number; `again`: one more.
    fn number(&mut self, node: NodeId, payload: &Payload, again: bool) -> Envelope {
        if let Some(waits) = &mut self.waits {
            let publisher = &self.nodes[node as usize].node;
            waits.publishes(self.now, node, payload, again, publisher);
        }
        let envelope = self.wire.publish(self.now, node, payload, again);
        self.waits.iter_mut().for_each(|waits| waits.carried(envelope.id));
        envelope
    }
}
