//! A transfer packet by packet, written for its plainness: every segment and every acknowledgement
//! is an event. Without losses connections agree with it to the nanosecond.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use proptest::prelude::*;

use super::*;

/// Time at which the last segment of a transfer arrives: NewReno in slow start, segments pass one
/// after the other at the line's rate.
fn packet_by_packet(segments: u64, delay: Ns, byte_ns: Ns, receive_window: u64) -> Ns {
    let (mut free, mut sent, mut flying, mut cwnd) = (0, 0, 0, 10);
    let mut answers = BinaryHeap::new();
    let (mut now, mut last) = (0, 0);
    loop {
        while sent < segments && flying < cwnd.min(receive_window) {
            free = now.max(free) + Ns::from(SEGMENT) * byte_ns;
            last = free + delay;
            answers.push(Reverse(last + delay));
            (sent, flying) = (sent + 1, flying + 1);
        }
        let Some(Reverse(at)) = answers.pop() else { return last };
        (now, flying, cwnd) = (at, flying - 1, cwnd + 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn segment_by_segment_it_is_the_same_to_the_nanosecond(
        segments in 1u32..3_000,
        delay in 1..300 * MS,
        byte_ns in 0..5_000u64,
        window in 10u64..5_000,
    ) {
        let rules = Rules { receive_window: window * u64::from(SEGMENT), ..rules() };
        let took = Transfer::new(rules, Line::new(delay, byte_ns)).time_of(segments * SEGMENT);
        prop_assert_eq!(took, packet_by_packet(u64::from(segments), delay, byte_ns, window));
    }

    /// Bursts are acknowledged as a whole: no faster, and slower by no more than a burst in each
    /// round of slow start.
    #[test]
    fn in_bursts_it_is_later_by_a_burst_a_round(
        segments in 1u32..3_000,
        delay in 1..300 * MS,
        byte_ns in 0..5_000u64,
    ) {
        let exact = packet_by_packet(u64::from(segments), delay, byte_ns, u64::MAX);
        let rules = Rules { burst_ns: MS, ..rules() };
        let burst = rules.burst(&[byte_ns << 16]) * byte_ns;
        let took = Transfer::new(rules, Line::new(delay, byte_ns)).time_of(segments * SEGMENT);
        let rounds = u64::from((segments / 10 + 2).ilog2() + 1);
        prop_assert!((exact..=exact + rounds * burst).contains(&took), "{took} for {exact}");
    }
}
