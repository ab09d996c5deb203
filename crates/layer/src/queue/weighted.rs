//! A lane per class, served by interleaved weighted round robin (CometBFT ADR-118).
//!
//! In round r = 1 … the greatest weight, every non-empty lane of weight ≥ r serves one message, in
//! the order of descending weight, then of class number; then round 1 again. So of `Σ weights`
//! services in a row with all lanes busy, a lane gets exactly its weight, and waits for at most `Σ
//! others' weights` services. First come, first served inside a lane.
//!
//! Round and position are kept from pop to pop; an empty lane is skipped. When the queue is full,
//! the newest order or replace of the lane that is fuller relative to its weight is dropped for
//! another lane's message. If there is none, the newest message of the fullest lane is dropped for
//! a risk-reducing one: a storm of cancels displaces neither prices nor liquidations.

use std::collections::VecDeque;

use super::{Discipline, Place};
use crate::message::{Class, Envelope};
use crate::units::Ns;

#[derive(Clone, Debug)]
pub(super) struct Weighted {
    weights: [u8; 8],
    /// Class numbers by descending weight.
    sequence: [u8; 8],
    lanes: [VecDeque<Place>; 8],
    round: u8,
    /// Index into `sequence` of the lane to examine next.
    at: usize,
}

impl Weighted {
    pub(super) fn new(weights: [u8; 8]) -> Weighted {
        let lanes = Default::default();
        let mut weighted = Weighted { weights, sequence: [0; 8], lanes, round: 1, at: 0 };
        weighted.set(weights);
        weighted
    }

    /// Sets the weights and begins a new round.
    fn set(&mut self, weights: [u8; 8]) {
        assert!(!weights.contains(&0), "lanes: every weight must be at least 1");
        let mut sequence = [0, 1, 2, 3, 4, 5, 6, 7];
        sequence.sort_by_key(|&class| (u8::MAX - weights[class as usize], class));
        (self.weights, self.sequence) = (weights, sequence);
        (self.round, self.at) = (1, 0);
    }

    fn next(&mut self) -> Option<Place> {
        let greatest = self.weights[self.sequence[0] as usize];
        // Every lane once in every round, and once more for the round begun in the middle.
        for _ in 0..(usize::from(greatest) + 1) * self.sequence.len() {
            let class = usize::from(self.sequence[self.at]);
            let served = self.weights[class] >= self.round;
            self.at += 1;
            if self.at == self.sequence.len() || !served {
                // Lanes after this one weigh less still.
                self.at = 0;
                self.round = if self.round >= greatest { 1 } else { self.round + 1 };
            }
            if let Some(place) = served.then(|| self.lanes[class].pop_front()).flatten() {
                return Some(place);
            }
        }
        None
    }
}

impl Discipline for Weighted {
    fn push(&mut self, _: Ns, place: Place, envelope: &Envelope) {
        self.lanes[envelope.class as usize].push_back(place);
    }

    fn pop(&mut self, _: Ns, _: &mut Vec<Place>) -> Option<Place> {
        if self.lanes.iter().all(VecDeque::is_empty) {
            return None;
        }
        self.next()
    }

    fn make_room(&mut self, newcomer: &Envelope) -> Option<Place> {
        let loose = [Class::OrderCancelReplaceRequest, Class::NewOrderSingle];
        let load = |class: Class| {
            self.lanes[class as usize].len() as u64 * 256 / u64::from(self.weights[class as usize])
        };
        let fullest = |of: &[Class]| of.iter().copied().max_by_key(|&class| load(class));
        let first = fullest(&loose)?;
        if load(first) > 0 && (newcomer.reduces_risk() || load(first) > load(newcomer.class)) {
            return self.lanes[first as usize].pop_back();
        }
        let any = fullest(&Class::ALL).filter(|_| newcomer.reduces_risk())?;
        (load(any) > load(newcomer.class)).then(|| self.lanes[any as usize].pop_back())?
    }

    /// The messages of its own lane, and of each other lane what it serves meanwhile in proportion.
    fn ahead(&self, newcomer: &Envelope) -> Option<usize> {
        let own = newcomer.class as usize;
        let turns = self.lanes[own].len() + 1;
        let share = |class: usize| {
            let meanwhile = turns * usize::from(self.weights[class]);
            self.lanes[class].len().min(meanwhile.div_ceil(usize::from(self.weights[own])))
        };
        let others = (0..self.lanes.len()).filter(|&class| class != own).map(share);
        Some(self.lanes[own].len() + others.sum::<usize>())
    }

    fn retain(&mut self, stays: &dyn Fn(Place) -> bool) {
        self.lanes.iter_mut().for_each(|lane| lane.retain(|&place| stays(place)));
    }

    fn order(&self) -> Vec<Place> {
        let mut copy = self.clone();
        std::iter::from_fn(|| copy.pop(0, &mut Vec::new())).collect()
    }

    fn weigh(&mut self, weights: [u8; 8]) {
        self.set(weights);
    }

    fn fresh(&self) -> Box<dyn Discipline> {
        Box::new(Weighted::new(self.weights))
    }

    fn copy(&self) -> Box<dyn Discipline> {
        Box::new(self.clone())
    }
}
