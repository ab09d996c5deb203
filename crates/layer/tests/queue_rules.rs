//! Queues: bounded, nothing lost, served in the order that the rule says.

use std::collections::VecDeque;

use proptest::prelude::*;
use surgetank_layer::message::{Class, Envelope, flags};
use surgetank_layer::queue::codel::Law;
use surgetank_layer::queue::{Config, Queue, Rule};
use surgetank_layer::units::{MS, Ns};

const HIGH: u8 = 1 << Class::OrderCancelRequest as u8 | 1 << Class::LiquidationOrder as u8;

fn rules() -> Vec<Rule> {
    let law = Law { target_ns: MS, interval_ns: 10 * MS };
    vec![
        Rule::Fifo,
        Rule::Priority { high: HIGH },
        Rule::Class,
        Rule::Fee,
        Rule::Lanes { weights: [3, 5, 4, 1, 2, 1, 1, 1] },
        Rule::Drr { quantum_bytes: 150 },
        Rule::Codel { law },
        Rule::FqCodel { quantum_bytes: 150, law },
    ]
}

fn of(class: Class) -> Envelope {
    Envelope::plain(0, class, 100, 0)
}

/// A client's message of any kind.
fn envelopes() -> impl Strategy<Value = Envelope> {
    (0usize..5, 0u32..4, 0u32..3, 50u32..200, any::<bool>()).prop_map(
        |(class, account, fee_micros, size_bytes, post)| Envelope {
            fee_micros,
            flags: if post && class == 4 { flags::POST_ONLY } else { 0 },
            ..Envelope::plain(0, Class::ALL[class], size_bytes, account)
        },
    )
}

/// `Some` = push, `None` = pop; each step is a millisecond.
fn steps() -> impl Strategy<Value = Vec<Option<Envelope>>> {
    prop::collection::vec(prop::option::weighted(0.6, envelopes()), 0..200)
}

/// Pushes an item, or serves the next one: what was served, refused, and shed or dropped for it.
fn apply(
    queue: &mut Queue<usize>,
    now: Ns,
    step: Option<Envelope>,
    item: usize,
) -> (Option<usize>, Option<usize>, Vec<usize>) {
    let Some(envelope) = step else {
        let served = queue.pop(now).map(|waiting| waiting.item);
        return (served, None, queue.shed());
    };
    match queue.push(now, &envelope, item) {
        Ok(displaced) => (None, None, displaced.into_iter().collect()),
        Err(refused) => (None, Some(refused), Vec::new()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Against two plain lists: same service, refusal exactly when full, same view by `iter`.
    #[test]
    fn fifo_and_priority_agree_with_two_lists(
        priority in any::<bool>(),
        capacity in 0usize..6,
        steps in steps(),
    ) {
        let rule = if priority { Rule::Priority { high: HIGH } } else { Rule::Fifo };
        let mut queue = Queue::new(&Config { rule, capacity });
        let (mut high, mut low) = (VecDeque::new(), VecDeque::new());
        for (number, step) in steps.into_iter().enumerate() {
            let now = number as u64;
            if let Some(envelope) = step {
                let pushed = queue.push(now, &envelope, number);
                let is_high = priority && HIGH >> envelope.class as u8 & 1 == 1;
                let is_full = high.len() + low.len() == capacity;
                if is_full && (!is_high || low.is_empty()) {
                    prop_assert_eq!(pushed, Err(number));
                    continue;
                }
                let displaced = if is_full { low.pop_back().map(|(item, _)| item) } else { None };
                prop_assert_eq!(pushed, Ok(displaced));
                if is_high {
                    high.push_back((number, now));
                } else {
                    low.push_back((number, now));
                }
            } else {
                let served = queue.pop(now).map(|waiting| (waiting.item, waiting.queued_ns));
                prop_assert_eq!(served, high.pop_front().or_else(|| low.pop_front()));
                prop_assert!(queue.shed().is_empty());
            }
            let seen: Vec<usize> = queue.iter().map(|waiting| waiting.item).collect();
            let due: Vec<usize> = high.iter().chain(&low).map(|&(item, _)| item).collect();
            prop_assert_eq!(seen, due);
            prop_assert_eq!(queue.is_full(), queue.len() >= capacity);
        }
    }

    /// Every rule: what was pushed is served once, or refused once with a reason; never more wait
    /// than may; the same steps give the same service; what reduces risk is discarded for its like
    /// only (under `fee`, for whoever pays more).
    #[test]
    fn nothing_is_lost_or_doubled(rule in prop::sample::select(rules()), capacity in 1usize..8,
                                  steps in steps()) {
        let by_fee = matches!(rule, Rule::Fee);
        let mut queue = Queue::new(&Config { rule, capacity });
        let mut twin = queue.clone();
        let mut pushed: Vec<Option<Envelope>> = Vec::new();
        let mut ends: Vec<usize> = Vec::new();
        for (number, step) in steps.into_iter().chain(vec![None; capacity + 1]).enumerate() {
            let now = number as u64 * MS;
            pushed.push(step);
            let (served, refused, shed) = apply(&mut queue, now, step, number);
            let again = apply(&mut twin, now, step, number);
            prop_assert_eq!(&(served, refused, shed.clone()), &again);
            prop_assert!(queue.len() <= capacity);
            prop_assert_eq!(queue.iter().count(), queue.len());
            ends.extend(served.into_iter().chain(refused));
            for item in shed {
                let safe = pushed[item].is_some_and(|e| e.reduces_risk());
                let for_its_like = step.is_some_and(|e| e.reduces_risk());
                let fine = !safe || for_its_like || by_fee;
                prop_assert!(fine, "{:?} made room for {:?}", pushed[item], step);
                ends.push(item);
            }
        }
        prop_assert!(queue.is_empty());
        ends.sort_unstable();
        let due: Vec<usize> = (0..pushed.len()).filter(|&n| pushed[n].is_some()).collect();
        prop_assert_eq!(ends, due);
    }

    /// One account's storm of cancels in a full queue pushes out no one else's under the rules that
    /// keep accounts apart.
    #[test]
    fn a_storm_of_cancels_crowds_out_only_itself(own in 1u32..20, size_bytes in 50u32..200) {
        let law = Law { target_ns: MS, interval_ns: 10 * MS };
        for rule in [
            Rule::Drr { quantum_bytes: 150 },
            Rule::FqCodel { quantum_bytes: 150, law },
        ] {
            let mut queue = Queue::new(&Config { rule, capacity: 40 });
            let cancel = |account| {
                Envelope::plain(0, Class::OrderCancelRequest, size_bytes, account)
            };
            (0..40).for_each(|_| assert_eq!(queue.push(0, &cancel(0), 0), Ok(None)));
            for _ in 0..own {
                prop_assert_eq!(queue.push(0, &cancel(1), 1), Ok(Some(0)));
            }
            let refused = queue.push(0, &cancel(0), 0);
            prop_assert_eq!(refused, Err(0));
            prop_assert_eq!(queue.iter().filter(|w| w.item == 1).count(), own as usize);
        }
    }

    /// `iter` says what the pops then give, when nothing comes and nothing is shed.
    #[test]
    fn iter_foretells_the_pops(rule in prop::sample::select(rules()), steps in steps(),
                               peeks in any::<bool>()) {
        let mut queue = Queue::new(&Config { rule, capacity: 50 });
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Some(envelope) => { let _ = queue.push(0, &envelope, number); }
                None => { queue.pop(0); }
            }
        }
        if peeks {
            let first = queue.iter().next().map(|waiting| waiting.item);
            prop_assert_eq!(queue.peek(0).map(|waiting| waiting.item), first);
        }
        let foretold: Vec<usize> = queue.iter().map(|waiting| waiting.item).collect();
        let served: Vec<usize> =
            std::iter::from_fn(|| queue.pop(0)).map(|waiting| waiting.item).collect();
        prop_assert_eq!(served, foretold);
    }

    /// Under every rule but `fee` an account's messages of one kind are served in its order.
    #[test]
    fn an_accounts_own_order_is_kept(
        rule in prop::sample::select(rules()),
        items in prop::collection::vec(envelopes(), 0..40),
    ) {
        let by_fee = matches!(rule, Rule::Fee);
        let mut queue = Queue::new(&Config { rule, capacity: 50 });
        for (number, envelope) in items.iter().enumerate() {
            queue.push(0, envelope, number).expect("there is room");
        }
        let served: Vec<usize> = std::iter::from_fn(|| queue.pop(0)).map(|w| w.item).collect();
        for (rank, &a) in served.iter().enumerate() {
            for &b in &served[rank + 1..] {
                let kind = |n: usize| (items[n].account, items[n].class, items[n].flags);
                let fees = by_fee && items[a].fee_micros != items[b].fee_micros;
                prop_assert!(kind(a) != kind(b) || a < b || fees, "{} before {}", a, b);
            }
        }
    }

    /// What is not kept is gone, and the others stay in order.
    #[test]
    fn retain_keeps_order(
        rule in prop::sample::select(rules().into_iter().take(4).collect::<Vec<_>>()),
        items in prop::collection::vec(envelopes(), 0..50),
    ) {
        let mut queue = Queue::new(&Config { rule, capacity: 100 });
        for (number, envelope) in items.iter().enumerate() {
            queue.push(0, envelope, number).expect("there is room");
        }
        let due: Vec<usize> =
            queue.iter().map(|waiting| waiting.item).filter(|item| item % 3 != 0).collect();
        queue.retain(|waiting| waiting.item % 3 != 0);
        prop_assert_eq!(queue.len(), due.len());
        let served: Vec<usize> =
            std::iter::from_fn(|| queue.pop(0)).map(|waiting| waiting.item).collect();
        prop_assert_eq!(served, due);
        prop_assert!(queue.is_empty());
    }

    /// Shreedhar & Varghese, Lemma 2: while two accounts stay busy, the bytes that each is served
    /// differ by at most the quantum and twice the largest message.
    #[test]
    fn drr_shares_equally(sizes in prop::collection::vec(1u32..300, 60..120),
                          quantum_bytes in 1u32..500) {
        let mut queue = Queue::new(&Config { rule: Rule::Drr { quantum_bytes }, capacity: 1_000 });
        let largest = u64::from(*sizes.iter().max().expect("some"));
        for (number, &size) in sizes.iter().enumerate() {
            // Three accounts; the third sends least.
            let account = [0, 1, 0, 1, 2][number % 5];
            let envelope = Envelope::plain(0, Class::NewOrderSingle, size, account);
            queue.push(0, &envelope, envelope).expect("room");
        }
        let (mut left, mut served) = ([0usize; 3], [0u64; 3]);
        queue.iter().for_each(|w| left[w.item.account as usize] += 1);
        while let Some(next) = queue.pop(0) {
            let account = next.item.account as usize;
            served[account] += u64::from(next.item.size_bytes);
            left[account] -= 1;
            for (a, b) in [(0, 1), (0, 2), (1, 2)] {
                if left[a] > 0 && left[b] > 0 {
                    let bound = u64::from(quantum_bytes) + 2 * largest;
                    prop_assert!(served[a].abs_diff(served[b]) <= bound, "{:?}", served);
                }
            }
        }
    }

    /// While all lanes are busy, `Σ weights` services in a row hold each class exactly its weight.
    #[test]
    fn lanes_serve_by_weight(weights in prop::array::uniform5(1u8..6)) {
        let [a, b, c, d, e] = weights;
        let rule = Rule::Lanes { weights: [a, b, c, d, e, 1, 1, 1] };
        let mut queue = Queue::new(&Config { rule, capacity: 1_000 });
        let cycle: usize = weights.iter().map(|&w| usize::from(w)).sum();
        for number in 0..100 {
            queue.push(0, &of(Class::ALL[number % 5]), number % 5).expect("room");
        }
        for _ in 0..20 / weights.iter().max().expect("five") {
            let mut served = [0u8; 5];
            (0..cycle).for_each(|_| served[queue.pop(0).expect("busy").item] += 1);
            prop_assert_eq!(served, weights);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Who is said to stand before a newcomer is served before it: exactly under strict rules, within
    /// the rounding of one turn of every lane under weighted ones.
    #[test]
    fn who_stands_before_a_newcomer_is_known(
        waiting in prop::collection::vec(envelopes(), 0..60),
        newcomer in envelopes(),
    ) {
        for (rule, slack) in [
            (Rule::Fifo, 0),
            (Rule::Priority { high: HIGH }, 0),
            (Rule::Class, 0),
            (Rule::Lanes { weights: [3, 5, 4, 1, 2, 1, 1, 1] }, 18),
        ] {
            let mut queue = Queue::new(&Config { rule, capacity: 100 });
            for (number, envelope) in waiting.iter().enumerate() {
                queue.push(0, envelope, number).expect("there is room");
            }
            let said = queue.ahead(&newcomer);
            queue.push(0, &newcomer, usize::MAX).expect("there is room");
            let before = queue.iter().position(|w| w.item == usize::MAX).expect("it waits");
            prop_assert!(before.abs_diff(said) <= slack, "{before} before, {said} said");
        }
    }
}

#[test]
fn every_class_takes_the_lane_that_the_mask_says() {
    for high in 0..=u8::MAX {
        let mut queue = Queue::new(&Config { rule: Rule::Priority { high }, capacity: 8 });
        for class in Class::ALL {
            queue.push(0, &of(class), class).expect("there is room");
        }
        let served: Vec<Class> = std::iter::from_fn(|| queue.pop(0)).map(|w| w.item).collect();
        let (mut due, low): (Vec<Class>, Vec<Class>) =
            Class::ALL.into_iter().partition(|&class| high & (1 << class as u8) != 0);
        due.extend(low);
        assert_eq!(served, due, "mask {high:#010b}");
    }
}

#[test]
fn class_serves_makers_then_cancels_then_takers() {
    let post = Envelope { flags: flags::POST_ONLY, ..of(Class::NewOrderSingle) };
    let arrivals = [
        ("taker", of(Class::NewOrderSingle)),
        ("cancel", of(Class::OrderCancelRequest)),
        ("post-only", post),
        ("replace", of(Class::OrderCancelReplaceRequest)),
        ("liquidation", of(Class::LiquidationOrder)),
    ];
    let mut queue = Queue::new(&Config { rule: Rule::Class, capacity: 5 });
    for (name, envelope) in arrivals {
        queue.push(0, &envelope, name).expect("room");
    }
    let order: Vec<&str> = queue.iter().map(|w| w.item).collect();
    assert_eq!(order, ["post-only", "liquidation", "cancel", "taker", "replace"]);
    // Full: a cancel pushes the newest of the last group out; a taker is refused.
    assert_eq!(queue.push(0, &of(Class::OrderCancelRequest), "second"), Ok(Some("replace")));
    let refused = queue.push(0, &of(Class::NewOrderSingle), "late");
    assert_eq!(refused, Err("late"));
}

#[test]
fn the_dearest_first_and_the_cheapest_makes_room() {
    let fee = |fee_micros| Envelope { fee_micros, ..of(Class::NewOrderSingle) };
    let mut queue = Queue::new(&Config { rule: Rule::Fee, capacity: 3 });
    for (name, micros) in [("a", 5), ("b", 9), ("c", 5)] {
        queue.push(0, &fee(micros), name).expect("room");
    }
    assert_eq!(queue.push(0, &fee(5), "d"), Err("d"));
    assert_eq!(queue.push(0, &fee(6), "e"), Ok(Some("c")), "of the cheapest the newest goes");
    let served: Vec<&str> = std::iter::from_fn(|| queue.pop(0)).map(|w| w.item).collect();
    assert_eq!(served, ["b", "e", "a"]);
}

#[test]
fn a_sparse_account_waits_for_no_ones_backlog() {
    let law = Law { target_ns: MS, interval_ns: 10 * MS };
    let mut queue =
        Queue::new(&Config { rule: Rule::FqCodel { quantum_bytes: 100, law }, capacity: 100 });
    let from = |account| Envelope::plain(0, Class::NewOrderSingle, 100, account);
    (0..50).for_each(|n| assert_eq!(queue.push(0, &from(1), n), Ok(None)));
    assert_eq!(queue.pop(0).map(|w| w.item), Some(0));
    queue.push(0, &from(2), 99).expect("room");
    assert_eq!(queue.pop(0).map(|w| w.item), Some(99));
    assert_eq!(queue.pop(0).map(|w| w.item), Some(1));
}

#[test]
fn codel_sheds_what_stands_but_never_cancels() {
    let law = Law { target_ns: MS, interval_ns: 10 * MS };
    let mut queue = Queue::new(&Config { rule: Rule::Codel { law }, capacity: 1_000 });
    for number in 0..400u64 {
        let cancel = number % 2 == 0;
        let class = if cancel { Class::OrderCancelRequest } else { Class::NewOrderSingle };
        queue.push(0, &of(class), number).expect("room");
    }
    let (mut shed, mut served) = (Vec::new(), Vec::new());
    let mut now = 5 * MS;
    while let Some(next) = queue.pop(now) {
        served.push(next.item);
        shed.extend(queue.shed());
        now += MS;
    }
    assert!(!shed.is_empty());
    assert!(shed.iter().all(|number| number % 2 == 1), "{shed:?}");
    assert_eq!(served.len() + shed.len(), 400);
}

/// Ten thousand nodes have two each.
#[test]
fn an_empty_queue_is_small() {
    assert!(size_of::<Queue<u64>>() <= 112, "{} bytes", size_of::<Queue<u64>>());
}
