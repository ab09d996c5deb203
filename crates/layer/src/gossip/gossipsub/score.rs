//! The score of each neighbour: P1, P2, P3, P3b and P7 of the specification.
//!
//! ```text
//! score = min(w_t · (w₁P₁ + w₂P₂ + w₃P₃ + w₃ᵦP₃ᵦ), cap) + w₇ · max(0, P₇ − threshold)²
//! ```
//! P4 (invalid messages), P5 (of the application) and P6 (addresses) have no source here: messages
//! that fail validation are not sent by anybody, and nodes have no addresses.

use std::collections::{BTreeMap, BTreeSet};

use super::config::ScoreConfig;
use crate::units::{MessageId, Ns, Peer};

/// What is known of a neighbour.
#[derive(Clone, Debug, Default)]
struct Counters {
    /// When it came into the mesh; `None` = it is not in it.
    grafted: Option<Ns>,
    first_deliveries: f64,
    mesh_deliveries: f64,
    mesh_failures: f64,
    behaviour: f64,
}

/// A message whose copies may still count.
#[derive(Clone, Debug)]
struct Delivery {
    /// When its first copy was valid; `None` = not yet.
    valid: Option<Ns>,
    /// Who has delivered it.
    by: BTreeSet<Peer>,
}

/// The scores of a node's neighbours.
#[derive(Clone, Debug)]
pub struct Scores {
    config: ScoreConfig,
    peers: Vec<Counters>,
    deliveries: BTreeMap<MessageId, Delivery>,
    /// Messages by the time at which they were valid, for the end of their window.
    windows: BTreeSet<(Ns, MessageId)>,
    decayed: Ns,
}

impl Scores {
    /// Scores of so many neighbours: 0 each.
    pub fn new(config: ScoreConfig, degree: u32) -> Scores {
        Scores {
            config,
            peers: vec![Counters::default(); degree as usize],
            deliveries: BTreeMap::new(),
            windows: BTreeSet::new(),
            decayed: 0,
        }
    }

    /// The parameters.
    pub fn config(&self) -> &ScoreConfig {
        &self.config
    }

    /// The score of a neighbour.
    pub fn of(&self, now: Ns, peer: Peer) -> f64 {
        let (config, one) = (&self.config, &self.peers[peer as usize]);
        let mut topic = config.first_message_deliveries_weight * one.first_deliveries;
        if let Some(grafted) = one.grafted {
            let time = (now - grafted) as f64 / config.time_in_mesh_quantum_ns.max(1) as f64;
            topic += config.time_in_mesh_weight * time.min(config.time_in_mesh_cap);
        }
        topic += config.mesh_message_deliveries_weight * self.deficit(now, one);
        topic += config.mesh_failure_penalty_weight * one.mesh_failures;
        topic *= config.topic_weight;
        if config.topic_score_cap > 0.0 {
            topic = topic.min(config.topic_score_cap);
        }
        let excess = (one.behaviour - config.behaviour_penalty_threshold).max(0.0);
        topic + config.behaviour_penalty_weight * excess * excess
    }

    /// P3: the squared deficit of deliveries in the mesh, once it counts.
    fn deficit(&self, now: Ns, one: &Counters) -> f64 {
        let active = one.grafted.is_some_and(|grafted| {
            now - grafted > self.config.mesh_message_deliveries_activation_ns
        });
        let lacks = self.config.mesh_message_deliveries_threshold - one.mesh_deliveries;
        if active && lacks > 0.0 { lacks * lacks } else { 0.0 }
    }

    /// A neighbour comes into the mesh.
    pub fn grafts(&mut self, now: Ns, peer: Peer) {
        let one = &mut self.peers[peer as usize];
        one.grafted = Some(now);
        one.mesh_deliveries = 0.0;
    }

    /// It leaves the mesh; its deficit sticks (P3b).
    pub fn prunes(&mut self, now: Ns, peer: Peer) {
        let deficit = self.deficit(now, &self.peers[peer as usize]);
        let one = &mut self.peers[peer as usize];
        one.mesh_failures += deficit;
        one.grafted = None;
    }

    /// It broke a promise, or grafted during its backoff: P7.
    pub fn misbehaves(&mut self, peer: Peer, times: f64) {
        self.peers[peer as usize].behaviour += times;
    }

    /// The first copy of a message comes from a neighbour.
    pub fn first_copy(&mut self, message: MessageId, from: Peer) {
        let by = BTreeSet::from([from]);
        self.deliveries.insert(message, Delivery { valid: None, by });
    }

    /// The first copy is valid: its sender delivered first, and those who sent it meanwhile are near.
    pub fn validated(&mut self, now: Ns, message: MessageId, first: Peer) {
        let Some(delivery) = self.deliveries.get_mut(&message) else { return };
        delivery.valid = Some(now);
        let near: Vec<Peer> = delivery.by.iter().copied().collect();
        self.windows.insert((now, message));
        let cap = self.config.first_message_deliveries_cap;
        let one = &mut self.peers[first as usize];
        one.first_deliveries = (one.first_deliveries + 1.0).min(cap);
        near.into_iter().for_each(|peer| self.delivered_in_mesh(peer));
    }

    /// Another copy comes from a neighbour; it counts once, and within the window.
    pub fn copy(&mut self, now: Ns, message: MessageId, from: Peer) {
        let window = self.config.mesh_message_deliveries_window_ns;
        let Some(delivery) = self.deliveries.get_mut(&message) else { return };
        if !delivery.by.insert(from) {
            return;
        }
        if delivery.valid.is_some_and(|valid| now - valid <= window) {
            self.delivered_in_mesh(from);
        }
    }

    fn delivered_in_mesh(&mut self, peer: Peer) {
        let cap = self.config.mesh_message_deliveries_cap;
        let one = &mut self.peers[peer as usize];
        if one.grafted.is_some() {
            one.mesh_deliveries = (one.mesh_deliveries + 1.0).min(cap);
        }
    }

    /// Counters decay, and messages whose window is over are forgotten.
    pub fn refresh(&mut self, now: Ns) {
        let config = &self.config;
        while self.decayed + config.decay_interval_ns <= now && config.decay_interval_ns > 0 {
            self.decayed += config.decay_interval_ns;
            for one in &mut self.peers {
                for (counter, factor) in [
                    (&mut one.first_deliveries, config.first_message_deliveries_decay),
                    (&mut one.mesh_deliveries, config.mesh_message_deliveries_decay),
                    (&mut one.mesh_failures, config.mesh_failure_penalty_decay),
                    (&mut one.behaviour, config.behaviour_penalty_decay),
                ] {
                    *counter *= factor;
                    if *counter < config.decay_to_zero {
                        *counter = 0.0;
                    }
                }
            }
        }
        let window = config.mesh_message_deliveries_window_ns;
        while let Some(&(valid, message)) = self.windows.first() {
            if valid + window >= now {
                break;
            }
            self.windows.pop_first();
            self.deliveries.remove(&message);
        }
    }
}
