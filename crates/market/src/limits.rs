//! What may be liquidated in one block, and when a large position goes as a whole.
//!
//! Rules: in one block, (a) at most `attempts` accounts are tried, each once per market; (b) of a
//! position goes the larger of `position_share_ppm` and `position_min`; (c) of an account no more
//! notional than `account_notional`, and no more of the insurance fund than `account_insurance`;
//! (d) only a bankrupt account of which nothing could be closed is deleveraged, then the whole of
//! its position, and at most `deleveraging_attempts` of them. What a limit puts off is a
//! [`Fact::LiquidationDeferred`](crate::Fact) and changes nothing else.
//!
//! Orders against accounts that are not liquidatable do not count.
//!
//! Source: dYdX v4 `x/clob` at 84d4664b: `LiquidationsConfig`, `MaxLiquidationAttemptsPerBlock`,
//! `MaxDeleveragingAttemptsPerBlock`.
//!
//! Departures: notional is measured at the mark at which the order executes. dYdX takes the attempts
//! in order of how far accounts are under water; here they come in the order of the keepers' messages.

use std::collections::{BTreeMap, BTreeSet};

use surgetank_layer::units::{AccountId, Money, Ns, Qty};

use crate::config::{MONEY_MAX, PPM, PerBlock};
use crate::facts::Deferral;

/// What has been liquidated in this block, and when accounts were last liquidated in part.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    rules: Option<PerBlock>,
    attempts: u32,
    deleveraging: u32,
    tried: BTreeSet<(AccountId, u16)>,
    /// Notional closed and insurance lost.
    spent: BTreeMap<AccountId, (Money, Money)>,
    partial_ns: BTreeMap<AccountId, Ns>,
}

impl Limits {
    pub(crate) fn set(&mut self, rules: PerBlock) {
        self.rules = Some(rules);
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

    /// Lots that may be closed of a position of this size.
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

    /// What an account may still cost the insurance fund in this block.
    pub(crate) fn insurance_left(&self, account: AccountId) -> Money {
        let lost = self.spent.get(&account).map_or(0, |spent| spent.1);
        self.rules.as_ref().map_or(MONEY_MAX * 2, |rules| (rules.account_insurance - lost).max(0))
    }

    /// A liquidation has closed this much, and cost the insurance fund this much (or less than
    /// nothing).
    pub(crate) fn note(&mut self, account: AccountId, notional: Money, lost: Money) {
        if self.rules.is_some() {
            let spent = self.spent.entry(account).or_default();
            spent.0 += notional;
            spent.1 += lost.max(0);
        }
    }

    /// How much of a bankrupt position is deleveraged after `filled` of it was closed, and
    /// `leaves` of the order was not.
    pub(crate) fn deleveraged(&self, leaves: Qty, size: Qty, filled: Qty) -> Qty {
        match (&self.rules, filled) {
            (None, _) => leaves,
            (Some(_), 0) => size,
            (Some(_), _) => 0,
        }
    }

    pub(crate) fn deleveraging(&mut self) -> Result<(), Deferral> {
        let Some(rules) = &self.rules else { return Ok(()) };
        if self.deleveraging >= rules.deleveraging_attempts {
            return Err(Deferral::DeleveragingAttempts);
        }
        self.deleveraging += 1;
        Ok(())
    }

    /// A position of the account has been liquidated in part.
    pub(crate) fn partial(&mut self, account: AccountId, now: Ns) {
        self.partial_ns.insert(account, now);
    }

    /// Whether a part of the account was liquidated less than `cooldown_ns` ago.
    pub(crate) fn cools(&self, account: AccountId, now: Ns, cooldown_ns: Ns) -> bool {
        self.partial_ns.get(&account).is_some_and(|&at| now < at.saturating_add(cooldown_ns))
    }
}
