//! Loss and rate of the path between two nodes, where paths have their own.

use std::collections::BTreeMap;

use surgetank_layer::units::{NodeId, Ns};

use super::links::{Lane, ns_per_byte, transmission};
use crate::scenario::Delay;

/// Losses and rates of paths. The packets between two nodes pass one after the other at the path's
/// rate; paths do not take rate from each other.
#[derive(Default)]
pub struct Paths {
    placement: Vec<u32>,
    /// By place of the sender and of the receiver: probability of loss; empty = none.
    loss: Vec<Vec<f64>>,
    /// By place of the sender and of the receiver: time of a byte; empty = none.
    byte: Vec<Vec<u64>>,
    lanes: BTreeMap<(NodeId, NodeId), Lane>,
}

impl Paths {
    /// The paths of a model of delays; most models have none of their own.
    pub fn new(model: &Delay) -> Paths {
        let Delay::Paths { loss, mbps, placement, .. } = model else { return Paths::default() };
        let byte = mbps.iter().map(|row| row.iter().map(|&mbps| ns_per_byte(mbps)).collect());
        Paths {
            placement: placement.clone(),
            loss: loss.clone(),
            byte: byte.collect(),
            lanes: BTreeMap::new(),
        }
    }

    /// Whether a packet can be lost on some path.
    pub(super) fn lose(&self) -> bool {
        !self.loss.is_empty()
    }

    /// Probability of loss between two nodes.
    pub(super) fn loss(&self, from: NodeId, to: NodeId) -> f64 {
        of(&self.loss, &self.placement, from, to)
    }

    /// Time of a byte between two nodes; 0 = none.
    #[inline]
    pub(super) fn byte(&self, from: NodeId, to: NodeId) -> u64 {
        of(&self.byte, &self.placement, from, to)
    }

    /// Where the packets between two nodes pass one after the other.
    pub(super) fn lane(&mut self, from: NodeId, to: NodeId) -> &mut Lane {
        self.lanes.entry((from, to)).or_default()
    }

    /// The time at which a packet that comes onto the path has passed its slowest link.
    pub(super) fn pass(&mut self, now: Ns, from: NodeId, to: NodeId, size: u32) -> Ns {
        match of(&self.byte, &self.placement, from, to) {
            0 => now,
            byte => self.lane(from, to).take(now, transmission(size, byte)),
        }
    }
}

fn of<T: Copy + Default>(matrix: &[Vec<T>], places: &[u32], from: NodeId, to: NodeId) -> T {
    if matrix.is_empty() {
        return T::default();
    }
    matrix[places[from as usize] as usize][places[to as usize] as usize]
}
