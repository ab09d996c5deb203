//! The queue of every rule, filled and emptied, gives the order that the verifier derives.

use crate::audit_rig;

use audit_rig::{RULES, cut, found, inputs, served, terms};
use proptest::prelude::*;
use surgetank_layer::audit::batch::OpenBatch;
use surgetank_layer::audit::journal::Ledger;
use surgetank_layer::pipe::sealer::envelope;
use surgetank_layer::pipe::terms::Ordering;
use surgetank_layer::queue::{Config, Queue};

fn emptied(ordering: Ordering, inputs: &[audit_rig::Sealed], seed: &[u8; 32]) -> Vec<u32> {
    let mut queue =
        Queue::new(&Config { rule: ordering.rule(seed), capacity: inputs.len().max(1) });
    for ((ticket, message), index) in inputs.iter().zip(0..) {
        assert_eq!(queue.push(0, &envelope(index, ticket, message), index), Ok(None));
    }
    let seen: Vec<u32> = queue.iter().map(|waiting| waiting.item).collect();
    let order: Vec<u32> = std::iter::from_fn(|| queue.pop(0)).map(|next| next.item).collect();
    assert_eq!(seen, order, "what a queue says that it will do, it does");
    order
}

#[test]
fn rules_read_back_as_they_are_written() {
    for rule in RULES {
        assert_eq!(Ordering::parse(rule).unwrap().to_string(), rule);
    }
    let terms = Ordering::parse("drr quantum=7").unwrap().terms(3, 9);
    assert_eq!(terms, "drr quantum=7 messages_max=3 bytes_max=9");
    for bad in [
        "",
        "fifo ",
        "fifo x=1",
        "lifo",
        "priority",
        "priority high=256",
        "drr quantum=0",
        "drr quantum=07",
        "lanes weights=1,2,3",
        "lanes weights=0,1,1,1,1,1,1,1",
        "hash seed=1",
    ] {
        let error = Ordering::parse(bad).unwrap_err();
        assert!(error.contains("use fifo"), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn queue_and_verifier_agree(
        rule in 0usize..RULES.len(),
        quantum in 1u32..400,
        weights in prop::array::uniform8(1u8..7),
        count in 0u32..80,
        first in any::<u16>(),
        limits in (1u32..90, 1u32..8000),
    ) {
        let ordering = match Ordering::parse(RULES[rule]).unwrap() {
            Ordering::Drr { .. } => Ordering::Drr { quantum_bytes: quantum },
            Ordering::Lanes { .. } => Ordering::Lanes { weights },
            other => other,
        };
        let inputs = inputs(count, first.into());
        let terms = terms(&ordering.to_string(), limits.0, limits.1);
        let (mut ledger, mut file) = Ledger::new(&[9; 32], 1, &terms);
        let mut open = OpenBatch::default();
        for (ticket, message) in &inputs {
            open.push(ticket, message);
        }
        let last_ns = inputs.iter().map(|(ticket, _)| ticket.arrival_ns).max().unwrap_or(0);
        let sealed = ledger.seal(last_ns, &mut open, b"").unwrap();
        let order = emptied(ordering, &inputs, &sealed.seed);
        prop_assert_eq!(&order, &served(&ordering.to_string(), &inputs, &sealed.seed));
        let order = cut(&order, &inputs, limits.0, limits.1);
        ledger.publish(&mut open, sealed, &order, &terms, &mut file);
        prop_assert_eq!(found(&file), []);
    }
}

#[test]
fn the_drawn_order_keeps_its_word_when_somebody_leaves() {
    let inputs = inputs(40, 0);
    let rule = Ordering::Hash.rule(&[4; 32]);
    let mut queue = Queue::new(&Config { rule, capacity: 40 });
    for ((ticket, message), index) in inputs.iter().zip(0u32..) {
        queue.push(0, &envelope(index, ticket, message), index).unwrap();
    }
    let gone = |index: u32| index.is_multiple_of(3) || inputs[index as usize].0.account == 2;
    queue.retain(|waiting| !gone(waiting.item));
    let mut expected = served("hash", &inputs, &[4; 32]);
    expected.retain(|index| !gone(*index));
    let seen: Vec<u32> = queue.iter().map(|waiting| waiting.item).collect();
    let order: Vec<u32> = std::iter::from_fn(|| queue.pop(0)).map(|next| next.item).collect();
    assert_eq!((&seen, &order), (&expected, &expected));
}
