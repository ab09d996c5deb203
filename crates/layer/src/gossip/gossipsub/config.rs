//! Parameters, under the names of the specifications.

use serde::{Deserialize, Serialize};

use crate::units::Ns;

/// Parameters of the router.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GossipsubConfig {
    /// D: target number of mesh peers.
    pub d: u32,
    /// D_low: lower bound of the number of mesh peers.
    pub d_lo: u32,
    /// D_high: upper bound of the number of mesh peers.
    pub d_hi: u32,
    /// D_score: peers with the best scores that are kept when the mesh is too large.
    pub d_score: u32,
    /// D_lazy: least number of peers outside the mesh that receive IHAVE per heartbeat.
    pub d_lazy: u32,
    /// GossipFactor: share of the peers outside the mesh that receive IHAVE, at least `d_lazy`.
    pub gossip_factor: f64,
    /// heartbeat_interval, in ns.
    pub heartbeat_ns: Ns,
    /// mcache_len: heartbeat windows for which the message cache answers IWANT, at least 1.
    pub history_length: u32,
    /// mcache_gossip: heartbeat windows announced by IHAVE.
    pub history_gossip: u32,
    /// flood_publish: whether own messages go to all peers of sufficient score.
    pub flood_publish: bool,
    /// PruneBackoff: time during which a pruned peer is not grafted, in ns.
    pub prune_backoff_ns: Ns,
    /// OpportunisticGraftTicks: heartbeats between two opportunistic grafts; 0 = never.
    pub opportunistic_graft_ticks: u32,
    /// OpportunisticGraftPeers: peers grafted then.
    pub opportunistic_graft_peers: u32,
    /// GraftFloodThreshold: a GRAFT so soon after a PRUNE is penalised twice, in ns.
    pub graft_flood_threshold_ns: Ns,
    /// IWantFollowupTime: time within which a requested message is to come, in ns.
    pub iwant_followup_ns: Ns,
    /// MaxIHaveLength: most message numbers requested of a peer per heartbeat, and sent in an IHAVE.
    pub max_ihave_length: u32,
    /// MaxIHaveMessages: most IHAVE considered of a peer per heartbeat.
    pub max_ihave_messages: u32,
    /// GossipRetransmission: how often a message is sent to one peer that requests it.
    pub gossip_retransmission: u32,
    /// v1.2: messages of at least so many bytes are announced by IDONTWANT; 0 = none.
    pub idontwant_bytes: u32,
    /// Peer scoring; `None`: all scores are 0.
    pub score: Option<ScoreConfig>,
}

/// Parameters of the score function, of one topic.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreConfig {
    /// Weight of the topic.
    pub topic_weight: f64,
    /// TopicScoreCap: greatest contribution of the topic; 0 = none.
    pub topic_score_cap: f64,
    /// P1: weight of the time in the mesh.
    pub time_in_mesh_weight: f64,
    /// P1: unit of that time, in ns.
    pub time_in_mesh_quantum_ns: Ns,
    /// P1: its greatest value, in units.
    pub time_in_mesh_cap: f64,
    /// P2: weight of messages that a peer was the first to deliver.
    pub first_message_deliveries_weight: f64,
    /// P2: factor on the counter per decay interval.
    pub first_message_deliveries_decay: f64,
    /// P2: greatest value of the counter.
    pub first_message_deliveries_cap: f64,
    /// P3: weight of the squared deficit of messages delivered in the mesh; at most 0.
    pub mesh_message_deliveries_weight: f64,
    /// P3: factor on the counter per decay interval.
    pub mesh_message_deliveries_decay: f64,
    /// P3: greatest value of the counter.
    pub mesh_message_deliveries_cap: f64,
    /// P3: value below which there is a deficit.
    pub mesh_message_deliveries_threshold: f64,
    /// P3: time after the validation of the first copy in which another one counts, in ns.
    pub mesh_message_deliveries_window_ns: Ns,
    /// P3: time in the mesh from which a deficit counts, in ns.
    pub mesh_message_deliveries_activation_ns: Ns,
    /// P3b: weight of deficits of peers that were pruned; at most 0.
    pub mesh_failure_penalty_weight: f64,
    /// P3b: factor on it per decay interval.
    pub mesh_failure_penalty_decay: f64,
    /// P7: weight of the squared excess of misbehaviour; at most 0.
    pub behaviour_penalty_weight: f64,
    /// P7: misbehaviour that is forgiven.
    pub behaviour_penalty_threshold: f64,
    /// P7: factor on the counter per decay interval.
    pub behaviour_penalty_decay: f64,
    /// Interval of the decays, in ns.
    pub decay_interval_ns: Ns,
    /// Value below which a counter becomes 0.
    pub decay_to_zero: f64,
    /// Below it a peer receives and sends no gossip (IHAVE, IWANT).
    pub gossip_threshold: f64,
    /// Below it a peer receives no flooded message.
    pub publish_threshold: f64,
    /// Below it everything from a peer is ignored.
    pub graylist_threshold: f64,
    /// Median score of the mesh below which peers are grafted opportunistically.
    pub opportunistic_graft_threshold: f64,
}
