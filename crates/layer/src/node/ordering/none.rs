//! No ordering: messages are only validated and spread.

use serde::{Deserialize, Serialize};

use super::{Engine, EngineLog, Input, Output};
use crate::machine::Draws;
use crate::units::{Digest, Height, NodeId, Ns, Weight};

/// There is nothing to configure.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {}

pub(super) fn engine(_config: Config, _id: NodeId, _weights: &[Weight]) -> Box<dyn Engine> {
    Box::new(NoOrdering)
}

/// The engine that orders nothing.
#[derive(Clone, Copy, Debug)]
pub struct NoOrdering;

impl Engine for NoOrdering {
    fn step(&mut self, _now: Ns, _input: Input, _draws: &mut dyn Draws, _out: &mut Vec<Output>) {}

    fn into_log(self: Box<Self>) -> Option<EngineLog> {
        None
    }

    fn resume(&mut self, _log: Option<EngineLog>, _height: Height, _hash: Digest) {}

    fn proposes(&self) -> bool {
        false
    }

    /// There are no blocks to ask for.
    fn answer_ns(&self) -> Ns {
        Ns::MAX
    }
}
