//! Messages by account, and which account has most that may be thrown away.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Place;
use crate::message::Envelope;
use crate::units::{AccountId, Ns};

/// One message of a flow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) place: Place,
    pub(super) bytes: u32,
    pub(super) queued_ns: Ns,
    /// It is never thrown away.
    pub(super) safe: bool,
}

impl Entry {
    pub(super) fn new(now: Ns, place: Place, envelope: &Envelope) -> Entry {
        let safe = envelope.reduces_risk();
        Entry { place, bytes: envelope.size_bytes, queued_ns: now, safe }
    }
}

/// What waits for one account. `S` is what its rule keeps beside.
#[derive(Clone, Debug, Default)]
pub(super) struct Flow<S> {
    pub(super) waiting: VecDeque<Entry>,
    pub(super) state: S,
    /// Bytes of what may be thrown away.
    loose_bytes: u64,
}

/// All flows that have something waiting, or whose rule still counts on them.
#[derive(Clone, Debug, Default)]
pub(super) struct Flows<S> {
    pub(super) by_account: BTreeMap<AccountId, Flow<S>>,
    loose: BTreeSet<(u64, AccountId)>,
}

impl<S: Default> Flows<S> {
    /// Adds a message at the end of its flow; true if the flow is new here.
    pub(super) fn push(&mut self, account: AccountId, entry: Entry) -> bool {
        let is_new = !self.by_account.contains_key(&account);
        self.by_account.entry(account).or_default().waiting.push_back(entry);
        self.weigh(account, i64::from(entry.bytes), entry.safe);
        is_new
    }

    /// Takes the first message of a flow.
    pub(super) fn pop(&mut self, account: AccountId) -> Option<Entry> {
        let entry = self.by_account.get_mut(&account)?.waiting.pop_front()?;
        self.weigh(account, -i64::from(entry.bytes), entry.safe);
        Some(entry)
    }

    /// Forgets a flow.
    pub(super) fn remove(&mut self, account: AccountId) {
        if let Some(flow) = self.by_account.remove(&account) {
            self.loose.remove(&(flow.loose_bytes, account));
        }
    }

    /// Who has most that may be thrown away, and how many bytes.
    pub(super) fn fattest(&self) -> Option<(u64, AccountId)> {
        self.loose.last().copied()
    }

    /// What this account has that may be thrown away.
    pub(super) fn loose_bytes(&self, account: AccountId) -> u64 {
        self.by_account.get(&account).map_or(0, |flow| flow.loose_bytes)
    }

    /// Takes the newest message of a flow that may be thrown away.
    pub(super) fn pop_newest(&mut self, account: AccountId) -> Option<Entry> {
        let waiting = &mut self.by_account.get_mut(&account)?.waiting;
        let index = waiting.iter().rposition(|entry| !entry.safe)?;
        let entry = waiting.remove(index)?;
        self.weigh(account, -i64::from(entry.bytes), false);
        Some(entry)
    }

    /// Forgets messages; flows stay, also empty ones.
    pub(super) fn retain(&mut self, stays: &dyn Fn(Place) -> bool) {
        self.loose.clear();
        for (&account, flow) in &mut self.by_account {
            flow.waiting.retain(|entry| stays(entry.place));
            let loose = flow.waiting.iter().filter(|entry| !entry.safe);
            flow.loose_bytes = loose.map(|entry| u64::from(entry.bytes)).sum();
            if flow.loose_bytes > 0 {
                self.loose.insert((flow.loose_bytes, account));
            }
        }
    }

    fn weigh(&mut self, account: AccountId, bytes: i64, safe: bool) {
        let Some(flow) = self.by_account.get_mut(&account).filter(|_| !safe) else { return };
        self.loose.remove(&(flow.loose_bytes, account));
        flow.loose_bytes = flow.loose_bytes.saturating_add_signed(bytes);
        if flow.loose_bytes > 0 {
            self.loose.insert((flow.loose_bytes, account));
        }
    }

    /// Whose message makes room for this one: the newest of the account that has most, unless that
    /// is the newcomer's own.
    pub(super) fn make_room(&mut self, newcomer: &Envelope) -> Option<Place> {
        let (most, account) = self.fattest()?;
        if most <= self.loose_bytes(newcomer.account) && !newcomer.reduces_risk() {
            return None;
        }
        self.pop_newest(account).map(|entry| entry.place)
    }
}
