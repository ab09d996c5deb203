//! Collateral in assets: haircuts, worth, and sales.

use crate::desk;
use desk::*;
use proptest::prelude::*;
use surgetank_layer::message::{Body, PriceUpdate, Side};
use surgetank_layer::units::{AccountId, Money, Price, Qty};
use surgetank_market::*;

/// The account that buys collateral.
const BUYER: AccountId = 5;
/// 20 % haircut, priced by market 1 at 1,000; and a stablecoin with 1 %.
const ASSETS: [CollateralAsset; 2] = [
    CollateralAsset { price: AssetPrice::Mark { symbol: 1 }, haircut_ppm: 200_000 },
    CollateralAsset { price: AssetPrice::Constant {}, haircut_ppm: 10_000 },
];

/// Market 0 at 10,000 and market 1 at 1,000; account 0 has this cash and these amounts.
fn desk(cash: Money, amounts: [Money; 2]) -> Desk {
    let config = Config { symbols: vec![SymbolConfig::default(); 2], insurance: 0 };
    let mut d = Desk { market: Market::new(config, &[10_000, 1_000]), now: 0 };
    d.market.accept_collateral(ASSETS.to_vec(), BUYER);
    d.market.deposit(0, cash, MarginMode::Cross);
    for (asset, amount) in (0..).zip(amounts) {
        d.market.deposit_asset(0, asset, amount);
    }
    for account in [1, BUYER] {
        d.market.deposit(account, RICH, MarginMode::Cross);
    }
    d
}

fn mark(d: &mut Desk, symbol: u16, price: Price) -> Vec<Fact> {
    let body = PriceUpdate { symbol, price, observed_ns: d.now };
    d.send(1, Body::PriceUpdate(body))
}

/// (asset, amount, proceeds) of every sale of collateral.
fn sales(facts: &[Fact]) -> Vec<(u16, Money, Money)> {
    let sale = |fact: &Fact| match *fact {
        Fact::CollateralSold { asset, amount, proceeds, .. } => Some((asset, amount, proceeds)),
        _ => None,
    };
    facts.iter().filter_map(sale).collect()
}

#[test]
fn an_asset_counts_at_its_haircut_and_is_worth_its_mark() {
    // 10 at 1,000 count 8,000, and 1,000 of the stablecoin 990.
    let mut d = desk(0, [10, 1_000]);
    assert_eq!(d.market.equity(0), 11_000);
    // 2.5 % of 35 lots at 10,000 are 8,750, of 36 lots 9,000.
    assert_eq!(
        reject(&d.order(0, limit(1, Side::Buy, 10_000, 36))),
        Some(Reject::InsufficientMargin)
    );
    assert_eq!(reject(&d.order(0, limit(1, Side::Buy, 10_000, 35))), None);
}

#[test]
fn its_price_alone_makes_an_account_liquidatable() {
    let mut d = desk(0, [10, 0]);
    d.market.open(0, 0, 50, 10_000);
    d.market.open(1, 0, -50, 10_000);
    // 1.25 % of 500,000 are 6,250: 10 × 782 × 0.8 = 6,256 suffice, 10 × 781 × 0.8 = 6,248 do not.
    mark(&mut d, 1, 782);
    assert!(!d.market.liquidatable(0, 0, 10_000));
    mark(&mut d, 1, 781);
    assert!(d.market.liquidatable(0, 0, 10_000));
    assert_eq!(d.market.liquidation_price(0, 0), None, "no single price decides");
    assert_eq!(d.market.equity(0), 7_810);
    // Market 1 at 781 and market 0 at this price: 6,248 + 50 per tick, and 0.625 less required.
    let mut below = Vec::new();
    for (price, due) in [(10_000, true), (10_001, false)] {
        below.clear();
        d.market.below_maintenance_at(&[price, 781], &mut below);
        assert_eq!(!below.is_empty(), due, "{price}");
    }
}

#[test]
fn negative_cash_of_a_flat_account_is_covered_by_a_sale() {
    let mut d = desk(0, [10, 0]);
    d.market.open(0, 0, 50, 10_000);
    d.market.open(1, 0, -50, 10_000);
    d.order(1, limit(1, Side::Buy, 9_900, 50));
    let facts = d.order(0, market(1, Side::Sell, 50));
    // 5,000 lost; each of the asset brings 800: 7 are needed and bring 5,600.
    assert_eq!(sales(&facts), [(0, 7, 5_600)]);
    assert_eq!((d.market.asset(0, 0), d.market.asset(BUYER, 0)), (3, 7));
    assert_eq!(d.market.equity(0), 600 + 3_000);
    assert_eq!(d.market.equity(BUYER), RICH - 5_600 + 7_000, "the buyer gains the haircut");
    assert_eq!(bad_debt(&facts), []);
}

#[test]
fn a_liquidation_sells_in_order_and_what_is_missing_is_bad_debt() {
    let mut d = desk(0, [5, 2_000]);
    d.market.open(0, 0, 50, 10_000);
    d.market.open(1, 0, -50, 10_000);
    mark(&mut d, 0, 9_850);
    d.order(1, limit(1, Side::Buy, 9_850, 50));
    let facts = d.liquidate(0);
    // 7,500 lost: the assets bring 4,000 and 1,980, the fund is empty, and 1,520 are not covered.
    // The position's budget ends at the bankruptcy price, so its rest is deleveraged there.
    assert_eq!(d.market.position(0, 0), 0, "{facts:?}");
    assert_eq!(sales(&facts), [(0, 5, 4_000), (1, 2_000, 1_980)]);
    assert_eq!(d.market.bad_debt_total(), 1_520);
    assert_eq!(d.market.equity(0), 0);
}

#[test]
fn a_vault_takes_assets_over_with_the_position() {
    let rules = SymbolConfig {
        backstop: Some(Backstop { below_ppm: 666_667, vault: 6 }),
        ..SymbolConfig::default()
    };
    let config = Config { symbols: vec![rules; 2], insurance: 0 };
    let mut d = Desk { market: Market::new(config, &[10_000, 1_000]), now: 0 };
    d.market.accept_collateral(ASSETS.to_vec(), BUYER);
    for (account, cash) in [(0, 0), (1, RICH), (6, RICH)] {
        d.market.deposit(account, cash, MarginMode::Cross);
    }
    d.market.deposit_asset(0, 0, 10);
    d.market.open(0, 0, 50, 10_000);
    d.market.open(1, 0, -50, 10_000);
    mark(&mut d, 0, 9_900);
    d.liquidate(0);
    assert_eq!((d.market.asset(0, 0), d.market.asset(6, 0)), (0, 10));
    assert_eq!((d.market.position(0, 0), d.market.equity(0)), (0, 0));
    assert_eq!(d.market.bad_debt_total(), 0);
}

proptest! {
    /// Whatever the prices and liquidations, cash and each asset's amount are conserved, and margin
    /// is never counted above the assets' worth.
    #[test]
    fn cash_and_amounts_are_conserved(
        cash in 0..20_000i128,
        first in 0..40i128,
        second in 0..20_000i128,
        qty in prop_oneof![-60..-1i64, 1..60i64],
        steps in prop::collection::vec((0..2u16, 850..1_150i64, any::<bool>()), 1..30),
    ) {
        let mut d = desk(cash, [first, second]);
        d.market.open(0, 0, qty, 10_000);
        d.market.open(1, 0, -qty, 10_000);
        let mut facts = Vec::new();
        for (index, (symbol, permille, liquidates)) in (10..).zip(steps) {
            let base = if symbol == 0 { 10 } else { 1 };
            facts.extend(mark(&mut d, symbol, base * permille));
            let side = if qty > 0 { Side::Buy } else { Side::Sell };
            let price = d.market.mark(0);
            d.order(1, limit(index, side, price, qty.abs() as Qty));
            if liquidates {
                facts.extend(d.liquidate(0));
            }
            for (asset, all) in [(0, first), (1, second)] {
                let held = [0, 1, BUYER].map(|account| d.market.asset(account, asset));
                prop_assert_eq!(held.iter().sum::<Money>(), all);
                prop_assert!(held.iter().all(|&amount| amount >= 0));
            }
            let marks = [d.market.mark(0), d.market.mark(1)];
            let worth = d.market.equity(0) - d.market.assets_value(0, &marks);
            prop_assert!(d.market.position(0, 0) != 0 || worth >= 0, "a flat account owes nothing");
        }
    }
}
