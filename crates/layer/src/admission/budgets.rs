//! Budgets per account, with cancels and risk-reducing messages apart.
//!
//! # Rules
//! 1. Orders of an account never use up what its cancels or its risk-reducing messages need.
//! 2. One account's budget is not touched by another account.
//! 3. At most `accounts_max` accounts are known; then the one not heard of for longest is forgotten.
//!
//! # Theory of operation
//! Two policies. [`Policy::Rates`]: token buckets. [`Policy::Quota`]: requests must be earned by
//! trading; cancels go on to min(limit + extra, 2 · limit); when all is used up, a trickle remains.
//! Recency is kept lazily: the order set holds each account's number from when it was last looked
//! at, and only forgetting looks.
//!
//! Source: Hyperliquid's documentation, "Rate limits" (address-based limits: 1 request per unit of
//! quote traded, 10 000 at the start, cancels to min(limit + 100 000, 2 · limit), then 1 request
//! per 10 s); Polymarket's separate cancel bucket; Deribit's shared one ([`Cancels::Shared`]).
//!
//! # Departures
//! - Orders and cancels are counted together against the two limits of a quota.
//! - A forgotten account starts afresh: whoever commands more than `accounts_max` accounts gains
//!   a burst (or the initial quota) by each turn through them. [`Budgets::forgotten`] tells.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::bucket::Bucket;
use super::limit::Limit;
use super::{Kind, Reason, Refusal};
use crate::units::{AccountId, Ns, SECOND};

/// How cancels are limited where orders have a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cancels {
    /// By a rate of their own.
    Own(Limit),
    /// By the orders' rate: the pitfall, for comparison.
    Shared,
}

/// How an account's orders and cancels are limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Policy {
    /// By rates.
    Rates {
        /// Orders and replaces.
        orders: Limit,
        /// Cancels.
        cancels: Cancels,
    },
    /// By what was earned.
    Quota {
        /// Requests that every account starts with.
        initial: u64,
        /// Cancels go on to min(limit + this, 2 · limit).
        cancels_extra: u64,
        /// What remains when all is used up.
        trickle: Limit,
    },
}

impl Policy {
    /// Hyperliquid's numbers.
    pub fn hyperliquid() -> Policy {
        let trickle = Limit::new(1, 1, 10 * SECOND);
        Policy::Quota { initial: 10_000, cancels_extra: 100_000, trickle }
    }
}

/// How risk-reducing messages are limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reducing {
    /// Not at all.
    Exempt,
    /// By a rate of each account's own.
    Own(Limit),
    /// By a share of the whole gate that is reserved for them; beyond it they draw on their
    /// account's budget for orders.
    Reserved(Limit),
}

/// What budgets are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Orders and cancels.
    pub policy: Policy,
    /// Risk-reducing messages.
    pub reducing: Reducing,
    /// Most accounts that are known at a time, at least 1.
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

/// The budgets of all accounts heard of lately.
#[derive(Clone, Debug)]
pub struct Budgets {
    config: Config,
    reserved: Option<Bucket>,
    accounts: BTreeMap<AccountId, Account>,
    /// By `seen` as it was when last looked at: never later than it is.
    recency: BTreeSet<(u64, AccountId)>,
    clock: u64,
    forgotten: u64,
}

impl Budgets {
    /// Budgets of which nothing is spent.
    ///
    /// # Panics
    /// If no account may be known.
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
    /// A refusal if the budget does not hold as much; then nothing is taken.
    #[inline]
    pub fn take(
        &mut self,
        now: Ns,
        account: AccountId,
        kind: Kind,
        cost: u64,
    ) -> Result<(), Refusal> {
        self.take_or_wait(now, account, kind, cost)
            .map_err(|retry_after_ns| Refusal { reason: Reason::RateExceeded, retry_after_ns })
    }

    /// Adds what an account has earned by trading; without effect on rates.
    pub fn earn(&mut self, now: Ns, account: AccountId, requests: u64) {
        if matches!(self.config.policy, Policy::Quota { .. })
            && let Spent::Quota { earned, .. } = &mut self.account(now, account).spent
        {
            *earned = earned.saturating_add(requests);
        }
    }

    /// How many accounts are known.
    pub fn len(&self) -> usize {
        self.accounts.len()
    }

    /// Whether no account is known.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// How many accounts were forgotten to make room.
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

    /// The account's state, made if it is new.
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

    /// Forgets the account not heard of for longest.
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

/// An account of which nothing is spent.
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
