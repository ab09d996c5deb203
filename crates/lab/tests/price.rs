//! The outside price against the moments of its process.

use crate::numbers;

use numbers::{Estimate, close};
use surgetank_lab::flow::Tape;
use surgetank_lab::price::OutsidePrice;
use surgetank_lab::scenario::PricePath;
use surgetank_lab::seed::{Seed, Stream};
use surgetank_layer::units::{MS, Ns, SECOND};

const DAY: Ns = 86_400 * SECOND;

fn price(path: PricePath) -> OutsidePrice {
    OutsidePrice::new(&path, None).unwrap()
}

fn draws(seed: u64) -> Stream {
    Seed::new(seed).stream("price", 0)
}

fn gbm(volatility: f64, drift: f64, jumps: (f64, f64, f64)) -> PricePath {
    let (jumps_per_day, jump_mean, jump_sd) = jumps;
    PricePath::Gbm { start_usd: 100.0, volatility, drift, jumps_per_day, jump_mean, jump_sd }
}

fn points(volatility: f64) -> PricePath {
    PricePath::Points {
        at_s: vec![10.0, 20.0, 50.0],
        price_usd: vec![100.0, 50.0, 80.0],
        volatility,
    }
}

/// Logarithms of the price after a day in steps of this length, over many runs.
fn logs(path: &PricePath, step: Ns, runs: u64) -> Vec<f64> {
    let run = |seed| {
        let (mut price, mut draws) = (price(path.clone()), draws(seed));
        let mut now = 0;
        while now < DAY {
            now = (now + step).min(DAY);
            price.advance(now, 0.0, &mut draws);
        }
        (price.advance(DAY, 0.0, &mut draws) / 100.0).ln()
    };
    (0..runs).map(run).collect()
}

fn moments(logs: &[f64], mean: f64, variance: f64, what: &str) {
    Estimate::of(logs).holds(mean, &format!("{what}: mean"));
    let squares: Vec<f64> = logs.iter().map(|log| (log - mean).powi(2)).collect();
    Estimate::of(&squares).holds(variance, &format!("{what}: variance"));
}

#[test]
fn brownian_motion_is_exact_at_any_step() {
    for step in [DAY, DAY / 24, DAY / 100 + 1] {
        let found = logs(&gbm(0.8, 36.5, (0.0, 0.0, 0.0)), step, 4_000);
        moments(&found, 0.1, 0.64 / 365.0, &format!("steps of {step}"));
    }
}

#[test]
fn jumps_are_compound_poisson() {
    for step in [DAY, DAY / 50] {
        let found = logs(&gbm(0.0, 0.0, (3.0, -0.02, 0.05)), step, 6_000);
        moments(&found, -0.06, 3.0 * (0.02f64.powi(2) + 0.05f64.powi(2)), "jumps");
        let without = found.iter().map(|log| f64::from(u8::from(log.abs() < 1e-12)));
        Estimate::of(&without.collect::<Vec<_>>()).holds((-3.0f64).exp(), "days without a jump");
    }
}

/// Log returns over a day of a first price and of one that follows it, in this many steps.
fn followed(first: &PricePath, second: &PricePath, steps: u64, seed: u64) -> (f64, f64) {
    let (mut leads, mut follows) = (price(first.clone()), price(second.clone()));
    let mut draws = [0, 1].map(|market| Seed::new(seed).stream("price", market));
    let starts = [leads.advance(0, 0.0, &mut draws[0]), follows.advance(0, 0.0, &mut draws[1])];
    let start_log = leads.free_log();
    let mut ends = starts;
    for step in 1..=steps {
        let now = DAY * step / steps;
        ends[0] = leads.advance(now, 0.0, &mut draws[0]);
        // Impact on the first market is no part of what the second follows.
        leads.shock(-10.0);
        ends[1] = follows.advance(now, leads.free_log() - start_log, &mut draws[1]);
    }
    let impact = -1e-3 * (steps - 1) as f64;
    ((ends[0] / starts[0]).ln() - impact, (ends[1] / starts[1]).ln())
}

#[test]
fn a_price_that_follows_has_the_moments_of_a_single_index_model() {
    // Variances of a day's log return: σ²/365, and λ(μ² + s²) of jumps (Merton).
    let jumped = |(rate, mean, sd): (f64, f64, f64)| rate * (mean * mean + sd * sd);
    let none = (0.0, 0.0, 0.0);
    for (beta, common, own) in [
        (1.3, none, none),
        (-0.7, none, (2.0, 0.0, 0.03)),
        (1.3, (3.0, 0.0, 0.04), none),
        (0.5, (1.0, 0.0, 0.05), (4.0, 0.0, 0.02)),
    ] {
        let (jumps_per_day, jump_mean, jump_sd) = own;
        let second = PricePath::Follows {
            start_usd: 20.0,
            beta,
            volatility: 0.6,
            jumps_per_day,
            jump_mean,
            jump_sd,
        };
        let first = gbm(0.8, 0.0, common);
        let variance = 0.64 / 365.0 + jumped(common);
        let following = beta * beta * variance + 0.36 / 365.0 + jumped(own);
        for steps in [1, 24] {
            let found: Vec<_> =
                (0..4_000).map(|seed| followed(&first, &second, steps, seed)).collect();
            let what = format!("beta {beta}, jumps {common:?} {own:?}, {steps} steps");
            moments(&found.iter().map(|r| r.1).collect::<Vec<_>>(), 0.0, following, &what);
            let products = found.iter().map(|(a, b)| a * b / (variance * following).sqrt());
            let correlation = beta * variance.sqrt() / following.sqrt();
            Estimate::of(&products.collect::<Vec<_>>()).holds(correlation, &what);
        }
    }
}

#[test]
fn a_price_follows_given_points() {
    let follows = PricePath::Follows {
        start_usd: 10.0,
        beta: 2.0,
        volatility: 0.0,
        jumps_per_day: 0.0,
        jump_mean: 0.0,
        jump_sd: 0.0,
    };
    let (leads, follows) = followed(&points(0.0), &follows, 86_400, 1);
    close(leads, 0.8f64.ln(), 1e-9, "from 100 to 80");
    close(follows, 2.0 * 0.8f64.ln(), 1e-9, "twice the log return");
}

#[test]
fn without_noise_the_path_is_the_line_through_the_points() {
    let (mut price, mut draws) = (price(points(0.0)), draws(1));
    for (at_s, wanted) in [
        (0, 100.0),
        (10, 100.0),
        (15, 5_000f64.sqrt()),
        (20, 50.0),
        (35, 4_000f64.sqrt()),
        (50, 80.0),
        (70, 80.0),
    ] {
        close(price.advance(at_s * SECOND, 0.0, &mut draws), wanted, 1e-9, &format!("at {at_s}"));
    }
}

#[test]
fn the_bridge_is_pinned_at_the_points() {
    for step in [50 * MS, 3 * SECOND, 7 * SECOND] {
        for seed in 0..20 {
            let (mut price, mut draws) = (price(points(50.0)), draws(seed));
            let mut now = 0;
            let mut apart: f64 = 0.0;
            while now < 60 * SECOND {
                let next = now + step;
                let pins = [(10, 100.0), (20, 50.0), (50, 80.0)];
                for (at_s, wanted) in pins.map(|(at_s, usd)| (at_s * SECOND, usd)) {
                    if (now + 1..=next).contains(&at_s) {
                        close(price.advance(at_s, 0.0, &mut draws), wanted, 1e-9, "at a point");
                    }
                }
                now = next;
                let found = price.advance(now, 0.0, &mut draws);
                assert_eq!(price.advance(now, 0.0, &mut draws), found, "looked at twice");
                if now > 20 * SECOND && now < 50 * SECOND {
                    let share = (now as f64 / SECOND as f64 - 20.0) / 30.0;
                    apart = apart.max((found / (50.0 * (1.6f64).powf(share)) - 1.0).abs());
                }
            }
            assert!(apart > 1e-4, "the bridge of {volatility} does not move", volatility = 50.0);
        }
    }
}

#[test]
fn the_bridge_has_the_variance_of_a_bridge() {
    // s·(T − s)/T of σ² per year: T = 30 s, s = 12 s, in unequal steps.
    let wanted = 50.0f64.powi(2) * 12.0 * 18.0 / 30.0 / (365.0 * 86_400.0);
    let found = (0..6_000).map(|seed| {
        let (mut price, mut draws) = (price(points(50.0)), draws(seed));
        for at in [0, 13, 21, 22, 29] {
            price.advance(at * SECOND, 0.0, &mut draws);
        }
        (price.advance(32 * SECOND, 0.0, &mut draws) / (50.0 * 1.6f64.powf(0.4))).ln()
    });
    moments(&found.collect::<Vec<_>>(), 0.0, wanted, "bridge");
}

#[test]
fn a_tape_gives_the_last_price_known() {
    let tape = Tape {
        prices_ns: vec![10, 20, 20, 40],
        prices_usd: vec![1.0, 2.0, 3.0, 4.0],
        ..Tape::default()
    };
    let mut price = OutsidePrice::new(&PricePath::Tape {}, Some(&tape)).unwrap();
    let mut draws = draws(1);
    let found: Vec<f64> =
        [0, 10, 19, 20, 39, 40, 99].map(|now| price.advance(now, 0.0, &mut draws)).to_vec();
    assert_eq!(found, [1.0, 1.0, 1.0, 3.0, 3.0, 4.0, 4.0]);
}

#[test]
fn shocks_stay_and_multiply_every_path() {
    let tape = Tape { prices_ns: vec![0], prices_usd: vec![200.0], ..Tape::default() };
    for path in [gbm(0.0, 0.0, (0.0, 0.0, 0.0)), points(0.0), PricePath::Tape {}] {
        let mut price = OutsidePrice::new(&path, Some(&tape)).unwrap();
        let mut draws = draws(1);
        let before = price.advance(SECOND, 0.0, &mut draws);
        price.shock(-100.0);
        price.shock(-50.0);
        for now in [2, 3, 9] {
            let after = price.advance(now * SECOND, 0.0, &mut draws);
            close(after / before, (-0.015f64).exp(), 1e-12, "shocked");
        }
    }
}

#[test]
fn moves_are_measured_over_their_window() {
    let at_s = vec![0.0, 100.0];
    let path = PricePath::Points { at_s, price_usd: vec![100.0, 200.0], volatility: 0.0 };
    let (mut price, mut draws) = (price(path), draws(1));
    assert_eq!(price.move_pct(SECOND), 0.0);
    (0..=2_000).for_each(|step| {
        price.advance(step * 50 * MS, 0.0, &mut draws);
    });
    for window in [1, 5, 60] {
        let wanted = 100.0 * (2f64.powf(f64::from(window) / 100.0) - 1.0);
        let found = price.move_pct(Ns::from(window as u32) * SECOND);
        close(found, wanted, 1e-9, &format!("over {window} s"));
    }
    // Before the beginning counts the first price.
    let mut young = self::price(gbm(0.0, 0.0, (0.0, 0.0, 0.0)));
    young.advance(0, 0.0, &mut draws);
    young.shock(100.0);
    young.advance(SECOND, 0.0, &mut draws);
    close(young.move_pct(30 * SECOND), 100.0 * (0.01f64.exp() - 1.0), 1e-9, "young");
}

#[test]
fn paths_that_cannot_be_are_refused() {
    let error = |path: PricePath, tape: Option<&Tape>| {
        OutsidePrice::new(&path, tape).map(|_| ()).unwrap_err()
    };
    assert!(error(PricePath::Tape {}, None).contains("needs a tape"));
    assert!(error(PricePath::Tape {}, Some(&Tape::default())).contains("no prices"));
}
