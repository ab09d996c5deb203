//! The verifier derives the order of every rule: against queues that are filled and emptied.

use crate::audit_rig;

use audit_rig::{
    RULES, Sealed, cut, found, inputs, join, journal, report, reseal, served, split, terms,
};
use proptest::prelude::*;
use surgetank_layer::audit::batch::{OpenBatch, Ticket};
use surgetank_layer::audit::journal::Ledger;
use surgetank_layer::message::flags::POST_ONLY;
use surgetank_verifier::Kind;

/// A journal of one batch in which `inputs` are published in this order.
fn published(terms: &str, inputs: &[Sealed], order: impl Fn(&[u8; 32]) -> Vec<u32>) -> Vec<u8> {
    let (mut ledger, mut file) = Ledger::new(&[9; 32], 1, terms);
    let mut open = OpenBatch::default();
    for (ticket, message) in inputs {
        open.push(ticket, message);
    }
    let sealed_ns = inputs.iter().map(|(ticket, _)| ticket.arrival_ns).max().unwrap_or(0);
    let sealed = ledger.seal(sealed_ns, &mut open, b"").unwrap();
    let order = order(&sealed.seed);
    ledger.publish(&mut open, sealed, &order, terms, &mut file);
    file
}

/// Inputs of (account, class, flags, fee, bytes).
fn of(kinds: &[(u32, u8, u8, u32, usize)]) -> Vec<Sealed> {
    kinds
        .iter()
        .map(|(account, class, flags, fee, size)| {
            let (account, class, flags, fee) = (*account, *class, *flags, *fee);
            (Ticket { account, class, flags, fee, arrival_ns: 0 }, vec![0; *size])
        })
        .collect()
}

/// Checks that the verifier accepts this order and no neighbouring one.
fn due(rule: &str, kinds: &[(u32, u8, u8, u32, usize)], order: &[u32]) {
    let inputs = of(kinds);
    let terms = terms(rule, 1000, 1_000_000);
    let accepts = |order: &[u32]| found(&published(&terms, &inputs, |_| order.to_vec())).is_empty();
    assert!(accepts(order), "{rule}: {order:?}");
    for at in 1..order.len() {
        let mut other = order.to_vec();
        other.swap(at - 1, at);
        assert!(!accepts(&other), "{rule}: {other:?}");
    }
}

#[test]
fn fifo_by_hand() {
    due("fifo", &[(9, 4, 0, 0, 1), (8, 2, 0, 5, 1), (7, 0, 0, 9, 1)], &[0, 1, 2]);
}

#[test]
fn priority_by_hand() {
    // 6 = liquidations and cancels.
    let kinds = [(0, 4, 0, 0, 1), (0, 2, 0, 0, 1), (0, 0, 0, 0, 1), (0, 1, 0, 0, 1)];
    due("priority high=6", &kinds, &[1, 3, 0, 2]);
}

#[test]
fn fee_by_hand() {
    let kinds = [(0, 4, 0, 1, 1), (0, 4, 0, u32::MAX, 1), (0, 4, 0, 1, 1), (0, 4, 0, 2, 1)];
    due("fee", &kinds, &[1, 3, 0, 2]);
}

#[test]
fn class_by_hand_puts_post_only_before_cancels_before_takers() {
    let kinds = [
        (0, 4, 0, 0, 1),
        (0, 3, POST_ONLY, 0, 1),
        (0, 2, 0, 0, 1),
        (0, 4, POST_ONLY, 0, 1),
        (0, 1, 0, 0, 1),
        (0, 0, 0, 0, 1),
    ];
    due("class", &kinds, &[3, 4, 5, 2, 0, 1]);
}

#[test]
fn lanes_by_hand_interleave_by_weight() {
    // Class 1 weighs 2, all others 1: round 1 serves each lane, round 2 only class 1.
    let kinds =
        [(0, 4, 0, 0, 1), (0, 4, 0, 0, 1), (0, 1, 0, 0, 1), (0, 1, 0, 0, 1), (0, 1, 0, 0, 1)];
    due("lanes weights=1,2,1,1,1,1,1,1", &kinds, &[2, 0, 3, 4, 1]);
}

#[test]
fn drr_by_hand_carries_deficits() {
    // Quantum 100. Round 1: account 7 sends 60 (40 kept), account 8 nothing (100 kept).
    // Round 2: account 7 has 140, sends 90; account 8 has 200, sends 150.
    let kinds = [(7, 4, 0, 0, 60), (7, 4, 0, 0, 90), (8, 4, 0, 0, 150), (7, 4, 0, 0, 10)];
    due("drr quantum=100", &kinds, &[0, 1, 3, 2]);
    // The same with 50 bytes more to send: that waits for round 3.
    let kinds = [(7, 4, 0, 0, 60), (7, 4, 0, 0, 90), (8, 4, 0, 0, 150), (7, 4, 0, 0, 51)];
    due("drr quantum=100", &kinds, &[0, 1, 2, 3]);
}

#[test]
fn hash_orders_accounts_by_the_seed() {
    let inputs = inputs(40, 0);
    let terms = terms("hash", 1000, 1_000_000);
    let honest = published(&terms, &inputs, |seed| served("hash", &inputs, seed));
    assert!(report(&honest).whole());
    let other = published(&terms, &inputs, |_| served("hash", &inputs, &[0; 32]));
    assert_eq!(found(&other)[0].0, Kind::OutOfOrder);
}

#[test]
fn honest_journals_are_whole_under_every_rule() {
    for rule in RULES {
        for limits in [(100_000, 1_000_000), (7, 1_000_000), (100_000, 600), (1, 1)] {
            let file = journal(rule, 4, 20, limits);
            let report = report(&file);
            assert!(report.whole(), "{rule} {limits:?}: {:?}", report.findings.first());
            assert_eq!((report.batches, report.bytes), (4, file.len() as u64));
            assert_eq!(report.messages + report.waiting, 80, "{rule} {limits:?}");
            assert_eq!(report.last_hash, split(&file).1[3].hash.0);
        }
    }
}

#[test]
fn the_cut_is_checked_on_both_sides() {
    for limits in [(7, 1_000_000), (100_000, 600)] {
        let (head, mut batches) = split(&journal("fee", 1, 20, limits));
        let due = batches[0].order.len() as u64;
        let first_left = batches[0].carried.remove(0);
        batches[0].order.push(first_left);
        reseal(&mut batches);
        // What was left over is not next under the rule, or one too many.
        assert_ne!(found(&join(&head, &batches)), []);
        let (head, mut batches) = split(&journal("fifo", 1, 20, limits));
        let due_fifo = batches[0].order.len() as u64;
        let first_left = batches[0].carried.remove(0);
        batches[0].order.push(first_left);
        reseal(&mut batches);
        assert_eq!(found(&join(&head, &batches)), [(Kind::WrongCut, 1, Some(due_fifo))]);
        let (head, mut batches) = split(&journal("fee", 1, 20, limits));
        let kept_back = batches[0].order.pop().unwrap();
        batches[0].carried.push(kept_back);
        batches[0].carried.sort_unstable();
        reseal(&mut batches);
        assert_eq!(found(&join(&head, &batches)), [(Kind::WrongCut, 1, Some(due - 1))]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_verifier_agrees_with_queues_that_are_filled_and_emptied(
        rule in prop_oneof![
            Just("fifo".to_owned()),
            any::<u8>().prop_map(|high| format!("priority high={high}")),
            Just("fee".to_owned()),
            Just("class".to_owned()),
            prop::collection::vec(1u8..6, 8).prop_map(|weights| {
                let weights: Vec<String> = weights.iter().map(u8::to_string).collect();
                format!("lanes weights={}", weights.join(","))
            }),
            (1usize..400).prop_map(|quantum| format!("drr quantum={quantum}")),
            Just("hash".to_owned()),
        ],
        count in 0u32..60,
        first in any::<u16>(),
        messages_max in 1u32..80,
        bytes_max in 1u32..6000,
    ) {
        let inputs = inputs(count, first.into());
        let terms = terms(&rule, messages_max, bytes_max);
        let order = |seed: &[u8; 32]| {
            cut(&served(&rule, &inputs, seed), &inputs, messages_max, bytes_max)
        };
        prop_assert_eq!(found(&published(&terms, &inputs, order)), []);
    }
}
