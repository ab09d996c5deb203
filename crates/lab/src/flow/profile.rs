//! A profile multiplies the arrival rate over time.
//!
//! Nothing here is inlined: a compiler that hoists the arms of all kinds out of a loop computes them
//! on what happens to lie in memory, and a product of subnormal numbers takes over a hundred cycles.

use crate::scenario::Profile;

/// A ramp is bounded in this many pieces.
const RAMP_PIECES: f64 = 16.0;

impl Profile {
    /// The multiplier at `t` seconds.
    #[inline(never)]
    pub fn at(&self, t: f64) -> f64 {
        match *self {
            Profile::Constant {} => 1.0,
            Profile::Ramp { from_s, until_s, factor } => {
                let share = ((t - from_s) / (until_s - from_s)).clamp(0.0, 1.0);
                1.0 + share * (factor - 1.0)
            }
            Profile::Step { from_s, until_s, factor } => {
                if (from_s..until_s).contains(&t) {
                    factor
                } else {
                    1.0
                }
            }
            Profile::Spike { at_s, decay_s, factor } => {
                if t < at_s {
                    1.0
                } else {
                    1.0 + (factor - 1.0) * (-(t - at_s) / decay_s).exp()
                }
            }
            Profile::Piecewise { ref from_s, ref factors } => {
                match from_s.partition_point(|&from| from <= t) {
                    0 => 1.0,
                    after => factors[after - 1],
                }
            }
        }
    }

    /// A bound: the multiplier is at most the first number from `t` until the second, which lies
    /// after `t` and is infinite if the bound lasts.
    #[inline(never)]
    pub fn bound(&self, t: f64) -> (f64, f64) {
        let lasting = f64::INFINITY;
        match *self {
            Profile::Constant {} => (1.0, lasting),
            Profile::Ramp { from_s, .. } | Profile::Step { from_s, .. } if t < from_s => {
                (1.0, from_s)
            }
            Profile::Ramp { from_s, until_s, factor } => {
                // In pieces, so that the bound stays near the slope.
                let piece = until_s.min(t + (until_s - from_s) / RAMP_PIECES);
                if t >= until_s {
                    (factor, lasting)
                } else if piece <= t {
                    (factor.max(1.0), until_s)
                } else {
                    (self.at(t).max(self.at(piece)), piece)
                }
            }
            Profile::Step { until_s, factor, .. } if t < until_s => (factor, until_s),
            Profile::Step { .. } => (1.0, lasting),
            Profile::Spike { at_s, .. } if t < at_s => (1.0, at_s),
            Profile::Spike { .. } => (self.at(t).max(1.0), lasting),
            Profile::Piecewise { ref from_s, .. } => {
                let next = from_s.partition_point(|&from| from <= t);
                (self.at(t), from_s.get(next).copied().unwrap_or(lasting))
            }
        }
    }

    /// ∫ of the multiplier from 0 to `t` seconds.
    pub fn integral(&self, t: f64) -> f64 {
        match *self {
            Profile::Constant {} => t,
            Profile::Ramp { from_s, until_s, factor } => {
                let rising = t.clamp(from_s, until_s) - from_s;
                let slope = (factor - 1.0) / (until_s - from_s);
                t + slope * rising * rising / 2.0 + (factor - 1.0) * (t - until_s).max(0.0)
            }
            Profile::Step { from_s, until_s, factor } => {
                t + (factor - 1.0) * (t.clamp(from_s, until_s) - from_s)
            }
            Profile::Spike { at_s, decay_s, factor } => {
                let since = (t - at_s).max(0.0);
                t + (factor - 1.0) * decay_s * (1.0 - (-since / decay_s).exp())
            }
            Profile::Piecewise { ref from_s, ref factors } => {
                let more =
                    pieces(from_s, factors, t).map(|(from, end, f)| (f - 1.0) * (end - from));
                t + more.sum::<f64>()
            }
        }
    }

    /// ∫ from 0 to `t` of the multiplier at s times e^(−κ(t−s)): its exponentially discounted
    /// integral at rate κ > 0.
    pub fn felt(&self, t: f64, kappa: f64) -> f64 {
        let always = forgotten(t, kappa);
        let more = match *self {
            Profile::Constant {} => 0.0,
            Profile::Ramp { from_s, until_s, factor } => {
                let rising = t.clamp(from_s, until_s) - from_s;
                let since = (t - until_s).max(0.0);
                let slope = (factor - 1.0) / (until_s - from_s);
                let risen = (rising - forgotten(rising, kappa)) / kappa;
                slope * risen * (-kappa * since).exp() + (factor - 1.0) * forgotten(since, kappa)
            }
            Profile::Step { from_s, until_s, factor } => {
                let inside = t.clamp(from_s, until_s) - from_s;
                let since = (t - until_s).max(0.0);
                (factor - 1.0) * forgotten(inside, kappa) * (-kappa * since).exp()
            }
            Profile::Spike { at_s, decay_s, factor } => {
                // Two exponentials, folded.
                let since = (t - at_s).max(0.0);
                let (slower, apart) = (kappa.min(1.0 / decay_s), (kappa - 1.0 / decay_s).abs());
                (factor - 1.0) * (-slower * since).exp() * forgotten(since, apart)
            }
            Profile::Piecewise { ref from_s, ref factors } => pieces(from_s, factors, t)
                .map(|(from, end, factor)| {
                    (factor - 1.0) * forgotten(end - from, kappa) * (-kappa * (t - end)).exp()
                })
                .sum(),
        };
        always + more
    }
}

/// Begin, end and factor of each piece that has begun before `t`, the last one cut off there.
fn pieces(from_s: &[f64], factors: &[f64], t: f64) -> impl Iterator<Item = (f64, f64, f64)> {
    let begun = from_s.partition_point(|&from| from < t);
    (0..begun).map(move |i| {
        let end = from_s.get(i + 1).map_or(t, |next| next.min(t));
        (from_s[i], end, factors[i])
    })
}

/// ∫ from 0 to `span` of e^(−rate·s).
fn forgotten(span: f64, rate: f64) -> f64 {
    if rate * span < 1e-12 { span } else { -(-rate * span).exp_m1() / rate }
}
