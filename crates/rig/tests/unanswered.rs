//! What is sent again after the end of a connection.

use surgetank_layer::message::{
    Body, LiquidationOrder, NewOrderSingle, OrdType, PriceUpdate, Side, TimeInForce,
};
use surgetank_layer::units::MessageId;
use surgetank_rig::unanswered::Unanswered;
use surgetank_venue::request::{Action, Request};

fn request(body: Body) -> Request {
    Request { number: 0, sender: 7, sent_ns: 10, action: Action::Message { body, padding: 0 } }
}

fn order(cl_ord_id: u64) -> Request {
    request(Body::NewOrderSingle(NewOrderSingle {
        cl_ord_id,
        symbol: 0,
        side: Side::Buy,
        ord_type: OrdType::Limit,
        time_in_force: TimeInForce::GoodTillCancel,
        post_only: false,
        reduce_only: false,
        price: 100,
        order_qty: 1,
    }))
}

/// Sends all that waits, as the requests of a new connection; their messages.
fn connection(unanswered: &mut Unanswered) -> Vec<MessageId> {
    let (ids, mut requests) = unanswered.take(usize::MAX);
    (1..).zip(&mut requests).for_each(|(number, request)| request.number = number);
    unanswered.sent(&ids, &requests);
    ids
}

#[test]
fn orders_without_an_answer_are_sent_again_before_what_came_due_meanwhile() {
    let price = PriceUpdate { symbol: 0, price: 100, observed_ns: 0 };
    let liquidation = LiquidationOrder { symbol: 0, target: 1, order_qty: 0, trigger_price: 100 };
    let mut unanswered = Unanswered::default();
    unanswered.push(0, order(1));
    unanswered.push(1, order(2));
    unanswered.push(2, request(Body::PriceUpdate(price)));
    unanswered.push(3, request(Body::LiquidationOrder(liquidation)));
    unanswered.push(4, order(3));
    assert_eq!(connection(&mut unanswered), [0, 1, 2, 3, 4]);
    assert_eq!(unanswered.answered(1), Some(0));
    unanswered.severed();
    unanswered.push(5, order(4));
    // The price and the liquidation may have been executed: a second copy would be, too.
    assert_eq!(connection(&mut unanswered), [1, 4, 5]);
    assert_eq!((unanswered.sent_again(), unanswered.len()), (2, 3));
}

#[test]
fn an_answer_counts_once_and_only_on_its_connection() {
    let mut unanswered = Unanswered::default();
    unanswered.push(0, order(1));
    connection(&mut unanswered);
    unanswered.severed();
    assert_eq!(unanswered.answered(1), None, "its connection has ended");
    connection(&mut unanswered);
    assert_eq!(unanswered.answered(1), Some(0));
    assert_eq!(unanswered.answered(1), None);
    assert!(unanswered.is_empty());
}
