//! Whether an account's equity admits an order.
//!
//! Rules: an order is admitted iff equity covers the initial margin, at the mark price, of the
//! larger of the two positions that it would have if all its buys, or all its sells, were filled,
//! plus this order's immediate loss against the mark. Orders that only reduce are always admitted.
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
