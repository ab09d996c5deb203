//! Floods: many messages at little cost to their sender.

use serde::Deserialize;
use surgetank_layer::machine::Draws;
use surgetank_layer::message::{Body, NewOrderSingle, Side, TimeInForce};
use surgetank_layer::units::{NodeId, Ns};

use super::means::{Means, send};
use super::{Attack, AttackRequest};
use crate::actors::{Action, ActorEvent, Timer, View, size_and_price};
use crate::scenario::ms;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    /// Rate of the Poisson process of messages, per second.
    rate_per_s: f64,
}

/// Messages at a given rate.
struct Flood {
    rate_per_s: f64,
    /// Whether each message is from an account that is drawn.
    from_many: bool,
    /// Whether it sends cancels.
    cancels: bool,
}

/// Post-only orders far from the market, from one account.
pub(super) fn spam(asked: &AttackRequest<'_>) -> Result<Box<dyn Attack>, String> {
    let Keys { rate_per_s } = asked.keys()?;
    Ok(Box::new(Flood { rate_per_s, from_many: false, cancels: false }))
}

/// The same from many accounts.
pub(super) fn sybil(asked: &AttackRequest<'_>) -> Result<Box<dyn Attack>, String> {
    let Keys { rate_per_s } = asked.keys()?;
    Ok(Box::new(Flood { rate_per_s, from_many: true, cancels: false }))
}

/// Cancels of orders that do not exist, from one account.
pub(super) fn cancel_storm(asked: &AttackRequest<'_>) -> Result<Box<dyn Attack>, String> {
    let Keys { rate_per_s } = asked.keys()?;
    Ok(Box::new(Flood { rate_per_s, from_many: false, cancels: true }))
}

impl Attack for Flood {
    /// Sends one message and sets the timer of the next.
    fn step(
        &mut self,
        now: Ns,
        event: ActorEvent<'_>,
        means: &mut Means,
        view: &dyn View,
        out: &mut Vec<Action>,
    ) {
        let ActorEvent::Timer(Timer::Attack) = event else { return };
        let gap = means.draws.exponential() / self.rate_per_s;
        let gateway = means.draws.below(u64::from(means.accounts.nodes)) as NodeId;
        let accounts = u64::from(means.accounts.attackers);
        let which = if self.from_many { means.draws.below(accounts) as u32 } else { 0 };
        let body = if self.cancels {
            cancel_of_nothing(means)
        } else {
            // Far from the market: it costs the venue work and never trades.
            let (order_qty, price) = size_and_price(view, 0, 10.0, Side::Buy, 0.5);
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
