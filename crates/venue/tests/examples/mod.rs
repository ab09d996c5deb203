//! One value of every kind that crosses a connection.

use std::sync::Arc;

use surgetank_layer::message::{
    Body, ExecType, LiquidationOrder, NewOrderSingle, OrdType, OrderCancelReplaceRequest,
    OrderCancelRequest, PriceUpdate, Side, TimeInForce,
};
use surgetank_market::MarginMode;
use surgetank_venue::answer::{Answer, Duplicate, JournalPlace, Refusal, Refused, Sealed, Status};
use surgetank_venue::event::{
    BadDebt, Cash, Deleveraging, Event, Funding, Holding, Liquidation, MarginCall, Order, Position,
    PriceLevel, Prices, Report, Stamped, StreamKey, Trade,
};
use surgetank_venue::request::{AccountRequest, Action, Level, Request};
use surgetank_venue::wire::{
    Answers, Challenge, Cut, CutReason, Down, Gap, GapReason, LoggedOn, Logon, Notice, OrderStatus,
    Signature, SignedRequest, StreamPosition, StreamState, Subscription, Up,
};

/// A new order of account 7 with this ClOrdID.
pub fn order(cl_ord_id: u64) -> Body {
    Body::NewOrderSingle(NewOrderSingle {
        cl_ord_id,
        symbol: 0,
        side: Side::Buy,
        ord_type: OrdType::Limit,
        time_in_force: TimeInForce::GoodTillCancel,
        post_only: false,
        reduce_only: false,
        price: 1000,
        order_qty: 5,
    })
}

/// A cancel with this ClOrdID.
pub fn cancel(cl_ord_id: u64) -> Body {
    let orig_cl_ord_id = cl_ord_id.wrapping_sub(1);
    Body::OrderCancelRequest(OrderCancelRequest { cl_ord_id, orig_cl_ord_id, symbol: 0 })
}

/// A request of account 7 with this message.
pub fn message(number: u32, body: Body) -> Request {
    Request { number, sender: 7, sent_ns: 5, action: Action::Message { body, padding: 0 } }
}

/// A request of account 7 about accounts.
pub fn about(number: u32, cl_ord_id: u64, request: AccountRequest) -> Request {
    Request { number, sender: 7, sent_ns: 5, action: Action::Account { cl_ord_id, request } }
}

/// Requests of every kind.
pub fn requests() -> Vec<Request> {
    let replace = OrderCancelReplaceRequest {
        cl_ord_id: 3,
        orig_cl_ord_id: 2,
        symbol: 0,
        price: 9,
        order_qty: 1,
    };
    let liquidation = LiquidationOrder { symbol: 1, target: 9, order_qty: 0, trigger_price: 77 };
    let bodies = [
        order(1),
        cancel(2),
        Body::OrderCancelReplaceRequest(replace),
        Body::PriceUpdate(PriceUpdate { symbol: 0, price: 100, observed_ns: 4 }),
        Body::LiquidationOrder(liquidation),
    ];
    let accounts = [
        AccountRequest::Open { account: 8, mode: MarginMode::Cross },
        AccountRequest::Deposit { account: 8, cash: 1 << 70 },
        AccountRequest::Withdraw { account: 7, cash: -1 },
        AccountRequest::CancelAll { account: 7, symbol: Some(1) },
        AccountRequest::CancelAll { account: 7, symbol: None },
        AccountRequest::Halt { account: None, symbol: Some(0), halted: true },
    ];
    let padded = Action::Message { body: order(9), padding: 3 };
    let mut all: Vec<Request> = bodies.into_iter().map(|body| message(1, body)).collect();
    all.extend(accounts.into_iter().map(|request| about(2, 6, request)));
    all.push(Request { number: 3, sender: 7, sent_ns: 5, action: padded });
    all
}

/// Frames of every kind that clients send.
pub fn ups() -> Vec<Up> {
    let signature = Signature(vec![5; 64]);
    let logon = Logon {
        key_name: "desk".into(),
        session: "Zürich".into(),
        nonce: [3; 16],
        time_ns: 4,
        level: Level::Disk,
        cancel_on_disconnect: true,
        signature: signature.clone(),
    };
    let signed = |request| SignedRequest { request, signature: signature.clone() };
    let after = Some(Position { epoch: 1, number: 9 });
    let subscriptions = vec![
        Subscription { key: StreamKey::Executions(7), after, conflate: false },
        Subscription { key: StreamKey::Book(0), after: None, conflate: true },
    ];
    vec![
        Up::Logon(logon),
        Up::Requests(requests().into_iter().map(signed).collect()),
        Up::OrderStatus(5),
        Up::Subscribe(subscriptions),
        Up::Unsubscribe(vec![StreamKey::Journal(()), StreamKey::PublicPositions(())]),
        Up::Snapshot(StreamKey::Orders(1)),
        Up::Ping(9),
        Up::Logout(()),
    ]
}

/// Events of every kind.
pub fn events() -> Vec<Event> {
    let (side, symbol) = (Side::Sell, 1);
    let report = Report {
        exec_type: ExecType::Trade,
        cl_ord_id: 1,
        orig_cl_ord_id: 0,
        symbol,
        side: Some(side),
        last_px: 5,
        last_qty: 6,
        leaves_qty: 7,
        reason: 0,
        is_maker: true,
    };
    let liquidation = Liquidation {
        symbol,
        held: -5,
        remaining: 0,
        book_qty: 3,
        deleveraged_qty: 1,
        taken_over_qty: 1,
        mark_price: 9,
        bankruptcy_price: 10,
        fee: 4,
    };
    vec![
        Event::Report(report),
        Event::Position(Holding { account: 7, symbol, qty: -5 }),
        Event::Cash(Cash { account: 7, cash: -(1 << 90) }),
        Event::MarginCall(MarginCall { symbol, mark_price: 9 }),
        Event::Liquidation(liquidation),
        Event::Deleveraging(Deleveraging { symbol, qty: 1, price: 9, haircut: 3 }),
        Event::BadDebt(BadDebt { symbol, amount: 8, borne_by: 1 }),
        Event::Levels(vec![PriceLevel { side, price: 9, qty: 0 }; 2]),
        Event::Orders(vec![Order { order: 1, side, price: 9, qty: 0 }]),
        Event::Trades(vec![Trade { price: 9, qty: 1, taker_side: side, liquidation: false }]),
        Event::Prices(Prices { oracle: 9, observed_ns: 3, mark: 8 }),
        Event::Funding(Funding { price: 9, premium_ppb: -1, rate_ppb: 1 }),
        Event::Batch(Arc::from([1, 2, 3])),
    ]
}

/// Frames of every kind that a venue sends.
pub fn downs() -> Vec<Down> {
    let key = StreamKey::Trades(1);
    let stamped =
        |event| Stamped { key, epoch: 1, number: 2, previous: 1, sequence: 5, time_ns: 6, event };
    let sealed = Sealed {
        request: 1,
        sequence: 2,
        ord_rej_reason: 100,
        received_ns: 3,
        sealed_ns: 4,
        synced_ns: 6,
        executed_ns: 5,
    };
    let refused = Refused { request: 2, refusal: Refusal::QueueFull, retry_after_ns: 7 };
    let duplicate = Duplicate { request: 3, sequence: 2, ord_rej_reason: 0 };
    let answers =
        vec![Answer::Sealed(sealed), Answer::Refused(refused), Answer::Duplicate(duplicate)];
    let last = Position { epoch: 1, number: 2 };
    let streams = vec![StreamPosition { key: StreamKey::Risk(7), last }];
    let status = |status| Down::OrderStatus(OrderStatus { cl_ord_id: 1, status });
    vec![
        Down::Challenge(Challenge { version: 1, venue: [1; 16], nonce: [2; 32], time_ns: 3 }),
        Down::LoggedOn(LoggedOn {
            account: 7,
            session_key: [9; 32],
            time_ns: 3,
            sequence: 4,
            streams: streams.clone(),
        }),
        Down::Answers(Answers { answered_through: 3, answers }),
        status(Status::Known(JournalPlace { sequence: 2, ord_rej_reason: 0 })),
        status(Status::Waiting(())),
        status(Status::Unknown(())),
        status(Status::TooOld(())),
        Down::Events(events().into_iter().map(stamped).collect()),
        Down::Snapshot(StreamState { key, last, sequence: 5, events: events() }),
        Down::Gap(Gap { key, epoch: 1, from: 1, to: 2, reason: GapReason::Archived }),
        Down::Pong(9),
        Down::Notice(Notice::Draining),
        Down::Cut(Cut { reason: CutReason::SlowReader, streams }),
    ]
}
