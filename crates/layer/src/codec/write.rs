//! Encoding of messages.

use super::VERSION;
use crate::message::{Body, Message};

fn flag(value: bool) -> [u8; 1] {
    [u8::from(value)]
}

pub(super) fn message(message: &Message, out: &mut Vec<u8>) {
    out.extend([VERSION, message.body.class() as u8]);
    out.extend(message.id.to_le_bytes());
    out.extend(message.account.to_le_bytes());
    out.extend(message.sent_ns.to_le_bytes());
    match &message.body {
        Body::PriceUpdate(b) => {
            out.extend(b.symbol.to_le_bytes());
            out.extend(b.price.to_le_bytes());
            out.extend(b.observed_ns.to_le_bytes());
        }
        Body::LiquidationOrder(b) => {
            out.extend(b.symbol.to_le_bytes());
            out.extend(b.target.to_le_bytes());
            out.extend(b.order_qty.to_le_bytes());
            out.extend(b.trigger_price.to_le_bytes());
        }
        Body::OrderCancelRequest(b) => {
            out.extend(b.cl_ord_id.to_le_bytes());
            out.extend(b.orig_cl_ord_id.to_le_bytes());
            out.extend(b.symbol.to_le_bytes());
        }
        Body::OrderCancelReplaceRequest(b) => {
            out.extend(b.cl_ord_id.to_le_bytes());
            out.extend(b.orig_cl_ord_id.to_le_bytes());
            out.extend(b.symbol.to_le_bytes());
            out.extend(b.price.to_le_bytes());
            out.extend(b.order_qty.to_le_bytes());
        }
        Body::NewOrderSingle(b) => {
            out.extend(b.cl_ord_id.to_le_bytes());
            out.extend(b.symbol.to_le_bytes());
            out.extend([b.side as u8, b.ord_type as u8, b.time_in_force as u8]);
            out.extend(flag(b.post_only));
            out.extend(flag(b.reduce_only));
            out.extend(b.price.to_le_bytes());
            out.extend(b.order_qty.to_le_bytes());
        }
        Body::ExecutionReport(b) => {
            out.extend(b.cl_ord_id.to_le_bytes());
            out.extend(b.symbol.to_le_bytes());
            out.extend([b.exec_type as u8, b.side as u8]);
            out.extend(b.last_px.to_le_bytes());
            out.extend(b.last_qty.to_le_bytes());
            out.extend(b.leaves_qty.to_le_bytes());
            out.push(b.ord_rej_reason);
        }
        Body::Proposal(b) => {
            out.extend(b.height.to_le_bytes());
            out.extend(b.round.to_le_bytes());
            out.extend(b.value.0);
            out.extend(flag(b.valid_round.is_some()));
            out.extend(b.valid_round.unwrap_or(0).to_le_bytes());
            out.extend(b.validator.to_le_bytes());
        }
        Body::Vote(b) => {
            out.push(b.vote_type as u8);
            out.extend(b.height.to_le_bytes());
            out.extend(b.round.to_le_bytes());
            out.extend(flag(b.value.is_some()));
            out.extend(b.value.unwrap_or_default().0);
            out.extend(b.validator.to_le_bytes());
        }
    }
}
