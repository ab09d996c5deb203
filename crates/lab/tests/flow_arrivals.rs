//! Arrival processes against their known moments, with confidence intervals.
//!
//! Statistical tests draw from fixed seeds, so they are repeatable; their bounds are 4 standard
//! errors of the batch means, so that a right process fails a new seed about once in 16,000.

use crate::numbers;

use numbers::{Estimate, close};
use surgetank_lab::flow::ArrivalProcess;
use surgetank_lab::scenario::{Arrivals, Profile};
use surgetank_lab::seed::Seed;
use surgetank_layer::units::{Ns, SECOND, ns};

const CONSTANT: Profile = Profile::Constant {};

/// All arrivals before `until`.
fn arrivals(kind: &Arrivals, profile: &Profile, until: Ns, seed: u64) -> Vec<Ns> {
    let mut process = ArrivalProcess::new(kind, profile);
    let mut draws = Seed::new(seed).stream("test", 0);
    let mut all = Vec::new();
    let mut now = 0;
    while let Some(at) = process.next(now, &mut draws).filter(|&at| at < until) {
        assert!(at >= now, "went back from {now} to {at}");
        all.push(at);
        now = at;
    }
    all
}

/// How many fall into each window of this length.
fn counts(all: &[Ns], until: Ns, window: Ns) -> Vec<f64> {
    let mut counts = vec![0.0; (until / window) as usize];
    for &at in all {
        if let Some(count) = counts.get_mut((at / window) as usize) {
            *count += 1.0;
        }
    }
    counts
}

/// Many short runs: the number of arrivals in [0, until) of each.
fn repeated(kind: &Arrivals, profile: &Profile, until: Ns, runs: u64) -> Estimate {
    let totals = (0..runs).map(|seed| arrivals(kind, profile, until, seed).len() as f64);
    Estimate::of(&totals.collect::<Vec<_>>())
}

fn profiles() -> [Profile; 10] {
    [
        CONSTANT,
        Profile::Ramp { from_s: 2.0, until_s: 7.0, factor: 6.0 },
        Profile::Ramp { from_s: 2.0, until_s: 7.0, factor: 0.0 },
        Profile::Step { from_s: 3.0, until_s: 5.0, factor: 9.0 },
        Profile::Step { from_s: 3.0, until_s: 5.0, factor: 0.0 },
        Profile::Spike { at_s: 4.0, decay_s: 1.5, factor: 20.0 },
        Profile::Spike { at_s: 4.0, decay_s: 1.5, factor: 0.25 },
        Profile::Spike { at_s: 0.0, decay_s: 3.0, factor: 4.0 },
        Profile::Piecewise { from_s: vec![0.0, 2.0, 5.0], factors: vec![0.5, 4.0, 0.0] },
        Profile::Piecewise { from_s: vec![0.0, 3.0, 3.5, 6.0], factors: vec![1.0, 9.0, 0.2, 2.0] },
    ]
}

#[test]
fn poisson_has_the_mean_and_the_variance_of_its_rate() {
    let kind = Arrivals::Poisson { rate_per_s: 50.0 };
    let all = arrivals(&kind, &CONSTANT, 4_000 * SECOND, 1);
    let per_second = counts(&all, 4_000 * SECOND, SECOND);
    Estimate::of(&per_second).holds(50.0, "mean");
    let squares: Vec<f64> = per_second.iter().map(|c| (c - 50.0).powi(2)).collect();
    Estimate::of(&squares).holds(50.0, "variance");
}

#[test]
fn poisson_gaps_are_exponential() {
    let kind = Arrivals::Poisson { rate_per_s: 1.0 };
    let all = arrivals(&kind, &CONSTANT, 20_000 * SECOND, 2);
    let gaps = all.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / SECOND as f64);
    // Kolmogorov–Smirnov against 1 − e^(−x); 1.95/√n is exceeded once in a thousand seeds.
    let mut gaps: Vec<f64> = gaps.collect();
    gaps.sort_by(f64::total_cmp);
    let n = gaps.len() as f64;
    let distance = gaps.iter().enumerate().map(|(i, gap)| {
        let theory = 1.0 - (-gap).exp();
        (theory - i as f64 / n).abs().max(((i + 1) as f64 / n - theory).abs())
    });
    let distance = distance.fold(0.0, f64::max);
    assert!(distance < 1.95 / n.sqrt(), "distance {distance} of {n} gaps");
}

#[test]
fn poisson_follows_every_profile_in_every_half_second() {
    let kind = Arrivals::Poisson { rate_per_s: 20.0 };
    for profile in profiles() {
        let process = ArrivalProcess::new(&kind, &profile);
        let runs = 400;
        let mut found = vec![Vec::new(); 20];
        for seed in 0..runs {
            let all = arrivals(&kind, &profile, 10 * SECOND, seed);
            let halves = counts(&all, 10 * SECOND, SECOND / 2);
            halves.iter().enumerate().for_each(|(i, count)| found[i].push(*count));
        }
        for (i, counts) in found.iter().enumerate() {
            let from = i as Ns * SECOND / 2;
            let wanted = process.expected(from, from + SECOND / 2);
            let spread = (wanted / runs as f64).sqrt();
            let mean = Estimate::of(counts).mean;
            assert!(
                (mean - wanted).abs() <= 4.5 * spread + 1e-9,
                "{profile:?} from {from}: {mean} where {wanted} ± {spread} are due"
            );
        }
    }
}

#[test]
fn hawkes_has_its_stationary_rate_and_dispersion() {
    // μ = 1, n = 0.9: rate 10, and variance over mean of long windows 1/(1 − n)² = 100.
    let kind = Arrivals::Hawkes { rate_per_s: 10.0, branching: 0.9, decay_per_s: 10.0 };
    let (window, windows) = (100 * SECOND, 2_000);
    let until = window * (windows + 1);
    let all = arrivals(&kind, &CONSTANT, until, 3);
    let found = counts(&all, until, window);
    let per_window = &found[1..];
    let rates: Vec<f64> = per_window.iter().map(|c| c / 100.0).collect();
    Estimate::of(&rates).holds(10.0, "rate");
    // Exact for a finite window T: with κ = β(1 − n), the correlations' reach cuts
    // F = 1/(1−n)² − (1/(1−n)² − 1)·(1 − e^(−κT))/(κT) (Hawkes 1971, by integrating the covariance).
    let reach = 10.0 * 0.1 * 100.0f64;
    let wanted = 100.0 - 99.0 * (1.0 - (-reach).exp()) / reach;
    let squares: Vec<f64> = per_window.iter().map(|c| (c - 1000.0).powi(2) / 1000.0).collect();
    Estimate::of(&squares).holds(wanted, "index of dispersion");
}

#[test]
fn hawkes_without_branching_is_poisson() {
    let kind = Arrivals::Hawkes { rate_per_s: 50.0, branching: 0.0, decay_per_s: 5.0 };
    let per_second = counts(&arrivals(&kind, &CONSTANT, 4_000 * SECOND, 4), 4_000 * SECOND, SECOND);
    let squares: Vec<f64> = per_second.iter().map(|c| (c - 50.0).powi(2)).collect();
    Estimate::of(&squares).holds(50.0, "variance");
}

#[test]
fn hawkes_starts_without_a_history_and_is_expected_to() {
    // Slow excitation: the ramp-up from an empty history takes 1/(β(1−n)) = 5 s.
    let kind = Arrivals::Hawkes { rate_per_s: 20.0, branching: 0.8, decay_per_s: 1.0 };
    for profile in profiles() {
        for until in [ns(3.5), ns(6.0), ns(10.0)] {
            let wanted = ArrivalProcess::new(&kind, &profile).expected(0, until);
            let what = format!("{profile:?} until {until}");
            repeated(&kind, &profile, until, 1_500).holds(wanted, &what);
        }
    }
}

#[test]
fn mmpp_has_the_rate_of_its_states() {
    let kind = Arrivals::Mmpp { rates_per_s: vec![5.0, 100.0, 0.0], dwell_s: vec![2.0, 0.5, 1.0] };
    let until = 20_000 * SECOND;
    let windows = counts(&arrivals(&kind, &CONSTANT, until, 5), until, 50 * SECOND);
    let rates: Vec<f64> = windows.iter().map(|c| c / 50.0).collect();
    Estimate::of(&rates).holds((5.0 * 2.0 + 100.0 * 0.5) / 3.5, "rate");
}

#[test]
fn mmpp_starts_in_its_stationary_state() {
    let kind = Arrivals::Mmpp { rates_per_s: vec![40.0, 4.0], dwell_s: vec![1.0, 9.0] };
    repeated(&kind, &CONSTANT, SECOND / 2, 4_000).holds(7.6 / 2.0, "arrivals in half a second");
}

#[test]
fn mmpp_of_one_state_is_poisson() {
    let kind = Arrivals::Mmpp { rates_per_s: vec![30.0], dwell_s: vec![0.3] };
    let per_second = counts(&arrivals(&kind, &CONSTANT, 4_000 * SECOND, 6), 4_000 * SECOND, SECOND);
    let squares: Vec<f64> = per_second.iter().map(|c| (c - 30.0).powi(2)).collect();
    Estimate::of(&squares).holds(30.0, "variance");
}

#[test]
fn mmpp_follows_a_profile() {
    let kind = Arrivals::Mmpp { rates_per_s: vec![60.0, 10.0], dwell_s: vec![0.1, 0.3] };
    for profile in profiles() {
        let wanted = ArrivalProcess::new(&kind, &profile).expected(0, 8 * SECOND);
        repeated(&kind, &profile, 8 * SECOND, 1_000).holds(wanted, &format!("{profile:?}"));
    }
}

#[test]
fn deterministic_arrivals_are_counted_exactly() {
    let kind = Arrivals::Deterministic { rate_per_s: 1_000.0 };
    let all = arrivals(&kind, &CONSTANT, 10 * SECOND + 1, 0);
    assert_eq!(all.len(), 10_000);
    assert!(all.iter().enumerate().all(|(k, &at)| at == (k as Ns + 1) * SECOND / 1_000));
}

#[test]
fn deterministic_arrivals_come_when_the_integral_reaches_the_next_integer() {
    let kind = Arrivals::Deterministic { rate_per_s: 7.0 };
    for profile in profiles() {
        let process = ArrivalProcess::new(&kind, &profile);
        let all = arrivals(&kind, &profile, 10 * SECOND, 0);
        let due = process.expected(0, 10 * SECOND);
        assert!(all.len() as f64 >= due.floor() - 1.0 && all.len() as f64 <= due, "{profile:?}");
        for (k, &at) in all.iter().enumerate() {
            let wanted = k as f64 + 1.0;
            assert!(process.expected(0, at + 2) >= wanted - 1e-9, "{profile:?} {k}");
            assert!(process.expected(0, at.saturating_sub(2)) <= wanted + 1e-9, "{profile:?} {k}");
        }
    }
}

#[test]
fn integrals_of_profiles_are_those_of_their_values() {
    for profile in profiles() {
        for until in [1.0, 3.7, 4.9, 6.5, 12.0f64] {
            let steps = 200_000;
            let width = until / f64::from(steps);
            let values = (0..steps).map(|i| profile.at((f64::from(i) + 0.5) * width));
            let sum = values.sum::<f64>() * width;
            close(profile.integral(until), sum, 1e-3, &format!("{profile:?} until {until}"));
        }
    }
}

#[test]
fn bounds_of_profiles_hold_until_they_end() {
    for profile in profiles() {
        let mut t = 0.0;
        while t < 20.0 {
            let (most, until) = profile.bound(t);
            assert!(until > t, "{profile:?}: the bound of {t} ends at {until}");
            for step in 0..200 {
                let inside = t + f64::from(step) / 200.0 * (until.min(20.0) - t);
                assert!(profile.at(inside) <= most + 1e-12, "{profile:?} at {inside}");
            }
            t = until.min(t + 0.37);
        }
    }
}

#[test]
fn nothing_comes_where_nothing_can() {
    let ends = Profile::Ramp { from_s: 0.0, until_s: 1.0, factor: 0.0 };
    let kinds = [
        Arrivals::None {},
        Arrivals::Deterministic { rate_per_s: 0.0 },
        Arrivals::Poisson { rate_per_s: 0.0 },
        Arrivals::Hawkes { rate_per_s: 0.0, branching: 0.5, decay_per_s: 1.0 },
        Arrivals::Mmpp { rates_per_s: vec![0.0, 0.0], dwell_s: vec![0.1, 0.1] },
    ];
    for kind in kinds {
        assert!(arrivals(&kind, &CONSTANT, Ns::MAX, 0).is_empty(), "{kind:?}");
        assert!(arrivals(&kind, &ends, Ns::MAX, 0).is_empty(), "{kind:?}");
    }
    // A rate that falls to nothing leaves a finite number.
    let kind = Arrivals::Mmpp { rates_per_s: vec![9.0, 1.0], dwell_s: vec![0.1, 0.1] };
    assert!(arrivals(&kind, &ends, Ns::MAX, 0).len() < 100);
    let kind = Arrivals::Hawkes { rate_per_s: 9.0, branching: 0.5, decay_per_s: 1.0 };
    assert!(arrivals(&kind, &ends, Ns::MAX, 0).len() < 200);
}

#[test]
fn a_long_pause_is_passed_over_at_once() {
    // At 1e6 per second, thinning through a million seconds of nothing would never end.
    let pause = Profile::Step { from_s: 0.0, until_s: 1e6, factor: 0.0 };
    for kind in [
        Arrivals::Deterministic { rate_per_s: 1e6 },
        Arrivals::Poisson { rate_per_s: 1e6 },
        Arrivals::Hawkes { rate_per_s: 1e6, branching: 0.5, decay_per_s: 1.0 },
    ] {
        let mut draws = Seed::new(7).stream("test", 0);
        let first = ArrivalProcess::new(&kind, &pause).next(0, &mut draws).unwrap();
        let at_once = 1_000_000 * SECOND..1_000_001 * SECOND;
        assert!(at_once.contains(&first), "{kind:?}: {first}");
    }
}

#[test]
fn arrivals_before_now_are_passed_over() {
    let kinds = [
        Arrivals::Deterministic { rate_per_s: 10.0 },
        Arrivals::Poisson { rate_per_s: 10.0 },
        Arrivals::Hawkes { rate_per_s: 10.0, branching: 0.8, decay_per_s: 4.0 },
        Arrivals::Mmpp { rates_per_s: vec![1.0, 30.0], dwell_s: vec![0.5, 0.5] },
    ];
    for kind in kinds {
        let all = arrivals(&kind, &CONSTANT, 60 * SECOND, 8);
        let late = all.iter().copied().find(|&at| at >= 30 * SECOND);
        let mut draws = Seed::new(8).stream("test", 0);
        let mut process = ArrivalProcess::new(&kind, &CONSTANT);
        assert_eq!(process.next(30 * SECOND, &mut draws), late, "{kind:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_arrivals_and_another_others() {
    let kind = Arrivals::Hawkes { rate_per_s: 40.0, branching: 0.7, decay_per_s: 3.0 };
    let profile = &profiles()[5];
    let one = arrivals(&kind, profile, 10 * SECOND, 9);
    assert_eq!(one, arrivals(&kind, profile, 10 * SECOND, 9));
    assert_ne!(one, arrivals(&kind, profile, 10 * SECOND, 10));
}
