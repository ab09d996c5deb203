//! Latency arbitrage: stale quotes are taken before their makers cancel them.

use surgetank_layer::message::{Body, Side};
use surgetank_layer::units::{NodeId, Ns, Price};

use super::means::{Means, send};
use crate::actors::{Action, View};
use crate::scenario;

/// An attacker that takes stale quotes.
pub struct Racer {
    move_bp: f64,
    size_usd: f64,
    fee_micros: u32,
    /// The node that orders, under a single sequencer.
    leader: Option<NodeId>,
    /// Outside price at which it last acted; 0 = never.
    acted: Price,
}

impl Racer {
    /// A racer in its initial state. `leader` is the node that orders, under a single sequencer.
    pub fn new(config: &scenario::RacerConfig, leader: Option<NodeId>) -> Racer {
        Racer {
            move_bp: config.move_bp,
            size_usd: config.size_usd,
            fee_micros: config.fee_micros,
            leader,
            acted: 0,
        }
    }

    /// The outside price has stepped: takes the quotes that are now stale.
    pub fn see(&mut self, now: Ns, means: &mut Means, view: &impl View, out: &mut Vec<Action>) {
        let Some(outside) = view.outside() else { return };
        let seen = std::mem::replace(&mut self.acted, outside.ticks);
        let moved_bp = (outside.ticks - seen) as f64 / seen.max(1) as f64 * 1e4;
        if seen == 0 || !means.window.contains(&now) {
            return;
        }
        if moved_bp.abs() < self.move_bp {
            self.acted = seen;
            return;
        }
        means.found += 1;
        let side = if moved_bp > 0.0 { Side::Buy } else { Side::Sell };
        // Quotes worse for their owner than the new price.
        let limit = outside.ticks - side.sign();
        let order = means.taking(side, limit, outside.lots(self.size_usd));
        let account = means.account(0);
        let gateway = self.leader.unwrap_or_else(|| means.accounts.gateway(account));
        out.push(send(now, account, gateway, self.fee_micros, Body::NewOrderSingle(order)));
    }
}
