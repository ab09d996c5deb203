//! Bands, slippage limits and reduce-only: what keeps trades near the mark.

use crate::desk;
use desk::*;
use proptest::prelude::*;
use surgetank_layer::message::{OrdType, Side, TimeInForce};
use surgetank_layer::units::{Price, Qty};
use surgetank_market::{CancelReason, Fact, MarginMode, Protection, Reject, SymbolConfig};

const MARK: Price = 10_000;

/// Three rich accounts at a mark of 10,000.
fn desk(protection: Protection) -> Desk {
    let mut d = Desk::new(SymbolConfig { protection, ..SymbolConfig::default() }, 0, MARK);
    (0..3).for_each(|account| d.market.deposit(account, RICH, MarginMode::Cross));
    d
}

fn only(slippage_ppm: Option<u32>, band_ppm: Option<u32>, far_ppm: Option<u32>) -> Protection {
    Protection { slippage_ppm, band_ppm, far_ppm, reduce_only_after_ns: None }
}

/// The spammer's half-price bid, and a market order that finds nothing else.
fn sell_into_half_price(protection: Protection) -> Vec<Fact> {
    let mut d = desk(protection);
    d.order(0, limit(1, Side::Buy, MARK / 2, 10));
    d.order(1, market(1, Side::Sell, 10))
}

#[test]
fn a_market_order_stops_at_its_slippage_limit() {
    // Without a limit the bid at half price is hit: what the limit is for.
    assert_eq!(trades(&sell_into_half_price(Protection::default())), [(0, 1, MARK / 2, 10)]);
    let facts = sell_into_half_price(only(Some(50_000), None, None));
    assert_eq!(trades(&facts), []);
    assert_eq!(canceled(&facts), [(1, 10, CancelReason::ImmediateOrCancel)]);
    // The limit itself is still taken, and nothing beyond it.
    let mut d = desk(only(Some(50_000), None, None));
    d.order(0, limit(1, Side::Buy, 9_500, 4));
    d.order(0, limit(2, Side::Buy, 9_499, 4));
    assert_eq!(trades(&d.order(1, market(1, Side::Sell, 8))), [(0, 1, 9_500, 4)]);
}

#[test]
fn limits_are_rounded_towards_the_mark() {
    // 333 ppm of 10,000 is 3.33: 3 either way.
    let protection = only(Some(333), None, None);
    assert_eq!(protection.worst(MARK, Side::Buy), Some(10_003));
    assert_eq!(protection.worst(MARK, Side::Sell), Some(9_997));
    assert_eq!(Protection::default().worst(MARK, Side::Buy), None);
    // The tighter of slippage limit and band counts; no price below one tick.
    assert_eq!(only(Some(500), Some(300), None).worst(MARK, Side::Sell), Some(9_997));
    assert_eq!(only(Some(1_000_000), None, None).worst(MARK, Side::Sell), Some(1));
}

#[test]
fn the_band_refuses_what_would_take_beyond_it_and_the_far_band_what_would_rest_beyond_it() {
    let mut d = desk(only(None, Some(20_000), Some(100_000)));
    let cases = [
        (Side::Buy, 10_200, None),
        (Side::Buy, 10_201, Some(Reject::PriceOutOfBand)),
        (Side::Sell, 9_800, None),
        (Side::Sell, 9_799, Some(Reject::PriceOutOfBand)),
        (Side::Buy, 9_000, None),
        (Side::Buy, 8_999, Some(Reject::PriceOutOfBand)),
        (Side::Sell, 11_000, None),
        (Side::Sell, 11_001, Some(Reject::PriceOutOfBand)),
    ];
    for (id, (side, price, refused)) in (1..).zip(cases) {
        assert_eq!(reject(&d.order(0, limit(id, side, price, 1))), refused, "{side:?} {price}");
        d.cancel(0, id);
    }
    // A replace is held to it as a new order is, and leaves the old one where it was.
    d.order(0, limit(50, Side::Buy, 9_900, 1));
    assert_eq!(reject(&d.replace(0, (50, 51), 8_999, 1)), Some(Reject::PriceOutOfBand));
    assert_eq!(
        d.market.open_orders(0, 0).map(|o| (o.cl_ord_id, o.price)).last(),
        Some((50, 9_900))
    );
    // The band follows the mark.
    d.price(9_000);
    assert_eq!(reject(&d.order(1, limit(1, Side::Buy, 8_999, 1))), None);
}

#[test]
fn with_an_old_oracle_price_positions_only_shrink() {
    let mut d = desk(Protection { reduce_only_after_ns: Some(100), ..Protection::default() });
    d.price(MARK);
    d.order(0, limit(1, Side::Sell, MARK, 5));
    d.order(1, market(1, Side::Buy, 5));
    assert_eq!(d.market.position(1, 0), 5);
    d.now += 200;
    assert_eq!(reject(&d.order(0, limit(2, Side::Buy, MARK, 5))), None, "closes its short");
    assert_eq!(reject(&d.order(2, limit(1, Side::Buy, MARK, 1))), Some(Reject::OnlyReducing));
    assert_eq!(reject(&d.order(1, limit(2, Side::Sell, MARK, 6))), Some(Reject::OnlyReducing));
    assert_eq!(trades(&d.order(1, limit(3, Side::Sell, MARK, 5))), [(0, 2, MARK, 5)]);
    // A fresh price opens the market again.
    d.price(MARK);
    assert_eq!(reject(&d.order(2, limit(2, Side::Buy, MARK, 1))), None);
}

proptest! {
    /// Whatever rests: no market order trades beyond its limit, and none that stays inside is cut.
    #[test]
    fn no_market_order_trades_beyond_its_limit(
        bids in prop::collection::vec((1i64..12_000, 1i64..20), 1..20),
        slippage in prop::option::of(0u32..=1_000_000),
        band in prop::option::of(0u32..=1_000_000),
        qty in 1i64..200,
    ) {
        let protection = only(slippage, band, None);
        let mut d = desk(protection);
        for (id, &(price, qty)) in (1..).zip(&bids) {
            d.order(0, limit(id, Side::Buy, price, qty));
        }
        let worst = protection.worst(MARK, Side::Sell).unwrap_or(1);
        let rests: Vec<_> = d.market.open_orders(0, 0).collect();
        let within: Qty = rests.iter().filter(|o| o.price >= worst).map(|o| o.qty).sum();
        let made = trades(&d.order(1, market(1, Side::Sell, qty)));
        prop_assert!(made.iter().all(|&(_, _, price, _)| price >= worst));
        prop_assert_eq!(made.iter().map(|trade| trade.3).sum::<Qty>(), qty.min(within));
    }

    /// An IOC at the limit and a market order do the same.
    #[test]
    fn a_market_order_is_an_immediate_order_at_its_limit(
        asks in prop::collection::vec((9_000i64..12_000, 1i64..20), 1..20),
        slippage in 1u32..200_000,
        qty in 1i64..100,
    ) {
        let protection = only(Some(slippage), None, None);
        let run = |plain: bool| {
            let mut d = desk(protection);
            for (id, &(price, qty)) in (1..).zip(&asks) {
                d.order(0, limit(id, Side::Sell, price, qty));
            }
            let price = protection.worst(MARK, Side::Buy).unwrap_or(MARK);
            let order = if plain {
                market(1, Side::Buy, qty)
            } else {
                let time_in_force = TimeInForce::ImmediateOrCancel;
                let ord_type = OrdType::Limit;
                surgetank_layer::message::NewOrderSingle {
                    ord_type, time_in_force, ..limit(1, Side::Buy, price, qty)
                }
            };
            trades(&d.order(1, order))
        };
        prop_assert_eq!(run(true), run(false));
    }
}
