//! Trading against those who are slower, or who must decide first.

use std::collections::BTreeSet;

use surgetank_layer::machine::Draws;
use surgetank_layer::message::{Block, Body, Side};
use surgetank_layer::units::MessageId;

use super::{Event, Wake, World};
use crate::scenario::{AttackKind, Racer, ms};
use crate::trace::{Outcome, Reason};

impl World {
    /// The outside price has stepped: does it leave stale quotes behind?
    pub(in crate::world) fn race(&mut self) {
        let racer: Racer = match &self.adversary.kind {
            AttackKind::LatencyRace(racer) | AttackKind::FeeJump(racer) => racer.clone(),
            _ => return,
        };
        let Some(exchange) = &self.exchange else { return };
        let ticks = exchange.outside_ticks();
        let seen = std::mem::replace(&mut self.adversary.acted_ticks, ticks);
        let moved_bp = (ticks - seen) as f64 / seen.max(1) as f64 * 1e4;
        if seen == 0 || !self.adversary.acts_at(self.now) {
            return;
        }
        if moved_bp.abs() < racer.move_bp {
            self.adversary.acted_ticks = seen;
            return;
        }
        self.adversary.found += 1;
        let side = if moved_bp > 0.0 { Side::Buy } else { Side::Sell };
        let (qty, _) = self.size_and_price(racer.size_usd, side, 0.0);
        // Whatever is worse than the new price for its owner.
        let order = self.taking(side, ticks - side.sign(), qty);
        let account = self.attacker(0);
        let gateway = self.leader.unwrap_or_else(|| self.gateway_of(account));
        self.attack_with(account, gateway, racer.fee_usd, order);
    }

    /// Two commitments at the outside price, of which at most one will be revealed.
    pub(super) fn commit_both(&mut self, rate_per_s: f64, size_usd: f64) {
        let gap = self.adversary.draws.exponential() / rate_per_s;
        let at = self.now + ms(gap * 1e3);
        if at < self.adversary.until_ns {
            self.agenda.push(at, Event::Actor(Wake::Attack));
        }
        let Some(exchange) = &self.exchange else { return };
        // Near enough to the makers' quotes to trade, whichever way the price goes.
        let ticks = exchange.outside_ticks();
        let reach = ticks / 1_000;
        let (qty, _) = self.size_and_price(size_usd, Side::Buy, 0.0);
        let buy = self.taking(Side::Buy, ticks + reach, qty);
        let sell = self.taking(Side::Sell, ticks - reach, qty);
        let (buyer, seller) = (self.attacker(0), self.attacker(1));
        let buy = self.attack_with(buyer, self.gateway_of(buyer), 0.0, buy);
        let sell = self.attack_with(seller, self.gateway_of(seller), 0.0, sell);
        self.adversary.pairs.insert(buy, sell);
        self.adversary.pairs.insert(sell, buy);
        self.adversary.found += 1;
    }

    /// Whether senders may keep silent about what they committed to.
    fn reveals(&self) -> bool {
        self.nodes[0].opening().reveal_ns > 0
    }

    /// Messages of this block that their sender does not reveal: of a pair, what the outside price
    /// has not made better since.
    pub(in crate::world) fn unrevealed(&mut self, block: &Block) -> BTreeSet<MessageId> {
        let mut silent = BTreeSet::new();
        if self.adversary.pairs.is_empty() || !self.reveals() {
            return silent;
        }
        let Some(exchange) = &self.exchange else { return silent };
        let (ticks, best) = (exchange.outside_ticks(), exchange.touch());
        for entry in &block.entries {
            let id = entry.envelope.id;
            if self.adversary.pairs.remove(&id).is_none() {
                continue;
            }
            let slot = self.carried[id as usize].slot;
            let Body::NewOrderSingle(order) = self.records[slot as usize].message.body else {
                continue;
            };
            let pays = match order.side {
                Side::Buy => best.1.is_some_and(|ask| ask < ticks),
                Side::Sell => best.0.is_some_and(|bid| bid > ticks),
            };
            if !pays {
                silent.insert(id);
                self.adversary.withheld += 1;
                let record = &mut self.records[slot as usize];
                (record.outcome, record.reason) = (Outcome::Refused, Reason::NotRevealed);
            }
        }
        silent
    }
}
