//! `[layer.admission]`: admission control.

use serde::{Deserialize, Serialize};
use surgetank_layer::node;

/// The parts that gates, clients and the market need of it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Admission {
    /// Admission control of every node; `None` = everything is admitted.
    pub node: Option<node::Admission>,
    /// Clients' orders are void so many blocks after the last one they know; 0 = never.
    pub expires_blocks: u32,
    /// Requests that an account earns per USD traded, under quotas.
    pub earned_per_usd: Option<f64>,
}
