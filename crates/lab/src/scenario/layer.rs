//! `[layer]`: how messages travel and are ordered.

use serde::{Deserialize, Serialize};
use surgetank_layer::gossip;
use surgetank_layer::node::Ordering;

use super::{Admission, Queue, Tuning};
use crate::host::Service;

/// The messaging layer of every node.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// The gossip protocol.
    pub gossip: gossip::Config,
    /// Admission control.
    pub admission: Admission,
    /// The queues before validation (ingress) and before ordering (mempool).
    pub queue: Queue,
    /// Controller of batch size, window, admission limit and lane weights.
    pub tuning: Tuning,
    /// Service times of messages.
    pub service: Service,
    /// Ordering protocol.
    pub consensus: Ordering,
}
