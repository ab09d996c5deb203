//! Conflation: a congested reader has the truth once it is relieved, in little memory, and only of
//! streams for which it has asked for that.

use proptest::prelude::*;
use surgetank_layer::message::Side;
use surgetank_venue::event::{Event, Stamped, StreamKey};
use surgetank_venue::intake::bounds::IntakeBounds;
use surgetank_venue::venue::{Input, Output};
use surgetank_venue::wire::Subscription;

use crate::memory_disk::Disk;
use crate::stream_states::{Desk, steps};
use crate::venue::trade;
use crate::venue_host::{Host, config};

const READER: u64 = 100;

fn events(host: &mut Host) -> Vec<Stamped> {
    let said = std::mem::take(&mut host.said).into_iter();
    let of = |output| match output {
        Output::Events(0, events) => events,
        _ => Vec::new(),
    };
    said.flat_map(of).map(|event| Stamped::clone(&event)).collect()
}

#[test]
fn a_congested_reader_is_sent_one_event_for_many_and_all_that_is_private() {
    let mut host = Host::start(Disk::default(), config(IntakeBounds::default()), 1);
    host.log_on(0, 0);
    let subscribe = |key| Subscription { key, after: None, conflate: true };
    let (book, own) = (StreamKey::Book(0), StreamKey::Executions(0));
    host.input(Input::Subscribe(0, vec![subscribe(book), subscribe(own)]));
    host.send(0, &[trade(0, 1, 1, Side::Buy)]);
    let numbers = |events: &[Stamped], key| -> Vec<(u64, u64)> {
        let of = events.iter().filter(|event| event.key == key);
        of.map(|event| (event.previous, event.number)).collect()
    };
    assert_eq!(numbers(&events(&mut host), book), [(0, 1)]);
    host.input(Input::Congested(0));
    (2..6).for_each(|n| host.send(0, &[trade(0, n, n.into(), Side::Buy)]));
    let sent = events(&mut host);
    assert_eq!(numbers(&sent, book), []);
    assert_eq!(numbers(&sent, own), [(1, 2), (2, 3), (3, 4), (4, 5)]);
    host.input(Input::Relieved(0));
    let sent = events(&mut host);
    assert_eq!(numbers(&sent, book), [(1, 5)]);
    let Event::Levels(levels) = &sent[0].event else { panic!("{sent:?}") };
    assert_eq!(levels.iter().map(|level| level.qty).collect::<Vec<_>>(), [5]);
    host.send(0, &[trade(0, 6, 6, Side::Buy)]);
    assert_eq!(numbers(&events(&mut host), book), [(5, 6)]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) })]

    #[test]
    fn a_reader_that_was_congested_has_the_truth(
        steps in steps(),
        changes in prop::collection::vec(any::<u8>(), 150),
    ) {
        let mut desk = Desk::new(true);
        for (step, change) in steps.iter().zip(changes) {
            match change {
                0..40 => desk.host.input(Input::Congested(READER)),
                40..60 => desk.host.input(Input::Relieved(READER)),
                _ => {}
            }
            desk.listen();
            desk.step(step);
        }
        (0..400).for_each(|_| desk.host.sync());
        desk.host.input(Input::Relieved(READER));
        desk.listen();
        desk.check();
    }
}
