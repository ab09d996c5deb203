//! Statements of validators in the world, and what nodes pass on: an honest one's as its machine has
//! it, one of the attacker's as the attack has it.

use std::sync::Arc;

use surgetank_layer::message::{Envelope, Payload, Statement};
use surgetank_layer::node::Packet;
use surgetank_layer::units::NodeId;

use super::World;
use crate::actors::ActorEvent;
use crate::adversary::Conduct;

impl World {
    /// Whether a node of the attacker's drops a message that it would send: all but its own
    /// statements.
    #[inline]
    pub(super) fn mutes(&self, node: NodeId, envelope: &Envelope) -> bool {
        let own = envelope.class.is_consensus() && envelope.account == node;
        !own && self.adversary.mutes(self.now, node)
    }

    /// What a node does with a statement of its own, if it is a validator of the attacker's.
    pub(super) fn conduct(
        &self,
        node: NodeId,
        said: impl FnOnce() -> Option<Statement>,
    ) -> Conduct {
        if !self.adversary.controls(node) {
            return Conduct::Say;
        }
        let own = said().filter(|said| said.validator() == node);
        own.map_or(Conduct::Say, |said| self.adversary.conduct(self.now, &said))
    }

    /// Sends a packet, but for a statement that a validator of the attacker's does not make.
    pub(super) fn send_packet_if_said(&mut self, node: NodeId, to: NodeId, packet: Packet) {
        let said = || match &packet {
            Packet::Chained(message) => Some(Statement::Chained(Arc::clone(message))),
            _ => None,
        };
        if self.conduct(node, said) == Conduct::Say {
            self.send_packet(node, to, packet);
        }
    }

    /// Publishes a consensus message of a node, or what the attacker lets it publish instead.
    pub(super) fn publish_or_replace(&mut self, node: NodeId, payload: Payload) {
        match self.conduct(node, || payload.statement()) {
            Conduct::Say if self.adversary.controls(node) => {
                let last_hash = self.nodes[node as usize].node.last_hash();
                self.notify_attacker(ActorEvent::Publishes { node, payload: &payload, last_hash });
            }
            Conduct::Say => self.publish(node, payload, &[]),
            Conduct::KeepBack => {
                let all = 0..self.nodes.len() as NodeId;
                let others: Vec<NodeId> = all.filter(|&other| other != node).collect();
                self.publish(node, payload, &others);
            }
        }
    }
}
