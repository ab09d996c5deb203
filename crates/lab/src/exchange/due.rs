//! Due accounts: those below maintenance margin at the outside prices.
//!
//! # Rules
//! 1. A collateral unit is due while its maintenance requirement at the outside prices of all
//!    markets exceeds its equity there. In cross and portfolio mode the account is one unit; in
//!    isolated mode each position is.
//! 2. Where one market decides over a unit, its row has this market, and its liquidation and
//!    bankruptcy prices.
//!    An account in cross mode on a venue of several markets, or with collateral in assets, has
//!    neither: no single price makes it due. While it is due, the row `underwater` tells whether its equity is negative.
//!
//! # Theory of operation
//! With one market, most steps of the price stay in a range without liquidation prices, in which
//! the set of due accounts does not change. With several, each step examines the watched accounts.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use surgetank_layer::units::{AccountId, NEVER, Ns, Price};
use surgetank_market::Market;

use super::Recorder;
use crate::trace::{MarketKind, MarketRow};

/// Collateral units that are due.
pub(super) struct Due {
    markets: usize,
    /// Time at which each unit became due, by account and unit; `NEVER` = it is not.
    since: Vec<Ns>,
    /// Range of prices, inclusive, in which the set of due accounts does not change; `None` =
    /// unknown.
    pub unmoved: Option<(Price, Price)>,
    /// Due accounts with negative equity at the outside prices.
    underwater: BTreeSet<AccountId>,
}

impl Due {
    pub fn new(accounts: usize, markets: usize) -> Due {
        let since = vec![NEVER; accounts * markets];
        Due { markets, since, unmoved: None, underwater: BTreeSet::new() }
    }

    fn since(&self, account: AccountId, unit: u16) -> Ns {
        let slot = account as usize * self.markets + usize::from(unit);
        self.since.get(slot).copied().unwrap_or(NEVER)
    }

    fn set(&mut self, account: AccountId, unit: u16, since: Ns) {
        let slot = account as usize * self.markets + usize::from(unit);
        if let Some(at) = self.since.get_mut(slot) {
            *at = since;
        }
    }
}

/// Number of the collateral unit of an account's position: 0 if all of them share it.
pub(super) fn unit(venue: &Market, account: AccountId, market: u16) -> u16 {
    if venue.is_cross(account) { 0 } else { market }
}

/// Numbers of an account's collateral units.
fn units(venue: &Market, account: AccountId) -> std::ops::Range<u16> {
    0..if venue.is_cross(account) { 1 } else { venue.symbols() }
}

/// The market that alone decides over a unit; `u16::MAX` = several do.
fn deciding_market(venue: &Market, account: AccountId, unit: u16) -> u16 {
    if venue.symbols() > 1 && venue.is_cross(account) { u16::MAX } else { unit }
}

impl Recorder {
    /// Time at which the unit of a position became due; `NEVER` = it is not.
    pub(super) fn due_ns(&self, venue: &Market, account: AccountId, market: u16) -> Ns {
        self.due.since(account, unit(venue, account, market))
    }

    /// Units that are due at the outside prices of the last step: account and unit.
    pub(super) fn due_units<'a>(
        &'a self,
        venue: &'a Market,
    ) -> impl Iterator<Item = (AccountId, u16)> + 'a {
        let units = |&account: &AccountId| units(venue, account).map(move |unit| (account, unit));
        let due = |&(account, unit): &(AccountId, u16)| self.due.since(account, unit) != NEVER;
        self.watched.iter().flat_map(units).filter(due)
    }

    /// Measured units below maintenance margin at these prices, one per market.
    pub(super) fn below_maintenance(
        &self,
        venue: &Market,
        prices: &[Price],
    ) -> Vec<(AccountId, u16)> {
        let mut below = Vec::new();
        venue.below_maintenance_at(prices, &mut below);
        below.retain(|(account, _)| self.watched.binary_search(account).is_ok());
        below
    }

    /// The outside prices have moved: finds the units that are due now.
    pub(super) fn update_due(&mut self, now: Ns, venue: &Market) {
        let prices = self.outside_ticks();
        if let &[ticks] = prices.as_slice() {
            if self.due.unmoved.is_some_and(|(low, high)| (low..=high).contains(&ticks)) {
                return;
            }
            self.due.unmoved = self.unmoved_around(venue, ticks);
        }
        let mut below = self.below_maintenance(venue, &prices).into_iter().peekable();
        for at in 0..self.watched.len() {
            let account = self.watched[at];
            for unit in units(venue, account) {
                let here = |&(one, market): &(AccountId, u16)| {
                    one == account && self::unit(venue, account, market) == unit
                };
                let due = below.next_if(here).is_some();
                if due != (self.due.since(account, unit) != NEVER) {
                    self.note_due(now, venue, (account, unit), due);
                }
            }
        }
        self.note_underwater(now, venue, &prices);
    }

    fn note_due(&mut self, now: Ns, venue: &Market, (account, unit): (AccountId, u16), due: bool) {
        self.due.set(account, unit, if due { now } else { NEVER });
        let kind = if due { MarketKind::Due } else { MarketKind::Recovered };
        let market = deciding_market(venue, account, unit);
        let mut row = MarketRow { account, market, ..MarketRow::new(now, kind) };
        if market != u16::MAX {
            row.price = venue.liquidation_price(account, market).unwrap_or(0);
            row.amount = venue.bankruptcy_price(account, market).unwrap_or(0);
        }
        self.row(row);
    }

    /// The range of prices around this one without a liquidation price of a watched account.
    /// Options portfolios and accounts with collateral in assets have no such price.
    fn unmoved_around(&self, venue: &Market, ticks: Price) -> Option<(Price, Price)> {
        if venue.options().is_some() || venue.accepts_collateral() {
            return None;
        }
        let (mut low, mut high) = (Price::MIN, Price::MAX);
        for &account in &self.watched {
            let Some(price) = venue.liquidation_price(account, 0) else { continue };
            // A long is due at its price and below, a short at its price and above.
            match (venue.position(account, 0) > 0, ticks.cmp(&price)) {
                (true, Ordering::Greater) => low = low.max(price + 1),
                (true, _) => high = high.min(price),
                (false, Ordering::Less) => high = high.min(price - 1),
                (false, _) => low = low.max(price),
            }
        }
        Some((low, high))
    }

    /// Finds the due accounts, of those that no single price makes due, with negative equity at
    /// the outside prices.
    fn note_underwater(&mut self, now: Ns, venue: &Market, prices: &[Price]) {
        let several = prices.len() > 1;
        if !several && self.accounts.portfolios == 0 && !venue.accepts_collateral() {
            return;
        }
        for at in 0..self.watched.len() {
            let account = self.watched[at];
            let shares = several && venue.is_cross(account);
            let holds = venue.has_assets(account);
            if !shares && !holds && !self.accounts.has_portfolio(account) {
                continue;
            }
            let due = self.due.since(account, 0) != NEVER;
            if !due && !self.due.underwater.contains(&account) {
                continue;
            }
            let worth = venue.worth(account, prices);
            let changed = if due && worth < 0 {
                self.due.underwater.insert(account)
            } else {
                self.due.underwater.remove(&account)
            };
            if changed {
                let market = deciding_market(venue, account, 0);
                let amount = self.fitting(worth);
                let row = MarketRow::new(now, MarketKind::Underwater);
                self.row(MarketRow { account, market, amount, ..row });
            }
        }
    }

    /// A liquidated position or portfolio is closed completely. An account whose positions share
    /// their collateral is closed with the last of them.
    pub(super) fn closed(
        &mut self,
        now: Ns,
        venue: &Market,
        message: u32,
        (account, market): (AccountId, u16),
    ) {
        let unit = unit(venue, account, market);
        let decides = deciding_market(venue, account, unit);
        if decides == u16::MAX && !venue.is_flat(account) {
            return;
        }
        let ref_ns = self.due.since(account, unit);
        let row = MarketRow::new(now, MarketKind::Closed);
        self.row(MarketRow { message, account, market: decides, ref_ns, ..row });
        self.due.set(account, unit, NEVER);
    }
}
