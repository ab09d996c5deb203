//! Statements of validators in the world, and what nodes pass on: an honest one's as its machine has
//! it, one of the attacker's as the attack has it.

use std::sync::Arc;

use surgetank_layer::message::{Envelope, Payload, Statement};
use surgetank_layer::node::Packet;
use surgetank_layer::units::NodeId;

use super::World;
use crate::actors::ActorEvent;

impl World {
    /// Whether a node of the attacker's drops a message that it would send: all but its own
    /// statements.
    #[inline]
    pub(super) fn mutes(&self, node: NodeId, envelope: &Envelope) -> bool {
        let own = envelope.class.is_consensus() && envelope.account == node;
        !own && self.adversary.mutes(self.now, node)
    }

    /// Whether a node keeps a statement of its own back, as a validator of the attacker's may.
    pub(super) fn keeps_back(
        &self,
        node: NodeId,
        said: impl FnOnce() -> Option<Statement>,
    ) -> bool {
        self.adversary.controls(node)
            && said().is_some_and(|said| {
                said.validator() == node && self.adversary.keeps_back(self.now, &said)
            })
    }

    /// Sends a packet, but for a statement that its node keeps back.
    pub(super) fn send_packet_if_said(&mut self, node: NodeId, to: NodeId, packet: Packet) {
        let said = || match &packet {
            Packet::Chained(message, _) => Some(Statement::Chained(Arc::clone(message))),
            _ => None,
        };
        if !self.keeps_back(node, said) {
            self.send_packet(node, to, packet);
        }
    }

    /// Publishes a consensus message of a node, or what the attacker lets it publish instead.
    pub(super) fn publish_or_replace(&mut self, node: NodeId, payload: Payload) {
        if self.keeps_back(node, || payload.statement()) {
            let all = 0..self.nodes.len() as NodeId;
            let others: Vec<NodeId> = all.filter(|&other| other != node).collect();
            self.publish(node, payload, &others);
        } else if self.adversary.controls(node) {
            let last_hash = self.nodes[node as usize].node.last_hash();
            self.notify_attacker(ActorEvent::Publishes { node, payload: &payload, last_hash });
        } else {
            self.publish(node, payload, &[]);
        }
    }
}
