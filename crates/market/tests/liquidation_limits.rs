//! Limits per block and the fillable price, as dYdX v4 has them.
//!
//! Throughout: one quantum is a cent, the price 10,000 (100 USD) and a lot one coin.

use crate::desk;
use desk::*;
use surgetank_layer::message::{Body, LiquidationOrder, NewOrderSingle, PriceUpdate, Side};
use surgetank_layer::units::{AccountId, Money, Qty};
use surgetank_market::{
    Bearer, BlockLimits, Config, Deferral, Fact, Fillable, MarginMode, Market, SymbolConfig,
};

const USD: Money = 100;
const PRICE: i64 = 10_000;
/// The bankruptcy price.
const BANKRUPT: i64 = 9_800;
const SHORT: AccountId = 8;
const MAKER: AccountId = 9;

fn mainnet() -> BlockLimits {
    BlockLimits {
        position_share_ppm: 100_000,
        position_min: 1_000 * USD,
        account_notional: 100_000 * USD,
        account_insurance: 1_000_000 * USD,
        attempts: 50,
        deleveraging_attempts: 10,
    }
}

/// Longs of this many lots each, with 1.2 % of maintenance and 2 % behind them.
fn desk(longs: &[Qty], insurance: Money, limits: BlockLimits) -> Desk {
    let rules = SymbolConfig {
        initial_margin_ppm: 20_000,
        maintenance_margin_ppm: 12_000,
        fillable: Some(Fillable {
            bankruptcy_adjustment_ppm: 1_000_000,
            spread_to_maintenance_ppm: 1_500_000,
        }),
        ..SymbolConfig::default()
    };
    let mut d = Desk::new(rules, insurance, PRICE);
    d.market.limit(limits);
    d.market.deposit(SHORT, RICH, MarginMode::Cross);
    d.market.deposit(MAKER, RICH, MarginMode::Cross);
    for (account, &qty) in (0..).zip(longs) {
        d.market.deposit(account, Money::from(qty * PRICE) / 50, MarginMode::Cross);
        d.market.open(account, 0, qty, PRICE);
        d.market.open(SHORT, 0, -qty, PRICE);
    }
    d
}

fn bids(d: &mut Desk, price: i64) {
    assert_eq!(reject(&d.order(MAKER, limit(1, Side::Buy, price, 1 << 30))), None);
}

fn deferred(facts: &[Fact]) -> Option<Deferral> {
    facts.iter().find_map(|fact| match *fact {
        Fact::LiquidationDeferred { reason, .. } => Some(reason),
        _ => None,
    })
}

fn closed(facts: &[Fact]) -> (Qty, Qty) {
    facts
        .iter()
        .find_map(|fact| match *fact {
            Fact::Liquidated { book_qty, deleveraged_qty, .. } => Some((book_qty, deleveraged_qty)),
            _ => None,
        })
        .unwrap_or((0, 0))
}

/// Blocks until nothing is left, one order a block.
fn blocks_to_close(usd: i64) -> u32 {
    // A hundredth of a cent is a quantum here, so that a lot is not much.
    let BlockLimits { position_min, account_notional, account_insurance, .. } = mainnet();
    let fine = BlockLimits {
        position_min: position_min * 100,
        account_notional: account_notional * 100,
        account_insurance: account_insurance * 100,
        ..mainnet()
    };
    let mut d = desk(&[usd * 10_000 / (PRICE - 140)], RICH, fine);
    d.price(PRICE - 140);
    bids(&mut d, BANKRUPT);
    let mut blocks = 0;
    while d.market.position(0, 0) > 0 {
        d.market.begin_block();
        blocks += 1;
        let before = d.market.position(0, 0);
        let facts = d.liquidate(0);
        assert!(d.market.position(0, 0) < before, "{facts:?}");
    }
    blocks
}

#[test]
fn closing_takes_as_many_blocks_as_on_dydx() {
    let blocks = [50_000, 1_000_000, 10_000_000].map(blocks_to_close);
    assert_eq!(blocks, [26, 54, 144]);
}

#[test]
fn an_account_is_tried_once_per_block_and_market() {
    let mut d = desk(&[1_000], RICH, mainnet());
    d.price(PRICE - 140);
    bids(&mut d, BANKRUPT);
    assert_eq!(closed(&d.liquidate(0)), (100, 0));
    assert_eq!(deferred(&d.liquidate(0)), Some(Deferral::Again));
    assert_eq!(d.market.position(0, 0), 900, "what is put off changes nothing");
    d.market.begin_block();
    assert_eq!(closed(&d.liquidate(0)), (90, 0));
}

#[test]
fn attempts_are_counted_over_all_accounts() {
    let mut d = desk(&[100; 4], RICH, BlockLimits { attempts: 3, ..mainnet() });
    d.price(PRICE - 81);
    bids(&mut d, PRICE - 81);
    let reasons: Vec<_> = (0..4).map(|account| deferred(&d.liquidate(account))).collect();
    assert_eq!(reasons, [None, None, None, Some(Deferral::Attempts)]);
    d.market.begin_block();
    assert_eq!(deferred(&d.liquidate(3)), None);
}

#[test]
fn orders_against_the_solvent_are_not_attempts() {
    let mut d = desk(&[100, 100], RICH, BlockLimits { attempts: 1, ..mainnet() });
    d.price(PRICE - 80);
    assert!(matches!(d.liquidate(0)[..], [Fact::NotLiquidatable { .. }]));
    d.price(PRICE - 81);
    assert_eq!(deferred(&d.liquidate(1)), None);
}

#[test]
fn no_fill_below_the_fillable_price() {
    let mut d = desk(&[10_000], RICH, mainnet());
    d.price(PRICE - 140);
    // Equity 600,000 of 1,183,200 required: 49.29 % lacking, so the worst price is
    // 9,860·(1 − .4929·1.8 %) = 9,772.5, rounded up.
    bids(&mut d, 9_772);
    assert_eq!(closed(&d.liquidate(0)), (0, 0));
    d.market.begin_block();
    assert_eq!(reject(&d.order(MAKER, limit(2, Side::Buy, 9_773, 100))), None);
    assert_eq!(closed(&d.liquidate(0)), (100, 0));
}

#[test]
fn at_bankruptcy_the_fillable_price_is_furthest() {
    let mut d = desk(&[1_000], RICH, mainnet());
    d.price(PRICE - 300);
    // 9,700·(1 − 1.8 %) = 9,525.4, rounded up; 275 below the bankruptcy price.
    bids(&mut d, 9_526);
    let facts = d.liquidate(0);
    assert_eq!(closed(&facts), (100, 0));
    assert_eq!(bad_debt(&facts), [(100 * 274, Bearer::Insurance)]);
}

#[test]
fn an_account_costs_the_fund_no_more_per_block_than_it_may() {
    let limits = BlockLimits { account_insurance: 1_000, ..mainnet() };
    let mut d = desk(&[1_000], RICH, limits);
    d.price(PRICE - 190);
    bids(&mut d, 9_790);
    let facts = d.liquidate(0);
    // 10 below bankruptcy: 100 of 100 lots.
    assert_eq!(bad_debt(&facts), [(1_000, Bearer::Insurance)]);
    d.market.begin_block();
    let facts = d.liquidate(0);
    assert_eq!((closed(&facts), bad_debt(&facts)), ((90, 0), vec![(900, Bearer::Insurance)]));
    let tight = BlockLimits { account_insurance: 500, ..mainnet() };
    let mut d = desk(&[1_000], RICH, tight);
    d.price(PRICE - 190);
    bids(&mut d, 9_790);
    assert_eq!(closed(&d.liquidate(0)), (50, 0));
}

#[test]
fn what_one_market_costs_the_fund_counts_in_the_other() {
    let symbols = vec![SymbolConfig::default(); 2];
    let mut market = Market::new(Config { symbols, insurance: 1_000_000 }, &[PRICE; 2]);
    let limits = BlockLimits { position_min: 0, account_insurance: 100, ..mainnet() };
    market.limit(limits);
    for (account, cash) in [(0, 40_000), (SHORT, RICH), (MAKER, RICH)] {
        market.deposit(account, cash, MarginMode::Cross);
    }
    let mut d = Desk { market, now: 0 };
    for symbol in [0, 1] {
        d.market.open(0, symbol, 100, PRICE);
        d.market.open(SHORT, symbol, -100, PRICE);
        let now = d.now;
        d.send(MAKER, Body::PriceUpdate(PriceUpdate { symbol, price: 9_810, observed_ns: now }));
        let bid = NewOrderSingle { symbol, ..limit(1, Side::Buy, 9_790, 1_000) };
        assert_eq!(reject(&d.order(MAKER, bid)), None);
    }
    let mut liquidate = |symbol| {
        let order = LiquidationOrder { symbol, target: 0, order_qty: 0, trigger_price: 9_810 };
        d.send(MAKER, Body::LiquidationOrder(order))
    };
    // Bankruptcy is at 9,800 in both; a tenth of 100 lots costs 100.
    assert_eq!(bad_debt(&liquidate(0)), [(100, Bearer::Insurance)]);
    assert_eq!(deferred(&liquidate(1)), Some(Deferral::InsuranceLost));
}

#[test]
fn unfilled_bankrupt_positions_are_deleveraged_whole_up_to_the_block_limit() {
    let mut d = desk(&[1_000; 3], 0, BlockLimits { deleveraging_attempts: 2, ..mainnet() });
    d.price(PRICE - 300);
    bids(&mut d, 9_600);
    let done: Vec<_> = (0..3).map(|account| d.liquidate(account)).collect();
    let qty: Vec<_> = done.iter().map(|facts| closed(facts)).collect();
    assert_eq!(qty, [(0, 1_000), (0, 1_000), (0, 0)], "the fund is empty: nothing fills");
    assert_eq!(deferred(&done[2]), Some(Deferral::DeleveragingAttempts));
    d.market.begin_block();
    assert_eq!(closed(&d.liquidate(2)), (0, 1_000));
}

#[test]
fn what_filled_in_part_is_not_deleveraged_in_the_same_block() {
    let mut d = desk(&[1_000], RICH, mainnet());
    d.price(PRICE - 300);
    assert_eq!(reject(&d.order(MAKER, limit(1, Side::Buy, 9_600, 30))), None);
    assert_eq!(closed(&d.liquidate(0)), (30, 0));
    d.market.begin_block();
    assert_eq!(closed(&d.liquidate(0)), (0, 970), "an empty book: all of it");
}

#[test]
fn without_limits_nothing_is_deferred() {
    let mut d = Desk::new(SymbolConfig::default(), RICH, PRICE);
    let market: &mut Market = &mut d.market;
    market.deposit(0, 250_000, MarginMode::Cross);
    market.deposit(SHORT, RICH, MarginMode::Cross);
    market.open(0, 0, 1_000, PRICE);
    market.open(SHORT, 0, -1_000, PRICE);
    d.price(PRICE - 130);
    for _ in 0..100 {
        assert_eq!(deferred(&d.liquidate(0)), None);
    }
}
