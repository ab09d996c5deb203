//! The price–time order book of one market: resting orders, without money.
//!
//! Rules: a better price trades first; at one price, the order that arrived at this price first. An
//! order keeps its time priority only when it is made smaller at the same price. Live ClOrdIDs are
//! unique per account and market.
//!
//! Theory of operation: levels in an ordered map by price, each a doubly linked list through a slab
//! of nodes, so that a cancel is one lookup and a few writes; for each account (they are dense) an
//! ordered index from ClOrdID to node. The caller (`orders.rs`) decides which orders may match: it
//! reads the front order and fills it.
//!
//! Source: the continuous limit order book, e.g. NASDAQ Rule 4757 (price/time).
//!
//! A book can record its changes, order by order, so that a subscriber who has a copy of it can keep
//! the copy equal; the lab, whose actors look at the book itself, does not ask for them.
//!
//! Departures: none known.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::de::Error;
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use surgetank_layer::message::Side;
use surgetank_layer::units::{AccountId, Money, Price, Qty};

use crate::bounds::{ACCOUNTS_MAX, PRICE_MAX, QTY_MAX};
pub use crate::facts::Reject;

/// A resting order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Resting {
    /// Account that owns the order.
    pub account: AccountId,
    /// ClOrdID (11), unique among the account's live orders in this market.
    pub cl_ord_id: u64,
    /// Side (54): buy or sell.
    pub side: Side,
    /// Limit price, in ticks.
    pub price: Price,
    /// Open quantity, in lots; positive.
    pub qty: Qty,
    /// Whether it may never take liquidity, replaced or not.
    pub post_only: bool,
    /// Whether it may never increase its owner's position.
    pub reduce_only: bool,
}

/// A change of one resting order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookChange {
    /// The order after the change; of quantity 0 if it has left the book. An order that has entered
    /// is the last of its price.
    pub order: Resting,
    /// ClOrdID before the change: another than now if the order was replaced and kept its place.
    pub orig_cl_ord_id: u64,
    /// Quantity before the change; 0 if the order has entered.
    pub orig_qty: Qty,
}

const NONE: u32 = u32::MAX;

#[derive(Clone, Debug)]
struct Node {
    order: Resting,
    prev: u32,
    next: u32,
}

#[derive(Clone, Debug)]
struct Level {
    head: u32,
    tail: u32,
    qty: Qty,
}

/// The book of one market.
///
/// Serialized are its orders, bids before asks, in the order in which they trade.
#[derive(Clone, Debug, Default)]
pub struct Book {
    bids: BTreeMap<Price, Level>,
    asks: BTreeMap<Price, Level>,
    nodes: Vec<Node>,
    free: Vec<u32>,
    /// By account: ClOrdID to node.
    index: Vec<BTreeMap<u64, u32>>,
    len: usize,
    /// Changes since they were last taken; `None`: they are not recorded.
    changes: Option<Vec<BookChange>>,
}

impl Book {
    /// Number of resting orders.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the book is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Best price on a side and the quantity resting there.
    pub fn best(&self, side: Side) -> Option<(Price, Qty)> {
        self.best_level(side).map(|(price, level)| (price, level.qty))
    }

    /// Quantity that rests at a price.
    pub fn level(&self, side: Side, price: Price) -> Qty {
        let levels = match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        };
        levels.get(&price).map_or(0, |level| level.qty)
    }

    /// The order that is next to trade on a side.
    pub fn front(&self, side: Side) -> Option<Resting> {
        self.best_level(side).map(|(_, level)| self.nodes[level.head as usize].order)
    }

    /// An account's live order.
    pub fn get(&self, account: AccountId, cl_ord_id: u64) -> Option<Resting> {
        let slot = self.slot(account, cl_ord_id)?;
        Some(self.nodes[slot as usize].order)
    }

    /// An account's live orders by ClOrdID.
    pub fn orders(&self, account: AccountId) -> impl Iterator<Item = Resting> + '_ {
        let slots = self.index.get(account as usize).into_iter().flatten();
        slots.map(|(_, &slot)| self.nodes[slot as usize].order)
    }

    /// Price levels of a side, best first: price and resting quantity.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = (Price, Qty)> + '_ {
        let (mut bids, mut asks) = (self.bids.iter().rev(), self.asks.iter());
        std::iter::from_fn(move || match side {
            Side::Buy => bids.next(),
            Side::Sell => asks.next(),
        })
        .map(|(&price, level)| (price, level.qty))
    }

    /// Orders of a side in the order in which they trade: best price first, then time.
    pub fn queue(&self, side: Side) -> impl Iterator<Item = Resting> + '_ {
        let (mut bids, mut asks) = (self.bids.values().rev(), self.asks.values());
        let levels = std::iter::from_fn(move || match side {
            Side::Buy => bids.next(),
            Side::Sell => asks.next(),
        });
        levels.flat_map(move |level| {
            let some = |slot: u32| (slot != NONE).then_some(slot);
            let next = move |&slot: &u32| some(self.nodes[slot as usize].next);
            let slots = std::iter::successors(some(level.head), next);
            slots.map(|slot| self.nodes[slot as usize].order)
        })
    }

    /// All orders: those of [`Book::queue`], bids before asks.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Resting> + '_ {
        self.queue(Side::Buy).chain(self.queue(Side::Sell))
    }

    /// Begins or ends the recording of changes; those that were not taken are discarded.
    pub(crate) fn record_changes(&mut self, on: bool) {
        self.changes = on.then(Vec::new);
    }

    /// The changes since the last call, in the order in which they happened.
    pub(crate) fn take_changes(&mut self) -> Vec<BookChange> {
        self.changes.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn changed(&mut self, order: Resting, orig_cl_ord_id: u64, orig_qty: Qty) {
        if let Some(changes) = &mut self.changes {
            changes.push(BookChange { order, orig_cl_ord_id, orig_qty });
        }
    }

    /// Whether an incoming order of this side and price would match.
    pub fn crosses(&self, side: Side, price: Price) -> bool {
        self.best(side.opposite()).is_some_and(|(best, _)| reaches(side, price, best))
    }

    /// What an immediate order of `qty` would trade: quantity and notional. `limit` as in an order.
    pub fn sweep(&self, side: Side, qty: Qty, limit: Option<Price>) -> (Qty, Money) {
        let (mut left, mut notional) = (qty, 0);
        for (price, there) in self.levels(side.opposite()) {
            if left == 0 || limit.is_some_and(|limit| !reaches(side, limit, price)) {
                break;
            }
            let take = there.min(left);
            left -= take;
            notional += Money::from(take) * Money::from(price);
        }
        (qty - left, notional)
    }

    /// Adds an order behind all others of its price; false if its ClOrdID is live already.
    pub(crate) fn insert(&mut self, order: Resting) -> bool {
        let account = order.account as usize;
        if account >= self.index.len() {
            self.index.resize(account + 1, BTreeMap::new());
        }
        let Entry::Vacant(index) = self.index[account].entry(order.cl_ord_id) else {
            return false;
        };
        let level = match order.side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
        .entry(order.price)
        .or_insert(Level { head: NONE, tail: NONE, qty: 0 });
        let node = Node { order, prev: level.tail, next: NONE };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.nodes[slot as usize] = node;
                slot
            }
            None => {
                self.nodes.push(node);
                (self.nodes.len() - 1) as u32
            }
        };
        match level.tail {
            NONE => level.head = slot,
            tail => self.nodes[tail as usize].next = slot,
        }
        level.tail = slot;
        level.qty += order.qty;
        index.insert(slot);
        self.len += 1;
        self.changed(order, order.cl_ord_id, 0);
        true
    }

    /// Removes an order and returns it.
    pub(crate) fn remove(&mut self, account: AccountId, cl_ord_id: u64) -> Option<Resting> {
        let slot = self.index.get_mut(account as usize)?.remove(&cl_ord_id)?;
        self.len -= 1;
        let Node { order, prev, next } = self.nodes[slot as usize].clone();
        let side = self.side_mut(order.side);
        let level = side.get_mut(&order.price).expect("a resting order has a level");
        level.qty -= order.qty;
        if prev == NONE {
            level.head = next;
        }
        if next == NONE {
            level.tail = prev;
        }
        if level.head == NONE {
            side.remove(&order.price);
        }
        if prev != NONE {
            self.nodes[prev as usize].next = next;
        }
        if next != NONE {
            self.nodes[next as usize].prev = prev;
        }
        self.free.push(slot);
        self.changed(Resting { qty: 0, ..order }, cl_ord_id, order.qty);
        Some(order)
    }

    /// Trades `qty` (at most its open quantity) with the front order of a side; returns the rest.
    pub(crate) fn fill_front(&mut self, side: Side, qty: Qty) -> Qty {
        let Some((_, level)) = self.best_level(side) else {
            return 0;
        };
        self.fill_slot(level.head, qty)
    }

    /// Trades `qty` (at most its open quantity) with any order; returns the rest.
    pub(crate) fn fill(&mut self, account: AccountId, cl_ord_id: u64, qty: Qty) -> Qty {
        self.slot(account, cl_ord_id).map_or(0, |slot| self.fill_slot(slot, qty))
    }

    fn fill_slot(&mut self, slot: u32, qty: Qty) -> Qty {
        let order = self.nodes[slot as usize].order;
        if qty >= order.qty {
            self.remove(order.account, order.cl_ord_id);
            return 0;
        }
        self.resize(slot, order.qty - qty);
        self.changed(Resting { qty: order.qty - qty, ..order }, order.cl_ord_id, order.qty);
        order.qty - qty
    }

    /// Reduces an order's quantity under a new ClOrdID; it keeps its time priority. The caller has
    /// checked that `qty` is positive and not above the open quantity, and that the new ClOrdID is
    /// free.
    pub(crate) fn shrink(
        &mut self,
        account: AccountId,
        cl_ord_id: u64,
        new_cl_ord_id: u64,
        qty: Qty,
    ) {
        let Some(slot) = self.slot(account, cl_ord_id) else {
            return;
        };
        let orig_qty = self.nodes[slot as usize].order.qty;
        self.resize(slot, qty);
        if new_cl_ord_id != cl_ord_id {
            self.nodes[slot as usize].order.cl_ord_id = new_cl_ord_id;
            let index = &mut self.index[account as usize];
            index.remove(&cl_ord_id);
            index.insert(new_cl_ord_id, slot);
        }
        self.changed(self.nodes[slot as usize].order, cl_ord_id, orig_qty);
    }

    fn resize(&mut self, slot: u32, qty: Qty) {
        let order = &mut self.nodes[slot as usize].order;
        let less = order.qty - qty;
        order.qty = qty;
        let (side, price) = (order.side, order.price);
        if let Some(level) = self.side_mut(side).get_mut(&price) {
            level.qty -= less;
        }
    }

    fn slot(&self, account: AccountId, cl_ord_id: u64) -> Option<u32> {
        self.index.get(account as usize)?.get(&cl_ord_id).copied()
    }

    fn best_level(&self, side: Side) -> Option<(Price, &Level)> {
        match side {
            Side::Buy => self.bids.last_key_value(),
            Side::Sell => self.asks.first_key_value(),
        }
        .map(|(&price, level)| (price, level))
    }

    fn side_mut(&mut self, side: Side) -> &mut BTreeMap<Price, Level> {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }
}

impl Serialize for Book {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut orders = to.serialize_seq(Some(self.len))?;
        for order in self.iter() {
            orders.serialize_element(&order)?;
        }
        orders.end()
    }
}

impl<'de> Deserialize<'de> for Book {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Book, D::Error> {
        let mut book = Book::default();
        for order in Vec::<Resting>::deserialize(from)? {
            let in_bounds = order.account < ACCOUNTS_MAX
                && (1..=PRICE_MAX).contains(&order.price)
                && (1..=QTY_MAX).contains(&order.qty);
            if !in_bounds || !book.insert(order) {
                return Err(D::Error::custom("an order out of bounds, or twice"));
            }
        }
        Ok(book)
    }
}

/// Whether an order of this side with this limit accepts that price.
pub fn reaches(side: Side, limit: Price, price: Price) -> bool {
    match side {
        Side::Buy => limit >= price,
        Side::Sell => limit <= price,
    }
}
