//! Orders: admission and matching.
//!
//! Rules: an incoming order trades at the resting orders' prices, best first, until it is filled or
//! its limit is reached; the remainder rests (good till cancelled) or is cancelled (market,
//! immediate-or-cancel). Post-only: refused if it would match at once. Reduce-only: cut on entry to
//! the position it can reduce, and again whenever it is about to trade; refused or cancelled when
//! there is nothing to reduce. Bands: a limit order too far from the mark is refused, a market
//! order trades nothing beyond its slippage limit, and while the oracle price is too old only
//! orders that reduce a position are admitted ([`Protection`](crate::Protection)). Self-trade: the
//! resting order is cancelled and the incoming one continues. Replace: `order_qty` is the quantity
//! to be open from now on; time priority is kept only if the price is the same and the quantity not
//! larger; otherwise the order enters anew, and may match. A refused replace leaves the original as
//! it was. Flags and time in force carry over.
//!
//! Source: FIX 4.4 (D, F, G); self-trade as Binance's EXPIRE_MAKER.
//!
//! Departures: in FIX, OrderQty (38) of a replace includes what was already filled; here it does
//! not, so that a maker states the open size it wants (as in Hyperliquid's modify). Slippage limits
//! hold against the mark at execution; on dYdX and Hyperliquid the client states its worst price
//! when it sends.

use surgetank_layer::message::{
    NewOrderSingle, OrdType, OrderCancelReplaceRequest, OrderCancelRequest, Side, TimeInForce,
};
use surgetank_layer::units::{AccountId, Money, Ns, Price, Qty};

use crate::book::{Resting, reaches};
use crate::config::{PRICE_MAX, QTY_MAX};
use crate::facts::{CancelReason, Fact, Reject};
use crate::margin::fraction_up;
use crate::market::Market;

/// An incoming order while it is matched.
pub(crate) struct Taker {
    pub account: AccountId,
    pub cl_ord_id: u64,
    pub symbol: u16,
    pub side: Side,
    /// Worst price that it accepts; `None`: any.
    pub limit: Option<Price>,
    pub leaves: Qty,
}

impl Market {
    pub(crate) fn new_order(
        &mut self,
        now: Ns,
        account: AccountId,
        o: &NewOrderSingle,
        facts: &mut Vec<Fact>,
    ) {
        let (symbol, cl_ord_id) = (o.symbol, o.cl_ord_id);
        let qty = match self.check_new(now, account, o) {
            Ok(qty) => qty,
            Err(reason) => {
                return facts.push(Fact::Rejected { account, cl_ord_id, symbol, reason });
            }
        };
        facts.push(Fact::Accepted { account, cl_ord_id, symbol, side: o.side, leaves: qty });
        let limit = self.limit_price(o);
        let order = Resting {
            account,
            cl_ord_id,
            side: o.side,
            price: o.price,
            qty,
            post_only: o.post_only,
            reduce_only: o.reduce_only,
        };
        let rests = o.ord_type == OrdType::Limit && o.time_in_force == TimeInForce::GoodTillCancel;
        self.enter(symbol, order, limit, rests, facts);
    }

    pub(crate) fn cancel(
        &mut self,
        account: AccountId,
        c: &OrderCancelRequest,
        facts: &mut Vec<Fact>,
    ) {
        let symbol = c.symbol;
        let gone = match self.books.get(usize::from(symbol)) {
            None => Err(Reject::UnknownSymbol),
            Some(book) => book.get(account, c.orig_cl_ord_id).ok_or(Reject::UnknownOrder),
        };
        match gone {
            Ok(order) => self.cancel_resting(symbol, order, CancelReason::Requested, facts),
            Err(reason) => {
                facts.push(Fact::Rejected { account, cl_ord_id: c.cl_ord_id, symbol, reason });
            }
        }
    }

    pub(crate) fn replace(
        &mut self,
        now: Ns,
        account: AccountId,
        r: &OrderCancelReplaceRequest,
        facts: &mut Vec<Fact>,
    ) {
        let (symbol, cl_ord_id) = (r.symbol, r.cl_ord_id);
        let (old, new) = match self.check_replace(now, account, r) {
            Ok(orders) => orders,
            Err(reason) => {
                return facts.push(Fact::Rejected { account, cl_ord_id, symbol, reason });
            }
        };
        let kept_priority = new.price == old.price && new.qty <= old.qty;
        facts.push(Fact::Replaced {
            account,
            cl_ord_id,
            orig_cl_ord_id: old.cl_ord_id,
            symbol,
            side: old.side,
            was: old.qty,
            leaves: new.qty,
            kept_priority,
        });
        let book = &mut self.books[usize::from(symbol)];
        if kept_priority {
            book.shrink(account, old.cl_ord_id, cl_ord_id, new.qty);
            self.ledger.add_open(account, usize::from(symbol), old.side, new.qty - old.qty);
        } else {
            book.remove(account, old.cl_ord_id);
            self.ledger.add_open(account, usize::from(symbol), old.side, -old.qty);
            self.enter(symbol, new, Some(new.price), true, facts);
        }
    }

    /// The worst price that an order accepts; `None`: any.
    pub(crate) fn limit_price(&self, o: &NewOrderSingle) -> Option<Price> {
        match o.ord_type {
            OrdType::Limit => Some(o.price),
            OrdType::Market => {
                let s = usize::from(o.symbol);
                self.config.symbols[s].protection.worst(self.ledger.mark(s), o.side)
            }
        }
    }

    pub(crate) fn check_new(
        &self,
        now: Ns,
        account: AccountId,
        o: &NewOrderSingle,
    ) -> Result<Qty, Reject> {
        let symbol = usize::from(o.symbol);
        let book = self.books.get(symbol).ok_or(Reject::UnknownSymbol)?;
        if !self.ledger.has_account(account) {
            return Err(Reject::UnknownAccount);
        }
        let is_market = o.ord_type == OrdType::Market;
        if o.post_only && (is_market || o.time_in_force == TimeInForce::ImmediateOrCancel) {
            return Err(Reject::UnsupportedOrder);
        }
        check_bounds(if is_market { 1 } else { o.price }, o.order_qty)?;
        if book.get(account, o.cl_ord_id).is_some() {
            return Err(Reject::DuplicateOrder);
        }
        if !is_market {
            self.check_band(symbol, o.side, o.price)?;
        }
        if o.post_only && book.crosses(o.side, o.price) {
            return Err(Reject::PostOnlyWouldTake);
        }
        let limit = self.limit_price(o);
        let mut qty = o.order_qty;
        if o.reduce_only {
            qty = qty.min(self.ledger.position(account, symbol).reducible(o.side));
            if qty == 0 {
                return Err(Reject::ReduceOnlyWouldIncrease);
            }
            return self.ledger.room(account, symbol, o.side, qty).map(|()| qty);
        }
        self.check_reducing(now, account, symbol, (o.side, qty), 0)?;
        let loss = self.loss_at_once(symbol, o.side, qty, limit);
        self.ledger.admit(account, symbol, (o.side, qty), 0, loss)?;
        Ok(qty)
    }

    pub(crate) fn check_replace(
        &self,
        now: Ns,
        account: AccountId,
        r: &OrderCancelReplaceRequest,
    ) -> Result<(Resting, Resting), Reject> {
        let symbol = usize::from(r.symbol);
        let book = self.books.get(symbol).ok_or(Reject::UnknownSymbol)?;
        let old = book.get(account, r.orig_cl_ord_id).ok_or(Reject::UnknownOrder)?;
        check_bounds(r.price, r.order_qty)?;
        if r.cl_ord_id != r.orig_cl_ord_id && book.get(account, r.cl_ord_id).is_some() {
            return Err(Reject::DuplicateOrder);
        }
        self.check_band(symbol, old.side, r.price)?;
        if old.post_only && book.crosses(old.side, r.price) {
            return Err(Reject::PostOnlyWouldTake);
        }
        let mut new = Resting { cl_ord_id: r.cl_ord_id, price: r.price, qty: r.order_qty, ..old };
        if old.reduce_only {
            new.qty = new.qty.min(self.ledger.position(account, symbol).reducible(old.side));
            if new.qty == 0 {
                return Err(Reject::ReduceOnlyWouldIncrease);
            }
            self.ledger.room(account, symbol, old.side, new.qty - old.qty)?;
            return Ok((old, new));
        }
        if new.price != old.price || new.qty > old.qty {
            self.check_reducing(now, account, symbol, (new.side, new.qty), old.qty)?;
            let loss = self.loss_at_once(symbol, new.side, new.qty, Some(new.price));
            self.ledger.admit(account, symbol, (new.side, new.qty), old.qty, loss)?;
        }
        Ok((old, new))
    }

    fn check_band(&self, symbol: usize, side: Side, price: Price) -> Result<(), Reject> {
        let near =
            self.config.symbols[symbol].protection.admits(self.ledger.mark(symbol), side, price);
        if near { Ok(()) } else { Err(Reject::PriceOutOfBand) }
    }

    /// While the oracle price is too old: whether the order, with all others of its side, only
    /// reduces the position. `free` is the quantity released by a replaced order.
    fn check_reducing(
        &self,
        now: Ns,
        account: AccountId,
        symbol: usize,
        (side, qty): (Side, Qty),
        free: Qty,
    ) -> Result<(), Reject> {
        let Some(after) = self.config.symbols[symbol].protection.reduce_only_after_ns else {
            return Ok(());
        };
        let (_, observed) = self.mark_prices[symbol].oracle();
        if now.saturating_sub(observed) <= after {
            return Ok(());
        }
        let position = self.ledger.position(account, symbol);
        let open = match side {
            Side::Buy => position.open_buy,
            Side::Sell => position.open_sell,
        };
        let reduces = open + qty - free <= position.reducible(side);
        if reduces { Ok(()) } else { Err(Reject::OnlyReducing) }
    }

    /// Loss against the mark price, with its fee, of the part of an order that would match at once.
    fn loss_at_once(&self, symbol: usize, side: Side, qty: Qty, limit: Option<Price>) -> Money {
        if limit.is_some_and(|limit| !self.books[symbol].crosses(side, limit)) {
            return 0;
        }
        let (taken, notional) = self.books[symbol].sweep(side, qty, limit);
        let at_mark = Money::from(taken) * Money::from(self.ledger.mark(symbol));
        let loss = (notional - at_mark) * Money::from(side.sign());
        loss.max(0) + fraction_up(notional, self.config.symbols[symbol].taker_fee_ppm)
    }

    /// Matches an admitted order; the remainder rests or is cancelled.
    fn enter(
        &mut self,
        symbol: u16,
        mut order: Resting,
        limit: Option<Price>,
        rests: bool,
        facts: &mut Vec<Fact>,
    ) {
        let Resting { account, cl_ord_id, side, qty: leaves, .. } = order;
        let mut taker = Taker { account, cl_ord_id, symbol, side, limit, leaves };
        self.match_taker(&mut taker, false, facts, |_, qty| qty);
        order.qty = taker.leaves;
        if order.qty == 0 {
            return;
        }
        if rests {
            self.books[usize::from(symbol)].insert(order);
            self.ledger.add_open(account, usize::from(symbol), side, order.qty);
        } else {
            let reason = CancelReason::ImmediateOrCancel;
            let qty = order.qty;
            facts.push(Fact::Canceled { account, cl_ord_id, symbol, side, qty, reason });
        }
    }

    /// Trades an incoming order with the book. `take` returns how much of a quantity it accepts at
    /// a price; zero ends the matching.
    pub(crate) fn match_taker(
        &mut self,
        taker: &mut Taker,
        liquidation: bool,
        facts: &mut Vec<Fact>,
        mut take: impl FnMut(Price, Qty) -> Qty,
    ) {
        let symbol = usize::from(taker.symbol);
        while taker.leaves > 0 {
            let Some(maker) = self.books[symbol].front(taker.side.opposite()) else {
                return;
            };
            if taker.limit.is_some_and(|limit| !reaches(taker.side, limit, maker.price)) {
                return;
            }
            if maker.account == taker.account {
                self.cancel_resting(taker.symbol, maker, CancelReason::SelfTrade, facts);
                continue;
            }
            let mut open = maker.qty;
            if maker.reduce_only {
                let position = self.ledger.position(maker.account, symbol);
                open = open.min(position.reducible(maker.side));
                if open == 0 {
                    self.cancel_resting(taker.symbol, maker, CancelReason::ReduceOnly, facts);
                    continue;
                }
            }
            let qty = take(maker.price, open.min(taker.leaves));
            if qty == 0 {
                return;
            }
            self.trade(taker, &maker, qty, liquidation, facts);
        }
    }

    fn trade(
        &mut self,
        taker: &mut Taker,
        maker: &Resting,
        qty: Qty,
        liquidation: bool,
        facts: &mut Vec<Fact>,
    ) {
        let symbol = usize::from(taker.symbol);
        taker.leaves -= qty;
        let maker_leaves = self.books[symbol].fill_front(maker.side, qty);
        self.ledger.add_open(maker.account, symbol, maker.side, -qty);
        self.last[symbol] = Some(maker.price);
        facts.push(Fact::Trade {
            symbol: taker.symbol,
            price: maker.price,
            qty,
            maker_account: maker.account,
            maker_cl_ord_id: maker.cl_ord_id,
            maker_leaves,
            taker_account: taker.account,
            taker_cl_ord_id: taker.cl_ord_id,
            taker_leaves: taker.leaves,
            taker_side: taker.side,
            liquidation,
        });
        let signed = qty * taker.side.sign();
        let settled = (taker.account, !liquidation);
        self.settle_trade(taker.symbol, maker.price, signed, maker.account, settled, facts);
    }
}

fn check_bounds(price: Price, qty: Qty) -> Result<(), Reject> {
    if !(1..=QTY_MAX).contains(&qty) {
        return Err(Reject::IncorrectQuantity);
    }
    if !(1..=PRICE_MAX).contains(&price) {
        return Err(Reject::PriceOutOfBand);
    }
    Ok(())
}
