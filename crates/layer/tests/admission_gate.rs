//! The gate: checks in a row, each refusal with its reason and hint, nothing spent on a refusal.

use surgetank_layer::admission::budgets::{self, Cancels, Policy, Reducing};
use surgetank_layer::admission::cancel_memory::{self, EvictedCancel};
use surgetank_layer::admission::gate::{Config, Gate, OrderNumber, Request};
use surgetank_layer::admission::limit::Limit;
use surgetank_layer::admission::price::backlog::{self, Window};
use surgetank_layer::admission::price::{self, Relief};
use surgetank_layer::admission::{AdmissionReason, Kind, Refusal};
use surgetank_layer::message::{Class, Envelope, flags};
use surgetank_layer::units::{Height, MS, NEVER, Ns, SECOND};

/// Two orders and one cancel a second; 1 000 work a second; a factor of e a second of backlog.
fn gate() -> Gate {
    let policy = Policy::Rates {
        orders: Limit::per_second(2, 2),
        cancels: Cancels::Own(Limit::per_second(1, 1)),
    };
    let price = price::Config::Backlog(backlog::Config {
        fee_min: 100,
        windows: vec![Window { target_per_s: 1_000, window_ns: SECOND }],
        degree: 20,
        exponent_max_bips: backlog::EXPONENT_MAX_BIPS,
    });
    Gate::new(Config {
        budgets: Some(budgets::Config { policy, reducing: Reducing::Exempt, accounts_max: 10 }),
        price,
        relief: Relief::Exempt,
        cancel_memory: Some(cancel_memory::Config { capacity: 2, horizon: 20 }),
    })
}

fn place(order: u64) -> Request {
    let order = OrderNumber::Place { order, expires: Some(9) };
    Request { account: 1, kind: Kind::Order, order, fee: 100, cost: 1 }
}

fn cancel(order: u64) -> Request {
    let order = OrderNumber::Cancel { order };
    Request { kind: Kind::Cancel, order, fee: 0, ..place(0) }
}

fn reducing(order: u64) -> Request {
    Request { kind: Kind::Reducing, fee: 0, ..place(order) }
}

/// Height of the next batch.
const NEXT: Height = 5;

type Answer = Result<Option<EvictedCancel>, Refusal>;

const ADMITTED: Answer = Ok(None);

fn refused(reason: AdmissionReason, retry_after_ns: Ns) -> Answer {
    Err(Refusal { reason, retry_after_ns })
}

#[test]
fn each_check_refuses_with_its_reason_and_hint() {
    let mut gate = gate();
    assert_eq!(gate.admit(0, &place(1), 10), refused(AdmissionReason::Expired, NEVER));
    let cheap = Request { fee: 99, ..place(1) };
    assert_eq!(gate.admit(0, &cheap, NEXT), refused(AdmissionReason::FeeTooLow, NEVER));
    // None of them has spent anything.
    assert_eq!(gate.admit(0, &place(1), NEXT), ADMITTED);
    assert_eq!(gate.admit(0, &place(2), NEXT), ADMITTED);
    assert_eq!(gate.admit(0, &place(3), NEXT), refused(AdmissionReason::RateExceeded, 500 * MS));
    assert_eq!(gate.admit(0, &cancel(1), NEXT), ADMITTED);
    let again = gate.admit(0, &place(1), NEXT);
    assert_eq!(again, refused(AdmissionReason::CancelledBefore, NEVER));
}

#[test]
fn in_a_surge_cancels_and_risk_reducing_messages_pass() {
    let mut gate = gate();
    // e² of the least fee; the polynomial is rounded down.
    assert_eq!(gate.on_batch(0, 2_000), 738);
    assert_eq!((gate.owed(0, Kind::Order), gate.owed(0, Kind::Cancel)), (738, 0));
    assert_eq!(gate.admit(0, &cancel(9), NEXT), ADMITTED);
    assert_eq!(gate.admit(0, &reducing(8), NEXT), ADMITTED);
    // A bid of 272 is enough after a second, when half has leaked.
    let bid = Request { fee: 272, ..place(7) };
    let no = gate.admit(0, &bid, NEXT).unwrap_err();
    assert_eq!(no.reason, AdmissionReason::FeeTooLow);
    assert!((990 * MS..SECOND).contains(&no.retry_after_ns), "{no:?}");
    assert_eq!(gate.admit(no.retry_after_ns, &bid, NEXT), ADMITTED);
}

#[test]
fn a_refused_cancel_is_not_remembered() {
    let mut gate = gate();
    assert_eq!(gate.admit(0, &cancel(1), NEXT), ADMITTED);
    assert_eq!(gate.admit(0, &cancel(2), NEXT), refused(AdmissionReason::RateExceeded, SECOND));
    assert_eq!(gate.admit(0, &place(2), NEXT), ADMITTED);
}

#[test]
fn an_evicted_cancel_is_reported() {
    let mut gate = gate();
    assert_eq!(gate.admit(0, &cancel(4), NEXT), ADMITTED);
    assert_eq!(gate.admit(SECOND, &cancel(5), NEXT), ADMITTED);
    let evicted = EvictedCancel { account: 1, order: 4 };
    assert_eq!(gate.admit(2 * SECOND, &cancel(6), NEXT), Ok(Some(evicted)));
}

#[test]
fn an_ask_is_read_off_an_envelope() {
    let plain =
        Envelope { flags: flags::IMMEDIATE, ..Envelope::plain(3, Class::NewOrderSingle, 128, 1) };
    let bid = Envelope { fee_micros: 100, expires: 9, ..plain };
    assert_eq!(Request::of(&bid, Some(4)), Some(place(4)));
    let order = OrderNumber::Place { order: 4, expires: None };
    assert_eq!(Request::of(&plain, Some(4)), Some(Request { order, fee: 0, ..place(4) }));
    let reduce_only = Envelope { flags: flags::REDUCE_ONLY, fee_micros: 0, ..bid };
    assert_eq!(Request::of(&reduce_only, Some(4)), Some(reducing(4)));
    let cancelling = Envelope { class: Class::OrderCancelRequest, ..plain };
    assert_eq!(Request::of(&cancelling, Some(4)), Some(cancel(4)));
    let keeper = Envelope { class: Class::LiquidationOrder, ..plain };
    let none = OrderNumber::None;
    assert_eq!(Request::of(&keeper, None), Some(Request { order: none, ..reducing(0) }));
    assert_eq!(Request::of(&Envelope { class: Class::Vote, ..plain }, None), None);
}
