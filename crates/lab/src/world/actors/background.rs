//! Messages that come by themselves: the arrival process, the tape, oracles, panic, spam.

use std::collections::BTreeMap;

use surgetank_layer::machine::Draws;
use surgetank_layer::message::{
    Body, NewOrderSingle, OrdType, OrderCancelReplaceRequest, OrderCancelRequest, PriceUpdate,
    Side, TimeInForce,
};
use surgetank_layer::units::{AccountId, Ns, Price, Qty, SECOND};

use crate::flow::{ArrivalProcess, Tape};
use crate::scenario::ms;
use crate::seed::{Seed, Stream};
use crate::trace::Source;
use crate::world::actors::Wake;
use crate::world::{Event, World};

/// Orders that a cancel or a replace may still find.
const RECENT: usize = 4096;

/// An order that was sent, as its sender remembers it.
#[derive(Clone, Copy)]
struct Sent {
    account: AccountId,
    cl_ord_id: u64,
    side: Side,
    qty: Qty,
}

/// Background traders and the tape.
pub struct Background {
    arrivals: ArrivalProcess,
    arrival_draws: Stream,
    draws: Stream,
    recent: Vec<Sent>,
    cl_ord_id: u64,
    /// How many were sent.
    pub sent: u64,
    tape: Option<Tape>,
    tape_next: usize,
    tape_orders: BTreeMap<u64, u64>,
}

impl Background {
    pub(super) fn new(arrivals: ArrivalProcess, tape: Option<Tape>, seed: &Seed) -> Background {
        Background {
            arrivals,
            arrival_draws: seed.stream("flow.arrivals", 0),
            draws: seed.stream("flow.background", 0),
            recent: Vec::new(),
            cl_ord_id: 0,
            sent: 0,
            tape,
            tape_next: 0,
            tape_orders: BTreeMap::new(),
        }
    }

    /// ∫ of the mean arrival rate over the run.
    pub fn expected(&self, until: Ns) -> f64 {
        self.arrivals.expected(0, until)
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
}

impl World {
    /// Puts the next background arrival on the agenda.
    pub(in crate::world) fn next_background(&mut self) {
        let background = &mut self.actors.background;
        let next = background.arrivals.next(self.now, &mut background.arrival_draws);
        if let Some(at) = next.filter(|&at| self.flows(at)) {
            self.agenda.push(at, Event::Background);
        }
    }

    pub(in crate::world) fn background(&mut self) {
        let (account, body) = self.background_order();
        self.actors.background.sent += 1;
        if !self.halted() {
            self.send(self.now, account, self.gateway_of(account), Source::Background, body);
        }
        self.next_background();
    }

    /// What some background trader sends.
    pub(in crate::world) fn background_order(&mut self) -> (AccountId, Body) {
        let accounts = self.actors.accounts;
        let pick = self.actors.background.draws.below(u64::from(accounts.background.max(1)));
        let account = accounts.background_from() + pick as AccountId;
        self.background_body(account)
    }

    /// What a background trader sends. The number of draws does not depend on what they are.
    fn background_body(&mut self, account: AccountId) -> (AccountId, Body) {
        let mix = self.scenario.flow.mix.clone();
        let draws = &mut self.actors.background.draws;
        let weights = [mix.limit, mix.post_only, mix.market, mix.ioc, mix.cancel, mix.replace];
        let kind = pick(&weights, draws.unit());
        let side = if draws.unit() < 0.5 { Side::Buy } else { Side::Sell };
        let size = draws.exponential();
        let distance = draws.exponential() * mix.distance_bp / 1e4;
        let which = draws.unit();
        let (qty, price) = self.size_and_price(size * mix.order_usd, side, distance);
        let background = &mut self.actors.background;
        let cl_ord_id = background.next_id();
        let known = background.recent.len();
        if kind >= 4 && known > 0 {
            let index = (which * known as f64) as usize;
            let old = background.recent[index];
            let orig_cl_ord_id = old.cl_ord_id;
            if kind == 4 {
                background.recent.swap_remove(index);
                let cancel = OrderCancelRequest { cl_ord_id, orig_cl_ord_id, symbol: 0 };
                return (old.account, Body::OrderCancelRequest(cancel));
            }
            let (price, order_qty) = self.shifted(old.side, distance, old.qty);
            let background = &mut self.actors.background;
            background.recent[index] = Sent { cl_ord_id, ..old };
            let replace = OrderCancelReplaceRequest {
                cl_ord_id,
                orig_cl_ord_id,
                symbol: 0,
                price,
                order_qty,
            };
            return (old.account, Body::OrderCancelReplaceRequest(replace));
        }
        // A cancel or replace before any order is a limit order.
        let kind = if kind >= 4 { 0 } else { kind };
        if kind <= 1 {
            background.remember(Sent { account, cl_ord_id, side, qty });
        }
        let ioc = kind == 3;
        let order = NewOrderSingle {
            cl_ord_id,
            symbol: 0,
            side,
            ord_type: if kind == 2 { OrdType::Market } else { OrdType::Limit },
            time_in_force: if kind >= 2 {
                TimeInForce::ImmediateOrCancel
            } else {
                TimeInForce::GoodTillCancel
            },
            post_only: kind == 1,
            reduce_only: false,
            // An IOC reaches across the spread.
            price: if ioc { price + 2 * side.sign() * self.offset(distance) } else { price },
            order_qty: qty,
        };
        (account, Body::NewOrderSingle(order))
    }

    fn offset(&self, distance: f64) -> Price {
        let market = self.exchange.as_ref();
        market.map_or(0, |exchange| (exchange.outside_ticks() as f64 * distance) as Price)
    }

    fn shifted(&self, side: Side, distance: f64, qty: Qty) -> (Price, Qty) {
        let middle = self.exchange.as_ref().map_or(1, |exchange| exchange.outside_ticks());
        ((middle - side.sign() * self.offset(distance)).max(1), qty)
    }

    /// Lots for a notional, and a limit price on the passive side of the outside price.
    pub(in crate::world) fn size_and_price(
        &self,
        usd: f64,
        side: Side,
        distance: f64,
    ) -> (Qty, Price) {
        let Some(exchange) = &self.exchange else { return (1, 1) };
        let middle = exchange.outside_ticks();
        let lots = (usd / (middle as f64 * exchange.quantum_usd())).round() as Qty;
        (lots.max(1), (middle - side.sign() * self.offset(distance)).max(1))
    }

    /// The next oracle in turn sends the price that it saw.
    pub(super) fn oracle(&mut self) {
        let config = self.scenario.flow.oracle.clone();
        let interval = ms(config.interval_ms).max(1);
        if self.flows(self.now + interval) {
            self.agenda.push(self.now + interval, Event::Actor(Wake::Oracle));
        }
        let turn = self.actors.oracle_turn;
        self.actors.oracle_turn = (turn + 1) % config.count;
        let account = self.actors.accounts.oracles_from() + turn;
        let price = self.exchange.as_ref().map_or(0, |exchange| exchange.outside_ticks());
        let observed_ns = self.now;
        let body = Body::PriceUpdate(PriceUpdate { symbol: 0, price, observed_ns });
        let sent = self.now + ms(config.observation_ms);
        self.send(sent, account, self.gateway_of(account), Source::Oracle, body);
    }

    /// The outside price has stepped: some traders panic before the next step.
    pub(in crate::world) fn spread_panic(&mut self, step_ns: Ns) {
        let config = &self.scenario.flow.panic;
        let window = (config.window_s * SECOND as f64) as Ns;
        let rate = config.rate_per_s_per_pct;
        let Some(exchange) = &self.exchange else { return };
        if rate <= 0.0 {
            return;
        }
        let mean = rate * exchange.move_pct(window).abs() * step_ns as f64 / SECOND as f64;
        // Exponential gaps inside the step: a Poisson process of the step's rate.
        let mut at = 0.0;
        loop {
            at += self.actors.panic_draws.exponential() / mean.max(1e-12);
            if at >= 1.0 {
                return;
            }
            let when = self.now + (at * step_ns as f64) as Ns;
            if self.flows(when) {
                self.agenda.push(when, Event::Actor(Wake::Panic));
            }
        }
    }

    /// A panicking trader: half sell out (or buy back) at market, half pull an order.
    pub(super) fn panic(&mut self) {
        let accounts = self.actors.accounts;
        let draws = &mut self.actors.panic_draws;
        let account =
            accounts.background_from() + draws.below(u64::from(accounts.background.max(1))) as u32;
        let (sells, size) = (draws.unit() < 0.5, draws.exponential());
        let falling = self.exchange.as_ref().is_some_and(|e| e.move_pct(5 * SECOND) < 0.0);
        let side = if falling { Side::Sell } else { Side::Buy };
        let (order_qty, price) =
            self.size_and_price(size * self.scenario.flow.mix.order_usd, side, 0.0);
        let cl_ord_id = self.actors.background.next_id();
        let body = if sells {
            Body::NewOrderSingle(NewOrderSingle {
                cl_ord_id,
                symbol: 0,
                side,
                ord_type: OrdType::Market,
                time_in_force: TimeInForce::ImmediateOrCancel,
                post_only: false,
                reduce_only: false,
                price,
                order_qty,
            })
        } else {
            let orig_cl_ord_id = cl_ord_id.saturating_sub(1);
            Body::OrderCancelRequest(OrderCancelRequest { cl_ord_id, orig_cl_ord_id, symbol: 0 })
        };
        self.send(self.now, account, self.gateway_of(account), Source::Panic, body);
    }

    /// One message of the next recorded ones.
    pub(in crate::world) fn replay(&mut self) {
        let background = &mut self.actors.background;
        let Some(tape) = &background.tape else { return };
        let i = background.tape_next;
        background.tape_next += 1;
        let next = tape.messages_ns.get(i + 1).copied();
        let (class, side) = (tape.messages_class[i], tape.messages_side[i]);
        let (usd, coins, key) = (tape.messages_usd[i], tape.messages_qty[i], tape.messages_key[i]);
        let cl_ord_id = background.next_id();
        let old = if class == 2 {
            background.tape_orders.remove(&key)
        } else {
            background.tape_orders.insert(key, cl_ord_id)
        };
        let accounts = self.actors.accounts;
        let account =
            accounts.background_from() + (key % u64::from(accounts.background.max(1))) as u32;
        let (price, order_qty) = match &self.exchange {
            Some(exchange) => exchange.ticks_and_lots(usd, coins),
            None => (1, 1),
        };
        let orig_cl_ord_id = old.unwrap_or(0);
        let body = match class {
            2 => Body::OrderCancelRequest(OrderCancelRequest {
                cl_ord_id,
                orig_cl_ord_id,
                symbol: 0,
            }),
            3 if old.is_some() => Body::OrderCancelReplaceRequest(OrderCancelReplaceRequest {
                cl_ord_id,
                orig_cl_ord_id,
                symbol: 0,
                price,
                order_qty,
            }),
            0 => Body::PriceUpdate(PriceUpdate { symbol: 0, price, observed_ns: self.now }),
            _ => Body::NewOrderSingle(NewOrderSingle {
                cl_ord_id,
                symbol: 0,
                side: if side == 2 { Side::Sell } else { Side::Buy },
                ord_type: if key == 0 { OrdType::Market } else { OrdType::Limit },
                time_in_force: if key == 0 {
                    TimeInForce::ImmediateOrCancel
                } else {
                    TimeInForce::GoodTillCancel
                },
                post_only: false,
                reduce_only: false,
                price,
                order_qty,
            }),
        };
        self.actors.background.sent += 1;
        self.send(self.now, account, self.gateway_of(account), Source::Tape, body);
        if let Some(at) = next.filter(|&at| self.flows(at)) {
            self.agenda.push(at.max(self.now), Event::Replay);
        }
    }
}

/// Index drawn with these weights by a uniform `unit`.
fn pick(weights: &[f64], unit: f64) -> usize {
    let mut left = unit * weights.iter().sum::<f64>();
    for (index, weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return index;
        }
    }
    0
}
