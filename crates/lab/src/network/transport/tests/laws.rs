//! Transfer times without losses in closed form, and the laws of throughput with losses.

use super::*;

/// Slow start over an unlimited line: windows of 10, 20, 40, … segments, one round trip apart.
fn slow_start(segments: u64, delay: Ns) -> Ns {
    let (mut rounds, mut sent) = (0, 10);
    while sent < segments {
        rounds += 1;
        sent += 10 << rounds;
    }
    2 * delay * rounds + delay
}

#[test]
fn slow_start_takes_the_rounds_of_its_closed_form() {
    for burst_ns in [0, MS] {
        for segments in [1, 10, 11, 30, 31, 70, 150, 310, 1_000, 5_000] {
            let rules = Rules { burst_ns, ..rules() };
            let took = Transfer::new(rules, Line::new(50 * MS, 0)).time_of(segments * SEGMENT);
            assert_eq!(took, slow_start(u64::from(segments), 50 * MS), "{segments} segments");
        }
    }
}

/// Once the window covers the line, a transfer takes the time of its bytes after the rounds before.
#[test]
fn a_long_transfer_fills_the_line() {
    // 8 Mbit/s: 1 ms for a segment; 100 ms of round trip are 100 segments.
    for burst_ns in [0, MS, 8 * MS] {
        let line = Line::new(50 * MS, 1_000);
        let took = Transfer::new(Rules { burst_ns, ..rules() }, line).time_of(10_000 * SEGMENT);
        // Rounds of 10, 20, 40 and 80 segments leave the line idle for the rest of 101 ms.
        let exact = (10_000 + 50 + 91 + 81 + 61 + 21) * MS;
        // A burst is acknowledged as a whole.
        let later = if burst_ns == 0 { 0 } else { 4 * burst_ns.max(2 * MS) };
        assert!((exact..=exact + later).contains(&took), "{took}");
    }
}

#[test]
fn a_receive_window_bounds_the_rate() {
    let rules = Rules { receive_window: 20_000, ..rules() };
    let took = Transfer::new(rules, Line::new(50 * MS, 0)).time_of(1_000 * SEGMENT);
    // 10 segments, then 20 in each round trip.
    assert_eq!(took, 50 * 100 * MS + 50 * MS);
}

#[test]
fn a_rate_of_the_connection_spaces_its_bursts() {
    let byte = 1_000 << 16;
    let took = Transfer::new(Rules { byte, ..rules() }, Line::new(MS, 0)).time_of(100 * SEGMENT);
    assert_eq!(took, 99 * MS + MS);
}

/// Throughput in segments per round trip of 100 ms where every n-th segment is lost, between the
/// first third of a transfer and its end.
fn segments_per_round(congestion: Congestion, every: u64) -> f64 {
    let took = |cycles: u64| {
        let line = Line { every, ..Line::new(50 * MS, 0) };
        let rules = Rules { congestion, rto_min_ns: 50 * MS, ..rules() };
        Transfer::new(rules, line).time_of((cycles * every) as u32 * SEGMENT) as f64
    };
    (40 * every) as f64 / ((took(60) - took(20)) / (100.0 * MS as f64))
}

/// Mathis, Semke, Mahdavi, Ott, CCR 27(3), 1997: W = √(3/2) / √p with an acknowledgement for every
/// segment and losses at equal distances. The law leaves out the round trip of a recovery, in which
/// the window does not grow.
#[test]
fn newreno_obeys_the_square_root_law() {
    let mut before = None;
    for every in [2_000, 500, 125] {
        let law = (1.5 * every as f64).sqrt();
        let found = segments_per_round(Congestion::Newreno, every);
        assert!((0.85..1.05).contains(&(found / law)), "1 in {every}: {found} against {law}");
        if let Some(before) = before.replace(found) {
            let ratio: f64 = before / found;
            assert!((1.9..2.3).contains(&ratio), "four times the loss: {ratio}");
        }
    }
}

/// RFC 9438, 5.1: where it is not in Reno's region, CUBIC's average window is
/// (C (3 + β) / (4 (1 − β)))^¼ · RTT^¾ / p^¾ segments, RTT in s, and without recoveries.
#[test]
fn cubic_obeys_its_law() {
    for every in [10_000u64, 40_000] {
        let law = (0.4f64 * 3.7 / (4.0 * 0.3)).powf(0.25) * (0.1 * every as f64).powf(0.75);
        let found = segments_per_round(Congestion::Cubic, every);
        assert!((0.85..1.05).contains(&(found / law)), "1 in {every}: {found} against {law}");
    }
}
