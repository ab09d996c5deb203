//! Messages by account, and which account has most that may be thrown away.

use std::collections::{BTreeMap, BTreeSet, VecDeque, btree_map};

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
    /// Accounts by what they have waiting. Kept from the first time that the queue was full until it
    /// is empty: before that nobody asks.
    loose: Ranks,
    safe: Ranks,
    ranked: bool,
}

impl<S: Default> Flows<S> {
    /// Adds a message at the end of its flow; true if the flow is new here.
    pub(super) fn push(&mut self, account: AccountId, entry: Entry) -> bool {
        let (flow, is_new) = match self.by_account.entry(account) {
            btree_map::Entry::Vacant(place) => (place.insert(Flow::default()), true),
            btree_map::Entry::Occupied(place) => (place.into_mut(), false),
        };
        flow.waiting.push_back(entry);
        let ranks = self.ranked.then_some((&mut self.loose, &mut self.safe));
        weigh(flow, account, i64::from(entry.bytes), entry.safe, ranks);
        is_new
    }

    /// Takes the first message of a flow.
    pub(super) fn pop(&mut self, account: AccountId) -> Option<Entry> {
        let flow = self.by_account.get_mut(&account)?;
        let entry = flow.waiting.pop_front()?;
        let ranks = self.ranked.then_some((&mut self.loose, &mut self.safe));
        weigh(flow, account, -i64::from(entry.bytes), entry.safe, ranks);
        Some(entry)
    }

    /// Forgets a flow.
    pub(super) fn remove(&mut self, account: AccountId) {
        if let Some(flow) = self.by_account.remove(&account) {
            self.loose.remove(&(flow.loose_bytes, account));
            self.safe.remove(&(flow.safe_bytes, account));
        }
        self.ranked &= !self.by_account.is_empty();
    }

    /// What this account has that may be thrown away.
    pub(super) fn loose_bytes(&self, account: AccountId) -> u64 {
        self.by_account.get(&account).map_or(0, |flow| flow.loose_bytes)
    }

    /// Takes the newest message of a flow of those that may be thrown away (or, if `safe`, of those
    /// that reduce risk).
    pub(super) fn pop_newest(&mut self, account: AccountId, safe: bool) -> Option<Entry> {
        let flow = self.by_account.get_mut(&account)?;
        let index = flow.waiting.iter().rposition(|entry| entry.safe == safe)?;
        let entry = flow.waiting.remove(index)?;
        let ranks = self.ranked.then_some((&mut self.loose, &mut self.safe));
        weigh(flow, account, -i64::from(entry.bytes), safe, ranks);
        Some(entry)
    }

    /// Forgets messages; flows stay, also empty ones.
    pub(super) fn retain(&mut self, stays: &dyn Fn(Place) -> bool) {
        // Ranks are made anew when they are next asked for.
        (self.ranked, self.loose, self.safe) = (false, BTreeSet::new(), BTreeSet::new());
        for flow in self.by_account.values_mut() {
            flow.waiting.retain(|entry| stays(entry.place));
            let bytes = |safe: bool| {
                let of = flow.waiting.iter().filter(|entry| entry.safe == safe);
                of.map(|entry| u64::from(entry.bytes)).sum()
            };
            (flow.loose_bytes, flow.safe_bytes) = (bytes(false), bytes(true));
        }
    }

    fn rank(&mut self) {
        if self.ranked {
            return;
        }
        self.ranked = true;
        for (&account, flow) in &self.by_account {
            let of = |bytes: u64| (bytes > 0).then_some((bytes, account));
            self.loose.extend(of(flow.loose_bytes));
            self.safe.extend(of(flow.safe_bytes));
        }
    }

    /// Whose message makes room for this one: the newest of the account that has most of what may be
    /// thrown away, unless that is the newcomer's own. If nobody has any, what reduces risk makes
    /// room for its like, by the same rule: a storm of cancels crowds out nobody else's.
    pub(super) fn make_room(&mut self, newcomer: &Envelope) -> Option<Place> {
        self.rank();
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

/// Accounts by how much they have waiting.
type Ranks = BTreeSet<(u64, AccountId)>;

/// Notes that a flow has so many bytes more (or fewer) waiting.
#[inline]
fn weigh<S>(
    flow: &mut Flow<S>,
    account: AccountId,
    bytes: i64,
    safe: bool,
    ranks: Option<(&mut Ranks, &mut Ranks)>,
) {
    let weight = if safe { &mut flow.safe_bytes } else { &mut flow.loose_bytes };
    let before = *weight;
    *weight = before.saturating_add_signed(bytes);
    if let Some((loose, of_safe)) = ranks {
        let ranks = if safe { of_safe } else { loose };
        ranks.remove(&(before, account));
        if *weight > 0 {
            ranks.insert((*weight, account));
        }
    }
}
