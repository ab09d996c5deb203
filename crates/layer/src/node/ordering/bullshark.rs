//! All nodes make vertices, and anchors take turns: [`crate::consensus::dag`].

use super::Engine;
use super::graph::Graph;
use crate::consensus::dag::Anchors;
use crate::units::{NodeId, Weight};

pub use super::graph::Config;

pub(super) fn engine(config: Config, id: NodeId, weights: &[Weight]) -> Box<dyn Engine> {
    Box::new(Graph::new(id, weights, Anchors::Turns(config.timeout_round_ns), config))
}
