//! Token bucket: its level, and the time of the last update.
//!
//! Rules. A message of cost c is admitted if the bucket holds at least c tokens, and consumes them.
//! Tokens accrue at a constant rate up to the burst.
//!
//! Theory of operation. Between two messages the level is linear in time, so it is updated when one
//! arrives. In any span t at most burst + rate · t is admitted.
//!
//! Source: J. S. Turner, "New directions in communications (or which way to the information age?)",
//! IEEE Communications Magazine 24(10), 1986; the meter of RFC 2697.
//!
//! Departures: none. `now` must not decrease; if it does, no time is taken to have passed.

use super::limit::Limit;
use crate::units::{NEVER, Ns};

/// The state of one bucket; its [`Limit`] is kept once for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Level at `at_ns`, in parts of a token (see [`Limit`]).
    level: u64,
    at_ns: Ns,
}

impl Bucket {
    /// A full bucket.
    pub fn full(limit: &Limit, now: Ns) -> Bucket {
        Bucket { level: limit.capacity(), at_ns: now }
    }

    /// Consumes `cost` tokens, or none and returns when there will be enough.
    ///
    /// # Errors
    /// The time until the bucket holds as many tokens, if nothing else consumes any; [`NEVER`] if
    /// the burst is smaller than the cost.
    #[inline]
    pub fn take(&mut self, limit: &Limit, now: Ns, cost: u64) -> Result<(), Ns> {
        self.refill(limit, now);
        let parts = limit.parts(cost).ok_or(NEVER)?;
        match self.level.checked_sub(parts) {
            Some(level) => {
                self.level = level;
                Ok(())
            }
            None => Err(limit.wait_ns(u128::from(parts - self.level))),
        }
    }

    /// Whole tokens in the bucket.
    pub fn tokens(&mut self, limit: &Limit, now: Ns) -> u64 {
        self.refill(limit, now);
        self.level / (limit.capacity() / limit.burst())
    }

    fn refill(&mut self, limit: &Limit, now: Ns) {
        let came = now.saturating_sub(self.at_ns).saturating_mul(limit.rate());
        self.level = self.level.saturating_add(came).min(limit.capacity());
        self.at_ns = self.at_ns.max(now);
    }
}
