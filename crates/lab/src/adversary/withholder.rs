//! Withheld reveals: of two commitments only the profitable one is revealed.

use std::collections::BTreeSet;

use surgetank_layer::machine::Draws;
use surgetank_layer::message::{Body, Message, Side};
use surgetank_layer::node::Unsealing;
use surgetank_layer::units::Ns;

use super::means::{Means, send};
use crate::actors::{Action, Timer, View};
use crate::scenario::ms;

/// An attacker that commits to a purchase and a sale, and reveals the profitable one.
pub struct Withholder {
    rate_per_s: f64,
    size_usd: f64,
    /// Whether commitments need not be revealed.
    allowed: bool,
    /// ClOrdIDs of the pairs' orders that are not in a block yet.
    committed: BTreeSet<u64>,
    withheld: u64,
}

impl Withholder {
    /// A withholder without commitments.
    pub fn new(rate_per_s: f64, size_usd: f64, unsealing: &Unsealing) -> Withholder {
        let (allowed, committed) = (unsealing.reveal_ns > 0, BTreeSet::new());
        Withholder { rate_per_s, size_usd, allowed, committed, withheld: 0 }
    }

    /// Number of commitments that it did not reveal.
    pub fn withheld(&self) -> u64 {
        self.withheld
    }

    /// Whether it has commitments that it may withhold.
    pub fn may_withhold(&self) -> bool {
        self.allowed && !self.committed.is_empty()
    }

    /// Two commitments at the outside price, of which at most one will be revealed.
    pub fn commit_both(
        &mut self,
        now: Ns,
        means: &mut Means,
        view: &impl View,
        out: &mut Vec<Action>,
    ) {
        let gap = means.draws.exponential() / self.rate_per_s;
        let at = now + ms(gap * 1e3);
        if at < means.window.end {
            out.push(Action::Wake { at, timer: Timer::Attack });
        }
        let Some(outside) = view.outside() else { return };
        // Near enough to the makers' quotes to trade, whichever way the price moves.
        let (ticks, reach) = (outside.ticks, outside.ticks / 1_000);
        let qty = outside.lots(self.size_usd);
        let sides = [(Side::Buy, ticks + reach), (Side::Sell, ticks - reach)];
        for (index, (side, limit)) in (0..).zip(sides) {
            let order = means.taking(side, limit, qty);
            self.committed.insert(order.cl_ord_id);
            let account = means.account(index);
            let gateway = means.accounts.gateway(account);
            out.push(send(now, account, gateway, 0, Body::NewOrderSingle(order)));
        }
        means.found += 1;
    }

    /// A block requests the reveal of its message: it is withheld unless the outside price has
    /// since moved in its favour.
    pub fn reveal(
        &mut self,
        message: &Message,
        means: &Means,
        view: &impl View,
        out: &mut Vec<Action>,
    ) {
        let Body::NewOrderSingle(order) = message.body else { return };
        let Some(outside) = view.outside() else { return };
        let own = means.accounts.attacking().contains(&message.account);
        if !own || !self.committed.remove(&order.cl_ord_id) {
            return;
        }
        let (bid, ask) = view.touch();
        let pays = match order.side {
            Side::Buy => ask.is_some_and(|ask| ask < outside.ticks),
            Side::Sell => bid.is_some_and(|bid| bid > outside.ticks),
        };
        if !pays {
            self.withheld += 1;
            out.push(Action::Withhold(message.id));
        }
    }
}
