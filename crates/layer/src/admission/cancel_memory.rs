//! Expiry heights, and the memory of cancels that arrived before their orders.
//!
//! # Rules
//! 1. An order may enter a batch up to and including its expiry height, and no expiry is more than
//!    `horizon` heights ahead, except of orders that never expire.
//! 2. A cancel also applies to an order that arrives after it: it is remembered for `horizon`
//!    heights, by which time every order sent before it has expired.
//! 3. At most `capacity` cancels are remembered. Beyond that, the account with the most loses the
//!    one of its lowest order number, and that is reported.
//!
//! # Theory of operation
//! A network may deliver "place, cancel" as "cancel, place". If the cancel then has no effect, the
//! order survives against its owner's will. Rules 1 and 2 prevent it: expiry is the only final
//! cancel, and remembering a cancel up to the expiry makes an early cancel final too. Order numbers
//! are unique per account (FIX ClOrdID), so an order whose number was cancelled is never valid. For
//! an order that never expires the cancel holds for `horizon` heights only: the gap that expiry
//! closes.
//!
//! Rule 3 evicts from the largest holder, as FQ-CoDel does: no account displaces the cancels of one
//! that holds fewer.
//!
//! Source: dYdX v4's short-term orders (good-til-block, cancels kept until theirs); RFC 8290 for
//! rule 3.
//!
//! # Departures
//! - dYdX admits an order whose expiry is beyond the cancel's; here a cancelled number stays
//!   cancelled.
//! - A replace that arrives before its order is not cancel_memory: it is no cancel.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{AdmissionReason, Refusal};
use crate::units::{AccountId, Height, NEVER};

/// Capacity and retention of the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Greatest number of remembered cancels, at least 1.
    pub capacity: usize,
    /// Greatest number of heights for which an order may be valid.
    pub horizon: Height,
}

/// A cancel that was evicted for a newer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvictedCancel {
    /// Account that sent the cancel.
    pub account: AccountId,
    /// Number of the order that it cancels.
    pub order: u64,
}

/// Cancels that may have arrived before their orders.
#[derive(Clone, Debug)]
pub struct CancelMemory {
    config: Config,
    /// Last height at which each cancel is needed.
    cancels: BTreeMap<(AccountId, u64), Height>,
    expiring: BTreeSet<(Height, AccountId, u64)>,
    held: BTreeMap<AccountId, u32>,
    fattest: BTreeSet<(u32, AccountId)>,
}

impl CancelMemory {
    /// An empty memory.
    ///
    /// # Panics
    /// If the capacity is 0.
    pub fn new(config: Config) -> CancelMemory {
        assert!(config.capacity > 0, "remembered cancels: capacity must be at least 1");
        CancelMemory {
            config,
            cancels: BTreeMap::new(),
            expiring: BTreeSet::new(),
            held: BTreeMap::new(),
            fattest: BTreeSet::new(),
        }
    }

    /// Checks whether an order that could enter the batch of `height` is still valid; `expires` is
    /// `None` if it never expires.
    ///
    /// # Errors
    /// A refusal if it has expired, expires too far ahead, or was cancelled before it arrived.
    pub fn order(
        &mut self,
        height: Height,
        account: AccountId,
        order: u64,
        expires: Option<Height>,
    ) -> Result<(), Refusal> {
        self.advance(height);
        let refuse = |reason| Err(Refusal { reason, retry_after_ns: NEVER });
        let horizon = height.saturating_add(self.config.horizon);
        if expires.is_some_and(|last| last < height) {
            refuse(AdmissionReason::Expired)
        } else if expires.is_some_and(|last| last > horizon) {
            refuse(AdmissionReason::ExpiryTooFar)
        } else if self.cancels.contains_key(&(account, order)) {
            refuse(AdmissionReason::CancelledBefore)
        } else {
            Ok(())
        }
    }

    /// Remembers a cancel; returns the one that was evicted for it, if any.
    pub fn cancel(
        &mut self,
        height: Height,
        account: AccountId,
        order: u64,
    ) -> Option<EvictedCancel> {
        self.advance(height);
        let until = height.saturating_add(self.config.horizon);
        match self.cancels.insert((account, order), until) {
            Some(before) => {
                self.expiring.remove(&(before, account, order));
            }
            None => self.count(account, 1),
        }
        self.expiring.insert((until, account, order));
        (self.cancels.len() > self.config.capacity).then(|| self.make_room())
    }

    /// Whether the cancel of this order is remembered.
    pub fn holds(&self, account: AccountId, order: u64) -> bool {
        self.cancels.contains_key(&(account, order))
    }

    /// Number of remembered cancels.
    pub fn len(&self) -> usize {
        self.cancels.len()
    }

    /// Whether no cancel is remembered.
    pub fn is_empty(&self) -> bool {
        self.cancels.is_empty()
    }

    /// Removes the cancels that are no longer needed at this height.
    fn advance(&mut self, height: Height) {
        while let Some(&(until, account, order)) = self.expiring.first()
            && until < height
        {
            self.remove(account, order);
        }
    }

    fn make_room(&mut self) -> EvictedCancel {
        let &(_, account) = self.fattest.last().expect("more than one is remembered");
        let mut own = self.cancels.range((account, 0)..);
        let (&(account, order), _) = own.next().expect("the fattest holds one");
        self.remove(account, order);
        EvictedCancel { account, order }
    }

    fn remove(&mut self, account: AccountId, order: u64) {
        if let Some(until) = self.cancels.remove(&(account, order)) {
            self.expiring.remove(&(until, account, order));
            self.count(account, -1);
        }
    }

    fn count(&mut self, account: AccountId, change: i32) {
        let before = self.held.remove(&account).unwrap_or(0);
        self.fattest.remove(&(before, account));
        let after = before.saturating_add_signed(change);
        if after > 0 {
            self.held.insert(account, after);
            self.fattest.insert((after, account));
        }
    }
}
