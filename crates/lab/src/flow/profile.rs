//! A profile multiplies the arrival rate over time.

use crate::scenario::Profile;

impl Profile {
    /// The multiplier at `t` seconds.
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
        }
    }

    /// The greatest multiplier from `t` on.
    pub fn most_from(&self, t: f64) -> f64 {
        match *self {
            Profile::Constant {} => 1.0,
            Profile::Ramp { factor, .. } => factor.max(self.at(t)),
            Profile::Step { until_s, factor, .. } => {
                if t < until_s {
                    factor.max(1.0)
                } else {
                    1.0
                }
            }
            Profile::Spike { at_s, factor, .. } => {
                if t < at_s {
                    factor.max(1.0)
                } else {
                    self.at(t).max(1.0)
                }
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
        }
    }
}
