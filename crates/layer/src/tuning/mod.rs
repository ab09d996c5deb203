//! Self-tuning: controllers that set batch size, batch window, admission limit and lane weights.
//!
//! # Rules
//! 1. A controller sees [`Observation`]s and wishes for a [`Setting`]; it sets nothing itself.
//! 2. [`bounded::Bounded`] lets no setting leave its [`Bounds`], whatever the controller wishes.
//! 3. Every change is a [`Decision`]: what, from, to, why, on what. The decisions of a run, taken in
//!    order from its first setting, give every later setting: a run replays without its controller.
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

use crate::units::Ns;

/// What was seen of a queue and its server over a span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// The end of the span.
    pub now: Ns,
    /// How many messages left the queue; the sojourns are theirs, and 0 if there were none.
    pub served: u64,
    /// How many were refused or shed.
    pub refused: u64,
    /// Least sojourn.
    pub sojourn_min_ns: Ns,
    /// Mean sojourn.
    pub sojourn_mean_ns: Ns,
    /// Median sojourn.
    pub sojourn_p50_ns: Ns,
    /// 99th percentile of the sojourns.
    pub sojourn_p99_ns: Ns,
    /// Most messages on their way at once.
    pub inflight: u32,
    /// How long the work that waits at the end will take.
    pub backlog_ns: Ns,
    /// How many of the served reduce risk; the next two are theirs.
    pub reducing_served: u64,
    /// Least sojourn.
    pub reducing_min_ns: Ns,
    /// 99th percentile of the sojourns.
    pub reducing_p99_ns: Ns,
    /// How long what stands before a newcomer that reduces risk will take.
    pub ahead_ns: Ns,
    /// Smoothed time between decided blocks, where nodes agree on them; 0 under a sequencer.
    pub block_interval_ns: Ns,
    /// How many wait for a block at the end, by class number.
    pub waiting: [u32; 8],
    /// How many were refused or shed, by class number.
    pub refused_by_class: [u64; 8],
    /// Realised volatility of the mark, millionths per √s ([`volatility`]).
    pub volatility_ppm: u64,
}

impl Observation {
    /// What a message that reduces risk cannot get round: the least sojourn beyond the time that a
    /// block takes, or what stands before a newcomer if none got through.
    pub fn standing_ns(&self) -> Ns {
        match self.reducing_served {
            0 => self.ahead_ns,
            _ => self.reducing_min_ns.saturating_sub(self.block_interval_ns),
        }
    }
}

/// What can be tuned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Most messages in a batch.
    pub batch_messages_max: u32,
    /// How long a batch stays open; where nodes agree on blocks, the wait after a decision.
    pub window_ns: Ns,
    /// Most orders on their way.
    pub admission_limit: u32,
    /// Weight of each class's lane, by class number.
    pub lane_weights: [u8; 8],
}

/// One number of a [`Setting`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knob {
    /// [`Setting::batch_messages_max`].
    BatchMessagesMax,
    /// [`Setting::window_ns`].
    WindowNs,
    /// [`Setting::admission_limit`].
    AdmissionLimit,
    /// [`Setting::lane_weights`] of this class number.
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

/// Anything that is changed while a node runs: what a controller sets, or what consensus adapts by
/// itself ([`crate::node::AdaptiveTimeouts`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// A controller's.
    Knob(Knob),
    /// The wait after a decision, in ns.
    TimeoutCommit,
    /// How long a first proposal is waited for, in ns.
    TimeoutPropose,
    /// Whether messages are refused by their criticality: 0 or 1.
    Throttle,
}

impl Parameter {
    /// Its number in a trace. 13 was a timeout that is not adapted any more.
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
    /// The number at a knob.
    pub fn get(&self, knob: Knob) -> u64 {
        match knob {
            Knob::BatchMessagesMax => u64::from(self.batch_messages_max),
            Knob::WindowNs => self.window_ns,
            Knob::AdmissionLimit => u64::from(self.admission_limit),
            Knob::LaneWeight(class) => u64::from(self.lane_weights[usize::from(class)]),
        }
    }

    /// Sets the number at a knob; what does not fit counts as the greatest that does.
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

    /// Replays a decision. Gives `false`, and changes nothing, if it was not taken from this
    /// setting: then a decision is missing or out of order.
    #[must_use]
    pub fn replay(&mut self, decision: &Decision) -> bool {
        let follows = self.get(decision.knob) == decision.from;
        if follows {
            self.set(decision.knob, decision.to);
        }
        follows
    }
}

/// Where settings may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    least: Setting,
    most: Setting,
}

impl Bounds {
    /// Each knob between its number in `least` and its number in `most`.
    ///
    /// # Panics
    /// If `least` is above `most` at a knob; or 0 where 0 would stop a venue: at the batch size,
    /// the admission limit or a lane.
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

    /// The least numbers.
    pub fn least(&self) -> &Setting {
        &self.least
    }

    /// The greatest numbers.
    pub fn most(&self) -> &Setting {
        &self.most
    }

    /// The nearest setting inside.
    pub fn clamp(&self, setting: &Setting) -> Setting {
        let mut inside = *setting;
        for knob in Knob::ALL {
            let value = setting.get(knob).clamp(self.least.get(knob), self.most.get(knob));
            inside.set(knob, value);
        }
        inside
    }
}

/// Why a setting was changed, and what the number in [`Decision::on`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Why {
    /// The first setting was outside the bounds. On: 0.
    Bounds = 1,
    /// Messages could not get round waiting above target. On: the standing sojourn in ns.
    SojournAbove = 2,
    /// Waiting was well below target. On: the standing sojourn in ns.
    SojournBelow = 3,
    /// The gradient of the sojourn. On: the mean sojourn in ns.
    Gradient = 4,
    /// A controller from outside. On: whatever it said.
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

/// A change of one knob: a fact for the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// When it was decided.
    pub at_ns: Ns,
    /// The setting.
    pub knob: Knob,
    /// From which number.
    pub from: u64,
    /// To which number.
    pub to: u64,
    /// The observation that it rests on.
    pub why: Why,
    /// On what: see [`Why`].
    pub on: u64,
    /// Whether the controller wished for more than the bounds allow.
    pub clamped: bool,
}

/// What a controller would like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The setting.
    pub setting: Setting,
    /// The observation that it rests on.
    pub why: Why,
    /// On what: see [`Why`].
    pub on: u64,
}

/// Turns observations into wishes.
pub trait Controller {
    /// What it wishes for, given what was seen and what is set. The bounds are told so that it can
    /// plan; they are kept by others.
    fn control(&mut self, seen: &Observation, set: &Setting, bounds: &Bounds) -> Wish;
}

impl<C: Controller + ?Sized> Controller for Box<C> {
    fn control(&mut self, seen: &Observation, set: &Setting, bounds: &Bounds) -> Wish {
        (**self).control(seen, set, bounds)
    }
}
