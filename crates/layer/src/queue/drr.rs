//! Deficit round robin by account (Shreedhar & Varghese, *IEEE/ACM ToN* 4(3), 1996).
//!
//! Accounts with waiting messages are served in turn, in the order in which they became active. A
//! turn adds `quantum_bytes` to the account's deficit counter and serves its messages while they
//! fit; an account without messages leaves the list, and its deficit is reset. Between two accounts
//! that both stay busy the bytes served never differ by more than quantum + 2 · the largest message
//! (their Lemma 2).
//!
//! When the queue is full, the newest message of the account with the most waiting bytes is
//! dropped, unless that is the arriving message's own account (longest-queue drop). Risk-reducing
//! messages are never dropped.

use std::collections::VecDeque;

use super::flows::{Entry, Flows};
use super::{Discipline, Place};
use crate::message::Envelope;
use crate::units::{AccountId, Ns};

#[derive(Clone, Debug)]
pub(super) struct Drr {
    quantum_bytes: u32,
    /// Flows with their deficit counters, in bytes.
    flows: Flows<u64>,
    active: VecDeque<AccountId>,
    /// The first of `active` has had its quantum in this turn.
    granted: bool,
}

impl Drr {
    pub(super) fn new(quantum_bytes: u32) -> Drr {
        assert!(quantum_bytes > 0, "drr: quantum_bytes must be at least 1");
        Drr { quantum_bytes, flows: Flows::default(), active: VecDeque::new(), granted: false }
    }
}

impl Discipline for Drr {
    fn push(&mut self, now: Ns, place: Place, envelope: &Envelope) {
        if self.flows.push(envelope.account, Entry::new(now, place, envelope)) {
            self.active.push_back(envelope.account);
        }
    }

    fn pop(&mut self, _: Ns, _: &mut Vec<Place>) -> Option<Place> {
        loop {
            let account = *self.active.front()?;
            let flow = self.flows.by_account.get_mut(&account)?;
            let Some(head) = flow.waiting.front() else {
                self.flows.remove(account);
                self.active.pop_front();
                self.granted = false;
                continue;
            };
            if !self.granted {
                flow.state += u64::from(self.quantum_bytes);
                self.granted = true;
            }
            let bytes = u64::from(head.bytes);
            if bytes > flow.state {
                self.active.rotate_left(1);
                self.granted = false;
                continue;
            }
            flow.state -= bytes;
            let last = flow.waiting.len() == 1;
            let entry = self.flows.pop(account)?;
            if last {
                self.flows.remove(account);
                self.active.pop_front();
                self.granted = false;
            }
            return Some(entry.place);
        }
    }

    fn make_room(&mut self, newcomer: &Envelope) -> Option<Place> {
        self.flows.make_room(newcomer)
    }

    fn retain(&mut self, stays: &dyn Fn(Place) -> bool) {
        self.flows.retain(stays);
    }

    fn order(&self) -> Vec<Place> {
        let mut copy = self.clone();
        std::iter::from_fn(|| copy.pop(0, &mut Vec::new())).collect()
    }

    fn fresh(&self) -> Box<dyn Discipline> {
        Box::new(Drr::new(self.quantum_bytes))
    }

    fn copy(&self) -> Box<dyn Discipline> {
        Box::new(self.clone())
    }
}
