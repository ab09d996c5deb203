//! Lanes of strict precedence: a lane is served only when those before it are empty.
//!
//! `fifo` has one lane, `priority` two (Cobham, *Operations Research* 2, 1954), `class` three,
//! after Hyperliquid's order inside a block: messages that take no liquidity (post-only orders,
//! prices, liquidations) · cancels · all others. Post-only orders are served before cancels, so
//! that "place, cancel" is not reordered for them; a taker's "place, cancel" is, which is why a
//! node remembers cancels.
//!
//! When the queue is full, `fifo` refuses any arrival. Under `priority` the newest message of the
//! low lane is dropped for one of the high lane, under `class` the newest of the last group for one
//! of an earlier group.

use std::collections::VecDeque;

use super::{Discipline, Place};
use crate::message::{Class, Envelope, flags};
use crate::units::Ns;

#[derive(Clone, Copy, Debug)]
enum Lane {
    Only,
    High(u8),
    Group,
}

#[derive(Clone, Debug)]
pub(super) struct Strict {
    lane: Lane,
    lanes: [VecDeque<Place>; 3],
}

impl Strict {
    fn new(lane: Lane) -> Strict {
        Strict { lane, lanes: Default::default() }
    }

    pub(super) fn fifo() -> Strict {
        Strict::new(Lane::Only)
    }

    pub(super) fn priority(high: u8) -> Strict {
        Strict::new(Lane::High(high))
    }

    pub(super) fn class() -> Strict {
        Strict::new(Lane::Group)
    }

    #[inline]
    fn lane_of(&self, envelope: &Envelope) -> usize {
        match self.lane {
            Lane::Only => 0,
            Lane::High(high) => usize::from(high >> envelope.class as u8 & 1 == 0),
            Lane::Group => group(envelope),
        }
    }
}

/// Hyperliquid's group of a message: 0, 1 or 2.
pub(super) fn group(envelope: &Envelope) -> usize {
    match envelope.class {
        Class::OrderCancelRequest => 1,
        Class::OrderCancelReplaceRequest => 2,
        Class::NewOrderSingle if !envelope.has(flags::POST_ONLY) => 2,
        _ => 0,
    }
}

impl Discipline for Strict {
    #[inline]
    fn push(&mut self, _: Ns, place: Place, envelope: &Envelope) {
        let lane = self.lane_of(envelope);
        self.lanes[lane].push_back(place);
    }

    #[inline]
    fn pop(&mut self, _: Ns, _: &mut Vec<Place>) -> Option<Place> {
        self.lanes.iter_mut().find_map(VecDeque::pop_front)
    }

    fn make_room(&mut self, newcomer: &Envelope) -> Option<Place> {
        // Only the last lane's messages are dropped: group 1 holds cancels.
        let last = match self.lane {
            Lane::Only => return None,
            Lane::High(_) => 1,
            Lane::Group => 2,
        };
        (self.lane_of(newcomer) < last).then(|| self.lanes[last].pop_back())?
    }

    fn ahead(&self, newcomer: &Envelope) -> Option<usize> {
        Some(self.lanes[..=self.lane_of(newcomer)].iter().map(VecDeque::len).sum())
    }

    fn retain(&mut self, stays: &dyn Fn(Place) -> bool) {
        self.lanes.iter_mut().for_each(|lane| lane.retain(|&place| stays(place)));
    }

    fn order(&self) -> Vec<Place> {
        self.lanes.iter().flatten().copied().collect()
    }

    fn fresh(&self) -> Box<dyn Discipline> {
        Box::new(Strict::new(self.lane))
    }

    fn copy(&self) -> Box<dyn Discipline> {
        Box::new(self.clone())
    }
}
