//! Self-tuning: controllers that set batch size, batch window, admission limit and lane weights.
//!
//! # Rules
//! 1. A controller receives [`Observation`]s and recommends a [`Setting`]; it sets nothing itself.
//! 2. [`bounded::Bounded`] keeps every setting inside its [`Bounds`], whatever the controller
//!    recommends.
//! 3. Every change is a [`Change`]: parameter, old and new value, reason, and the number behind
//!    the reason. The changes of a run, applied in order to its first setting, yield every later
//!    setting: a run replays without its controller.
//!
//! Floats are allowed in here, and only + − × ÷ and √ of them, which are exact by IEEE 754.
//!
//! Read in this order: this file, [`observe`], [`volatility`], [`bounded`], then the controllers [`sojourn`] and
//! [`gradient2`].

pub mod bounded;
pub mod gradient2;
pub mod observe;
pub mod sojourn;
pub mod volatility;

use serde::{Deserialize, Serialize};

use crate::units::Ns;

/// Measurements of a queue and its server over a span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// End of the span.
    pub now: Ns,
    /// Number of messages that left the queue; the sojourns are theirs, and 0 if there were none.
    pub served: u64,
    /// Number of messages refused or shed.
    pub refused: u64,
    /// Least sojourn of the messages served, in ns.
    pub sojourn_min_ns: Ns,
    /// Mean sojourn of the messages served, in ns.
    pub sojourn_mean_ns: Ns,
    /// Median sojourn of the messages served, in ns.
    pub sojourn_p50_ns: Ns,
    /// 99th percentile of the sojourns, in ns.
    pub sojourn_p99_ns: Ns,
    /// Greatest number of messages in flight (admitted, not yet in a block) at once.
    pub inflight: u32,
    /// Estimated time to work off the backlog at the end of the span.
    pub backlog_ns: Ns,
    /// Number of risk-reducing messages among the served.
    pub reducing_served: u64,
    /// Least sojourn of the risk-reducing messages served, in ns.
    pub reducing_min_ns: Ns,
    /// 99th percentile of the sojourns of the risk-reducing messages served, in ns.
    pub reducing_p99_ns: Ns,
    /// Estimated time to work off the backlog that would be served before an arriving risk-reducing
    /// message.
    pub ahead_ns: Ns,
    /// Smoothed time between decided blocks, where nodes agree on them; 0 under a sequencer.
    pub block_interval_ns: Ns,
    /// Number of messages that wait for a block at the end of the span, by class number.
    pub waiting: [u32; 8],
    /// Number of messages refused or shed, by class number.
    pub refused_by_class: [u64; 8],
    /// Realised volatility of the mark, millionths per √s ([`volatility`]).
    pub volatility_ppm: u64,
}

impl Observation {
    /// Standing delay of risk-reducing messages: their least sojourn beyond the block interval, or
    /// the backlog before an arriving one if none was served.
    pub fn standing_ns(&self) -> Ns {
        match self.reducing_served {
            0 => self.ahead_ns,
            _ => self.reducing_min_ns.saturating_sub(self.block_interval_ns),
        }
    }
}

/// The parameters that controllers tune.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Greatest number of messages in a batch.
    pub batch_messages_max: u32,
    /// Batch window in ns; under consensus the wait after a decision.
    pub window_ns: Ns,
    /// Greatest number of messages in flight beyond which orders that take at once are refused.
    pub admission_limit: u32,
    /// Weight of each class's lane, by class number.
    pub lane_weights: [u8; 8],
}

/// One parameter of a [`Setting`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knob {
    /// The batch size, [`Setting::batch_messages_max`].
    BatchMessagesMax,
    /// The batch window, [`Setting::window_ns`].
    WindowNs,
    /// The admission limit, [`Setting::admission_limit`].
    AdmissionLimit,
    /// The weight of this class's lane, [`Setting::lane_weights`].
    LaneWeight(u8),
}

impl Knob {
    /// Every knob, in the order of its code.
    pub const ALL: [Knob; 11] = [
        Knob::BatchMessagesMax,
        Knob::WindowNs,
        Knob::AdmissionLimit,
        Knob::LaneWeight(0),
        Knob::LaneWeight(1),
        Knob::LaneWeight(2),
        Knob::LaneWeight(3),
        Knob::LaneWeight(4),
        Knob::LaneWeight(5),
        Knob::LaneWeight(6),
        Knob::LaneWeight(7),
    ];

    /// Its number in a trace: its place in [`Knob::ALL`].
    pub fn code(self) -> u8 {
        match self {
            Knob::BatchMessagesMax => 0,
            Knob::WindowNs => 1,
            Knob::AdmissionLimit => 2,
            Knob::LaneWeight(class) => 3 + class,
        }
    }
}

/// Any parameter that is changed while a node runs: by a controller, or by adaptive consensus
/// ([`crate::node::AdaptiveTimeouts`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// A parameter that a controller sets.
    Knob(Knob),
    /// The wait after a decision, in ns.
    TimeoutCommit,
    /// The timeout of a height's first proposal, in ns.
    TimeoutPropose,
    /// Whether messages are refused by their criticality: 0 or 1.
    Throttle,
}

impl Parameter {
    /// Its number in a trace. 13 is reserved: it was a timeout that is no longer adapted.
    pub fn code(self) -> u8 {
        match self {
            Parameter::Knob(knob) => knob.code(),
            Parameter::TimeoutCommit => 11,
            Parameter::TimeoutPropose => 12,
            Parameter::Throttle => 14,
        }
    }

    /// The parameter of this number, if there is one.
    pub fn of_code(code: u8) -> Option<Parameter> {
        let knobs = Knob::ALL.map(Parameter::Knob).into_iter();
        let own = [Parameter::TimeoutCommit, Parameter::TimeoutPropose, Parameter::Throttle];
        knobs.chain(own).find(|parameter| parameter.code() == code)
    }
}

impl Setting {
    /// Value of a knob.
    pub fn get(&self, knob: Knob) -> u64 {
        match knob {
            Knob::BatchMessagesMax => u64::from(self.batch_messages_max),
            Knob::WindowNs => self.window_ns,
            Knob::AdmissionLimit => u64::from(self.admission_limit),
            Knob::LaneWeight(class) => u64::from(self.lane_weights[usize::from(class)]),
        }
    }

    /// Sets the value of a knob; a value beyond its type saturates.
    pub fn set(&mut self, knob: Knob, value: u64) {
        let short = u32::try_from(value).unwrap_or(u32::MAX);
        match knob {
            Knob::BatchMessagesMax => self.batch_messages_max = short,
            Knob::WindowNs => self.window_ns = value,
            Knob::AdmissionLimit => self.admission_limit = short,
            Knob::LaneWeight(class) => {
                self.lane_weights[usize::from(class)] = u8::try_from(value).unwrap_or(u8::MAX);
            }
        }
    }

    /// Replays a controller's change. Returns `false`, without effect, if it was not made from this
    /// setting, so that a change is missing or out of order, or if it is not that of a knob.
    #[must_use]
    pub fn replay(&mut self, change: &Change) -> bool {
        let Parameter::Knob(knob) = change.parameter else { return false };
        let follows = self.get(knob) == change.from;
        if follows {
            self.set(knob, change.to);
        }
        follows
    }
}

/// Range of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    least: Setting,
    most: Setting,
}

impl Bounds {
    /// Each knob between its value in `least` and its value in `most`.
    ///
    /// # Panics
    /// If `least` is above `most` at a knob; or if a batch size, an admission limit or a weight of
    /// 0 is allowed, which would stop a venue.
    pub fn new(least: Setting, most: Setting) -> Bounds {
        for knob in Knob::ALL {
            assert!(
                least.get(knob) <= most.get(knob),
                "tuning: the least {knob:?} is above its most; swap them",
            );
            assert!(
                knob == Knob::WindowNs || least.get(knob) > 0,
                "tuning: the least {knob:?} must be at least 1, or nothing would pass",
            );
        }
        Bounds { least, most }
    }

    /// The least setting.
    pub fn least(&self) -> &Setting {
        &self.least
    }

    /// The greatest setting.
    pub fn most(&self) -> &Setting {
        &self.most
    }

    /// The nearest setting inside the bounds.
    pub fn clamp(&self, setting: &Setting) -> Setting {
        let mut inside = *setting;
        for knob in Knob::ALL {
            let value = setting.get(knob).clamp(self.least.get(knob), self.most.get(knob));
            inside.set(knob, value);
        }
        inside
    }
}

/// Why a setting was changed, and what the number in [`Change::on`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Why {
    /// The first setting was outside the bounds. On: 0.
    Bounds = 1,
    /// The standing delay was above target. On: the standing delay in ns.
    SojournAbove = 2,
    /// The standing delay was well below target. On: the standing delay in ns.
    SojournBelow = 3,
    /// The gradient of the sojourn moved the limit. On: the mean sojourn in ns.
    Gradient = 4,
    /// A controller outside this crate decided. On: a number of its choice.
    Outside = 5,
    /// Congestion has risen. On: rounds lost, messages or nanoseconds that wait, by [`Parameter`].
    CongestionRises = 6,
    /// Congestion has fallen. On: the same.
    CongestionFalls = 7,
}

impl Why {
    /// Every reason, in the order of its number, which begins at 1.
    pub const ALL: [Why; 7] = [
        Why::Bounds,
        Why::SojournAbove,
        Why::SojournBelow,
        Why::Gradient,
        Why::Outside,
        Why::CongestionRises,
        Why::CongestionFalls,
    ];

    /// The reason of this number, if there is one.
    pub fn of_code(code: u8) -> Option<Why> {
        Why::ALL.into_iter().find(|&why| why as u8 == code)
    }
}

/// A change of a node's setting, as recorded in the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The setting that was changed.
    pub parameter: Parameter,
    /// Value before the change.
    pub from: u64,
    /// Value after the change.
    pub to: u64,
    /// Reason of the change.
    pub why: Why,
    /// Number behind the reason: see [`Why`].
    pub on: u64,
    /// Whether the bounds cut the value that was aimed at.
    pub clamped: bool,
}

/// A controller's recommendation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recommendation {
    /// The setting that the controller recommends.
    pub setting: Setting,
    /// Reason of the change.
    pub why: Why,
    /// Number behind the reason: see [`Why`].
    pub on: u64,
}

/// Turns observations into recommendations.
pub trait Controller {
    /// Recommends a setting, given an observation and the present setting. The bounds are given for
    /// planning; [`bounded::Bounded`] enforces them.
    fn control(&mut self, seen: &Observation, set: &Setting, bounds: &Bounds) -> Recommendation;
}

impl<C: Controller + ?Sized> Controller for Box<C> {
    fn control(&mut self, seen: &Observation, set: &Setting, bounds: &Bounds) -> Recommendation {
        (**self).control(seen, set, bounds)
    }
}
