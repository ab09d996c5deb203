//! Arrival processes, simulated exactly.
//!
//! # Theory of operation
//! - **Poisson** with a profile: thinning (Lewis and Shedler, *Naval Research Logistics* 26, 1979).
//! - **Hawkes**, intensity λ(t) = μ·p(t) + Σ n·β·e^(−β(t−tᵢ)): Ogata's thinning (*IEEE Trans. Inf.
//!   Theory* 27, 1981). Between events the excitation only falls, so its value now bounds it. The
//!   profile p multiplies the base rate; what it excites follows. The history is empty at 0.
//! - **MMPP**: competing exponentials of the next change of state and the next arrival, thinned by
//!   the profile.
//! - **Deterministic**: the k-th message comes when the integrated rate reaches k.

use surgetank_layer::machine::Draws;
use surgetank_layer::units::{Ns, SECOND};

use crate::scenario::{Arrivals, Profile};

/// A state of an arrival process. Times inside are in seconds.
#[derive(Clone, Debug)]
pub struct ArrivalProcess {
    kind: Arrivals,
    profile: Profile,
    /// Excitation above the base rate (Hawkes), as of `at`.
    excited: f64,
    /// Last time looked at.
    at: f64,
    /// Current state and when it ends (MMPP).
    state: (usize, f64),
    /// Messages so far (deterministic).
    count: u64,
}

impl ArrivalProcess {
    /// A process that has not begun.
    pub fn new(kind: &Arrivals, profile: &Profile) -> ArrivalProcess {
        let (kind, profile) = (kind.clone(), profile.clone());
        ArrivalProcess { kind, profile, excited: 0.0, at: 0.0, state: (usize::MAX, 0.0), count: 0 }
    }

    /// The next arrival, not before `now`. `None` if none will ever come.
    pub fn next(&mut self, now: Ns, draws: &mut dyn Draws) -> Option<Ns> {
        let now_s = now as f64 / SECOND as f64;
        self.at = self.at.max(now_s);
        let at = match self.kind.clone() {
            Arrivals::None {} => None,
            Arrivals::Deterministic { rate_per_s } => self.deterministic(rate_per_s),
            Arrivals::Poisson { rate_per_s } => self.poisson(rate_per_s, draws),
            Arrivals::Hawkes { rate_per_s, branching, decay_per_s } => {
                self.hawkes(rate_per_s * (1.0 - branching), branching, decay_per_s, draws)
            }
            Arrivals::Mmpp { rates_per_s, dwell_s } => self.mmpp(&rates_per_s, &dwell_s, draws),
        }?;
        self.at = at;
        Some(((at * SECOND as f64).round() as Ns).max(now))
    }

    /// ∫ of the mean rate between two times: how many arrivals to expect. For Hawkes the ramp-up
    /// from an empty history is left out, and the profile is taken to act at once.
    pub fn expected(&self, from: Ns, until: Ns) -> f64 {
        let seconds = |at: Ns| at as f64 / SECOND as f64;
        let span = self.profile.integral(seconds(until)) - self.profile.integral(seconds(from));
        let rate = match &self.kind {
            Arrivals::None {} => 0.0,
            Arrivals::Deterministic { rate_per_s }
            | Arrivals::Poisson { rate_per_s }
            | Arrivals::Hawkes { rate_per_s, .. } => *rate_per_s,
            Arrivals::Mmpp { rates_per_s, dwell_s } => {
                let weighted: f64 = rates_per_s.iter().zip(dwell_s).map(|(r, d)| r * d).sum();
                weighted / dwell_s.iter().sum::<f64>()
            }
        };
        rate * span
    }

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

    fn poisson(&mut self, rate: f64, draws: &mut dyn Draws) -> Option<f64> {
        let mut t = self.at;
        loop {
            let most = rate * self.profile.most_from(t);
            if most <= 0.0 {
                return None;
            }
            t += exponential(draws) / most;
            if matches!(self.profile, Profile::Constant {})
                || draws.unit() * most < rate * self.profile.at(t)
            {
                return Some(t);
            }
        }
    }

    fn hawkes(&mut self, mu: f64, n: f64, beta: f64, draws: &mut dyn Draws) -> Option<f64> {
        let mut t = self.at;
        loop {
            let most = mu * self.profile.most_from(t) + self.excited;
            if most <= 0.0 {
                return None;
            }
            let gap = exponential(draws) / most;
            t += gap;
            self.excited *= (-beta * gap).exp();
            if draws.unit() * most < mu * self.profile.at(t) + self.excited {
                self.excited += n * beta;
                return Some(t);
            }
        }
    }

    fn mmpp(&mut self, rates: &[f64], dwell: &[f64], draws: &mut dyn Draws) -> Option<f64> {
        let mut t = self.at;
        if self.state.0 == usize::MAX {
            // Stationary start: a state weighs as much as time is spent in it.
            let mut left = draws.unit() * dwell.iter().sum::<f64>();
            let first = dwell.iter().position(|d| {
                left -= d;
                left < 0.0
            });
            let first = first.unwrap_or(0);
            self.state = (first, t + exponential(draws) * dwell[first]);
        }
        loop {
            let (state, ends) = self.state;
            let most = rates[state] * self.profile.most_from(t);
            let next = if most > 0.0 { t + exponential(draws) / most } else { f64::INFINITY };
            if next >= ends {
                let following = (state + 1) % rates.len();
                t = ends;
                self.state = (following, ends + exponential(draws) * dwell[following]);
                if t > 1e9 {
                    return None;
                }
                continue;
            }
            t = next;
            if draws.unit() * most < rates[state] * self.profile.at(t) {
                return Some(t);
            }
        }
    }
}

fn exponential(draws: &mut dyn Draws) -> f64 {
    -(1.0 - draws.unit()).ln()
}
