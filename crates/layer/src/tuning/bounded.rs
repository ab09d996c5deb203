//! Hard bounds around a controller, and the record of its changes.
//!
//! Rules. The setting is inside its bounds at all times, from the first. Each knob that changes
//! yields one change, in the order of [`Knob::ALL`].
//!
//! Theory of operation. Whether a controller learns, fails or is hostile, the venue stays inside
//! the bounds that its operator has set. So the check stands outside of all controllers.
//!
//! Departures: none.

use super::{
    Bounds, Change, Controller, Knob, Observation, Parameter, Recommendation, Setting, Why,
};
use crate::machine::{Draws, Machine};
use crate::units::Ns;

/// A controller under bounds.
#[derive(Clone, Debug)]
pub struct Bounded<C> {
    controller: C,
    bounds: Bounds,
    setting: Setting,
}

impl<C: Controller> Bounded<C> {
    /// Starts from `first`.
    ///
    /// # Panics
    /// If `first` is outside the bounds.
    pub fn new(controller: C, bounds: Bounds, first: &Setting) -> Bounded<C> {
        assert_eq!(bounds.clamp(first), *first, "tuning: the first setting is outside the bounds");
        Bounded { controller, bounds, setting: *first }
    }

    /// The present setting.
    pub fn setting(&self) -> &Setting {
        &self.setting
    }

    /// Passes an observation to the controller and applies its recommendation within the bounds.
    pub fn observe(&mut self, seen: &Observation, changes: &mut Vec<Change>) {
        let recommendation = self.controller.control(seen, &self.setting, &self.bounds);
        self.take(&recommendation, changes);
    }

    /// Applies a recommendation made elsewhere, within the bounds.
    pub fn take(&mut self, recommendation: &Recommendation, changes: &mut Vec<Change>) {
        let inside = self.bounds.clamp(&recommendation.setting);
        for knob in Knob::ALL {
            let (from, to) = (self.setting.get(knob), inside.get(knob));
            if from != to {
                let clamped = to != recommendation.setting.get(knob);
                let Recommendation { why, on, .. } = *recommendation;
                let parameter = Parameter::Knob(knob);
                changes.push(Change { parameter, from, to, why, on, clamped });
            }
        }
        self.setting = inside;
    }
}

impl<C: Controller> Machine for Bounded<C> {
    type Input = Observation;
    type Output = Change;

    /// `now` is the observation's own.
    fn step(&mut self, _: Ns, seen: Observation, _: &mut dyn Draws, changes: &mut Vec<Change>) {
        self.observe(&seen, changes);
    }
}

/// A controller that never changes anything: a fixed setting, for comparison.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fixed;

impl Controller for Fixed {
    fn control(&mut self, _: &Observation, set: &Setting, _: &Bounds) -> Recommendation {
        Recommendation { setting: *set, why: Why::Bounds, on: 0 }
    }
}
