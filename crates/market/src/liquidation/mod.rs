//! Liquidation: closing out accounts below maintenance margin, and the allocation of bad debt.
//!
//! Rules: a liquidation order against an account that is not liquidatable *at the market's own mark
//! price when it executes* does nothing. Otherwise, in this order:
//! 1. The account's resting orders are cancelled (isolated: in this market; cross: in all).
//! 2. Up to `order_qty` and `liquidation_share_ppm` of the position is sold to (bought from) the
//!    book, down to `worst_price_ppm` from the mark, and only as far as the insurance fund can
//!    cover the shortfall of fills below the bankruptcy price. Where the market closes out at the
//!    oracle price ([`CloseOut::Oracle`]) there is no book and no such limit: the liquidator takes
//!    the whole position, and the venue covers the shortfall.
//! 3. Proceeds above it pay the liquidation fee, at most all of it, to the insurance fund; the rest
//!    is the account's. A shortfall is bad debt, paid by the insurance fund.
//! 4. If a quantity is unfilled and equity is negative at the mark, it is closed at the bankruptcy
//!    price against accounts with profit (auto-deleveraging). If equity is not negative it stays
//!    with the account, for the next liquidation order. The fund never holds a position.
//!
//! Settings change this: close-outs outside the book ([`CloseOut`]), the worst price as a function
//! of equity ([`Fillable`]), limits per block (`limits`), partial liquidation of large positions
//! ([`Partial`]) and a vault that takes over nearly bankrupt positions (`backstop`).
//!
//! Theory of operation: each lot carries its share of the equity behind the position, so a part of
//! a position is settled as the whole would be. The bankruptcy price is where the position's share
//! of equity is zero; in cross mode equity is divided in proportion to maintenance requirement.
//! Amounts are computed from the cumulative quantity, so the parts sum to the whole to the last
//! quantum.
//!
//! A debt that arises without a liquidation (an account trades itself flat below zero) is paid by
//! the insurance fund, and beyond it is booked as the venue's deficit.
//!
//! Source: dYdX v4 `x/clob/keeper/liquidations.go` and `deleveraging.go` at 84d4664b (steps 2–4,
//! bankruptcy price, fillable price, fee); Hyperliquid docs, "Liquidations".
//!
//! Departures: all of this happens when a keeper's order executes; dYdX's proposers put
//! liquidations into blocks themselves, and Hyperliquid's execution starts them itself. The
//! insurance fund covers the total of one order, not each of its fills.

mod backstop;
mod budget;
mod deleverage;
mod oracle_close_out;
mod portfolio;

use surgetank_layer::message::{LiquidationOrder, Side};
use surgetank_layer::units::{AccountId, Money, Ns, Price, Qty};

use crate::config::{CloseOut, Fillable, PPM, Partial, worse};
use crate::facts::{Deferral, Fact, Reject};
use crate::margin::{fraction_up, split};
use crate::market::Market;
use crate::orders::Taker;
use budget::Budget;

impl Market {
    pub(crate) fn liquidate(
        &mut self,
        now: Ns,
        keeper: AccountId,
        o: &LiquidationOrder,
        facts: &mut Vec<Fact>,
    ) {
        let (account, symbol) = (o.target, o.symbol);
        let s = usize::from(symbol);
        let refused = |reason| Fact::Rejected { account: keeper, cl_ord_id: 0, symbol, reason };
        if s >= self.books.len() {
            return facts.push(refused(Reject::UnknownSymbol));
        }
        if o.order_qty < 0 {
            return facts.push(refused(Reject::IncorrectQuantity));
        }
        let mark_price = self.ledger.mark(s);
        if self.is_venue_account(account, s) || !self.ledger.liquidatable(account, s, mark_price) {
            return facts.push(Fact::NotLiquidatable { account, keeper, symbol });
        }
        if let Err(reason) = self.limits.attempt(account, symbol) {
            return facts.push(Fact::LiquidationDeferred { account, keeper, symbol, reason });
        }
        if let Some(vault) = self.backstop_vault(account, s) {
            return self.take_over(vault, keeper, o, facts);
        }
        match self.liquidation_qty(now, account, s, o.order_qty) {
            Ok(want) => self.close_out(now, keeper, o, want, facts),
            Err(reason) => {
                facts.push(Fact::LiquidationDeferred { account, keeper, symbol, reason });
            }
        }
    }

    /// Steps 1 to 4 of the module's rules.
    fn close_out(
        &mut self,
        now: Ns,
        keeper: AccountId,
        o: &LiquidationOrder,
        want: Qty,
        facts: &mut Vec<Fact>,
    ) {
        let (account, symbol, s) = (o.target, o.symbol, usize::from(o.symbol));
        let mark_price = self.ledger.mark(s);
        self.cancel_unit(account, symbol, facts);
        let held = self.ledger.position(account, s).qty;
        let size = held.abs();
        let fund = self.insurance.min(self.limits.insurance_left(account));
        let mut budget = Budget::new(&self.ledger, account, s, fund);
        let bankruptcy_price = budget.bankruptcy_price();
        let side = if budget.sign > 0 { Side::Sell } else { Side::Buy };
        let limit = self.worst_price(account, s, side);
        let mut taker = Taker { account, cl_ord_id: 0, symbol, side, limit, leaves: want };
        match self.config.symbols[s].close_out {
            CloseOut::Book => {
                let take = |price, qty| budget.take(price, qty);
                self.match_taker(&mut taker, true, facts, take);
            }
            CloseOut::Oracle { worse_ppm, against } => {
                self.fill_at_oracle(&mut taker, &mut budget, (worse_ppm, against), facts);
            }
        }
        let before = self.insurance;
        let fee = self.settle_liquidation(account, symbol, &budget, facts);
        let notional = Money::from(budget.filled) * Money::from(mark_price);
        self.limits.record(account, notional, before - self.insurance);
        if want < size && budget.filled > 0 && self.config.symbols[s].partial.is_some() {
            self.limits.record_partial(account, now);
        }
        let mut deleveraged_qty = 0;
        let leaves = self.limits.deleverage_qty(taker.leaves, size, budget.filled);
        if leaves > 0 && self.ledger.risk(account, s, mark_price).0 < 0 {
            match self.limits.attempt_deleveraging() {
                Ok(()) => deleveraged_qty = self.deleverage(account, symbol, leaves, facts),
                Err(reason) => {
                    facts.push(Fact::LiquidationDeferred { account, keeper, symbol, reason });
                }
            }
        }
        self.settle_flat(account, symbol, facts);
        facts.push(Fact::Liquidated {
            account,
            keeper,
            symbol,
            book_qty: budget.filled,
            book_notional: budget.notional,
            deleveraged_qty,
            taken_over_qty: 0,
            held,
            trigger_price: o.trigger_price,
            mark_price,
            bankruptcy_price,
            fee,
            remaining: self.ledger.position(account, s).qty,
        });
    }

    /// Whether the account is the venue's own: its backstop vault or its liquidator.
    pub(crate) fn is_venue_account(&self, account: AccountId, symbol: usize) -> bool {
        let rules = &self.config.symbols[symbol];
        matches!(rules.close_out, CloseOut::Oracle { against, .. } if against == account)
            || rules.backstop.is_some_and(|backstop| backstop.vault == account)
    }

    /// Quantity that one order may close now, in lots.
    fn liquidation_qty(
        &self,
        now: Ns,
        account: AccountId,
        symbol: usize,
        order_qty: Qty,
    ) -> Result<Qty, Deferral> {
        let rules = &self.config.symbols[symbol];
        let size = Money::from(self.ledger.position(account, symbol).qty.abs());
        let mark = Money::from(self.ledger.mark(symbol));
        let mut most = fraction_up(size, rules.liquidation_share_ppm);
        if let Some(Partial { above, share_ppm, cooldown_ns }) = rules.partial
            && size * mark > above
            && !self.limits.in_cooldown(account, now, cooldown_ns)
        {
            most = most.min(fraction_up(size, share_ppm));
        }
        most = most.min(self.limits.size_max(account, size, mark)?);
        let most = most.clamp(1, size) as Qty;
        Ok(if order_qty > 0 { most.min(order_qty) } else { most })
    }

    /// The worst price that a liquidation takes.
    fn worst_price(&self, account: AccountId, symbol: usize, side: Side) -> Option<Price> {
        let rules = &self.config.symbols[symbol];
        let fillable = rules.fillable.map(|f| self.fillable_ppm(account, symbol, f));
        let plain = rules.worst_price_ppm.map(Money::from);
        let worst = match (fillable, plain) {
            (Some(a), Some(b)) => a.min(b),
            (one, other) => one.or(other)?,
        };
        Some(worse(self.ledger.mark(symbol), side, worst))
    }

    /// Distance of dYdX v4's fillable price from the mark: it grows as equity falls short of the
    /// requirement. Rounded down; at most 100 %.
    fn fillable_ppm(&self, account: AccountId, symbol: usize, fillable: Fillable) -> Money {
        let Fillable { bankruptcy_adjustment_ppm, spread_to_maintenance_ppm } = fillable;
        let (equity, required) = self.ledger.risk(account, symbol, self.ledger.mark(symbol));
        let ppm = Money::from(PPM);
        let shortfall = (required - equity * ppm).clamp(0, required);
        let shift = (128 - required.leading_zeros()).saturating_sub(60);
        let rating = split(ppm, shortfall >> shift, (required >> shift).max(1));
        let rating = (rating * Money::from(bankruptcy_adjustment_ppm) / ppm).min(ppm);
        let (held, mark) = (self.ledger.position(account, symbol), self.ledger.mark(symbol));
        let own = self.ledger.maintenance(symbol, held.qty, mark);
        let maintenance = own / held.value(mark).abs().max(1);
        let spread = maintenance * Money::from(spread_to_maintenance_ppm) / ppm;
        (rating * spread / ppm).min(ppm)
    }

    /// Step 3 of the module's rules; returns the liquidation fee, in quanta.
    fn settle_liquidation(
        &mut self,
        account: AccountId,
        symbol: u16,
        budget: &Budget,
        facts: &mut Vec<Fact>,
    ) -> Money {
        let s = usize::from(symbol);
        let surplus = budget.surplus(0, 0);
        if surplus >= 0 {
            let rate = self.config.symbols[s].liquidation_fee_ppm;
            let fee = fraction_up(budget.notional, rate).min(surplus);
            self.ledger.pay(account, s, fee);
            self.insurance += fee;
            return fee;
        }
        self.ledger.pay(account, s, surplus);
        self.bear(account, symbol, -surplus, facts);
        0
    }
}
