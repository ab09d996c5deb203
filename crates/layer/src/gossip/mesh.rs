//! gossipsub v1.1: eager push over a random mesh of degree D, with lazy gossip (IHAVE, IWANT) for
//! repair.
//!
//! # Rules
//! 1. Messages go to mesh peers; a node keeps between D_lo and D_hi of them.
//! 2. Mesh links are symmetric: GRAFT and PRUNE notify the other side.
//! 3. At each heartbeat, D_lazy peers outside the mesh receive the recent message numbers (IHAVE);
//!    they request missing messages (IWANT), which are sent from the message cache.
//! 4. A peer that was pruned, or pruned this node, is refused until the backoff has passed, and
//!    grafted a heartbeat later, as the other side counts from the arrival of PRUNE.
//!
//! # Theory of operation
//! Mesh links carry whole messages, so a message takes about log N / log D hops and each node gets
//! between D/2 and D copies. All other links carry only message numbers. A message lost in the mesh
//! arrives a heartbeat and a round trip later, if a peer that sent IHAVE has it.
//!
//! # Source
//! libp2p/specs, pubsub/gossipsub, gossipsub-v1.0.md and gossipsub-v1.1.md.
//!
//! # Departures from the specification
//! One topic. No peer scoring, and therefore no opportunistic grafting, no D_score, no outbound quota
//! (D_out), no explicit peers, no peer exchange. Fanout is not needed: every node subscribes. A node
//! that joins grafts at its first heartbeat, which comes after a random part of the interval, so
//! nodes are not in step. Bounded outbound queues lie in the links.
//!
//! - IHAVE goes to D_lazy peers as in v1.0, without v1.1's gossip factor (at least a quarter of all
//!   peers): with more than 4 · D_lazy peers outside the mesh, repair is slower than it would be.
//! - PRUNE carries no backoff: all nodes have the same.
//! - Every IWANT is answered. Requests are limited per node (`iwant_max`), not per peer; IWANT
//!   promises are not tracked.
//! - A message counts as seen when it arrives, even if its node then has no room for it.
//! - A node that restarts still has its mesh: connections outlive the crash.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::{Frame, Input, Output, SeenCache, sample};
use crate::machine::{Draws, Machine};
use crate::message::Envelope;
use crate::units::{MessageId, Ns, Peer, SECOND};

/// Parameters, under the names of the specification.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MeshConfig {
    /// D: target number of mesh peers.
    pub d: u32,
    /// D_low: lower bound of the number of mesh peers.
    pub d_lo: u32,
    /// D_high: upper bound of the number of mesh peers.
    pub d_hi: u32,
    /// D_lazy: peers outside the mesh that receive IHAVE per heartbeat.
    pub d_lazy: u32,
    /// heartbeat_interval, in ns.
    pub heartbeat_ns: Ns,
    /// mcache_len: heartbeat windows for which the message cache answers IWANT, at least 1.
    pub history_length: u32,
    /// mcache_gossip: heartbeat windows announced by IHAVE.
    pub history_gossip: u32,
    /// flood_publish: whether own messages go to all peers, not only the mesh.
    pub flood_publish: bool,
    /// Time during which a pruned peer is not grafted; 0 = v1.0's rules, which have no backoff
    /// and accept every GRAFT.
    pub prune_backoff_ns: Ns,
    /// Greatest number of messages requested by IWANT between two heartbeats.
    #[serde(skip, default = "iwant_max")]
    pub iwant_max: u32,
}

/// libp2p's own limit.
fn iwant_max() -> u32 {
    5_000
}

impl Default for MeshConfig {
    /// The specification's defaults.
    fn default() -> MeshConfig {
        MeshConfig {
            d: 6,
            d_lo: 4,
            d_hi: 12,
            d_lazy: 6,
            heartbeat_ns: SECOND,
            history_length: 5,
            history_gossip: 3,
            flood_publish: false,
            prune_backoff_ns: 60 * SECOND,
            iwant_max: iwant_max(),
        }
    }
}

/// The gossipsub machine of one node.
#[derive(Clone, Debug)]
pub struct Mesh {
    config: MeshConfig,
    degree: u32,
    mesh: BTreeSet<Peer>,
    /// Time until which a peer is refused; peers with an entry are not grafted.
    backoff: BTreeMap<Peer, Ns>,
    seen: SeenCache,
    /// Messages requested by IWANT since the last heartbeat.
    requested: BTreeSet<MessageId>,
    /// The message cache: windows, newest first.
    history: VecDeque<Vec<Envelope>>,
}

impl Mesh {
    /// A node with `degree` neighbours and an empty mesh.
    ///
    /// # Panics
    /// If the heartbeat or the history is 0.
    pub fn new(config: MeshConfig, degree: u32) -> Mesh {
        assert!(
            config.heartbeat_ns > 0 && config.history_length > 0,
            "mesh: heartbeat_ns and history_length must be at least 1",
        );
        Mesh {
            config,
            degree,
            mesh: BTreeSet::new(),
            backoff: BTreeMap::new(),
            seen: SeenCache::default(),
            requested: BTreeSet::new(),
            history: VecDeque::from([Vec::new()]),
        }
    }

    pub(super) fn has_seen(&self, id: MessageId) -> bool {
        self.seen.contains(id)
    }

    /// Mesh peers, in order.
    pub fn mesh(&self) -> impl Iterator<Item = Peer> {
        self.mesh.iter().copied()
    }

    /// The mesh is built at the first heartbeat.
    fn start(&self, now: Ns, draws: &mut dyn Draws, outbox: &mut Vec<Output>) {
        outbox.push(Output::HeartbeatAt(now + 1 + draws.below(self.config.heartbeat_ns)));
    }

    /// Fills the mesh up to D.
    fn graft(&mut self, draws: &mut dyn Draws, outbox: &mut Vec<Output>) {
        let missing = (self.config.d as usize).saturating_sub(self.mesh.len());
        let free = |peer| !self.mesh.contains(&peer) && !self.backoff.contains_key(&peer);
        for to in sample(self.degree, missing, draws, free) {
            self.mesh.insert(to);
            outbox.push(Output::Send { to, frame: Frame::Graft });
        }
    }

    fn prune(&mut self, now: Ns, to: Peer, outbox: &mut Vec<Output>) {
        self.mesh.remove(&to);
        self.backoff.insert(to, now + self.config.prune_backoff_ns);
        outbox.push(Output::Send { to, frame: Frame::Prune });
    }

    fn heartbeat(&mut self, now: Ns, draws: &mut dyn Draws, outbox: &mut Vec<Output>) {
        // The specification asks for some slack; v1.0 has no backoff.
        let slack = if self.config.prune_backoff_ns > 0 { self.config.heartbeat_ns } else { 0 };
        self.backoff.retain(|_, until| until.saturating_add(slack) > now);
        if self.mesh.len() < self.config.d_lo as usize {
            self.graft(draws, outbox);
        } else if self.mesh.len() > self.config.d_hi as usize {
            let excess = self.mesh.len() - self.config.d as usize;
            for to in sample(self.degree, excess, draws, |peer| self.mesh.contains(&peer)) {
                self.prune(now, to, outbox);
            }
        }
        let announced = self.config.history_gossip as usize;
        let ids: Vec<MessageId> =
            self.history.iter().take(announced).flatten().map(|envelope| envelope.id).collect();
        if !ids.is_empty() {
            let lazy = self.config.d_lazy as usize;
            for to in sample(self.degree, lazy, draws, |peer| !self.mesh.contains(&peer)) {
                outbox.push(Output::Send { to, frame: Frame::IHave(ids.clone()) });
            }
        }
        self.requested.clear();
        self.history.push_front(Vec::new());
        self.history.truncate(self.config.history_length as usize);
        outbox.push(Output::HeartbeatAt(now + self.config.heartbeat_ns));
    }

    fn receive(&mut self, now: Ns, from: Peer, frame: Frame, outbox: &mut Vec<Output>) {
        match frame {
            Frame::Message(envelope) => {
                if self.seen.insert(envelope.id) {
                    outbox.push(Output::Validate { envelope, from });
                }
            }
            Frame::Graft => {
                let backing_off = self.backoff.get(&from).is_some_and(|&until| until > now);
                let is_full = self.mesh.len() >= self.config.d_hi as usize
                    && self.config.prune_backoff_ns > 0;
                if self.mesh.contains(&from) {
                } else if backing_off || is_full {
                    self.prune(now, from, outbox);
                } else {
                    self.mesh.insert(from);
                }
            }
            Frame::Prune => {
                self.mesh.remove(&from);
                self.backoff.insert(from, now + self.config.prune_backoff_ns);
            }
            Frame::IHave(ids) => {
                let left = (self.config.iwant_max as usize).saturating_sub(self.requested.len());
                let wanted: Vec<MessageId> = ids
                    .into_iter()
                    .filter(|&id| !self.seen.contains(id) && self.requested.insert(id))
                    .take(left)
                    .collect();
                if !wanted.is_empty() {
                    outbox.push(Output::Send { to: from, frame: Frame::IWant(wanted) });
                }
            }
            Frame::IDontWant(_) => {}
            Frame::IWant(ids) => {
                let wanted: BTreeSet<MessageId> = ids.into_iter().collect();
                for envelope in self.history.iter().flatten().filter(|e| wanted.contains(&e.id)) {
                    let frame = Frame::Message(*envelope);
                    outbox.push(Output::Send { to: from, frame });
                }
            }
        }
    }

    fn relay(&mut self, envelope: Envelope, except: Option<Peer>, outbox: &mut Vec<Output>) {
        self.history[0].push(envelope);
        for &to in self.mesh.iter().filter(|&&peer| Some(peer) != except) {
            outbox.push(Output::Send { to, frame: Frame::Message(envelope) });
        }
    }
}

impl Machine for Mesh {
    type Input = Input;
    type Output = Output;

    fn step(&mut self, now: Ns, input: Input, draws: &mut dyn Draws, outbox: &mut Vec<Output>) {
        match input {
            Input::Start => self.start(now, draws, outbox),
            Input::Heartbeat => self.heartbeat(now, draws, outbox),
            Input::Receive { from, frame } => self.receive(now, from, frame, outbox),
            Input::Validated { envelope, from } => self.relay(envelope, Some(from), outbox),
            Input::Publish(envelope) => {
                self.seen.insert(envelope.id);
                if self.config.flood_publish {
                    self.history[0].push(envelope);
                    outbox.push(Output::Forward { envelope, except: None });
                } else {
                    self.relay(envelope, None, outbox);
                }
            }
        }
    }
}
