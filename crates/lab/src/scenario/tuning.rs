//! `[layer.tuning]`: the controller of batch size, window, admission limit and lane weights.

use serde::{Deserialize, Serialize};
use surgetank_layer::tuning::{Bounds, Setting};
use surgetank_layer::units::Ns;

/// A controller and its hard bounds.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Tuning {
    /// The controller of the settings.
    pub controller: Controller,
    /// The sojourn to stay below.
    pub target_ns: Ns,
    /// Time between two decisions.
    pub interval_ns: Ns,
    /// Where settings may go.
    pub bounds: Bounds,
    /// The setting before the first decision; `None` where there are no blocks.
    pub start: Option<Setting>,
}

/// Controllers of the settings.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Controller {
    /// No controller: fixed settings.
    None,
    /// CoDel's law on the least sojourn.
    Sojourn,
    /// Netflix's Gradient2 on the admission limit.
    Gradient2,
    /// A class of the user's, handed to the run.
    Custom,
}
