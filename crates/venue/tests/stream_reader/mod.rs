//! A reader of one stream: keeps a copy of the stream's state from snapshots and events, by the rules
//! of docs/venue-protocol.md only, and complains of holes.

use std::collections::BTreeMap;

use surgetank_layer::message::{ExecType, Side};
use surgetank_layer::units::{AccountId, Money, Price, Qty};
use surgetank_market::Market;
use surgetank_venue::event::{
    Event, Funding, Holding, Order, Position, PriceLevel, Prices, Report, Stamped, StreamKey,
};
use surgetank_venue::wire::{Gap, StreamState};

/// What a stream's events have led to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Copy {
    levels: BTreeMap<(Side, Price), Qty>,
    /// Orders of a price in the order in which they trade.
    queues: BTreeMap<(Side, Price), Vec<(u64, Qty)>>,
    open: BTreeMap<(u16, u64), (Option<Side>, Qty)>,
    held: BTreeMap<(AccountId, u16), Qty>,
    cash: Money,
    prices: Option<Prices>,
    funding: Option<Funding>,
}

#[derive(Clone, Debug)]
pub struct Reader {
    pub key: StreamKey,
    /// The last event that the copy contains; `None`: the copy is of no moment.
    pub at: Option<Position>,
    /// Events that came before a state.
    early: Vec<Stamped>,
    pub copy: Copy,
}

impl Reader {
    pub fn new(key: StreamKey) -> Reader {
        Reader { key, at: None, early: Vec::new(), copy: Copy::default() }
    }

    pub fn state(&mut self, state: &StreamState) {
        assert_eq!(state.key, self.key);
        self.copy = Copy::default();
        state.events.iter().for_each(|event| self.copy.apply(event));
        self.at = Some(state.last);
        for event in std::mem::take(&mut self.early) {
            self.hear(&event);
        }
    }

    /// An event of the stream, which continues what the reader has.
    pub fn hear(&mut self, stamped: &Stamped) {
        let Some(at) = &mut self.at else { return self.early.push(stamped.clone()) };
        assert_eq!(at.epoch, stamped.epoch);
        if stamped.number <= at.number {
            return;
        }
        assert!(stamped.previous <= at.number, "a hole: {stamped:?} after {at:?}");
        at.number = stamped.number;
        self.copy.apply(&stamped.event);
    }

    /// Events are missing: a state is needed.
    pub fn gap(&mut self, gap: &Gap) {
        assert!(gap.key == self.key && gap.from <= gap.to);
        self.at = None;
    }
}

impl Copy {
    fn apply(&mut self, event: &Event) {
        match event {
            Event::Levels(levels) => {
                for PriceLevel { side, price, qty } in levels {
                    self.levels.insert((*side, *price), *qty);
                }
                self.levels.retain(|_, qty| *qty > 0);
            }
            Event::Orders(orders) => {
                for Order { order, side, price, qty } in orders {
                    let queue = self.queues.entry((*side, *price)).or_default();
                    match queue.iter_mut().find(|(number, _)| number == order) {
                        Some((_, rests)) => *rests = *qty,
                        None => queue.push((*order, *qty)),
                    }
                    queue.retain(|(_, qty)| *qty > 0);
                }
                self.queues.retain(|_, queue| !queue.is_empty());
            }
            Event::Report(report) => self.report(report),
            Event::Position(Holding { account, symbol, qty }) => {
                self.held.insert((*account, *symbol), *qty);
                self.held.retain(|_, qty| *qty != 0);
            }
            Event::Cash(cash) => self.cash = cash.cash,
            Event::Prices(prices) => self.prices = Some(*prices),
            Event::Funding(funding) => self.funding = Some(*funding),
            _ => {}
        }
    }

    fn report(&mut self, report: &Report) {
        let Report { symbol, cl_ord_id, orig_cl_ord_id, side, leaves_qty, .. } = *report;
        match report.exec_type {
            ExecType::New | ExecType::Replaced => {
                self.open.remove(&(symbol, orig_cl_ord_id));
                self.open.insert((symbol, cl_ord_id), (side, leaves_qty));
            }
            ExecType::Trade => {
                self.open.entry((symbol, cl_ord_id)).and_modify(|open| open.1 = leaves_qty);
            }
            ExecType::Canceled => drop(self.open.remove(&(symbol, cl_ord_id))),
            _ => {}
        }
        self.open.retain(|_, (_, leaves)| *leaves > 0);
    }

    /// Quantities of the orders of each price, in their order.
    fn queued(&self) -> Vec<((Side, Price), Vec<Qty>)> {
        let qtys = |queue: &Vec<(u64, Qty)>| queue.iter().map(|(_, qty)| *qty).collect();
        self.queues.iter().map(|(at, queue)| (*at, qtys(queue))).collect()
    }

    /// Compares the copy with the market itself.
    pub fn check(&self, key: StreamKey, market: &Market) {
        let sides = [Side::Buy, Side::Sell];
        match key {
            StreamKey::Book(symbol) => {
                let truth = sides.iter().flat_map(|&side| {
                    let levels = market.book(symbol).levels(side);
                    levels.map(move |(price, qty)| ((side, price), qty))
                });
                assert_eq!(self.levels, truth.collect());
            }
            StreamKey::Orders(symbol) => {
                let mut truth: BTreeMap<(Side, Price), Vec<Qty>> = BTreeMap::new();
                for side in sides {
                    for order in market.book(symbol).queue(side) {
                        truth.entry((side, order.price)).or_default().push(order.qty);
                    }
                }
                assert_eq!(self.queued(), truth.into_iter().collect::<Vec<_>>());
            }
            StreamKey::Executions(account) => {
                let of = |symbol| {
                    let orders = market.open_orders(account, symbol);
                    orders.map(move |o| ((symbol, o.cl_ord_id), (Some(o.side), o.qty)))
                };
                assert_eq!(self.open, (0..market.symbols()).flat_map(of).collect());
            }
            StreamKey::Positions(account) => {
                assert_eq!(self.cash, market.cash(account), "cash of {account}");
                assert_eq!(self.held, held(market, account).collect());
            }
            StreamKey::PublicPositions(()) => {
                let all = market.accounts().flat_map(|account| held(market, account));
                assert_eq!(self.held, all.collect());
            }
            StreamKey::Prices(symbol) => {
                let (oracle, observed_ns) = market.oracle(symbol);
                let mark = market.mark(symbol);
                assert_eq!(self.prices, Some(Prices { oracle, observed_ns, mark }));
            }
            _ => {}
        }
    }
}

fn held(market: &Market, account: AccountId) -> impl Iterator<Item = ((AccountId, u16), Qty)> {
    let of = (0..market.symbols()).map(move |s| ((account, s), market.position(account, s)));
    of.filter(|(_, qty)| *qty != 0)
}
