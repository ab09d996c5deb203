//! How messages, frames and packets leave a node.

use surgetank_layer::gossip::Frame;
use surgetank_layer::message::Envelope;
use surgetank_layer::node::Packet;
use surgetank_layer::units::{MessageId, NEVER, NodeId};

use super::links::Dropped;
use super::{Carried, Event, Parcel, World, clients};
use crate::trace::Place;

impl World {
    /// Sends a message to all neighbours but one.
    #[inline]
    pub(super) fn forward(&mut self, node: NodeId, envelope: Envelope, except: Option<u32>) {
        let first = self.links.graph.offsets[node as usize];
        let last = self.links.graph.offsets[node as usize + 1];
        let skip = except.map_or(u32::MAX, |peer| first + peer);
        for link in (first..last).filter(|&link| link != skip) {
            self.transmit(node, link, envelope);
        }
    }

    /// Sends one copy of a message over one link.
    #[inline]
    pub(super) fn transmit(&mut self, node: NodeId, link: u32, envelope: Envelope) {
        let index = link as usize;
        let to = self.links.graph.peers[index];
        let consensus = envelope.class.is_consensus();
        if consensus && self.is_known(envelope.id, to) {
            return;
        }
        let sent = self.links.send(self.now, node, index, envelope.size_bytes);
        let flight = match sent {
            Ok(flight) => flight,
            Err(dropped) => return self.dropped(dropped, to, envelope),
        };
        let at = flight.at;
        if consensus {
            self.note_copy(envelope.id, to, at);
        }
        if !self.every_copy {
            let cell = &mut self.arrivals[envelope.id as usize * self.nodes.len() + to as usize];
            if at >= *cell {
                self.duplicates += 1;
                return;
            }
            if *cell != NEVER {
                self.duplicates += 1;
            }
            *cell = at;
        }
        if let Some(waits) = &mut self.waits {
            waits.sends(self.now, node, to, envelope.id, &flight);
        }
        self.agenda.push(at, Event::Arrive { link, message: envelope.id });
    }

    /// A copy of a message does not arrive.
    fn dropped(&mut self, dropped: Dropped, to: NodeId, envelope: Envelope) {
        let Some(waits) = &mut self.waits else { return };
        if envelope.class.is_consensus() {
            waits.drops(self.now, dropped.struck.is_some());
        } else if let Some(at) = dropped.struck {
            waits.strikes(at, to, envelope.id);
        }
    }

    pub(super) fn send_frame(&mut self, node: NodeId, to: u32, frame: Frame) {
        let link = self.links.graph.offsets[node as usize] + to;
        if let Frame::Message(envelope) = frame {
            return self.transmit(node, link, envelope);
        }
        let size = clients::frame_bytes(&frame);
        if let Ok(flight) = self.links.send(self.now, node, link as usize, size) {
            let slot = self.parcels.put(Parcel::Frame(link, frame));
            self.agenda.push(flight.at, Event::Parcel(slot));
        }
    }

    pub(super) fn send_packet(&mut self, from: NodeId, to: NodeId, packet: Packet) {
        let size = clients::packet_bytes(&packet);
        match self.links.send_between(self.now, from, to, size) {
            Ok(flight) => {
                let now = self.now;
                let sent = self.waits.as_mut().map_or(0, |waits| match &packet {
                    Packet::Forward(envelope) => {
                        waits.forwards(now, from, to, envelope.id, &flight);
                        0
                    }
                    _ => waits.packet_leaves(now, Place::between(from, to), &flight),
                });
                let slot = self.parcels.put(Parcel::Packet { from, to, packet, sent });
                self.agenda.push(flight.at, Event::Parcel(slot));
            }
            Err(_) => {
                if let Packet::Forward(envelope) = packet {
                    self.lose(envelope.id);
                }
            }
        }
    }

    /// Gives a message its number on the wire. Its origin has it from the start.
    pub(super) fn carry(&mut self, envelope: Envelope, slot: u32, origin: NodeId) -> Envelope {
        let id = self.carried.len() as MessageId;
        let envelope = Envelope { id, ..envelope };
        self.carried.push(Carried { envelope, slot, again: false });
        self.waits.iter_mut().for_each(|waits| waits.carried(id));
        self.arrivals.resize(self.arrivals.len() + self.nodes.len(), NEVER);
        if envelope.class.is_consensus() {
            self.arrivals[id as usize * self.nodes.len() + origin as usize] = self.now;
        }
        envelope
    }
}
