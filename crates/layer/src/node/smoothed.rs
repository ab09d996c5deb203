//! Smoothed response time with its deviation, from which a timeout follows.
//!
//! # Source
//! RFC 6298, section 2: gains 1/8 and 1/4, and a timeout of the mean plus four deviations.
//!
//! In floating point, so that nothing is rounded to a unit of time: answers that take twice as long
//! give exactly twice the timeout.

use crate::units::Ns;

/// Smoothed mean and mean deviation of times.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Smoothed {
    /// Mean and mean deviation, in ns.
    held: Option<(f64, f64)>,
}

impl Smoothed {
    /// Adds a sample; returns the timeout.
    pub(super) fn sample(&mut self, took_ns: Ns) -> f64 {
        let took = took_ns as f64;
        let (mean, deviation) = match self.held {
            None => (took, took / 2.0),
            Some((mean, deviation)) => {
                let gap = (took - mean).abs();
                (mean + (took - mean) / 8.0, deviation + (gap - deviation) / 4.0)
            }
        };
        self.held = Some((mean, deviation));
        mean + 4.0 * deviation
    }
}
