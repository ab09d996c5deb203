//! Messages over connections: some wait there, and their arrival is known only later.
//!
//! # Rules
//! 1. A message that nothing holds is sent at once, as a datagram would be. Any other is kept as
//!    [`Freight`] until its arrival is known; then it becomes an event, or, if an earlier copy of it
//!    arrives there, none.
//! 2. A copy of a message of consensus that waits counts as being in flight: it is not sent again.
//! 3. What is lost with a connection is lost; its sender does not know.

use surgetank_layer::message::{Envelope, Payload};
use surgetank_layer::node::Packet;
use surgetank_layer::units::{MessageId, NEVER, NodeId, Ns};

use super::{Flight, Handed, Parcel, Wire};
use crate::network::{Arrived, Channel, News};
use crate::trace::Place;
use crate::waits::{self, Waits};

/// Something that waits in a connection.
#[derive(Clone, Copy)]
pub enum Freight {
    /// A copy of a message over a link, and why it was sent.
    Copy { link: u32, message: MessageId, before: waits::Id },
    /// A parcel, and why it was sent.
    Parcel { slot: u32, before: waits::Id },
}

/// An event of a connection.
#[derive(Clone, Copy, Debug)]
pub enum Due {
    /// A copy of a message arrives over a link.
    Arrive {
        /// The link.
        link: u32,
        /// The message.
        message: MessageId,
    },
    /// A parcel arrives.
    Parcel(u32),
    /// A connection has something to do.
    Connection(u32),
    /// The routine for votes of a link looks at what the peer lacks.
    Votes(u32),
    /// The routine for blocks of a link does.
    Parts(u32),
}

impl Wire {
    /// Whether there may be events of connections or of the reactor.
    #[inline]
    pub fn has_events(&self) -> bool {
        self.connections.is_some() || self.has_reactor()
    }

    /// Takes the events of connections for the agenda, in the order in which they came to be known.
    pub fn take_due(&mut self) -> Vec<(Ns, Due)> {
        std::mem::take(&mut self.due)
    }

    /// Takes the clients' messages that were lost on their way to the sequencer.
    pub fn take_undelivered(&mut self) -> Vec<MessageId> {
        std::mem::take(&mut self.undelivered)
    }

    /// Whether a copy of a message of consensus waits in a connection to a node.
    #[inline]
    pub(super) fn is_waiting(&self, message: MessageId, to: NodeId) -> bool {
        !self.waiting.is_empty() && self.waiting.contains(&(message, to))
    }

    /// The channel of a message: large ones of consensus are proposals and blocks.
    fn channel(&self, message: MessageId) -> Channel {
        let carried = &self.carried[message as usize];
        if !carried.envelope.class.is_consensus() {
            return Channel::Messages;
        }
        match &self.payloads[carried.slot as usize] {
            Payload::Proposal(..) | Payload::Chained(_, Some(_)) => Channel::Blocks,
            _ => Channel::Votes,
        }
    }

    /// Sends one copy of a message over the connection of a link: when it arrives, if that is known
    /// and is to be an event.
    pub(super) fn transmit_connected(
        &mut self,
        now: Ns,
        node: NodeId,
        link: u32,
        envelope: &Envelope,
        waits: Option<&mut Waits>,
    ) -> Option<Ns> {
        let connections = self.connections.as_mut()?;
        let id = connections.over(node, link, &self.links);
        match connections.hand(now, id, envelope.size_bytes, &mut self.links) {
            Handed::Sent(flight) => {
                self.wake_if_sparse(now, id);
                let to = self.links.graph.peers[link as usize];
                if !self.is_earliest(envelope.id, to, flight.at) {
                    return None;
                }
                if let Some(waits) = waits {
                    waits.sends(now, node, to, envelope.id, &flight);
                }
                Some(flight.at)
            }
            Handed::Waits => {
                let message = envelope.id;
                let before = waits.map_or(0, |waits| waits.sending(now, node, message));
                if envelope.class.is_consensus() {
                    self.waiting.insert((message, self.links.graph.peers[link as usize]));
                }
                let freight = Freight::Copy { link, message, before };
                self.load(now, id, self.channel(message), envelope.size_bytes, freight);
                None
            }
            Handed::Refused => {
                self.links.counts.dropped_outbound += 1;
                None
            }
        }
    }

    /// The arrival of a copy is known: whether it is to be an event.
    fn is_earliest(&mut self, message: MessageId, to: NodeId, at: Ns) -> bool {
        if self.carried[message as usize].envelope.class.is_consensus() {
            self.note_copy(message, to, at);
        }
        if self.every_copy {
            return true;
        }
        let known = &mut self.arrivals[message as usize * self.nodes + to as usize];
        self.duplicates += u64::from(*known != NEVER);
        let earliest = at < *known;
        *known = at.min(*known);
        earliest
    }

    pub(super) fn ends(&self, link: u32) -> (NodeId, NodeId) {
        let graph = &self.links.graph;
        (graph.peers[graph.reverse[link as usize] as usize], graph.peers[link as usize])
    }

    /// Sends a parcel over the connection between two nodes: when it arrives and under which number,
    /// if that is known.
    ///
    /// # Errors
    /// The packet, if there is no room for it or no connection.
    pub(super) fn send_connected(
        &mut self,
        now: Ns,
        (from, to): (NodeId, NodeId),
        bytes: u32,
        parcel: Parcel,
        waits: Option<&mut Waits>,
    ) -> Result<Option<(Ns, u32)>, Packet> {
        let Some(connections) = self.connections.as_mut() else { return Ok(None) };
        let id = connections.between(from, to, &self.links);
        let handed = connections.hand(now, id, bytes, &mut self.links);
        let channel = match &parcel {
            Parcel::Packet { packet: Packet::Blocks(_) | Packet::Batch(..), .. } => Channel::Blocks,
            Parcel::Packet { packet: Packet::Forward(_), .. } => Channel::Messages,
            Parcel::Packet { .. } => Channel::Votes,
            _ => Channel::Messages,
        };
        match handed {
            Handed::Sent(flight) => {
                self.wake_if_sparse(now, id);
                let slot = self.parcels.put(parcel);
                let before = waits.as_ref().map_or(0, |waits| waits.present());
                self.parcel_leaves(now, slot, &flight, before, waits);
                Ok(Some((flight.at, slot)))
            }
            Handed::Waits => {
                let before = waits.map_or(0, |waits| waits.present());
                let slot = self.parcels.put(parcel);
                self.load(now, id, channel, bytes, Freight::Parcel { slot, before });
                Ok(None)
            }
            Handed::Refused => {
                self.links.counts.dropped_outbound += 1;
                match parcel {
                    Parcel::Packet { packet, .. } => Err(packet),
                    _ => Ok(None),
                }
            }
        }
    }

    /// The arrival of a parcel is known.
    pub(super) fn parcel_leaves(
        &mut self,
        sent_ns: Ns,
        slot: u32,
        flight: &Flight,
        before: waits::Id,
        waits: Option<&mut Waits>,
    ) {
        let Some(waits) = waits else { return };
        let graph = &self.links.graph;
        let (way, sent) = match self.parcels.get_mut(slot) {
            Some(Parcel::Packet { from, to, packet: Packet::Forward(envelope), .. }) => {
                return waits.forwards(sent_ns, *from, *to, envelope.id, flight);
            }
            Some(Parcel::Packet { from, to, sent, .. }) => (Place::between(*from, *to), sent),
            Some(Parcel::Part { link, sent, .. }) => {
                let link = *link as usize;
                let from = graph.peers[graph.reverse[link] as usize];
                (Place::between(from, graph.peers[link]), sent)
            }
            _ => return,
        };
        *sent = waits.packet_leaves_for(before, sent_ns, way, flight);
    }

    /// Puts something into a connection, where it waits.
    pub(super) fn load(
        &mut self,
        now: Ns,
        id: u32,
        channel: Channel,
        bytes: u32,
        freight: Freight,
    ) {
        let number = self.freight.put(freight);
        let Some(connections) = self.connections.as_mut() else { return };
        let news = connections.push(now, id, channel, number, bytes, &mut self.links);
        self.pending.push((id, news));
    }

    #[inline]
    pub(super) fn wake_if_sparse(&mut self, now: Ns, id: u32) {
        let Some(connections) = self.connections.as_mut() else { return };
        if connections.is_sparse(id)
            && let Some(at) = connections.next_wake(now, id)
        {
            self.due.push((at, Due::Connection(id)));
        }
    }

    /// A connection does what is due.
    pub fn wake_connection(&mut self, now: Ns, id: u32) {
        let Some(connections) = self.connections.as_mut() else { return };
        let news = connections.wake(now, id, &mut self.links);
        self.pending.push((id, news));
    }

    /// A node goes down: its connections are closed.
    pub fn crash(&mut self, now: Ns, node: NodeId) {
        self.reactor_crashes(node);
        let Some(connections) = self.connections.as_mut() else { return };
        for number in connections.crash(node) {
            self.drop_freight(now, number);
        }
    }

    /// A node is up again: its connections are set up.
    pub fn restart(&mut self, now: Ns, node: NodeId) {
        let Some(connections) = self.connections.as_mut() else { return };
        for id in connections.restart(now, node) {
            if let Some(at) = connections.next_wake(now, id) {
                self.due.push((at, Due::Connection(id)));
            }
        }
    }

    /// Makes events of what happened on connections since the last call.
    pub fn settle(&mut self, now: Ns, mut waits: Option<&mut Waits>) {
        for (id, news) in std::mem::take(&mut self.pending) {
            let News { arrived, dropped, wake_at } = news;
            for one in arrived {
                self.arrives_later(one, waits.as_deref_mut());
            }
            for number in dropped {
                self.drop_freight(now, number);
            }
            self.due.extend(wake_at.map(|at| (at, Due::Connection(id))));
        }
    }

    /// The arrival of something that waited is known.
    fn arrives_later(&mut self, one: Arrived, waits: Option<&mut Waits>) {
        let Arrived { cargo, since, leaves, at, extra, held } = one;
        let flight = Flight { leaves, at, extra, held };
        match self.freight.take(cargo) {
            Some(Freight::Copy { link, message, before }) => {
                let (from, to) = self.ends(link);
                self.waiting.remove(&(message, to));
                if self.is_earliest(message, to, at) {
                    if let Some(waits) = waits {
                        waits.copy_sent(since, from, to, message, &flight, before);
                    }
                    self.due.push((at, Due::Arrive { link, message }));
                }
            }
            Some(Freight::Parcel { slot, before }) => {
                if let Some(Parcel::Part { link, .. }) = self.parcels.get_mut(slot) {
                    self.due.push((leaves, Due::Parts(*link)));
                }
                self.parcel_leaves(since, slot, &flight, before, waits);
                self.due.push((at, Due::Parcel(slot)));
            }
            None => {}
        }
    }

    /// Something that waited is lost with its connection.
    fn drop_freight(&mut self, now: Ns, number: u32) {
        self.links.counts.dropped_outbound += 1;
        match self.freight.take(number) {
            Some(Freight::Copy { link, message, .. }) => {
                self.waiting.remove(&(message, self.links.graph.peers[link as usize]));
            }
            Some(Freight::Parcel { slot, .. }) => match self.parcels.take(slot) {
                Some(Parcel::Packet { packet: Packet::Forward(envelope), .. }) => {
                    self.undelivered.push(envelope.id);
                }
                Some(Parcel::Part { link, message, .. }) => {
                    self.part_is_gone(message, self.links.graph.peers[link as usize]);
                    self.due.push((now, Due::Parts(link)));
                }
                _ => {}
            },
            None => {}
        }
    }
}
