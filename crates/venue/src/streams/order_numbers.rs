//! Numbers of resting orders, and the events of the books.
//!
//! Rules: an order's number is the place in the journal of the request that entered it: the order
//! itself, or a replacement that lost the order's time priority. A number enters a book once, and
//! among orders of one price the later entry has the later priority.

use std::collections::BTreeMap;

use surgetank_layer::message::Side;
use surgetank_layer::units::{AccountId, Price, Qty};
use surgetank_market::Fact;
use surgetank_market::book::{Book, BookChange};

use super::Outcome;
use super::runs::EventsByStream;
use crate::encoding::fields;
use crate::event::{Event, Order, PriceLevel, StreamKey};

/// An order by market, owner and ClOrdID.
type OrderKey = (u16, AccountId, u64);

/// Numbers of the resting orders.
#[derive(Clone, Debug, Default)]
pub struct OrderNumbers(BTreeMap<OrderKey, u64>);

/// A resting order's number, as snapshots of the venue keep it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderNumber {
    symbol: u16,
    account: AccountId,
    cl_ord_id: u64,
    order: u64,
}

fields!(OrderNumber { symbol, account, cl_ord_id, order });

/// What a batch has changed in one book.
#[derive(Default)]
struct Changed {
    /// Differences of the quantities.
    levels: BTreeMap<(Side, Price), Qty>,
    /// Orders as they are now, in the order of their first change, each with whether it had rested
    /// before the batch.
    orders: Vec<(Order, bool)>,
    /// Their places in that list, by number.
    places: BTreeMap<u64, usize>,
}

impl OrderNumbers {
    /// The numbers of [`OrderNumbers::state`].
    pub fn restore(state: Vec<OrderNumber>) -> OrderNumbers {
        let numbers = state.into_iter();
        OrderNumbers(numbers.map(|n| ((n.symbol, n.account, n.cl_ord_id), n.order)).collect())
    }

    /// All numbers.
    pub fn state(&self) -> Vec<OrderNumber> {
        let numbers = self.0.iter();
        numbers
            .map(|(&(symbol, account, cl_ord_id), &order)| OrderNumber {
                symbol,
                account,
                cl_ord_id,
                order,
            })
            .collect()
    }

    /// The number of an account's resting order.
    pub fn of(&self, symbol: u16, account: AccountId, cl_ord_id: u64) -> Option<u64> {
        self.0.get(&(symbol, account, cl_ord_id)).copied()
    }

    /// The events of the books.
    pub fn events(&mut self, batch: &Outcome<'_>, out: &mut EventsByStream) {
        let entered = entered(batch);
        for changes in batch.changes.chunk_by(|(one, _), (other, _)| one == other) {
            let symbol = changes[0].0;
            let mut changed = Changed::default();
            for (_, change) in changes {
                let BookChange { order, orig_cl_ord_id, orig_qty } = *change;
                let (account, cl_ord_id) = (order.account, order.cl_ord_id);
                let number = if orig_qty == 0 {
                    let key = (symbol, account, cl_ord_id);
                    let found = entered.binary_search_by_key(&key, |(key, _)| *key);
                    found.map_or(batch.source.sequence, |at| entered[at].1)
                } else {
                    self.of(symbol, account, orig_cl_ord_id).unwrap_or(batch.source.sequence)
                };
                self.keep(symbol, change, number);
                let (side, price, qty) = (order.side, order.price, order.qty);
                changed.change(Order { order: number, side, price, qty }, orig_qty);
            }
            changed.events(symbol, batch.market.book(symbol), out);
        }
    }

    fn keep(&mut self, symbol: u16, change: &BookChange, number: u64) {
        let BookChange { order, orig_cl_ord_id, orig_qty } = *change;
        let key = |cl_ord_id| (symbol, order.account, cl_ord_id);
        let is_renamed = orig_cl_ord_id != order.cl_ord_id;
        if orig_qty > 0 && (order.qty == 0 || is_renamed) {
            self.0.remove(&key(orig_cl_ord_id));
        }
        if order.qty > 0 && (orig_qty == 0 || is_renamed) {
            self.0.insert(key(order.cl_ord_id), number);
        }
    }
}

impl Changed {
    fn change(&mut self, order: Order, orig_qty: Qty) {
        *self.levels.entry((order.side, order.price)).or_default() += order.qty - orig_qty;
        let place = *self.places.entry(order.order).or_insert(self.orders.len());
        match self.orders.get_mut(place) {
            Some((now, _)) => *now = order,
            None => self.orders.push((order, orig_qty > 0)),
        }
    }

    /// What is another than before. Orders that have entered and left since are not among it.
    fn events(self, symbol: u16, book: &Book, out: &mut EventsByStream) {
        let levels = self.levels.into_iter().filter(|(_, difference)| *difference != 0);
        let level = |((side, price), _)| PriceLevel { side, price, qty: book.level(side, price) };
        let levels: Vec<PriceLevel> = levels.map(level).collect();
        let orders = self.orders.into_iter();
        let matters = |(order, rested): (Order, bool)| (order.qty > 0 || rested).then_some(order);
        let orders: Vec<Order> = orders.filter_map(matters).collect();
        if !levels.is_empty() {
            out.push(StreamKey::Book(symbol), Event::Levels(levels));
        }
        if !orders.is_empty() {
            out.push(StreamKey::Orders(symbol), Event::Orders(orders));
        }
    }
}

/// Places in the journal of the requests that may have entered orders, sorted by the order that they
/// named.
fn entered(batch: &Outcome<'_>) -> Vec<(OrderKey, u64)> {
    let of = |(message, fact): &(u32, Fact)| match *fact {
        Fact::Accepted { account, cl_ord_id, symbol, .. }
        | Fact::Replaced { account, cl_ord_id, symbol, kept_priority: false, .. } => {
            Some(((symbol, account, cl_ord_id), batch.first_sequence + u64::from(*message)))
        }
        _ => None,
    };
    let mut entered: Vec<(OrderKey, u64)> = batch.facts.iter().filter_map(of).collect();
    entered.sort_unstable();
    entered
}
