//! `[layer]`: how messages travel and are ordered.

use serde::{Deserialize, Serialize};
use surgetank_layer::gossip;
use surgetank_layer::node::Ordering;
use surgetank_layer::units::Ns;

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
    /// How nodes pass messages of consensus on.
    pub reactor: Reactor,
}

/// How nodes pass messages of consensus on to their peers.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Reactor {
    /// For how long a routine for a peer sleeps when it has nothing to send; 0 = not at all.
    pub sleep_ns: Ns,
    /// Size of the parts in which proposals travel, in kB; 0 = whole.
    pub part_kb: u32,
}
