//! Whether an account's equity admits an order.
//!
//! Rules: an order is admitted iff equity covers the initial margin, at the mark price, of the
//! larger of the two positions that it would have if all its buys, or all its sells, were filled,
//! plus this order's immediate loss against the mark. Orders that only reduce are always admitted.
//! By the same measure cash can be withdrawn: as much as leaves the initial margin of positions and
//! orders, and no more than the account has without its collateral assets. An isolated position
//! covers its own margin with its own quote, and what it has beyond that stays with it.
//!
//! Departures: resting orders are not checked again when they match.

use surgetank_layer::message::Side;
use surgetank_layer::units::{AccountId, Money, Qty};

use super::Ledger;
use crate::config::{PPM, QTY_MAX};
use crate::facts::Reject;

impl Ledger {
    /// Whether an order is admitted. `free` is the quantity released by a replaced order of the
    /// same side, `loss` the order's immediate loss against the mark.
    pub fn admit(
        &self,
        account: AccountId,
        symbol: usize,
        order: (Side, Qty),
        free: Qty,
        loss: Money,
    ) -> Result<(), Reject> {
        let (side, qty) = order;
        let before = self.position(account, symbol);
        let mut after = before;
        let open = match side {
            Side::Buy => &mut after.open_buy,
            Side::Sell => &mut after.open_sell,
        };
        *open += qty - free;
        if *open <= before.reducible(side) {
            return Ok(());
        }
        let exposure = after.exposure();
        if exposure > QTY_MAX {
            return Err(Reject::OrderExceedsLimit);
        }
        if symbol == 0 && self.is_portfolio(account) {
            let room = self.portfolio_room(account, after) - loss * Money::from(PPM);
            return if room < 0 { Err(Reject::InsufficientMargin) } else { Ok(()) };
        }
        let need = self.initial(symbol, exposure, self.marks[symbol]) + loss * Money::from(PPM);
        if need > self.available(account, symbol) {
            return Err(Reject::InsufficientMargin);
        }
        Ok(())
    }

    /// Whether `qty` more may be open on this side within [`QTY_MAX`].
    pub fn room(
        &self,
        account: AccountId,
        symbol: usize,
        side: Side,
        qty: Qty,
    ) -> Result<(), Reject> {
        let p = self.position(account, symbol);
        let open = match side {
            Side::Buy => p.open_buy,
            Side::Sell => p.open_sell,
        };
        if open + qty > QTY_MAX { Err(Reject::OrderExceedsLimit) } else { Ok(()) }
    }

    /// Cash that an account can withdraw at the marks, in quanta; never negative.
    pub fn withdrawable(&self, account: AccountId) -> Money {
        let own = self.position(account, 0);
        let room = if self.is_portfolio(account) {
            let others = (1..self.positions.len()).map(|s| {
                let p = self.position(account, s);
                let at = self.marks[s];
                self.initial(s, p.exposure(), at) - self.initial(s, p.qty, at)
            });
            self.portfolio_room(account, own) - others.sum::<Money>()
        } else {
            let need = self.initial(0, own.exposure(), self.marks[0]);
            let worth = (own.quote + own.value(self.marks[0])) * Money::from(PPM);
            let kept = if self.is_cross(account) { 0 } else { (worth - need).max(0) };
            self.available(account, 0) - need - kept
        };
        let assets = self.assets_value(account, |s| self.marks[s]);
        room.div_euclid(Money::from(PPM)).min(self.equity(account) - assets).max(0)
    }

    /// Equity, in millionths of a quantum, available as initial margin in this market: all of it,
    /// less the requirement of positions and orders in the other markets.
    fn available(&self, account: AccountId, symbol: usize) -> Money {
        let cross = self.is_cross(account);
        let own = self.position(account, symbol);
        let worth = own.quote + own.value(self.marks[symbol]);
        let assets = self.assets_margin(account, |s| self.marks[s]);
        let equity = self.cash(account) + worth + self.options_value(account) + assets;
        let mut available = equity * Money::from(PPM);
        for other in (0..self.positions.len()).filter(|&s| s != symbol) {
            let p = self.position(account, other);
            let worth = (p.quote + p.value(self.marks[other])) * Money::from(PPM);
            let need = self.initial(other, p.exposure(), self.marks[other]);
            available += if cross { worth - need } else { (worth - need).min(0) };
        }
        available
    }
}
