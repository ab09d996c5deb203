//! One collateral behind positions in two markets: hedged accounts, margin calls, closing in turn.

use crate::desk;
use desk::*;
use surgetank_layer::message::{Body, LiquidationOrder, NewOrderSingle, PriceUpdate, Side};
use surgetank_layer::units::{AccountId, Money, Price, Qty};
use surgetank_market::{Config, Fact, MarginMode, Market, SymbolConfig};

/// Markets at 10,000 and 1,000 with a maintenance rate of 1.25 %. Account 0 (cross, 30,000) and
/// account 1 (isolated, 15,000 behind each position) are long 100 of the first and short 1,000 of
/// the second: 1,000,000 on either side. Account 9 has the other side.
fn desk() -> Desk {
    let rules = vec![SymbolConfig::default(), SymbolConfig::default()];
    let mut market = Market::new(Config { symbols: rules, insurance: 1_000_000 }, &[10_000, 1_000]);
    market.deposit(0, 30_000, MarginMode::Cross);
    market.deposit(9, RICH, MarginMode::Cross);
    let legs: [(u16, Qty, Price); 2] = [(0, 100, 10_000), (1, -1_000, 1_000)];
    for (symbol, qty, price) in legs {
        market.deposit(1, 15_000, MarginMode::Isolated);
        market.open(0, symbol, qty, price);
        market.open(1, symbol, qty, price);
        market.open(9, symbol, -2 * qty, price);
    }
    market.check_genesis().unwrap();
    Desk { market, now: 0 }
}

fn below(d: &Desk, prices: [Price; 2]) -> Vec<(AccountId, u16)> {
    let mut below = Vec::new();
    d.market.below_maintenance_at(&prices, &mut below);
    below
}

fn price(d: &mut Desk, symbol: u16, price: Price) -> Vec<Fact> {
    let observed_ns = d.now;
    d.send(9, Body::PriceUpdate(PriceUpdate { symbol, price, observed_ns }))
}

fn called(facts: &[Fact]) -> Vec<(AccountId, u16)> {
    let call = |fact: &Fact| match *fact {
        Fact::MarginCall { account, symbol, .. } => Some((account, symbol)),
        _ => None,
    };
    facts.iter().filter_map(call).collect()
}

#[test]
fn a_hedged_account_is_below_only_when_the_prices_diverge() {
    let d = desk();
    assert_eq!(below(&d, [10_000, 1_000]), []);
    // Both fall by a tenth: the gain is the loss. Isolated, the long has 15,000 − 100,000 left.
    assert_eq!(below(&d, [9_000, 900]), [(1, 0)]);
    assert_eq!(below(&d, [11_000, 1_100]), [(1, 1)]);
    // 30,000 + 100·(p − 10,000) < 1.25 % of (100·p + 1,000,000) from 9,949 down.
    assert_eq!(below(&d, [9_950, 1_000]), [(1, 0)]);
    assert_eq!(below(&d, [9_949, 1_000]), [(0, 1), (1, 0)], "the larger requirement is market 1's");
    // Isolated: 15,000 + 100·(p − 10,000) < 1.25 % of 100·p from 9,974 down.
    assert_eq!(below(&d, [9_975, 1_000]), []);
    assert_eq!(below(&d, [9_974, 1_000]), [(1, 0)]);
    // 30,000 − 1,000·(q − 1,000) < 1.25 % of (1,000,000 + 1,000·q) from 1,005 up.
    assert_eq!(below(&d, [10_000, 1_004]), [(1, 1)]);
    assert_eq!(below(&d, [10_000, 1_005]), [(0, 1), (1, 1)]);
    assert_eq!(below(&d, [9_900, 990]), [(1, 0)], "falls of 1 % on both sides cancel");
}

#[test]
fn equal_requirements_name_the_first_market() {
    let mut market = desk().market;
    market.deposit(2, 24_999, MarginMode::Cross);
    market.open(2, 0, 100, 10_000);
    market.open(2, 1, 1_000, 1_000);
    let mut out = Vec::new();
    market.below_maintenance_at(&[10_000, 1_000], &mut out);
    assert_eq!(out, [(2, 0)], "24,999 are below 1.25 % of 2,000,000");
}

#[test]
fn worth_is_at_the_prices_of_all_markets() {
    let d = desk();
    assert_eq!(d.market.worth(0, &[9_990, 1_003]), 30_000 - 1_000 - 3_000);
    assert_eq!(d.market.worth(1, &[10_010, 997]), 30_000 + 1_000 + 3_000);
    let all: Money = [0, 1, 9].iter().map(|&a| d.market.worth(a, &[9_000, 1_200])).sum();
    assert_eq!(all + d.market.insurance(), d.market.paid_in());
}

#[test]
fn a_shared_collateral_is_called_once() {
    let mut d = desk();
    assert_eq!(called(&price(&mut d, 0, 9_900)), [(0, 0), (1, 0)]);
    assert_eq!(called(&price(&mut d, 1, 1_001)), [], "still below");
    assert_eq!(called(&price(&mut d, 0, 9_890)), []);
    assert_eq!(called(&price(&mut d, 1, 900)), [], "recovered by the other market");
    assert_eq!(called(&price(&mut d, 0, 8_900)), [(0, 0)], "−110,000 + 100,000: called again");
}

#[test]
fn an_account_is_closed_market_by_market() {
    let mut d = desk();
    price(&mut d, 0, 9_900);
    d.order(9, limit(1, Side::Buy, 9_900, 100));
    d.order(9, NewOrderSingle { symbol: 1, ..limit(2, Side::Sell, 1_000, 1_000) });
    let order = |symbol| {
        let (target, order_qty, trigger_price) = (0, 0, 9_900);
        Body::LiquidationOrder(LiquidationOrder { symbol, target, order_qty, trigger_price })
    };
    let facts = d.send(9, order(1));
    assert!(facts.iter().any(|fact| matches!(fact, Fact::Liquidated { remaining: 0, .. })));
    assert!(!d.market.is_flat(0));
    // 20,000 against 1.25 % of 990,000: what is left has enough.
    let facts = d.send(9, order(0));
    assert!(matches!(facts[0], Fact::NotLiquidatable { account: 0, .. }), "{facts:?}");
    assert_eq!(d.market.equity(0), 20_000);
}
