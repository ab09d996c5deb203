//! What a node passes on of consensus, peer by peer: CometBFT's consensus reactor.
//!
//! # Rules
//! 1. For every peer a node has a routine for votes and one for blocks. A routine sends what its peer
//!    lacks as far as the node knows; if there is nothing, it sleeps (`sleep_ms`) and looks again. So a
//!    vote that arrives waits until the routine wakes.
//! 2. A node knows that a peer has a vote once it has sent it, or once the peer's announcement is there
//!    (HasVote; read from the peer's arrivals, a way back later).
//! 3. A proposal travels in parts of `part_kb`, each with its Merkle proof ([`parts`]): a node passes
//!    parts on before it has all of them, in random order.

mod parts;

use std::collections::VecDeque;

use surgetank_layer::message::Envelope;
use surgetank_layer::units::{MessageId, NEVER, NodeId, Ns};

use super::{Due, Wire};
use crate::host::Host;
use crate::scenario::Reactor as Settings;
use crate::seed::packet_bits;
use crate::waits::{self, Waits};
use parts::Blocks;

/// Routines begin to sleep at one of so many times within their sleep.
const PHASES: u64 = 1 << 10;

/// A routine of a node for one of its peers.
#[derive(Clone, Debug, Default)]
struct Routine {
    /// Since when it sleeps.
    since: Ns,
    /// Whether an event is due for it.
    is_due: bool,
}

impl Routine {
    /// When it looks again, if it sleeps in spans of this length.
    fn next(&self, now: Ns, sleep: Ns) -> Ns {
        match sleep {
            0 => now,
            _ => self.since + now.saturating_sub(self.since).div_ceil(sleep) * sleep,
        }
    }
}

/// A vote that a routine has not looked at.
#[derive(Clone, Copy, Debug)]
struct Offer {
    message: MessageId,
    /// Why the node has it.
    before: waits::Id,
}

/// The routines of all nodes.
pub(super) struct Reactor {
    sleep_ns: Ns,
    part_bytes: u32,
    votes: Vec<Routine>,
    offers: Vec<VecDeque<Offer>>,
    data: Vec<Routine>,
    /// Blocks of which the peer of a link may lack parts.
    wanted: Vec<Vec<MessageId>>,
    blocks: Blocks,
}

impl Reactor {
    /// Routines for this number of links; none if the settings ask for none. `key`: of their phases and
    /// of the order of parts.
    pub(super) fn new(settings: &Settings, links: usize, key: u64) -> Option<Reactor> {
        let Settings { sleep_ns, part_kb } = *settings;
        let phase = |link: usize| sleep_ns / PHASES * (packet_bits(key, link as u64) % PHASES);
        let asleep = |link| Routine { since: phase(link), is_due: false };
        (sleep_ns > 0 || part_kb > 0).then(|| Reactor {
            sleep_ns,
            part_bytes: part_kb * 1_000,
            votes: (0..links).map(asleep).collect(),
            offers: vec![VecDeque::new(); links],
            data: (links..2 * links).map(asleep).collect(),
            wanted: vec![Vec::new(); links],
            blocks: Blocks::new(key),
        })
    }
}

impl Wire {
    /// Whether votes and blocks are passed on peer by peer.
    #[inline]
    pub(super) fn has_reactor(&self) -> bool {
        self.reactor.is_some()
    }

    /// A node has a message of consensus that a peer may lack.
    pub(super) fn offer(
        &mut self,
        now: Ns,
        node: NodeId,
        link: u32,
        envelope: &Envelope,
        waits: Option<&mut Waits>,
    ) {
        let message = envelope.id;
        let before = waits.map_or(0, |waits| waits.sending(now, node, message));
        let to = self.links.graph.peers[link as usize];
        if self.in_parts(message) {
            return self.offer_block(now, (node, to), link, message, before);
        }
        let Some(reactor) = self.reactor.as_mut() else { return };
        reactor.offers[link as usize].push_back(Offer { message, before });
        self.waiting.insert((message, to));
        let routine = &mut reactor.votes[link as usize];
        if !routine.is_due {
            routine.is_due = true;
            self.due.push((routine.next(now, reactor.sleep_ns), Due::Votes(link)));
        }
    }

    /// A routine for votes looks at what its peer lacks.
    pub fn pass_votes(
        &mut self,
        now: Ns,
        link: u32,
        nodes: &[Host],
        mut waits: Option<&mut Waits>,
    ) {
        let Some(reactor) = self.reactor.as_mut() else { return };
        reactor.votes[link as usize] = Routine { since: now, is_due: false };
        let offers = std::mem::take(&mut reactor.offers[link as usize]);
        let (node, to) = self.ends(link);
        for Offer { message, before } in offers {
            self.waiting.remove(&(message, to));
            if !nodes[node as usize].is_up() || self.peer_has(now, message, node, to) {
                continue;
            }
            if let Some(waits) = waits.as_deref_mut() {
                waits.polled(now, node, before, true);
            }
            let envelope = self.envelope(message);
            let waits = waits.as_deref_mut();
            if let Some(at) = self.send_copy(now, node, link, &envelope, nodes, waits) {
                self.due.push((at, Due::Arrive { link, message }));
            }
        }
    }

    /// Whether a node knows that a peer has a message.
    fn peer_has(&self, now: Ns, message: MessageId, node: NodeId, peer: NodeId) -> bool {
        let at = self.arrival(message, peer);
        at != NEVER && at + self.links.delays.between(peer, node) <= now
    }

    /// A node has crashed: its routines have nothing to send, and the parts that it had are lost.
    pub(super) fn reactor_crashes(&mut self, node: NodeId) {
        let links = self.links.graph.links_of(node);
        let Some(reactor) = self.reactor.as_mut() else { return };
        for link in links {
            for offer in reactor.offers[link].drain(..) {
                self.waiting.remove(&(offer.message, self.links.graph.peers[link]));
            }
            reactor.wanted[link].clear();
        }
        reactor.blocks.forget(node);
    }
}
