//! Margin requirements by size, and the growth of initial margin with open interest.

use crate::desk;
use desk::*;
use proptest::prelude::*;
use surgetank_layer::message::Side;
use surgetank_layer::units::{Money, Price, Qty};
use surgetank_market::*;

/// Binance's BTCUSDT tiers as of 2021-03-18: lower bound in USD, initial and maintenance margin in
/// millionths, and the maintenance amount that its API gives for the tier.
const BINANCE: [(Money, u32, u32, Money); 10] = [
    (0, 8_000, 4_000, 0),
    (50_000, 10_000, 5_000, 50),
    (250_000, 20_000, 10_000, 1_300),
    (1_000_000, 50_000, 25_000, 16_300),
    (10_000_000, 100_000, 50_000, 266_300),
    (20_000_000, 200_000, 100_000, 1_266_300),
    (50_000_000, 250_000, 125_000, 2_516_300),
    (100_000_000, 333_000, 150_000, 5_016_300),
    (200_000_000, 500_000, 250_000, 25_016_300),
    (300_000_000, 1_000_000, 500_000, 100_016_300),
];

/// Rules with these (bound, initial, maintenance); the first bound is 0.
fn rules(tiers: impl IntoIterator<Item = (Money, u32, u32)>) -> SymbolConfig {
    let mut tiers = tiers.into_iter();
    let (_, initial_margin_ppm, maintenance_margin_ppm) = tiers.next().expect("a first tier");
    let tier = |(above, initial_ppm, maintenance_ppm)| Tier { above, initial_ppm, maintenance_ppm };
    SymbolConfig {
        initial_margin_ppm,
        maintenance_margin_ppm,
        tiers: tiers.map(tier).collect(),
        ..SymbolConfig::default()
    }
}

/// Account 0 holds `qty` lots bought at `price`, with this cash; account 1 the other side.
fn holding(rules: SymbolConfig, cash: Money, qty: Qty, price: Price, mode: MarginMode) -> Desk {
    let mut d = Desk::new(rules, 0, price);
    d.market.deposit(0, cash, mode);
    d.market.deposit(1, RICH, MarginMode::Cross);
    d.market.open(0, 0, qty, price);
    d.market.open(1, 0, -qty, price);
    d
}

/// Σ rate × (part of notional in the tier), in millionths: the definition, tier by tier.
fn by_parts(tiers: &[(Money, u32)], notional: Money) -> Money {
    let upper = tiers.iter().skip(1).map(|tier| tier.0).chain([Money::MAX]);
    let part = |(&(lower, rate), upper): (&(Money, u32), Money)| {
        (notional.min(upper) - lower).max(0) * Money::from(rate)
    };
    tiers.iter().zip(upper).map(part).sum()
}

#[test]
fn binances_maintenance_amounts() {
    let rules =
        rules(BINANCE.map(|(above, initial, maintenance, _)| (above, initial, maintenance)));
    for (index, &(above, _, rate, amount)) in BINANCE.iter().enumerate() {
        let upper = BINANCE.get(index + 1).map_or(500_000_000, |next| next.0);
        for notional in [above + 1_000, (above + upper) / 2, upper] {
            // One USD a lot: maintenance = notional × rate − maintenance amount.
            let required = notional * Money::from(rate) - amount * 1_000_000;
            assert_eq!(required % 1_000_000, 0, "tier {index}: whole USD");
            let qty = notional as Qty;
            for (cash, expected) in [(0, false), (-1, true)] {
                let cash = required / 1_000_000 + cash;
                let d = holding(rules.clone(), cash, qty, 1, MarginMode::Cross);
                assert_eq!(d.market.liquidatable(0, 0, 1), expected, "tier {index}, {notional}");
            }
        }
    }
}

#[test]
fn an_order_needs_the_initial_margin_of_each_part() {
    // 100 lots at 10,000 are 1 M: 2.5 % of the first 400,000 and 10 % of the rest are 70,000.
    let rules = rules([(0, 25_000, 12_500), (400_000, 100_000, 50_000)]);
    for (cash, refusal) in [(70_000, None), (69_999, Some(Reject::InsufficientMargin))] {
        let mut d = Desk::new(rules.clone(), 0, 10_000);
        d.market.deposit(0, cash, MarginMode::Cross);
        assert_eq!(reject(&d.order(0, limit(1, Side::Buy, 10_000, 100))), refusal);
    }
}

#[test]
fn an_isolated_position_takes_the_margin_of_what_a_trade_adds() {
    let rules = rules([(0, 25_000, 12_500), (400_000, 100_000, 50_000)]);
    let mut d = Desk::new(rules, 0, 10_000);
    d.market.deposit(0, 100_000, MarginMode::Isolated);
    d.market.deposit(1, RICH, MarginMode::Cross);
    d.order(1, limit(1, Side::Sell, 10_000, 200));
    for (lots, margin) in [(30, 7_500), (30, 10_000 + 20_000), (40, 70_000)] {
        d.order(0, market(lots as u64, Side::Buy, lots));
        let p = d.market.position_detail(0, 0);
        assert_eq!(p.quote + Money::from(p.qty) * 10_000, margin);
    }
}

#[test]
fn initial_margin_grows_with_open_interest() {
    // dYdX v4: at open interest o the rate is base + (o − lower)/(upper − lower) × (1 − base).
    let cap = OpenInterestCap { lower: 2_000_000, upper: 6_000_000 };
    let rules = SymbolConfig {
        initial_margin_ppm: 50_000,
        open_interest_cap: Some(cap),
        ..SymbolConfig::default()
    };
    for (open_lots, need) in
        [(100, 5_000), (200, 5_000), (300, 28_750), (600, 100_000), (900, 100_000)]
    {
        for (cash, refusal) in [(need, None), (need - 1, Some(Reject::InsufficientMargin))] {
            let mut d = holding(rules.clone(), RICH, open_lots, 10_000, MarginMode::Cross);
            d.market.deposit(2, cash, MarginMode::Cross);
            let order = limit(1, Side::Buy, 10_000, 10);
            assert_eq!(reject(&d.order(2, order)), refusal, "open interest {open_lots} lots");
        }
        let d = holding(rules.clone(), 50_000, open_lots, 10_000, MarginMode::Cross);
        let required = open_lots as Money * 10_000 * 12_500 / 1_000_000;
        assert_eq!(d.market.liquidatable(0, 0, 10_000), required > 50_000, "maintenance does not");
    }
}

#[test]
fn open_interest_falls_when_positions_are_closed() {
    let cap = OpenInterestCap { lower: 500_000, upper: 1_500_000 };
    let rules = SymbolConfig { open_interest_cap: Some(cap), ..SymbolConfig::default() };
    let mut d = holding(rules, RICH, 100, 10_000, MarginMode::Cross);
    d.market.deposit(2, 250, MarginMode::Cross);
    let order = limit(1, Side::Buy, 10_000, 1);
    assert_eq!(reject(&d.order(2, order)), Some(Reject::InsufficientMargin));
    d.order(1, limit(1, Side::Buy, 10_000, 150));
    d.order(0, market(1, Side::Sell, 50));
    assert_eq!(reject(&d.order(2, limit(2, Side::Buy, 9_999, 1))), None, "2.5 % of 10,000");
    d.order(0, market(2, Side::Sell, 100));
    assert_eq!(d.market.position(0, 0), -50, "through zero: the other side holds the long now");
    assert_eq!(reject(&d.order(2, limit(3, Side::Sell, 10_001, 1))), None);
}

prop_compose! {
    /// Tiers with rising bounds and rates that do not fall, the first bound 0.
    fn tiers()(
        steps in prop::collection::vec((1..400_000i128, 0..150_000u32, 0..100_000u32), 1..6),
    ) -> Vec<(Money, u32, u32)> {
        let mut last = (0, 0, 0);
        let rise = |(index, (bound, initial, maintenance)): (usize, (Money, u32, u32))| {
            let bound = if index == 0 { 0 } else { last.0 + bound };
            last = (bound, last.1 + initial, last.2 + maintenance);
            last
        };
        steps.into_iter().enumerate().map(rise).collect()
    }
}

proptest! {
    /// The requirement is the sum over the parts of notional, and so is continuous at every bound.
    #[test]
    fn the_requirement_is_the_sum_over_parts(
        tiers in tiers(),
        notional in 1..3_000_000i64,
        at_bound in any::<prop::sample::Index>(),
        beside in -1..=1i64,
    ) {
        let maintenance: Vec<_> = tiers.iter().map(|&(above, _, rate)| (above, rate)).collect();
        let bound = at_bound.get(&maintenance).0 as Qty;
        for notional in [notional, (bound + beside).max(1)] {
            let required = by_parts(&maintenance, Money::from(notional));
            let enough = (required + 999_999) / 1_000_000;
            for (cash, expected) in [(enough, false), (enough - 1, true)] {
                let mode = MarginMode::Cross;
                let d = holding(rules(tiers.clone()), cash.max(0), notional, 1, mode);
                prop_assert_eq!(d.market.liquidatable(0, 0, 1), expected && cash >= 0);
            }
        }
    }

    /// The closed form of the liquidation price against the definition, price by price.
    #[test]
    fn the_liquidation_price_is_the_first_liquidatable(
        tiers in tiers(),
        qty in prop_oneof![-1_000..-1i64, 1..1_000i64],
        cash in 1..5_000_000i128,
        price in 1..20_000i64,
        cross: bool,
    ) {
        let mode = if cross { MarginMode::Cross } else { MarginMode::Isolated };
        let d = holding(rules(tiers), cash, qty, price, mode);
        let is = |at: Price| d.market.liquidatable(0, 0, at);
        let sign: Qty = qty.signum();
        match d.market.liquidation_price(0, 0) {
            Some(at) => {
                prop_assert!(is(at) && is((at - sign).max(1)));
                prop_assert!(at == 1 && sign < 0 || !is(at + sign));
            }
            None => prop_assert!(sign > 0 && !is(1)),
        }
    }
}
