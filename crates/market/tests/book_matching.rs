//! The book by behaviour: counterparties, prices and remainders.

use crate::desk;
use desk::*;
use surgetank_layer::message::{NewOrderSingle, OrdType, Side, TimeInForce};
use surgetank_market::{CancelReason, Fact, Reject};

#[test]
fn better_price_first_then_time() {
    let mut d = Desk::rich(3);
    d.order(1, limit(1, Side::Sell, 102, 5));
    d.order(1, limit(2, Side::Sell, 101, 5));
    d.order(2, limit(3, Side::Sell, 101, 5));
    let facts = d.order(0, limit(4, Side::Buy, 102, 12));
    assert_eq!(trades(&facts), [(1, 2, 101, 5), (2, 3, 101, 5), (1, 1, 102, 2)]);
    assert_eq!(d.market.best(0), (None, Some((102, 3))));
    assert_eq!((d.market.position(0, 0), d.market.position(1, 0)), (12, -7));
}

#[test]
fn a_limit_order_stops_at_its_limit_and_rests() {
    let mut d = Desk::rich(2);
    d.order(1, limit(1, Side::Sell, 101, 5));
    d.order(1, limit(2, Side::Sell, 103, 5));
    let facts = d.order(0, limit(3, Side::Buy, 102, 8));
    assert_eq!(trades(&facts), [(1, 1, 101, 5)]);
    assert_eq!(d.market.best(0), (Some((102, 3)), Some((103, 5))));
    assert_eq!(d.market.last(0), Some(101));
}

#[test]
fn market_and_ioc_orders_never_rest() {
    let mut d = Desk::rich(2);
    d.order(1, limit(1, Side::Buy, 99, 5));
    d.order(1, limit(2, Side::Buy, 97, 5));
    let ioc = TimeInForce::ImmediateOrCancel;
    let order = NewOrderSingle { time_in_force: ioc, ..limit(3, Side::Sell, 98, 6) };
    let facts = d.order(0, order);
    assert_eq!(trades(&facts), [(1, 1, 99, 5)]);
    assert_eq!(canceled(&facts), [(3, 1, CancelReason::ImmediateOrCancel)]);
    let facts = d.order(0, market(4, Side::Sell, 9));
    assert_eq!(trades(&facts), [(1, 2, 97, 5)]);
    assert_eq!(canceled(&facts), [(4, 4, CancelReason::ImmediateOrCancel)]);
    assert!(d.market.book(0).is_empty());
}

#[test]
fn post_only_is_refused_rather_than_take() {
    let mut d = Desk::rich(2);
    d.order(1, limit(1, Side::Sell, 101, 5));
    let order = NewOrderSingle { post_only: true, ..limit(2, Side::Buy, 101, 1) };
    assert_eq!(reject(&d.order(0, order)), Some(Reject::PostOnlyWouldTake));
    assert!(reject(&d.order(0, NewOrderSingle { price: 100, ..order })).is_none());
    assert_eq!(reject(&d.replace(0, (2, 3), 101, 1)), Some(Reject::PostOnlyWouldTake));
    assert_eq!(d.market.best(0), (Some((100, 1)), Some((101, 5))), "the original still rests");
    let order = NewOrderSingle { ord_type: OrdType::Market, cl_ord_id: 9, ..order };
    assert_eq!(reject(&d.order(0, order)), Some(Reject::UnsupportedOrder));
}

#[test]
fn reduce_only_is_cut_on_entry_and_again_when_it_trades() {
    let mut d = Desk::rich(3);
    let reduce = |id, qty| NewOrderSingle { reduce_only: true, ..limit(id, Side::Sell, 105, qty) };
    assert_eq!(reject(&d.order(0, reduce(1, 5))), Some(Reject::ReduceOnlyWouldIncrease));
    d.order(1, limit(1, Side::Sell, 100, 10));
    d.order(0, market(2, Side::Buy, 10));
    let facts = d.order(0, reduce(3, 25));
    assert!(matches!(facts[..], [Fact::Accepted { leaves: 10, .. }]), "{facts:?}");
    d.order(0, reduce(4, 6));
    // 16 are offered by a position of 10: the first order closes it, the second must go.
    let facts = d.order(2, market(5, Side::Buy, 16));
    assert_eq!(trades(&facts), [(0, 3, 105, 10)]);
    let gone = [(4, 6, CancelReason::ReduceOnly), (5, 6, CancelReason::ImmediateOrCancel)];
    assert_eq!(canceled(&facts), gone);
    assert_eq!(d.market.position(0, 0), 0);
}

#[test]
fn in_a_self_trade_the_resting_order_goes() {
    let mut d = Desk::rich(2);
    d.order(0, limit(1, Side::Sell, 101, 5));
    d.order(1, limit(2, Side::Sell, 102, 5));
    let facts = d.order(0, limit(3, Side::Buy, 102, 5));
    assert_eq!(canceled(&facts), [(1, 5, CancelReason::SelfTrade)]);
    assert_eq!(trades(&facts), [(1, 2, 102, 5)]);
}

#[test]
fn cancel_takes_out_what_is_left_and_only_ones_own() {
    let mut d = Desk::rich(2);
    d.order(0, limit(1, Side::Buy, 99, 5));
    d.order(1, market(2, Side::Sell, 2));
    assert_eq!(reject(&d.cancel(1, 1)), Some(Reject::UnknownOrder));
    assert_eq!(canceled(&d.cancel(0, 1)), [(1, 3, CancelReason::Requested)]);
    assert_eq!(reject(&d.cancel(0, 1)), Some(Reject::UnknownOrder));
    assert_eq!(d.market.position_detail(0, 0).open_buy, 0);
}

#[test]
fn replace_keeps_the_place_only_when_smaller_at_the_same_price() {
    for (price, qty, keeps) in [(101, 4, true), (101, 5, true), (101, 6, false), (102, 4, false)] {
        let mut d = Desk::rich(3);
        d.order(1, limit(1, Side::Sell, 101, 5));
        d.order(2, limit(2, Side::Sell, 101, 5));
        let facts = d.replace(1, (1, 7), price, qty);
        let Fact::Replaced { kept_priority, was, leaves, .. } = facts[0] else { panic!() };
        assert_eq!((kept_priority, was, leaves), (keeps, 5, qty));
        let first = trades(&d.order(0, market(3, Side::Buy, 1)))[0];
        assert_eq!(first, if keeps { (1, 7, 101, 1) } else { (2, 2, 101, 1) });
        assert_eq!(d.market.open_orders(1, 0).count(), 1);
    }
}

#[test]
fn replace_may_match_and_a_refused_replace_changes_nothing() {
    let mut d = Desk::rich(3);
    d.order(0, limit(1, Side::Buy, 99, 5));
    d.order(0, limit(2, Side::Buy, 98, 5));
    d.order(1, limit(1, Side::Sell, 101, 2));
    assert_eq!(reject(&d.replace(0, (1, 2), 99, 5)), Some(Reject::DuplicateOrder));
    assert_eq!(reject(&d.replace(0, (8, 9), 99, 5)), Some(Reject::UnknownOrder));
    assert_eq!(reject(&d.replace(0, (1, 3), 99, 0)), Some(Reject::IncorrectQuantity));
    assert_eq!(d.market.best(0), (Some((99, 5)), Some((101, 2))));
    let facts = d.replace(0, (1, 3), 101, 5);
    assert_eq!(trades(&facts), [(1, 1, 101, 2)]);
    assert_eq!(d.market.best(0), (Some((101, 3)), None));
    assert_eq!(d.market.position_detail(0, 0).open_buy, 8);
}

#[test]
fn refusals_name_their_reason() {
    let mut d = Desk::rich(1);
    d.order(0, limit(1, Side::Buy, 99, 5));
    let refused = |d: &mut Desk, account, order| reject(&d.order(account, order)).map(|r| r as u8);
    let order = limit(2, Side::Buy, 99, 5);
    assert_eq!(refused(&mut d, 0, NewOrderSingle { symbol: 1, ..order }), Some(1));
    assert_eq!(refused(&mut d, 0, NewOrderSingle { cl_ord_id: 1, ..order }), Some(6));
    assert_eq!(refused(&mut d, 0, NewOrderSingle { order_qty: -5, ..order }), Some(13));
    assert_eq!(refused(&mut d, 7, order), Some(15));
    assert_eq!(refused(&mut d, 0, NewOrderSingle { price: 0, ..order }), Some(16));
    let huge = NewOrderSingle { order_qty: surgetank_market::QTY_MAX, ..order };
    assert_eq!(refused(&mut d, 0, huge), Some(3));
}
