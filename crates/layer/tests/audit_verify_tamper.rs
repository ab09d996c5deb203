//! Whatever is done to a journal is found, and named: by somebody who alters the file, and by a
//! sequencer who cheats and makes every hash fit.

use crate::audit_rig;

use audit_rig::{found, inputs, join, journal, report, reseal, split, terms};
use proptest::prelude::*;
use surgetank_layer::audit::batch::Batch;
use surgetank_verifier::Kind;

type Found = Vec<(Kind, u64, Option<u64>)>;

/// Findings after `change` was made to an honest journal of three batches with carried messages.
fn altered(change: impl Fn(&mut Vec<Batch>)) -> Found {
    let (head, mut batches) = split(&journal("fee", 3, 8, (6, 100_000)));
    change(&mut batches);
    found(&join(&head, &batches))
}

/// The same by a sequencer, who can make hashes, roots, seeds, counts and the chain fit.
fn cheated(change: impl Fn(&mut Vec<Batch>)) -> Found {
    altered(|batches| {
        change(batches);
        reseal(batches);
    })
}

#[test]
fn nothing_done_nothing_found() {
    assert_eq!(altered(|_| {}), []);
    assert_eq!(cheated(|_| {}), []);
}

#[test]
fn an_altered_message() {
    let change = |batches: &mut Vec<Batch>| batches[1].inputs[4].1[2] ^= 1;
    assert_eq!(altered(change), [(Kind::AlteredMessage, 2, Some(4))]);
}

#[test]
fn an_altered_ticket() {
    let change = |batches: &mut Vec<Batch>| batches[1].inputs[4].0.fee += 1;
    assert_eq!(altered(change), [(Kind::AlteredMessage, 2, Some(4))]);
}

#[test]
fn a_swapped_pair_of_inputs() {
    let change = |batches: &mut Vec<Batch>| batches[0].inputs.swap(2, 6);
    assert_eq!(altered(change), [(Kind::SwappedPair, 1, Some(2))]);
}

#[test]
fn a_swapped_pair_in_the_order() {
    let change = |batches: &mut Vec<Batch>| batches[0].order.swap(1, 4);
    assert_eq!(altered(change), [(Kind::SwappedPair, 1, Some(1))]);
    assert_eq!(cheated(change), [(Kind::SwappedPair, 1, Some(1))]);
}

#[test]
fn more_than_a_pair_out_of_order() {
    let change = |batches: &mut Vec<Batch>| batches[2].order[1..4].rotate_left(1);
    assert_eq!(altered(change), [(Kind::OutOfOrder, 3, Some(1))]);
    assert_eq!(cheated(change), [(Kind::OutOfOrder, 3, Some(1))]);
}

#[test]
fn a_dropped_input() {
    let change = |batches: &mut Vec<Batch>| drop(batches[1].inputs.remove(3));
    assert_eq!(altered(change)[0], (Kind::DroppedMessage, 2, Some(3)));
    // Its check taken away as well: still missed, but no longer where.
    let change = |batches: &mut Vec<Batch>| {
        batches[1].inputs.remove(3);
        batches[1].checks.remove(3);
    };
    assert_eq!(altered(change)[0], (Kind::DroppedMessage, 2, None));
}

#[test]
fn an_input_left_out_of_the_order() {
    let change = |batches: &mut Vec<Batch>| {
        batches[0].order.remove(2);
    };
    let index = u64::from(split(&journal("fee", 3, 8, (6, 100_000))).1[0].order[2]);
    assert_eq!(altered(change), [(Kind::DroppedMessage, 1, Some(index))]);
    assert_eq!(cheated(change)[0], (Kind::DroppedMessage, 1, Some(index)));
}

#[test]
fn an_inserted_input() {
    let extra = inputs(1, 999).remove(0);
    let change = |batches: &mut Vec<Batch>| batches[1].inputs.insert(4, extra.clone());
    assert_eq!(altered(change)[0], (Kind::InsertedMessage, 2, Some(4)));
    let change = |batches: &mut Vec<Batch>| {
        batches[1].inputs.insert(4, extra.clone());
        let check = *batches[1].leaf(4).first_chunk().unwrap();
        batches[1].checks.insert(4, check);
    };
    assert_eq!(altered(change)[0], (Kind::InsertedMessage, 2, None));
}

#[test]
fn an_order_of_what_is_no_input() {
    let change = |batches: &mut Vec<Batch>| batches[2].order.push(1000);
    assert_eq!(altered(change), [(Kind::InsertedMessage, 3, Some(6))]);
    assert_eq!(cheated(change), [(Kind::InsertedMessage, 3, Some(6))]);
}

#[test]
fn a_duplicated_input() {
    let change = |batches: &mut Vec<Batch>| {
        let again = batches[0].inputs[2].clone();
        batches[0].inputs.insert(3, again);
    };
    assert_eq!(altered(change)[0], (Kind::DuplicatedMessage, 1, Some(3)));
    let over = |batches: &mut Vec<Batch>| batches[0].inputs[3] = batches[0].inputs[2].clone();
    assert_eq!(altered(over)[0], (Kind::DuplicatedMessage, 1, Some(3)));
}

#[test]
fn an_input_published_twice() {
    let change = |batches: &mut Vec<Batch>| batches[0].order.extend_from_within(..1);
    assert_eq!(altered(change), [(Kind::DuplicatedMessage, 1, Some(6))]);
    assert_eq!(cheated(change)[0], (Kind::DuplicatedMessage, 1, Some(6)));
}

#[test]
fn forged_roots() {
    let inputs = |batches: &mut Vec<Batch>| {
        batches[2].header.inputs_root[9] ^= 1;
        batches[2].header.seed = surgetank_layer::audit::seed::seed(
            &batches[2].header.reveal,
            &batches[2].header.inputs_root,
            &batches[2].header.beacon,
        );
        batches[2].hash = batches[2].header.hash();
    };
    assert_eq!(altered(inputs), [(Kind::ForgedRoot, 3, None)]);
    let order = |batches: &mut Vec<Batch>| {
        batches[2].header.order_root[9] ^= 1;
        batches[2].hash = batches[2].header.hash();
    };
    assert_eq!(altered(order), [(Kind::ForgedRoot, 3, None)]);
}

#[test]
fn a_forged_hash() {
    assert_eq!(altered(|batches| batches[1].hash.0[0] ^= 1), [(Kind::ForgedHash, 2, None)]);
    let header = |batches: &mut Vec<Batch>| batches[1].header.sealed_ns += 1;
    assert_eq!(altered(header), [(Kind::ForgedHash, 2, None)]);
}

#[test]
fn a_broken_chain() {
    let rehashed = |batches: &mut Vec<Batch>| {
        batches[0].header.sealed_ns += 1;
        batches[0].hash = batches[0].header.hash();
    };
    assert_eq!(altered(rehashed), [(Kind::BrokenChain, 2, None)]);
    let dropped = |batches: &mut Vec<Batch>| drop(batches.remove(1));
    assert!(altered(dropped).contains(&(Kind::BrokenChain, 2, None)));
    assert!(cheated(dropped).contains(&(Kind::BrokenChain, 2, None)), "the height has a gap");
    let swapped = |batches: &mut Vec<Batch>| batches.swap(0, 1);
    assert!(altered(swapped).contains(&(Kind::BrokenChain, 1, None)));
    let sequence = |batches: &mut Vec<Batch>| batches[1].header.first_sequence += 1;
    assert!(cheated(sequence).contains(&(Kind::BrokenChain, 2, None)));
}

#[test]
fn a_secret_that_was_not_committed_to() {
    let change = |batches: &mut Vec<Batch>| batches[2].header.reveal = [5; 32];
    assert_eq!(cheated(change), [(Kind::WrongReveal, 3, None)]);
}

#[test]
fn a_seed_that_does_not_follow() {
    let change = |batches: &mut Vec<Batch>| {
        batches[2].header.seed = [5; 32];
        batches[2].hash = batches[2].header.hash();
    };
    assert_eq!(altered(change), [(Kind::WrongSeed, 3, None)]);
}

#[test]
fn a_beacon_added_later() {
    let change = |batches: &mut Vec<Batch>| {
        batches[2].header.beacon = b"better for me".to_vec();
        batches[2].hash = batches[2].header.hash();
    };
    assert_eq!(altered(change), [(Kind::WrongSeed, 3, None)]);
}

#[test]
fn terms_that_are_unknown_or_were_not_announced() {
    let unknown = |batches: &mut Vec<Batch>| {
        batches[1].header.terms_next = "as I like".into();
        batches[2].header.terms = "as I like".into();
    };
    assert_eq!(cheated(unknown), [(Kind::UnknownRule, 3, None)]);
    let unannounced = |batches: &mut Vec<Batch>| {
        batches[2].header.terms = terms("fee", 7, 100_000);
        batches[2].header.terms_next = terms("fee", 7, 100_000);
    };
    assert_eq!(cheated(unannounced)[0], (Kind::ChangedRule, 3, None));
}

#[test]
fn terms_are_strict() {
    let good = terms("drr quantum=5", 3, 9);
    for bad in [
        "",
        "fifo",
        "fifo messages_max=3",
        "fifo bytes_max=9 messages_max=3",
        " fifo",
        "fifo messages_max=3 bytes_max=9 more=1",
        "fifo messages_max=3  bytes_max=9",
        "FIFO messages_max=3 bytes_max=9",
        "priority messages_max=3 bytes_max=9",
        "priority high=256 messages_max=3 bytes_max=9",
        "drr quantum=0 messages_max=3 bytes_max=9",
        "lanes weights=1,1,1,1,1,1,1 messages_max=3 bytes_max=9",
        "lanes weights=0,1,1,1,1,1,1,1 messages_max=3 bytes_max=9",
        "lanes weights=256,1,1,1,1,1,1,1 messages_max=3 bytes_max=9",
    ] {
        let change = |terms: &str| {
            cheated(|batches| {
                batches[1].header.terms_next = terms.into();
                batches[2].header.terms = terms.into();
            })
        };
        assert_eq!(change(bad), [(Kind::UnknownRule, 3, None)], "`{bad}`");
        assert!(change(&good).iter().all(|(kind, ..)| *kind != Kind::UnknownRule));
    }
}

#[test]
fn a_carried_message_that_does_not_come_back() {
    let gone = |batches: &mut Vec<Batch>| {
        batches[1].inputs.remove(0);
        batches[1].header.carried_in -= 1;
    };
    assert_eq!(cheated(gone)[0], (Kind::MissingCarried, 2, Some(0)));
    let behind = |batches: &mut Vec<Batch>| batches[1].inputs.swap(1, 5);
    assert!(cheated(behind).contains(&(Kind::MissingCarried, 2, Some(1))));
    let denied = |batches: &mut Vec<Batch>| batches[1].header.carried_in -= 1;
    assert_eq!(cheated(denied), [(Kind::MissingCarried, 2, Some(1))]);
    let claimed = |batches: &mut Vec<Batch>| batches[1].header.carried_in += 1;
    assert_eq!(cheated(claimed)[0], (Kind::InsertedMessage, 2, Some(2)));
}

#[test]
fn carried_messages_that_change_places() {
    let change = |batches: &mut Vec<Batch>| batches[0].carried.reverse();
    assert_eq!(altered(change)[0], (Kind::SwappedPair, 1, Some(0)));
}

#[test]
fn arrivals_and_classes_that_cannot_be() {
    let backwards = |batches: &mut Vec<Batch>| batches[0].inputs.swap(6, 7);
    assert!(cheated(backwards).contains(&(Kind::ArrivalBackwards, 1, Some(7))));
    let unknown = |batches: &mut Vec<Batch>| batches[0].inputs[7].0.class = 8;
    assert!(cheated(unknown).contains(&(Kind::UnknownClass, 1, Some(7))));
}

#[test]
fn counts_and_checks_that_are_wrong() {
    let count = |batches: &mut Vec<Batch>| {
        batches[2].header.inputs += 1;
        batches[2].hash = batches[2].header.hash();
    };
    assert_eq!(altered(count), [(Kind::WrongCount, 3, None)]);
    let count = |batches: &mut Vec<Batch>| {
        batches[2].header.ordered -= 1;
        batches[2].hash = batches[2].header.hash();
    };
    assert_eq!(altered(count), [(Kind::WrongCount, 3, None)]);
    let check = |batches: &mut Vec<Batch>| batches[2].checks[4][0] ^= 1;
    assert_eq!(altered(check), [(Kind::AlteredCheck, 3, Some(4))]);
}

#[test]
fn a_torn_file() {
    let file = journal("fee", 3, 8, (6, 100_000));
    let (head, batches) = split(&file);
    let whole_batches: Vec<usize> = (0..=3).map(|n| join(&head, &batches[..n]).len()).collect();
    for end in 0..file.len() {
        let report = report(&file[..end]);
        if whole_batches.contains(&end) {
            assert!(report.whole(), "cut between batches at {end}");
            continue;
        }
        let [finding] = &report.findings[..] else { panic!("{end}: {:?}", report.findings) };
        assert_eq!(finding.kind, Kind::TornFile);
        assert!(finding.byte <= end as u64);
        let batch = whole_batches.iter().filter(|whole| **whole <= end).count() as u64;
        assert_eq!(finding.batch, batch, "torn at {end}");
    }
}

#[test]
fn findings_are_bounded_but_counted() {
    let (head, mut batches) = split(&journal("fifo", 1, 3000, (6000, 1 << 30)));
    batches[0].order.clear();
    let report = report(&join(&head, &batches));
    assert_eq!((report.findings.len(), report.findings_count), (1000, 3000));
    assert!(!report.whole());
}

#[test]
fn a_reading_that_is_stopped_is_not_whole() {
    let file = journal("fifo", 3, 4, (100, 10_000));
    let report = surgetank_verifier::verify(&file[..], |_| false).unwrap();
    assert_eq!((report.batches, report.stopped, report.whole()), (1, true, false));
}

#[test]
fn a_finding_reads_like_a_sentence() {
    let mut file = journal("fifo", 1, 4, (100, 10_000));
    let last = file.len() - 1;
    file[last] ^= 1;
    let head = split(&journal("fifo", 1, 4, (100, 10_000))).0.len();
    let expected =
        format!("forged-hash: batch 1 (byte {head}): the hash is not that of the header");
    assert_eq!(report(&file).findings[0].to_string(), expected);
}

#[test]
fn names_are_distinguished() {
    let kinds = (0..=Kind::AlteredCheck as u8).count();
    assert_eq!(kinds, 21, "a kind was added: does docs/journal.md name it?");
}

#[test]
fn every_flipped_byte_of_a_journal_is_found() {
    let file = journal("hash", 2, 5, (3, 100_000));
    for at in 0..file.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut altered = file.clone();
            altered[at] ^= flip;
            assert!(!report(&altered).whole(), "byte {at} ^ {flip:#x}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_bytes_make_the_verifier_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(!report(&bytes).whole());
    }

    #[test]
    fn no_altered_bytes_make_the_verifier_panic_or_pass(
        start in any::<prop::sample::Index>(),
        new in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let mut file = journal("drr quantum=64", 2, 6, (4, 100_000));
        let sound = file.clone();
        let start = start.index(file.len());
        let end = (start + new.len()).min(file.len());
        file[start..end].copy_from_slice(&new[..end - start]);
        prop_assert_eq!(report(&file).whole(), file == sound);
    }
}

/// Before, any time passed: nothing but the header's hash knew of it.
#[test]
fn a_time_of_sealing_that_cannot_be() {
    let at = |batch: usize, sealed_ns: u64| {
        let found = cheated(move |batches| batches[batch].header.sealed_ns = sealed_ns);
        found.into_iter().map(|(kind, batch, _)| (kind, batch)).collect::<Vec<_>>()
    };
    // Before its inputs came, or before the batch before it.
    for batch in 0..3 {
        assert_eq!(at(batch, 0), [(Kind::WrongTime, batch as u64 + 1)], "batch {batch}");
    }
    // Later than any clock, also where nothing follows.
    assert_eq!(at(2, u64::MAX), [(Kind::WrongTime, 3)]);
    // Later than the next one.
    let before_the_last = at(1, u64::MAX);
    assert!(before_the_last.contains(&(Kind::WrongTime, 2)), "{before_the_last:?}");
    assert_eq!(at(0, i64::MAX as u64), [(Kind::WrongTime, 2)]);
}
