//! Background traders: messages of the arrival process or a tape, and of the panicking and
//! stampeding traders among them.

use std::ops::Range;

use surgetank_layer::machine::{Draws, exponential};
use surgetank_layer::message::{
    Body, NewOrderSingle, OrdType, OrderCancelReplaceRequest, OrderCancelRequest, Side, TimeInForce,
};
use surgetank_layer::units::{AccountId, Ns, Price, Qty};

use super::panic::Panic;
use super::tape::Replay;
use super::{Accounts, Action, ActorEvent, Sending, Timer, View, size_and_price};
use crate::flow::{ArrivalProcess, Tape};
use crate::scenario::Scenario;
use crate::seed::{Seed, Stream};
use crate::trace::Source;

/// Number of recent orders from which cancels and replaces choose.
const RECENT: usize = 4096;

/// A sent order, as its sender knows it.
#[derive(Clone, Copy)]
struct Sent {
    account: AccountId,
    market: u16,
    cl_ord_id: u64,
    side: Side,
    qty: Qty,
}

/// Distribution of background messages.
struct Mix {
    /// Weights of limit, post-only, market and IOC orders, cancels and replaces.
    weights: [f64; 6],
    order_usd: f64,
    distance_bp: f64,
}

/// All background traders.
pub struct Background {
    accounts: Accounts,
    mix: Mix,
    flow_end_ns: Ns,
    /// Time of the halt, in which they send nothing.
    halt: Range<Ns>,
    arrivals: ArrivalProcess,
    arrival_draws: Stream,
    draws: Stream,
    /// Shares of the markets in the messages, which do not sum to one.
    weights: Vec<f64>,
    market_draws: Stream,
    recent: Vec<Sent>,
    cl_ord_id: u64,
    sent: u64,
    replay: Option<Replay>,
    panic: Panic,
}

impl Background {
    pub(super) fn new(
        scenario: &Scenario,
        accounts: Accounts,
        tape: Option<Tape>,
        seed: &Seed,
    ) -> Background {
        let flow = &scenario.flow;
        let mix = &flow.mix;
        let replayed = tape.filter(|tape| flow.replay_messages && !tape.messages_ns.is_empty());
        Background {
            accounts,
            mix: Mix {
                weights: [mix.limit, mix.post_only, mix.market, mix.ioc, mix.cancel, mix.replace],
                order_usd: mix.order_usd,
                distance_bp: mix.distance_bp,
            },
            flow_end_ns: scenario.flow_end_ns(),
            halt: 0..0,
            arrivals: ArrivalProcess::new(&flow.arrivals, &flow.profile),
            arrival_draws: seed.stream("flow.arrivals", 0),
            draws: seed.stream("flow.background", 0),
            weights: scenario.market.as_ref().map_or_else(
                || vec![1.0],
                |market| market.terms().map(|terms| terms.weight).collect(),
            ),
            market_draws: seed.stream("flow.markets", 0),
            recent: Vec::new(),
            cl_ord_id: 0,
            sent: 0,
            replay: replayed.map(Replay::new),
            panic: Panic::new(scenario, seed),
        }
    }

    /// Number of messages of the arrival process so far.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Integral of the mean arrival rate until then.
    pub fn expected(&self, until: Ns) -> f64 {
        self.arrivals.expected(0, until)
    }

    /// Sends nothing of its own in this span. Orders of a herd are sent.
    pub fn halt(&mut self, span: Range<Ns>) {
        self.halt = span;
    }

    /// Sets the timer of the first message.
    pub fn start(&mut self, now: Ns, out: &mut Vec<Action>) {
        match &self.replay {
            Some(replay) => {
                let first = replay.next_ns().map(|at| Action::Wake { at, timer: Timer::Replay });
                out.extend(first);
            }
            None => self.next(now, out),
        }
    }

    /// Processes a timer, or a step of the outside price, at which some traders panic.
    #[inline]
    pub fn step(
        &mut self,
        now: Ns,
        event: ActorEvent<'_>,
        view: &impl View,
        out: &mut Vec<Action>,
    ) {
        match event {
            ActorEvent::Timer(Timer::Background) => self.arrival(now, view, out),
            ActorEvent::Timer(Timer::Replay) => self.replay(now, view, out),
            ActorEvent::Timer(Timer::Herd) => self.herd(now, view, out),
            ActorEvent::Timer(Timer::Panic { market }) => self.panic(now, market, view, out),
            ActorEvent::Index { next_ns } => self.panic.spread(now, next_ns, view, out),
            _ => {}
        }
    }

    /// Sets the timer of the next arrival.
    fn next(&mut self, now: Ns, out: &mut Vec<Action>) {
        let next = self.arrivals.next(now, &mut self.arrival_draws);
        if let Some(at) = next.filter(|&at| at < self.flow_end_ns) {
            out.push(Action::Wake { at, timer: Timer::Background });
        }
    }

    fn send(&self, now: Ns, account: AccountId, source: Source, body: Body) -> Action {
        let gateway = self.accounts.gateway(account);
        Action::Send(Sending { sent_ns: now, account, gateway, source, body, fee_micros: None })
    }

    /// A message of the arrival process.
    fn arrival(&mut self, now: Ns, view: &impl View, out: &mut Vec<Action>) {
        let (account, body) = self.message(view);
        self.sent += 1;
        if !self.halt.contains(&now) {
            out.push(self.send(now, account, Source::Background, body));
        }
        self.next(now, out);
    }

    /// A trader of a stampede sends a message drawn as any background message.
    fn herd(&mut self, now: Ns, view: &impl View, out: &mut Vec<Action>) {
        let (account, body) = self.message(view);
        out.push(self.send(now, account, Source::Panic, body));
    }

    /// Sends the next recorded message.
    fn replay(&mut self, now: Ns, view: &impl View, out: &mut Vec<Action>) {
        let cl_ord_id = self.next_id();
        let Some(replay) = &mut self.replay else { return };
        let (key, body) = replay.message(now, cl_ord_id, view);
        let next = replay.next_ns();
        let count = u64::from(self.accounts.background.max(1));
        let account = self.accounts.background_from() + (key % count) as u32;
        self.sent += 1;
        out.push(self.send(now, account, Source::Tape, body));
        if let Some(at) = next.filter(|&at| at < self.flow_end_ns) {
            out.push(Action::Wake { at: at.max(now), timer: Timer::Replay });
        }
    }

    /// Sends the message of a trader who panics in a market.
    fn panic(&mut self, now: Ns, market: u16, view: &impl View, out: &mut Vec<Action>) {
        let cl_ord_id = self.next_id();
        let whose = (self.accounts.background_from(), self.accounts.background);
        let (account, body) = self.panic.message(whose, market, cl_ord_id, view);
        out.push(self.send(now, account, Source::Panic, body));
    }

    fn next_id(&mut self) -> u64 {
        self.cl_ord_id += 1;
        self.cl_ord_id
    }

    fn remember(&mut self, sent: Sent) {
        if self.recent.len() == RECENT {
            let slot = self.draws.below(RECENT as u64) as usize;
            self.recent[slot] = sent;
        } else {
            self.recent.push(sent);
        }
    }

    /// The market of the next message.
    fn market(&mut self) -> u16 {
        match self.weights.len() {
            1 => 0,
            _ => weighted(&self.weights, self.market_draws.unit()) as u16,
        }
    }

    /// A background message. The number of draws does not depend on its kind.
    fn message(&mut self, view: &impl View) -> (AccountId, Body) {
        let market = self.market();
        let pick = self.draws.below(u64::from(self.accounts.background.max(1)));
        let account = self.accounts.background_from() + pick as AccountId;
        let draws = &mut self.draws;
        let kind = weighted(&self.mix.weights, draws.unit());
        let side = if draws.unit() < 0.5 { Side::Buy } else { Side::Sell };
        let (size, distance, which) = (draws.unit(), draws.unit(), draws.unit());
        // Without a market, size and price are not needed.
        let (size, distance) = match view.outside(market) {
            Some(_) => (exponential(size), exponential(distance) * self.mix.distance_bp / 1e4),
            None => (0.0, 0.0),
        };
        let (qty, price) = size_and_price(view, market, size * self.mix.order_usd, side, distance);
        let cl_ord_id = self.next_id();
        let known = self.recent.len();
        if kind >= 4 && known > 0 {
            let index = (which * known as f64) as usize;
            return self.change(kind == 4, index, cl_ord_id, |old: &Sent| {
                view.outside(old.market).map_or(1, |outside| outside.beside(old.side, distance))
            });
        }
        // A cancel or replace before any order is a limit order.
        let kind = if kind >= 4 { 0 } else { kind };
        if kind <= 1 {
            self.remember(Sent { account, market, cl_ord_id, side, qty });
        }
        let body = match kind {
            2 => market_order(market, cl_ord_id, side, price, qty),
            _ => Body::NewOrderSingle(NewOrderSingle {
                cl_ord_id,
                symbol: market,
                side,
                ord_type: OrdType::Limit,
                time_in_force: if kind == 3 {
                    TimeInForce::ImmediateOrCancel
                } else {
                    TimeInForce::GoodTillCancel
                },
                post_only: kind == 1,
                reduce_only: false,
                // An IOC reaches across the spread.
                price: if kind == 3 {
                    price + 2 * side.sign() * offset(view, market, distance)
                } else {
                    price
                },
                order_qty: qty,
            }),
        };
        (account, body)
    }

    /// A cancel or a replace of an earlier order; a replace moves it to a new price of its side.
    fn change(
        &mut self,
        cancels: bool,
        index: usize,
        cl_ord_id: u64,
        price: impl Fn(&Sent) -> Price,
    ) -> (AccountId, Body) {
        let old = self.recent[index];
        let orig_cl_ord_id = old.cl_ord_id;
        if cancels {
            self.recent.swap_remove(index);
            let cancel = OrderCancelRequest { cl_ord_id, orig_cl_ord_id, symbol: old.market };
            return (old.account, Body::OrderCancelRequest(cancel));
        }
        self.recent[index] = Sent { cl_ord_id, ..old };
        let replace = OrderCancelReplaceRequest {
            cl_ord_id,
            orig_cl_ord_id,
            symbol: old.market,
            price: price(&old),
            order_qty: old.qty,
        };
        (old.account, Body::OrderCancelReplaceRequest(replace))
    }
}

/// A market order.
pub(super) fn market_order(
    symbol: u16,
    cl_ord_id: u64,
    side: Side,
    price: Price,
    order_qty: Qty,
) -> Body {
    Body::NewOrderSingle(NewOrderSingle {
        cl_ord_id,
        symbol,
        side,
        ord_type: OrdType::Market,
        time_in_force: TimeInForce::ImmediateOrCancel,
        post_only: false,
        reduce_only: false,
        price,
        order_qty,
    })
}

fn offset(view: &impl View, market: u16, distance: f64) -> Price {
    view.outside(market).map_or(0, |outside| outside.offset(distance))
}

/// Index drawn with these weights by a uniform `unit`.
pub(crate) fn weighted(weights: &[f64], unit: f64) -> usize {
    let mut left = unit * weights.iter().sum::<f64>();
    for (index, weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return index;
        }
    }
    0
}
