//! Re-broadcast of consensus messages.
//!
//! CometBFT sends a vote or a proposal over a connection once: its peers announce what they have
//! (NewRoundStep, HasVote, HasProposalBlockPart), and missing messages are sent again. Those
//! announcements are not simulated; their content is read from the neighbour directly. So a chain
//! without progress repeats only lost messages, and the others cost neither link nor processor.

use std::collections::BTreeMap;

use surgetank_layer::message::{Payload, Statement};
use surgetank_layer::units::{Height, MessageId, NEVER, NodeId, Ns};

use super::Wire;
use crate::host::Host;

/// Number of heights kept: a node further behind requests blocks.
const HEIGHTS: Height = 16;

/// Message numbers of statements, and copies in flight.
#[derive(Default)]
pub struct Rebroadcast {
    /// Every number of a statement, by height.
    numbers: BTreeMap<Height, BTreeMap<Statement, Vec<MessageId>>>,
    /// Where every copy is an event: when the last copy sent of payload p is at node k, at p·n + k.
    due: Vec<Ns>,
}

impl Rebroadcast {
    fn number(&mut self, payload: &Payload, id: MessageId) {
        let Some(statement) = payload.statement() else { return };
        let height = height(&statement);
        self.numbers.entry(height).or_default().entry(statement).or_default().push(id);
        while self.numbers.keys().next().is_some_and(|first| first + HEIGHTS < height) {
            self.numbers.pop_first();
        }
    }

    fn numbers(&self, statement: &Statement) -> &[MessageId] {
        let numbers = self.numbers.get(&height(statement)).and_then(|all| all.get(statement));
        numbers.map_or(&[], Vec::as_slice)
    }
}

fn height(statement: &Statement) -> Height {
    match statement {
        Statement::Vote(vote) => vote.height,
        Statement::Proposal(proposal) => proposal.height,
        Statement::Chained(message) => message.height(),
    }
}

impl Wire {
    /// Records the number of a consensus message.
    pub(super) fn record_statement(&mut self, payload: &Payload, id: MessageId) {
        self.rebroadcast.number(payload, id);
        if self.every_copy {
            self.rebroadcast.due.resize(self.payloads.len() * self.nodes, 0);
        }
    }

    /// Records that a copy of a consensus message is in flight to a node until `at`.
    #[inline]
    pub(super) fn note_copy(&mut self, message: MessageId, to: NodeId, at: Ns) {
        if self.every_copy {
            let slot = self.carried[message as usize].slot as usize;
            let due = &mut self.rebroadcast.due[slot * self.nodes + to as usize];
            *due = at.max(*due);
        }
    }

    fn is_in_transit(&self, now: Ns, message: MessageId, to: NodeId) -> bool {
        if self.every_copy {
            let slot = self.carried[message as usize].slot as usize;
            return self.rebroadcast.due[slot * self.nodes + to as usize] > now;
        }
        let at = self.arrival(message, to);
        at > now && at != NEVER
    }

    /// Whether a node lacks a statement, and no copy is in flight to it.
    fn lacks(&self, now: Ns, to: NodeId, payload: &Payload, nodes: &[Host]) -> bool {
        payload.statement().is_some_and(|statement| {
            nodes[to as usize].node.lacks(&statement)
                && !self
                    .rebroadcast
                    .numbers(&statement)
                    .iter()
                    .any(|&id| self.is_in_transit(now, id, to))
        })
    }

    /// Whether some neighbour of a node lacks the content of a message.
    pub fn is_lacked_near(&self, now: Ns, node: NodeId, payload: &Payload, nodes: &[Host]) -> bool {
        let links = self.links.graph.links_of(node);
        self.links.graph.peers[links].iter().any(|&to| self.lacks(now, to, payload, nodes))
    }

    /// Whether a re-broadcast message need not be sent to a node.
    #[inline]
    pub(super) fn is_known(&self, now: Ns, message: MessageId, to: NodeId, nodes: &[Host]) -> bool {
        let carried = &self.carried[message as usize];
        carried.again && !self.lacks(now, to, &self.payloads[carried.slot as usize], nodes)
    }
}
