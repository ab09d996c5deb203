//! Liquidation by behaviour: quantity closed, price, and allocation of the loss.
//!
//! Throughout: long 100 at 10,000 with 50,000 behind it (20×), so the bankruptcy price is 9,500 and,
//! with 1.25 % maintenance, the first liquidatable price 9,620.

use crate::desk;
use desk::*;
use surgetank_layer::message::{Body, LiquidationOrder, PriceUpdate, Side};
use surgetank_layer::units::{AccountId, Money, Price, Qty};
use surgetank_market::{Bearer, CancelReason, Config, Fact, MarginMode, Market, SymbolConfig};

const LONG: AccountId = 0;
const SHORT: AccountId = 1;
const MAKER: AccountId = 2;

fn desk(rules: SymbolConfig, insurance: Money) -> Desk {
    let mut d = Desk::new(rules, insurance, 10_000);
    d.market.deposit(LONG, 50_000, MarginMode::Isolated);
    d.market.deposit(SHORT, 500_000, MarginMode::Isolated);
    d.market.deposit(MAKER, RICH, MarginMode::Cross);
    d.market.open(LONG, 0, 100, 10_000);
    d.market.open(SHORT, 0, -100, 10_000);
    assert_eq!(d.market.check_genesis(), Ok(()));
    d
}

fn bid(d: &mut Desk, id: u64, price: Price, qty: Qty) {
    assert_eq!(reject(&d.order(MAKER, limit(id, Side::Buy, price, qty))), None);
}

/// (closed on the book, deleveraged, fee, bankruptcy price, remaining) of the liquidation.
fn outcome(facts: &[Fact]) -> (Qty, Qty, Money, Price, Qty) {
    match facts.last() {
        Some(&Fact::Liquidated {
            book_qty,
            deleveraged_qty,
            fee,
            bankruptcy_price,
            remaining,
            ..
        }) => (book_qty, deleveraged_qty, fee, bankruptcy_price, remaining),
        other => panic!("no liquidation: {other:?}"),
    }
}

#[test]
fn nothing_happens_above_the_markets_own_mark() {
    let mut d = desk(SymbolConfig::default(), 0);
    bid(&mut d, 1, 9_600, 100);
    d.price(9_621);
    let expected = Fact::NotLiquidatable { account: LONG, keeper: 0, symbol: 0 };
    assert_eq!(d.liquidate(LONG), [expected]);
    assert!(matches!(d.liquidate(77)[..], [Fact::NotLiquidatable { account: 77, .. }]));
    d.price(9_620);
    assert_eq!(outcome(&d.liquidate(LONG)), (100, 0, 0, 9_500, 0));
}

#[test]
fn the_fee_comes_out_of_what_is_left_and_the_rest_goes_back() {
    for (liquidation_fee_ppm, fee) in [(5_000, 4_800), (20_000, 10_000)] {
        let mut d = desk(SymbolConfig { liquidation_fee_ppm, ..Default::default() }, 0);
        bid(&mut d, 1, 9_600, 100);
        d.price(9_600);
        let facts = d.liquidate(LONG);
        assert_eq!(outcome(&facts), (100, 0, fee, 9_500, 0));
        assert_eq!((d.market.insurance(), d.market.equity(LONG)), (fee, 10_000 - fee));
        assert_eq!(bad_debt(&facts), []);
    }
}

#[test]
fn the_insurance_fund_pays_what_the_fills_lack() {
    let mut d = desk(SymbolConfig::default(), 12_000);
    bid(&mut d, 1, 9_520, 50);
    bid(&mut d, 2, 9_380, 50);
    d.price(9_600);
    let facts = d.liquidate(LONG);
    // Half sold 20 above, half 120 below bankruptcy: 50·120 − 50·20 = 5,000.
    assert_eq!(bad_debt(&facts), [(5_000, Bearer::Insurance)]);
    assert!(facts.contains(&Fact::InsuranceDrawn { amount: 5_000, remaining: 7_000 }));
    assert_eq!(outcome(&facts), (100, 0, 0, 9_500, 0));
    assert_eq!((d.market.equity(LONG), d.market.bad_debt_total()), (0, 5_000));
}

#[test]
fn it_sells_no_further_than_the_insurance_fund_goes() {
    let mut d = desk(SymbolConfig::default(), 2_010);
    bid(&mut d, 1, 9_450, 100);
    d.price(9_600);
    let facts = d.liquidate(LONG);
    assert_eq!(bad_debt(&facts), [(2_000, Bearer::Insurance)]);
    assert_eq!(outcome(&facts), (40, 0, 0, 9_500, 60), "solvent at the mark: the rest stays");
    assert_eq!(d.market.equity(LONG), 6_000, "each lot took its share of equity along");
    d.price(9_400);
    let facts = d.liquidate(LONG);
    assert_eq!(outcome(&facts), (0, 60, 0, 9_500, 0), "insolvent: deleveraged");
    assert_eq!(bad_debt(&facts), [(6_000, Bearer::Deleveraged)]);
    let (account, against) = (LONG, SHORT);
    let expected =
        Fact::Deleveraged { account, against, symbol: 0, qty: 60, price: 9_500, haircut: 6_000 };
    assert!(facts.contains(&expected), "{facts:?}");
    assert_eq!((d.market.equity(LONG), d.market.deficit()), (0, 0));
    assert_eq!(d.market.equity(SHORT), 500_000 + 60 * 500 + 40 * 600);
}

#[test]
fn an_empty_book_leaves_a_solvent_account_as_it_was() {
    let mut d = desk(SymbolConfig::default(), 1_000);
    d.price(9_600);
    let facts = d.liquidate(LONG);
    assert_eq!(outcome(&facts), (0, 0, 0, 9_500, 100));
    assert_eq!((d.market.equity(LONG), d.market.insurance()), (10_000, 1_000));
}

#[test]
fn no_price_worse_than_configured() {
    let rules = SymbolConfig { worst_price_ppm: Some(10_000), ..Default::default() };
    let mut d = desk(rules, 1_000_000);
    bid(&mut d, 1, 9_504, 30);
    bid(&mut d, 2, 9_503, 70);
    d.price(9_600);
    assert_eq!(outcome(&d.liquidate(LONG)), (30, 0, 0, 9_500, 70));
}

#[test]
fn a_share_at_a_time() {
    let rules = SymbolConfig { liquidation_share_ppm: 201_000, ..Default::default() };
    let mut d = desk(rules, 0);
    bid(&mut d, 1, 9_600, 100);
    d.price(9_600);
    assert_eq!(outcome(&d.liquidate(LONG)).0, 21, "20.1 rounds up");
    // Sold at the mark, the rest has more equity a lot: liquidatable again from 9,593 down.
    assert!(matches!(d.liquidate(LONG)[..], [Fact::NotLiquidatable { .. }]));
    d.price(9_593);
    let order_qty = 5;
    let body = LiquidationOrder { symbol: 0, target: LONG, order_qty, trigger_price: 9_600 };
    assert_eq!(outcome(&d.send(MAKER, Body::LiquidationOrder(body))).0, 5, "the keeper's limit");
    let order_qty = -1;
    let facts = d.send(MAKER, Body::LiquidationOrder(LiquidationOrder { order_qty, ..body }));
    assert!(reject(&facts).is_some());
}

#[test]
fn a_short_is_closed_by_buying() {
    let mut d = Desk::new(SymbolConfig::default(), 10_000, 10_000);
    d.market.deposit(LONG, RICH, MarginMode::Cross);
    d.market.deposit(SHORT, 50_000, MarginMode::Cross);
    d.market.deposit(MAKER, RICH, MarginMode::Cross);
    d.market.open(LONG, 0, 100, 10_000);
    d.market.open(SHORT, 0, -100, 10_000);
    d.order(MAKER, limit(1, Side::Sell, 10_530, 100));
    d.price(10_400);
    let facts = d.liquidate(SHORT);
    assert_eq!(outcome(&facts), (100, 0, 0, 10_500, 0));
    assert_eq!(bad_debt(&facts), [(3_000, Bearer::Insurance)]);
    assert_eq!(d.market.equity(SHORT), 0);
}

#[test]
fn its_own_orders_go_first() {
    let mut d = desk(SymbolConfig::default(), 0);
    d.order(LONG, limit(1, Side::Sell, 9_900, 100));
    bid(&mut d, 1, 9_600, 100);
    d.price(9_600);
    let facts = d.liquidate(LONG);
    assert_eq!(canceled(&facts), [(1, 100, CancelReason::Liquidation)]);
    assert_eq!(d.market.best(0), (None, None));
}

#[test]
fn adl_ranks_by_profit_times_leverage() {
    // Shorts: 1 with little leverage, 2 with much, 3 with as little as 1 but more profit.
    let mut d = Desk::new(SymbolConfig::default(), 0, 10_000);
    let open = [(0, 50_000, 100, 10_000), (1, 100_000, -20, 10_000), (2, 20_000, -80, 10_000)];
    let more = [(3, 100_000, -20, 10_100), (4, 100_000, 20, 10_100)];
    for (account, cash, qty, price) in open.into_iter().chain(more) {
        d.market.deposit(account, cash, MarginMode::Isolated);
        d.market.open(account, 0, qty, price);
    }
    assert_eq!(d.market.check_genesis(), Ok(()));
    d.price(9_400);
    let against: Vec<_> = d
        .liquidate(LONG)
        .iter()
        .filter_map(|fact| match *fact {
            Fact::Deleveraged { against, qty, .. } => Some((against, qty)),
            _ => None,
        })
        .collect();
    assert_eq!(against, [(2, 80), (3, 20)]);
}

#[test]
fn adl_skips_an_account_that_it_would_bankrupt() {
    let mut d = desk(SymbolConfig::default(), 0);
    // A late and thin short: first in rank, but 1,000 of equity against a haircut of 20 × 100.
    for (account, cash, qty) in [(3, 600, -20), (4, 500_000, 20)] {
        d.market.deposit(account, cash, MarginMode::Isolated);
        d.market.open(account, 0, qty, 9_420);
    }
    d.price(9_400);
    let facts = d.liquidate(LONG);
    assert_eq!(outcome(&facts), (0, 100, 0, 9_500, 0));
    assert_eq!((d.market.position(3, 0), d.market.position(SHORT, 0)), (-20, 0));
}

#[test]
fn a_cross_account_ends_at_zero_to_the_last_quantum() {
    let rules =
        |maintenance_margin_ppm| SymbolConfig { maintenance_margin_ppm, ..SymbolConfig::default() };
    let config = Config { symbols: vec![rules(12_500), rules(30_001)], insurance: 0 };
    let mut d = Desk { market: Market::new(config, &[10_000, 7_777]), now: 0 };
    d.market.deposit(LONG, 40_001, MarginMode::Cross);
    d.market.deposit(SHORT, RICH, MarginMode::Cross);
    for (symbol, qty, price) in [(0, 97, 10_000), (1, 53, 7_777)] {
        d.market.open(LONG, symbol, qty, price);
        d.market.open(SHORT, symbol, -qty, price);
    }
    for (symbol, price) in [(0, 9_313), (1, 7_333)] {
        d.send(9, Body::PriceUpdate(PriceUpdate { symbol, price, observed_ns: 0 }));
    }
    let debt = -d.market.equity(LONG);
    assert_eq!(debt, 97 * 687 + 53 * 444 - 40_001);
    let mut borne = 0;
    for symbol in [0, 1] {
        let body = LiquidationOrder { symbol, target: LONG, order_qty: 0, trigger_price: 1 };
        borne += bad_debt(&d.send(9, Body::LiquidationOrder(body)))[0].0;
        assert_eq!(d.market.position(LONG, symbol), 0);
    }
    assert_eq!((d.market.equity(LONG), borne), (0, debt));
}

#[test]
fn a_trade_below_zero_equity_leaves_bad_debt() {
    let mut d = desk(SymbolConfig::default(), 3_000);
    bid(&mut d, 1, 9_450, 100);
    let facts = d.order(LONG, market(1, Side::Sell, 100));
    let expected = [(3_000, Bearer::Insurance), (2_000, Bearer::Venue)];
    assert_eq!(bad_debt(&facts), expected);
    assert_eq!((d.market.deficit(), d.market.equity(LONG)), (2_000, 0));
    assert_eq!(d.market.insurance(), 0);
}
