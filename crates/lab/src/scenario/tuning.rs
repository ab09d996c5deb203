//! `[layer.tuning]`: who sets batch size, window, admission limit and lane weights; and how far
//! adaptive consensus goes.

use serde::{Deserialize, Serialize};
use surgetank_layer::units::Ns;

/// A controller and its hard bounds.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Tuning {
    /// Who decides.
    pub controller: Controller,
    /// The sojourn to stay below.
    pub target_ns: Ns,
    /// Time between two decisions.
    pub interval_ns: Ns,
    /// Where settings may go.
    pub bounds: Bounds,
}

/// Who decides.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Controller {
    /// Nobody.
    None,
    /// CoDel's law on the least sojourn.
    Sojourn,
    /// Netflix's Gradient2 on the admission limit.
    Gradient2,
    /// A class of the user's, handed to the run.
    Custom,
}

/// Where settings may go.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// Messages in a batch, at least.
    pub batch_least: u32,
    /// ... and at most.
    pub batch_most: u32,
    /// Window of a batch, at least.
    pub window_least_ns: Ns,
    /// ... and at most.
    pub window_most_ns: Ns,
    /// Admission limit, at least.
    pub limit_least: u32,
    /// ... and at most.
    pub limit_most: u32,
    /// Weight of a lane, at least.
    pub weight_least: u8,
    /// ... and at most.
    pub weight_most: u8,
}

/// How far adaptive consensus goes.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct AdaptiveTimeouts {
    /// The wait after a decision, at least.
    pub commit_least_ns: Ns,
    /// ... and at most.
    pub commit_most_ns: Ns,
    /// timeoutPropose(0), at least.
    pub propose_least_ns: Ns,
    /// ... and at most.
    pub propose_most_ns: Ns,
    /// Work that waits for so long throttles by criticality; 0 = never.
    pub throttle_ns: Ns,
}
