//! Reading orders before they are executed: front-running in an order book.
//!
//! Who reads a large order that takes from the book buys up the best level before it, and offers the
//! same quantity one tick below the next level, for the victim to take. When the victim has been
//! executed, what is left of the offer is cancelled. (Taking on both sides, as is done against an
//! automated market maker, only pays the spread twice here: a buyer does not raise the bids.)
//!
//! Where the reader sits decides what it can do: on the network it races and pays; as the maker of
//! blocks it puts its orders where it likes; where places are drawn by account it can choose among
//! accounts, if it knows the draw.

use surgetank_layer::message::{
    Body, NewOrderSingle, OrdType, OrderCancelRequest, Side, TimeInForce, flags,
};
use surgetank_layer::node::{self, Input, Places};
use surgetank_layer::sealed::keypers;
use surgetank_layer::units::{AccountId, Digest, MessageId, NodeId, Price, Qty};

use super::World;
use crate::scenario::AttackKind;
use crate::trace::Source;

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
        let bought = |k: &keypers::Config| self.adversary.colluding >= k.threshold;
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
        let usd = order.order_qty as f64 * exchange.outside_ticks() as f64 * exchange.quantum_usd();
        let (size, _) = self.size_and_price(plan.size_usd, order.side, 0.0);
        let Some((limit, qty, resale)) = self.best_level(order.side, size) else { return };
        if usd < plan.least_usd {
            return;
        }
        self.adversary.found += 1;
        let account = self.choose_account(plan.node);
        let front = self.taking(order.side, limit, qty);
        let offer = self.offering(order.side.opposite(), resale, qty);
        let front = self.attack_with(account, plan.node, plan.fee_usd, front);
        let id = self.attack_with(account, plan.node, plan.fee_usd, offer);
        self.adversary.offers.insert(message, (account, offer.cl_ord_id));
        if let AttackKind::Insider(_) = self.adversary.kind {
            self.step(plan.node, Input::PutBefore { own: [front, id], message });
        }
    }

    /// The best level that a taker on this side meets: its price, what to take of it, and the price
    /// one tick better than the next.
    fn best_level(&self, side: Side, size: Qty) -> Option<(Price, Qty, Price)> {
        let book = self.exchange.as_ref()?.book();
        let mut levels = book.levels(side.opposite());
        let ((price, qty), (next, _)) = (levels.next()?, levels.next()?);
        let resale = next - side.sign();
        (resale != price).then_some((price, qty.min(size), resale))
    }

    fn offering(&mut self, side: Side, price: Price, order_qty: Qty) -> NewOrderSingle {
        NewOrderSingle {
            ord_type: OrdType::Limit,
            time_in_force: TimeInForce::GoodTillCancel,
            ..self.taking(side, price, order_qty)
        }
    }

    /// The victim has been executed: what is left of the offer goes.
    pub(in crate::world) fn after_victim(&mut self, message: MessageId) {
        let Some((account, orig_cl_ord_id)) = self.adversary.offers.remove(&message) else {
            return;
        };
        let Some(plan) = self.plan() else { return };
        let cl_ord_id = self.adversary.next_id();
        let body =
            Body::OrderCancelRequest(OrderCancelRequest { cl_ord_id, orig_cl_ord_id, symbol: 0 });
        self.send_paying(self.now, account, plan.node, Source::Attacker, body, 0);
    }

    /// The account to act with: the one whose drawn place is first, if the draw can be known before.
    fn choose_account(&self, at: NodeId) -> AccountId {
        let (first, count) =
            (self.actors.accounts.attackers_from(), self.actors.accounts.attackers);
        let opening = self.nodes[0].opening();
        let known = opening.places == Places::Drawn && opening.keypers.is_none();
        if !known || opening.hides() {
            return first;
        }
        // The next block's seed is the hash of the last one that the node knows.
        let seed = self.nodes[at as usize].last_hash();
        let key = |account: &AccountId| -> Digest { node::place(&seed, *account) };
        (first..first + count).min_by_key(key).unwrap_or(first)
    }
}
