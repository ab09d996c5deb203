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

use surgetank_layer::message::{Body, Message, NewOrderSingle, OrdType, TimeInForce, flags};
use surgetank_layer::node::{self, Places, Unsealing};
use surgetank_layer::units::{AccountId, Digest, MessageId, NodeId, Ns};

use super::means::{Means, send};
use crate::actors::{Action, View};
use crate::scenario;

/// An attacker that reads orders and trades before them.
pub struct Reader {
    node: NodeId,
    least_usd: f64,
    size_usd: f64,
    fee_micros: u32,
    /// Whether it controls the proposer of its node.
    proposes: bool,
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

impl Reader {
    /// A front-runner that controls the proposer.
    pub fn insider(config: &scenario::ReaderConfig, unsealing: &Unsealing) -> Reader {
        Reader { proposes: true, ..Reader::sandwich(config, unsealing) }
    }

    /// A front-runner at a network node. It chooses among its accounts, if it has several.
    pub fn sandwich(config: &scenario::ReaderConfig, unsealing: &Unsealing) -> Reader {
        let &scenario::ReaderConfig { node, least_usd, size_usd, fee_micros } = config;
        let drawn = unsealing.places == Places::Drawn && unsealing.keypers.is_none();
        Reader {
            node,
            least_usd,
            size_usd,
            fee_micros,
            proposes: false,
            hidden: unsealing.hides(),
            threshold: unsealing.keypers.as_ref().map(|keypers| keypers.threshold),
            seed_known: drawn && !unsealing.hides(),
            colluding: 0,
            offers: BTreeMap::new(),
        }
    }

    /// Node at which it reads.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Whether a message is a victim that has not been executed yet.
    pub fn follows(&self, message: MessageId) -> bool {
        self.offers.contains_key(&message)
    }

    /// Keypers enter its pay, or leave it.
    pub fn change_colluding(&mut self, change: i32) {
        self.colluding = self.colluding.saturating_add_signed(change);
    }

    /// Whether it can read a message before its place is fixed.
    fn can_read(&self) -> bool {
        !self.hidden || self.threshold.is_some_and(|threshold| self.colluding >= threshold)
    }

    /// It reads an order: front-runs it if it is large enough.
    pub fn read(
        &mut self,
        now: Ns,
        victim: &Message,
        last_hash: &Digest,
        means: &mut Means,
        view: &impl View,
        out: &mut Vec<Action>,
    ) {
        let own = means.accounts.attacking().contains(&victim.account);
        let Body::NewOrderSingle(order) = victim.body else { return };
        if own || order.flags() & flags::IMMEDIATE == 0 || !means.window.contains(&now) {
            return;
        }
        let Some(outside) = view.outside().filter(|_| self.can_read()) else { return };
        let usd = order.order_qty as f64 * outside.ticks as f64 * outside.quantum_usd();
        let Some((limit, qty, next)) = view.best_levels(order.side.opposite()) else { return };
        // One tick better than the next level of the book.
        let resale = next - order.side.sign();
        if resale == limit || usd < self.least_usd {
            return;
        }
        means.found += 1;
        let qty = qty.min(outside.lots(self.size_usd));
        let account = self.choose_account(last_hash, means);
        let front = means.taking(order.side, limit, qty);
        let offer = NewOrderSingle {
            ord_type: OrdType::Limit,
            time_in_force: TimeInForce::GoodTillCancel,
            ..means.taking(order.side.opposite(), resale, qty)
        };
        for order in [front, offer] {
            let body = Body::NewOrderSingle(order);
            out.push(send(now, account, self.node, self.fee_micros, body));
        }
        self.offers.insert(victim.id, (account, offer.cl_ord_id));
        if self.proposes {
            out.push(Action::PutBefore(victim.id));
        }
    }

    /// The victim has been executed: cancels the rest of the offer.
    pub fn confirmed(
        &mut self,
        now: Ns,
        message: MessageId,
        means: &mut Means,
        out: &mut Vec<Action>,
    ) {
        let Some((account, orig_cl_ord_id)) = self.offers.remove(&message) else { return };
        let body = means.cancel(orig_cl_ord_id);
        out.push(send(now, account, self.node, 0, body));
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
