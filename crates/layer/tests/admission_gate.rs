//! The gate: checks in a row, each refusal with its reason and hint, nothing spent on a refusal.

use surgetank_layer::admission::budgets::{self, Cancels, Policy, Reducing};
use surgetank_layer::admission::cancel_memory;
use surgetank_layer::admission::criticality::Criticality;
use surgetank_layer::admission::gate::{Config, Gate, Input, Load, OrderNumber, Output, Request};
use surgetank_layer::admission::limit::Limit;
use surgetank_layer::admission::price::backlog::{self, Window};
use surgetank_layer::admission::price::{self, Relief};
use surgetank_layer::admission::{AdmissionReason, Kind, Refusal};
use surgetank_layer::machine::{Draws, Machine};
use surgetank_layer::message::{Class, Envelope, flags};
use surgetank_layer::units::{MS, NEVER, SECOND};

struct NoDraws;

impl Draws for NoDraws {
    fn next_u64(&mut self) -> u64 {
        unreachable!("gates draw nothing")
    }
}

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
        admission_limit: 50,
    })
}

fn place(order: u64) -> Request {
    let order = OrderNumber::Place { order, expires: Some(9) };
    let criticality = Criticality::Immediate;
    Request { account: 1, kind: Kind::Order, criticality, order, fee: 100, cost: 1 }
}

fn cancel(order: u64) -> Request {
    let order = OrderNumber::Cancel { order };
    Request { kind: Kind::Cancel, criticality: Criticality::Reducing, order, fee: 0, ..place(0) }
}

fn reducing(order: u64) -> Request {
    Request { kind: Kind::Reducing, criticality: Criticality::Reducing, fee: 0, ..place(order) }
}

const CALM: Load = Load { height: 5, inflight: 0, backlog_ns: 0 };

fn answer(gate: &mut Gate, now: u64, ask: Request, load: Load) -> Output {
    let mut outbox = Vec::new();
    gate.step(now, Input::Request(ask, load), &mut NoDraws, &mut outbox);
    outbox.remove(0)
}

fn refused(reason: AdmissionReason, retry_after_ns: u64) -> Output {
    Output::Refused(Refusal { reason, retry_after_ns })
}

#[test]
fn each_check_refuses_with_its_reason_and_hint() {
    let mut gate = gate();
    let late = Load { height: 10, ..CALM };
    assert_eq!(answer(&mut gate, 0, place(1), late), refused(AdmissionReason::Expired, NEVER));
    let full = Load { inflight: 50, backlog_ns: 7 * MS, ..CALM };
    assert_eq!(answer(&mut gate, 0, place(1), full), refused(AdmissionReason::Busy, 7 * MS));
    let cheap = Request { fee: 99, ..place(1) };
    assert_eq!(answer(&mut gate, 0, cheap, CALM), refused(AdmissionReason::FeeTooLow, NEVER));
    // None of them has spent anything.
    assert_eq!(answer(&mut gate, 0, place(1), CALM), Output::Admitted);
    assert_eq!(answer(&mut gate, 0, place(2), CALM), Output::Admitted);
    assert_eq!(
        answer(&mut gate, 0, place(3), CALM),
        refused(AdmissionReason::RateExceeded, 500 * MS)
    );
    assert_eq!(answer(&mut gate, 0, cancel(1), CALM), Output::Admitted);
    let again = answer(&mut gate, 0, place(1), CALM);
    assert_eq!(again, refused(AdmissionReason::CancelledBefore, NEVER));
}

#[test]
fn in_a_surge_cancels_and_risk_reducing_messages_pass() {
    let mut gate = gate();
    let mut outbox = Vec::new();
    gate.step(0, Input::Batch { work: 2_000 }, &mut NoDraws, &mut outbox);
    // e² of the least fee; the polynomial is rounded down.
    assert_eq!(outbox, [Output::Fee(738)]);
    assert_eq!((gate.owed(0, Kind::Order), gate.owed(0, Kind::Cancel)), (738, 0));
    let full = Load { inflight: 1_000, ..CALM };
    assert_eq!(answer(&mut gate, 0, cancel(9), full), Output::Admitted);
    assert_eq!(answer(&mut gate, 0, reducing(8), full), Output::Admitted);
    // A bid of 272 is enough after a second, when half has leaked.
    let wait = match answer(&mut gate, 0, Request { fee: 272, ..place(7) }, CALM) {
        Output::Refused(Refusal { reason: AdmissionReason::FeeTooLow, retry_after_ns }) => {
            retry_after_ns
        }
        other => panic!("{other:?}"),
    };
    assert!((990 * MS..SECOND).contains(&wait), "{wait}");
    let retry = answer(&mut gate, wait, Request { fee: 272, ..place(7) }, CALM);
    assert_eq!(retry, Output::Admitted);
}

#[test]
fn a_refused_cancel_is_not_remembered() {
    let mut gate = gate();
    assert_eq!(answer(&mut gate, 0, cancel(1), CALM), Output::Admitted);
    assert_eq!(
        answer(&mut gate, 0, cancel(2), CALM),
        refused(AdmissionReason::RateExceeded, SECOND)
    );
    assert_eq!(answer(&mut gate, 0, place(2), CALM), Output::Admitted);
}

#[test]
fn a_forgotten_cancel_is_said() {
    let mut gate = gate();
    let mut outbox = Vec::new();
    for (second, order) in [(0, 4), (1, 5), (2, 6)] {
        let input = Input::Request(cancel(order), CALM);
        gate.step(second * SECOND, input, &mut NoDraws, &mut outbox);
    }
    assert_eq!(outbox.len(), 4);
    let forgotten = cancel_memory::EvictedCancel { account: 1, order: 4 };
    assert_eq!(outbox[3], Output::Evicted(forgotten));
}

#[test]
fn the_admission_limit_can_be_set_anew() {
    let mut gate = gate();
    let load = Load { inflight: 20, ..CALM };
    gate.step(0, Input::Limit(20), &mut NoDraws, &mut Vec::new());
    assert_eq!(answer(&mut gate, 0, place(1), load), refused(AdmissionReason::Busy, 0));
    gate.step(0, Input::Limit(21), &mut NoDraws, &mut Vec::new());
    assert_eq!(answer(&mut gate, 0, place(1), load), Output::Admitted);
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
