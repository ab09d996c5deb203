//! Recorded messages, sent again.

use std::collections::BTreeMap;

use surgetank_layer::message::{
    Body, NewOrderSingle, OrdType, OrderCancelReplaceRequest, OrderCancelRequest, PriceUpdate,
    Side, TimeInForce,
};
use surgetank_layer::units::Ns;

use super::View;
use super::background::market_order;
use crate::flow::Tape;

/// A tape and the position of its replay.
pub struct Replay {
    tape: Tape,
    next: usize,
    /// The ClOrdID of each recorded order that may still rest, by its key on the tape.
    orders: BTreeMap<u64, u64>,
}

impl Replay {
    pub(super) fn new(tape: Tape) -> Replay {
        Replay { tape, next: 0, orders: BTreeMap::new() }
    }

    /// Time at which the next message is due.
    pub(super) fn next_ns(&self) -> Option<Ns> {
        self.tape.messages_ns.get(self.next).copied()
    }

    /// The next message, under this ClOrdID, and the key of the order that it concerns.
    pub(super) fn message(&mut self, now: Ns, cl_ord_id: u64, view: &impl View) -> (u64, Body) {
        let (tape, i) = (&self.tape, self.next);
        self.next += 1;
        let key = tape.messages_key[i];
        let class = tape.messages_class[i];
        let old =
            if class == 2 { self.orders.remove(&key) } else { self.orders.insert(key, cl_ord_id) };
        let (usd, coins) = (tape.messages_usd[i], tape.messages_qty[i]);
        let (price, order_qty) =
            view.outside(0).map_or((1, 1), |outside| outside.ticks_and_lots(usd, coins));
        let side = if tape.messages_side[i] == 2 { Side::Sell } else { Side::Buy };
        let orig_cl_ord_id = old.unwrap_or(0);
        let body = match class {
            2 => Body::OrderCancelRequest(OrderCancelRequest {
                cl_ord_id,
                orig_cl_ord_id,
                symbol: 0,
            }),
            3 if old.is_some() => Body::OrderCancelReplaceRequest(OrderCancelReplaceRequest {
                cl_ord_id,
                orig_cl_ord_id,
                symbol: 0,
                price,
                order_qty,
            }),
            0 => Body::PriceUpdate(PriceUpdate { symbol: 0, price, observed_ns: now }),
            _ if key == 0 => market_order(0, cl_ord_id, side, price, order_qty),
            _ => Body::NewOrderSingle(NewOrderSingle {
                cl_ord_id,
                symbol: 0,
                side,
                ord_type: OrdType::Limit,
                time_in_force: TimeInForce::GoodTillCancel,
                post_only: false,
                reduce_only: false,
                price,
                order_qty,
            }),
        };
        (key, body)
    }
}
