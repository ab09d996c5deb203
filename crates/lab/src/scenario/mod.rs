//! The resolved scenario, as it crosses from Python.
//!
//! Python owns scenario files: presets, defaults, ranges, what fits together. It passes JSON with
//! all defaults resolved, spans in nanoseconds. One word per section: the TOML table, the pydantic
//! class and the file here have the same name. What is read here is neither checked nor changed;
//! `tests/scenario/test_core_schema.py` compares keys, types and limits of both sides.

mod admission;
mod attack;
mod flow;
mod kinded;
mod layer;
mod market;
mod network;
mod queue;
mod tuning;

pub use admission::*;
pub use attack::*;
pub use flow::*;
pub use kinded::Kinded;
pub use layer::*;
pub use market::*;
pub use network::*;
pub use queue::*;
pub use tuning::*;

use serde::{Deserialize, Serialize};
use surgetank_layer::units::{Ns, nearest, ns};

/// A whole scenario. Sections are in the order in which a message passes them.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Name, part of the run's name.
    pub name: String,
    /// Length of the run during which flow arrives.
    pub duration_s: f64,
    /// Start of the measured window.
    pub warmup_s: f64,
    /// Extra time after the last arrival in which messages in flight may finish.
    pub drain_s: f64,
    /// Senders of messages.
    pub flow: Flow,
    /// Nodes, topology, delays and losses.
    pub network: Network,
    /// The messaging layer of every node.
    pub layer: Layer,
    /// The market on which messages are executed; without it their content is not read.
    pub market: Option<Market>,
    /// The faults and their times.
    pub faults: Vec<Fault>,
    /// The kind of attack and its settings.
    pub attack: Attack,
    /// What is recorded.
    pub trace: Trace,
}

/// What is recorded.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    /// Keep the first arrival at every node of every n-th client message; 0 keeps none.
    pub receipts_every: u32,
    /// Interval of the gauges (queue lengths, backlogs); 0 keeps none.
    pub gauge_ns: Ns,
}

impl Scenario {
    /// Reads a scenario from JSON.
    ///
    /// # Errors
    /// Names the key and what is wrong with it.
    pub fn from_json(text: &str) -> Result<Scenario, String> {
        serde_json::from_str(text).map_err(|e| format!("scenario: {e}"))
    }

    /// The scenario as JSON, with the keys that `from_json` read.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("tables with text for keys are JSON")
    }

    /// From when on messages are measured.
    pub fn measured_from_ns(&self) -> Ns {
        ms(self.warmup_s * 1e3)
    }

    /// When arrivals stop.
    pub fn flow_end_ns(&self) -> Ns {
        ns(self.duration_s)
    }

    /// When the run ends.
    pub fn end_ns(&self) -> Ns {
        ns(self.duration_s + self.drain_s)
    }
}

/// Milliseconds (as scenarios have them) in nanoseconds.
pub fn ms(value: f64) -> Ns {
    ns(value / 1e3)
}

/// US dollars (as scenarios have them) in millionths of a USD.
///
/// # Panics
/// If they are 4,294.97 or more: Python bounds what a sender can bid.
pub fn micros(usd: f64) -> u32 {
    u32::try_from(nearest(usd * 1e6)).expect("a bid is below 4,294.97 USD")
}
