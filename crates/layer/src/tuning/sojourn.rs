//! Keeps the standing delay of risk-reducing messages below a target, by CoDel's control law.
//!
//! # Rules
//! 1. If the standing delay stays at or above target for an interval, tighten one step; while it
//!    stays there, the n-th step follows after interval/√n.
//! 2. A step makes batches a quarter larger and their window a quarter shorter, and halves the
//!    weights of lanes that are not essential. Only when batch and window are at their bounds does
//!    it also lower the admission limit by an eighth: capacity first, then refusals.
//! 3. If the standing delay stays below half the target for an interval, relax one step: the
//!    admission limit an eighth of the way back to its initial value and, once it is there, all
//!    other knobs.
//!
//! # Theory of operation
//! The least sojourn of a span distinguishes a standing queue from a burst, and CoDel's spacing
//! increases the rate of steps until the delay falls. Where CoDel drops a packet, this controller
//! takes one step. Between half the target and the target nothing changes (hysteresis).
//!
//! Only risk-reducing messages count, and only their delay beyond the block interval. Where the
//! discipline serves them first nothing is tightened, however long others wait: larger blocks would
//! only prolong their wait for the block in execution, and refused orders may be the counterparties
//! of liquidations. No knob here makes agreement on a block faster.
//!
//! Source: RFC 8289 for the law ([`Codel`]); the steps are this project's own.
//!
//! # Departures
//! - The controller relaxes towards the first setting, never beyond it.
//! - At most [`STEPS_MAX`] overdue steps are taken at once.

use super::{Bounds, Controller, Observation, Recommendation, Setting, Why};
use crate::queue::codel::{Codel, Law, Verdict};
use crate::units::Ns;

/// Most steps per observation.
pub const STEPS_MAX: u32 = 4;

/// Parameters of the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Target of the standing delay, in ns.
    pub target_ns: Ns,
    /// Time for which the delay may be above target, in ns; at least 1.
    pub interval_ns: Ns,
    /// Bit mask of the classes whose lanes keep their weights.
    pub essential: u8,
}

/// Controller of the standing delay of risk-reducing messages.
#[derive(Clone, Copy, Debug)]
pub struct Sojourn {
    config: Config,
    rest: Setting,
    law: Codel,
    /// Time at which to relax if the delay stays low until then.
    relax_ns: Option<Ns>,
}

impl Sojourn {
    /// A controller that relaxes towards `rest`.
    pub fn new(config: Config, rest: Setting) -> Sojourn {
        let law = Codel::new(Law { target_ns: config.target_ns, interval_ns: config.interval_ns });
        Sojourn { config, rest, law, relax_ns: None }
    }

    /// The setting after one step of rule 2.
    fn tighten(&self, set: &Setting, bounds: &Bounds) -> Setting {
        let mut to = *set;
        let spent = set.batch_messages_max >= bounds.most().batch_messages_max
            && set.window_ns <= bounds.least().window_ns;
        if spent {
            to.admission_limit -= set.admission_limit.div_ceil(8);
        } else {
            let more = (set.batch_messages_max / 4).max(1);
            to.batch_messages_max = set.batch_messages_max.saturating_add(more);
            to.window_ns -= set.window_ns.div_ceil(4);
        }
        for (class, weight) in to.lane_weights.iter_mut().enumerate() {
            if self.config.essential >> class & 1 == 0 {
                *weight = (*weight / 2).max(1);
            }
        }
        bounds.clamp(&to)
    }

    /// The setting after one step of rule 3.
    fn relax(&self, set: &Setting, bounds: &Bounds) -> Setting {
        let rest = bounds.clamp(&self.rest);
        let mut to = *set;
        if set.admission_limit != rest.admission_limit {
            to.admission_limit = towards(set.admission_limit, rest.admission_limit) as u32;
            return to;
        }
        to.batch_messages_max = towards(set.batch_messages_max, rest.batch_messages_max) as u32;
        to.window_ns = towards(set.window_ns, rest.window_ns);
        for (weight, rest) in to.lane_weights.iter_mut().zip(rest.lane_weights) {
            *weight = rest.min(weight.saturating_mul(2));
        }
        to
    }
}

impl Controller for Sojourn {
    fn control(&mut self, seen: &Observation, set: &Setting, bounds: &Bounds) -> Recommendation {
        let standing_ns = seen.standing_ns();
        let mut setting = *set;
        let mut why = Why::SojournAbove;
        for _ in 0..STEPS_MAX {
            if self.law.on_dequeue(seen.now, standing_ns, true) == Verdict::Keep {
                break;
            }
            setting = self.tighten(&setting, bounds);
        }
        if standing_ns >= self.config.target_ns / 2 {
            self.relax_ns = None;
        } else if self.relax_ns.is_some_and(|at_ns| seen.now >= at_ns) {
            why = Why::SojournBelow;
            setting = self.relax(&setting, bounds);
            self.relax_ns = Some(seen.now.saturating_add(self.config.interval_ns));
        } else if self.relax_ns.is_none() {
            self.relax_ns = Some(seen.now.saturating_add(self.config.interval_ns));
        }
        Recommendation { setting, why, on: standing_ns }
    }
}

/// A step of one eighth from one value to another, and of at least 1/64 of the goal, so that the
/// approach ends.
fn towards(from: impl Into<u64>, to: impl Into<u64>) -> u64 {
    let (from, to) = (from.into(), to.into());
    let gap = from.abs_diff(to);
    let step = gap.div_ceil(8).max(to / 64).min(gap);
    if from < to { from + step } else { from - step }
}
