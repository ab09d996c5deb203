//! Nobody orders: messages are validated and spread.

use super::{Engine, Input, Output};
use crate::machine::Draws;
use crate::units::Ns;

/// No order.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

impl Engine for Nobody {
    fn step(&mut self, _now: Ns, _input: Input, _draws: &mut dyn Draws, _out: &mut Vec<Output>) {}

    fn proposes(&self) -> bool {
        false
    }
}
