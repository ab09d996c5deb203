//! Token bucket: what is saved up, and since when.
//!
//! Rules. A message of cost c is let in if at least c tokens are there, and takes them. Tokens come
//! at a steady rate up to the burst.
//!
//! Theory of operation. Between two messages the level is a straight line, so it is brought up to
//! date when one comes. In any span t no more than burst + rate · t gets through.
//!
//! Source: J. S. Turner, "New directions in communications (or which way to the information age?)",
//! IEEE Communications Magazine 24(10), 1986; the meter of RFC 2697.
//!
//! Departures: none. `now` must not go back; if it does, no time has passed.

use super::limit::Limit;
use crate::units::{NEVER, Ns};

/// The state of one bucket; its [`Limit`] is kept once for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Parts there at `at_ns`.
    level: u64,
    at_ns: Ns,
}

impl Bucket {
    /// A full bucket.
    pub fn full(limit: &Limit, now: Ns) -> Bucket {
        Bucket { level: limit.capacity(), at_ns: now }
    }

    /// Takes `cost` tokens, or nothing and says when there will be enough.
    ///
    /// # Errors
    /// The span after which as many tokens are there, if nothing else takes any;
    /// [`NEVER`] if the burst is smaller than the cost.
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

    /// Whole tokens there.
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
