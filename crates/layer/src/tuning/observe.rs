//! Collects the observations for controllers.
//!
//! Rules. Counts, minimum, mean and maximum are of all messages of the span. Percentiles are
//! nearest-rank ones, of all messages while they are at most [`SAMPLES_MAX`], else of every 2nd,
//! 4th, …: memory is bounded, and no randomness decides what is kept. Quantities that a queue does
//! not know are left at 0.
//!
//! Source: the nearest-rank method. Departures: none.

use super::Observation;
use crate::units::Ns;

/// Greatest number of sojourns kept per span.
pub const SAMPLES_MAX: usize = 4_096;

/// Observes a queue, span by span.
#[derive(Clone, Debug)]
pub struct Observer {
    served: u64,
    refused: u64,
    sum_ns: u128,
    min_ns: Ns,
    inflight: u32,
    samples: Vec<Ns>,
    stride: u64,
}

impl Default for Observer {
    fn default() -> Self {
        Observer {
            served: 0,
            refused: 0,
            sum_ns: 0,
            min_ns: Ns::MAX,
            inflight: 0,
            samples: Vec::new(),
            stride: 1,
        }
    }
}

impl Observer {
    /// Records a message that leaves the queue.
    pub fn served(&mut self, sojourn_ns: Ns) {
        if self.served.is_multiple_of(self.stride) {
            if self.samples.len() == SAMPLES_MAX {
                let mut keep = false;
                self.samples.retain(|_| {
                    keep = !keep;
                    keep
                });
                // The message at hand is one of the kept ones: SAMPLES_MAX is even.
                self.stride *= 2;
            }
            self.samples.push(sojourn_ns);
        }
        self.served += 1;
        self.sum_ns += u128::from(sojourn_ns);
        self.min_ns = self.min_ns.min(sojourn_ns);
    }

    /// Records a message that is refused or shed.
    pub fn refused(&mut self) {
        self.refused += 1;
    }

    /// Records the number of messages in flight.
    pub fn inflight(&mut self, messages: u32) {
        self.inflight = self.inflight.max(messages);
    }

    /// Ends the span and begins the next one.
    pub fn close(&mut self, now: Ns, inflight: u32, backlog_ns: Ns) -> Observation {
        self.inflight(inflight);
        self.samples.sort_unstable();
        let rank = |percent: usize| {
            let rank = (self.samples.len() * percent).div_ceil(100);
            rank.checked_sub(1).map_or(0, |at| self.samples[at])
        };
        let some = self.served > 0;
        let mean = self.sum_ns.checked_div(u128::from(self.served)).unwrap_or(0);
        let seen = Observation {
            now,
            served: self.served,
            refused: self.refused,
            sojourn_min_ns: if some { self.min_ns } else { 0 },
            // A mean of 64-bit numbers fits 64 bits.
            sojourn_mean_ns: mean as Ns,
            sojourn_p50_ns: rank(50),
            sojourn_p99_ns: rank(99),
            inflight: self.inflight,
            backlog_ns,
            ..Observation::default()
        };
        let mut samples = std::mem::take(&mut self.samples);
        samples.clear();
        *self = Observer { samples, ..Observer::default() };
        seen
    }
}
