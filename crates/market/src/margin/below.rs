//! Who is below maintenance margin, at given prices.

use surgetank_layer::units::{AccountId, Money, Price};

use super::Ledger;
use crate::config::PPM;

impl Ledger {
    /// Appends every account whose position is liquidatable with its market at the price `at`.
    pub fn below_maintenance(&self, symbol: usize, at: Price, out: &mut Vec<AccountId>) {
        let Some(positions) = self.positions.get(symbol) else {
            return;
        };
        let from = out.len();
        let open = positions.iter().zip(0..).filter(|(p, _)| p.qty != 0);
        let linear = open.map(|(_, account)| account).filter(|&a| !self.is_portfolio(a));
        out.extend(linear.filter(|&account| self.liquidatable(account, symbol, at)));
        if self.chain.is_some() {
            self.portfolios_below(if symbol == 0 { at } else { self.marks[0] }, out);
            out[from..].sort_unstable();
        }
    }

    /// Appends every collateral unit that is liquidatable with each market at its price, as
    /// (account, market), in ascending order. Of an account in cross mode the market is that of the
    /// position with the largest maintenance requirement, the first of equals; of a portfolio
    /// market 0.
    pub fn below_maintenance_at(&self, prices: &[Price], out: &mut Vec<(AccountId, u16)>) {
        if let &[price] = prices {
            let mut below = Vec::new();
            self.below_maintenance(0, price, &mut below);
            return out.extend(below.into_iter().map(|account| (account, 0)));
        }
        let from = out.len();
        for account in self.accounts().filter(|&account| !self.is_portfolio(account)) {
            let required =
                |&s: &usize| self.maintenance(s, self.position(account, s).qty, prices[s]);
            let mut open = (0..prices.len()).filter(|&s| self.position(account, s).qty != 0);
            let below = |s: &usize| {
                let (equity, required) = self.risk_at(account, *s, |s| prices[s]);
                required > equity * Money::from(PPM)
            };
            if self.is_cross(account) {
                let largest = open.rev().max_by_key(required).filter(below);
                out.extend(largest.map(|s| (account, s as u16)));
            } else {
                out.extend(open.by_ref().filter(below).map(|s| (account, s as u16)));
            }
        }
        if self.chain.is_some() {
            let mut below = Vec::new();
            self.portfolios_below(prices[0], &mut below);
            out.extend(below.into_iter().map(|account| (account, 0)));
            out[from..].sort_unstable();
        }
    }
}
