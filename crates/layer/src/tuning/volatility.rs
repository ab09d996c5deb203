//! Realised volatility of the mark, as a node sees it: block by block.
//!
//! # Rules
//! The variance rate is the sum of squared relative changes, each discounted with time constant
//! [`MEMORY_NS`], over that constant; the volatility is its root, per √s.
//!
//! # Theory of operation
//! An exponentially weighted estimate needs no window of past prices and decays without input. A
//! drift counts too: a fall of 9 % in 30 s in steps is as dangerous as a swing. After a standstill
//! the whole move counts as one change, as it does for positions.
//!
//! Source: exponentially weighted variance, RiskMetrics Technical Document (1996), section 5.2, in
//! continuous time.
//!
//! # Departures
//! - The discount over a span t is 1 / (1 + t/τ) rather than e^(−t/τ): only + − × ÷ and √ are
//!   exact.

use crate::units::{Ns, Price};

/// Time constant of the discount.
pub const MEMORY_NS: Ns = 5_000_000_000;

/// An estimate of volatility.
#[derive(Clone, Copy, Debug, Default)]
pub struct Volatility {
    last: Option<Price>,
    /// Sum of squared relative changes, discounted to `at`.
    squares: f64,
    at: Ns,
}

impl Volatility {
    /// Records the mark price, in ticks, above 0.
    pub fn mark(&mut self, now: Ns, price: Price) {
        self.squares = self.squares(now);
        self.at = now;
        if let Some(last) = self.last.replace(price) {
            let change = price as f64 / last as f64 - 1.0;
            self.squares += change * change;
        }
    }

    fn squares(&self, now: Ns) -> f64 {
        self.squares / (1.0 + now.saturating_sub(self.at) as f64 / MEMORY_NS as f64)
    }

    /// Millionths per √s. One year's volatility of 100 % is 178.
    pub fn ppm(&self, now: Ns) -> u64 {
        ((self.squares(now) / (MEMORY_NS as f64 / 1e9)).sqrt() * 1e6) as u64
    }
}
