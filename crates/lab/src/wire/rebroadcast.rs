//! Re-broadcast of consensus messages.
//!
//! CometBFT sends a vote or a proposal over a connection once: its peers announce what they have
//! (NewRoundStep, HasVote, HasProposalBlockPart), and missing messages are sent again. Those
//! announcements are not simulated; their content is read from the neighbour directly. So a chain
//! without progress repeats only lost messages, and the others cost neither link nor processor.
//!
//! # Rules
//! 1. A repeat goes from a node to each of its neighbours that lacks the statement, and to which no
//!    copy is in flight. How gossip spreads new messages (to mesh peers, say) does not matter.
//! 2. It keeps the statement's number. So whichever copy comes first is the one that is verified, and
//!    no mesh announces a known statement as news.
//! 3. A node that has had every number of a statement, and has lost it again (by a crash, or because
//!    it was too far behind to keep it), is sent it under one more. There are never more numbers than
//!    a node has lost copies.

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
        let height = statement.height();
        self.numbers.entry(height).or_default().entry(statement).or_default().push(id);
        while self.numbers.keys().next().is_some_and(|first| first + HEIGHTS < height) {
            self.numbers.pop_first();
        }
    }

    fn is_recorded(&self, statement: &Statement) -> bool {
        !self.numbers(statement).is_empty()
    }

    fn numbers(&self, statement: &Statement) -> &[MessageId] {
        let numbers = self.numbers.get(&statement.height()).and_then(|all| all.get(statement));
        numbers.map_or(&[], Vec::as_slice)
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
        if self.is_waiting(message, to) || self.has_parts_in_flight(message, to) {
            return true;
        }
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

    /// Links of a node to neighbours that lack the content of a message: none for a height so old
    /// that it is caught up on by blocks.
    pub fn lacking_links(
        &self,
        now: Ns,
        node: NodeId,
        payload: &Payload,
        nodes: &[Host],
    ) -> Vec<u32> {
        let recorded = payload.statement().is_some_and(|one| self.rebroadcast.is_recorded(&one));
        let links = if recorded { self.links.graph.links_of(node) } else { 0..0 };
        let lacks = |link: &usize| self.lacks(now, self.links.graph.peers[*link], payload, nodes);
        links.filter(lacks).map(|link| link as u32).collect()
    }

    /// The number under which a node can send a statement over a link, if there is one.
    pub fn number_for(&mut self, node: NodeId, link: u32, payload: &Payload) -> Option<MessageId> {
        let to = self.links.graph.peers[link as usize];
        let numbers = self.rebroadcast.numbers(&payload.statement()?);
        let may =
            |&id: &MessageId| self.arrival(id, to) == NEVER && !self.is_withheld(id, node, to);
        let number = numbers.iter().copied().find(may)?;
        // From now on it is sent only where it is lacked.
        self.carried[number as usize].again = true;
        Some(number)
    }

    /// Whether a re-broadcast message need not be sent to a node.
    #[inline]
    pub(super) fn is_known(&self, now: Ns, message: MessageId, to: NodeId, nodes: &[Host]) -> bool {
        let carried = &self.carried[message as usize];
        carried.again && !self.lacks(now, to, &self.payloads[carried.slot as usize], nodes)
    }
}
