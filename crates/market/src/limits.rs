//! Liquidation limits per block, and the cooldown after a partial liquidation.
//!
//! Rules: in one block, (a) at most `attempts` accounts are tried, each once per market; (b) of a
//! position at most the larger of `position_share_ppm` and `position_min` is closed; (c) of an
//! account at most `account_notional` of notional is closed, at a cost to the insurance fund of at
//! most `account_insurance`; (d) a bankrupt account is deleveraged only if nothing of it could be
//! closed, then its whole position, and at most `deleveraging_attempts` of them. A deferral is a
//! [`Fact::LiquidationDeferred`](crate::Fact) and has no other effect.
//!
//! Orders against accounts that are not liquidatable do not count.
//!
//! Source: dYdX v4 `x/clob` at 84d4664b: `LiquidationsConfig`, `MaxLiquidationAttemptsPerBlock`,
//! `MaxDeleveragingAttemptsPerBlock`.
//!
//! Departures: notional is measured at the mark at which the order executes. dYdX orders the
//! attempts by how far accounts are below maintenance; here they follow the order of the keepers'
//! messages.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use surgetank_layer::units::{AccountId, Money, Ns, Qty};

use crate::config::{BlockLimits, MONEY_MAX, PPM};
use crate::facts::Deferral;

/// What was liquidated in this block, and when accounts were last liquidated in part.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Limits {
    #[serde(skip)]
    rules: Option<BlockLimits>,
    attempts: u32,
    deleveraging: u32,
    tried: BTreeSet<(AccountId, u16)>,
    /// Notional closed and insurance lost.
    spent: BTreeMap<AccountId, (Money, Money)>,
    partial_ns: BTreeMap<AccountId, Ns>,
}

impl Limits {
    pub(crate) fn set(&mut self, rules: BlockLimits) {
        self.rules = Some(rules);
    }

    /// Stored limits under the rules of these.
    pub(crate) fn restore(&self, stored: Limits) -> Limits {
        Limits { rules: self.rules, ..stored }
    }

    pub(crate) fn begin_block(&mut self) {
        (self.attempts, self.deleveraging) = (0, 0);
        self.tried.clear();
        self.spent.clear();
    }

    pub(crate) fn attempt(&mut self, account: AccountId, symbol: u16) -> Result<(), Deferral> {
        let Some(rules) = &self.rules else { return Ok(()) };
        if self.tried.contains(&(account, symbol)) {
            return Err(Deferral::Again);
        }
        if self.attempts >= rules.attempts {
            return Err(Deferral::Attempts);
        }
        self.attempts += 1;
        self.tried.insert((account, symbol));
        Ok(())
    }

    /// Greatest quantity, in lots, that may be closed of a position of this size.
    pub(crate) fn size_max(
        &self,
        account: AccountId,
        size: Money,
        mark: Money,
    ) -> Result<Money, Deferral> {
        let Some(rules) = &self.rules else { return Ok(size) };
        let (notional, insurance) = self.spent.get(&account).copied().unwrap_or_default();
        if insurance > 0 && insurance >= rules.account_insurance {
            return Err(Deferral::InsuranceLost);
        }
        let share = size * Money::from(rules.position_share_ppm) / Money::from(PPM);
        let of_position = share.max(rules.position_min / mark).max(1);
        let left = (rules.account_notional - notional) / mark;
        if left < 1 && notional > 0 {
            return Err(Deferral::AccountNotional);
        }
        Ok(of_position.min(left.max(1)).min(size))
    }

    /// Amount that an account may still cost the insurance fund in this block, in quanta.
    pub(crate) fn insurance_left(&self, account: AccountId) -> Money {
        let lost = self.spent.get(&account).map_or(0, |spent| spent.1);
        self.rules.as_ref().map_or(MONEY_MAX * 2, |rules| (rules.account_insurance - lost).max(0))
    }

    /// Records that a liquidation closed this notional, at this cost to the insurance fund
    /// (negative: a gain).
    pub(crate) fn record(&mut self, account: AccountId, notional: Money, lost: Money) {
        if self.rules.is_some() {
            let spent = self.spent.entry(account).or_default();
            spent.0 += notional;
            spent.1 += lost.max(0);
        }
    }

    /// The quantity of a bankrupt position to deleverage after `filled` of it was closed, and
    /// `leaves` of the order was not.
    pub(crate) fn deleverage_qty(&self, leaves: Qty, size: Qty, filled: Qty) -> Qty {
        match (&self.rules, filled) {
            (None, _) => leaves,
            (Some(_), 0) => size,
            (Some(_), _) => 0,
        }
    }

    pub(crate) fn attempt_deleveraging(&mut self) -> Result<(), Deferral> {
        let Some(rules) = &self.rules else { return Ok(()) };
        if self.deleveraging >= rules.deleveraging_attempts {
            return Err(Deferral::DeleveragingAttempts);
        }
        self.deleveraging += 1;
        Ok(())
    }

    /// Records that a position of the account was liquidated in part.
    pub(crate) fn record_partial(&mut self, account: AccountId, now: Ns) {
        self.partial_ns.insert(account, now);
    }

    /// Whether a part of the account was liquidated less than `cooldown_ns` ago.
    pub(crate) fn in_cooldown(&self, account: AccountId, now: Ns, cooldown_ns: Ns) -> bool {
        self.partial_ns.get(&account).is_some_and(|&at| now < at.saturating_add(cooldown_ns))
    }
}
