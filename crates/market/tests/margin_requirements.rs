//! Margin: initial requirement of orders, maintenance requirement of positions.

use crate::desk;
use desk::*;
use proptest::prelude::*;
use surgetank_layer::message::{Body, NewOrderSingle, Side};
use surgetank_layer::units::{Money, Price, Qty};
use surgetank_market::{Config, MarginMode, Market, Reject, SymbolConfig};

/// Price 10,000; initial margin 2.5 %, maintenance 1.25 %; account 9 makes the other side.
fn desk(cash: Money, mode: MarginMode) -> Desk {
    let mut d = Desk::new(SymbolConfig::default(), 0, 10_000);
    d.market.deposit(0, cash, mode);
    d.market.deposit(9, RICH, MarginMode::Cross);
    d
}

#[test]
fn an_order_needs_initial_margin_for_position_and_orders() {
    let mut d = desk(25_000, MarginMode::Cross);
    let refused = |d: &mut Desk, order| reject(&d.order(0, order));
    // 25,000 / 2.5 % = 1,000,000 = 100 lots, and not one more.
    let too_much = Some(Reject::InsufficientMargin);
    assert_eq!(refused(&mut d, limit(1, Side::Buy, 10_000, 101)), too_much);
    assert_eq!(refused(&mut d, limit(1, Side::Buy, 10_000, 60)), None);
    assert_eq!(refused(&mut d, limit(2, Side::Buy, 9_000, 41)), too_much, "resting orders count");
    assert_eq!(refused(&mut d, limit(3, Side::Sell, 10_100, 100)), None, "sides do not add up");
    assert_eq!(refused(&mut d, limit(4, Side::Sell, 10_100, 1)), too_much);
    d.cancel(0, 3);
    assert_eq!(refused(&mut d, limit(4, Side::Sell, 10_100, 1)), None);
    assert_eq!(reject(&d.replace(0, (1, 5), 10_000, 101)), too_much);
    assert_eq!(reject(&d.replace(0, (1, 5), 10_000, 100)), None, "frees the replaced order");
}

#[test]
fn an_order_that_only_reduces_needs_none() {
    let mut d = desk(25_000, MarginMode::Cross);
    d.order(9, limit(1, Side::Sell, 10_000, 100));
    d.order(0, limit(1, Side::Buy, 10_000, 100));
    d.price(9_800);
    assert_eq!(d.market.equity(0), 5_000);
    assert_eq!(
        reject(&d.order(0, limit(2, Side::Buy, 9_000, 1))),
        Some(Reject::InsufficientMargin)
    );
    assert_eq!(reject(&d.order(0, limit(3, Side::Sell, 9_900, 100))), None);
    let more = limit(4, Side::Sell, 9_900, 1);
    assert_eq!(reject(&d.order(0, more)), Some(Reject::InsufficientMargin), "would go short");
    assert_eq!(reject(&d.order(0, NewOrderSingle { reduce_only: true, ..more })), None);
}

#[test]
fn what_an_order_loses_at_once_counts() {
    let mut d = desk(25_000, MarginMode::Cross);
    d.order(9, limit(1, Side::Sell, 10_500, 100));
    // 50 lots need 12,500 and lose 25,000 against the mark; 33 need 8,250 and lose 16,500.
    for order in [market(1, Side::Buy, 50), limit(1, Side::Buy, 10_500, 50)] {
        assert_eq!(reject(&d.order(0, order)), Some(Reject::InsufficientMargin));
    }
    assert_eq!(reject(&d.order(0, market(1, Side::Buy, 33))), None);
    assert_eq!(d.market.equity(0), 25_000 - 33 * 500);
}

#[test]
fn fees_are_rounded_up_and_kept() {
    let rules = SymbolConfig { taker_fee_ppm: 450, maker_fee_ppm: 150, ..Default::default() };
    let mut d = Desk::new(rules, 0, 10_001);
    d.market.deposit(0, 100_000, MarginMode::Cross);
    d.market.deposit(1, 100_000, MarginMode::Isolated);
    d.order(0, limit(1, Side::Sell, 10_001, 1));
    d.order(1, market(1, Side::Buy, 1));
    // 10,001 × 150 ppm = 1.50015, × 450 ppm = 4.50045.
    assert_eq!((d.market.equity(0), d.market.equity(1)), (99_998, 99_995));
    assert_eq!(d.market.fees(), 7);
}

#[test]
fn an_isolated_position_takes_its_margin_from_cash_and_gives_it_back_flat() {
    let mut d = desk(60_000, MarginMode::Isolated);
    d.order(9, limit(1, Side::Sell, 10_000, 200));
    d.order(0, market(1, Side::Buy, 100));
    let quote = |d: &Desk| d.market.position_detail(0, 0).quote;
    assert_eq!(quote(&d), 25_000 - 1_000_000);
    d.price(10_100);
    d.order(9, limit(2, Side::Buy, 10_100, 200));
    d.order(0, market(2, Side::Sell, 40));
    assert_eq!(quote(&d), 25_000 - 1_000_000 + 404_000, "nothing is given back before it is flat");
    d.order(0, market(3, Side::Sell, 60));
    assert_eq!((quote(&d), d.market.equity(0)), (0, 70_000));
}

#[test]
fn an_isolated_position_bought_above_the_mark_takes_its_loss_along() {
    let mut d = desk(60_000, MarginMode::Isolated);
    d.order(9, limit(1, Side::Sell, 10_500, 10));
    d.order(0, market(1, Side::Buy, 10));
    let p = d.market.position_detail(0, 0);
    // 2.5 % of 100,000, and 10 × 500 lost at once.
    assert_eq!((p.quote, p.cost), (2_500 + 5_000 - 105_000, 105_000));
    d.order(9, limit(2, Side::Buy, 10_000, 4));
    d.order(0, market(2, Side::Sell, 4));
    assert_eq!(d.market.position_detail(0, 0).cost, 63_000, "what is left keeps its entry price");
}

#[test]
fn liquidatable_is_strict() {
    let rules = SymbolConfig { maintenance_margin_ppm: 20_000, ..Default::default() };
    let mut d = Desk::new(rules, 0, 10_000);
    d.market.deposit(0, 49_400, MarginMode::Isolated);
    d.market.deposit(1, RICH, MarginMode::Isolated);
    d.market.open(0, 0, 100, 10_000);
    d.market.open(1, 0, -100, 10_000);
    // At 9,700 equity and requirement are both 19,400.
    assert!(!d.market.liquidatable(0, 0, 9_700));
    assert!(d.market.liquidatable(0, 0, 9_699));
    assert_eq!(d.market.liquidation_price(0, 0), Some(9_699));
    assert_eq!(d.market.liquidation_price(9, 0), None);
    let seen = |d: &Desk, at| {
        let mut out = Vec::new();
        d.market.below_maintenance(0, at, &mut out);
        out
    };
    assert_eq!((seen(&d, 9_700), seen(&d, 9_699)), (vec![], vec![0]));
    d.price(9_699);
    assert_eq!(d.market.equity(0), 19_300);
}

#[test]
fn cross_shares_collateral_and_isolated_does_not() {
    let two = || {
        let config = Config { symbols: vec![SymbolConfig::default(); 2], insurance: 0 };
        Desk { market: Market::new(config, &[10_000, 10_000]), now: 0 }
    };
    for (mode, expected) in [(MarginMode::Cross, false), (MarginMode::Isolated, true)] {
        let mut d = two();
        d.market.deposit(1, RICH, MarginMode::Cross);
        for symbol in [0, 1] {
            d.market.deposit(0, 50_000, mode);
            d.market.open(0, symbol, 100, 10_000);
            d.market.open(1, symbol, -100, 10_000);
        }
        assert!(d.market.check_genesis().is_ok());
        d.price(9_600);
        assert_eq!(d.market.equity(0), 60_000);
        assert_eq!(d.market.liquidatable(0, 0, 9_600), expected, "{mode:?}");
        assert!(!d.market.liquidatable(0, 1, 10_000), "{mode:?}");
        // Cross: 100,000 − 100·(10,000 − p) < 12,500 + 1.25·p, from p = 9,240.5 down.
        let price = if expected { 9_620 } else { 9_240 };
        assert_eq!(d.market.liquidation_price(0, 0), Some(price), "{mode:?}");
        assert!(d.market.liquidatable(0, 0, price) && !d.market.liquidatable(0, 0, price + 1));
    }
}

#[test]
fn genesis_must_cancel_out_in_quantity_and_money() {
    let mut d = desk(50_000, MarginMode::Isolated);
    d.market.open(0, 0, 100, 10_000);
    let imbalance = d.market.check_genesis().unwrap_err();
    assert_eq!((imbalance.qty, imbalance.notional), (100, 1_000_000));
    d.market.open(9, 0, -100, 10_001);
    assert_eq!(d.market.check_genesis().unwrap_err().notional, -100);
}

#[test]
fn consensus_messages_have_no_effect() {
    let mut d = desk(1, MarginMode::Cross);
    let vote = surgetank_layer::message::Vote {
        vote_type: surgetank_layer::message::VoteType::Prevote,
        height: 1,
        round: 0,
        value: None,
        validator: 0,
    };
    assert!(d.send(0, Body::Vote(vote)).is_empty());
}

proptest! {
    /// The closed form of the liquidation price against the definition, price by price.
    #[test]
    fn the_liquidation_price_is_the_first_liquidatable(
        qty in prop_oneof![-1_000..-1i64, 1..1_000i64],
        cash in 1..5_000_000i128,
        price in 1..20_000i64,
        maintenance_margin_ppm in 0..400_000u32,
        cross: bool,
    ) {
        let rules = SymbolConfig { maintenance_margin_ppm, ..Default::default() };
        let mut d = Desk::new(rules, 0, price);
        let mode = if cross { MarginMode::Cross } else { MarginMode::Isolated };
        d.market.deposit(0, cash, mode);
        d.market.open(0, 0, qty, price);
        let first = d.market.liquidation_price(0, 0);
        let is = |at: Price| d.market.liquidatable(0, 0, at);
        let sign: Qty = qty.signum();
        match first {
            Some(at) => {
                prop_assert!(is(at) && is((at - sign).max(1)));
                prop_assert!(at == 1 && sign < 0 || !is(at + sign));
            }
            None => prop_assert!(sign > 0 && !is(1)),
        }
    }
}
