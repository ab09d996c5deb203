//! `[layer.tuning]`: who sets batch size, window, admission limit and lane weights.

use serde::{Deserialize, Serialize};
use surgetank_layer::tuning::Bounds;
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
