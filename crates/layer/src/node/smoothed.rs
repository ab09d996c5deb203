//! Smoothed response time with its deviation, from which a timeout follows.
//!
//! # Source
//! RFC 6298, section 2: gains 1/8 and 1/4, and a timeout of the mean plus four deviations.

use crate::units::Ns;

/// Smoothed mean and mean deviation of times.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Smoothed {
    /// Mean in ns · 8 and deviation in ns · 4.
    held: Option<(u64, u64)>,
}

impl Smoothed {
    /// Adds a sample; returns the timeout.
    pub(super) fn sample(&mut self, took_ns: Ns) -> Ns {
        let (mean_8, deviation_4) = match self.held {
            None => (took_ns * 8, took_ns * 2),
            Some((mean_8, deviation_4)) => {
                let gap = took_ns.abs_diff(mean_8 / 8);
                (mean_8 - mean_8 / 8 + took_ns, deviation_4 - deviation_4 / 4 + gap)
            }
        };
        self.held = Some((mean_8, deviation_4));
        mean_8 / 8 + deviation_4
    }
}
