//! Prices: the EIPs' published vectors, the closed forms, and the circuit breaker.

use proptest::prelude::*;
use surgetank_layer::admission::price::backlog::{
    Backlog, Config, EXPONENT_MAX_BIPS, Window, exp_bips,
};
use surgetank_layer::admission::price::eip1559::{BaseFee, next_base_fee};
use surgetank_layer::admission::price::{FeeRule, Relief};
use surgetank_layer::admission::{Kind, price};
use surgetank_layer::units::{MS, NEVER, Ns, SECOND};

/// go-ethereum's `TestCalcBaseFee` and the table of reth's `calculate_base_fee_success`.
#[test]
fn base_fee_reproduces_the_published_vectors() {
    let vectors: [(u64, u64, u64, u64); 13] = [
        // fee, limit, used, fee of the next block
        (1_000_000_000, 20_000_000, 10_000_000, 1_000_000_000),
        (1_000_000_000, 20_000_000, 9_000_000, 987_500_000),
        (1_000_000_000, 20_000_000, 11_000_000, 1_012_500_000),
        (1_000_000_000, 10_000_000, 10_000_000, 1_125_000_000),
        (1_000_000_000, 12_000_000, 10_000_000, 1_083_333_333),
        (1_000_000_000, 14_000_000, 10_000_000, 1_053_571_428),
        (1_072_671_875, 10_000_000, 9_000_000, 1_179_939_062),
        (1_059_263_476, 14_000_000, 10_001_000, 1_116_028_649),
        (1_049_238_967, 2_000_000, 0, 918_084_097),
        (1_049_238_967, 18_000_000, 10_000_000, 1_063_811_730),
        (0, 18_000_000, 10_000_000, 1),
        (1, 18_000_000, 10_000_000, 2),
        (2, 18_000_000, 10_000_000, 3),
    ];
    for (fee, limit, used, next) in vectors {
        assert_eq!(next_base_fee(fee, limit, used), next, "{fee} {limit} {used}");
    }
}

#[test]
fn full_blocks_are_nine_eighths_and_empty_ones_seven_eighths() {
    let eights = 8_u64.pow(12);
    let full = (0..12).fold(eights, |fee, _| next_base_fee(fee, 100, 100));
    let empty = (0..12).fold(eights, |fee, _| next_base_fee(fee, 100, 0));
    assert_eq!((full, empty), (9_u64.pow(12), 7_u64.pow(12)));
    // Ten times the fee takes 20 full blocks.
    let ten = 10 * eights;
    assert_eq!((1..).find(|&n| (0..n).fold(eights, |f, _| next_base_fee(f, 2, 2)) > ten), Some(20));
}

/// A fee that keeps everyone out falls: late blocks count as empty ones, the first at two block
/// times after the last batch.
#[test]
fn a_base_fee_falls_when_no_batch_comes() {
    let mut base = BaseFee::new(100, 1_000, SECOND);
    let risen = (1..=30).fold(0, |_, n| base.on_batch(n * SECOND, 1_000));
    assert!(risen > 3_000);
    let last = 30 * SECOND;
    assert_eq!(base.fee(last + 2 * SECOND - 1), risen);
    assert_eq!(base.clone().fee(last + 2 * SECOND), next_base_fee(risen, 1_000, 0));
    let once = base.clone().fee(last + 9 * SECOND);
    let often = (0..90).fold(0, |_, n| base.fee(last + n * SECOND / 10));
    assert_eq!(often, base.clone().fee(last + 9 * SECOND - 1));
    assert_eq!(once, base.fee(last + 9 * SECOND));
    assert_eq!(base.fee(NEVER), 100, "and no further than to its least");
    let mut pure = BaseFee::new(100, 1_000, NEVER);
    let risen = pure.on_batch(0, 1_000);
    assert_eq!((pure.fee(NEVER - 1), pure.falls_to_ns(5, 100)), (risen, NEVER));
}

/// The polynomial's values by hand, and the errors that the module's head claims.
#[test]
fn the_exponential_is_as_good_as_it_says() {
    // 1 + 1 + 1/2 + 1/6 + 1/24 = 2.7083 and 1 + 2 + 2 + 8/6 + 16/24 = 7.
    assert_eq!(
        (exp_bips(0, 4), exp_bips(10_000, 4), exp_bips(20_000, 4)),
        (10_000, 27_083, 70_000)
    );
    let error = |x: u64, degree| {
        let real = (x as f64 / 1e4).exp();
        1.0 - exp_bips(x, degree) as f64 / 1e4 / real
    };
    let claims =
        [(10_000, 0.004), (20_000, 0.053), (40_000, 0.371), (60_000, 0.715), (85_000, 0.926)];
    for (x, claimed) in claims {
        assert!((error(x, 4) - claimed).abs() < 5e-4, "{x}: {}", error(x, 4));
    }
    assert!((0..=85_000).step_by(17).all(|x| (-1e-9..3e-4).contains(&error(x, 20))));
    assert_eq!(exp_bips(EXPONENT_MAX_BIPS, 4) / 10_000, 365);
    assert_eq!(exp_bips(EXPONENT_MAX_BIPS, 20) / 10_000, 4_913);
    assert_eq!(exp_bips(u64::MAX, 20), u64::MAX);
}

fn windows(pairs: &[(u64, Ns)]) -> Config {
    let window = |&(target_per_s, window_ns): &(u64, Ns)| Window { target_per_s, window_ns };
    Config {
        fee_min: 1_000_000,
        windows: pairs.iter().map(window).collect(),
        degree: 20,
        exponent_max_bips: EXPONENT_MAX_BIPS,
    }
}

/// A backlog worth one window is a factor of e, and it leaks to nothing in as long.
#[test]
fn one_window_of_backlog_is_a_factor_of_e() {
    let mut price = Backlog::new(windows(&[(500, 10 * SECOND)]));
    assert_eq!(price.fee(0), 1_000_000);
    assert_eq!(price.on_batch(SECOND, 5_000), 2_718_200);
    assert_eq!(price.exponent_bips(SECOND), 10_000);
    assert_eq!(price.exponent_bips(6 * SECOND), 5_000);
    assert_eq!(price.exponent_bips(11 * SECOND), 0);
    assert_eq!(price.fee(11 * SECOND), 1_000_000);
    // Exactly the target rate in steady state leaves no backlog behind.
    for second in 11..100 {
        price.on_batch(second * SECOND, 500);
    }
    assert_eq!(price.exponent_bips(100 * SECOND), 0);
}

/// Nitro's example pair: a burst is felt by the short window, a sustained load by the long one.
#[test]
fn several_windows_answer_bursts_and_sustained_load() {
    let pair = [(30_000_000, SECOND), (15_000_000, 600 * SECOND)];
    let mut burst = Backlog::new(windows(&pair));
    burst.on_batch(0, 60_000_000);
    // 60/30 windows of the first, 60/9000 of the second; both leak.
    assert_eq!(burst.exponent_bips(0), 20_000 + 66);
    assert_eq!(burst.exponent_bips(2 * SECOND), 33);
    let mut sustained = Backlog::new(windows(&pair));
    for second in 0..600 {
        sustained.on_batch(second * SECOND, 25_000_000);
    }
    // Below the first's target; 10 million a second above the second's for 600 s is 2/3.
    assert_eq!(sustained.exponent_bips(600 * SECOND), 6_666);
}

#[test]
fn a_published_fee_does_not_rise_before_the_next_batch_but_falls() {
    let mut price = Backlog::new(windows(&[(1_000, SECOND)]));
    let first = price.on_batch(0, 500);
    assert!(first > 1_000_000);
    assert_eq!(price.fee(0), first);
    assert!(price.fee(100 * MS) < first);
    let second = price.on_batch(100 * MS, 500);
    assert!(second > first);
    assert_eq!(price.exponent_bips(100 * MS), 9_000);
}

#[test]
fn relief_is_for_cancels_and_risk_reducing_messages_only() {
    for kind in [Kind::Cancel, Kind::Reducing] {
        let owed = [Relief::None, Relief::Capped(3), Relief::Exempt].map(|r| r.owed(10, kind));
        assert_eq!(owed, [10, 3, 0]);
        assert_eq!(Relief::Capped(30).owed(10, kind), 10);
    }
    let owed = [Relief::None, Relief::Capped(3), Relief::Exempt].map(|r| r.owed(10, Kind::Order));
    assert_eq!(owed, [10, 10, 10]);
}

#[test]
fn a_fixed_price_is_fixed() {
    let mut price = FeeRule::Fixed(7);
    assert_eq!((price.on_batch(0, 9), price.fee(5)), (7, 7));
    assert_eq!((price.falls_to_ns(0, 7), price.falls_to_ns(0, 6)), (0, NEVER));
}

/// Batches at gaps of time, of some work.
fn batches() -> impl Strategy<Value = Vec<(Ns, u64)>> {
    prop::collection::vec((0..3 * SECOND, 0u64..20_000), 1..30)
}

fn prices() -> [FeeRule; 2] {
    let backlog = Backlog::new(windows(&[(1_000, SECOND), (500, 10 * SECOND), (300, 60 * SECOND)]));
    [FeeRule::BaseFee(BaseFee::new(1_000, 2_000, SECOND)), FeeRule::Backlog(backlog)]
}

proptest! {
    /// At most 1/8 (and 1) up, at most 1/8 down, and towards the target's side.
    #[test]
    fn a_base_fee_moves_by_an_eighth_at_most(
        fee in prop_oneof![0u64..100, any::<u64>()],
        half in 1u64..u64::MAX / 4,
        used in any::<u64>(),
    ) {
        let next = next_base_fee(fee, 2 * half, used);
        prop_assert!(next <= fee.saturating_add((fee / 8).max(1)));
        prop_assert!(next >= fee - fee / 8);
        let above = used > half;
        prop_assert!(!above || next > fee || fee == u64::MAX);
        prop_assert!(above || next <= fee);
    }

    /// Without batches no fee rises; the hint is the first instant that is cheap enough.
    #[test]
    fn prices_fall_by_themselves_and_hints_are_exact(batches in batches(), share in 0u64..110) {
        for mut price in prices() {
            let mut now = 0;
            for &(gap, work) in &batches {
                now += gap;
                let published = price.on_batch(now, work);
                prop_assert_eq!(price.fee(now), published);
            }
            let fee = price.fee(now);
            let bid = fee / 100 * share;
            let wait_ns = price.falls_to_ns(now, bid);
            prop_assert_eq!(wait_ns == 0, bid >= fee);
            if wait_ns == NEVER {
                prop_assert!(price.clone().fee(now + 3_600 * SECOND) > bid);
            } else {
                prop_assert!(price.clone().fee(now + wait_ns) <= bid);
                prop_assert!(wait_ns == 0 || price.clone().fee(now + wait_ns - 1) > bid);
            }
            let later = (0..20).map(|n| price.clone().fee(now + n * 700 * MS));
            prop_assert!(later.collect::<Vec<_>>().is_sorted_by(|a, b| a >= b));
        }
    }

    /// More work never makes it cheaper, and no step overflows.
    #[test]
    fn more_work_is_never_cheaper(works in prop::collection::vec(any::<u64>(), 1..10)) {
        let config = windows(&[(1, 1), (u64::MAX, NEVER)]);
        let mut price = Backlog::new(price::backlog::Config { fee_min: u64::MAX, ..config });
        let mut last = price.fee(0);
        for work in works {
            let fee = price.on_batch(0, work);
            prop_assert!(fee >= last);
            last = fee;
        }
    }
}
