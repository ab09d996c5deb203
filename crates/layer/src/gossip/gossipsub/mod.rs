//! gossipsub v1.1 with peer scoring, and IDONTWANT of v1.2.
//!
//! # Rules
//! 1. A node scores its neighbours by what they do ([`Scores`]); one of negative score is not in its
//!    mesh, and below thresholds it gets no gossip, no flooded message, and no hearing.
//! 2. A mesh of D_lo to D_hi peers; with too many, the D_score best and random others are kept. With
//!    a poor median score, better peers are grafted in addition (opportunistic grafting).
//! 3. GRAFT and PRUNE notify the other side; a pruned peer waits for the backoff, and grafting before
//!    its end is misbehaviour.
//! 4. At each heartbeat, peers outside the mesh receive the recent message numbers (IHAVE): a share
//!    of them, D_lazy at least. Who announces a message and does not send it breaks a promise.
//! 5. Who has received a large message says so to its mesh (IDONTWANT), and is not sent it again.
//!
//! # Theory of operation
//! A neighbour in the mesh that passes nothing on costs its place there. Its score falls behind those
//! that deliver first (P2), and below zero where deliveries are missed (P3); it is pruned, and a better
//! one is grafted. Scores are a node's own, so a sybil has to serve each neighbour that it deceives.
//!
//! # Source
//! libp2p/specs, pubsub/gossipsub, gossipsub-v1.1.md and gossipsub-v1.2.md; constants of
//! go-libp2p-pubsub.
//!
//! # Departures from the specification
//! One topic; no explicit peers, no peer exchange, no outbound quota (D_out), as connections have no
//! direction here. PRUNE carries no backoff: all nodes have the same. A message counts as seen when
//! it arrives, even if its node then has no room for it. A restarted node still has its mesh.

mod cache;
mod config;
mod heartbeat;
mod promises;
mod score;

use std::collections::{BTreeMap, BTreeSet};

use super::{Frame, Input, Output, SeenCache};
use crate::machine::{Draws, Machine};
use crate::message::Envelope;
use crate::units::{MessageId, Ns, Peer};

use cache::MessageCache;
pub use config::{GossipsubConfig, ScoreConfig};
pub use promises::Promises;
pub use score::Scores;

/// Heartbeats for which an IDONTWANT holds (go-libp2p-pubsub).
const IDONTWANT_BEATS: u64 = 3;

/// The gossipsub machine of one node.
#[derive(Clone, Debug)]
pub struct Gossipsub {
    config: GossipsubConfig,
    degree: u32,
    mesh: BTreeSet<Peer>,
    /// Time until which a peer is refused; peers with an entry are not grafted.
    backoff: BTreeMap<Peer, Ns>,
    seen: SeenCache,
    cache: MessageCache,
    scores: Option<Scores>,
    promises: Promises,
    /// Of each peer since the last heartbeat: IHAVE considered, and numbers requested.
    heard: BTreeMap<Peer, (u32, u32)>,
    /// Messages that peers do not want, with the heartbeat until which that holds.
    unwanted: BTreeMap<(Peer, MessageId), u64>,
    beats: u64,
}

impl Gossipsub {
    /// A node with `degree` neighbours and an empty mesh.
    ///
    /// # Panics
    /// If the heartbeat or the history is 0.
    pub fn new(config: GossipsubConfig, degree: u32) -> Gossipsub {
        assert!(
            config.heartbeat_ns > 0 && config.history_length > 0,
            "gossipsub: heartbeat_ns and history_length must be at least 1",
        );
        Gossipsub {
            scores: config.score.clone().map(|score| Scores::new(score, degree)),
            config,
            degree,
            mesh: BTreeSet::new(),
            backoff: BTreeMap::new(),
            seen: SeenCache::default(),
            cache: MessageCache::default(),
            promises: Promises::default(),
            heard: BTreeMap::new(),
            unwanted: BTreeMap::new(),
            beats: 0,
        }
    }

    pub(super) fn has_seen(&self, id: MessageId) -> bool {
        self.seen.contains(id)
    }

    /// Mesh peers, in order.
    pub fn mesh(&self) -> impl Iterator<Item = Peer> {
        self.mesh.iter().copied()
    }

    /// Score of a neighbour; 0 without scoring.
    pub fn score(&self, now: Ns, peer: Peer) -> f64 {
        self.scores.as_ref().map_or(0.0, |scores| scores.of(now, peer))
    }

    /// Whether a neighbour's score is below one of the thresholds.
    fn is_below(&self, now: Ns, peer: Peer, threshold: impl Fn(&ScoreConfig) -> f64) -> bool {
        self.scores.as_ref().is_some_and(|s| s.of(now, peer) < threshold(s.config()))
    }

    fn add(&mut self, now: Ns, peer: Peer) {
        if self.mesh.insert(peer)
            && let Some(scores) = &mut self.scores
        {
            scores.grafts(now, peer);
        }
    }

    fn remove(&mut self, now: Ns, peer: Peer) {
        if self.mesh.remove(&peer)
            && let Some(scores) = &mut self.scores
        {
            scores.prunes(now, peer);
        }
    }

    fn prune(&mut self, now: Ns, to: Peer, outbox: &mut Vec<Output>) {
        self.remove(now, to);
        self.backoff.insert(to, now + self.config.prune_backoff_ns);
        outbox.push(Output::Send { to, frame: Frame::Prune });
    }

    fn misbehaves(&mut self, peer: Peer, times: f64) {
        self.scores.iter_mut().for_each(|scores| scores.misbehaves(peer, times));
    }

    fn receive(
        &mut self,
        now: Ns,
        from: Peer,
        frame: Frame,
        draws: &mut dyn Draws,
        outbox: &mut Vec<Output>,
    ) {
        if self.is_below(now, from, |score| score.graylist_threshold) {
            return;
        }
        match frame {
            Frame::Message(envelope) => self.hear(now, from, envelope, outbox),
            Frame::Graft => self.grafted(now, from, outbox),
            Frame::Prune => {
                self.remove(now, from);
                self.backoff.insert(from, now + self.config.prune_backoff_ns);
            }
            Frame::IHave(ids) => self.announced(now, from, &ids, draws, outbox),
            Frame::IWant(ids) => self.requested(now, from, ids, outbox),
            Frame::IDontWant(ids) => {
                let until = self.beats + IDONTWANT_BEATS;
                self.unwanted.extend(ids.into_iter().map(|id| ((from, id), until)));
            }
        }
    }

    fn hear(&mut self, now: Ns, from: Peer, envelope: Envelope, outbox: &mut Vec<Output>) {
        self.promises.arrives(envelope.id);
        if !self.seen.insert(envelope.id) {
            self.scores.iter_mut().for_each(|scores| scores.copy(now, envelope.id, from));
            return;
        }
        self.scores.iter_mut().for_each(|scores| scores.first_copy(envelope.id, from));
        let least = self.config.idontwant_bytes;
        if least > 0 && envelope.size_bytes >= least {
            for &to in self.mesh.iter().filter(|&&peer| peer != from) {
                outbox.push(Output::Send { to, frame: Frame::IDontWant(vec![envelope.id]) });
            }
        }
        outbox.push(Output::Validate { envelope, from });
    }

    fn grafted(&mut self, now: Ns, from: Peer, outbox: &mut Vec<Output>) {
        if self.mesh.contains(&from) {
            return;
        }
        if let Some(&until) = self.backoff.get(&from)
            && until > now
        {
            let pruned = until.saturating_sub(self.config.prune_backoff_ns);
            let soon = now < pruned + self.config.graft_flood_threshold_ns;
            self.misbehaves(from, if soon { 2.0 } else { 1.0 });
            return self.prune(now, from, outbox);
        }
        let full = self.mesh.len() >= self.config.d_hi as usize;
        if full || self.score(now, from) < 0.0 {
            return self.prune(now, from, outbox);
        }
        self.add(now, from);
    }

    /// IHAVE: those that are lacked are requested, within the limits; the peer promises one of them.
    fn announced(
        &mut self,
        now: Ns,
        from: Peer,
        ids: &[MessageId],
        draws: &mut dyn Draws,
        outbox: &mut Vec<Output>,
    ) {
        if self.is_below(now, from, |score| score.gossip_threshold) {
            return;
        }
        let (considered, asked) = self.heard.entry(from).or_default();
        *considered += 1;
        let most = self.config.max_ihave_length;
        if *considered > self.config.max_ihave_messages || *asked >= most {
            return;
        }
        let left = (most - *asked) as usize;
        let lacked = ids.iter().copied().filter(|&id| !self.seen.contains(id));
        let wanted: Vec<MessageId> = lacked.take(left).collect();
        *asked += wanted.len() as u32;
        if wanted.is_empty() {
            return;
        }
        let promised = wanted[draws.below(wanted.len() as u64) as usize];
        self.promises.ask(promised, from, now + self.config.iwant_followup_ns);
        outbox.push(Output::Send { to: from, frame: Frame::IWant(wanted) });
    }

    fn requested(&mut self, now: Ns, from: Peer, ids: Vec<MessageId>, outbox: &mut Vec<Output>) {
        if self.is_below(now, from, |score| score.gossip_threshold) {
            return;
        }
        for id in ids {
            let most = self.config.gossip_retransmission;
            if let Some(envelope) = self.cache.requested(id, from, most) {
                outbox.push(Output::Send { to: from, frame: Frame::Message(envelope) });
            }
        }
    }

    fn relay(&mut self, envelope: Envelope, except: Option<Peer>, outbox: &mut Vec<Output>) {
        self.cache.put(envelope);
        let id = envelope.id;
        for &to in &self.mesh {
            if Some(to) != except && !self.unwanted.contains_key(&(to, id)) {
                outbox.push(Output::Send { to, frame: Frame::Message(envelope) });
            }
        }
    }

    fn publish(&mut self, now: Ns, envelope: Envelope, outbox: &mut Vec<Output>) {
        self.seen.insert(envelope.id);
        if !self.config.flood_publish {
            return self.relay(envelope, None, outbox);
        }
        self.cache.put(envelope);
        for to in 0..self.degree {
            if !self.is_below(now, to, |score| score.publish_threshold) {
                outbox.push(Output::Send { to, frame: Frame::Message(envelope) });
            }
        }
    }
}

impl Machine for Gossipsub {
    type Input = Input;
    type Output = Output;

    fn step(&mut self, now: Ns, input: Input, draws: &mut dyn Draws, outbox: &mut Vec<Output>) {
        match input {
            // The mesh is built at the first heartbeat, after a random part of the interval.
            Input::Start => {
                outbox.push(Output::HeartbeatAt(now + 1 + draws.below(self.config.heartbeat_ns)));
            }
            Input::Heartbeat => self.heartbeat(now, draws, outbox),
            Input::Receive { from, frame } => self.receive(now, from, frame, draws, outbox),
            Input::Validated { envelope, from } => {
                let scores = self.scores.iter_mut();
                scores.for_each(|scores| scores.validated(now, envelope.id, from));
                self.relay(envelope, Some(from), outbox);
            }
            Input::Publish(envelope) => self.publish(now, envelope, outbox),
        }
    }
}
