//! A venue answers, stops, and goes on where it was.

use surgetank_layer::message::Side;
use surgetank_serve::progress::Why;
use surgetank_serve::running::NotStarted;
use surgetank_venue::answer::{Answer, Duplicate, JournalPlace, Sealed, Status};
use surgetank_venue::event::{Position, StreamKey};
use surgetank_venue::wire::{CutReason, Down, OrderStatus, Subscription, Up};

use crate::client::{Client, identity, order};
use crate::started::{DESK, OTHER, drain, start, try_start};

fn place(answer: &Answer) -> (u32, u64) {
    match answer {
        Answer::Sealed(Sealed {
            request,
            sequence,
            ord_rej_reason: 0,
            synced_ns,
            received_ns,
            ..
        }) => {
            assert!(synced_ns > received_ns);
            (*request, *sequence)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_answered_is_there_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let (running, recovery) = start(directory.path());
    assert_eq!((recovery.journal.number, recovery.sequence), (0, 0));
    let mut desk = Client::log_on(running.address(), identity("desk", DESK));
    let mut other = Client::log_on(running.address(), identity("other", OTHER));
    let answers = desk.ask(&mut [order(7, 1, Side::Buy), order(7, 2, Side::Buy)]);
    assert_eq!(answers.iter().map(place).collect::<Vec<_>>(), [(1, 1), (2, 2)]);
    assert_eq!(other.ask(&mut [order(8, 1, Side::Sell)]).iter().map(place).next(), Some((1, 3)));
    let status = running.status().expect("it serves");
    assert_eq!((status.progress.sequence, status.connections), (3, 2));
    let state_hash = running.state_hash().expect("it serves");
    // Genesis, head, and at least two batches.
    assert!(status.progress.durable >= 4, "{status:?}");

    let ended = drain(&running);
    assert_eq!((ended.why, ended.progress.sequence), (Why::Drained, 3));
    assert_eq!(ended.state_hash, state_hash);
    let reason = desk.wait(|down| match down {
        Down::Cut(cut) => Some(cut.reason),
        _ => None,
    });
    assert_eq!(reason, CutReason::Stopping);

    let (running, recovery) = start(directory.path());
    assert_eq!((recovery.sequence, recovery.state_hash), (3, ended.state_hash));
    assert_eq!(recovery.journal.damage, []);
    let mut desk = Client::log_on(running.address(), identity("desk", DESK));
    assert_eq!(desk.logged_on.as_ref().map(|said| (said.account, said.sequence)), Some((7, 3)));
    let again = desk.ask(&mut [order(7, 2, Side::Buy)]);
    let first = Duplicate { request: 1, sequence: 2, ord_rej_reason: 0 };
    assert_eq!(again, [Answer::Duplicate(first)], "nothing is executed twice");
    desk.send(&Up::OrderStatus(1));
    let status = desk.wait(|down| match down {
        Down::OrderStatus(OrderStatus { status, .. }) => Some(*status),
        _ => None,
    });
    assert_eq!(status, Status::Known(JournalPlace { sequence: 1, ord_rej_reason: 0 }));
    drain(&running);
}

#[test]
fn many_batches_through_segments_and_snapshots_are_the_same_state() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut sequence = 0;
    for round in 0..3 {
        let (running, recovery) = start(directory.path());
        assert_eq!(recovery.sequence, sequence);
        let mut desk = Client::log_on(running.address(), identity("desk", DESK));
        let mut other = Client::log_on(running.address(), identity("other", OTHER));
        for batch in 0..100 {
            let id = round * 1000 + batch * 2 + 1;
            desk.request(&mut [order(7, id, Side::Buy), order(7, id + 1, Side::Buy)]);
            sequence += other.ask(&mut [order(8, id, Side::Sell)]).len() as u64;
        }
        sequence += 200;
        let ended = drain(&running);
        assert_eq!(ended.progress.sequence, sequence, "{:?}", ended.why);
        let (running, recovery) = start(directory.path());
        assert_eq!(recovery.state_hash, ended.state_hash);
        drain(&running);
    }
    let archived = std::fs::read_dir(directory.path().join("archive")).expect("it is there");
    assert!(archived.count() > 0, "old snapshots are archived");
}

#[test]
fn the_journal_can_be_followed_over_a_connection() {
    let directory = tempfile::tempdir().expect("a directory");
    let (running, _) = start(directory.path());
    let mut desk = Client::log_on(running.address(), identity("desk", DESK));
    let after = Some(Position { epoch: 1, number: 0 });
    let subscription = |key| Subscription { key, after, conflate: false };
    let streams = [StreamKey::Journal(()), StreamKey::Executions(7)];
    desk.send(&Up::Subscribe(streams.map(subscription).to_vec()));
    desk.ask(&mut [order(7, 1, Side::Buy)]);
    let (mut seen, numbers) = (Vec::new(), [1, 2, 1]);
    while seen.len() < numbers.len() {
        seen.extend(desk.wait(|down| match down {
            Down::Events(events) => Some(events.clone()),
            _ => None,
        }));
    }
    seen.sort_by_key(|event| (event.key == streams[1], event.number));
    assert_eq!(seen.iter().map(|event| event.number).collect::<Vec<u64>>(), numbers);
    let [head, batch, report] = [0, 1, 2].map(|index| seen[index].key);
    assert_eq!([head, batch, report], [streams[0], streams[0], streams[1]]);
    drain(&running);
}

#[test]
fn a_directory_has_one_writer() {
    let directory = tempfile::tempdir().expect("a directory");
    let (running, _) = start(directory.path());
    assert!(matches!(try_start(directory.path()), Err(NotStarted::Locked)));
    drain(&running);
    drain(&start(directory.path()).0);
}

#[test]
fn after_a_first_stop_all_events_can_still_be_read() {
    let directory = tempfile::tempdir().expect("a directory");
    let (running, _) = start(directory.path());
    let mut desk = Client::log_on(running.address(), identity("desk", DESK));
    for id in 1..=20 {
        desk.ask(&mut [order(7, id, Side::Buy)]);
    }
    drain(&running);
    let (running, _) = start(directory.path());
    let mut reader = Client::log_on(running.address(), identity("other", OTHER));
    let (key, first) = (StreamKey::Book(0), Position { epoch: 1, number: 0 });
    reader.send(&Up::Subscribe(vec![Subscription { key, after: Some(first), conflate: false }]));
    let mut numbers = Vec::new();
    while numbers.len() < 20 {
        numbers.extend(reader.wait(|down| match down {
            Down::Events(events) => Some(events.iter().map(|one| one.number).collect::<Vec<_>>()),
            Down::Gap(gap) => panic!("{gap:?}"),
            _ => None,
        }));
    }
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
    drain(&running);
}
