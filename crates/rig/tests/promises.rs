//! A venue that loses what it has acknowledged, or executes something twice, is found out: the
//! controls of the check that every run makes.

use surgetank_layer::audit::journal::{CONTINUING, MAGIC};
use surgetank_layer::units::Digest;
use surgetank_rig::promises::{Breaches, Promises};

/// A journal in which messages 0 and 1 are at the places 1 and 2, as they were promised.
fn kept() -> Promises {
    let mut promises = Promises::default();
    for id in 0..2 {
        promises.promise(id, u64::from(id) + 1);
        promises.place_of(u64::from(id) + 1, Some(id), Some((7, u64::from(id) + 1)));
    }
    promises
}

fn breaches(promises: &Promises) -> Breaches {
    promises.breaches(|_| false)
}

#[test]
fn a_journal_that_keeps_all_promises_has_no_breach() {
    let promises = kept();
    assert_eq!(breaches(&promises), Breaches::default());
    assert!(promises.is_complete());
}

#[test]
fn an_answer_for_an_order_that_is_not_in_the_journal_is_a_loss() {
    let mut promises = kept();
    promises.promise(2, 3);
    assert!(!promises.is_complete(), "the journal may still come");
    assert_eq!(breaches(&promises).lost, 1);
    // Another request at the promised place does not keep the promise.
    promises.place_of(3, Some(5), Some((7, 5)));
    assert!(promises.is_complete());
    assert_eq!(breaches(&promises).lost, 1);
}

#[test]
fn a_second_copy_of_a_request_is_found_by_its_clordid_and_by_its_message() {
    let mut promises = kept();
    promises.place_of(3, None, Some((7, 1)));
    assert_eq!(breaches(&promises).twice, 1);
    let mut promises = kept();
    promises.place_of(3, Some(1), None);
    assert_eq!(breaches(&promises).twice, 1);
    let mut promises = kept();
    promises.place_of(3, Some(2), Some((8, 1)));
    assert_eq!(breaches(&promises).twice, 0, "another account's");
}

#[test]
fn a_refused_request_in_the_journal_is_a_breach() {
    assert_eq!(kept().breaches(|id| id == 1).refused, 1);
}

fn head(before: Option<[u8; 32]>, hash: [u8; 32]) -> Vec<u8> {
    let mut head = MAGIC.to_vec();
    head.extend(CONTINUING.to_le_bytes());
    head.extend(before.unwrap_or_default());
    head.extend(hash);
    head
}

#[test]
fn a_history_that_was_exchanged_breaks_the_chain() {
    let chained = |fourth: [u8; 32]| {
        let mut promises = Promises::default();
        promises.head(&head(None, [1; 32]));
        promises.batch(1, Digest([1; 32]), Digest([2; 32]));
        // Two starts without a batch between them: both continue the batch.
        promises.head(&head(Some([2; 32]), [3; 32]));
        promises.head(&head(Some(fourth), [4; 32]));
        promises.batch(2, Digest([4; 32]), Digest([5; 32]));
        breaches(&promises).unchained
    };
    assert_eq!(chained([2; 32]), 0);
    assert_eq!(chained([9; 32]), 1, "the journal goes on after another batch");
    let mut promises = Promises::default();
    promises.batch(1, Digest([0; 32]), Digest([2; 32]));
    promises.batch(2, Digest([9; 32]), Digest([3; 32]));
    assert_eq!(breaches(&promises).unchained, 1);
}
