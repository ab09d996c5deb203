//! Latency arbitrage: stale quotes are taken before their makers cancel them.

use serde::Deserialize;
use surgetank_layer::message::{Body, Side};
use surgetank_layer::units::{NodeId, Ns, Price};

use super::means::{Means, send};
use super::{Attack, AttackRequest};
use crate::actors::{Action, ActorEvent, Timer, View, bid_for_next};
use crate::scenario::ms;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    /// Acts when the outside price has moved by this much since it last acted.
    move_bp: f64,
    /// Size of each trade, in USD.
    size_usd: f64,
    /// Its own client link, one way.
    link_ms: f64,
    /// Fee that it offers, in millionths of a USD.
    fee_micros: u32,
    /// Value of a round of the express lane to it, in USD; 0 = it does not bid.
    lane_usd: f64,
}

/// An attacker that takes stale quotes.
struct Racer {
    keys: Keys,
    /// The node that orders, under a single sequencer.
    leader: Option<NodeId>,
    /// Length of a round of the express lane, in ns.
    round_ns: Ns,
    /// Outside price at which it last acted; 0 = never.
    acted: Price,
}

pub(super) fn build(asked: &AttackRequest<'_>) -> Result<Box<dyn Attack>, String> {
    let (leader, round_ns) = (asked.leader, asked.round_ns);
    Ok(Box::new(Racer { keys: asked.keys()?, leader, round_ns, acted: 0 }))
}

impl Racer {
    /// The outside price has stepped: takes the quotes that are now stale.
    fn see(&mut self, now: Ns, means: &mut Means, view: &dyn View, out: &mut Vec<Action>) {
        let Some(outside) = view.outside(0) else { return };
        let seen = std::mem::replace(&mut self.acted, outside.ticks);
        let moved_bp = (outside.ticks - seen) as f64 / seen.max(1) as f64 * 1e4;
        if seen == 0 || !means.window.contains(&now) {
            return;
        }
        if moved_bp.abs() < self.keys.move_bp {
            self.acted = seen;
            return;
        }
        means.found += 1;
        let side = if moved_bp > 0.0 { Side::Buy } else { Side::Sell };
        // Quotes worse for their owner than the new price.
        let limit = outside.ticks - side.sign();
        let order = means.taking(side, limit, outside.lots(self.keys.size_usd));
        let account = means.account(0);
        let gateway = self.leader.unwrap_or_else(|| means.accounts.gateway(account));
        out.push(send(now, account, gateway, self.keys.fee_micros, Body::NewOrderSingle(order)));
    }
}

impl Attack for Racer {
    fn step(
        &mut self,
        now: Ns,
        event: ActorEvent<'_>,
        means: &mut Means,
        view: &dyn View,
        out: &mut Vec<Action>,
    ) {
        match event {
            ActorEvent::Index { .. } => self.see(now, means, view, out),
            ActorEvent::Timer(Timer::Auction) => {
                out.extend(bid_for_next(now, self.round_ns, means.account(0), self.keys.lane_usd));
            }
            _ => {}
        }
    }

    fn needs(&self) -> Option<&'static str> {
        (self.keys.fee_micros > 0).then_some("a queue that is ordered by fees")
    }

    fn link_ns(&self) -> Option<Ns> {
        Some(ms(self.keys.link_ms))
    }
}
