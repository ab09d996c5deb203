//! Token bucket and GCRA: what gets through, when, and that the two are one rule.

use proptest::prelude::*;
use surgetank_layer::admission::bucket::Bucket;
use surgetank_layer::admission::gcra::Gcra;
use surgetank_layer::admission::limit::Limit;
use surgetank_layer::units::{MS, NEVER, Ns, SECOND};

/// Deribit's matching engine by default: 5 requests a second, a burst of 20.
#[test]
fn a_burst_then_the_rate() {
    let limit = Limit::per_second(20, 5);
    let mut bucket = Bucket::full(&limit, 0);
    assert!((0..20).all(|_| bucket.take(&limit, 0, 1).is_ok()));
    assert_eq!(bucket.take(&limit, 0, 1), Err(200 * MS));
    assert_eq!(bucket.take(&limit, 200 * MS - 1, 1), Err(1));
    assert_eq!(bucket.take(&limit, 200 * MS, 1), Ok(()));
    assert_eq!(bucket.take(&limit, 200 * MS, 1), Err(200 * MS));
    // Idle for four seconds it is full again, and no fuller.
    assert_eq!(bucket.tokens(&limit, 4_200 * MS - 1), 19);
    assert_eq!(bucket.tokens(&limit, 4_200 * MS), 20);
    assert_eq!(bucket.tokens(&limit, 100 * SECOND), 20);
}

#[test]
fn a_refusal_takes_nothing_and_more_than_the_burst_never_comes() {
    let limit = Limit::per_second(10, 10);
    let mut bucket = Bucket::full(&limit, 0);
    assert_eq!(bucket.take(&limit, 0, 11), Err(NEVER));
    assert_eq!(bucket.take(&limit, 0, 7), Ok(()));
    assert_eq!(bucket.take(&limit, 0, 4), Err(100 * MS));
    assert_eq!(bucket.take(&limit, 0, 3), Ok(()));
    let mut gcra = Gcra::default();
    assert_eq!(gcra.take(&limit, 0, 11), Err(NEVER));
}

/// A third of a nanosecond is not lost: 3 a second stay 3 a second.
#[test]
fn a_rate_that_does_not_divide_a_second_is_exact() {
    let limit = Limit::per_second(1, 3);
    let mut gcra = Gcra::default();
    assert_eq!(gcra.take(&limit, 0, 1), Ok(()));
    assert_eq!(gcra.take(&limit, 0, 1), Err(333_333_334));
    // Sent as soon as allowed, with room in the bucket for the rest: 2 + 3 · 1 000 in 1 000 s, the
    // last one at their very end.
    let limit = Limit::per_second(2, 3);
    let mut bucket = Bucket::full(&limit, 0);
    let (mut now, mut sent) = (0, 0_u64);
    while now < 1_000 * SECOND {
        match bucket.take(&limit, now, 1) {
            Ok(()) => sent += 1,
            Err(wait_ns) => now += wait_ns,
        }
    }
    assert_eq!((sent, now), (3_001, 1_000 * SECOND));
}

/// Hyperliquid's trickle: 1 per 10 seconds, which is no whole number per second.
#[test]
fn slower_than_one_a_second() {
    let limit = Limit::new(1, 1, 10 * SECOND);
    let mut bucket = Bucket::full(&limit, 0);
    assert_eq!(bucket.take(&limit, 5, 1), Ok(()));
    assert_eq!(bucket.take(&limit, 6, 1), Err(10 * SECOND - 1));
}

#[test]
#[should_panic(expected = "at least 1")]
fn no_rate_is_no_limit() {
    Limit::new(1, 0, SECOND);
}

/// Limits of all shapes, also such that neither the rate nor its inverse is whole.
fn limits() -> impl Strategy<Value = Limit> {
    (1u64..50, 1u64..2_000, 1u64..5_000).prop_map(|(burst, n, span)| Limit::new(burst, n, span))
}

/// Gaps before each message, and its cost.
fn messages() -> impl Strategy<Value = Vec<(Ns, u64)>> {
    prop::collection::vec((prop_oneof![Just(0), 0u64..20, 0u64..5_000], 0u64..55), 1..200)
}

proptest! {
    /// The "GCRA = token bucket": each decision and each hint.
    #[test]
    fn gcra_is_the_token_bucket(limit in limits(), messages in messages()) {
        let (mut bucket, mut gcra) = (Bucket::full(&limit, 0), Gcra::default());
        let mut now = 0;
        for (gap, cost) in messages {
            now += gap;
            prop_assert_eq!(bucket.take(&limit, now, cost), gcra.take(&limit, now, cost));
        }
    }

    /// The hint is the first instant at which it is admitted, to the nanosecond.
    #[test]
    fn the_hint_is_exact(limit in limits(), messages in messages()) {
        let mut gcra = Gcra::default();
        let mut now = 0;
        for (gap, cost) in messages {
            now += gap;
            let Err(wait_ns) = gcra.take(&limit, now, cost) else { continue };
            if wait_ns == NEVER {
                prop_assert!(cost > limit.burst());
                continue;
            }
            prop_assert!(gcra.clone().take(&limit, now + wait_ns - 1, cost).is_err());
            prop_assert!(gcra.clone().take(&limit, now + wait_ns, cost).is_ok());
        }
    }

    /// In any span t at most burst + rate · t gets through.
    #[test]
    fn no_span_carries_more_than_burst_and_rate(
        (burst, rate, span) in (1u64..20, 1u64..50, 1u64..2_000),
        messages in messages(),
    ) {
        let limit = Limit::new(burst, rate, span);
        let mut bucket = Bucket::full(&limit, 0);
        let (mut now, mut through) = (0, Vec::new());
        for (gap, cost) in messages {
            now += gap;
            if bucket.take(&limit, now, cost).is_ok() {
                through.push((now, cost));
            }
        }
        for first in 0..through.len() {
            let mut sum = 0;
            for &(at, cost) in &through[first..] {
                sum += cost;
                prop_assert!(sum * span <= burst * span + rate * (at - through[first].0));
            }
        }
    }
}
