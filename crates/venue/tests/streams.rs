//! Streams: numbers without holes, the same on every connection and after every start; ranges are
//! what was sent the first time, and what is missing is said.

use std::collections::BTreeMap;

use proptest::prelude::*;
use surgetank_layer::message::{ExecType, Side};
use surgetank_venue::event::{Event, Position, Report, Stamped, StreamKey};
use surgetank_venue::intake::bounds::IntakeBounds;
use surgetank_venue::request::Request;
use surgetank_venue::storage::effect::FileName;
use surgetank_venue::streams::StreamBounds;
use surgetank_venue::venue::{Config, Input, Output};
use surgetank_venue::wire::{CutReason, Gap, GapReason, Subscription};

use crate::examples::{cancel, message};
use crate::memory_disk::Disk;
use crate::venue::trade;
use crate::venue_host::{Host, config};

const JOURNAL: StreamKey = StreamKey::Journal(());

fn started(disk: Disk, config: Config, start: u64) -> Host {
    let mut host = Host::start(disk, config, start);
    // Connections 0 to 2 are those of the accounts, and 10 is a second one of account 0.
    for account in 0..3 {
        host.log_on(account.into(), account);
    }
    host.log_on_as(10, 0, "second");
    host.said.clear();
    host
}

fn plain() -> Config {
    config(IntakeBounds::default())
}

fn subscribe(host: &mut Host, connection: u64, key: StreamKey, after: Option<u64>) {
    let after = after.map(|number| Position { epoch: host.epoch(), number });
    let wanted = Subscription { key, after, conflate: false };
    host.input(Input::Subscribe(connection, vec![wanted]));
}

/// What a connection was sent since the last call; what others were sent is forgotten.
fn heard(host: &mut Host, connection: u64) -> (Vec<Stamped>, Vec<Gap>) {
    let (mut events, mut gaps) = (Vec::new(), Vec::new());
    for output in std::mem::take(&mut host.said) {
        match output {
            Output::Events(to, sent) if to == connection => {
                events.extend(sent.iter().map(|event| Stamped::clone(event)));
            }
            Output::Gap(to, gap) if to == connection => gaps.push(gap),
            _ => {}
        }
    }
    (events, gaps)
}

/// All events of a stream from the first one.
fn whole(host: &mut Host, connection: u64, key: StreamKey) -> Vec<Stamped> {
    host.said.clear();
    subscribe(host, connection, key, Some(0));
    let (events, gaps) = heard(host, connection);
    assert_eq!(gaps, []);
    host.input(Input::Unsubscribe(connection, vec![key]));
    events
}

fn is_whole(events: &[Stamped]) -> bool {
    (1..).zip(events).all(|(n, event)| (event.number, event.previous) == (n, n - 1))
}

#[test]
fn an_account_hears_of_its_orders_after_the_sync() {
    let mut host = started(Disk::default(), plain(), 1);
    subscribe(&mut host, 0, StreamKey::Executions(0), None);
    host.syncs = false;
    host.send(0, &[trade(0, 1, 1, Side::Buy)]);
    assert_eq!(heard(&mut host, 0).0, [], "nothing is durable");
    (0..10).for_each(|_| host.sync());
    host.send(1, &[trade(1, 1, 1, Side::Sell)]);
    host.send(0, &[Request { sender: 0, ..message(2, cancel(2)) }]);
    (0..10).for_each(|_| host.sync());
    let (events, _) = heard(&mut host, 0);
    assert!(is_whole(&events));
    let said = |stamped: &Stamped| match stamped.event {
        Event::Report(Report { exec_type, side, leaves_qty, is_maker, .. }) => {
            (stamped.sequence, exec_type, side, leaves_qty, is_maker)
        }
        _ => panic!("{stamped:?}"),
    };
    let buy = Some(Side::Buy);
    let expected = [
        (1, ExecType::New, buy, 1, false),
        (2, ExecType::Trade, buy, 0, true),
        (3, ExecType::Rejected, None, 0, false),
    ];
    assert_eq!(events.iter().map(said).collect::<Vec<_>>(), expected);
}

#[test]
fn a_stream_of_another_account_ends_the_connection() {
    let mut host = started(Disk::default(), plain(), 1);
    subscribe(&mut host, 0, StreamKey::Executions(1), Some(0));
    host.input(Input::StreamState(1, StreamKey::Positions(0)));
    let cut = |connection| Output::Cut(connection, CutReason::NotPermitted);
    assert_eq!(host.said, [cut(0), cut(1)]);
}

#[test]
fn the_history_is_bounded_and_says_what_it_lacks() {
    let mut config = plain();
    config.stream_bounds = StreamBounds { history_bytes_max: 12_000, ..plain().stream_bounds };
    let mut host = started(Disk::default(), config, 1);
    for number in 1..40 {
        host.send(0, &[trade(0, number, number.into(), Side::Buy)]);
    }
    host.said.clear();
    subscribe(&mut host, 0, StreamKey::Executions(0), Some(3));
    let (events, gaps) = heard(&mut host, 0);
    let Some(first) = events.first() else { panic!("the newest are kept") };
    assert!(first.number > 4 && events.last().is_some_and(|last| last.number == 39));
    let (key, epoch) = (StreamKey::Executions(0), first.epoch);
    let gap = Gap { key, epoch, from: 4, to: first.number - 1, reason: GapReason::NotKept };
    assert_eq!(gaps, [gap]);
    subscribe(&mut host, 0, JOURNAL, None);
    assert_eq!(host.said, []);
}

#[test]
fn a_connection_follows_a_bounded_number_of_streams() {
    let mut config = plain();
    config.stream_bounds.subscriptions_max = 1;
    let mut host = started(Disk::default(), config, 1);
    // The same stream again counts once.
    (0..2).for_each(|_| subscribe(&mut host, 0, JOURNAL, None));
    assert_eq!(host.said, []);
    subscribe(&mut host, 0, StreamKey::Executions(0), None);
    assert_eq!(host.said, [Output::Cut(0, CutReason::TooManySubscriptions)]);
}

/// Each repetition would be sent the past once more.
#[test]
fn a_list_of_subscriptions_is_bounded() {
    let mut config = plain();
    config.stream_bounds.subscriptions_max = 2;
    let mut host = started(Disk::default(), config, 1);
    let wanted = |key| Subscription { key, after: None, conflate: false };
    let three = [JOURNAL, StreamKey::Book(0), StreamKey::Trades(0)];
    for (connection, list) in [(0, vec![JOURNAL, JOURNAL]), (1, three.to_vec())] {
        host.input(Input::Subscribe(connection, list.into_iter().map(wanted).collect()));
        let cut = Output::Cut(connection, CutReason::TooManySubscriptions);
        assert_eq!(std::mem::take(&mut host.said), [cut]);
    }
}

#[test]
fn the_past_comes_in_bounded_pages_and_what_is_published_meanwhile_behind_them() {
    let mut config = plain();
    config.stream_bounds.page_bytes_max = 3_000;
    let mut host = started(Disk::default(), config, 1);
    let order = |number: u32| [trade(0, number, number.into(), Side::Buy)];
    (1..40).for_each(|number| host.send(0, &order(number)));
    host.said.clear();
    host.turns_pages = false;
    let key = StreamKey::Executions(0);
    // A second wish while there is a page starts again, behind that page.
    subscribe(&mut host, 0, key, Some(20));
    let (page, _) = heard(&mut host, 0);
    assert!(page.len() > 3 && page.iter().zip(21..).all(|(event, number)| event.number == number));
    subscribe(&mut host, 0, key, Some(0));
    let mut events = Vec::new();
    for number in 40..60 {
        host.send(0, &order(number));
        host.input(Input::PageTaken(0));
        let (page, gaps) = heard(&mut host, 0);
        assert!(page.len() <= 20 && gaps.is_empty());
        events.extend(page);
    }
    assert_eq!(events.len(), 59);
    assert!(is_whole(&events));
    host.send(0, &order(60));
    host.input(Input::PageTaken(0));
    let (events, gaps) = heard(&mut host, 0);
    assert_eq!((events.len(), events[0].number, gaps), (1, 60, vec![]));
}

#[test]
fn a_past_that_is_forgotten_while_it_is_read_is_a_gap() {
    let mut config = plain();
    config.stream_bounds.page_bytes_max = 1;
    config.stream_bounds.history_bytes_max = 30_000;
    let mut host = started(Disk::default(), config, 1);
    let order = |number: u32| [trade(0, number, number.into(), Side::Buy)];
    (1..4).for_each(|number| host.send(0, &order(number)));
    host.said.clear();
    host.turns_pages = false;
    let key = StreamKey::Executions(0);
    subscribe(&mut host, 0, key, Some(0));
    assert_eq!(heard(&mut host, 0).0.len(), 1);
    (4..200).for_each(|number| host.send(0, &order(number)));
    assert_eq!(heard(&mut host, 0), (vec![], vec![]));
    host.turns_pages = true;
    host.input(Input::PageTaken(0));
    let (events, gaps) = heard(&mut host, 0);
    let [Gap { from: 2, to, reason: GapReason::NotKept, .. }] = gaps[..] else {
        panic!("{gaps:?}")
    };
    assert!(events.iter().zip(to + 1..).all(|(event, number)| event.number == number));
    assert_eq!(events.last().map(|event| event.number), Some(199));
}

#[test]
fn a_state_that_is_asked_for_while_a_batch_is_held_comes_once_with_that_batch() {
    let mut host = started(Disk::default(), plain(), 1);
    host.send(0, &[trade(0, 1, 1, Side::Buy)]);
    host.said.clear();
    host.syncs = false;
    host.send(0, &[trade(0, 2, 2, Side::Buy)]);
    let key = StreamKey::Executions(0);
    for connection in [0, 0, 10] {
        host.input(Input::StreamState(connection, key));
    }
    host.input(Input::Gone { connection: 10, logged_out: true });
    assert_eq!(host.said, [], "what it would say is not durable");
    (0..10).for_each(|_| host.sync());
    let states = host.said.iter().filter_map(|said| match said {
        Output::StreamState(to, state) => Some((*to, state.last.number, state.events.len())),
        _ => None,
    });
    assert_eq!(states.collect::<Vec<_>>(), [(0, 2, 2)]);
}

#[test]
fn a_stream_that_is_not_published_ends_the_connection() {
    // There is one market.
    let unpublished = [
        StreamKey::Book(1),
        StreamKey::Orders(1),
        StreamKey::Trades(1),
        StreamKey::Prices(1),
        StreamKey::Liquidations(1),
    ];
    for key in unpublished {
        let mut host = started(Disk::default(), plain(), 1);
        subscribe(&mut host, 0, key, None);
        host.input(Input::StreamState(1, key));
        let cut = |connection| Output::Cut(connection, CutReason::NoSuchStream);
        assert_eq!(host.said, [cut(0), cut(1)], "{key:?}");
    }
}

#[test]
fn a_position_that_the_history_does_not_have_is_a_gap() {
    let mut host = started(Disk::default(), plain(), 1);
    host.send(0, &[trade(0, 1, 1, Side::Buy)]);
    host.said.clear();
    let key = StreamKey::Executions(0);
    let epoch = host.epoch();
    for after in [Position { epoch, number: 2 }, Position { epoch: epoch + 1, number: 1 }] {
        host.input(Input::Subscribe(
            0,
            vec![Subscription { key, after: Some(after), conflate: false }],
        ));
        let gap = Gap { key, epoch, from: 1, to: 1, reason: GapReason::OtherEpoch };
        assert_eq!(heard(&mut host, 0), (vec![], vec![gap]));
    }
}

fn without_snapshots(mut disk: Disk) -> Disk {
    disk.files.retain(|name, _| !matches!(name, FileName::Snapshot(_)));
    disk
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) })]

    /// Sent live, by range, on another connection, after a start from the genesis or from a
    /// snapshot: one stream, without holes.
    #[test]
    fn every_reader_sees_the_same_events(
        orders in prop::collection::vec((0..2u32, any::<bool>(), 0..3u8), 1..40),
        snapshot in 0..40usize,
        after in 0..60u64,
    ) {
        let keys = [StreamKey::Executions(0), JOURNAL];
        let mut host = started(Disk::default(), plain(), 1);
        keys.iter().for_each(|key| subscribe(&mut host, 0, *key, Some(0)));
        host.syncs = false;
        let mut numbers = [0; 2];
        let mut live: BTreeMap<StreamKey, Vec<Stamped>> = BTreeMap::new();
        for (i, &(account, buys, syncs)) in orders.iter().enumerate() {
            numbers[account as usize] += 1;
            let number = numbers[account as usize];
            let side = if buys { Side::Buy } else { Side::Sell };
            host.send(account.into(), &[trade(account, number, number.into(), side)]);
            if i == snapshot {
                host.input(Input::Snapshot);
            }
            (0..syncs).for_each(|_| host.sync());
        }
        (0..200).for_each(|_| host.sync());
        for event in heard(&mut host, 0).0 {
            live.entry(event.key).or_default().push(event);
        }
        let disk = host.synced.clone();
        let mut replayed = started(without_snapshots(disk.clone()), plain(), 2);
        let mut restored = started(disk, plain(), 2);
        let mut lasts: BTreeMap<StreamKey, u64> = BTreeMap::new();
        for key in keys {
            let live = live.remove(&key).unwrap_or_default();
            prop_assert!(is_whole(&live), "{key:?}");
            let last = live.len() as u64;
            lasts.insert(key, last);
            prop_assert_eq!(&whole(&mut host, 10, key), &live, "on another connection");
            let again = whole(&mut replayed, 10, key);
            prop_assert_eq!(&again, &live, "from the genesis");
            // Behind a snapshot: what is missing is said, and the rest has the same numbers.
            let after = after.min(last);
            subscribe(&mut restored, 10, key, Some(after));
            let (events, gaps) = heard(&mut restored, 10);
            let missing = gaps.first().map_or(after, |gap| gap.to);
            prop_assert!(gaps.iter().all(|gap| gap.from == after + 1));
            prop_assert_eq!(&events[..], &live[missing as usize..], "from a snapshot");
        }
        // The numbers go on, in both.
        for mut later in [replayed, restored] {
            keys.iter().for_each(|key| subscribe(&mut later, 0, *key, None));
            later.said.clear();
            later.send(0, &[trade(0, 1, 1000, Side::Buy)]);
            let (events, _) = heard(&mut later, 0);
            for key in keys {
                let of_key = events.iter().filter(|event| event.key == key);
                let numbers: Vec<(u64, u64)> =
                    of_key.map(|event| (event.previous, event.number)).collect();
                let expected = (lasts[&key]..).zip(lasts[&key] + 1..).take(numbers.len());
                prop_assert!(!numbers.is_empty());
                prop_assert_eq!(numbers, expected.collect::<Vec<_>>(), "{:?}", key);
            }
        }
    }
}
