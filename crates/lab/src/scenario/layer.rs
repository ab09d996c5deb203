//! `[layer]`: how messages travel and are ordered.

use serde::{Deserialize, Serialize};
use surgetank_layer::gossip;
use surgetank_layer::node::AdaptiveTimeouts;
use surgetank_layer::units::Ns;

use super::{Admission, Queue, Tuning};
use crate::host::Service;

/// The messaging layer of every node.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// How messages spread.
    pub gossip: gossip::Config,
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
