//! Generic cell rate algorithm: the token bucket as one timestamp.
//!
//! Rules. A message of cost c that arrives at t moves the theoretical arrival time to
//! max(t, TAT) + c·T, and is let in if that is no further than τ + T ahead of t, where T is the
//! time per token and τ + T = burst · T.
//!
//! Theory of operation. TAT − t is what the bucket lacks to be full, told as time. Hence the same
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
    /// Theoretical arrival time in parts.
    tat: u128,
}

impl Gcra {
    /// Lets `cost` tokens through, or nothing and says when it will.
    ///
    /// # Errors
    /// The span after which it will, if nothing else comes; [`NEVER`] if the burst is smaller than
    /// the cost.
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
