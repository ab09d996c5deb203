//! Budgets per account, separate for orders, cancels and risk-reducing messages.
//!
//! # Rules
//! 1. An account's orders never use up the budget of its cancels or its risk-reducing messages.
//! 2. One account's budget is not touched by another account.
//! 3. At most `accounts_max` accounts are tracked; beyond that the least recently used one is
//!    evicted.
//!
//! # Theory of operation
//! Two policies. [`Policy::Rates`]: token buckets. [`Policy::Quota`]: requests must be earned by
//! trading; cancels are allowed up to min(limit + extra, 2 · limit); when the quota is used up, a
//! trickle remains. Recency is updated lazily: the ordered set holds each account's stamp as of its
//! last check, and only eviction checks.
//!
//! Source: Hyperliquid's documentation, "Rate limits" (address-based limits: 1 request per unit of
//! quote traded, 10 000 at the start, cancels to min(limit + 100 000, 2 · limit), then 1 request
//! per 10 s); Polymarket's separate cancel bucket; Deribit's shared one ([`Cancels::Shared`]).
//!
//! # Departures
//! - Orders and cancels are counted together against the two limits of a quota.
//! - An evicted account starts with a full budget: an owner of more than `accounts_max` accounts
//!   gains a burst (or the initial quota) with each cycle through them. [`Budgets::forgotten`]
//!   counts evictions.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::bucket::Bucket;
use super::limit::Limit;
use super::{AdmissionReason, Kind, Refusal};
use crate::units::{AccountId, Ns};

/// Limit of cancels where orders have a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cancels {
    /// A rate of their own.
    Own(Limit),
    /// The orders' rate: a known mistake, for comparison.
    Shared,
}

/// Limits of an account's orders and cancels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Policy {
    /// Token buckets for orders and for cancels.
    Rates {
        /// Rate of orders and replaces.
        orders: Limit,
        /// Rate of cancels.
        cancels: Cancels,
    },
    /// A quota of requests that is earned by trading.
    Quota {
        /// Requests that every account starts with.
        initial: u64,
        /// Cancels are allowed up to min(limit + this, 2 · limit).
        cancels_extra: u64,
        /// Rate that remains when the quota is used up.
        trickle: Limit,
    },
}

/// Limit of risk-reducing messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reducing {
    /// Their number is not limited.
    Exempt,
    /// A rate per account.
    Own(Limit),
    /// A rate reserved for them at the gate; beyond it they draw on their account's budget for
    /// orders.
    Reserved(Limit),
}

/// Parameters of the budgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Limits of orders and cancels.
    pub policy: Policy,
    /// Limit of risk-reducing messages.
    pub reducing: Reducing,
    /// Greatest number of tracked accounts, at least 1.
    pub accounts_max: usize,
}

#[derive(Clone, Debug)]
enum Spent {
    Rates { orders: Bucket, cancels: Bucket },
    Quota { used: u64, earned: u64, trickle: Bucket },
}

#[derive(Clone, Debug)]
struct Account {
    spent: Spent,
    reducing: Option<Bucket>,
    seen: u64,
}

/// The budgets of recently active accounts.
#[derive(Clone, Debug)]
pub struct Budgets {
    config: Config,
    reserved: Option<Bucket>,
    accounts: BTreeMap<AccountId, Account>,
    /// Accounts by `seen` as of the last check: never later than the present one.
    recency: BTreeSet<(u64, AccountId)>,
    clock: u64,
    forgotten: u64,
}

impl Budgets {
    /// Full budgets.
    ///
    /// # Panics
    /// If `accounts_max` is 0.
    pub fn new(config: Config) -> Budgets {
        assert!(config.accounts_max > 0, "budgets: accounts_max must be at least 1");
        let reserved = match config.reducing {
            Reducing::Reserved(limit) => Some(Bucket::full(&limit, 0)),
            Reducing::Exempt | Reducing::Own(_) => None,
        };
        Budgets {
            config,
            reserved,
            accounts: BTreeMap::new(),
            recency: BTreeSet::new(),
            clock: 0,
            forgotten: 0,
        }
    }

    /// Takes `cost` from the budget of this kind.
    ///
    /// # Errors
    /// A refusal if the budget is too small; then nothing is consumed.
    #[inline]
    pub fn take(
        &mut self,
        now: Ns,
        account: AccountId,
        kind: Kind,
        cost: u64,
    ) -> Result<(), Refusal> {
        self.take_or_wait(now, account, kind, cost).map_err(|retry_after_ns| Refusal {
            reason: AdmissionReason::RateExceeded,
            retry_after_ns,
        })
    }

    /// Adds what an account has earned by trading; without effect on rates.
    pub fn earn(&mut self, now: Ns, account: AccountId, requests: u64) {
        if matches!(self.config.policy, Policy::Quota { .. })
            && let Spent::Quota { earned, .. } = &mut self.account(now, account).spent
        {
            *earned = earned.saturating_add(requests);
        }
    }

    /// Number of tracked accounts.
    pub fn len(&self) -> usize {
        self.accounts.len()
    }

    /// Whether no account is tracked.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// Number of accounts evicted.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    fn take_or_wait(
        &mut self,
        now: Ns,
        account: AccountId,
        kind: Kind,
        cost: u64,
    ) -> Result<(), Ns> {
        let Config { policy, reducing, .. } = self.config;
        if kind == Kind::Reducing && reducing == Reducing::Exempt {
            return Ok(());
        }
        if kind == Kind::Reducing
            && let (Reducing::Reserved(limit), Some(share)) = (reducing, &mut self.reserved)
            && share.take(&limit, now, cost).is_ok()
        {
            return Ok(());
        }
        let account = self.account(now, account);
        if let (Kind::Reducing, Reducing::Own(limit), Some(own)) =
            (kind, reducing, &mut account.reducing)
        {
            return own.take(&limit, now, cost);
        }
        let cancel = kind == Kind::Cancel;
        match (policy, &mut account.spent) {
            (Policy::Rates { cancels: Cancels::Own(limit), .. }, Spent::Rates { cancels, .. })
                if cancel =>
            {
                cancels.take(&limit, now, cost)
            }
            (Policy::Rates { orders: limit, .. }, Spent::Rates { orders, .. }) => {
                orders.take(&limit, now, cost)
            }
            (
                Policy::Quota { initial, cancels_extra, trickle: limit },
                Spent::Quota { used, earned, trickle },
            ) => {
                let own = initial.saturating_add(*earned);
                let more = own.saturating_add(cancels_extra).min(own.saturating_mul(2));
                let after = used.saturating_add(cost);
                if after > if cancel { more } else { own } {
                    trickle.take(&limit, now, cost)?;
                }
                *used = after;
                Ok(())
            }
            _ => unreachable!("an account's state is of its policy's kind"),
        }
    }

    /// The account's state, created if it is new.
    fn account(&mut self, now: Ns, id: AccountId) -> &mut Account {
        self.clock += 1;
        let seen = self.clock;
        if !self.accounts.contains_key(&id) {
            if self.accounts.len() >= self.config.accounts_max {
                self.forget();
            }
            self.recency.insert((seen, id));
            self.accounts.insert(id, fresh(&self.config, now));
        }
        let account = self.accounts.get_mut(&id).expect("made above");
        account.seen = seen;
        account
    }

    /// Evicts the least recently used account.
    fn forget(&mut self) {
        while let Some((seen, id)) = self.recency.pop_first() {
            let now_seen = self.accounts[&id].seen;
            if now_seen == seen {
                self.accounts.remove(&id);
                self.forgotten += 1;
                return;
            }
            self.recency.insert((now_seen, id));
        }
    }
}

/// An account with a full budget.
fn fresh(config: &Config, now: Ns) -> Account {
    let spent = match config.policy {
        Policy::Rates { orders, cancels } => {
            let own = match cancels {
                Cancels::Own(limit) => limit,
                Cancels::Shared => orders,
            };
            Spent::Rates { orders: Bucket::full(&orders, now), cancels: Bucket::full(&own, now) }
        }
        Policy::Quota { trickle, .. } => {
            Spent::Quota { used: 0, earned: 0, trickle: Bucket::full(&trickle, now) }
        }
    };
    let reducing = match config.reducing {
        Reducing::Own(limit) => Some(Bucket::full(&limit, now)),
        Reducing::Exempt | Reducing::Reserved(_) => None,
    };
    Account { spent, reducing, seen: 0 }
}
