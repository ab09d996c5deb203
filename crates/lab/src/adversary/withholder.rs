//! Withheld reveals: of two commitments only the profitable one is revealed.

use std::collections::BTreeSet;

use serde::Deserialize;
use surgetank_layer::machine::Draws;
use surgetank_layer::message::{Body, Message, Side};
use surgetank_layer::units::Ns;

use super::means::{Means, send};
use super::{Attack, AttackRequest};
use crate::actors::{Action, ActorEvent, Timer, View};
use crate::scenario::ms;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    /// Rate of the Poisson process of pairs, per second.
    rate_per_s: f64,
    /// Size of each order, in USD.
    size_usd: f64,
}

/// An attacker that commits to a purchase and a sale, and reveals the profitable one.
struct Withholder {
    keys: Keys,
    /// Whether commitments need not be revealed.
    allowed: bool,
    /// ClOrdIDs of the pairs' orders that are not in a block yet.
    committed: BTreeSet<u64>,
}

pub(super) fn build(asked: &AttackRequest<'_>) -> Result<Box<dyn Attack>, String> {
    let (allowed, committed) = (asked.unsealing.reveal_ns > 0, BTreeSet::new());
    Ok(Box::new(Withholder { keys: asked.keys()?, allowed, committed }))
}

impl Withholder {
    /// Two commitments at the outside price, of which at most one will be revealed.
    fn commit_both(&mut self, now: Ns, means: &mut Means, view: &dyn View, out: &mut Vec<Action>) {
        let gap = means.draws.exponential() / self.keys.rate_per_s;
        let at = now + ms(gap * 1e3);
        if at < means.window.end {
            out.push(Action::Wake { at, timer: Timer::Attack });
        }
        let Some(outside) = view.outside(0) else { return };
        // Near enough to the makers' quotes to trade, whichever way the price moves.
        let (ticks, reach) = (outside.ticks, outside.ticks / 1_000);
        let qty = outside.lots(self.keys.size_usd);
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
    fn reveal(
        &mut self,
        message: &Message,
        means: &mut Means,
        view: &dyn View,
        out: &mut Vec<Action>,
    ) {
        let Body::NewOrderSingle(order) = message.body else { return };
        let Some(outside) = view.outside(0) else { return };
        let own = means.accounts.attacking().contains(&message.account);
        if !own || !self.committed.remove(&order.cl_ord_id) {
            return;
        }
        let (bid, ask) = view.touch(0);
        let pays = match order.side {
            Side::Buy => ask.is_some_and(|ask| ask < outside.ticks),
            Side::Sell => bid.is_some_and(|bid| bid > outside.ticks),
        };
        if !pays {
            means.withheld += 1;
            out.push(Action::Withhold(message.id));
        }
    }
}

impl Attack for Withholder {
    fn step(
        &mut self,
        now: Ns,
        event: ActorEvent<'_>,
        means: &mut Means,
        view: &dyn View,
        out: &mut Vec<Action>,
    ) {
        match event {
            ActorEvent::Timer(Timer::Attack) => self.commit_both(now, means, view, out),
            ActorEvent::Reveal(message) => self.reveal(message, means, view, out),
            _ => {}
        }
    }

    fn needs(&self) -> Option<&'static str> {
        Some("messages that are sealed when they are sent")
    }

    fn may_withhold(&self) -> bool {
        self.allowed && !self.committed.is_empty()
    }
}
