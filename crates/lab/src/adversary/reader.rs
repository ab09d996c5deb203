//! Reading orders before they are executed: front-running in an order book.
//!
//! An attacker that reads a large taking order buys the best level before it, and offers the same
//! quantity one tick below the next level, for the victim to take. When the victim has been
//! executed, the rest of the offer is cancelled. (Trading on both sides, as against an automated
//! market maker, would only pay the spread twice here: a buyer does not raise the bids.)
//!
//! Its position decides its means: on the network it races and pays fees; as the proposer it places
//! its orders freely; where the order is drawn by account it can choose among its accounts, if it
//! knows the seed.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use surgetank_layer::message::{Body, Message, NewOrderSingle, OrdType, TimeInForce, flags};
use surgetank_layer::node::{self, Places};
use surgetank_layer::units::{AccountId, Digest, MessageId, NodeId, Ns};

use super::means::{Means, send};
use super::{Attack, AttackRequest, OwnOrder, Proposer};
use crate::actors::{Action, ActorEvent, View};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    /// Node at which it reads.
    node: NodeId,
    /// Least size of a victim, in USD.
    least_usd: f64,
    /// Size of its trade per victim, in USD.
    size_usd: f64,
    /// Fee that it offers, in millionths of a USD.
    fee_micros: u32,
}

/// An attacker that reads orders and trades before them.
struct Reader {
    keys: Keys,
    /// Policy of the proposer of its node, if it controls it.
    proposer: Option<Proposer>,
    /// Whether messages are unreadable before their place is fixed.
    hidden: bool,
    /// Number of colluding keypers that can read a sealed message; `None` without keypers.
    threshold: Option<u32>,
    /// Whether the order is drawn over accounts from a seed that is known before.
    seed_known: bool,
    /// Number of colluding keypers.
    colluding: u32,
    /// Its offers to victims that are not executed yet: victim → (account, ClOrdID).
    offers: BTreeMap<MessageId, (AccountId, u64)>,
}

/// A front-runner at a network node. It chooses among its accounts, if it has several.
pub(super) fn sandwich(asked: &AttackRequest<'_>) -> Result<Box<dyn Attack>, String> {
    Ok(Box::new(Reader::new(asked, None)?))
}

/// A front-runner that controls the proposer of its node.
pub(super) fn insider(asked: &AttackRequest<'_>) -> Result<Box<dyn Attack>, String> {
    Ok(Box::new(Reader::new(asked, Some(Proposer::default()))?))
}

impl Reader {
    fn new(asked: &AttackRequest<'_>, proposer: Option<Proposer>) -> Result<Reader, String> {
        let unsealing = asked.unsealing;
        let drawn = unsealing.places == Places::Drawn && unsealing.keypers.is_none();
        Ok(Reader {
            keys: asked.keys()?,
            proposer,
            hidden: unsealing.hides(),
            threshold: unsealing.keypers.as_ref().map(|keypers| keypers.threshold),
            seed_known: drawn && !unsealing.hides(),
            colluding: 0,
            offers: BTreeMap::new(),
        })
    }

    /// Whether it can read a message before its place is fixed.
    fn can_read(&self) -> bool {
        !self.hidden || self.threshold.is_some_and(|threshold| self.colluding >= threshold)
    }

    /// It reads an order: front-runs it if it is large enough.
    fn read(
        &mut self,
        now: Ns,
        victim: &Message,
        last_hash: &Digest,
        means: &mut Means,
        view: &dyn View,
        out: &mut Vec<Action>,
    ) {
        let own = means.accounts.attacking().contains(&victim.account);
        let Body::NewOrderSingle(order) = victim.body else { return };
        let elsewhere = own || order.symbol != 0;
        if elsewhere || order.flags() & flags::IMMEDIATE == 0 || !means.window.contains(&now) {
            return;
        }
        let Some(outside) = view.outside(0).filter(|_| self.can_read()) else { return };
        let usd = order.order_qty as f64 * outside.ticks as f64 * outside.quantum_usd();
        let Some((limit, qty, next)) = view.best_levels(0, order.side.opposite()) else { return };
        // One tick better than the next level of the book.
        let resale = next - order.side.sign();
        if resale == limit || usd < self.keys.least_usd {
            return;
        }
        means.found += 1;
        let qty = qty.min(outside.lots(self.keys.size_usd));
        let account = self.choose_account(last_hash, means);
        let front = means.taking(order.side, limit, qty);
        let offer = NewOrderSingle {
            ord_type: OrdType::Limit,
            time_in_force: TimeInForce::GoodTillCancel,
            ..means.taking(order.side.opposite(), resale, qty)
        };
        for order in [front, offer] {
            let body = Body::NewOrderSingle(order);
            out.push(send(now, account, self.keys.node, self.keys.fee_micros, body));
        }
        self.offers.insert(victim.id, (account, offer.cl_ord_id));
        if let Some(proposer) = &mut self.proposer {
            let own = |order: &NewOrderSingle| OwnOrder { account, cl_ord_id: order.cl_ord_id };
            proposer.put_before([own(&front), own(&offer)], victim.id);
            let builder = Arc::new(proposer.clone());
            out.push(Action::BuildBlocks { node: self.keys.node, builder });
        }
    }

    /// The victim has been executed: cancels the rest of the offer.
    fn confirmed(&mut self, now: Ns, message: MessageId, means: &mut Means, out: &mut Vec<Action>) {
        let Some((account, orig_cl_ord_id)) = self.offers.remove(&message) else { return };
        let body = means.cancel(orig_cl_ord_id);
        out.push(send(now, account, self.keys.node, 0, body));
    }

    /// The account to use: the one whose drawn rank is first, if the seed is known before.
    fn choose_account(&self, last_hash: &Digest, means: &Means) -> AccountId {
        let accounts = means.accounts.attacking();
        let first = accounts.start;
        if !self.seed_known {
            return first;
        }
        // The next block's seed is the hash of the last one that the node knows.
        let key = |account: &AccountId| -> Digest { node::place(last_hash, *account) };
        accounts.min_by_key(key).unwrap_or(first)
    }
}

impl Attack for Reader {
    fn step(
        &mut self,
        now: Ns,
        event: ActorEvent<'_>,
        means: &mut Means,
        view: &dyn View,
        out: &mut Vec<Action>,
    ) {
        match event {
            ActorEvent::Passes { message, last_hash, .. } => {
                self.read(now, message, &last_hash, means, view, out);
            }
            ActorEvent::Confirmed(message) => self.confirmed(now, message, means, out),
            ActorEvent::Colluding(change) => {
                self.colluding = self.colluding.saturating_add_signed(change);
            }
            _ => {}
        }
    }

    fn needs(&self) -> Option<&'static str> {
        Some(match self.proposer {
            Some(_) => "control of a proposer",
            None => "sight of other clients' orders on their way to a node",
        })
    }

    fn reads_at(&self) -> Option<NodeId> {
        Some(self.keys.node)
    }

    fn follows(&self, message: MessageId) -> bool {
        self.offers.contains_key(&message)
    }

    /// It is at the node.
    fn link_ns(&self) -> Option<Ns> {
        Some(0)
    }
}
