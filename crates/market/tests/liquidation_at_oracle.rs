//! Liquidations that close at the oracle price, against a liquidator who hedges outside.
//!
//! Throughout: long 100 at 10,000 with 50,000 behind it, as in `liquidation_execution`: the
//! bankruptcy price is 9,500, the first liquidatable price 9,620.

use crate::desk;
use desk::*;
use surgetank_layer::message::{PriceUpdate, Side};
use surgetank_layer::units::{AccountId, Money};
use surgetank_market::{Bearer, CloseOut, Fact, MarginMode, SymbolConfig};

const LONG: AccountId = 0;
const SHORT: AccountId = 1;
const MAKER: AccountId = 2;
const LIQUIDATOR: AccountId = 3;

fn desk(worse_ppm: u32, insurance: Money) -> Desk {
    let close_out = CloseOut::Oracle { worse_ppm, against: LIQUIDATOR };
    let rules = SymbolConfig { close_out, ..SymbolConfig::default() };
    let mut d = Desk::new(rules, insurance, 10_000);
    d.market.deposit(LONG, 50_000, MarginMode::Isolated);
    d.market.deposit(SHORT, 50_000, MarginMode::Isolated);
    d.market.deposit(MAKER, RICH, MarginMode::Cross);
    d.market.deposit(LIQUIDATOR, RICH, MarginMode::Cross);
    d.market.open(LONG, 0, 100, 10_000);
    d.market.open(SHORT, 0, -100, 10_000);
    d
}

#[test]
fn it_closes_in_full_at_the_worsened_mark_whatever_the_book_shows() {
    let mut d = desk(2_000, 0);
    assert_eq!(reject(&d.order(MAKER, limit(1, Side::Buy, 9_700, 1_000))), None);
    d.price(9_600);
    let facts = d.liquidate(LONG);
    // 9,600 less 19.2, rounded for the liquidator.
    let trade = facts.iter().find_map(|fact| match *fact {
        Fact::Trade { price, qty, maker_account, taker_account, liquidation, .. } => {
            Some((price, qty, maker_account, taker_account, liquidation))
        }
        _ => None,
    });
    assert_eq!(trade, Some((9_580, 100, LIQUIDATOR, LONG, true)));
    assert_eq!((d.market.position(LONG, 0), d.market.position(LIQUIDATOR, 0)), (0, 100));
    assert_eq!(d.market.equity(LONG), 50_000 - 100 * 420);
    assert_eq!(bad_debt(&facts), []);
    assert_eq!(d.market.best(0).0, Some((9_700, 1_000)), "the book was not touched");
    assert_eq!(d.market.last(0), None);
}

#[test]
fn a_short_closes_above_the_mark() {
    let mut d = desk(2_000, 0);
    d.price(10_400);
    assert_eq!(bad_debt(&d.liquidate(SHORT)), []);
    // 10,400 and 20.8, rounded up: 421 lost on each of 100.
    assert_eq!(d.market.equity(SHORT), 50_000 - 42_100);
}

#[test]
fn a_shortfall_beyond_the_fund_is_the_venues_deficit() {
    let mut d = desk(0, 3_000);
    d.price(9_450);
    let facts = d.liquidate(LONG);
    assert_eq!(bad_debt(&facts), [(3_000, Bearer::Insurance), (2_000, Bearer::Venue)]);
    assert_eq!((d.market.insurance(), d.market.deficit()), (0, 2_000));
    assert_eq!(d.market.position(SHORT, 0), -100, "no one is deleveraged");
}

#[test]
fn the_liquidator_is_not_liquidated() {
    let mut d = desk(0, 0);
    d.price(9_600);
    d.liquidate(LONG);
    d.price(1);
    let expected = Fact::NotLiquidatable { account: LIQUIDATOR, keeper: 0, symbol: 0 };
    assert_eq!(d.liquidate(LIQUIDATOR), [expected]);
}

#[test]
fn a_block_can_carry_an_oracle_price() {
    let mut d = desk(0, 0);
    let mut facts = Vec::new();
    let update = PriceUpdate { symbol: 0, price: 9_000, observed_ns: 70 };
    d.market.block_price(70, &update, &mut facts);
    assert!(facts.contains(&Fact::OraclePrice { symbol: 0, price: 9_000, observed_ns: 70 }));
    assert_eq!((d.market.mark(0), d.market.oracle(0)), (9_000, (9_000, 70)));
    assert!(d.price(9_500).iter().any(|fact| matches!(fact, Fact::Rejected { .. })), "older");
}
