//! All nodes make vertices, and anchors take turns: [`crate::consensus::dag`].

use serde::{Deserialize, Serialize};

use super::Engine;
use super::graph::{self, Graph};
use crate::consensus::dag::Anchors;
use crate::units::{NodeId, Ns, Round, Weight};

/// Times and sizes: those of a graph, and the timer.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// A validator's wait in a round before it makes its vertex.
    pub propose_wait_ns: Ns,
    /// How long a round waits for its anchor, or for that anchor's support, beyond that.
    pub timeout_round_ns: Ns,
    /// Most messages in a vertex.
    pub block_messages_max: u32,
    /// Most bytes in a vertex.
    pub block_bytes_max: u32,
    /// Rounds that are kept below the last decided anchor.
    pub depth_rounds: Round,
    /// A node asks for missing vertices after this long, and without progress sends its own again.
    pub rebroadcast_ns: Ns,
}

pub(super) fn engine(config: Config, id: NodeId, weights: &[Weight]) -> Box<dyn Engine> {
    let graph = graph::Config {
        propose_wait_ns: config.propose_wait_ns,
        block_messages_max: config.block_messages_max,
        block_bytes_max: config.block_bytes_max,
        depth_rounds: config.depth_rounds,
        rebroadcast_ns: config.rebroadcast_ns,
        coin_seed: 0,
    };
    Box::new(Graph::new(id, weights, Anchors::Turns(config.timeout_round_ns), graph))
}
