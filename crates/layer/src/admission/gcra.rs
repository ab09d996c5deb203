//! Generic cell rate algorithm: the token bucket as one timestamp.
//!
//! Rules. A message of cost c that arrives at t moves the theoretical arrival time to max(t, TAT) +
//! c·T, and is admitted if that is at most τ + T ahead of t, where T is the time per token and τ +
//! T = burst · T.
//!
//! Theory of operation. TAT − t is the bucket's deficit to full, as a time. Hence the same
//! decisions as [`Bucket`](super::bucket::Bucket) for the same [`Limit`].
//!
//! Source: ITU-T I.371, annex A (virtual scheduling algorithm).
//!
//! Departures: a cost other than 1; time is counted in parts (nanoseconds × `tokens`), so that T
//! need not be a whole number of nanoseconds.

use super::limit::Limit;
use crate::units::{NEVER, Ns};

/// The state of one limiter; its [`Limit`] is kept once for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gcra {
    /// Theoretical arrival time (TAT), in parts of a token (see [`Limit`]).
    tat: u128,
}

impl Gcra {
    /// Admits `cost` tokens, or nothing and returns when it will.
    ///
    /// # Errors
    /// The time until it will, without further arrivals; [`NEVER`] if the burst is smaller than the
    /// cost.
    #[inline]
    pub fn take(&mut self, limit: &Limit, now: Ns, cost: u64) -> Result<(), Ns> {
        let now = u128::from(now) * u128::from(limit.rate());
        let tat = self.tat.max(now) + u128::from(limit.parts(cost).ok_or(NEVER)?);
        let ahead = tat - now;
        if ahead > u128::from(limit.capacity()) {
            return Err(limit.wait_ns(ahead - u128::from(limit.capacity())));
        }
        self.tat = tat;
        Ok(())
    }
}
