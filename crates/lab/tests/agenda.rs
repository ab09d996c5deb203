//! The agenda against the standard library's heap.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use proptest::prelude::*;
use surgetank_lab::agenda::Agenda;

proptest! {
    /// Any interleaving of pushes (never into the past) and pops gives what a heap ordered by
    /// (time, insertion) gives.
    #[test]
    fn agrees_with_a_binary_heap(steps in prop::collection::vec((0u64..5, 0u64..1 << 40), 0..400)) {
        let mut agenda = Agenda::new();
        let mut heap = BinaryHeap::new();
        let mut now = 0;
        for (number, (kind, delta)) in steps.into_iter().enumerate() {
            // Small deltas make equal times; large ones reach high buckets.
            let delta = match kind { 0 => 0, 1 => delta % 4, 2 => delta % 4096, _ => delta };
            if kind == 4 {
                let expected = heap.pop().map(|Reverse((at, n))| (at, n));
                prop_assert_eq!(agenda.pop(), expected);
                now = expected.map_or(now, |(at, _)| at);
            } else {
                agenda.push(now + delta, number);
                heap.push(Reverse((now + delta, number)));
            }
            prop_assert_eq!(agenda.len(), heap.len());
        }
        while let Some(Reverse(expected)) = heap.pop() {
            prop_assert_eq!(agenda.pop(), Some(expected));
        }
        prop_assert_eq!(agenda.pop(), None);
    }
}
