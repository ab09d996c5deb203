//! Numbers of resting orders, and the events of the books.
//!
//! Rules: an order's number is the place in the journal of the request that entered it: the order
//! itself, or a replacement that lost the order's time priority. A number enters a book once, and
//! among orders of one price the later entry has the later priority.

use std::collections::BTreeMap;

use surgetank_layer::message::Side;
use surgetank_layer::units::{AccountId, Price, Qty};
use surgetank_market::Fact;
use surgetank_market::book::BookChange;

use super::Outcome;
use super::view::StreamView;
use crate::encoding::fields;
use crate::event::{Event, Order, PriceLevel, StreamKey};

/// Numbers of the resting orders.
#[derive(Clone, Debug, Default)]
pub struct OrderNumbers(BTreeMap<(u16, AccountId, u64), u64>);

/// A resting order's number, as snapshots of the venue keep it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderNumber {
    symbol: u16,
    account: AccountId,
    cl_ord_id: u64,
    order: u64,
}

fields!(OrderNumber { symbol, account, cl_ord_id, order });

/// What has changed in one book since the last batch.
#[derive(Default)]
struct Changed {
    /// Quantities before and now.
    levels: BTreeMap<(Side, Price), (Qty, Qty)>,
    /// Orders that have changed, in the order of their first change.
    first: Vec<u64>,
    orders: BTreeMap<u64, Order>,
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

    /// The events of the books; `view` is the state before the batch.
    pub fn events(
        &mut self,
        batch: &Outcome<'_>,
        view: &StreamView,
        out: &mut Vec<(StreamKey, Event)>,
    ) {
        let entered = entered(batch);
        let mut books: BTreeMap<u16, Changed> = BTreeMap::new();
        for &(symbol, BookChange { order, orig_cl_ord_id }) in batch.changes {
            let at = (symbol, order.account, order.cl_ord_id);
            let kept = self.0.remove(&(symbol, order.account, orig_cl_ord_id));
            let number = kept.or_else(|| entered.get(&at).copied());
            let number = number.unwrap_or(batch.source.sequence);
            if order.qty > 0 {
                self.0.insert(at, number);
            }
            let (side, price, qty) = (order.side, order.price, order.qty);
            let changed = books.entry(symbol).or_default();
            changed.change(symbol, view, Order { order: number, side, price, qty });
        }
        for (symbol, changed) in books {
            let (levels, orders) = changed.net(symbol, view);
            if !levels.is_empty() {
                out.push((StreamKey::Book(symbol), Event::Levels(levels)));
            }
            if !orders.is_empty() {
                out.push((StreamKey::Orders(symbol), Event::Orders(orders)));
            }
        }
    }
}

impl Changed {
    fn change(&mut self, symbol: u16, view: &StreamView, order: Order) {
        let Order { order: number, side, price, qty } = order;
        let was = match self.orders.insert(number, order) {
            Some(before) => before.qty,
            None => {
                self.first.push(number);
                view.order(symbol, number).map_or(0, |before| before.qty)
            }
        };
        let rested = view.level(symbol, side, price);
        self.levels.entry((side, price)).or_insert((rested, rested)).1 += qty - was;
    }

    /// What is another than before. Orders that have entered and left since are not among it.
    fn net(self, symbol: u16, view: &StreamView) -> (Vec<PriceLevel>, Vec<Order>) {
        let levels = self.levels.into_iter().filter(|(_, (before, now))| before != now);
        let levels = levels.map(|((side, price), (_, qty))| PriceLevel { side, price, qty });
        let orders = self.first.iter().filter_map(|number| self.orders.get(number).copied());
        let matters = |order: &Order| order.qty > 0 || view.order(symbol, order.order).is_some();
        (levels.collect(), orders.filter(matters).collect())
    }
}

/// Places in the journal of the requests that may have entered orders, by the order that they named.
fn entered(batch: &Outcome<'_>) -> BTreeMap<(u16, AccountId, u64), u64> {
    let of = |(message, fact): &(u32, Fact)| match *fact {
        Fact::Accepted { account, cl_ord_id, symbol, .. }
        | Fact::Replaced { account, cl_ord_id, symbol, kept_priority: false, .. } => {
            Some(((symbol, account, cl_ord_id), batch.first_sequence + u64::from(*message)))
        }
        _ => None,
    };
    batch.facts.iter().filter_map(of).collect()
}
