//! The pipe: authentication, admission, sealing, carrying over; and what it publishes is whole.

use crate::audit_rig;

use audit_rig::{RULES, report, split};
use proptest::prelude::*;
use surgetank_layer::admission::limit::Limit;
use surgetank_layer::audit::batch::{Batch, Ticket};
use surgetank_layer::pipe::record::{RECORD_BYTES, account_key, write};
use surgetank_layer::pipe::terms::Ordering;
use surgetank_layer::pipe::{Config, Pipe, Refused, RejectReason};
use surgetank_layer::units::SECOND;

const KEY: [u8; 32] = [42; 32];

fn config(rule: &str) -> Config {
    Config {
        ordering: Ordering::parse(rule).unwrap(),
        batch_messages_max: 4,
        batch_bytes_max: 1 << 20,
        seal_messages: 4,
        capacity: 100,
        accounts_max: 16,
        limits: None,
        key: KEY,
        batches_max: 100,
    }
}

/// A record of an account, with this number, class and flags.
fn record(account: u32, number: u32, class: u8, flags: u8) -> [u8; RECORD_BYTES] {
    let ticket = Ticket { account, class, flags, fee: number % 3, arrival_ns: 0 };
    write(&account_key(&KEY, account), &ticket, number, &[number as u8; 96])
}

/// A pipe, and all that came out of it.
struct Rig {
    pipe: Pipe,
    file: Vec<u8>,
}

impl Rig {
    fn new(config: Config) -> Rig {
        let (pipe, file) = Pipe::new(config, &[1; 32]);
        Rig { pipe, file }
    }

    fn push(&mut self, now: u64, records: &[[u8; RECORD_BYTES]]) -> Vec<(u32, RejectReason)> {
        self.push_bytes(now, records.as_flattened()).iter().map(|r| (r.index, r.reason)).collect()
    }

    fn push_bytes(&mut self, now: u64, bytes: &[u8]) -> Vec<Refused> {
        let mut refused = Vec::new();
        self.pipe.push(now, bytes, &mut refused, &mut self.file);
        refused
    }

    /// The batches, after it was checked that the journal is whole.
    fn batches(&self) -> Vec<Batch> {
        let report = report(&self.file);
        assert!(report.whole(), "{:?}", report.findings);
        split(&self.file).1
    }
}

fn orders(numbers: impl Iterator<Item = u32>) -> Vec<[u8; RECORD_BYTES]> {
    numbers.map(|number| record(number % 5, number + 1, 4, 0)).collect()
}

#[test]
fn a_batch_is_published_when_enough_came() {
    let mut rig = Rig::new(config("fifo"));
    assert_eq!(rig.push(7, &orders(0..3)), []);
    assert_eq!((rig.batches().len(), rig.pipe.waiting()), (0, 3));
    assert_eq!(rig.push(9, &orders(3..9)), []);
    let batches = rig.batches();
    assert_eq!((batches.len(), rig.pipe.waiting(), rig.pipe.height()), (2, 1, 2));
    assert_eq!(batches[0].inputs[0].0.arrival_ns, 7);
    assert_eq!(batches[0].inputs[3].0.arrival_ns, 9);
    assert_eq!(batches[0].inputs[2].1, orders(2..3)[0]);
    assert_eq!(rig.pipe.last_hash(), batches[1].hash);
}

#[test]
fn a_flush_publishes_what_there_is() {
    let mut rig = Rig::new(config("fee"));
    assert!(!rig.pipe.flush(1, &mut rig.file), "nothing there, nothing published");
    rig.push(1, &orders(0..2));
    assert!(rig.pipe.flush(2, &mut rig.file));
    let batches = rig.batches();
    assert_eq!((batches.len(), batches[0].inputs.len()), (1, 2));
    assert_eq!(batches[0].header.sealed_ns, 2);
}

#[test]
fn what_finds_no_room_is_carried_until_it_is_published() {
    let mut rig = Rig::new(Config { batch_messages_max: 3, ..config("class") });
    rig.push(0, &orders(0..12));
    while rig.pipe.waiting() > 0 {
        rig.pipe.flush(1, &mut rig.file);
    }
    let carried: Vec<u32> = rig.batches().iter().map(|batch| batch.header.carried_out).collect();
    assert_eq!(carried, [1, 2, 3, 0]);
    assert_eq!(report(&rig.file).messages, 12);
}

#[test]
fn the_byte_limit_cuts_too() {
    let mut rig = Rig::new(Config { batch_bytes_max: 300, ..config("fifo") });
    rig.push(0, &orders(0..4));
    let batches = rig.batches();
    assert_eq!((batches[0].header.ordered, batches[0].header.carried_out), (2, 2));
}

#[test]
fn a_clock_that_steps_back_does_not_turn_arrivals_round() {
    let mut rig = Rig::new(config("fifo"));
    rig.push(10, &orders(0..2));
    rig.push(5, &orders(2..4));
    let arrivals: Vec<u64> = rig.batches()[0].inputs.iter().map(|(t, _)| t.arrival_ns).collect();
    assert_eq!(arrivals, [10; 4]);
}

#[test]
fn what_cannot_be_from_its_account_is_refused() {
    let mut rig = Rig::new(config("fifo"));
    let foreign = write(
        &account_key(&KEY, 2),
        &Ticket { account: 1, class: 4, flags: 0, fee: 0, arrival_ns: 0 },
        1,
        &[0; 96],
    );
    assert_eq!(rig.push(0, &[foreign]), [(0, RejectReason::WrongMac)]);
    // Any altered byte, the MAC's own included, is refused for some reason.
    for at in 0..RECORD_BYTES {
        let mut altered = record(1, 1, 4, 0);
        altered[at] ^= 0x10;
        assert_eq!(rig.push(0, &[altered]).len(), 1, "byte {at}");
    }
    assert_eq!(rig.pipe.waiting(), 0);
    assert_eq!(rig.push(0, &[record(1, 1, 4, 0)]), [], "refusals used no number up");
}

#[test]
fn a_record_counts_once() {
    let mut rig = Rig::new(config("fifo"));
    let [first, second, third] = [1, 2, 3].map(|number| record(1, number, 4, 0));
    assert_eq!(
        rig.push(0, &[first, first, third, second]),
        [(1, RejectReason::Replayed), (3, RejectReason::Replayed)]
    );
    assert_eq!(rig.push(0, &[record(2, 1, 4, 0)]), [], "accounts count apart");
}

#[test]
fn what_clients_do_not_send_is_refused() {
    let mut rig = Rig::new(config("fifo"));
    let records = [
        record(16, 1, 4, 0),
        record(1, 1, 5, 0),
        record(1, 1, 200, 0),
        record(1, 1, 4, 8),
        record(u32::MAX, 1, 4, 0),
    ];
    let reasons = [
        (0, RejectReason::UnknownAccount),
        (1, RejectReason::UnknownClass),
        (2, RejectReason::UnknownClass),
        (3, RejectReason::UnknownFlag),
        (4, RejectReason::UnknownAccount),
    ];
    assert_eq!(rig.push(0, &records), reasons);
}

#[test]
fn no_more_wait_than_may() {
    let mut rig = Rig::new(Config { capacity: 3, seal_messages: 100, ..config("fifo") });
    let full = [(3, RejectReason::QueueFull), (4, RejectReason::QueueFull)];
    assert_eq!(rig.push(0, &orders(0..5)), full);
    rig.pipe.flush(0, &mut rig.file);
    assert_eq!(rig.push(0, &orders(5..6)), [], "there is room again");
}

#[test]
fn budgets_are_per_account_and_kind_and_say_when_to_come_back() {
    let limit = Limit::per_second(2, 1);
    let mut rig = Rig::new(Config { limits: Some([limit; 3]), ..config("fifo") });
    let bytes: Vec<[u8; RECORD_BYTES]> = (1..=3).map(|n| record(1, n, 4, 0)).collect();
    let refused = rig.push_bytes(0, bytes.as_flattened());
    let (reason, retry_after_ns) = (RejectReason::RateExceeded, SECOND);
    assert_eq!(refused, [Refused { index: 2, reason, retry_after_ns }]);
    let others = [record(1, 4, 2, 0), record(1, 5, 4, 4), record(2, 1, 4, 0)];
    assert_eq!(rig.push(0, &others), [], "cancels, reducing orders and others have their own");
    assert_eq!(rig.push(SECOND, &[record(1, 6, 4, 0)]), [], "a second later there is one again");
}

#[test]
fn a_full_journal_takes_nothing_more() {
    let mut rig = Rig::new(Config { batches_max: 1, ..config("fifo") });
    let refused = rig.push(0, &orders(0..6));
    assert_eq!(refused, [(4, RejectReason::JournalFull), (5, RejectReason::JournalFull)]);
    assert!(!rig.pipe.flush(0, &mut rig.file));
    assert_eq!(rig.batches().len(), 1);
}

#[test]
fn bytes_after_the_last_record_are_left_alone() {
    let mut rig = Rig::new(config("fifo"));
    let mut bytes = record(1, 1, 4, 0).to_vec();
    bytes.extend([0; 127]);
    assert_eq!(rig.push_bytes(0, &bytes), []);
    assert_eq!(rig.pipe.waiting(), 1);
}

#[test]
fn reasons_have_names_and_numbers() {
    for (reason, number) in RejectReason::ALL.into_iter().zip(1..) {
        assert_eq!(reason as u8, number);
        assert!(!reason.name().is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_record_is_published_once_or_refused_and_the_journal_is_whole(
        rule in 0usize..RULES.len(),
        kinds in prop::collection::vec((0u32..18, 0u8..7, 0u8..10, any::<bool>()), 0..60),
        cuts in prop::collection::vec(0usize..60, 0..4),
        limits in (1u32..8, 1u64..1000, 1u32..8, 1u32..20),
    ) {
        let (batch_messages_max, batch_bytes_max, seal_messages, capacity) = limits;
        let config = Config {
            batch_messages_max, batch_bytes_max, seal_messages, capacity, ..config(RULES[rule])
        };
        let mut rig = Rig::new(config);
        let records: Vec<_> = kinds.iter().zip(1..).map(|(&(account, class, flags, forged), n)| {
            let mut record = record(account, n, class, flags);
            record[20] ^= u8::from(forged);
            record
        }).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (records.len() + 1)).collect();
        cuts.extend([0, records.len()]);
        cuts.sort_unstable();
        let mut refused = Vec::new();
        for (pair, now) in cuts.windows(2).zip(1..) {
            let part = rig.push(now, &records[pair[0]..pair[1]]);
            refused.extend(part.iter().map(|(index, _)| pair[0] + *index as usize));
        }
        while rig.pipe.flush(99, &mut rig.file) {}
        let mut seen: Vec<Vec<u8>> =
            refused.iter().map(|index| records[*index].to_vec()).collect();
        for batch in rig.batches() {
            seen.extend(batch.order.iter().map(|index| batch.inputs[*index as usize].1.clone()));
        }
        seen.sort_unstable();
        let mut all: Vec<Vec<u8>> = records.iter().map(|record| record.to_vec()).collect();
        all.sort_unstable();
        prop_assert_eq!(seen, all);
    }
}
