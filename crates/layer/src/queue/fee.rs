//! Highest fee first; equal fees in the order of arrival.
//!
//! A full queue drops the message with the lowest fee (of those the newest) for one with a higher
//! fee, as Ethereum's pools do. The order of an account's own messages is not kept: an account that
//! wants it must bid decreasing fees.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::{Discipline, Place};
use crate::message::Envelope;
use crate::units::Ns;

#[derive(Clone, Debug, Default)]
pub(super) struct Fee {
    waiting: BTreeSet<(Reverse<u32>, u64, Place)>,
    arrivals: u64,
}

impl Discipline for Fee {
    fn push(&mut self, _: Ns, place: Place, envelope: &Envelope) {
        self.waiting.insert((Reverse(envelope.fee_micros), self.arrivals, place));
        self.arrivals += 1;
    }

    fn pop(&mut self, _: Ns, _: &mut Vec<Place>) -> Option<Place> {
        self.waiting.pop_first().map(|(_, _, place)| place)
    }

    fn make_room(&mut self, newcomer: &Envelope) -> Option<Place> {
        let (Reverse(cheapest), ..) = self.waiting.last()?;
        if *cheapest < newcomer.fee_micros {
            return self.waiting.pop_last().map(|(_, _, place)| place);
        }
        None
    }

    fn retain(&mut self, stays: &dyn Fn(Place) -> bool) {
        self.waiting.retain(|&(_, _, place)| stays(place));
    }

    fn order(&self) -> Vec<Place> {
        self.waiting.iter().map(|&(_, _, place)| place).collect()
    }

    fn fresh(&self) -> Box<dyn Discipline> {
        Box::new(Fee::default())
    }

    fn copy(&self) -> Box<dyn Discipline> {
        Box::new(self.clone())
    }
}
