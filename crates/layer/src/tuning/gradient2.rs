//! Gradient2: an admission limit that follows the ratio of the sojourn to its own long-run mean.
//!
//! # Rules
//! g = max(1/2, min(1, tolerance · long / short)); L ← (1 − s) · L + s · (g · L + q). The long mean is
//! exponential over 600 samples; if it is more than twice the short one, it is cut by 5 %. The limit
//! does not move while less than half of it is used.
//!
//! # Theory of operation
//! As long as the sojourn is within the tolerance of its long-run mean, the limit grows by s · q
//! per observation; a queue of q per limit is accepted. When the sojourn grows faster than its
//! mean, the gradient falls below 1 and the limit shrinks with it. No probing phase is needed, in
//! which Envoy's controller throttles requests in order to measure.
//!
//! Source: Netflix concurrency-limits, `Gradient2Limit` and its defaults.
//!
//! # Departures
//! - One sample is one observation, of the mean sojourn. Observations with fewer than
//!   [`SERVED_MIN`] messages, or a mean below [`SOJOURN_MIN_NS`], are skipped; their span is the
//!   caller's (there: at least 1 s).
//! - The least and the greatest limit are those of the [`Bounds`] (there: 20 and 200).
//! - The long mean adapts to a lasting overload: a sojourn that stays high becomes the new
//!   reference. So does the original's, which is the reason to prefer a fixed target where there is
//!   one.

use super::{Bounds, Controller, Observation, Recommendation, Setting, Why};
use crate::units::Ns;

/// Fewest messages in a sample.
pub const SERVED_MIN: u64 = 10;
/// Mean sojourns below this are skipped as noise.
pub const SOJOURN_MIN_NS: Ns = 100_000;
/// Number of first samples over which the long mean is a plain average.
const WARM_UP: u32 = 10;
/// Beyond this ratio of long to short the long mean is cut.
const DRIFT_MAX: f64 = 2.0;
/// Factor by which the long mean is cut.
const DRIFT_CUT: f64 = 0.95;

/// The constants; by default Netflix's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// How many times its long mean the sojourn may be before the limit shrinks.
    pub tolerance: f64,
    /// Accepted queue length q, in messages.
    pub queue: f64,
    /// Weight of the newest limit, s.
    pub smoothing: f64,
    /// Samples in the long mean.
    pub long_samples: u32,
}

impl Default for Config {
    fn default() -> Self {
        Config { tolerance: 1.5, queue: 4.0, smoothing: 0.2, long_samples: 600 }
    }
}

/// Controller of the admission limit by the gradient of the sojourn.
#[derive(Clone, Copy, Debug)]
pub struct Gradient2 {
    config: Config,
    limit: f64,
    long_ns: f64,
    warm_up_ns: f64,
    samples: u32,
}

impl Gradient2 {
    /// A controller that starts from this limit (Netflix: 20).
    pub fn new(config: Config, admission_limit: u32) -> Gradient2 {
        let limit = f64::from(admission_limit);
        Gradient2 { config, limit, long_ns: 0.0, warm_up_ns: 0.0, samples: 0 }
    }

    /// Adds a sample to the long mean and returns the mean before any cut.
    fn long_mean(&mut self, short_ns: f64) -> f64 {
        if self.samples < WARM_UP {
            self.samples += 1;
            self.warm_up_ns += short_ns;
            self.long_ns = self.warm_up_ns / f64::from(self.samples);
        } else {
            let newest = 2.0 / (f64::from(self.config.long_samples) + 1.0);
            self.long_ns = self.long_ns * (1.0 - newest) + short_ns * newest;
        }
        let long_ns = self.long_ns;
        if long_ns / short_ns > DRIFT_MAX {
            self.long_ns *= DRIFT_CUT;
        }
        long_ns
    }
}

impl Controller for Gradient2 {
    fn control(&mut self, seen: &Observation, set: &Setting, bounds: &Bounds) -> Recommendation {
        let mut recommendation =
            Recommendation { setting: *set, why: Why::Gradient, on: seen.sojourn_mean_ns };
        if seen.served < SERVED_MIN || seen.sojourn_mean_ns < SOJOURN_MIN_NS {
            return recommendation;
        }
        let short_ns = seen.sojourn_mean_ns as f64;
        let long_ns = self.long_mean(short_ns);
        if f64::from(seen.inflight) < self.limit / 2.0 {
            return recommendation;
        }
        let Config { tolerance, queue, smoothing, .. } = self.config;
        let gradient = (tolerance * long_ns / short_ns).clamp(0.5, 1.0);
        let aim = self.limit * gradient + queue;
        let least = f64::from(bounds.least().admission_limit);
        let most = f64::from(bounds.most().admission_limit);
        self.limit = (self.limit * (1.0 - smoothing) + aim * smoothing).clamp(least, most);
        recommendation.setting.admission_limit = self.limit as u32;
        recommendation
    }
}
