//! Floods: many messages at little cost to their sender.

use surgetank_layer::machine::Draws;
use surgetank_layer::message::{Body, NewOrderSingle, Side, TimeInForce};
use surgetank_layer::units::{NodeId, Ns};

use super::means::{Means, send};
use crate::actors::{Action, Timer, View, size_and_price};
use crate::scenario::ms;

/// Messages at a given rate, from one account or many.
pub struct Flood {
    rate_per_s: f64,
    /// Number of accounts, one of which is drawn per message; `None` = one account.
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

    /// Cancels of orders that do not exist.
    pub fn cancels(rate_per_s: f64) -> Flood {
        Flood { rate_per_s, accounts: None, cancels: true }
    }

    /// Sends one message and sets the timer of the next.
    pub fn send(&self, now: Ns, means: &mut Means, view: &impl View, out: &mut Vec<Action>) {
        let gap = means.draws.exponential() / self.rate_per_s;
        let gateway = means.draws.below(u64::from(means.accounts.nodes)) as NodeId;
        let which = self.accounts.map_or(0, |count| means.draws.below(u64::from(count)) as u32);
        let body = if self.cancels {
            cancel_of_nothing(means)
        } else {
            // Far from the market: it costs the venue work and never trades.
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

/// Background traders stop, then many of them send at once, as after an outage.
pub struct Stampede {
    /// Duration of the halt, in ns.
    pub halt_ns: Ns,
    /// Number of messages sent after the halt.
    pub messages: u32,
    /// Span in which they are sent, in ns.
    pub within_ns: Ns,
}

impl Stampede {
    /// The halt begins, or is over, upon which the messages are sent.
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
