//! FQ-CoDel (RFC 8290): deficit round robin by account, with CoDel on each account's own queue; and
//! CoDel alone (RFC 8289), which is the same with one queue for all.
//!
//! An account that was idle is served once before busy ones, so that sparse flows do not wait for
//! others' backlog. An account without messages is removed at its turn, with the state of its
//! control law.
//!
//! # Departures from RFC 8290
//! - Accounts are distinguished exactly, not by 1,024 hash buckets; so a sybil gets a share per
//!   account.
//! - Risk-reducing messages are never shed: the control law is not applied to them.
//! - A full queue drops one message of the account with the largest backlog per arrival, not up to
//!   64 at once: one arrival needs one place.

use std::collections::VecDeque;

use super::codel::{Codel, Law, Verdict};
use super::flows::{Entry, Flows};
use super::{Discipline, Place};
use crate::message::Envelope;
use crate::units::{AccountId, Ns};

#[derive(Clone, Debug, Default)]
struct State {
    deficit: i64,
    law: Option<Codel>,
}

#[derive(Clone, Debug)]
pub(super) struct FqCodel {
    quantum_bytes: u32,
    law: Law,
    per_account: bool,
    flows: Flows<State>,
    new: VecDeque<AccountId>,
    old: VecDeque<AccountId>,
}

impl FqCodel {
    pub(super) fn fair(quantum_bytes: u32, law: Law) -> FqCodel {
        assert!(quantum_bytes > 0, "fq-codel: quantum_bytes must be at least 1");
        FqCodel {
            quantum_bytes,
            law,
            per_account: true,
            flows: Flows::default(),
            new: VecDeque::new(),
            old: VecDeque::new(),
        }
    }

    pub(super) fn single(law: Law) -> FqCodel {
        FqCodel { per_account: false, ..FqCodel::fair(u32::MAX / 2, law) }
    }

    fn key(&self, envelope: &Envelope) -> AccountId {
        if self.per_account { envelope.account } else { 0 }
    }

    /// CoDel's dequeue on one account's queue.
    fn head(
        &mut self,
        now: Ns,
        account: AccountId,
        shed: Option<&mut Vec<Place>>,
    ) -> Option<Entry> {
        let Some(shed) = shed else { return self.flows.pop(account) };
        loop {
            let entry = self.flows.pop(account)?;
            if entry.protected {
                return Some(entry);
            }
            let more_waits = self.flows.droppable_bytes(account) > 0;
            let flow = self.flows.by_account.get_mut(&account)?;
            let law = flow.state.law.get_or_insert_with(|| Codel::new(self.law));
            let sojourn_ns = now.saturating_sub(entry.queued_ns);
            match law.on_dequeue(now, sojourn_ns, more_waits) {
                Verdict::Keep => return Some(entry),
                Verdict::Drop => shed.push(entry.place),
            }
        }
    }

    /// RFC 8290 §4.2. Without `shed` nothing is shed.
    fn next(&mut self, now: Ns, mut shed: Option<&mut Vec<Place>>) -> Option<Place> {
        loop {
            let is_new = !self.new.is_empty();
            let list = if is_new { &mut self.new } else { &mut self.old };
            let account = *list.front()?;
            let state = &mut self.flows.by_account.get_mut(&account)?.state;
            if state.deficit <= 0 {
                state.deficit += i64::from(self.quantum_bytes);
                list.pop_front();
                self.old.push_back(account);
                continue;
            }
            if let Some(entry) = self.head(now, account, shed.as_deref_mut()) {
                if let Some(flow) = self.flows.by_account.get_mut(&account) {
                    flow.state.deficit -= i64::from(entry.bytes);
                }
                return Some(entry.place);
            }
            let list = if is_new { &mut self.new } else { &mut self.old };
            list.pop_front();
            if is_new && !self.old.is_empty() {
                // Otherwise it could return as new at once and starve the old ones.
                self.old.push_back(account);
            } else {
                self.flows.remove(account);
            }
        }
    }
}

impl Discipline for FqCodel {
    fn push(&mut self, now: Ns, place: Place, envelope: &Envelope) {
        let account = self.key(envelope);
        if self.flows.push(account, Entry::new(now, place, envelope)) {
            self.new.push_back(account);
            if let Some(flow) = self.flows.by_account.get_mut(&account) {
                flow.state.deficit = i64::from(self.quantum_bytes);
            }
        }
    }

    fn pop(&mut self, now: Ns, shed: &mut Vec<Place>) -> Option<Place> {
        self.next(now, Some(shed))
    }

    fn make_room(&mut self, newcomer: &Envelope) -> Option<Place> {
        if self.per_account {
            return self.flows.make_room(newcomer);
        }
        // With one queue, only a risk-reducing message displaces another.
        let droppable = newcomer.reduces_risk().then(|| self.flows.pop_newest(0, false));
        droppable.flatten().map(|entry| entry.place)
    }

    fn retain(&mut self, stays: &dyn Fn(Place) -> bool) {
        self.flows.retain(stays);
    }

    fn order(&self) -> Vec<Place> {
        let mut copy = self.clone();
        std::iter::from_fn(|| copy.next(0, None)).collect()
    }

    fn fresh(&self) -> Box<dyn Discipline> {
        Box::new(FqCodel {
            per_account: self.per_account,
            ..FqCodel::fair(self.quantum_bytes, self.law)
        })
    }

    fn copy(&self) -> Box<dyn Discipline> {
        Box::new(self.clone())
    }
}
