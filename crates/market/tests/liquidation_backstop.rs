//! Large positions in part, the vault's backstop (as on Hyperliquid), and margin calls.
//!
//! Throughout: long 100 at 10,000 with 50,000 behind it, as in `liquidation_execution`: bankruptcy
//! at 9,500 (a sale at which leaves it as badly off as before), maintenance 1.25 %, so liquidatable from 9,620 and below 2/3 of that from 9,579.

use crate::desk;
use desk::*;
use surgetank_layer::message::Side;
use surgetank_layer::units::{AccountId, Money, Qty};
use surgetank_market::{Backstop, Bearer, Fact, MarginMode, Partial, SymbolConfig};

const LONG: AccountId = 0;
const SHORT: AccountId = 1;
const MAKER: AccountId = 2;
const VAULT: AccountId = 3;

fn desk(mode: MarginMode, vault_cash: Money) -> Desk {
    let rules = SymbolConfig {
        partial: Some(Partial { above: 500_000, share_ppm: 200_000, cooldown_ns: 30 }),
        backstop: Some(Backstop { below_ppm: 666_667, vault: VAULT }),
        ..SymbolConfig::default()
    };
    let mut d = Desk::new(rules, 0, 10_000);
    d.market.deposit(LONG, 50_000, mode);
    d.market.deposit(SHORT, 500_000, MarginMode::Isolated);
    d.market.deposit(MAKER, RICH, MarginMode::Cross);
    d.market.deposit(VAULT, vault_cash, MarginMode::Cross);
    d.market.open(LONG, 0, 100, 10_000);
    d.market.open(SHORT, 0, -100, 10_000);
    d
}

fn bid(d: &mut Desk, id: u64, price: i64, qty: Qty) {
    assert_eq!(reject(&d.order(MAKER, limit(id, Side::Buy, price, qty))), None);
}

/// (on the book, deleveraged, taken over, remaining).
fn outcome(facts: &[Fact]) -> (Qty, Qty, Qty, Qty) {
    match facts.last() {
        Some(&Fact::Liquidated {
            book_qty, deleveraged_qty, taken_over_qty, remaining, ..
        }) => (book_qty, deleveraged_qty, taken_over_qty, remaining),
        other => panic!("no liquidation: {other:?}"),
    }
}

#[test]
fn a_large_position_goes_in_part_and_then_as_a_whole() {
    let mut d = desk(MarginMode::Isolated, RICH);
    bid(&mut d, 1, 9_500, 200);
    d.price(9_600);
    assert_eq!(outcome(&d.liquidate(LONG)), (20, 0, 0, 80));
    assert_eq!(outcome(&d.liquidate(LONG)), (80, 0, 0, 0));
}

#[test]
fn after_the_cooldown_it_goes_in_part_again() {
    let mut d = desk(MarginMode::Isolated, RICH);
    bid(&mut d, 1, 9_500, 200);
    d.price(9_600);
    assert_eq!(outcome(&d.liquidate(LONG)), (20, 0, 0, 80));
    d.now += 30;
    assert_eq!(outcome(&d.liquidate(LONG)), (16, 0, 0, 64));
}

#[test]
fn a_position_that_is_not_large_goes_as_a_whole() {
    let mut d = desk(MarginMode::Isolated, RICH);
    bid(&mut d, 1, 9_500, 100);
    d.price(9_600);
    d.liquidate(LONG);
    d.now += 100;
    assert_eq!(outcome(&d.liquidate(LONG)), (16, 0, 0, 64));
    d.now += 100;
    assert_eq!(outcome(&d.liquidate(LONG)), (13, 0, 0, 51));
    d.now += 100;
    assert_eq!(outcome(&d.liquidate(LONG)), (51, 0, 0, 0), "489,600 is not above 500,000");
}

#[test]
fn the_vault_takes_position_and_margin_at_the_mark_past_the_book() {
    for mode in [MarginMode::Isolated, MarginMode::Cross] {
        let mut d = desk(mode, 1_000_000);
        bid(&mut d, 1, 9_590, 100);
        d.price(9_580);
        assert_eq!(outcome(&d.liquidate(LONG)).2, 0, "at 2/3 of maintenance: the book");
        let mut d = desk(mode, 1_000_000);
        bid(&mut d, 1, 9_590, 100);
        d.price(9_579);
        let facts = d.liquidate(LONG);
        assert_eq!(outcome(&facts), (0, 0, 100, 0));
        let (account, vault) = (LONG, VAULT);
        let taken =
            Fact::TakenOver { account, vault, symbol: 0, qty: 100, price: 9_579, margin: 7_900 };
        assert!(facts.contains(&taken), "{facts:?}");
        assert_eq!((d.market.equity(LONG), d.market.equity(VAULT)), (0, 1_007_900));
        assert_eq!((d.market.position(VAULT, 0), bad_debt(&facts)), (100, vec![]));
        assert_eq!(d.market.best(0).0, Some((9_590, 100)));
    }
}

#[test]
fn the_vault_bears_what_the_margin_lacks() {
    let mut d = desk(MarginMode::Isolated, 1_000_000);
    d.price(9_400);
    let facts = d.liquidate(LONG);
    assert_eq!(bad_debt(&facts), [(10_000, Bearer::Vault)]);
    assert_eq!((d.market.equity(LONG), d.market.equity(VAULT)), (0, 990_000));
    assert_eq!((d.market.bad_debt_total(), d.market.deficit()), (10_000, 0));
}

#[test]
fn an_exhausted_vault_falls_back_to_book_and_deleveraging() {
    // Maintenance of 100 at 9,400 is 11,750, and 10,000 are lacking.
    let mut d = desk(MarginMode::Isolated, 21_749);
    d.price(9_400);
    assert_eq!(outcome(&d.liquidate(LONG)), (0, 20, 0, 80), "a part of it: it is large");
    assert_eq!(outcome(&d.liquidate(LONG)), (0, 0, 80, 0), "which is not too much for it");
    let mut d = desk(MarginMode::Isolated, 21_750);
    d.price(9_400);
    assert_eq!(outcome(&d.liquidate(LONG)), (0, 0, 100, 0));
}

#[test]
fn the_vault_is_not_liquidated() {
    let mut d = desk(MarginMode::Isolated, 21_750);
    d.price(9_400);
    d.liquidate(LONG);
    let calls = d.price(9_000);
    assert!(!calls.iter().any(|fact| matches!(fact, Fact::MarginCall { .. })), "{calls:?}");
    assert!(matches!(d.liquidate(VAULT)[..], [Fact::NotLiquidatable { account: VAULT, .. }]));
}

#[test]
fn a_margin_call_is_issued_once_until_recovery() {
    let mut d = desk(MarginMode::Isolated, RICH);
    let called = |facts: Vec<Fact>| -> Vec<AccountId> {
        let calls = facts.iter().filter_map(|fact| match *fact {
            Fact::MarginCall { account, .. } => Some(account),
            _ => None,
        });
        calls.collect()
    };
    assert_eq!(called(d.price(9_621)), []);
    assert_eq!(called(d.price(9_620)), [LONG]);
    assert_eq!(called(d.price(9_600)), []);
    assert_eq!(called(d.price(9_621)), []);
    assert_eq!(called(d.price(9_619)), [LONG]);
    assert_eq!(called(d.price(16_000)), [SHORT]);
}
