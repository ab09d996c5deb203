//! Distributions for operators: how many values were at most each power of two.

use serde::Serialize;

/// The largest bound is 2 to this power: 137 s, if values are times in ns.
const POWER_MAX: usize = 37;

/// A distribution of values. Bounds are fixed, so that distributions can be added over time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Buckets {
    /// Number of values by the least power of two that they do not exceed; the last entry has all
    /// that are larger than the one before it.
    counts: Vec<u64>,
    /// Their sum.
    sum: u64,
}

impl Default for Buckets {
    fn default() -> Buckets {
        Buckets { counts: vec![0; POWER_MAX + 2], sum: 0 }
    }
}

impl Buckets {
    /// Counts a value.
    pub fn note(&mut self, value: u64) {
        let power = value.saturating_sub(1).checked_ilog2().map_or(0, |below| below as usize + 1);
        self.counts[power.min(POWER_MAX + 1)] += 1;
        self.sum = self.sum.saturating_add(value);
    }

    /// Number of values.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Number of values that do not exceed 2 to this power.
    pub fn at_most(&self, power: usize) -> u64 {
        self.counts.iter().take(power + 1).sum()
    }

    /// Their sum.
    pub fn sum(&self) -> u64 {
        self.sum
    }
}
