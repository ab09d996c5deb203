//! `[layer]`: how messages travel and are ordered.

use serde::{Deserialize, Serialize};
use surgetank_layer::units::Ns;

use super::{AdaptiveTimeouts, Admission, Queue, Tuning};

/// The messaging layer of every node.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// How messages spread.
    pub gossip: Gossip,
    /// Who is let in.
    pub admission: Admission,
    /// How they wait, before validation (ingress) and before ordering (mempool).
    pub queue: Queue,
    /// Who sets batch size, window, admission limit and lane weights.
    pub tuning: Tuning,
    /// How long a node works on one.
    pub service: Service,
    /// Who orders them.
    pub consensus: Consensus,
}

/// How messages spread from node to node.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Gossip {
    /// The gateway sends straight to the sequencer, the sequencer straight to every node.
    Direct {},
    /// To every neighbour but the one it came from, after validation.
    Flood {},
    /// gossipsub v1.1.
    Mesh {
        /// D
        d: u32,
        /// D_low
        d_lo: u32,
        /// D_high
        d_hi: u32,
        /// D_lazy
        d_lazy: u32,
        /// Heartbeat interval.
        heartbeat_ns: Ns,
        /// mcache_len
        history_length: u32,
        /// mcache_gossip
        history_gossip: u32,
        /// Own messages go to all peers, not only the mesh.
        flood_publish: bool,
        /// Time during which a pruned peer is not grafted; 0 = gossipsub v1.0's rules.
        prune_backoff_ns: Ns,
    },
}

/// A class of client messages, as scenarios name it.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum ClassName {
    /// PriceUpdate
    PriceUpdate,
    /// LiquidationOrder
    LiquidationOrder,
    /// OrderCancelRequest
    Cancel,
    /// OrderCancelReplaceRequest
    Replace,
    /// NewOrderSingle
    Order,
}

/// How long a node works on a message. Validation and execution have servers of their own.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Validation servers (CPUs) per node.
    pub servers: u32,
    /// Mean validation time by class.
    pub validation: ClassTimes,
    /// Mean execution time by class.
    pub execution: ClassTimes,
    /// Distribution of both around their mean.
    pub distribution: Distribution,
}

/// Mean times by class.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ClassTimes {
    /// PriceUpdate
    pub price_update_ns: Ns,
    /// LiquidationOrder
    pub liquidation_order_ns: Ns,
    /// OrderCancelRequest
    pub cancel_ns: Ns,
    /// OrderCancelReplaceRequest
    pub replace_ns: Ns,
    /// NewOrderSingle
    pub order_ns: Ns,
    /// Proposal (per proposal; its messages are charged by their own class at execution)
    pub proposal_ns: Ns,
    /// Vote
    pub vote_ns: Ns,
}

/// Distribution of a service time around its mean.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Distribution {
    /// Always the mean (M/D/1).
    Fixed {},
    /// Exponential (M/M/1).
    Exponential {},
    /// Log-normal with this coefficient of variation.
    Lognormal {
        /// Standard deviation over mean.
        cv: f64,
    },
    /// Two exponentials with balanced means and this coefficient of variation (≥ 1).
    Hyperexponential {
        /// Standard deviation over mean.
        cv: f64,
    },
}

/// Who orders messages.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Consensus {
    /// Nobody: messages only spread (propagation studies).
    None {},
    /// One node orders, the others follow.
    Single {
        /// The sequencing node.
        node: u32,
        /// A batch closes after this long; 0 = at once.
        window_ns: Ns,
        /// ... or at this many messages.
        block_messages_max: u32,
        /// ... or at this many bytes.
        block_bytes_max: u32,
    },
    /// Tendermint (arXiv 1807.04938) among all nodes, equal weights.
    Tendermint {
        /// Wait after a decision before the next height.
        timeout_commit_ns: Ns,
        /// timeoutPropose(0)
        timeout_propose_ns: Ns,
        /// Growth per round.
        timeout_propose_delta_ns: Ns,
        /// timeoutPrevote(0) and timeoutPrecommit(0)
        timeout_vote_ns: Ns,
        /// Growth per round.
        timeout_vote_delta_ns: Ns,
        /// Most messages in a block.
        block_messages_max: u32,
        /// Most bytes in a block.
        block_bytes_max: u32,
        /// A node without progress for this long sends its latest proposal and votes again.
        rebroadcast_ns: Ns,
        /// Whether block time and timeouts follow the measured congestion.
        adaptive: bool,
        /// How far, if they do.
        adaptive_timeouts: AdaptiveTimeouts,
    },
}
