//! The state of the streams: what their events, applied one after the other, lead to.
//!
//! Rules: a snapshot of a stream is taken from a view that has the published events only, so that a
//! reader who applies the later ones has the state of a reader who applied all. Nothing but events
//! changes a view.

use std::collections::BTreeMap;

use surgetank_layer::message::{ExecType, Side};
use surgetank_layer::units::{AccountId, Money, Price, Qty};
use surgetank_market::Market;

use super::order_numbers::OrderNumbers;
use crate::event::{Cash, Event, Funding, Holding, Order, PriceLevel, Prices, Report, StreamKey};

/// A book as its streams have it.
#[derive(Clone, Debug, Default)]
struct Book {
    levels: BTreeMap<(Side, Price), Qty>,
    /// Orders by number, each with its place among all that have entered.
    orders: BTreeMap<u64, (Order, u64)>,
    entered: u64,
}

/// Prices of a market, and the last funding payment.
type PricesAndFunding = (Prices, Option<Funding>);

/// The state of all streams that have one.
#[derive(Clone, Debug, Default)]
pub struct StreamView {
    books: Vec<Book>,
    prices: Vec<PricesAndFunding>,
    holdings: BTreeMap<(AccountId, u16), Qty>,
    cash: BTreeMap<AccountId, Money>,
    /// Open orders by account, market and ClOrdID, as reports of new orders.
    open: BTreeMap<(AccountId, u16, u64), Report>,
}

impl StreamView {
    /// Of a market as it stands, whose resting orders have these numbers.
    pub fn of(
        market: &Market,
        numbers: &OrderNumbers,
        fundings: &BTreeMap<u16, Funding>,
    ) -> StreamView {
        let mut view = StreamView::default();
        for symbol in 0..market.symbols() {
            let mut book = Book::default();
            for side in [Side::Buy, Side::Sell] {
                for resting in market.book(symbol).queue(side) {
                    let (account, cl_ord_id) = (resting.account, resting.cl_ord_id);
                    let order = numbers.of(symbol, account, cl_ord_id).unwrap_or(0);
                    let (price, qty) = (resting.price, resting.qty);
                    book.change(Order { order, side, price, qty });
                    *book.levels.entry((side, price)).or_default() += qty;
                    let report = new_report(symbol, cl_ord_id, Some(side), qty);
                    view.open.insert((account, symbol, cl_ord_id), report);
                }
            }
            view.books.push(book);
            view.prices.push((prices(market, symbol), fundings.get(&symbol).copied()));
        }
        for account in market.accounts() {
            view.cash.insert(account, market.cash(account));
            for symbol in 0..market.symbols() {
                view.hold(account, symbol, market.position(account, symbol));
            }
        }
        view
    }

    /// Applies an event of a stream.
    pub fn apply(&mut self, key: StreamKey, event: &Event) {
        match (key, event) {
            (StreamKey::Executions(account), Event::Report(report)) => self.report(account, report),
            (StreamKey::Positions(_), Event::Position(held)) => {
                self.hold(held.account, held.symbol, held.qty);
            }
            (StreamKey::Positions(_), Event::Cash(cash)) => {
                self.cash.insert(cash.account, cash.cash);
            }
            (StreamKey::Book(symbol), Event::Levels(levels)) => {
                let Some(book) = self.books.get_mut(usize::from(symbol)) else { return };
                for level in levels {
                    match level.qty {
                        0 => book.levels.remove(&(level.side, level.price)),
                        qty => book.levels.insert((level.side, level.price), qty),
                    };
                }
            }
            (StreamKey::Orders(symbol), Event::Orders(orders)) => {
                let Some(book) = self.books.get_mut(usize::from(symbol)) else { return };
                orders.iter().for_each(|order| book.change(*order));
            }
            (StreamKey::Prices(symbol), Event::Prices(prices)) => {
                let of_market = self.prices.get_mut(usize::from(symbol));
                of_market.into_iter().for_each(|(now, _)| *now = *prices);
            }
            (StreamKey::Prices(symbol), Event::Funding(funding)) => {
                let of_market = self.prices.get_mut(usize::from(symbol));
                of_market.into_iter().for_each(|(_, last)| *last = Some(*funding));
            }
            _ => {}
        }
    }

    fn hold(&mut self, account: AccountId, symbol: u16, qty: Qty) {
        match qty {
            0 => self.holdings.remove(&(account, symbol)),
            qty => self.holdings.insert((account, symbol), qty),
        };
    }

    fn report(&mut self, account: AccountId, report: &Report) {
        let Report { symbol, cl_ord_id, side, leaves_qty, .. } = *report;
        let at = (account, symbol, cl_ord_id);
        match report.exec_type {
            ExecType::New | ExecType::Replaced => {
                self.open.remove(&(account, symbol, report.orig_cl_ord_id));
                self.open.insert(at, new_report(symbol, cl_ord_id, side, leaves_qty));
            }
            ExecType::Trade if leaves_qty > 0 => {
                self.open.entry(at).and_modify(|open| open.leaves_qty = leaves_qty);
            }
            ExecType::Trade | ExecType::Canceled => drop(self.open.remove(&at)),
            // A refused request changes nothing, even if an order of its ClOrdID is open.
            ExecType::Rejected => {}
        }
    }

    /// Events that lead to the state of a stream from an empty one; none of a stream without state.
    pub fn state(&self, key: StreamKey) -> Vec<Event> {
        let book = |symbol: u16| self.books.get(usize::from(symbol));
        let position = |(&(account, symbol), &qty): (&(AccountId, u16), &Qty)| {
            Event::Position(Holding { account, symbol, qty })
        };
        match key {
            StreamKey::Executions(account) => {
                let open = self.open.range((account, 0, 0)..=(account, u16::MAX, u64::MAX));
                open.map(|(_, report)| Event::Report(*report)).collect()
            }
            StreamKey::Positions(account) => {
                let cash = self.cash(account);
                let held = self.holdings.range((account, 0)..=(account, u16::MAX));
                let cash = Event::Cash(Cash { account, cash });
                std::iter::once(cash).chain(held.map(position)).collect()
            }
            StreamKey::PublicPositions(()) => self.holdings.iter().map(position).collect(),
            StreamKey::Book(symbol) => {
                book(symbol).map(|book| Event::Levels(book.levels())).into_iter().collect()
            }
            StreamKey::Orders(symbol) => {
                book(symbol).map(|book| Event::Orders(book.orders())).into_iter().collect()
            }
            StreamKey::Prices(symbol) => {
                let Some((prices, funding)) = self.prices.get(usize::from(symbol)) else {
                    return Vec::new();
                };
                let funding = funding.map(Event::Funding);
                std::iter::once(Event::Prices(*prices)).chain(funding).collect()
            }
            StreamKey::Risk(_)
            | StreamKey::Trades(_)
            | StreamKey::Liquidations(_)
            | StreamKey::Journal(()) => Vec::new(),
        }
    }

    /// Quantity at a price.
    pub fn level(&self, symbol: u16, side: Side, price: Price) -> Qty {
        let book = self.books.get(usize::from(symbol));
        book.and_then(|book| book.levels.get(&(side, price))).copied().unwrap_or(0)
    }

    /// A resting order, by number.
    pub fn order(&self, symbol: u16, number: u64) -> Option<Order> {
        self.books.get(usize::from(symbol))?.orders.get(&number).map(|(order, _)| *order)
    }

    /// An account's position.
    pub fn position(&self, account: AccountId, symbol: u16) -> Qty {
        self.holdings.get(&(account, symbol)).copied().unwrap_or(0)
    }

    /// An account's cash.
    pub fn cash(&self, account: AccountId) -> Money {
        self.cash.get(&account).copied().unwrap_or(0)
    }

    /// The prices of a market.
    pub fn prices(&self, symbol: u16) -> Option<Prices> {
        self.prices.get(usize::from(symbol)).map(|(prices, _)| *prices)
    }

    /// The last funding payment of each market that has had one.
    pub fn fundings(&self) -> impl Iterator<Item = (u16, Funding)> + '_ {
        (0..).zip(&self.prices).filter_map(|(symbol, (_, funding))| Some((symbol, (*funding)?)))
    }
}

impl Book {
    fn change(&mut self, order: Order) {
        if order.qty == 0 {
            self.orders.remove(&order.order);
            return;
        }
        let entered = &mut self.entered;
        let kept = self.orders.entry(order.order).or_insert_with(|| {
            *entered += 1;
            (order, *entered)
        });
        kept.0 = order;
    }

    /// All levels, bids before asks, the best first.
    fn levels(&self) -> Vec<PriceLevel> {
        let level =
            |(&(side, price), &qty): (&(Side, Price), &Qty)| PriceLevel { side, price, qty };
        let is_bid = |level: &PriceLevel| level.side == Side::Buy;
        let (mut bids, asks): (Vec<_>, Vec<_>) = self.levels.iter().map(level).partition(is_bid);
        bids.reverse();
        bids.into_iter().chain(asks).collect()
    }

    /// All orders, bids before asks, in the order in which they trade.
    fn orders(&self) -> Vec<Order> {
        let mut orders: Vec<(Order, u64)> = self.orders.values().copied().collect();
        orders.sort_by_key(|&(Order { side, price, .. }, entered)| {
            (side, if side == Side::Buy { -price } else { price }, entered)
        });
        orders.into_iter().map(|(order, _)| order).collect()
    }
}

/// The prices of a market as it stands.
pub fn prices(market: &Market, symbol: u16) -> Prices {
    let (oracle, observed_ns) = market.oracle(symbol);
    Prices { oracle, observed_ns, mark: market.mark(symbol) }
}

fn new_report(symbol: u16, cl_ord_id: u64, side: Option<Side>, leaves_qty: Qty) -> Report {
    Report {
        exec_type: ExecType::New,
        cl_ord_id,
        orig_cl_ord_id: 0,
        symbol,
        side,
        last_px: 0,
        last_qty: 0,
        leaves_qty,
        reason: 0,
        is_maker: false,
    }
}
