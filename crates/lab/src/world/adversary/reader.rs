//! Reading orders before they are executed: front-running, sandwiching, grinding.
//!
//! Who reads a large order that takes from the book sends two: one on the same side to be served
//! before it, one on the other side to be served after it. Where it sits decides what it can do:
//! on the network it races and pays; as the maker of blocks it puts its orders where it likes; where
//! places are drawn by account it can choose accounts, if it knows the draw.

use surgetank_layer::message::{Body, flags};
use surgetank_layer::node::{self, Input, Places};
use surgetank_layer::units::{AccountId, Digest, MessageId, NodeId};

use super::World;
use crate::scenario::AttackKind;

/// What a reader does.
struct Plan {
    node: NodeId,
    least_usd: f64,
    size_usd: f64,
    fee_usd: f64,
}

impl World {
    fn plan(&self) -> Option<Plan> {
        match self.adversary.kind {
            AttackKind::Sandwich(ref reader) | AttackKind::Insider(ref reader) => Some(Plan {
                node: reader.node,
                least_usd: reader.least_usd,
                size_usd: reader.size_usd,
                fee_usd: reader.fee_usd,
            }),
            AttackKind::Grind { node, least_usd, size_usd, fee_usd, .. } => {
                Some(Plan { node, least_usd, size_usd, fee_usd })
            }
            _ => None,
        }
    }

    /// Whether the attacker can tell what a message says before its place is fixed.
    fn can_read(&self) -> bool {
        let opening = self.nodes[0].opening();
        let bought =
            |k: &surgetank_layer::sealed::keypers::Config| self.adversary.colluding >= k.threshold;
        !opening.hides() || opening.keypers.as_ref().is_some_and(bought)
    }

    /// The attacker has an order before it.
    pub(super) fn read(&mut self, message: MessageId) {
        let slot = self.carried[message as usize].slot;
        let victim = self.records[slot as usize].message;
        let first = self.actors.accounts.attackers_from();
        let own = (first..first + self.actors.accounts.attackers).contains(&victim.account);
        let Body::NewOrderSingle(order) = victim.body else { return };
        if own || order.flags() & flags::IMMEDIATE == 0 || !self.can_read() {
            return;
        }
        let (Some(plan), Some(exchange)) = (self.plan(), &self.exchange) else { return };
        let (ticks, quantum) = (exchange.outside_ticks(), exchange.quantum_usd());
        if order.order_qty as f64 * ticks as f64 * quantum < plan.least_usd {
            return;
        }
        self.adversary.found += 1;
        let (qty, _) = self.size_and_price(plan.size_usd, order.side, 0.0);
        // It stands ready to pay or give up 1 %.
        let slack = ticks / 100;
        let (before, after) = self.choose_accounts();
        let front = self.taking(order.side, ticks + order.side.sign() * slack, qty);
        let back_side = order.side.opposite();
        let back = self.taking(back_side, ticks + back_side.sign() * slack, qty);
        let front = self.attack_with(before, plan.node, plan.fee_usd, front);
        let back = self.attack_with(after, plan.node, 0.0, back);
        if let AttackKind::Insider(_) = self.adversary.kind {
            self.step(plan.node, Input::Surround { front, message, back });
        }
    }

    /// Which account goes first and which last: those whose drawn places are so, if the draw can be
    /// known before.
    fn choose_accounts(&self) -> (AccountId, AccountId) {
        let (first, count) =
            (self.actors.accounts.attackers_from(), self.actors.accounts.attackers);
        let opening = self.nodes[0].opening();
        let grinds = matches!(self.adversary.kind, AttackKind::Grind { .. });
        if !grinds || opening.places != Places::Drawn || opening.keypers.is_some() {
            return (first, first + 1);
        }
        // The next block's seed is the hash of the last one that the node knows.
        let plan_node = self.plan().map_or(0, |plan| plan.node);
        let seed = self.nodes[plan_node as usize].last_hash();
        let key = |account: &AccountId| -> Digest { node::place(&seed, *account) };
        let before = (first..first + count).min_by_key(key).unwrap_or(first);
        let after = (first..first + count).max_by_key(key).unwrap_or(first);
        (before, after)
    }
}
