//! The journal of a venue is verified while it is written, archived segments included.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use surgetank_layer::message::Side;
use surgetank_verifier::verify_directory;

use crate::client::{Client, identity, order};
use crate::started::{DESK, OTHER, drain, start};

/// Rounds of two orders: batches enough for several segments.
const ROUNDS: u64 = 400;

#[test]
fn a_record_that_is_half_written_is_no_finding_while_a_venue_writes() {
    let directory = tempfile::tempdir().expect("a directory");
    let (running, _) = start(directory.path());
    let empty = verify_directory(directory.path(), true, |_| true).expect("it is read");
    assert_eq!((empty.findings_count, empty.batches), (0, 0));
    let mut desk = Client::log_on(running.address(), identity("desk", DESK));
    for id in 1..=5 {
        desk.ask(&mut [order(7, id, Side::Buy)]);
    }
    drain(&running);
    let whole = verify_directory(directory.path(), false, |_| true).expect("it is read");
    assert_eq!((whole.findings_count, whole.messages), (0, 5));
    let path = directory.path().join("journal/00000000000000000001.segment");
    let mut bytes = fs::read(&path).expect("it is read");
    let last = bytes.iter().rposition(|byte| *byte != 0).expect("there are records");
    bytes[last] = 0;
    fs::write(&path, bytes).expect("it is written");
    let torn = [true, false].map(|is_written| {
        let report = verify_directory(directory.path(), is_written, |_| true);
        let report = report.expect("it is read");
        (report.findings_count, report.messages)
    });
    assert_eq!(torn, [(0, 4), (1, 4)]);
}

#[test]
fn a_journal_that_is_written_verifies_at_any_moment() {
    let directory = tempfile::tempdir().expect("a directory");
    let (running, _) = start(directory.path());
    let ended = AtomicBool::new(false);
    let counts = thread::scope(|scope| {
        let verifying = scope.spawn(|| {
            let mut counts = Vec::new();
            while !ended.load(Ordering::Relaxed) {
                let report =
                    verify_directory(directory.path(), true, |_| true).expect("it is read");
                assert!(report.findings.is_empty(), "{:?}", report.findings);
                counts.push(report.batches);
            }
            counts
        });
        let mut desk = Client::log_on(running.address(), identity("desk", DESK));
        let mut other = Client::log_on(running.address(), identity("other", OTHER));
        for id in 1..=ROUNDS {
            desk.request(&mut [order(7, id, Side::Buy)]);
            other.ask(&mut [order(8, id, Side::Sell)]);
        }
        ended.store(true, Ordering::Relaxed);
        verifying.join().expect("it has found nothing")
    });
    assert!(counts.is_sorted(), "what was verified stays: {counts:?}");
    let sequence = drain(&running).progress.sequence;
    let report = verify_directory(directory.path(), false, |_| true).expect("it is read");
    assert_eq!((report.findings_count, report.messages), (0, sequence));

    let archived: Vec<_> = fs::read_dir(directory.path().join("archive"))
        .expect("it is there")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "segment"))
        .collect();
    assert!(!archived.is_empty(), "the first segments are in the archive");
    // Positive control: a batch that is not there is missed, in the archive too.
    let mut bytes = fs::read(&archived[0]).expect("it is read");
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle] ^= 1;
    fs::write(&archived[0], bytes).expect("it is written");
    let report = verify_directory(directory.path(), false, |_| true).expect("it is read");
    assert!(report.findings_count > 0);
}
