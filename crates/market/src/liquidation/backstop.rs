//! Backstop: a vault takes over a nearly bankrupt position with its remaining margin.
//!
//! Rules: where equity is below `below_ppm` of the maintenance requirement, a liquidation order
//! does not trade with the book. The account's resting orders are cancelled; its position (cross:
//! all its positions) passes to the vault at the mark price, and so do the equity behind it and
//! collateral assets;
//! nothing is returned to the account. If that equity is negative the vault bears the loss. The
//! vault takes over only as long as its own equity then covers the maintenance requirement of all
//! that it holds; when it does not (it is exhausted) the liquidation takes the ordinary path,
//! ending in auto-deleveraging. The vault itself is never liquidated; it keeps the positions.
//!
//! Source: Hyperliquid docs, "Liquidations" (backstop by the liquidator vault, 2/3 of maintenance).
//!
//! Departures: Hyperliquid's vault closes its positions over time; here it keeps them.

use surgetank_layer::message::LiquidationOrder;
use surgetank_layer::units::{AccountId, Money};

use super::Budget;
use crate::config::PPM;
use crate::facts::{Bearer, Fact};
use crate::margin::split;
use crate::market::Market;

impl Market {
    /// The vault, if it must take this position over now and can.
    pub(super) fn backstop_vault(&self, account: AccountId, symbol: usize) -> Option<AccountId> {
        let backstop = self.config.symbols[symbol].backstop?;
        let vault = backstop.vault;
        let (equity, required) = self.ledger.risk(account, symbol, self.ledger.mark(symbol));
        let (below, whole) = (Money::from(backstop.below_ppm), Money::from(PPM));
        let nearly_bankrupt = equity * whole < split(required, below, whole);
        if !nearly_bankrupt || vault == account || !self.ledger.is_cross(vault) {
            return None;
        }
        let mut needed = 0;
        for s in 0..self.books.len() {
            let all = self.ledger.is_cross(account) || s == symbol;
            let taken = if all { self.ledger.position(account, s).qty } else { 0 };
            let held = self.ledger.position(vault, s).qty;
            needed += self.ledger.maintenance(s, held + taken, self.ledger.mark(s));
        }
        let worth = self.ledger.margin_equity(vault) + equity;
        (worth * whole >= needed).then_some(vault)
    }

    pub(super) fn take_over(
        &mut self,
        vault: AccountId,
        keeper: AccountId,
        o: &LiquidationOrder,
        facts: &mut Vec<Fact>,
    ) {
        let (account, symbol, s) = (o.target, o.symbol, usize::from(o.symbol));
        self.cancel_unit(account, symbol, facts);
        let bankruptcy_price = Budget::new(&self.ledger, account, s, 0).bankruptcy_price();
        let equity = self.ledger.risk(account, s, self.ledger.mark(s)).0;
        let all = self.ledger.is_cross(account);
        let held = self.ledger.position(account, s).qty;
        let mut taken_over_qty = 0;
        for other in (0..self.ledger.symbols()).filter(|&other| all || other == s) {
            let (qty, price) = (self.ledger.position(account, other).qty, self.ledger.mark(other));
            if qty == 0 {
                continue;
            }
            self.ledger.close(account, other, -qty, -Money::from(qty) * Money::from(price));
            self.ledger.trade(vault, other, qty, price);
            let symbol = other as u16;
            let margin = if other == s { equity } else { 0 };
            facts.push(Fact::TakenOver { account, vault, symbol, qty, price, margin });
            taken_over_qty += if other == s { qty.abs() } else { 0 };
        }
        let cash = equity - self.ledger.move_assets(account, vault);
        self.ledger.pay(account, s, cash);
        self.ledger.pay(vault, s, -cash);
        if equity < 0 {
            self.bad_debt -= equity;
            let borne_by = Bearer::Vault;
            facts.push(Fact::BadDebt { account, symbol, amount: -equity, borne_by });
        }
        self.settle_flat(account, symbol, facts);
        self.settle_flat(vault, symbol, facts);
        facts.push(Fact::Liquidated {
            account,
            keeper,
            symbol,
            book_qty: 0,
            book_notional: 0,
            deleveraged_qty: 0,
            taken_over_qty,
            held,
            trigger_price: o.trigger_price,
            mark_price: self.ledger.mark(s),
            bankruptcy_price,
            fee: 0,
            remaining: 0,
        });
    }
}
