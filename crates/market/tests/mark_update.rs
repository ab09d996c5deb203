//! The mark price after oracle prices.

use crate::desk;
use desk::*;
use surgetank_layer::message::{Body, PriceUpdate, Side};
use surgetank_layer::units::{Price, SECOND};
use surgetank_market::mark::{Mark, MarkPrice};
use surgetank_market::{Fact, MarginMode, Reject, SymbolConfig};

const BOOK: (Option<Price>, Option<Price>) = (Some(108), Some(112));

#[test]
fn the_oracle_rule_ignores_the_book() {
    let mut mark = MarkPrice::new(Mark::Oracle, 100);
    assert!(mark.update(5, 90, 4, BOOK, Some(110)));
    assert_eq!((mark.mark(), mark.oracle()), (90, (90, 4)));
}

#[test]
fn a_price_observed_earlier_is_refused() {
    let mut mark = MarkPrice::new(Mark::Oracle, 100);
    assert!(mark.update(5, 90, 4, BOOK, None));
    assert!(!mark.update(6, 80, 3, BOOK, None));
    assert!(mark.update(6, 85, 4, BOOK, None));
    assert_eq!(mark.mark(), 85);
}

#[test]
fn the_median_follows_the_average_premium() {
    let mut mark = MarkPrice::new(Mark::Median { ema_ns: 150 }, 100);
    // gap 150 of 150 + 150: half of the premium of 10; median(100, 105, 110).
    assert!(mark.update(150, 100, 0, BOOK, Some(110)));
    assert_eq!(mark.mark(), 105);
    assert!(mark.update(300, 100, 0, BOOK, Some(110)));
    assert_eq!(mark.mark(), 108, "7.5 rounds up");
}

#[test]
fn one_wild_trade_or_quote_does_not_move_the_median() {
    let mut mark = MarkPrice::new(Mark::Median { ema_ns: 150 * SECOND }, 100);
    assert!(mark.update(1, 100, 0, (Some(99), Some(101)), Some(5_000)));
    assert_eq!(mark.mark(), 100);
    assert!(mark.update(2, 100, 0, (Some(4_000), Some(5_000)), Some(5_000)));
    assert_eq!(mark.mark(), 100);
}

#[test]
fn margin_is_measured_at_the_mark_and_not_at_the_oracle_price() {
    let mark = Mark::Median { ema_ns: 150 * SECOND };
    let mut d = Desk::new(SymbolConfig { mark, ..Default::default() }, 0, 10_000);
    d.market.deposit(0, 50_000, MarginMode::Isolated);
    d.market.deposit(1, RICH, MarginMode::Cross);
    d.market.open(0, 0, 100, 10_000);
    d.market.open(1, 0, -100, 10_000);
    // The oracle says 9,600, the book and the last trade say 9,900, the average lags behind.
    d.order(1, limit(1, Side::Buy, 9_899, 10));
    d.order(1, limit(2, Side::Sell, 9_901, 10));
    d.now = 50 * SECOND;
    let facts = d.price(9_600);
    let expected = Fact::Mark { symbol: 0, price: 9_600 + 75 };
    assert_eq!(facts[1], expected, "a quarter of the premium of 300");
    assert!(matches!(d.liquidate(0)[..], [Fact::NotLiquidatable { .. }]));
    assert!(d.market.liquidatable(0, 0, 9_600));
    assert_eq!(d.market.oracle(0).0, 9_600);
}

#[test]
fn bad_prices_are_refused() {
    let mut d = Desk::rich(1);
    d.now = 5;
    d.price(101);
    let update = |d: &mut Desk, symbol, price, observed_ns| {
        reject(&d.send(3, Body::PriceUpdate(PriceUpdate { symbol, price, observed_ns })))
    };
    assert_eq!(update(&mut d, 0, 99, 4), Some(Reject::StalePrice));
    assert_eq!(update(&mut d, 0, 0, 9), Some(Reject::PriceOutOfBand));
    assert_eq!(update(&mut d, 0, Price::MAX, 9), Some(Reject::PriceOutOfBand));
    assert_eq!(update(&mut d, 1, 99, 9), Some(Reject::UnknownSymbol));
    assert_eq!((d.market.mark(0), d.market.oracle(0).0), (101, 101));
}
