//! Decoding: the inverse of encoding on messages, a refusal on all other bytes.

use proptest::prelude::*;
use surgetank_layer::codec::{Malformed, decode, encode, encoded_len};
use surgetank_layer::message::{
    Body, ExecType, ExecutionReport, LiquidationOrder, Message, NewOrderSingle, OrdType,
    OrderCancelReplaceRequest, OrderCancelRequest, PriceUpdate, Proposal, Side, TimeInForce, Vote,
    VoteType,
};
use surgetank_layer::units::Digest;

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

fn new_order() -> impl Strategy<Value = Body> {
    let kinds = (
        prop_oneof![Just(OrdType::Market), Just(OrdType::Limit)],
        prop_oneof![Just(TimeInForce::GoodTillCancel), Just(TimeInForce::ImmediateOrCancel)],
    );
    (any::<(u64, u16, bool, bool, i64, i64)>(), side(), kinds).prop_map(
        |((cl_ord_id, symbol, post_only, reduce_only, price, order_qty), side, kinds)| {
            let (ord_type, time_in_force) = kinds;
            Body::NewOrderSingle(NewOrderSingle {
                cl_ord_id,
                symbol,
                side,
                ord_type,
                time_in_force,
                post_only,
                reduce_only,
                price,
                order_qty,
            })
        },
    )
}

fn report() -> impl Strategy<Value = Body> {
    let exec_type = prop_oneof![
        Just(ExecType::New),
        Just(ExecType::Trade),
        Just(ExecType::Canceled),
        Just(ExecType::Replaced),
        Just(ExecType::Rejected),
    ];
    (any::<(u64, u16, i64, i64, i64, u8)>(), exec_type, side()).prop_map(
        |((cl_ord_id, symbol, last_px, last_qty, leaves_qty, ord_rej_reason), exec_type, side)| {
            Body::ExecutionReport(ExecutionReport {
                cl_ord_id,
                symbol,
                exec_type,
                side,
                last_px,
                last_qty,
                leaves_qty,
                ord_rej_reason,
            })
        },
    )
}

fn consensus() -> impl Strategy<Value = Body> {
    let vote_type = prop_oneof![Just(VoteType::Prevote), Just(VoteType::Precommit)];
    let proposal = any::<(u64, u32, [u8; 32], Option<u32>, u32)>().prop_map(
        |(height, round, value, valid_round, validator)| {
            let value = Digest(value);
            Body::Proposal(Proposal { height, round, value, valid_round, validator })
        },
    );
    let vote = (any::<(u64, u32, Option<[u8; 32]>, u32)>(), vote_type).prop_map(
        |((height, round, value, validator), vote_type)| {
            let value = value.map(Digest);
            Body::Vote(Vote { vote_type, height, round, value, validator })
        },
    );
    prop_oneof![proposal, vote]
}

fn body() -> impl Strategy<Value = Body> {
    let price = any::<(u16, i64, u64)>().prop_map(|(symbol, price, observed_ns)| {
        Body::PriceUpdate(PriceUpdate { symbol, price, observed_ns })
    });
    let liquidation =
        any::<(u16, u32, i64, i64)>().prop_map(|(symbol, target, order_qty, trigger_price)| {
            let order = LiquidationOrder { symbol, target, order_qty, trigger_price };
            Body::LiquidationOrder(order)
        });
    let cancel = any::<(u64, u64, u16)>().prop_map(|(cl_ord_id, orig_cl_ord_id, symbol)| {
        Body::OrderCancelRequest(OrderCancelRequest { cl_ord_id, orig_cl_ord_id, symbol })
    });
    let replace = any::<(u64, u64, u16, i64, i64)>().prop_map(
        |(cl_ord_id, orig_cl_ord_id, symbol, price, order_qty)| {
            Body::OrderCancelReplaceRequest(OrderCancelReplaceRequest {
                cl_ord_id,
                orig_cl_ord_id,
                symbol,
                price,
                order_qty,
            })
        },
    );
    prop_oneof![price, liquidation, cancel, replace, new_order(), report(), consensus()]
}

fn message() -> impl Strategy<Value = Message> {
    (any::<(u32, u32, u64)>(), body()).prop_map(|((id, account, sent_ns), body)| Message {
        id,
        account,
        sent_ns,
        body,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_is_written_is_read_back(message in message(), behind in any::<[u8; 3]>()) {
        let mut bytes = Vec::new();
        encode(&message, &mut bytes);
        prop_assert_eq!(bytes.len(), encoded_len(&message.body));
        let length = bytes.len();
        bytes.extend(behind);
        prop_assert_eq!(decode(&bytes), Ok((message, length)));
    }

    #[test]
    fn every_cut_is_named(message in message()) {
        let mut bytes = Vec::new();
        encode(&message, &mut bytes);
        for length in 0..bytes.len() {
            let error = decode(&bytes[..length]).expect_err("cut short");
            prop_assert_eq!(error.kind, Malformed::Truncated);
            prop_assert!(error.offset <= length && !error.field.is_empty());
        }
    }

    /// Arbitrary bytes, and real messages with a byte changed.
    #[test]
    fn whatever_decodes_encodes_to_itself(
        message in message(),
        noise in prop::collection::vec(any::<u8>(), 0..120),
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
    ) {
        let mut damaged = Vec::new();
        encode(&message, &mut damaged);
        let index = at.index(damaged.len());
        damaged[index] = to;
        for bytes in [noise, damaged] {
            if let Ok((read, length)) = decode(&bytes) {
                let mut again = Vec::new();
                encode(&read, &mut again);
                prop_assert_eq!(&again[..], &bytes[..length]);
            }
        }
    }
}

#[test]
fn unknown_values_are_named() {
    let vote =
        Vote { vote_type: VoteType::Prevote, height: 1, round: 0, value: None, validator: 3 };
    let message = Message { id: 1, account: 3, sent_ns: 0, body: Body::Vote(vote) };
    let mut bytes = Vec::new();
    encode(&message, &mut bytes);
    for (offset, said) in [
        (0, "byte 0: version 9 is not known; this reads 1"),
        (1, "byte 1: `class` has no value 9"),
        (18, "byte 18: `vote_type` has no value 9"),
        (31, "byte 31: `value` has no value 9"),
        (40, "byte 32: `value` has no value 0"),
    ] {
        let mut wrong = bytes.clone();
        wrong[offset] = 9;
        assert_eq!(decode(&wrong).expect_err("damaged").to_string(), said);
    }
}
