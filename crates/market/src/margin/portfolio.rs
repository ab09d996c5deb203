//! Accounts that hold options: their equity and their margin requirement.
//!
//! Rules: one cash balance backs the perpetuals and the options of an account in portfolio mode. It
//! is liquidatable iff the grid's maintenance requirement exceeds its equity, strictly; its orders
//! are admitted iff its equity covers the grid's initial requirement of the larger of the two
//! positions that the order leads to. The perpetual on which the options are written is market 0;
//! other markets keep their own rates.
//!
//! Theory of operation: to the ledger an option is a market without a book and without a rate of
//! its own. Its mark times the position is part of equity like any other.

use surgetank_layer::units::{AccountId, Money, Ns, Price, Qty};

use super::{Ledger, Position};
use crate::config::{MarginMode, PPM};
use crate::options::black76::Terms;
use crate::options::chain::{Chain, mark};
use crate::options::contract::Contract;
use crate::options::grid::{Grid, Requirement};

impl Ledger {
    /// Lists options, numbered after the markets.
    pub(crate) fn list(&mut self, chain: Chain) {
        self.marks.extend((0..chain.contracts().len()).map(|contract| chain.mark(contract)));
        self.chain = Some(chain);
    }

    /// Number of markets and options.
    pub fn symbols(&self) -> usize {
        self.marks.len()
    }

    /// An account's options, by number.
    pub(crate) fn held(&self, account: AccountId) -> &[(usize, Position)] {
        self.held.get(&account).map_or(&[], Vec::as_slice)
    }

    /// Value of an account's options at their marks, in quanta.
    pub(crate) fn options_value(&self, account: AccountId) -> Money {
        self.held(account).iter().map(|&(s, p)| p.quote + p.value(self.marks[s])).sum()
    }

    /// The listed options.
    pub fn chain(&self) -> Option<&Chain> {
        self.chain.as_ref()
    }

    pub(crate) fn contracts(&self) -> &[Contract] {
        self.chain.as_ref().map_or(&[], Chain::contracts)
    }

    /// Index of the first option.
    fn first(&self) -> usize {
        self.positions.len()
    }

    /// Marks the options at this spot price.
    pub(crate) fn mark_options(&mut self, now: Ns, spot: Price) {
        let first = self.first();
        let Some(chain) = &mut self.chain else { return };
        chain.update(now, spot);
        for (contract, mark) in self.marks[first..].iter_mut().enumerate() {
            *mark = chain.mark(contract);
        }
    }

    pub(crate) fn expire(&mut self) -> Vec<usize> {
        self.chain.as_mut().map(Chain::expire).unwrap_or_default()
    }

    /// Accounts with a position in an option, by number.
    pub(crate) fn holders(&self, option: usize) -> impl Iterator<Item = AccountId> {
        let held = self.held.keys().copied();
        held.filter(move |&account| self.position(account, option).qty != 0)
    }

    /// Equity with each market at its price and options priced on that of market 0.
    pub(crate) fn worth(&self, account: AccountId, prices: &[Price]) -> Money {
        let mut worth = self.equity(account) - self.options_value(account);
        for (s, (price, mark)) in prices.iter().zip(&self.marks).enumerate() {
            worth += Money::from(self.position(account, s).qty) * Money::from(price - mark);
        }
        worth += self.assets_value(account, |s| prices[s]);
        worth -= self.assets_value(account, |s| self.marks[s]);
        let Some(chain) = &self.chain else { return worth };
        for &(s, p) in self.held(account) {
            let price = libm::round(chain.terms(s - self.first(), prices[0]).price());
            worth += p.quote + p.value(price as Price);
        }
        worth
    }

    /// Whether the account is margined as a portfolio.
    pub fn is_portfolio(&self, account: AccountId) -> bool {
        self.mode(account) == Some(MarginMode::Portfolio)
    }

    /// Whether the account holds nothing but cash.
    pub fn is_flat(&self, account: AccountId) -> bool {
        (0..self.first()).all(|s| self.position(account, s).qty == 0)
            && self.held(account).iter().all(|(_, p)| p.qty == 0)
    }

    /// Delta per lot: 1 for a perpetual.
    pub(crate) fn delta(&self, symbol: usize, spot: Price) -> f64 {
        match &self.chain {
            Some(chain) if symbol >= self.first() => {
                let terms: Terms = chain.terms(symbol - self.first(), spot);
                terms.greeks().delta
            }
            _ => 1.0,
        }
    }

    /// The grid for market 0 at this price; `None` if that is the grid in force.
    pub(crate) fn grid_at(&self, at: Price) -> Option<Grid> {
        let chain = self.chain.as_ref()?;
        (at != self.marks[0]).then(|| chain.grid_at(at))
    }

    /// Equity, and maintenance and initial requirement, of a portfolio with market 0 at this price;
    /// `grid` as [`Ledger::grid_at`] has it. `perpetual` replaces the position there in the
    /// requirement.
    pub(crate) fn portfolio(
        &self,
        account: AccountId,
        at: Price,
        grid: Option<&Grid>,
        perpetual: Qty,
    ) -> (Money, Requirement) {
        let first = self.first();
        let mut equity = self.cash(account);
        let mut linear = [0.0; 2];
        for s in 0..first {
            let p = self.position(account, s);
            let price = if s == 0 { at } else { self.marks[s] };
            equity += p.value(price);
            if s > 0 {
                linear[0] += self.maintenance(s, p.qty, price) as f64 / f64::from(PPM);
                linear[1] += self.initial(s, p.qty, price) as f64 / f64::from(PPM);
            }
        }
        let mut held = Vec::new();
        for &(s, p) in self.held(account).iter().filter(|(_, p)| p.qty != 0) {
            let contract = s - first;
            equity += p.value(grid.map_or(self.marks[s], |grid| mark(grid, contract)));
            held.push((contract, p.qty as f64));
        }
        let in_force = self.chain.as_ref().map(Chain::grid);
        let rule = grid.or(in_force).map(|grid| grid.requirement(perpetual as f64, &held));
        let mut required = rule.unwrap_or_default();
        required.maintenance += linear[0];
        required.initial += linear[1];
        (equity, required)
    }

    /// Equity and maintenance requirement in millionths, as [`Ledger::risk`] has them.
    pub(crate) fn portfolio_risk(
        &self,
        account: AccountId,
        at: Price,
        grid: Option<&Grid>,
    ) -> (Money, Money) {
        let held = self.position(account, 0).qty;
        let (equity, required) = self.portfolio(account, at, grid, held);
        (equity, whole(required.maintenance) * Money::from(PPM))
    }

    /// Appends every portfolio liquidatable with market 0 at this price, by number.
    pub(crate) fn portfolios_below(&self, at: Price, out: &mut Vec<AccountId>) {
        let grid = self.grid_at(at);
        for account in self.accounts().filter(|&a| self.is_portfolio(a) && !self.is_flat(a)) {
            let (equity, required) = self.portfolio_risk(account, at, grid.as_ref());
            if required > equity * Money::from(PPM) {
                out.push(account);
            }
        }
    }

    /// Equity less the initial requirement if the position in market 0 were `exposed`, in
    /// millionths.
    pub(crate) fn portfolio_room(&self, account: AccountId, exposed: Position) -> Money {
        let at = self.marks[0];
        let need = |qty| self.portfolio(account, at, None, qty).1.initial;
        let both = [exposed.qty + exposed.open_buy, exposed.qty - exposed.open_sell];
        let worst = both.map(need).into_iter().fold(0.0, f64::max);
        (self.equity(account) - whole(worst)) * Money::from(PPM)
    }
}

/// Rounds up to a whole quantum; the only rounding of a requirement.
pub(crate) fn whole(quanta: f64) -> Money {
    libm::ceil(quanta) as Money
}
