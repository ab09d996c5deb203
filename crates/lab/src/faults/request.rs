//! What faults of several kinds share: reading the scenario's entry, the nodes concerned, means of
//! measurements.

use serde::de::DeserializeOwned;
use surgetank_layer::units::NodeId;

use crate::scenario;

/// A fault as the scenario requests it.
pub(super) struct FaultRequest<'a> {
    index: usize,
    /// The scenario's entry: kind, start, duration, keys.
    pub entry: &'a scenario::Fault,
    /// Number of nodes.
    pub nodes: u32,
    /// Key of the draws that depend on packets' numbers.
    pub key: u64,
}

impl<'a> FaultRequest<'a> {
    pub fn new(index: usize, entry: &'a scenario::Fault, nodes: u32, key: u64) -> FaultRequest<'a> {
        FaultRequest { index, entry, nodes, key: key.wrapping_add(index as u64) }
    }

    /// The fault's key in the scenario.
    fn place(&self) -> String {
        format!("faults[{}]", self.index)
    }

    /// The entry of the list of kinds that the scenario names.
    pub fn kind<'k, T>(
        &self,
        kinds: &'k [(&'static str, T)],
    ) -> Result<&'k (&'static str, T), String> {
        self.entry.what.among(kinds, &self.place())
    }

    /// The keys of this kind.
    pub fn keys<T: DeserializeOwned>(&self) -> Result<T, String> {
        self.entry.what.keys(&self.place())
    }

    /// The listed nodes only.
    pub fn members(&self, list: &[NodeId]) -> Members {
        let mut members = vec![false; self.nodes as usize];
        list.iter().for_each(|&node| members[node as usize] = true);
        Members(members)
    }

    /// The listed nodes; all nodes if none is listed.
    pub fn members_or_all(&self, list: &[NodeId]) -> Members {
        let all = Members(vec![true; self.nodes as usize]);
        if list.is_empty() { all } else { self.members(list) }
    }
}

/// Nodes affected by a fault.
pub(super) struct Members(Vec<bool>);

impl Members {
    #[inline]
    pub fn has(&self, node: NodeId) -> bool {
        self.0[node as usize]
    }

    /// Whether a packet comes from or goes to one of them.
    #[inline]
    pub fn meet(&self, packet: &super::Packet) -> bool {
        self.has(packet.from) || self.has(packet.to)
    }
}

/// Sum and number of measurements.
#[derive(Clone, Copy, Default)]
pub(super) struct Tally {
    pub sum: f64,
    pub samples: u64,
}

impl Tally {
    pub fn note(&mut self, measured: f64) {
        self.sum += measured;
        self.samples += 1;
    }

    /// Mean of the measurements; `None` if there are none.
    pub fn mean(&self) -> Option<f64> {
        (self.samples > 0).then(|| self.sum / self.samples as f64)
    }
}
