//! Hard bounds around a controller, and the record of what it changed.
//!
//! Rules. The setting is inside its bounds at every moment, from the first. Each knob that changes
//! gives one decision, in the order of [`Knob::ALL`].
//!
//! Theory of operation. Whether a controller learns, errs or is hostile, the venue stays inside what
//! its operator has allowed. So the check is here, outside of all controllers, and knows none.
//!
//! Departures: none.

use super::{Bounds, Controller, Decision, Knob, Observation, Setting, Why, Wish};
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
    /// Starts from `first`, or from what is nearest to it inside the bounds.
    pub fn new(controller: C, bounds: Bounds, first: &Setting) -> Bounded<C> {
        Bounded { controller, bounds, setting: bounds.clamp(first) }
    }

    /// What is set.
    pub fn setting(&self) -> &Setting {
        &self.setting
    }

    /// Lets the controller see, and takes its wish.
    pub fn observe(&mut self, seen: &Observation, decisions: &mut Vec<Decision>) {
        let wish = self.controller.control(seen, &self.setting, &self.bounds);
        self.take(seen.now, &wish, decisions);
    }

    /// Takes a wish from outside.
    pub fn take(&mut self, now: Ns, wish: &Wish, decisions: &mut Vec<Decision>) {
        let inside = self.bounds.clamp(&wish.setting);
        for knob in Knob::ALL {
            let (from, to) = (self.setting.get(knob), inside.get(knob));
            if from != to {
                let clamped = to != wish.setting.get(knob);
                let Wish { why, on, .. } = *wish;
                decisions.push(Decision { at_ns: now, knob, from, to, why, on, clamped });
            }
        }
        self.setting = inside;
    }
}

impl<C: Controller> Machine for Bounded<C> {
    type Input = Observation;
    type Output = Decision;

    /// `now` is the observation's own.
    fn step(&mut self, _: Ns, seen: Observation, _: &mut dyn Draws, decisions: &mut Vec<Decision>) {
        self.observe(&seen, decisions);
    }
}

/// A controller that never changes anything: every fixed setting, for comparison.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fixed;

impl Controller for Fixed {
    fn control(&mut self, _: &Observation, set: &Setting, _: &Bounds) -> Wish {
        Wish { setting: *set, why: Why::Bounds, on: 0 }
    }
}
