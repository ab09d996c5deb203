//! One maker in one market: its orders, and its knowledge of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use surgetank_layer::message::{
    Body, NewOrderSingle, OrdType, OrderCancelReplaceRequest, OrderCancelRequest, Side, TimeInForce,
};
use surgetank_layer::units::{Ns, Price, Qty};

use super::ladder::Ladder;
use super::report::BlockReport;

/// One order of a ladder. ClOrdIDs of a maker count up from 1, of all its markets: market m of n has
/// m + 1, m + 1 + n, ….
#[derive(Clone, Copy, Default)]
struct Quote {
    cl_ord_id: u64,
    price: Price,
    qty: Qty,
    /// Whether the maker believes that it rests.
    alive: bool,
}

/// One maker in one market: its orders, and its knowledge of them.
#[derive(Clone)]
pub struct Maker {
    /// Outside price at the last quote, in ticks; 0 = never quoted.
    pub centre: Price,
    /// Whether a decision is pending.
    pub deciding: bool,
    /// Outside price on which it will decide, in ticks.
    pub seen: Price,
    /// Whether one of its orders traded or was refused since the last quote.
    pub disturbed: bool,
    market: u16,
    /// Number of markets in which the maker quotes.
    markets: u16,
    next_id: u64,
    /// Quotes by level, buys then sells.
    quotes: Vec<Quote>,
    /// Replaces that were sent: the ClOrdID of each, and of what it replaces.
    replaces: BTreeMap<u64, u64>,
    /// Cancels that were sent: the ClOrdID of each, and of what it cancels.
    cancels: BTreeMap<u64, u64>,
    /// Orders whose cancel or replace arrived before them; still in flight.
    overtaken: BTreeSet<u64>,
    /// Orders that may trade: sent, and not known to be closed. Open quantity, in lots; negative
    /// for sells.
    open: BTreeMap<u64, Qty>,
    /// Send times of its unanswered messages.
    unanswered: VecDeque<Ns>,
    /// Time at which it last sent.
    pub sent_ns: Ns,
    /// Signed position in lots, as last reported.
    pub position: Qty,
    /// Equity of its account less this position's value, in USD, as last reported.
    pub cash_usd: f64,
}

impl Maker {
    /// A maker in its initial state.
    pub fn new((market, markets): (u16, u16), levels: u32, capital_usd: f64) -> Maker {
        Maker {
            centre: 0,
            deciding: false,
            seen: 0,
            disturbed: false,
            market,
            markets,
            next_id: u64::from(market) + 1,
            quotes: vec![Quote::default(); 2 * levels as usize],
            replaces: BTreeMap::new(),
            cancels: BTreeMap::new(),
            overtaken: BTreeSet::new(),
            open: BTreeMap::new(),
            unanswered: VecDeque::new(),
            sent_ns: 0,
            position: 0,
            cash_usd: capital_usd,
        }
    }

    /// Whether it believes that an order of its ladder rests.
    pub fn is_quoting(&self) -> bool {
        self.quotes.iter().any(|quote| quote.alive)
    }

    /// Treats its unanswered messages as lost.
    pub fn forget(&mut self) {
        self.unanswered.clear();
        self.open.clear();
        self.cancels.clear();
        self.overtaken.clear();
    }

    /// Records that it sends a message, or several at once.
    pub fn sends(&mut self, now: Ns) {
        self.sent_ns = now;
        self.unanswered.push_back(now);
    }

    /// Quantity that orders outside its ladder may still buy and sell: those under cancellation or
    /// replacement, not yet confirmed.
    pub fn open_beside_quotes(&self) -> (Qty, Qty) {
        let quoted =
            |id: &u64| self.quotes.iter().any(|quote| quote.alive && quote.cl_ord_id == *id);
        let open = self.open.iter().filter(|(id, _)| !quoted(id)).map(|(_, &qty)| qty);
        open.fold((0, 0), |(buys, sells), qty| (buys + qty.max(0), sells - qty.min(0)))
    }

    fn take_id(&mut self) -> u64 {
        let next = self.next_id + u64::from(self.markets);
        std::mem::replace(&mut self.next_id, next)
    }

    fn cancel(&mut self, orig_cl_ord_id: u64) -> Body {
        let (cl_ord_id, symbol) = (self.take_id(), self.market);
        self.cancels.insert(cl_ord_id, orig_cl_ord_id);
        Body::OrderCancelRequest(OrderCancelRequest { cl_ord_id, orig_cl_ord_id, symbol })
    }

    /// Cancels orders that rest although the maker has requested their cancel.
    fn repeat_cancels(&mut self, report: &BlockReport, bodies: &mut Vec<Body>) {
        for &(cl_ord_id, old_rests) in &report.refused {
            let replaced = self.replaces.remove(&cl_ord_id);
            let Some(old) = replaced.or_else(|| self.cancels.remove(&cl_ord_id)) else { continue };
            if old_rests && replaced.is_some() {
                bodies.push(self.cancel(old));
            } else if !old_rests && self.open.contains_key(&old) {
                self.overtaken.insert(old);
            }
        }
        for gone in &report.gone {
            self.overtaken.remove(gone);
            self.cancels.retain(|_, orig| orig != gone);
        }
        for accepted in &report.accepted {
            if self.overtaken.remove(accepted) {
                bodies.push(self.cancel(*accepted));
            }
        }
    }

    /// Whether a message has been unanswered for too long.
    pub fn is_stale(&self, now: Ns, stale_ns: Ns) -> bool {
        stale_ns > 0 && self.unanswered.front().is_some_and(|&sent| now >= sent + stale_ns)
    }

    /// Cancels orders that are not in the ladder, then sends those that are missing.
    pub fn adjust(
        &mut self,
        ladder: &Ladder,
        replaces: bool,
        post_only: bool,
        bodies: &mut Vec<Body>,
    ) {
        for (at, &(price, qty)) in ladder.iter().enumerate() {
            let quote = self.quotes[at];
            let stands = (quote.price, quote.qty) == (price, qty);
            if quote.alive && !stands && !(replaces && qty > 0) {
                bodies.push(self.cancel(quote.cl_ord_id));
                self.quotes[at].alive = false;
            }
        }
        for (at, &(price, qty)) in ladder.iter().enumerate() {
            let quote = self.quotes[at];
            if qty == 0 || quote.alive && (quote.price, quote.qty) == (price, qty) {
                continue;
            }
            let cl_ord_id = self.take_id();
            let buys = at < ladder.len() / 2;
            if quote.alive {
                self.replaces.insert(cl_ord_id, quote.cl_ord_id);
                bodies.push(self.replace(cl_ord_id, quote.cl_ord_id, (price, qty)));
            } else {
                let side = if buys { Side::Buy } else { Side::Sell };
                bodies.push(self.resting(cl_ord_id, side, post_only, (price, qty)));
            }
            self.quotes[at] = Quote { cl_ord_id, price, qty, alive: true };
            self.open.insert(cl_ord_id, if buys { qty } else { -qty });
        }
    }

    /// Processes the report of its orders in a block, and repeats cancels that had no effect.
    pub fn learn(&mut self, report: &BlockReport, bodies: &mut Vec<Body>) {
        (self.position, self.cash_usd) = (report.position, report.cash_usd);
        while self.unanswered.front().is_some_and(|&sent| sent <= report.answered_ns) {
            self.unanswered.pop_front();
        }
        self.repeat_cancels(report, bodies);
        let refused = report.refused.iter().map(|(cl_ord_id, _)| cl_ord_id);
        for cl_ord_id in report.gone.iter().chain(refused) {
            self.open.remove(cl_ord_id);
            self.replaces.remove(cl_ord_id);
            for quote in self.quotes.iter_mut().filter(|quote| quote.alive) {
                if quote.cl_ord_id == *cl_ord_id {
                    (quote.alive, self.disturbed) = (false, true);
                }
            }
        }
    }

    fn replace(
        &self,
        cl_ord_id: u64,
        orig_cl_ord_id: u64,
        (price, order_qty): (Price, Qty),
    ) -> Body {
        Body::OrderCancelReplaceRequest(OrderCancelReplaceRequest {
            cl_ord_id,
            orig_cl_ord_id,
            symbol: self.market,
            price,
            order_qty,
        })
    }

    fn resting(
        &self,
        cl_ord_id: u64,
        side: Side,
        post_only: bool,
        (price, order_qty): (Price, Qty),
    ) -> Body {
        Body::NewOrderSingle(NewOrderSingle {
            cl_ord_id,
            symbol: self.market,
            side,
            ord_type: OrdType::Limit,
            time_in_force: TimeInForce::GoodTillCancel,
            post_only,
            reduce_only: false,
            price,
            order_qty,
        })
    }
}
