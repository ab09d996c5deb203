//! The exponential of several backlogs: a price that works as a circuit breaker.
//!
//! # Rules
//! 1. fee = fee_min · exp(Σ backlogᵢ / (windowᵢ · targetᵢ)).
//! 2. Each backlog grows by the work of every batch and leaks at its own target rate, not below 0.
//! 3. A published fee does not rise before the next batch, but decays meanwhile.
//!
//! # Theory of operation
//! backlogᵢ / targetᵢ is a backlog in seconds of work at the target rate. A pair of a high target
//! and a short window answers bursts, a pair of a low target and a long window answers sustained
//! load. Steps are unbounded, so the price can follow a stampede; and it decays without messages,
//! so that a prohibitive price does not persist.
//!
//! The exponent is in basis points (1/10 000), each term rounded down. exp is the Taylor polynomial
//! of degree [`Config::degree`], by Horner's rule in integers, rounded down at each step. It
//! underestimates e^x: of degree 4 by 0.4 % at x = 1, 5.3 % at 2, 37 % at 4, 71 % at 6, 93 % at 8.5,
//! so that the price goes no higher than 365 · fee_min; of degree 20 by less than 0.03 % up to 8.5,
//! where it is 4 913 · fee_min. Nitro has degree 4.
//!
//! Source: Arbitrum Nitro, ArbOS 51 (Dia), "constraint-based pricing": the formula, the basis
//! points, and the highest exponent of 85 000.
//!
//! # Departures
//! - Work and time are exact: backlogs are kept in 1/10⁹ of a unit of work and leak by the
//!   nanosecond, not by the second.
//! - One resource. For several, keep one [`Backlog`] each and take the highest fee.
//! - Rule 3's second half.

use serde::{Deserialize, Serialize};

use crate::units::{NEVER, Ns};

/// One, in basis points.
pub const ONE_BIPS: u64 = 10_000;
/// Nitro's highest exponent.
pub const EXPONENT_MAX_BIPS: u64 = 85_000;

/// e^(x / 10 000) · 10 000 by a Taylor polynomial of this degree; saturates.
///
/// # Panics
/// If the degree is 0.
pub fn exp_bips(x: u64, degree: u64) -> u64 {
    let mut sum = ONE_BIPS.saturating_add(x / degree);
    for order in (1..degree).rev() {
        let product = u128::from(sum) * u128::from(x) / u128::from(order * ONE_BIPS);
        sum = ONE_BIPS.saturating_add(u64::try_from(product).unwrap_or(u64::MAX));
    }
    sum
}

/// A target rate and the time scale on which the price reacts to exceeding it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Work per second at which the price does not rise.
    pub target_per_s: u64,
    /// Backlog, as a time at the target rate, at which the price has grown e-fold.
    pub window_ns: Ns,
}

/// Parameters of the price.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The fee without backlog.
    #[serde(rename = "fee_min_micros")]
    pub fee_min: u64,
    /// Target rates and time scales.
    pub windows: Vec<Window>,
    /// Degree of the Taylor polynomial.
    pub degree: u64,
    /// Upper bound of the exponent, in basis points.
    #[serde(skip, default = "nitros")]
    pub exponent_max_bips: u64,
}

fn nitros() -> u64 {
    EXPONENT_MAX_BIPS
}

/// A price and its backlogs.
#[derive(Clone, Debug)]
pub struct Backlog {
    config: Config,
    /// Backlog of each window, in 1/10⁹ of a unit of work, as of `at_ns`.
    backlogs: Vec<u128>,
    at_ns: Ns,
}

impl Backlog {
    /// A price without a backlog.
    ///
    /// # Panics
    /// If there is no window, or a target, a window or the degree is 0.
    pub fn new(config: Config) -> Backlog {
        let whole = |w: &Window| w.target_per_s > 0 && w.window_ns > 0;
        assert!(
            !config.windows.is_empty() && config.windows.iter().all(whole) && config.degree > 0,
            "backlog price: give at least one window, with target_per_s, window_ns and degree \
             of at least 1",
        );
        let backlogs = vec![0; config.windows.len()];
        Backlog { config, backlogs, at_ns: 0 }
    }

    /// The fee in force now: the last published one, decayed by the leak.
    pub fn fee(&self, now: Ns) -> u64 {
        let factor = exp_bips(self.exponent_bips(now), self.config.degree);
        let fee = u128::from(self.config.fee_min) * u128::from(factor) / u128::from(ONE_BIPS);
        u64::try_from(fee).unwrap_or(u64::MAX)
    }

    /// Accounts for a batch of this much work; returns the fee from now on, to be published with
    /// it.
    pub fn on_batch(&mut self, now: Ns, work: u64) -> u64 {
        let now = now.max(self.at_ns);
        let more = u128::from(work) * 1_000_000_000;
        let left = self.left_at(now);
        self.backlogs = left.map(|backlog| backlog.saturating_add(more)).collect();
        self.at_ns = now;
        self.fee(now)
    }

    /// The exponent now, in basis points.
    pub fn exponent_bips(&self, now: Ns) -> u64 {
        let term = |(backlog, w): (u128, &Window)| {
            let scale = u128::from(w.target_per_s) * u128::from(w.window_ns);
            backlog.saturating_mul(u128::from(ONE_BIPS)) / scale
        };
        let terms = self.left_at(now).zip(&self.config.windows).map(term);
        let sum = terms.fold(0, u128::saturating_add);
        sum.min(u128::from(self.config.exponent_max_bips)) as u64
    }

    /// Time until the fee has fallen to `bid` without further work; [`NEVER`] if it will not.
    pub fn falls_to_ns(&self, now: Ns, bid: u64) -> Ns {
        if self.fee(now) <= bid {
            return 0;
        }
        let empty = |(backlog, w): (u128, &Window)| backlog.div_ceil(u128::from(w.target_per_s));
        let longest = self.left_at(now).zip(&self.config.windows).map(empty).max().unwrap_or(0);
        let mut high = Ns::try_from(longest).unwrap_or(NEVER - now);
        if self.fee(now.saturating_add(high)) > bid {
            return NEVER;
        }
        // The fee does not rise with time: the first instant at which it is low enough.
        let mut low = 0;
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.fee(now.saturating_add(middle)) <= bid {
                high = middle;
            } else {
                low = middle;
            }
        }
        high
    }

    fn left_at(&self, now: Ns) -> impl Iterator<Item = u128> {
        let passed = u128::from(now.saturating_sub(self.at_ns));
        let leaked = move |w: &Window| u128::from(w.target_per_s) * passed;
        self.backlogs
            .iter()
            .zip(&self.config.windows)
            .map(move |(b, w)| b.saturating_sub(leaked(w)))
    }
}
