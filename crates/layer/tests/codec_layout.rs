//! The codec's version 1, byte by byte: a journal that was written once must stay readable.

use surgetank_layer::codec::{decode, encode, encoded_len};
use surgetank_layer::message::{
    Body, ExecType, ExecutionReport, LiquidationOrder, Message, NewOrderSingle, OrdType,
    OrderCancelReplaceRequest, OrderCancelRequest, PriceUpdate, Proposal, Side, TimeInForce, Vote,
    VoteType,
};
use surgetank_layer::units::Digest;

/// The header: version 1, class, id 0x04030201, account 0x08070605, sent_ns 0x100f0e0d0c0b0a09.
fn header(class: u8) -> Vec<u8> {
    let mut bytes = vec![1, class];
    bytes.extend(1..=16);
    bytes
}

fn stands_for(class: u8, body: Body, expected: &[&[u8]]) {
    let (id, account, sent_ns) = (0x0403_0201, 0x0807_0605, 0x100f_0e0d_0c0b_0a09);
    let message = Message { id, account, sent_ns, body };
    let mut bytes = header(class);
    expected.iter().for_each(|field| bytes.extend(*field));
    let mut written = Vec::new();
    encode(&message, &mut written);
    assert_eq!(written, bytes);
    assert_eq!(decode(&bytes), Ok((message, bytes.len())));
    assert_eq!(encoded_len(&body), bytes.len());
}

const ORDER_ID: u64 = 0x8877_6655_4433_2211;
const ORDER_ID_BYTES: &[u8] = &[0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88];
const SEVEN: &[u8] = &[7, 0, 0, 0, 0, 0, 0, 0];
const NINE: &[u8] = &[9, 0, 0, 0, 0, 0, 0, 0];
const MINUS_TWO: &[u8] = &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
/// Market number 0x0201.
const SYMBOL: &[u8] = &[1, 2];

#[test]
fn price_update() {
    let body = PriceUpdate { symbol: 0x0201, price: -2, observed_ns: 7 };
    stands_for(0, Body::PriceUpdate(body), &[SYMBOL, MINUS_TWO, SEVEN]);
}

#[test]
fn liquidation_order() {
    let body = LiquidationOrder { symbol: 0x0201, target: 5, order_qty: 7, trigger_price: -2 };
    stands_for(1, Body::LiquidationOrder(body), &[SYMBOL, &[5, 0, 0, 0], SEVEN, MINUS_TWO]);
}

#[test]
fn order_cancel_request() {
    let body = OrderCancelRequest { cl_ord_id: ORDER_ID, orig_cl_ord_id: 7, symbol: 0x0201 };
    stands_for(2, Body::OrderCancelRequest(body), &[ORDER_ID_BYTES, SEVEN, SYMBOL]);
}

#[test]
fn order_cancel_replace_request() {
    let body = OrderCancelReplaceRequest {
        cl_ord_id: ORDER_ID,
        orig_cl_ord_id: 7,
        symbol: 0x0201,
        price: -2,
        order_qty: 9,
    };
    let expected = [ORDER_ID_BYTES, SEVEN, SYMBOL, MINUS_TWO, NINE];
    stands_for(3, Body::OrderCancelReplaceRequest(body), &expected);
}

#[test]
fn new_order_single() {
    let limit = NewOrderSingle {
        cl_ord_id: ORDER_ID,
        symbol: 0x0201,
        side: Side::Sell,
        ord_type: OrdType::Limit,
        time_in_force: TimeInForce::ImmediateOrCancel,
        post_only: true,
        reduce_only: false,
        price: -2,
        order_qty: 9,
    };
    let expected = [ORDER_ID_BYTES, SYMBOL, &[2, 2, 3, 1, 0], MINUS_TWO, NINE];
    stands_for(4, Body::NewOrderSingle(limit), &expected);
    let market = NewOrderSingle {
        side: Side::Buy,
        ord_type: OrdType::Market,
        time_in_force: TimeInForce::GoodTillCancel,
        post_only: false,
        reduce_only: true,
        ..limit
    };
    let expected = [ORDER_ID_BYTES, SYMBOL, &[1, 1, 1, 0, 1], MINUS_TWO, NINE];
    stands_for(4, Body::NewOrderSingle(market), &expected);
}

#[test]
fn execution_report() {
    let kinds = [
        (ExecType::New, 0),
        (ExecType::Trade, 1),
        (ExecType::Canceled, 4),
        (ExecType::Replaced, 5),
        (ExecType::Rejected, 8),
    ];
    for (exec_type, number) in kinds {
        let body = ExecutionReport {
            cl_ord_id: ORDER_ID,
            symbol: 0x0201,
            exec_type,
            side: Side::Buy,
            last_px: -2,
            last_qty: 7,
            leaves_qty: 9,
            ord_rej_reason: 3,
        };
        let expected = [ORDER_ID_BYTES, SYMBOL, &[number, 1], MINUS_TWO, SEVEN, NINE, &[3]];
        stands_for(5, Body::ExecutionReport(body), &expected);
    }
}

#[test]
fn proposal() {
    let value = Digest([0xab; 32]);
    let body = Proposal { height: 7, round: 2, value, valid_round: None, validator: 3 };
    let ends: [(Option<u32>, &[u8]); 2] = [(None, &[0, 0, 0, 0, 0]), (Some(1), &[1, 1, 0, 0, 0])];
    for (valid_round, end) in ends {
        let expected = [SEVEN, &[2, 0, 0, 0], &[0xab; 32], end, &[3, 0, 0, 0]];
        stands_for(6, Body::Proposal(Proposal { valid_round, ..body }), &expected);
    }
}

#[test]
fn vote() {
    let some = Digest([0xab; 32]);
    let votes: [(VoteType, u8, Option<Digest>, &[u8]); 3] = [
        (VoteType::Prevote, 1, None, &[0; 33]),
        (VoteType::Precommit, 2, Some(some), &[&[1][..], &[0xab; 32]].concat()),
        // A digest of zeros is not nil.
        (VoteType::Precommit, 2, Some(Digest([0; 32])), &[&[1][..], &[0; 32]].concat()),
    ];
    for (vote_type, number, value, bytes) in votes {
        let body = Vote { vote_type, height: 7, round: 2, value, validator: 3 };
        let expected = [&[number], SEVEN, &[2, 0, 0, 0], bytes, &[3, 0, 0, 0]];
        stands_for(7, Body::Vote(body), &expected);
    }
}
