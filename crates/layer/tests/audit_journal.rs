//! The journal's file: written, read back, torn, altered, carried over.

use crate::audit_rig;

use audit_rig::{inputs, journal, split, terms};
use surgetank_layer::audit::batch::{OpenBatch, Ticket, leaf};
use surgetank_layer::audit::journal::{Ledger, ReadError, Reader};

fn read_all(file: &[u8]) -> Result<u64, ReadError> {
    let mut reader = Reader::new(file)?;
    let mut batches = 0;
    while reader.next_batch()?.is_some() {
        batches += 1;
    }
    Ok(batches)
}

#[test]
fn what_was_written_is_read_back() {
    let file = journal("fifo", 3, 4, (100, 10_000));
    let (_, batches) = split(&file);
    assert_eq!(batches.len(), 3);
    let mut first_sequence = 1;
    for (batch, height) in batches.iter().zip(1..) {
        assert_eq!(batch.header.height, height);
        assert_eq!(batch.header.first_sequence, first_sequence);
        assert_eq!(batch.inputs, inputs(4, (height as u32 - 1) * 4));
        assert_eq!(batch.order, [0, 1, 2, 3]);
        assert_eq!(batch.header.terms, terms("fifo", 100, 10_000));
        assert_eq!(batch.header.beacon, b"beacon");
        first_sequence += 4;
    }
    assert_eq!(Reader::new(&file[..]).unwrap().terms, terms("fifo", 100, 10_000));
}

#[test]
fn what_is_left_over_comes_first_in_the_next_batch() {
    let (_, batches) = split(&journal("fee", 2, 6, (4, 10_000)));
    let left: Vec<_> =
        batches[0].carried.iter().map(|index| batches[0].inputs[*index as usize].clone()).collect();
    assert_eq!(left.len(), 2);
    assert_eq!(batches[1].inputs[..2], left[..]);
    assert_eq!(batches[1].inputs[2..], inputs(6, 6)[..]);
    assert_eq!((batches[0].header.carried_out, batches[1].header.carried_in), (2, 2));
}

#[test]
fn terms_are_announced_one_batch_ahead() {
    let (mut ledger, mut file) = Ledger::new(&[1; 32], 2, "first");
    for next in ["second", "third"] {
        let mut open = OpenBatch::default();
        let sealed = ledger.seal(0, &mut open, b"").unwrap();
        ledger.publish(&mut open, sealed, &[], next, &mut file);
    }
    let (_, batches) = split(&file);
    let said = batches.iter().map(|b| (b.header.terms.as_str(), b.header.terms_next.as_str()));
    assert_eq!(said.collect::<Vec<_>>(), [("first", "second"), ("second", "third")]);
}

#[test]
fn a_ledger_out_of_secrets_says_so() {
    let (mut ledger, _) = Ledger::new(&[1; 32], 0, "fifo");
    let error = ledger.seal(0, &mut OpenBatch::default(), b"").unwrap_err();
    assert!(error.to_string().contains("new journal"), "{error}");
}

#[test]
fn a_journal_torn_anywhere_is_refused_with_byte_and_batch() {
    let file = journal("fifo", 2, 2, (100, 10_000));
    let (head, _) = split(&file);
    let first = head.len()
        + 8
        + u32::from_le_bytes(file[head.len() + 4..][..4].try_into().unwrap()) as usize;
    for end in 0..file.len() {
        let read = read_all(&file[..end]);
        if end == head.len() || end == first {
            assert_eq!(read.unwrap(), u64::from(end == first), "whole batches up to byte {end}");
            continue;
        }
        let error = read.unwrap_err();
        assert!(error.byte <= end as u64, "torn at {end}: {error}");
        let batch = if end < head.len() { 0 } else { 1 + u64::from(end > first) };
        assert_eq!(error.batch, batch, "torn at {end}: {error}");
    }
}

#[test]
fn an_altered_byte_is_refused_by_the_reader_unless_only_a_rule_can_tell() {
    let file = journal("fee", 2, 4, (3, 10_000));
    for at in 0..file.len() {
        let mut altered = file.clone();
        altered[at] ^= 0x40;
        // Without knowing rules the reader cannot judge checks and the list of what is carried.
        if read_all(&altered).is_ok() {
            let (_, batches) = split(&altered);
            let (_, sound) = split(&file);
            for (batch, sound) in batches.iter().zip(&sound) {
                assert_eq!((&batch.header, &batch.inputs), (&sound.header, &sound.inputs), "{at}");
                assert_eq!(batch.order, sound.order, "byte {at}");
            }
        }
    }
}

#[test]
fn an_error_reads_like_a_sentence() {
    let file = journal("fifo", 1, 1, (9, 999));
    let error = read_all(&file[..file.len() - 1]).unwrap_err();
    let expected = format!("byte {}, batch 1: the file is torn off here", file.len() - 1);
    assert_eq!(error.to_string(), expected);
    let error = read_all(b"no journal, but long enough to have a head of one").unwrap_err();
    assert_eq!(error.to_string(), "byte 0, the journal's head: does not begin as a journal does");
}

#[test]
fn every_field_of_a_ticket_is_in_its_leaf() {
    let ticket = Ticket { account: 1, class: 2, flags: 3, fee: 4, arrival_ns: 5 };
    assert_eq!(Ticket::from_bytes(&ticket.to_bytes()), ticket);
    let others = [
        (Ticket { account: 0, ..ticket }, &b"message"[..]),
        (Ticket { class: 0, ..ticket }, b"message"),
        (Ticket { flags: 0, ..ticket }, b"message"),
        (Ticket { fee: 0, ..ticket }, b"message"),
        (Ticket { arrival_ns: 0, ..ticket }, b"message"),
        (ticket, b"massage"),
        (ticket, b"message "),
        (ticket, b"message\0"),
    ];
    for (other, message) in others {
        assert_ne!(leaf(&ticket, b"message"), leaf(&other, message), "{other:?}");
    }
    // A message on either side of what fits the short way.
    assert_ne!(leaf(&ticket, &[0; 237]), leaf(&ticket, &[0; 238]));
}
