//! Messages, frames and packets in flight between nodes.
//!
//! # The shortcut
//! Of the copies of a message that reach a node, only the first has an effect, and its arrival is
//! known when it is sent. So the earliest known arrival is kept per (message, node), and only a
//! copy that improves it becomes an event. The other copies still take their sender's uplink and
//! are still counted. Where copies interact (a downlink, a node that may be down when the first
//! arrives), every copy is an event; `network.every_copy` asks for it, and a test shows that both
//! give the same trace.

mod connected;
mod reactor;
mod rebroadcast;
mod sizes;

use std::collections::{BTreeMap, BTreeSet};

use surgetank_layer::gossip::Frame;
use surgetank_layer::message::{Envelope, Payload};
use surgetank_layer::node::Packet;
use surgetank_layer::units::{MessageId, NEVER, NodeId, Ns};

use crate::host::Host;
use crate::network::{ConnectionSet, Dropped, Flight, Handed, Links, News, Rules};
use crate::scenario;
use crate::slab::Slab;
use crate::trace::Place;
use crate::waits::{self, Waits};
pub use connected::Due;
use connected::Freight;
use reactor::Reactor;
use rebroadcast::Rebroadcast;
use sizes::{VOTE_BYTES, block_bytes, frame_bytes, packet_bytes};

/// A packet that is too large for an event.
pub enum Parcel {
    /// A gossip frame other than a message, over a link.
    Frame(u32, Frame),
    /// A packet between any two nodes.
    Packet {
        /// Sending node.
        from: NodeId,
        /// Receiving node.
        to: NodeId,
        /// The packet itself.
        packet: Packet,
        /// The segment that ends when it arrives.
        sent: waits::Id,
    },
    /// A part of a block, over a link.
    Part {
        /// The link.
        link: u32,
        /// The proposal.
        message: MessageId,
        /// Number of the part.
        part: u32,
        /// The segment that ends when it arrives.
        sent: waits::Id,
    },
}

/// A message on the wire: its kind, and the index of its content.
#[derive(Clone, Copy)]
struct Carried {
    envelope: Envelope,
    /// Number among the clients' records, or in `payloads` (consensus).
    slot: u32,
    /// Whether it is a re-broadcast, for nodes that lack it.
    again: bool,
}

/// All links, and the messages in flight.
pub struct Wire {
    /// Links with their topology and delays.
    pub links: Links,
    /// ConnectionSet over them; without, every message is a packet of its own.
    connections: Option<ConnectionSet>,
    /// What waits in connections.
    freight: Slab<Freight>,
    /// Copies of messages of consensus that wait in connections.
    waiting: BTreeSet<(MessageId, NodeId)>,
    /// What happened on connections, to be made into events.
    pending: Vec<(u32, News)>,
    /// Events of connections that are to be put on the agenda.
    due: Vec<(Ns, Due)>,
    /// Clients' messages that were lost with a connection.
    undelivered: Vec<MessageId>,
    every_copy: bool,
    nodes: usize,
    carried: Vec<Carried>,
    payloads: Vec<Payload>,
    parcels: Slab<Parcel>,
    /// First arrival of message m at node k, at m·n + k.
    arrivals: Vec<Ns>,
    rebroadcast: Rebroadcast,
    /// What passes consensus on peer by peer; without, a message goes to a peer as soon as it is known.
    reactor: Option<Reactor>,
    /// Messages that their origin does not send to some nodes: the origin, and those nodes.
    withheld: BTreeMap<MessageId, (NodeId, Vec<NodeId>)>,
    duplicates: u64,
    first_arrivals: u64,
}

impl Wire {
    /// A wire without messages in flight. `rules`: those of connections, `None` for datagrams; `key`: of
    /// the reactor's draws; `every_copy`: every copy of a message is an event.
    pub fn new(
        links: Links,
        rules: Option<Rules>,
        settings: &scenario::Reactor,
        key: u64,
        every_copy: bool,
    ) -> Wire {
        let nodes = links.graph.nodes();
        let every_copy = every_copy || links.has_downlink();
        Wire {
            connections: rules.map(|rules| ConnectionSet::new(rules, &links)),
            freight: Slab::default(),
            waiting: BTreeSet::new(),
            pending: Vec::new(),
            due: Vec::new(),
            undelivered: Vec::new(),
            every_copy,
            nodes,
            carried: Vec::new(),
            payloads: Vec::new(),
            parcels: Slab::default(),
            arrivals: Vec::new(),
            rebroadcast: Rebroadcast::default(),
            reactor: Reactor::new(settings, links.graph.peers.len(), key),
            withheld: BTreeMap::new(),
            duplicates: 0,
            first_arrivals: 0,
            links,
        }
    }

    /// Takes the first arrivals, that of message m at node k at index m·n + k, after the last
    /// event.
    pub fn take_arrivals(&mut self) -> Vec<Ns> {
        std::mem::take(&mut self.arrivals)
    }

    /// Number of first arrivals of messages at nodes.
    pub fn first_arrivals(&self) -> u64 {
        self.first_arrivals
    }

    /// Number of further arrivals (duplicates).
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Messages of consensus so far.
    pub fn consensus_messages(&self) -> usize {
        self.payloads.len()
    }

    /// Whether every copy of a message is an event.
    #[inline]
    pub fn is_every_copy(&self) -> bool {
        self.every_copy
    }

    /// Envelope of a message.
    #[inline]
    pub fn envelope(&self, message: MessageId) -> Envelope {
        self.carried[message as usize].envelope
    }

    /// The number of a client's message among the records.
    #[inline]
    pub fn slot(&self, message: MessageId) -> u32 {
        self.carried[message as usize].slot
    }

    /// Content of a consensus message; a client's is opaque.
    #[inline]
    pub fn payload(&self, message: MessageId) -> Payload {
        let carried = &self.carried[message as usize];
        if carried.envelope.class.is_consensus() {
            self.payloads[carried.slot as usize].clone()
        } else {
            Payload::Opaque
        }
    }

    /// Raises the fee of a message.
    pub fn raise(&mut self, message: MessageId, fee_micros: u32) {
        self.carried[message as usize].envelope.fee_micros = fee_micros;
    }

    /// Time of the first arrival of a message at a node, as far as known.
    #[inline]
    pub fn arrival(&self, message: MessageId, node: NodeId) -> Ns {
        self.arrivals[message as usize * self.nodes + node as usize]
    }

    /// Assigns a number to a message. The origin of a consensus message has it from the start.
    #[inline]
    pub fn carry(&mut self, now: Ns, envelope: Envelope, slot: u32, origin: NodeId) -> Envelope {
        let id = self.carried.len() as MessageId;
        let envelope = Envelope { id, ..envelope };
        self.carried.push(Carried { envelope, slot, again: false });
        self.arrivals.resize(self.arrivals.len() + self.nodes, NEVER);
        if envelope.class.is_consensus() {
            self.arrivals[id as usize * self.nodes + origin as usize] = now;
        }
        envelope
    }

    /// Assigns a number to a consensus message that its origin publishes.
    pub fn publish(&mut self, now: Ns, node: NodeId, payload: &Payload, again: bool) -> Envelope {
        let said = match payload {
            Payload::Chained(message, _) => message.size_bytes(),
            Payload::Proposal(..) => 0,
            Payload::Vote(_) | Payload::Opaque => VOTE_BYTES,
        };
        let size_bytes = said + payload.block().map_or(0, |block| block_bytes(block));
        let class = payload.class();
        let slot = self.payloads.len() as u32;
        self.payloads.push(payload.clone());
        let envelope = self.carry(now, Envelope::plain(0, class, size_bytes, node), slot, node);
        self.carried[envelope.id as usize].again = again;
        self.record_statement(payload, envelope.id);
        envelope
    }

    /// The origin of a message does not send it to these nodes. Others may pass it on to them.
    pub fn withhold(&mut self, message: MessageId, origin: NodeId, from: &[NodeId]) {
        if !from.is_empty() {
            self.withheld.insert(message, (origin, from.to_vec()));
        }
    }

    fn is_withheld(&self, message: MessageId, sender: NodeId, to: NodeId) -> bool {
        let withheld = self.withheld.get(&message);
        withheld.is_some_and(|(origin, from)| *origin == sender && from.contains(&to))
    }

    /// A client's message arrived at its gateway; returns whether for the first time.
    #[inline]
    pub fn reaches_gateway(&mut self, now: Ns, gateway: NodeId, message: MessageId) -> bool {
        let cell = &mut self.arrivals[message as usize * self.nodes + gateway as usize];
        let first = *cell > now;
        *cell = now.min(*cell);
        first
    }

    /// Sends one copy of a message over one link: when it arrives, if that is to be an event.
    #[inline(always)]
    pub fn transmit(
        &mut self,
        now: Ns,
        node: NodeId,
        link: u32,
        envelope: &Envelope,
        nodes: &[Host],
        waits: Option<&mut Waits>,
    ) -> Option<Ns> {
        if self.has_reactor() && envelope.class.is_consensus() {
            let to = self.links.graph.peers[link as usize];
            if !self.is_withheld(envelope.id, node, to) {
                self.offer(now, node, link, envelope, waits);
            }
            return None;
        }
        self.send_copy(now, node, link, envelope, nodes, waits)
    }

    /// The same at once, whatever passes consensus on.
    #[inline(always)]
    fn send_copy(
        &mut self,
        now: Ns,
        node: NodeId,
        link: u32,
        envelope: &Envelope,
        nodes: &[Host],
        waits: Option<&mut Waits>,
    ) -> Option<Ns> {
        let index = link as usize;
        let to = self.links.graph.peers[index];
        let consensus = envelope.class.is_consensus();
        if consensus
            && (self.is_known(now, envelope.id, to, nodes)
                || self.is_withheld(envelope.id, node, to))
        {
            return None;
        }
        if self.connections.is_some() {
            return self.transmit_connected(now, node, link, envelope, waits);
        }
        let cell = envelope.id as usize * self.nodes + to as usize;
        let known = if self.every_copy { NEVER } else { self.arrivals[cell] };
        let flight = match self.links.send(now, node, index, envelope.size_bytes, known) {
            Ok(flight) => flight,
            Err(dropped) => {
                lost(now, dropped, to, envelope, waits);
                return None;
            }
        };
        let at = flight.at;
        if consensus {
            self.note_copy(envelope.id, to, at);
        }
        if !self.every_copy {
            self.duplicates += u64::from(known != NEVER);
            if at >= known {
                return None;
            }
            self.arrivals[cell] = at;
        }
        if let Some(waits) = waits {
            waits.sends(now, node, to, envelope.id, &flight);
        }
        Some(at)
    }

    /// A copy of a message has reached the receiver: returns the time at which it has passed a
    /// shared downlink.
    #[inline]
    pub fn through(&mut self, now: Ns, link: u32, message: MessageId) -> Option<Ns> {
        if !self.links.has_downlink() {
            return None;
        }
        let to = self.links.graph.peers[link as usize];
        let envelope = &self.carried[message as usize].envelope;
        let (size, consensus) = (envelope.size_bytes, envelope.class.is_consensus());
        let through = self.links.receive(now, to, size);
        if consensus {
            self.note_copy(message, to, through);
        }
        Some(through)
    }

    /// A copy of a message arrived at a node; returns whether it is the first.
    #[inline]
    pub fn arrives(&mut self, now: Ns, to: NodeId, message: MessageId) -> bool {
        let cell = &mut self.arrivals[message as usize * self.nodes + to as usize];
        if self.every_copy {
            if *cell != NEVER {
                self.duplicates += 1;
                return false;
            }
            *cell = now;
        } else if *cell != now {
            // An earlier copy was found after this one had been sent.
            return false;
        }
        self.first_arrivals += 1;
        true
    }

    /// Sends a frame that is no message over a link: when it arrives and under which number.
    pub fn send_frame(
        &mut self,
        now: Ns,
        from: NodeId,
        link: u32,
        frame: Frame,
    ) -> Option<(Ns, u32)> {
        let size = frame_bytes(&frame);
        if self.connections.is_some() {
            let parcel = Parcel::Frame(link, frame);
            let to = self.links.graph.peers[link as usize];
            return self.send_connected(now, (from, to), size, parcel, None).ok()?;
        }
        let flight = self.links.send(now, from, link as usize, size, NEVER).ok()?;
        Some((flight.at, self.parcels.put(Parcel::Frame(link, frame))))
    }

    /// Sends a packet to a node that need not be a neighbour: when it arrives and under which number;
    /// nothing if it waits in a connection.
    ///
    /// # Errors
    /// The packet, if it is lost.
    pub fn send_packet(
        &mut self,
        now: Ns,
        from: NodeId,
        to: NodeId,
        packet: Packet,
        waits: Option<&mut Waits>,
    ) -> Result<Option<(Ns, u32)>, Packet> {
        let size = packet_bytes(&packet);
        if self.connections.is_some() {
            let parcel = Parcel::Packet { from, to, packet, sent: 0 };
            return self.send_connected(now, (from, to), size, parcel, waits);
        }
        let flight = match self.links.send_between(now, from, to, size) {
            Ok(flight) => flight,
            Err(dropped) => {
                if let (Packet::Chained(..), Some(waits)) = (&packet, waits) {
                    waits.drops(now, dropped.struck.is_some());
                }
                return Err(packet);
            }
        };
        let sent = waits.map_or(0, |waits| match &packet {
            Packet::Forward(envelope) => {
                waits.forwards(now, from, to, envelope.id, &flight);
                0
            }
            _ => waits.packet_leaves(now, Place::between(from, to), &flight),
        });
        Ok(Some((flight.at, self.parcels.put(Parcel::Packet { from, to, packet, sent }))))
    }

    /// The parcel under this number.
    #[inline]
    pub fn open(&mut self, parcel: u32) -> Option<Parcel> {
        self.parcels.take(parcel)
    }
}

/// A copy of a message does not arrive.
fn lost(now: Ns, dropped: Dropped, to: NodeId, envelope: &Envelope, waits: Option<&mut Waits>) {
    let Some(waits) = waits else { return };
    if envelope.class.is_consensus() {
        waits.drops(now, dropped.struck.is_some());
    } else if let Some(at) = dropped.struck {
        waits.strikes(at, to, envelope.id);
    }
}
