//! Arrival processes, simulated exactly.
//!
//! # Theory of operation
//! - **Poisson** with a profile: thinning (Lewis and Shedler, *Naval Research Logistics* 26, 1979)
//!   under a bound of the profile that holds for a while; where it ends, the draw is repeated,
//!   which is valid because exponential gaps are memoryless.
//! - **Hawkes**, intensity λ(t) = μ·p(t) + Σ n·β·e^(−β(t−tᵢ)): Ogata's thinning (*IEEE Trans. Inf.
//!   Theory* 27, 1981). Between events the excitation only falls, so its value now bounds it. The
//!   profile p multiplies the base rate; what it excites follows. The history is empty at 0.
//! - **MMPP**: competing exponentials of the next change of state and the next arrival, thinned by
//!   the profile. It starts in its stationary state.
//! - **Deterministic**: the k-th message comes when the integrated rate reaches k.

use surgetank_layer::machine::Draws;
use surgetank_layer::units::{Ns, SECOND, nearest};

use crate::scenario::{Arrivals, Profile};

/// A state of an arrival process. Times inside are in seconds.
#[derive(Clone, Debug)]
pub struct ArrivalProcess {
    kind: Arrivals,
    profile: Profile,
    /// Excitation above the base rate (Hawkes), as of `at`.
    excited: f64,
    /// Time of the last evaluation.
    at: f64,
    /// Current state and the time at which it ends (MMPP).
    state: (usize, f64),
    /// Messages so far (deterministic).
    count: u64,
}

impl ArrivalProcess {
    /// A process at time 0.
    pub fn new(kind: &Arrivals, profile: &Profile) -> ArrivalProcess {
        let (kind, profile) = (kind.clone(), profile.clone());
        ArrivalProcess { kind, profile, excited: 0.0, at: 0.0, state: (usize::MAX, 0.0), count: 0 }
    }

    /// The next arrival, not before `now`; earlier ones are skipped. `None` if there is none.
    pub fn next(&mut self, now: Ns, draws: &mut impl Draws) -> Option<Ns> {
        loop {
            self.at = self.following(draws)?;
            let at = nearest(self.at * SECOND as f64);
            if at >= now {
                return Some(at);
            }
        }
    }

    fn following(&mut self, draws: &mut impl Draws) -> Option<f64> {
        match self.kind {
            Arrivals::None {} => None,
            Arrivals::Deterministic { rate_per_s } => self.deterministic(rate_per_s),
            Arrivals::Poisson { rate_per_s } => self.poisson(rate_per_s, draws),
            Arrivals::Hawkes { rate_per_s, branching, decay_per_s } => {
                self.hawkes(rate_per_s, branching, decay_per_s, draws)
            }
            Arrivals::Mmpp { .. } => self.mmpp(draws),
        }
    }

    /// The mean number of arrivals between two times, over all runs from time 0.
    pub fn expected(&self, from: Ns, until: Ns) -> f64 {
        self.expected_until(until) - self.expected_until(from)
    }

    fn expected_until(&self, until: Ns) -> f64 {
        let t = until as f64 / SECOND as f64;
        let integral = self.profile.integral(t);
        match &self.kind {
            Arrivals::None {} => 0.0,
            Arrivals::Deterministic { rate_per_s } | Arrivals::Poisson { rate_per_s } => {
                rate_per_s * integral
            }
            // The mean rate m solves m = μp + ∫ nβe^(−β(t−s)) m(s) ds; integrated, with
            // Λ = μ/(1−n), that is Λ·(∫p − n·∫ p(s) e^(−β(1−n)(t−s)) ds).
            Arrivals::Hawkes { rate_per_s, branching, decay_per_s } => {
                let felt = self.profile.felt(t, decay_per_s * (1.0 - branching));
                rate_per_s * (integral - branching * felt)
            }
            Arrivals::Mmpp { rates_per_s, dwell_s } => {
                let weighted: f64 = rates_per_s.iter().zip(dwell_s).map(|(r, d)| r * d).sum();
                weighted / dwell_s.iter().sum::<f64>() * integral
            }
        }
    }

    #[inline(never)]
    fn deterministic(&mut self, rate: f64) -> Option<f64> {
        self.count += 1;
        let wanted = self.count as f64 / rate;
        if let Profile::Constant {} = self.profile {
            return (rate > 0.0).then_some(wanted);
        }
        // The integral rises strictly while the profile is positive: bisect.
        let (mut low, mut high) = (self.at, self.at + 1.0);
        while self.profile.integral(high) < wanted {
            high = 2.0 * high + 1.0;
            if high > 1e9 {
                return None;
            }
        }
        for _ in 0..64 {
            let middle = f64::midpoint(low, high);
            if self.profile.integral(middle) < wanted { low = middle } else { high = middle }
        }
        Some(high)
    }

    fn poisson(&mut self, rate: f64, draws: &mut impl Draws) -> Option<f64> {
        let mut t = self.at;
        loop {
            let (factor, until) = self.profile.bound(t);
            let most = rate * factor;
            let next = after(t, most, draws);
            if next >= until {
                t = ends(until)?;
                continue;
            }
            t = next;
            if accepted(most, rate * self.profile.at(t), draws) {
                return Some(t);
            }
        }
    }

    #[inline(never)]
    fn hawkes(&mut self, rate: f64, n: f64, beta: f64, draws: &mut impl Draws) -> Option<f64> {
        let mu = rate * (1.0 - n);
        let mut t = self.at;
        loop {
            let (factor, until) = self.profile.bound(t);
            let most = mu * factor + self.excited;
            let next = after(t, most, draws);
            self.excited *= (-beta * (next.min(until) - t)).exp();
            if next >= until {
                t = ends(until)?;
                continue;
            }
            t = next;
            if accepted(most, mu * self.profile.at(t) + self.excited, draws) {
                self.excited += n * beta;
                return Some(t);
            }
        }
    }

    #[inline(never)]
    fn mmpp(&mut self, draws: &mut impl Draws) -> Option<f64> {
        let Arrivals::Mmpp { rates_per_s: rates, dwell_s: dwell } = &self.kind else { return None };
        if rates.iter().sum::<f64>() <= 0.0 {
            return None;
        }
        let mut t = self.at;
        if self.state.0 == usize::MAX {
            // Stationary start: a state weighs as much as time is spent in it.
            let mut left = draws.unit() * dwell.iter().sum::<f64>();
            let first = dwell.iter().position(|d| {
                left -= d;
                left < 0.0
            });
            let first = first.unwrap_or(0);
            self.state = (first, t + draws.exponential() * dwell[first]);
        }
        loop {
            let (state, left) = self.state;
            let (factor, until) = self.profile.bound(t);
            if factor <= 0.0 {
                ends(until)?;
            }
            let most = rates[state] * factor;
            let next = after(t, most, draws);
            if next < left.min(until) {
                t = next;
                if accepted(most, rates[state] * self.profile.at(t), draws) {
                    return Some(t);
                }
            } else {
                t = left.min(until);
                if left <= until {
                    let following = (state + 1) % rates.len();
                    self.state = (following, left + draws.exponential() * dwell[following]);
                }
            }
        }
    }
}

/// The next candidate after `t` at this rate; never, without a draw, at rate 0.
fn after(t: f64, rate: f64, draws: &mut impl Draws) -> f64 {
    if rate > 0.0 { t + draws.exponential() / rate } else { f64::INFINITY }
}

/// Thinning: whether a candidate drawn at rate `most` is one at rate `rate`.
fn accepted(most: f64, rate: f64, draws: &mut impl Draws) -> bool {
    rate >= most || draws.unit() * most < rate
}

/// The end of a bound; `None` if it is infinite.
fn ends(until: f64) -> Option<f64> {
    until.is_finite().then_some(until)
}
