//! Queues: bounded, nothing lost, served in the order that the rule says.

use std::collections::VecDeque;

use proptest::prelude::*;
use surgetank_layer::machine::{Draws, Machine};
use surgetank_layer::message::Class;
use surgetank_layer::queue::{Config, Input, Output, Queue, Reason, Rule};

const HIGH: u8 = 1 << Class::OrderCancelRequest as u8 | 1 << Class::LiquidationOrder as u8;

struct NoDraws;

impl Draws for NoDraws {
    fn next_u64(&mut self) -> u64 {
        unreachable!("queues draw nothing")
    }
}

fn is_high(rule: Rule, class: Class) -> bool {
    rule != Rule::Fifo && matches!(class, Class::OrderCancelRequest | Class::LiquidationOrder)
}

proptest! {
    /// Against two plain lists: same service, refusal exactly when full, same view by `iter`.
    #[test]
    fn agrees_with_two_lists(
        priority in any::<bool>(),
        capacity in 0usize..6,
        steps in prop::collection::vec((any::<bool>(), 0usize..5), 0..200),
    ) {
        let rule = if priority { Rule::Priority { high: HIGH } } else { Rule::Fifo };
        let mut queue = Queue::new(Config { rule, capacity });
        let (mut high, mut low) = (VecDeque::new(), VecDeque::new());
        let mut outbox = Vec::new();
        for (number, (push, class)) in steps.into_iter().enumerate() {
            let now = number as u64;
            if push {
                let class = Class::ALL[class];
                queue.step(now, Input::Push { class, item: number }, &mut NoDraws, &mut outbox);
                if high.len() + low.len() == capacity {
                    let reason = Reason::QueueFull;
                    prop_assert_eq!(outbox.pop(), Some(Output::Refused { item: number, reason }));
                } else if is_high(rule, class) {
                    high.push_back((number, now));
                } else {
                    low.push_back((number, now));
                }
            } else {
                queue.step(now, Input::Pop, &mut NoDraws, &mut outbox);
                let expected = high.pop_front().or_else(|| low.pop_front());
                match (outbox.pop(), expected) {
                    (Some(Output::Served(served)), Some(due)) => {
                        prop_assert_eq!((served.item, served.queued_ns), due);
                    }
                    (Some(Output::Empty), None) => {}
                    other => prop_assert!(false, "{:?}", other),
                }
            }
            prop_assert!(outbox.is_empty());
            let seen: Vec<usize> = queue.iter().map(|waiting| waiting.item).collect();
            let due: Vec<usize> = high.iter().chain(&low).map(|&(item, _)| item).collect();
            prop_assert_eq!(seen, due);
            prop_assert_eq!(queue.is_full(), queue.len() >= capacity);
        }
    }

    /// What is not kept is gone, and the others stay in order.
    #[test]
    fn retain_keeps_order(items in prop::collection::vec(0usize..5, 0..50)) {
        let rule = Rule::Priority { high: HIGH };
        let mut queue = Queue::new(Config { rule, capacity: 100 });
        for (number, class) in items.iter().enumerate() {
            queue.push(0, Class::ALL[*class], number).expect("there is room");
        }
        let due: Vec<usize> =
            queue.iter().map(|waiting| waiting.item).filter(|item| item % 3 != 0).collect();
        queue.retain(|waiting| waiting.item % 3 != 0);
        let served: Vec<usize> =
            std::iter::from_fn(|| queue.pop()).map(|waiting| waiting.item).collect();
        prop_assert_eq!(served, due);
        prop_assert!(queue.is_empty());
    }
}

#[test]
fn every_class_takes_the_lane_that_the_mask_says() {
    for high in 0..=u8::MAX {
        let mut queue = Queue::new(Config { rule: Rule::Priority { high }, capacity: 8 });
        for class in Class::ALL {
            queue.push(0, class, class).expect("there is room");
        }
        let served: Vec<Class> = std::iter::from_fn(|| queue.pop()).map(|w| w.item).collect();
        let (mut due, low): (Vec<Class>, Vec<Class>) =
            Class::ALL.into_iter().partition(|&class| high & (1 << class as u8) != 0);
        due.extend(low);
        assert_eq!(served, due, "mask {high:#010b}");
    }
}

#[test]
fn a_cleared_queue_is_empty_and_has_all_its_room() {
    for class in [Class::LiquidationOrder, Class::NewOrderSingle] {
        let mut queue = Queue::new(Config { rule: Rule::Priority { high: HIGH }, capacity: 1 });
        queue.push(0, class, 1).expect("there is room");
        assert_eq!(queue.push(0, class, 2), Err((2, Reason::QueueFull)));
        queue.clear();
        assert!(queue.is_empty());
        assert_eq!(queue.pop(), None);
        queue.push(0, class, 3).expect("there is room");
    }
}

/// Ten thousand nodes have two each.
#[test]
fn an_empty_queue_is_small() {
    assert!(size_of::<Queue<u64>>() <= 96, "{} bytes", size_of::<Queue<u64>>());
}
