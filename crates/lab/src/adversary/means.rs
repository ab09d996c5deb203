//! Resources of every attack: accounts, time window, random draws, order numbers.

use std::ops::Range;

use surgetank_layer::message::{
    Body, NewOrderSingle, OrdType, OrderCancelRequest, Side, TimeInForce,
};
use surgetank_layer::units::{AccountId, NodeId, Ns, Price, Qty, ns};

use crate::actors::{Accounts, Action, Sending};
use crate::scenario::{self, ms};
use crate::seed::{Seed, Stream};
use crate::trace::Source;

/// Resources of every attack.
pub struct Means {
    /// Ranges of accounts by owner.
    pub accounts: Accounts,
    /// Time window of the attack.
    pub window: Range<Ns>,
    /// Time at which new messages end.
    pub flow_end_ns: Ns,
    /// Random stream of the attack.
    pub draws: Stream,
    /// Number of orders on which it acted.
    pub found: u64,
    /// Number of commitments that it did not reveal.
    pub withheld: u64,
    cl_ord_id: u64,
}

impl Means {
    /// Resources of an attack in a run whose flow ends at `flow_end_ns`.
    pub(super) fn new(
        attack: &scenario::Attack,
        duration_s: f64,
        accounts: Accounts,
        seed: &Seed,
    ) -> Means {
        let until_s = (attack.at_s + attack.duration_s).min(duration_s);
        Means {
            accounts,
            window: ms(attack.at_s * 1e3)..ms(until_s * 1e3),
            flow_end_ns: ns(duration_s),
            draws: seed.stream("attack", 0),
            found: 0,
            withheld: 0,
            cl_ord_id: 0,
        }
    }

    /// The account of this index among its own.
    pub fn account(&self, index: u32) -> AccountId {
        self.accounts.attackers_from() + index
    }

    /// ClOrdID of its next message.
    pub fn next_id(&mut self) -> u64 {
        self.cl_ord_id += 1;
        self.cl_ord_id
    }

    /// An immediate-or-cancel order.
    pub fn taking(&mut self, side: Side, price: Price, order_qty: Qty) -> NewOrderSingle {
        NewOrderSingle {
            cl_ord_id: self.next_id(),
            symbol: 0,
            side,
            ord_type: OrdType::Limit,
            time_in_force: TimeInForce::ImmediateOrCancel,
            post_only: false,
            reduce_only: false,
            price: price.max(1),
            order_qty,
        }
    }

    /// A cancel of one of its own orders.
    pub fn cancel(&mut self, orig_cl_ord_id: u64) -> Body {
        let cl_ord_id = self.next_id();
        Body::OrderCancelRequest(OrderCancelRequest { cl_ord_id, orig_cl_ord_id, symbol: 0 })
    }
}

/// A message of the attacker, with the fee that it offers.
pub fn send(now: Ns, account: AccountId, gateway: NodeId, fee_micros: u32, body: Body) -> Action {
    let (source, fee_micros) = (Source::Attacker, Some(fee_micros));
    Action::Send(Sending { sent_ns: now, account, gateway, source, body, fee_micros })
}
