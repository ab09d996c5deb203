//! A high and a low lane, first come first served in each.

use std::collections::VecDeque;

use super::Waiting;

#[derive(Clone, Debug)]
pub(super) struct Lanes<T> {
    high: VecDeque<Waiting<T>>,
    low: VecDeque<Waiting<T>>,
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Lanes { high: VecDeque::new(), low: VecDeque::new() }
    }
}

impl<T> Lanes<T> {
    #[inline]
    pub(super) fn push(&mut self, high: bool, waiting: Waiting<T>) {
        if high { &mut self.high } else { &mut self.low }.push_back(waiting);
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<Waiting<T>> {
        self.high.pop_front().or_else(|| self.low.pop_front())
    }

    pub(super) fn len(&self) -> usize {
        self.high.len() + self.low.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Waiting<T>> {
        self.high.iter().chain(&self.low)
    }

    pub(super) fn retain(&mut self, mut stays: impl FnMut(&Waiting<T>) -> bool) {
        self.high.retain(&mut stays);
        self.low.retain(&mut stays);
    }

    pub(super) fn clear(&mut self) {
        self.high.clear();
        self.low.clear();
    }
}
