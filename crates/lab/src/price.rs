//! The outside (index) price: the price on other venues.
//!
//! # Theory of operation
//! - **Gbm**: d(ln S) = ν dt + σ dW, stepped exactly, with Merton's jumps (compound Poisson).
//! - **Points**: log-linear between the points, plus a Brownian bridge pinned at each point.
//! - **Tape**: the last recorded price.
//!
//! - **Follows**: the log return of the first market's price since the start, without impact, times
//!   β, plus a process as in Gbm (a single-index model: Sharpe, "A simplified model for portfolio
//!   analysis", Management Science 9, 1963). Jumps of the first pass through β.
//!
//! Each is multiplied by the impact of the venue's own liquidations in this market, a permanent
//! factor. It does not move other markets.

use std::collections::VecDeque;

use surgetank_layer::machine::Draws;
use surgetank_layer::units::{Ns, SECOND, ns};

use crate::flow::Tape;
use crate::scenario::PricePath;

/// A year of 365 days, in seconds.
const YEAR_S: f64 = 365.0 * 86_400.0;
/// Length of the history for which moves can be queried.
const KEPT_NS: Ns = 60 * SECOND;

/// The outside price of a market and its recent past.
pub struct OutsidePrice {
    path: PricePath,
    tape: Vec<(Ns, f64)>,
    cursor: usize,
    at: Ns,
    /// Logarithm of the process (Gbm, Follows), or the bridge's deviation from the line (Points).
    log: f64,
    /// Logarithm of the price without impact.
    free: f64,
    /// ln of the impact of liquidations.
    impact: f64,
    recent: VecDeque<(Ns, f64)>,
}

impl OutsidePrice {
    /// A price at its start.
    ///
    /// # Errors
    /// If the path is the tape's and there is no tape, or it has no prices.
    pub fn new(path: &PricePath, tape: Option<&Tape>) -> Result<OutsidePrice, String> {
        let mut prices = Vec::new();
        let mut log = 0.0;
        match path {
            PricePath::Gbm { start_usd, .. } | PricePath::Follows { start_usd, .. } => {
                log = start_usd.ln();
            }
            PricePath::Points { .. } => {}
            PricePath::Tape {} => {
                let tape = tape.ok_or("market.price.path: kind `tape` needs a tape")?;
                prices =
                    tape.prices_ns.iter().copied().zip(tape.prices_usd.iter().copied()).collect();
                if prices.is_empty() {
                    return Err("market.price.path: the tape has no prices".into());
                }
            }
        }
        Ok(OutsidePrice {
            path: path.clone(),
            tape: prices,
            cursor: 0,
            at: 0,
            log,
            free: 0.0,
            impact: 0.0,
            recent: VecDeque::new(),
        })
    }

    /// Logarithm of the price of the last step, without the impact of liquidations.
    pub fn free_log(&self) -> f64 {
        self.free
    }

    /// The price at `now`, in USD. `now` must not decrease. `led` is the log return since the start
    /// of the price that this one may follow.
    pub fn advance(&mut self, now: Ns, led: f64, draws: &mut dyn Draws) -> f64 {
        let elapsed = (now - self.at) as f64 / SECOND as f64;
        let free = match &self.path {
            &PricePath::Gbm { volatility, drift, jumps_per_day, jump_mean, jump_sd, .. } => {
                let jumps = (jumps_per_day, jump_mean, jump_sd);
                self.log = diffused(self.log, elapsed, (volatility, drift), jumps, draws);
                self.log.exp()
            }
            &PricePath::Follows { beta, volatility, jumps_per_day, jump_mean, jump_sd, .. } => {
                let jumps = (jumps_per_day, jump_mean, jump_sd);
                self.log = diffused(self.log, elapsed, (volatility, 0.0), jumps, draws);
                (self.log + beta * led).exp()
            }
            PricePath::Points { at_s, price_usd, volatility } => {
                let points = (at_s.as_slice(), price_usd.as_slice());
                let (line, log) = bridge(points, *volatility, (self.at, self.log), now, draws);
                self.log = log;
                (line + log).exp()
            }
            PricePath::Tape {} => {
                while self.cursor + 1 < self.tape.len() && self.tape[self.cursor + 1].0 <= now {
                    self.cursor += 1;
                }
                self.tape[self.cursor].1
            }
        };
        (self.at, self.free) = (now, free.ln());
        let price = free * self.impact.exp();
        self.recent.push_back((now, price));
        while self.recent.len() > 1 && self.recent[1].0 + KEPT_NS <= now {
            self.recent.pop_front();
        }
        price
    }

    /// Moves the price permanently by this many basis points of its logarithm (the impact of
    /// liquidations), with effect at the next step.
    pub fn shock(&mut self, bp: f64) {
        self.impact += bp / 1e4;
    }

    /// How far the price has moved over the last `window` (at most a minute), in percent.
    pub fn move_pct(&self, window: Ns) -> f64 {
        let Some(&(now, price)) = self.recent.back() else { return 0.0 };
        let then = now.saturating_sub(window);
        let index = self.recent.partition_point(|&(at, _)| at <= then).saturating_sub(1);
        100.0 * (price / self.recent[index].1 - 1.0)
    }
}

/// A logarithm after this many seconds of Brownian motion with drift and jumps.
fn diffused(
    log: f64,
    elapsed: f64,
    (volatility, drift): (f64, f64),
    (jumps_per_day, jump_mean, jump_sd): (f64, f64, f64),
    draws: &mut dyn Draws,
) -> f64 {
    if elapsed <= 0.0 {
        return log;
    }
    let years = elapsed / YEAR_S;
    let smooth = log + (drift * years + volatility * years.sqrt() * draws.normal());
    smooth + jumps(jumps_per_day * elapsed / 86_400.0, jump_mean, jump_sd, draws)
}

/// Logarithms of the line through the points and of a Brownian bridge on it that is zero at each
/// point, at `now`; `last` is the time and value of its last evaluation.
fn bridge(
    (at_s, price_usd): (&[f64], &[f64]),
    volatility: f64,
    last: (Ns, f64),
    now: Ns,
    draws: &mut dyn Draws,
) -> (f64, f64) {
    let t = now as f64 / SECOND as f64;
    let next = at_s.partition_point(|&point| point <= t);
    if next == 0 || next == at_s.len() {
        return (price_usd[next.saturating_sub(1)].ln(), 0.0);
    }
    let (from, until) = (at_s[next - 1], at_s[next]);
    let (began, was) = if last.0 < ns(from) { (ns(from), 0.0) } else { last };
    let step = now.saturating_sub(began) as f64 / SECOND as f64;
    let left = until - began as f64 / SECOND as f64;
    let mut log = was;
    if step > 0.0 {
        // From (began, was) to (until, 0): the mean shrinks, the variance is step·rest/left.
        let rest = (left - step).max(0.0);
        let variance = step * rest / left / YEAR_S;
        log = was * rest / left + volatility * variance.sqrt() * draws.normal();
    }
    let share = (t - from) / (until - from);
    (price_usd[next - 1].ln() * (1.0 - share) + price_usd[next].ln() * share, log)
}

/// Sum of a Poisson number (of this mean) of normal jumps.
fn jumps(mean: f64, jump_mean: f64, jump_sd: f64, draws: &mut dyn Draws) -> f64 {
    let (mut sum, mut at) = (0.0, 0.0);
    if mean <= 0.0 {
        return 0.0;
    }
    loop {
        at += draws.exponential();
        if at >= mean {
            return sum;
        }
        sum += jump_mean + jump_sd * draws.normal();
    }
}
