//! What controllers see: exact over few messages, bounded over many.

use surgetank_layer::tuning::Observation;
use surgetank_layer::tuning::observe::{Observer, SAMPLES_MAX};

#[test]
fn counts_extremes_mean_and_nearest_ranks() {
    let mut observer = Observer::default();
    (1..=200).rev().for_each(|sojourn_ns| observer.served(sojourn_ns));
    (0..3).for_each(|_| observer.refused());
    observer.inflight(17);
    let expected = Observation {
        now: 9,
        served: 200,
        refused: 3,
        sojourn_min_ns: 1,
        sojourn_mean_ns: 100,
        sojourn_p50_ns: 100,
        sojourn_p99_ns: 198,
        inflight: 17,
        backlog_ns: 5,
        ..Observation::default()
    };
    assert_eq!(observer.close(9, 12, 5), expected);
    // The next span begins from nothing.
    let empty = Observation { now: 10, inflight: 2, ..Observation::default() };
    assert_eq!(observer.close(10, 2, 0), empty);
    observer.served(7);
    assert_eq!(observer.close(11, 0, 0).sojourn_p99_ns, 7);
}

/// Of a million messages every 256th is kept for the percentiles.
#[test]
fn many_messages_are_thinned_evenly() {
    let mut observer = Observer::default();
    (0..1_000_000).for_each(|sojourn_ns| observer.served(sojourn_ns));
    let seen = observer.close(0, 0, 0);
    assert_eq!((seen.served, seen.sojourn_min_ns, seen.sojourn_mean_ns), (1_000_000, 0, 499_999));
    let stride = 256;
    assert!(
        1_000_000 / stride < SAMPLES_MAX as u64 && 1_000_000 / (stride / 2) > SAMPLES_MAX as u64
    );
    let kept = 1_000_000_u64.div_ceil(stride);
    let rank = |percent: u64| ((kept * percent).div_ceil(100) - 1) * stride;
    assert_eq!((seen.sojourn_p50_ns, seen.sojourn_p99_ns), (rank(50), rank(99)));
}
