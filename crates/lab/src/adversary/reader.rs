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

use std::collections::BTreeMap;

use surgetank_layer::message::{Body, Message, NewOrderSingle, OrdType, TimeInForce, flags};
use surgetank_layer::node::{self, Places, Unsealing};
use surgetank_layer::units::{AccountId, Digest, MessageId, NodeId, Ns};

use super::means::{Means, send};
use crate::actors::{Action, View};
use crate::scenario;

/// Who reads orders and trades before them.
pub struct Reader {
    node: NodeId,
    least_usd: f64,
    size_usd: f64,
    fee_micros: u32,
    /// Whether it makes the blocks at its node.
    proposes: bool,
    /// Whether nobody can read a message before its place is fixed.
    hidden: bool,
    /// How many keypers it takes to read one all the same.
    threshold: Option<u32>,
    /// Whether places are drawn over accounts by a draw that is known before.
    foreseen: bool,
    /// Keypers in its pay.
    colluding: u32,
    /// Its offers to victims that are not executed yet: victim → (account, ClOrdID).
    offers: BTreeMap<MessageId, (AccountId, u64)>,
}

impl Reader {
    /// The maker of blocks.
    pub fn insider(config: &scenario::Reader, unsealing: &Unsealing) -> Reader {
        Reader { proposes: true, ..Reader::sandwich(config, unsealing) }
    }

    /// One on the network. It chooses among its accounts, if it has several.
    pub fn sandwich(config: &scenario::Reader, unsealing: &Unsealing) -> Reader {
        let &scenario::Reader { node, least_usd, size_usd, fee_micros } = config;
        let drawn = unsealing.places == Places::Drawn && unsealing.keypers.is_none();
        Reader {
            node,
            least_usd,
            size_usd,
            fee_micros,
            proposes: false,
            hidden: unsealing.hides(),
            threshold: unsealing.keypers.as_ref().map(|keypers| keypers.threshold),
            foreseen: drawn && !unsealing.hides(),
            colluding: 0,
            offers: BTreeMap::new(),
        }
    }

    /// Where it sits.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Whether a message is a victim that has not been executed yet.
    pub fn follows(&self, message: MessageId) -> bool {
        self.offers.contains_key(&message)
    }

    /// Keypers enter its pay, or leave it.
    pub fn pay_keypers(&mut self, change: i32) {
        self.colluding = self.colluding.saturating_add_signed(change);
    }

    /// Whether it can tell what a message says before its place is fixed.
    fn can_read(&self) -> bool {
        !self.hidden || self.threshold.is_some_and(|threshold| self.colluding >= threshold)
    }

    /// It has an order before it.
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
        // One tick better than the next level.
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

    /// The victim has been executed: what is left of the offer goes.
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

    /// The account to act with: the one whose drawn place is first, if the draw can be known before.
    fn choose_account(&self, last_hash: &Digest, means: &Means) -> AccountId {
        let accounts = means.accounts.attacking();
        let first = accounts.start;
        if !self.foreseen {
            return first;
        }
        // The next block's seed is the hash of the last one that the node knows.
        let key = |account: &AccountId| -> Digest { node::place(last_hash, *account) };
        accounts.min_by_key(key).unwrap_or(first)
    }
}
