//! Floods: many messages that cost their sender little.

use surgetank_layer::machine::Draws;
use surgetank_layer::message::{
    Body, NewOrderSingle, OrdType, OrderCancelRequest, Side, TimeInForce,
};
use surgetank_layer::units::{NodeId, Ns};

use super::{Event, Wake, World};
use crate::scenario::{AttackKind, ms};
use crate::trace::Source;

impl World {
    /// One message of a flood, and when the next comes.
    pub(super) fn flood(&mut self, rate_per_s: f64) {
        let draws = &mut self.adversary.draws;
        let gap = draws.exponential() / rate_per_s;
        let gateway = draws.below(self.nodes.len() as u64) as NodeId;
        let which = match self.adversary.kind {
            AttackKind::Sybil { accounts, .. } => draws.below(u64::from(accounts)) as u32,
            _ => 0,
        };
        let account = self.attacker(which);
        let cl_ord_id = self.adversary.next_id();
        let body = if let AttackKind::CancelStorm { .. } = self.adversary.kind {
            let orig_cl_ord_id = u64::MAX - cl_ord_id;
            Body::OrderCancelRequest(OrderCancelRequest { cl_ord_id, orig_cl_ord_id, symbol: 0 })
        } else {
            // Far from the market: it costs the venue work and the sender nothing.
            let (order_qty, price) = self.size_and_price(10.0, Side::Buy, 0.5);
            Body::NewOrderSingle(NewOrderSingle {
                cl_ord_id,
                symbol: 0,
                side: Side::Buy,
                ord_type: OrdType::Limit,
                time_in_force: TimeInForce::GoodTillCancel,
                post_only: true,
                reduce_only: false,
                price,
                order_qty,
            })
        };
        self.send_paying(self.now, account, gateway, Source::Attacker, body, 0);
        let at = self.now + ms(gap * 1e3).max(1);
        if at < self.adversary.until_ns {
            self.agenda.push(at, Event::Actor(Wake::Attack));
        }
    }

    /// Whether background traders wait for the venue to come back.
    pub(in crate::world) fn halted(&self) -> bool {
        let AttackKind::Stampede { halt_s, .. } = self.adversary.kind else { return false };
        let from = self.adversary.from_ns;
        (from..from + ms(halt_s * 1e3)).contains(&self.now)
    }

    /// After the halt everybody sends at once.
    pub(super) fn stampede(&mut self, halt_s: f64, messages: u32, within_ms: f64) {
        let over = self.adversary.from_ns + ms(halt_s * 1e3);
        if self.now < over {
            return self.agenda.push(over, Event::Actor(Wake::Attack));
        }
        for _ in 0..messages {
            let later = (self.adversary.draws.unit() * ms(within_ms) as f64) as Ns;
            let at = self.now + later;
            if self.flows(at) {
                self.agenda.push(at, Event::Actor(Wake::Herd));
            }
        }
    }

    /// One of the crowd: it sells out or pulls an order, as background traders do.
    pub(in crate::world) fn herd(&mut self) {
        let (account, body) = self.background_order();
        self.send(self.now, account, self.gateway_of(account), Source::Panic, body);
    }
}
