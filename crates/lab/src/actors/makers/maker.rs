//! One maker: its orders, and what it knows of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use surgetank_layer::message::{
    Body, NewOrderSingle, OrdType, OrderCancelReplaceRequest, OrderCancelRequest, Side, TimeInForce,
};
use surgetank_layer::units::{Ns, Price, Qty};

use super::ladder::Ladder;
use super::report::Report;

/// One order of a ladder. ClOrdIDs of a maker count up from 1.
#[derive(Clone, Copy, Default)]
struct Quote {
    cl_ord_id: u64,
    price: Price,
    qty: Qty,
    /// The maker believes that it rests.
    alive: bool,
}

/// One maker: its orders, and what it knows of them.
#[derive(Clone)]
pub struct Maker {
    /// Outside price at the last quote, in ticks; 0 = never quoted.
    pub centre: Price,
    /// Whether a decision is on its way.
    pub deciding: bool,
    /// Outside price on which it will decide, in ticks.
    pub seen: Price,
    /// Whether something became of its orders since the last quote.
    pub disturbed: bool,
    /// Whether it has stopped for good.
    pub broke: bool,
    next_id: u64,
    /// Buys, then sells.
    quotes: Vec<Quote>,
    /// Replaces that were sent: the ClOrdID of each, and of what it replaces.
    replaces: BTreeMap<u64, u64>,
    /// Cancels that were sent: the ClOrdID of each, and of what it cancels.
    cancels: BTreeMap<u64, u64>,
    /// Orders that the venue did not know yet when their end came; still on their way.
    overtaken: BTreeSet<u64>,
    /// Orders that may trade: sent, and not known to be gone. What each may buy (sell: below zero).
    open: BTreeMap<u64, Qty>,
    /// When its messages without an answer were sent.
    unanswered: VecDeque<Ns>,
    /// When it last sent.
    pub sent_ns: Ns,
    /// Signed position, as it was told.
    pub position: Qty,
    /// Equity less the position's value, in USD, as it was told.
    pub cash_usd: f64,
}

impl Maker {
    /// A maker that has not sent anything yet.
    pub fn new(levels: u32, capital_usd: f64) -> Maker {
        Maker {
            centre: 0,
            deciding: false,
            seen: 0,
            disturbed: false,
            broke: false,
            next_id: 0,
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

    /// Whether it believes that some order of its ladder rests.
    pub fn is_quoting(&self) -> bool {
        self.quotes.iter().any(|quote| quote.alive)
    }

    /// What was sent is taken for lost.
    pub fn forget(&mut self) {
        self.unanswered.clear();
        self.open.clear();
        self.cancels.clear();
        self.overtaken.clear();
    }

    /// It sends a message, or several at once.
    pub fn sends(&mut self, now: Ns) {
        self.sent_ns = now;
        self.unanswered.push_back(now);
    }

    /// What orders that its ladder no longer holds may still buy and sell: cancelled or replaced, but
    /// the venue has not said so yet.
    pub fn open_beside_quotes(&self) -> (Qty, Qty) {
        let quoted =
            |id: &u64| self.quotes.iter().any(|quote| quote.alive && quote.cl_ord_id == *id);
        let open = self.open.iter().filter(|(id, _)| !quoted(id)).map(|(_, &qty)| qty);
        open.fold((0, 0), |(buys, sells), qty| (buys + qty.max(0), sells - qty.min(0)))
    }

    fn cancel(&mut self, orig_cl_ord_id: u64) -> Body {
        self.next_id += 1;
        self.cancels.insert(self.next_id, orig_cl_ord_id);
        cancel(self.next_id, orig_cl_ord_id)
    }

    /// Cancels for orders that rest although the maker had asked for their end.
    fn ends_again(&mut self, report: &Report, bodies: &mut Vec<Body>) {
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

    /// Whether a message has been without an answer for too long.
    pub fn is_stale(&self, now: Ns, stale_ns: Ns) -> bool {
        stale_ns > 0 && self.unanswered.front().is_some_and(|&sent| now >= sent + stale_ns)
    }

    /// Cancels what should not stand, then places what is missing.
    pub fn bring_in_line(
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
            self.next_id += 1;
            let cl_ord_id = self.next_id;
            let buys = at < ladder.len() / 2;
            if quote.alive {
                self.replaces.insert(cl_ord_id, quote.cl_ord_id);
                bodies.push(replace(cl_ord_id, quote.cl_ord_id, price, qty));
            } else {
                let side = if buys { Side::Buy } else { Side::Sell };
                bodies.push(resting(cl_ord_id, side, post_only, price, qty));
            }
            self.quotes[at] = Quote { cl_ord_id, price, qty, alive: true };
            self.open.insert(cl_ord_id, if buys { qty } else { -qty });
        }
    }

    /// It learns what became of its orders in a block, and cancels what should have ended.
    pub fn learn(&mut self, report: &Report, bodies: &mut Vec<Body>) {
        (self.position, self.cash_usd) = (report.position, report.cash_usd);
        while self.unanswered.front().is_some_and(|&sent| sent <= report.answered_ns) {
            self.unanswered.pop_front();
        }
        self.ends_again(report, bodies);
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
}

fn cancel(cl_ord_id: u64, orig_cl_ord_id: u64) -> Body {
    Body::OrderCancelRequest(OrderCancelRequest { cl_ord_id, orig_cl_ord_id, symbol: 0 })
}

fn replace(cl_ord_id: u64, orig_cl_ord_id: u64, price: Price, order_qty: Qty) -> Body {
    Body::OrderCancelReplaceRequest(OrderCancelReplaceRequest {
        cl_ord_id,
        orig_cl_ord_id,
        symbol: 0,
        price,
        order_qty,
    })
}

fn resting(cl_ord_id: u64, side: Side, post_only: bool, price: Price, order_qty: Qty) -> Body {
    Body::NewOrderSingle(NewOrderSingle {
        cl_ord_id,
        symbol: 0,
        side,
        ord_type: OrdType::Limit,
        time_in_force: TimeInForce::GoodTillCancel,
        post_only,
        reduce_only: false,
        price,
        order_qty,
    })
}
