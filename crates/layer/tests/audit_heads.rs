//! Heads that go on with a journal: after a restart, or when the secrets are used up.

use crate::audit_rig;

use audit_rig::{found, inputs, terms};
use surgetank_layer::audit::batch::OpenBatch;
use surgetank_layer::audit::journal::{End, Ledger, Reader};
use surgetank_layer::audit::seed::RevealChain;
use surgetank_verifier::Kind;

/// Batches of four under `fifo` limited to three, so that messages are carried over heads.
fn go_on(ledger: &mut Ledger, open: &mut OpenBatch, batches: u32, file: &mut Vec<u8>) -> End {
    let terms = terms("fifo", 3, 10_000);
    for _ in 0..batches {
        let height = ledger.height() as u32;
        inputs(4, height * 4).iter().for_each(|(ticket, message)| {
            open.push(ticket, message);
        });
        let now = u64::from(height + 1) * 40;
        let sealed = ledger.seal(now, open, b"").expect("a secret is left");
        ledger.publish(open, sealed, &[0, 1, 2], &terms, file);
    }
    End { height: ledger.height(), sequence: ledger.next_sequence() - 1, hash: ledger.last_hash() }
}

/// Two heads with two batches each, and where the second head stands.
fn journal(change: impl Fn(&mut End)) -> (Vec<u8>, usize) {
    let mut open = OpenBatch::default();
    let chain = |secret| RevealChain::new(&[secret; 32], 2);
    let terms = terms("fifo", 3, 10_000);
    let (mut ledger, mut file) = Ledger::after(&End::default(), chain(1), &terms);
    let mut end = go_on(&mut ledger, &mut open, 2, &mut file);
    let at = file.len();
    change(&mut end);
    let (mut ledger, head) = Ledger::after(&end, chain(2), &terms);
    file.extend(head);
    go_on(&mut ledger, &mut open, 2, &mut file);
    (file, at)
}

fn kinds(file: &[u8]) -> Vec<Kind> {
    found(file).into_iter().map(|(kind, ..)| kind).collect()
}

#[test]
fn a_further_head_goes_on_with_heights_sequence_and_what_was_carried() {
    let (file, at) = journal(|_| {});
    assert_eq!(found(&file), []);
    let mut reader = Reader::new(&file[..]).expect("a head");
    let mut seen = Vec::new();
    while let Some(batch) = reader.next_batch().expect("whole") {
        let header = batch.header;
        seen.push((header.height, header.first_sequence, header.carried_in));
    }
    assert_eq!(seen, [(1, 1, 0), (2, 4, 1), (3, 7, 2), (4, 10, 3)]);
    // The rest is a journal by itself, as after the first part was archived; but what was carried
    // into it cannot be checked.
    assert_eq!(kinds(&file[at..]), [Kind::InsertedMessage]);
}

/// As a start leaves them that was killed after its head and before its first batch.
#[test]
fn heads_without_a_batch_between_them_go_on_with_the_last_batch() {
    let terms = terms("fifo", 3, 10_000);
    let written = |change: fn(&mut End)| {
        let (mut open, chain) = (OpenBatch::default(), |secret| RevealChain::new(&[secret; 32], 2));
        let (mut ledger, mut file) = Ledger::after(&End::default(), chain(1), &terms);
        let mut end = go_on(&mut ledger, &mut open, 2, &mut file);
        let (_, head) = Ledger::after(&end, chain(2), &terms);
        file.extend(head);
        change(&mut end);
        let (mut ledger, head) = Ledger::after(&end, chain(3), &terms);
        file.extend(head);
        go_on(&mut ledger, &mut open, 2, &mut file);
        file
    };
    let whole = written(|_| {});
    assert_eq!(found(&whole), []);
    let mut reader = Reader::new(&whole[..]).expect("a head");
    let heights = std::iter::from_fn(|| reader.next_batch().expect("whole"));
    assert_eq!(heights.map(|batch| batch.header.height).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let other = written(|end| end.hash.0[0] ^= 1);
    assert!(kinds(&other).contains(&Kind::BrokenChain), "another batch before it");
}

#[test]
fn a_head_that_does_not_go_on_with_the_batch_before_is_found() {
    for change in
        [(|end| end.hash.0[0] ^= 1) as fn(&mut End), |end| end.height += 1, |end| end.sequence += 1]
    {
        let (file, _) = journal(change);
        assert!(kinds(&file).contains(&Kind::BrokenChain));
    }
    let (file, _) = journal(|end| end.hash.0[0] ^= 1);
    let mut reader = Reader::new(&file[..]).expect("a head");
    let read = std::iter::from_fn(|| reader.next_batch().transpose());
    assert_eq!(read.map(|batch| batch.is_ok()).collect::<Vec<_>>()[..3], [true, true, false]);
}

#[test]
fn an_altered_head_and_another_journal_behind_this_one_are_found() {
    let (mut file, at) = journal(|_| {});
    file[at + 20] ^= 1;
    assert_eq!(kinds(&file)[0], Kind::AlteredHead);
    let (_, first) = Ledger::new(&[3; 32], 2, "fifo");
    let (mut file, at) = journal(|_| {});
    file.truncate(at);
    file.extend(first);
    assert_eq!(kinds(&file), [Kind::BrokenChain]);
}
