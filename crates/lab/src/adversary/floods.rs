//! Floods: many messages that cost their sender little.

use surgetank_layer::machine::Draws;
use surgetank_layer::message::{Body, NewOrderSingle, Side, TimeInForce};
use surgetank_layer::units::{NodeId, Ns};

use super::means::{Means, send};
use crate::actors::{Action, Timer, View, size_and_price};
use crate::scenario::ms;

/// Messages at a rate, from one account or many.
pub struct Flood {
    rate_per_s: f64,
    /// How many accounts send, where they are drawn.
    accounts: Option<u32>,
    cancels: bool,
}

impl Flood {
    /// Post-only orders far from the market, from one account.
    pub fn orders(rate_per_s: f64) -> Flood {
        Flood { rate_per_s, accounts: None, cancels: false }
    }

    /// The same from many accounts.
    pub fn from_many(rate_per_s: f64, accounts: u32) -> Flood {
        Flood { rate_per_s, accounts: Some(accounts), cancels: false }
    }

    /// Cancels of orders that are not there.
    pub fn cancels(rate_per_s: f64) -> Flood {
        Flood { rate_per_s, accounts: None, cancels: true }
    }

    /// One message, and when the next comes.
    pub fn send(&self, now: Ns, means: &mut Means, view: &impl View, out: &mut Vec<Action>) {
        let gap = means.draws.exponential() / self.rate_per_s;
        let gateway = means.draws.below(u64::from(means.accounts.nodes)) as NodeId;
        let which = self.accounts.map_or(0, |count| means.draws.below(u64::from(count)) as u32);
        let body = if self.cancels {
            cancel_of_nothing(means)
        } else {
            // Far from the market: it costs the venue work and the sender nothing.
            let (order_qty, price) = size_and_price(view, 10.0, Side::Buy, 0.5);
            Body::NewOrderSingle(NewOrderSingle {
                time_in_force: TimeInForce::GoodTillCancel,
                post_only: true,
                ..means.taking(Side::Buy, price, order_qty)
            })
        };
        out.push(send(now, means.account(which), gateway, 0, body));
        let at = now + ms(gap * 1e3).max(1);
        if at < means.window.end {
            out.push(Action::Wake { at, timer: Timer::Attack });
        }
    }
}

fn cancel_of_nothing(means: &mut Means) -> Body {
    let mut body = means.cancel(0);
    if let Body::OrderCancelRequest(cancel) = &mut body {
        cancel.orig_cl_ord_id = u64::MAX - cancel.cl_ord_id;
    }
    body
}

/// Background traders stop, then many of them send at once.
pub struct Stampede {
    /// How long they wait.
    pub halt_ns: Ns,
    /// How many messages come together.
    pub messages: u32,
    /// Within how long.
    pub within_ns: Ns,
}

impl Stampede {
    /// The halt begins, or is over: then everybody sends.
    pub fn begin(&self, now: Ns, means: &mut Means, out: &mut Vec<Action>) {
        let over = means.window.start + self.halt_ns;
        if now < over {
            out.push(Action::Wake { at: over, timer: Timer::Attack });
            return;
        }
        for _ in 0..self.messages {
            let at = now + (means.draws.unit() * self.within_ns as f64) as Ns;
            if at < means.flow_end_ns {
                out.push(Action::Wake { at, timer: Timer::Herd });
            }
        }
    }
}
