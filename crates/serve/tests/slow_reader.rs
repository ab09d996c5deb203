//! A reader that does not read: it is cut and can go on where it was, or is sent less. Others are
//! answered meanwhile.

use std::path::Path;
use std::time::Instant;

use surgetank_layer::message::{Body, Side};
use surgetank_serve::running::Running;
use surgetank_venue::event::{Event, Position, Stamped, StreamKey};
use surgetank_venue::request::{Action, Request};
use surgetank_venue::wire::{CutReason, Down, StreamState, Subscription, Up};

use crate::client::{Client, identity, order};
use crate::started::{CONNECTIONS, DESK, LONG, OTHER, drain, start_with};

const BOOK: StreamKey = StreamKey::Book(0);
/// Prices at which every frame changes the book.
const PRICES: u64 = 1000;

/// A venue that keeps every event for late readers; what waits for a client is bounded by 1 MiB.
fn venue(directory: &Path) -> Running {
    let kept = r#""history_bytes_max": 268435456"#;
    start_with(directory, &CONNECTIONS.replace(r#""history_bytes_max": 1048576"#, kept))
}

fn subscribe(after: Option<Position>, conflate: bool) -> Up {
    Up::Subscribe(vec![Subscription { key: BOOK, after, conflate }])
}

/// Orders at every price.
fn frame(number: u64) -> Vec<Request> {
    let priced = |index| {
        let mut request = order(7, number * PRICES + index, Side::Buy);
        if let Action::Message { body: Body::NewOrderSingle(order), .. } = &mut request.action {
            order.price = index as i64;
        }
        request
    };
    (1..=PRICES).map(priced).collect()
}

/// Changes the whole book until enough was changed; a reader that waited for would end it.
fn flood(desk: &mut Client, mut is_enough: impl FnMut(u64) -> bool) {
    let began = Instant::now();
    for number in 0.. {
        if is_enough(number) {
            return;
        }
        assert_eq!(desk.ask(&mut frame(number)).len(), PRICES as usize);
        assert!(began.elapsed() < LONG, "not after {number} frames");
    }
}

/// The next events or the end.
fn next(reader: &mut Client) -> Result<Vec<Stamped>, (CutReason, Option<Position>)> {
    reader.wait(|down| match down {
        Down::Events(events) => Some(Ok(events.clone())),
        Down::Cut(cut) => Some(Err((cut.reason, cut.streams.first().map(|said| said.last)))),
        _ => None,
    })
}

fn state(client: &mut Client) -> StreamState {
    client.send(&Up::Snapshot(BOOK));
    client.wait(|down| match down {
        Down::Snapshot(state) => Some(state.clone()),
        _ => None,
    })
}

/// The book that events lead to: quantity by price.
fn book(events: impl IntoIterator<Item = Event>) -> std::collections::BTreeMap<i64, i64> {
    let levels = events.into_iter().flat_map(|event| match event {
        Event::Levels(levels) => levels,
        other => panic!("{other:?}"),
    });
    levels.map(|level| (level.price, level.qty)).collect()
}

#[test]
fn a_slow_reader_is_cut_and_goes_on_without_a_hole() {
    let directory = tempfile::tempdir().expect("a directory");
    let running = venue(directory.path());
    let mut desk = Client::log_on(running.address(), identity("desk", DESK));
    let mut reader = Client::log_on(running.address(), identity("other", OTHER));
    reader.send(&subscribe(None, false));
    let cut = || running.overview(LONG).connections.cut.values().sum::<u64>();
    flood(&mut desk, |_| cut() > 0);

    let mut seen = Vec::new();
    let (reason, last) = loop {
        match next(&mut reader) {
            Ok(events) => seen.extend(events),
            Err(end) => break end,
        }
    };
    assert_eq!(reason, CutReason::SlowReader);
    let last = last.expect("it says where to go on");
    assert_eq!(seen.last().map(|event| event.number), Some(last.number));
    let truth = state(&mut desk);
    assert!(truth.last.number > last.number, "it has missed something");

    let mut reader = Client::log_on(running.address(), identity("other", OTHER));
    reader.send(&subscribe(Some(last), false));
    while seen.last().is_none_or(|event| event.number < truth.last.number) {
        seen.extend(next(&mut reader).expect("it keeps up"));
    }
    let chained = |pair: &[Stamped]| pair[1].previous == pair[0].number;
    let hole = seen.windows(2).find(|pair| !chained(pair));
    let hole = hole.map(|pair| (pair[0].number, pair[1].previous, pair[1].number));
    assert_eq!((hole, seen[0].number), (None, 1));
    assert_eq!(book(seen.into_iter().map(|event| event.event)), book(truth.events));
    drain(&running);
}

#[test]
fn a_slow_reader_that_conflates_is_sent_less_and_has_the_book() {
    let directory = tempfile::tempdir().expect("a directory");
    let running = venue(directory.path());
    let mut desk = Client::log_on(running.address(), identity("desk", DESK));
    let mut reader = Client::log_on(running.address(), identity("other", OTHER));
    reader.send(&subscribe(None, true));
    // What the kernel takes is beyond the venue's bound: only what waits beyond it is merged.
    flood(&mut desk, |number| number == 1000);
    let truth = state(&mut desk);

    let mut seen = Vec::new();
    while seen.last().is_none_or(|event: &Stamped| event.number < truth.last.number) {
        seen.extend(next(&mut reader).expect("it is not cut"));
    }
    let merged = seen.iter().filter(|event| event.number - event.previous > 1).count();
    let chained = seen.windows(2).all(|pair| pair[1].previous == pair[0].number);
    assert!(merged > 0 && chained && seen.len() < truth.last.number as usize);
    assert_eq!(book(seen.into_iter().map(|event| event.event)), book(truth.events));
    drain(&running);
}
