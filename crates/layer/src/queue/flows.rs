//! Messages by account, and the account with the most droppable bytes.

use std::collections::{BTreeMap, BTreeSet, VecDeque, btree_map};

use super::Place;
use crate::message::Envelope;
use crate::units::{AccountId, Ns};

/// A waiting message of a flow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) place: Place,
    pub(super) bytes: u32,
    pub(super) queued_ns: Ns,
    /// Whether it reduces risk and is never dropped.
    pub(super) protected: bool,
}

impl Entry {
    pub(super) fn new(now: Ns, place: Place, envelope: &Envelope) -> Entry {
        let protected = envelope.reduces_risk();
        Entry { place, bytes: envelope.size_bytes, queued_ns: now, protected }
    }
}

/// Waiting messages of one account. `S` is the discipline's own state of the flow.
#[derive(Clone, Debug, Default)]
pub(super) struct Flow<S> {
    pub(super) waiting: VecDeque<Entry>,
    pub(super) state: S,
    /// Bytes of droppable messages.
    droppable_bytes: u64,
    /// Bytes of messages that are never dropped.
    protected_bytes: u64,
}

/// All flows with waiting messages or with live state of the discipline.
#[derive(Clone, Debug, Default)]
pub(super) struct Flows<S> {
    pub(super) by_account: BTreeMap<AccountId, Flow<S>>,
    /// Accounts by waiting bytes. Maintained from the first time that the queue was full until it
    /// is empty, since it is not needed before.
    droppable: Ranks,
    protected: Ranks,
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
        let ranks = self.ranked.then_some((&mut self.droppable, &mut self.protected));
        weigh(flow, account, i64::from(entry.bytes), entry.protected, ranks);
        is_new
    }

    /// Takes the first message of a flow.
    pub(super) fn pop(&mut self, account: AccountId) -> Option<Entry> {
        let flow = self.by_account.get_mut(&account)?;
        let entry = flow.waiting.pop_front()?;
        let ranks = self.ranked.then_some((&mut self.droppable, &mut self.protected));
        weigh(flow, account, -i64::from(entry.bytes), entry.protected, ranks);
        Some(entry)
    }

    /// Removes a flow.
    pub(super) fn remove(&mut self, account: AccountId) {
        if let Some(flow) = self.by_account.remove(&account) {
            self.droppable.remove(&(flow.droppable_bytes, account));
            self.protected.remove(&(flow.protected_bytes, account));
        }
        self.ranked &= !self.by_account.is_empty();
    }

    /// Droppable bytes of this account.
    pub(super) fn droppable_bytes(&self, account: AccountId) -> u64 {
        self.by_account.get(&account).map_or(0, |flow| flow.droppable_bytes)
    }

    /// Removes the newest droppable message of a flow (or, if `protected`, the newest risk-reducing
    /// one).
    pub(super) fn pop_newest(&mut self, account: AccountId, protected: bool) -> Option<Entry> {
        let flow = self.by_account.get_mut(&account)?;
        let index = flow.waiting.iter().rposition(|entry| entry.protected == protected)?;
        let entry = flow.waiting.remove(index)?;
        let ranks = self.ranked.then_some((&mut self.droppable, &mut self.protected));
        weigh(flow, account, -i64::from(entry.bytes), protected, ranks);
        Some(entry)
    }

    /// Removes messages; flows remain, empty ones too.
    pub(super) fn retain(&mut self, stays: &dyn Fn(Place) -> bool) {
        // Ranks are rebuilt when next needed.
        (self.ranked, self.droppable, self.protected) = (false, BTreeSet::new(), BTreeSet::new());
        for flow in self.by_account.values_mut() {
            flow.waiting.retain(|entry| stays(entry.place));
            let bytes = |protected: bool| {
                let of = flow.waiting.iter().filter(|entry| entry.protected == protected);
                of.map(|entry| u64::from(entry.bytes)).sum()
            };
            (flow.droppable_bytes, flow.protected_bytes) = (bytes(false), bytes(true));
        }
    }

    fn rank(&mut self) {
        if self.ranked {
            return;
        }
        self.ranked = true;
        for (&account, flow) in &self.by_account {
            let of = |bytes: u64| (bytes > 0).then_some((bytes, account));
            self.droppable.extend(of(flow.droppable_bytes));
            self.protected.extend(of(flow.protected_bytes));
        }
    }

    /// Message to drop for this one: the newest of the account with the most droppable bytes,
    /// unless that is the arriving message's account. If there is none, a risk-reducing message is
    /// dropped for another one by the same rule: a storm of one account's cancels does not displace
    /// other accounts'.
    pub(super) fn make_room(&mut self, newcomer: &Envelope) -> Option<Place> {
        self.rank();
        let protected = newcomer.reduces_risk();
        if let Some(&(most, account)) = self.droppable.last() {
            if most <= self.droppable_bytes(newcomer.account) && !protected {
                return None;
            }
            return self.pop_newest(account, false).map(|entry| entry.place);
        }
        let &(most, account) = self.protected.last().filter(|_| protected)?;
        let own = self.by_account.get(&newcomer.account).map_or(0, |flow| flow.protected_bytes);
        if most <= own + u64::from(newcomer.size_bytes) {
            return None;
        }
        self.pop_newest(account, true).map(|entry| entry.place)
    }
}

/// Accounts ordered by waiting bytes.
type Ranks = BTreeSet<(u64, AccountId)>;

/// Records that a flow has this many more (or fewer) waiting bytes.
#[inline]
fn weigh<S>(
    flow: &mut Flow<S>,
    account: AccountId,
    bytes: i64,
    protected: bool,
    ranks: Option<(&mut Ranks, &mut Ranks)>,
) {
    let weight = if protected { &mut flow.protected_bytes } else { &mut flow.droppable_bytes };
    let before = *weight;
    *weight = before.saturating_add_signed(bytes);
    if let Some((droppable, of_safe)) = ranks {
        let ranks = if protected { of_safe } else { droppable };
        ranks.remove(&(before, account));
        if *weight > 0 {
            ranks.insert((*weight, account));
        }
    }
}
