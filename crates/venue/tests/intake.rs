//! IntakeBounds, refusals and their hints, batches, sessions, halts.

use surgetank_layer::admission::limit::Limit;
use surgetank_layer::message::{Body, PriceUpdate};
use surgetank_layer::units::{Ns, SECOND};
use surgetank_venue::answer::{Answer, Refusal};
use surgetank_venue::intake::bounds::{IntakeBounds, Load, Pace};
use surgetank_venue::intake::{Executed, Intake, Session};
use surgetank_venue::request::{AccountRequest, Action, Level, Request};
use surgetank_venue::storage::effect::Space;
use surgetank_venue::wire::CutReason;

use crate::examples::{about, cancel, message, order};

fn session(name: &str, account: u32, level: Level) -> Session {
    Session {
        key_name: "key".into(),
        name: name.into(),
        account,
        level,
        cancel_on_disconnect: false,
    }
}

/// An intake with connection 1 of account 7, and 2 of account 8.
fn connected(bounds: IntakeBounds) -> Intake {
    let mut intake = Intake::new(bounds);
    assert_eq!(intake.connected(0, 1, session("a", 7, Level::Disk)), Ok(None));
    assert_eq!(intake.connected(0, 2, session("b", 8, Level::Memory)), Ok(None));
    intake
}

/// Sends requests; the refusals with their hints, by the number of the request.
fn refusals(intake: &mut Intake, now: Ns, requests: &[Request]) -> Vec<(u32, Refusal, Ns)> {
    let permitted: Vec<_> = requests.iter().map(|request| (*request, None)).collect();
    intake.receive(now, 1, &permitted);
    let said = intake.take_answers().into_iter().flat_map(|(_, said)| said.answers);
    said.filter_map(|answer| match answer {
        Answer::Refused(no) => Some((no.request, no.refusal, no.retry_after_ns)),
        _ => None,
    })
    .collect()
}

fn orders(numbers: std::ops::RangeInclusive<u32>) -> Vec<Request> {
    numbers.map(|number| message(number, order(number.into()))).collect()
}

/// Executes what the next batch takes, at second 1; its requests.
fn execute(intake: &mut Intake, record: u64, first_sequence: u64) -> Vec<Request> {
    let batch = intake.take_batch();
    let requests = batch.iter().map(|waiting| waiting.request).collect();
    let executed = Executed {
        record,
        first_sequence,
        sealed_ns: SECOND,
        executed_ns: SECOND,
        requests: batch.into_iter().map(|waiting| (waiting, 0)).collect(),
    };
    intake.executed(executed);
    requests
}

/// Connections that were answered, with the watermark and the numbers of their requests.
fn answered(intake: &mut Intake) -> Vec<(u64, u32, Vec<u32>)> {
    let said = intake.take_answers().into_iter();
    said.map(|(connection, said)| {
        let numbers = said.answers.iter().map(Answer::request).collect();
        (connection, said.answered_through, numbers)
    })
    .collect()
}

#[test]
fn orders_leave_a_fifth_of_the_room_to_what_reduces_risk() {
    let bounds = IntakeBounds { waiting_max: 10, ..IntakeBounds::default() };
    let mut intake = connected(bounds);
    let shortest = SECOND / 1000;
    let full = |number| (number, Refusal::QueueFull, shortest);
    assert_eq!(refusals(&mut intake, 0, &orders(1..=9)), [full(9)]);
    let cancels: Vec<Request> =
        (10..=12).map(|number| message(number, cancel(number.into()))).collect();
    assert_eq!(refusals(&mut intake, 0, &cancels), [full(12)]);
    assert_eq!(execute(&mut intake, 1, 1).len(), 10);
    assert_eq!(refusals(&mut intake, 0, &orders(13..=13)), [], "there is room again");
}

#[test]
fn bytes_and_accounts_are_bounded() {
    let size = |bytes| IntakeBounds { waiting_bytes_max: bytes, ..IntakeBounds::default() };
    let load = Load { waiting: 1, waiting_bytes: 70, account_open: 1 };
    assert_eq!(size(100).admit(&load, 10, false), Ok(()));
    assert_eq!(size(100).admit(&load, 11, false), Err(Refusal::QueueFull));
    assert_eq!(size(100).admit(&load, 30, true), Ok(()));
    assert_eq!(size(100).admit(&load, 31, true), Err(Refusal::QueueFull));
    assert_eq!(size(u64::MAX).admit(&load, u64::MAX, true), Ok(()), "no overflow");
    let mut intake = connected(IntakeBounds { account_open_max: 5, ..IntakeBounds::default() });
    let full = |number| (number, Refusal::AccountQueueFull, SECOND / 1000);
    assert_eq!(refusals(&mut intake, 0, &orders(1..=5)), [full(5)]);
    let cancels = [6, 7].map(|number| message(number, cancel(number.into())));
    assert_eq!(refusals(&mut intake, 0, &cancels), [full(7)], "one place is left for cancels");
    let other = Request { sender: 8, ..message(1, order(1)) };
    intake.receive(0, 2, &[(other, None)]);
    assert_eq!(answered(&mut intake), [], "another account has its own bound");
    execute(&mut intake, 1, 1);
    assert_eq!(refusals(&mut intake, 0, &orders(8..=8)).len(), 1, "not durable yet");
    intake.durable(SECOND, 1);
    assert_eq!(refusals(&mut intake, 0, &orders(9..=9)), []);
}

#[test]
fn the_hint_is_what_waits_times_what_a_request_takes() {
    let mut pace = Pace::default();
    let of = |pace: &Pace| pace.drained_in(1000);
    assert_eq!(of(&pace), SECOND / 1000, "nothing is known");
    pace.note(10, 10 * 100_000);
    assert_eq!(of(&pace), 1000 * 100_000);
    for _ in 0..100 {
        pace.note(10, 10 * 200_000);
    }
    assert!((195_000_000..=200_000_000).contains(&of(&pace)), "{}", of(&pace));
    assert_eq!(pace.drained_in(u32::MAX), SECOND, "never longer");
    pace.note(0, Ns::MAX);
    assert_eq!(of(&pace), SECOND);
}

#[test]
fn rates_limit_what_adds_risk() {
    let rate = Some(Limit::per_second(2, 4));
    let mut intake = connected(IntakeBounds { rate, ..IntakeBounds::default() });
    let exceeded = (3, Refusal::RateExceeded, SECOND / 4);
    assert_eq!(refusals(&mut intake, 0, &orders(1..=3)), [exceeded]);
    assert_eq!(refusals(&mut intake, 0, &[message(4, cancel(4))]), []);
    assert_eq!(refusals(&mut intake, SECOND / 4, &orders(5..=5)), []);
    let copy = message(6, order(1));
    assert_eq!(refusals(&mut intake, SECOND / 4, &[copy]), [], "a copy costs nothing");
}

#[test]
fn a_short_disk_and_a_stop_let_cancels_pass() {
    let order_and_cancel = |from: u32| {
        [message(from, order(from.into())), message(from + 1, cancel(u64::from(from) + 1))]
    };
    let mut intake = connected(IntakeBounds::default());
    intake.set_space(Space::Reserve);
    let refused = refusals(&mut intake, 0, &order_and_cancel(1));
    assert_eq!(refused, [(1, Refusal::DiskReserve, SECOND)]);
    intake.set_space(Space::Full);
    let refused = refusals(&mut intake, 0, &order_and_cancel(3));
    let full = |number| (number, Refusal::DiskFull, SECOND);
    assert_eq!(refused, [full(3), full(4)]);
    intake.set_space(Space::Ample);
    intake.drain();
    assert_eq!(refusals(&mut intake, 0, &order_and_cancel(5)), [(5, Refusal::Draining, 0)]);
}

#[test]
fn halts_stop_orders_of_their_account_or_market() {
    let halt =
        |account, symbol, halted| about(1, 100, AccountRequest::Halt { account, symbol, halted });
    for (account, symbol, stops) in [
        (None, None, true),
        (Some(7), None, true),
        (Some(8), None, false),
        (None, Some(0), true),
        (None, Some(1), false),
        (Some(7), Some(0), true),
        (Some(7), Some(1), false),
    ] {
        let mut intake = connected(IntakeBounds::default());
        let place = surgetank_venue::answer::JournalPlace { sequence: 1, ord_rej_reason: 0 };
        intake.place(&halt(account, symbol, true), place);
        let mut intake =
            Intake::restore(IntakeBounds::default(), &intake.state()).expect("a state");
        assert_eq!(intake.connected(0, 1, session("a", 7, Level::Disk)), Ok(None));
        let expected = if stops { vec![(1, Refusal::Halted, 0)] } else { vec![] };
        assert_eq!(refusals(&mut intake, 0, &orders(1..=1)), expected, "{account:?} {symbol:?}");
        assert_eq!(refusals(&mut intake, 0, &[message(2, cancel(2))]), []);
        let again = about(3, 101, AccountRequest::Halt { account, symbol, halted: false });
        intake.place(&again, place);
        assert_eq!(refusals(&mut intake, 0, &orders(4..=4)), []);
    }
}

#[test]
fn batches_take_what_came_first_up_to_their_limits() {
    let mut intake = connected(IntakeBounds { batch_requests_max: 3, ..IntakeBounds::default() });
    refusals(&mut intake, 0, &orders(1..=5));
    assert_eq!(execute(&mut intake, 1, 1), orders(1..=3));
    assert_eq!(execute(&mut intake, 2, 4), orders(4..=5));
    assert_eq!(execute(&mut intake, 3, 6), []);
    // One that is larger than a batch goes alone.
    let mut intake = connected(IntakeBounds { batch_bytes_max: 1, ..IntakeBounds::default() });
    refusals(&mut intake, 0, &orders(1..=2));
    assert_eq!(execute(&mut intake, 1, 1), orders(1..=1));
    assert_eq!(execute(&mut intake, 2, 2), orders(2..=2));
}

#[test]
fn answers_wait_for_the_level_of_their_session() {
    let mut intake = connected(IntakeBounds::default());
    intake.receive(0, 1, &[(message(1, order(1)), None)]);
    let other = |number| Request { sender: 8, ..message(number, order(number.into())) };
    intake.receive(0, 2, &[(other(1), None), (other(2), Some(Refusal::WrongSignature))]);
    assert_eq!(answered(&mut intake), [(2, 0, vec![2])], "request 1 is not answered yet");
    execute(&mut intake, 1, 1);
    assert_eq!(answered(&mut intake), [(2, 2, vec![1])], "level memory");
    intake.durable(2 * SECOND, 0);
    assert_eq!(answered(&mut intake), []);
    intake.durable(2 * SECOND, 1);
    assert_eq!(answered(&mut intake), [(1, 1, vec![1])]);
}

#[test]
fn a_session_has_one_connection_and_levels_that_exist() {
    let mut intake = connected(IntakeBounds { connections_max: 2, ..IntakeBounds::default() });
    let third = intake.connected(0, 3, session("c", 7, Level::Disk));
    assert_eq!(third, Err(CutReason::TooManyConnections));
    let quorum = intake.connected(0, 3, session("a", 7, Level::Quorum));
    assert_eq!(quorum, Err(CutReason::LevelNotOffered));
    intake.receive(0, 1, &[(message(1, order(1)), None)]);
    assert_eq!(intake.connected(0, 3, session("a", 7, Level::Disk)), Ok(Some(1)));
    intake.receive(0, 1, &[(message(2, order(2)), None)]);
    intake.gone(0, 1, false);
    assert_eq!(execute(&mut intake, 1, 1), orders(1..=1), "what it sent before stays");
    intake.durable(SECOND, 1);
    assert_eq!(answered(&mut intake), [], "nobody is there to hear it");
    intake.receive(0, 3, &[(message(1, order(1)), None)]);
    assert_eq!(answered(&mut intake), [(3, 1, vec![1])], "a copy is answered");
}

#[test]
fn orders_are_cancelled_on_disconnect_if_that_was_asked_for() {
    let made = |asked, logged_out| {
        let mut intake = Intake::new(IntakeBounds::default());
        let session = Session { cancel_on_disconnect: asked, ..session("a", 7, Level::Disk) };
        assert_eq!(intake.connected(0, 1, session), Ok(None));
        intake.gone(5, 1, logged_out);
        execute(&mut intake, 1, 1)
    };
    let request = AccountRequest::CancelAll { account: 7, symbol: None };
    let action = Action::Account { cl_ord_id: 0, request };
    let cancels = [Request { number: 0, sender: 7, sent_ns: 5, action }];
    assert_eq!(made(true, false), cancels);
    assert_eq!(made(true, true), []);
    assert_eq!(made(false, false), []);
    let mut intake = connected(IntakeBounds::default());
    let zero = message(1, order(0));
    assert_eq!(refusals(&mut intake, 0, &[zero]), [(1, Refusal::TooOld, 0)], "the venue's own");
}

#[test]
fn a_price_of_the_future_is_refused() {
    let mut intake = connected(IntakeBounds::default());
    let observed = |number, observed_ns| {
        let update = PriceUpdate { symbol: 0, price: 1000, observed_ns };
        message(number, Body::PriceUpdate(update))
    };
    let now = 1_000 * SECOND;
    let sent = [observed(1, now + 30 * SECOND), observed(2, now + 30 * SECOND + 1)];
    assert_eq!(refusals(&mut intake, now, &sent), [(2, Refusal::FutureTime, 0)]);
    assert_eq!(execute(&mut intake, 1, 1), [sent[0]]);
}
