//! What consensus has said, and says again.
//!
//! CometBFT sends a vote or a proposal over a connection once: its peers tell it what they have
//! (NewRoundStep, HasVote, HasProposalBlockPart), and what they lack is sent again. Those small
//! messages are not simulated; what they would tell is read from the neighbour itself. So a chain
//! without progress repeats what was lost, and what was not lost costs neither link nor processor.

use std::collections::BTreeMap;

use surgetank_layer::message::{Class, Envelope, Payload, Statement};
use surgetank_layer::node::Input;
use surgetank_layer::units::{Height, MessageId, NEVER, NodeId, Ns};

use super::{World, clients};

/// Heights that are remembered: who is further behind asks for blocks.
const HEIGHTS: Height = 16;

/// Numbers under which statements travel, and copies that are under way.
#[derive(Default)]
pub struct Said {
    /// Every number of a statement, by height.
    numbers: BTreeMap<Height, BTreeMap<Statement, Vec<MessageId>>>,
    /// Where every copy is an event: when the last copy sent of payload p is at node k, at p·n + k.
    due: Vec<Ns>,
}

impl Said {
    fn number(&mut self, payload: &Payload, id: MessageId) {
        let Some(statement) = payload.statement() else { return };
        let height = height(&statement);
        self.numbers.entry(height).or_default().entry(statement).or_default().push(id);
        while self.numbers.keys().next().is_some_and(|first| first + HEIGHTS < height) {
            self.numbers.pop_first();
        }
    }

    fn numbers(&self, statement: &Statement) -> &[MessageId] {
        let said = self.numbers.get(&height(statement)).and_then(|said| said.get(statement));
        said.map_or(&[], Vec::as_slice)
    }
}

fn height(statement: &Statement) -> Height {
    match statement {
        Statement::Vote(vote) => vote.height,
        Statement::Proposal(proposal) => proposal.height,
    }
}

impl World {
    /// Numbers a message of consensus and hands it back to be spread.
    pub(super) fn publish(&mut self, node: NodeId, payload: Payload, again: bool) {
        let (class, size_bytes) = match &payload {
            Payload::Proposal(_, block) => (Class::Proposal, clients::block_bytes(block)),
            _ => (Class::Vote, clients::VOTE_BYTES),
        };
        let slot = self.payloads.len() as u32;
        if let Some(waits) = &mut self.waits {
            waits.publishes(self.now, node, &payload, again, &self.nodes[node as usize].node);
        }
        self.payloads.push(payload.clone());
        let envelope = self.carry(Envelope::plain(0, class, size_bytes, node), slot, node);
        self.carried[envelope.id as usize].again = again;
        self.note_said(&payload, envelope.id);
        self.step(node, Input::Publish(envelope, payload));
    }

    /// A message of consensus has its number.
    pub(super) fn note_said(&mut self, payload: &Payload, id: MessageId) {
        self.said.number(payload, id);
        if self.every_copy {
            self.said.due.resize(self.payloads.len() * self.nodes.len(), 0);
        }
    }

    /// A copy of a message of consensus is on its way to a node until `at`.
    #[inline]
    pub(super) fn note_copy(&mut self, message: MessageId, to: NodeId, at: Ns) {
        if self.every_copy {
            let slot = self.carried[message as usize].slot as usize;
            let due = &mut self.said.due[slot * self.nodes.len() + to as usize];
            *due = at.max(*due);
        }
    }

    fn is_under_way(&self, message: MessageId, to: NodeId) -> bool {
        let n = self.nodes.len();
        if self.every_copy {
            let slot = self.carried[message as usize].slot as usize;
            return self.said.due[slot * n + to as usize] > self.now;
        }
        let at = self.arrivals[message as usize * n + to as usize];
        at > self.now && at != NEVER
    }

    /// Whether a node lacks what a message states, and no copy is under way to it.
    fn lacks(&self, to: NodeId, payload: &Payload) -> bool {
        payload.statement().is_some_and(|statement| {
            self.nodes[to as usize].node.lacks(&statement)
                && !self.said.numbers(&statement).iter().any(|&id| self.is_under_way(id, to))
        })
    }

    /// Publishes again what some neighbour lacks.
    pub(super) fn publish_again(&mut self, node: NodeId, payload: Payload) {
        let links = self.links.graph.links_of(node);
        if self.links.graph.peers[links].iter().any(|&to| self.lacks(to, &payload)) {
            self.publish(node, payload, true);
        }
    }

    /// Whether a copy of a message that is said again need not be sent to a node.
    #[inline]
    pub(super) fn is_known(&self, message: MessageId, to: NodeId) -> bool {
        let carried = &self.carried[message as usize];
        carried.again && !self.lacks(to, &self.payloads[carried.slot as usize])
    }
}
