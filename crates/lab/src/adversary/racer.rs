//! Trading against those who are slower: stale quotes are taken before their makers move them.

use surgetank_layer::message::{Body, Side};
use surgetank_layer::units::{NodeId, Ns, Price};

use super::means::{Means, send};
use crate::actors::{Action, View};
use crate::scenario;

/// Who takes stale quotes.
pub struct Racer {
    move_bp: f64,
    size_usd: f64,
    fee_micros: u32,
    /// The one node that orders, if there is one.
    leader: Option<NodeId>,
    /// Outside price at which it last acted; 0 = never.
    acted: Price,
}

impl Racer {
    /// One that has not acted yet. `leader` is the one node that orders, if there is one.
    pub fn new(config: &scenario::Racer, leader: Option<NodeId>) -> Racer {
        Racer {
            move_bp: config.move_bp,
            size_usd: config.size_usd,
            fee_micros: config.fee_micros,
            leader,
            acted: 0,
        }
    }

    /// The outside price has stepped: does it leave stale quotes behind?
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
        // Whatever is worse than the new price for its owner.
        let limit = outside.ticks - side.sign();
        let order = means.taking(side, limit, outside.lots(self.size_usd));
        let account = means.account(0);
        let gateway = self.leader.unwrap_or_else(|| means.accounts.gateway(account));
        out.push(send(now, account, gateway, self.fee_micros, Body::NewOrderSingle(order)));
    }
}
