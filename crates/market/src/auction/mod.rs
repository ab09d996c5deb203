//! Frequent batch auctions: the orders of one batch trade at once and at one price.
//!
//! # Rules
//! 1. Messages other than orders are executed first, continuously and in their order: oracle prices
//!    and liquidations, which trade with orders that rest from earlier batches.
//! 2. Then cancels, and replaces of resting orders; then every new order is admitted against the
//!    book as earlier batches left it. A cancel also cancels an order of its own batch. A replace
//!    that loses time priority (see `orders.rs`) makes its order one of this batch.
//! 3. Each market with an order in the batch has a call auction: all orders that cross trade at
//!    [`clearing`]'s price, and [`Rationing`] allocates the volume at the margin. The reference
//!    price is the mark.
//! 4. The remainder of a limit order rests; that of a market or immediate-or-cancel order is
//!    cancelled.
//! 5. Self-trade: of orders of one account that would trade with each other, those that rest are
//!    cancelled (if all are of this batch: one side of them), and the price is computed again.
//!
//! # Theory of operation
//! Inside a batch, the order of arrival has no effect: wherever one of two must be first (available
//! margin, an indivisible lot) [`Rank`] decides: a hash of seed, market and account. It is by
//! account, so that splitting an order gains nothing; using many accounts does. The seed must be
//! fixed after the batch is sealed (`docs/sealed.md`), or a participant can grind it.
//!
//! The orders of the batch are put into the book, which is then crossed until the call has removed
//! the orders that trade. Reduce-only orders take part with the quantity that they can reduce when
//! the call begins, and trade before their account's other orders; one that had or has nothing to
//! reduce is cancelled if it keeps the book crossed.
//!
//! Source: Budish, Cramton & Shim, "The high-frequency trading arms race" (QJE 2015): uniform price,
//! cancels first, time priority between batches and none inside.
//!
//! Departures: among prices of equal volume the paper takes the middle; here, as in exchanges' call
//! auctions, the one of least surplus nearest to a reference price, as market orders have no limit.
//! The owner of the order of this batch pays the taker's fee (if both are: the one that is not
//! post-only, or the later by rank), the other the maker's. Post-only is checked against the book
//! as earlier batches left it, and ignores orders of the same batch. Margin is checked as in the
//! continuous market, at the prices of the resting book, not at the price of the call.

mod fill;
mod price;

use std::collections::BTreeMap;

use surgetank_layer::message::{
    Body, Message, NewOrderSingle, OrdType, OrderCancelReplaceRequest, Side, TimeInForce,
};
use surgetank_layer::units::{AccountId, Digest, MessageId, Ns, Price, Qty};

use crate::book::{Resting, reaches};
use crate::config::PRICE_MAX;
use crate::facts::{CancelReason, Fact, Reject};
use crate::market::Market;
use fill::{Fill, Part, ration, self_trades};
pub use price::{Clearing, clearing};

/// Sets this use of BLAKE3 apart from every other.
const RANK_TAG: &[u8] = b"surgetank auction rank 1";

/// Allocation among the orders of one batch when not all of them can trade at a price. Better
/// prices, and orders from earlier batches, always have priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rationing {
    /// In full, one after the other, in the order of rank.
    Random,
    /// In proportion to size; lots left over by rounding in the order of rank.
    ProRata,
}

/// Parameters of a call auction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// Random seed, fixed after the batch was sealed.
    pub seed: Digest,
    /// Allocation rule at the margin.
    pub rationing: Rationing,
}

/// A message's rank in its batch, where an order is needed: by hash of seed, market and account,
/// then ClOrdID, then number of the message. The lowest has priority.
pub type Rank = ([u8; 32], u64, MessageId);

/// The rank of a message of this account in this market.
pub fn rank(seed: &Digest, symbol: u16, message: &Message, cl_ord_id: u64) -> Rank {
    let mut hasher = blake3::Hasher::new();
    hasher.update(RANK_TAG);
    hasher.update(&seed.0);
    hasher.update(&symbol.to_le_bytes());
    hasher.update(&message.account.to_le_bytes());
    (*hasher.finalize().as_bytes(), cl_ord_id, message.id)
}

/// A fact with the number of the message that caused it.
pub type MessageFact = (MessageId, Fact);

/// A live order: market, account, ClOrdID.
type Key = (u16, AccountId, u64);

/// An order of this batch.
#[derive(Clone, Copy, Debug)]
struct New {
    rank: Rank,
    message: MessageId,
    /// Whether the untraded remainder rests.
    rests: bool,
}

/// A cancel or a replace that is not executed yet.
type Change<'a> = (Rank, &'a Message);

/// State of a batch during its execution.
#[derive(Default)]
struct Batch {
    new: BTreeMap<Key, New>,
    /// Admitted orders that are not in the book yet.
    outside: Option<Vec<(u16, Resting)>>,
    scratch: Vec<Fact>,
}

impl Batch {
    /// Appends the facts found since the last call, attributed to a message.
    fn attribute(&mut self, message: MessageId, facts: &mut Vec<MessageFact>) {
        facts.extend(self.scratch.drain(..).map(|fact| (message, fact)));
    }
}

/// Execution of a batch as a call auction.
impl Market {
    /// Executes a batch as a frequent batch auction; see [`auction`](crate::auction). Each fact
    /// comes with the message that caused it, a trade's with its taker's.
    pub fn execute_batch(
        &mut self,
        now: Ns,
        messages: &[Message],
        call: Call,
        facts: &mut Vec<MessageFact>,
    ) {
        let mut batch = Batch { outside: Some(Vec::new()), ..Batch::default() };
        let (mut new, mut cancels, mut replaces) = (Vec::new(), Vec::new(), Vec::new());
        for message in messages {
            let ranked = |symbol, id| (rank(&call.seed, symbol, message, id), message);
            match &message.body {
                Body::NewOrderSingle(o) => new.push((ranked(o.symbol, o.cl_ord_id), o)),
                Body::OrderCancelRequest(c) => cancels.push(ranked(c.symbol, c.cl_ord_id)),
                Body::OrderCancelReplaceRequest(r) => {
                    replaces.push(ranked(r.symbol, r.cl_ord_id));
                }
                _ => {
                    self.execute(now, message, &mut batch.scratch);
                    batch.attribute(message.id, facts);
                }
            }
        }
        new.sort_by_key(|((rank, _), _)| *rank);
        cancels.sort_by_key(|(rank, _)| *rank);
        replaces.sort_by_key(|(rank, _)| *rank);
        self.change(now, &mut batch, &mut cancels, &mut replaces, facts);
        for ((rank, message), order) in new {
            self.admit_new(now, &mut batch, rank, message, order);
            batch.attribute(message.id, facts);
        }
        for (symbol, order) in batch.outside.take().into_iter().flatten() {
            self.books[usize::from(symbol)].insert(order);
        }
        // Cancels and replaces of orders of this batch, and of their replacements.
        while self.change(now, &mut batch, &mut cancels, &mut replaces, facts) {}
        for (_, message) in cancels.into_iter().chain(replaces) {
            self.execute(now, message, &mut batch.scratch);
            batch.attribute(message.id, facts);
        }
        let mut symbols: Vec<u16> = batch.new.keys().map(|key| key.0).collect();
        symbols.dedup();
        for symbol in symbols {
            self.call_market(symbol, call.rationing, &mut batch, facts);
        }
    }

    /// Executes the cancels, then the replaces, whose order is in the book; returns whether there
    /// was any.
    fn change(
        &mut self,
        now: Ns,
        batch: &mut Batch,
        cancels: &mut Vec<Change<'_>>,
        replaces: &mut Vec<Change<'_>>,
        facts: &mut Vec<MessageFact>,
    ) -> bool {
        let before = cancels.len() + replaces.len();
        cancels.retain(|(_, message)| {
            let Body::OrderCancelRequest(c) = &message.body else { return false };
            let known = self.is_resting((c.symbol, message.account, c.orig_cl_ord_id));
            if known {
                self.execute(now, message, &mut batch.scratch);
                batch.new.remove(&(c.symbol, message.account, c.orig_cl_ord_id));
                batch.attribute(message.id, facts);
            }
            !known
        });
        replaces.retain(|(rank, message)| {
            let Body::OrderCancelReplaceRequest(r) = &message.body else { return false };
            let known = self.is_resting((r.symbol, message.account, r.orig_cl_ord_id));
            if known {
                self.replace_new(now, batch, *rank, message, r);
                batch.attribute(message.id, facts);
            }
            !known
        });
        cancels.len() + replaces.len() < before
    }

    fn is_resting(&self, (symbol, account, cl_ord_id): Key) -> bool {
        let book = self.books.get(usize::from(symbol));
        book.is_some_and(|book| book.get(account, cl_ord_id).is_some())
    }

    /// Checks and admits a new order, as if the batch had no other.
    fn admit_new(
        &mut self,
        now: Ns,
        batch: &mut Batch,
        rank: Rank,
        message: &Message,
        o: &NewOrderSingle,
    ) {
        let (account, symbol, cl_ord_id, side) = (message.account, o.symbol, o.cl_ord_id, o.side);
        let twice = batch.new.contains_key(&(symbol, account, cl_ord_id));
        let admitted =
            if twice { Err(Reject::DuplicateOrder) } else { self.check_new(now, account, o) };
        let qty = match admitted {
            Ok(qty) => qty,
            Err(reason) => {
                let refused = Fact::Rejected { account, cl_ord_id, symbol, reason };
                return batch.scratch.push(refused);
            }
        };
        batch.scratch.push(Fact::Accepted { account, cl_ord_id, symbol, side, leaves: qty });
        let any = match side {
            Side::Buy => PRICE_MAX,
            Side::Sell => 1,
        };
        let price = self.limit_price(o).unwrap_or(any);
        let (post_only, reduce_only) = (o.post_only, o.reduce_only);
        let order = Resting { account, cl_ord_id, side, price, qty, post_only, reduce_only };
        let rests = o.ord_type == OrdType::Limit && o.time_in_force == TimeInForce::GoodTillCancel;
        self.enter_batch(batch, symbol, order, New { rank, message: message.id, rests });
    }

    /// Replaces a resting order; one that loses its time priority becomes an order of this batch.
    fn replace_new(
        &mut self,
        now: Ns,
        batch: &mut Batch,
        rank: Rank,
        message: &Message,
        r: &OrderCancelReplaceRequest,
    ) {
        let (account, symbol, cl_ord_id) = (message.account, r.symbol, r.cl_ord_id);
        let (old_key, new_key) =
            ((symbol, account, r.orig_cl_ord_id), (symbol, account, cl_ord_id));
        let twice = old_key != new_key && batch.new.contains_key(&new_key);
        let checked =
            if twice { Err(Reject::DuplicateOrder) } else { self.check_replace(now, account, r) };
        let (old, new) = match checked {
            Ok(orders) => orders,
            Err(reason) => {
                let refused = Fact::Rejected { account, cl_ord_id, symbol, reason };
                return batch.scratch.push(refused);
            }
        };
        let kept_priority = new.price == old.price && new.qty <= old.qty;
        batch.scratch.push(Fact::Replaced {
            account,
            cl_ord_id,
            orig_cl_ord_id: old.cl_ord_id,
            symbol,
            side: old.side,
            was: old.qty,
            leaves: new.qty,
            kept_priority,
        });
        let came = batch.new.remove(&old_key);
        let s = usize::from(symbol);
        if kept_priority {
            self.books[s].shrink(account, old.cl_ord_id, cl_ord_id, new.qty);
            self.ledger.add_open(account, s, old.side, new.qty - old.qty);
            batch.new.extend(came.map(|came| (new_key, came)));
        } else {
            self.books[s].remove(account, old.cl_ord_id);
            self.ledger.add_open(account, s, old.side, -old.qty);
            let rests = came.is_none_or(|came| came.rests);
            self.enter_batch(batch, symbol, new, New { rank, message: message.id, rests });
        }
    }

    /// Adds an order to the account's open orders and to the book (or, while others are admitted,
    /// beside it).
    fn enter_batch(&mut self, batch: &mut Batch, symbol: u16, order: Resting, new: New) {
        batch.new.insert((symbol, order.account, order.cl_ord_id), new);
        self.ledger.add_open(order.account, usize::from(symbol), order.side, order.qty);
        match &mut batch.outside {
            Some(outside) => outside.push((symbol, order)),
            None => drop(self.books[usize::from(symbol)].insert(order)),
        }
    }
}

/// Execution of a batch as a call auction.
impl Market {
    fn call_market(
        &mut self,
        symbol: u16,
        rationing: Rationing,
        batch: &mut Batch,
        facts: &mut Vec<MessageFact>,
    ) {
        let of_symbol = (symbol, 0, 0)..=(symbol, AccountId::MAX, u64::MAX);
        let first =
            batch.new.range(of_symbol.clone()).map(|(_, new)| (new.rank, new.message)).min();
        let Some((_, first)) = first else { return };
        let mut idle = Vec::new();
        while let Some((price, bought, sold)) = self.matched(symbol, rationing, batch, &mut idle) {
            let gone = self_trades(&bought, &sold);
            if gone.is_empty() {
                self.trade_all(symbol, price, bought, sold, batch, facts);
                break;
            }
            for (part, cause) in gone {
                self.cancel_resting(
                    symbol,
                    part.order,
                    CancelReason::SelfTrade,
                    &mut batch.scratch,
                );
                batch.attribute(cause, facts);
            }
        }
        let gone: Vec<_> = batch.new.range(of_symbol).filter(|(_, new)| !new.rests).collect();
        let mut scratch = Vec::new();
        for (&(_, account, cl_ord_id), new) in gone {
            if let Some(order) = self.book(symbol).get(account, cl_ord_id) {
                self.cancel_resting(symbol, order, CancelReason::ImmediateOrCancel, &mut scratch);
                facts.extend(scratch.drain(..).map(|fact| (new.message, fact)));
            }
        }
        self.uncross(symbol, &idle, &mut scratch);
        facts.extend(scratch.into_iter().map(|fact| (first, fact)));
    }

    /// The price of the call and the trading orders of each side; `idle` receives the reduce-only
    /// orders that have no position to reduce.
    fn matched(
        &self,
        symbol: u16,
        rationing: Rationing,
        batch: &Batch,
        idle: &mut Vec<Resting>,
    ) -> Option<(Price, Vec<Fill>, Vec<Fill>)> {
        idle.clear();
        let (Some((bid, _)), Some((ask, _))) = self.best(symbol) else {
            return None;
        };
        let (buys, sells) =
            (self.parts(symbol, Side::Buy, ask, batch), self.parts(symbol, Side::Sell, bid, batch));
        let spent = buys.iter().chain(&sells).filter(|part| part.open == 0);
        idle.extend(spent.map(|part| part.order));
        let limits = |parts: &[Part]| -> Vec<(Price, Qty)> {
            parts.iter().map(|part| (part.order.price, part.open)).collect()
        };
        let Clearing { price, volume } =
            clearing(limits(&buys), limits(&sells), self.mark(symbol))?;
        let share = |parts| ration(parts, price, volume, rationing);
        Some((price, share(buys), share(sells)))
    }

    /// Orders of a side whose limit reaches the other side's best price.
    fn parts(&self, symbol: u16, side: Side, best: Price, batch: &Batch) -> Vec<Part> {
        let mut reducible: BTreeMap<AccountId, Qty> = BTreeMap::new();
        let queue = self.book(symbol).queue(side);
        let crossing = queue.take_while(|order| reaches(side, order.price, best));
        crossing
            .map(|order| {
                let mut open = order.qty;
                if order.reduce_only {
                    let s = usize::from(symbol);
                    let position = self.ledger.position(order.account, s);
                    let left = reducible.entry(order.account).or_insert(position.reducible(side));
                    open = open.min(*left);
                    *left -= open;
                }
                let new = batch.new.get(&(symbol, order.account, order.cl_ord_id));
                Part { order, open, new: new.map(|new| (new.rank, new.message)) }
            })
            .collect()
    }

    /// Pairs what was bought with what was sold. Reduce-only orders trade before others, so that
    /// each finds the position against which it was sized.
    fn trade_all(
        &mut self,
        symbol: u16,
        price: Price,
        mut bought: Vec<Fill>,
        mut sold: Vec<Fill>,
        batch: &mut Batch,
        facts: &mut Vec<MessageFact>,
    ) {
        bought.sort_by_key(|(part, _)| !part.order.reduce_only);
        sold.sort_by_key(|(part, _)| !part.order.reduce_only);
        let (mut buys, mut sells) = (bought.iter_mut().peekable(), sold.iter_mut().peekable());
        while let (Some((buy, wants)), Some((sell, gives))) = (buys.peek_mut(), sells.peek_mut()) {
            let qty = (*wants).min(*gives);
            *wants -= qty;
            *gives -= qty;
            let cause = self.trade_pair(symbol, price, qty, (buy, sell), &mut batch.scratch);
            batch.attribute(cause, facts);
            let (bought_all, sold_all) = (*wants == 0, *gives == 0);
            if bought_all {
                buys.next();
            }
            if sold_all {
                sells.next();
            }
        }
    }

    /// Books one trade; returns the number of the taker's message.
    fn trade_pair(
        &mut self,
        symbol: u16,
        price: Price,
        qty: Qty,
        (buy, sell): (&Part, &Part),
        facts: &mut Vec<Fact>,
    ) -> MessageId {
        let role = |part: &Part| (part.new.is_some(), !part.order.post_only, part.new);
        let (maker, taker) = if role(buy) < role(sell) { (buy, sell) } else { (sell, buy) };
        let s = usize::from(symbol);
        let leaves = [maker, taker].map(|part| {
            let Resting { account, cl_ord_id, side, .. } = part.order;
            self.ledger.add_open(account, s, side, -qty);
            self.books[s].fill(account, cl_ord_id, qty)
        });
        self.last[s] = Some(price);
        facts.push(Fact::Trade {
            symbol,
            price,
            qty,
            maker_account: maker.order.account,
            maker_cl_ord_id: maker.order.cl_ord_id,
            maker_leaves: leaves[0],
            taker_account: taker.order.account,
            taker_cl_ord_id: taker.order.cl_ord_id,
            taker_leaves: leaves[1],
            taker_side: taker.order.side,
            liquidation: false,
        });
        let signed = qty * taker.order.side.sign();
        let taker_settles = (taker.order.account, true);
        self.settle_trade(symbol, price, signed, maker.order.account, taker_settles, facts);
        taker.new.map_or(0, |(_, message)| message)
    }

    /// Cancels reduce-only orders that had (`idle`) or have nothing to reduce and keep the book
    /// crossed.
    fn uncross(&mut self, symbol: u16, idle: &[Resting], facts: &mut Vec<Fact>) {
        loop {
            let front = |side| self.book(symbol).front(side);
            let (Some(buy), Some(sell)) = (front(Side::Buy), front(Side::Sell)) else { return };
            if buy.price < sell.price {
                return;
            }
            let spent = |order: &Resting| {
                let position = self.ledger.position(order.account, usize::from(symbol));
                let spent = order.reduce_only && position.reducible(order.side) == 0;
                spent || idle.contains(order)
            };
            let Some(order) = [buy, sell].into_iter().find(spent) else {
                debug_assert!(false, "the call left {buy:?} and {sell:?} crossed");
                return;
            };
            self.cancel_resting(symbol, order, CancelReason::ReduceOnly, facts);
        }
    }
}
