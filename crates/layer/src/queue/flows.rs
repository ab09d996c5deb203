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
    /// Bytes of what may not.
    safe_bytes: u64,
}

/// All flows that have something waiting, or whose rule still counts on them.
#[derive(Clone, Debug, Default)]
pub(super) struct Flows<S> {
    pub(super) by_account: BTreeMap<AccountId, Flow<S>>,
    loose: BTreeSet<(u64, AccountId)>,
    safe: BTreeSet<(u64, AccountId)>,
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
            self.safe.remove(&(flow.safe_bytes, account));
        }
    }

    /// What this account has that may be thrown away.
    pub(super) fn loose_bytes(&self, account: AccountId) -> u64 {
        self.by_account.get(&account).map_or(0, |flow| flow.loose_bytes)
    }

    /// Takes the newest message of a flow of those that may be thrown away (or, if `safe`, of those
    /// that reduce risk).
    pub(super) fn pop_newest(&mut self, account: AccountId, safe: bool) -> Option<Entry> {
        let waiting = &mut self.by_account.get_mut(&account)?.waiting;
        let index = waiting.iter().rposition(|entry| entry.safe == safe)?;
        let entry = waiting.remove(index)?;
        self.weigh(account, -i64::from(entry.bytes), safe);
        Some(entry)
    }

    /// Forgets messages; flows stay, also empty ones.
    pub(super) fn retain(&mut self, stays: &dyn Fn(Place) -> bool) {
        let mut gone = Vec::new();
        for (&account, flow) in &mut self.by_account {
            flow.waiting.retain(|entry| {
                let kept = stays(entry.place);
                if !kept {
                    gone.push((account, *entry));
                }
                kept
            });
        }
        for (account, entry) in gone {
            self.weigh(account, -i64::from(entry.bytes), entry.safe);
        }
    }

    fn weigh(&mut self, account: AccountId, bytes: i64, safe: bool) {
        let Some(flow) = self.by_account.get_mut(&account) else { return };
        let (weight, ranks) = if safe {
            (&mut flow.safe_bytes, &mut self.safe)
        } else {
            (&mut flow.loose_bytes, &mut self.loose)
        };
        ranks.remove(&(*weight, account));
        *weight = weight.saturating_add_signed(bytes);
        if *weight > 0 {
            ranks.insert((*weight, account));
        }
    }

    /// Whose message makes room for this one: the newest of the account that has most of what may be
    /// thrown away, unless that is the newcomer's own. If nobody has any, what reduces risk makes
    /// room for its like, by the same rule: a storm of cancels crowds out nobody else's.
    pub(super) fn make_room(&mut self, newcomer: &Envelope) -> Option<Place> {
        let safe = newcomer.reduces_risk();
        if let Some(&(most, account)) = self.loose.last() {
            if most <= self.loose_bytes(newcomer.account) && !safe {
                return None;
            }
            return self.pop_newest(account, false).map(|entry| entry.place);
        }
        let &(most, account) = self.safe.last().filter(|_| safe)?;
        let own = self.by_account.get(&newcomer.account).map_or(0, |flow| flow.safe_bytes);
        if most <= own + u64::from(newcomer.size_bytes) {
            return None;
        }
        self.pop_newest(account, true).map(|entry| entry.place)
    }
}
