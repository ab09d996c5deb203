//! Funding: premiums, rates and payments.

use crate::desk;
use desk::*;
use proptest::prelude::*;
use surgetank_layer::message::{NewOrderSingle, Side};
use surgetank_layer::units::{Money, Ns, Price, Qty};
use surgetank_market::*;

/// Hyperliquid's rule, sampled every 5 ns and paid every 60: 0.01 % interest, damped by 0.05 %, an
/// eighth of it at each payment, at most 4 %.
const HYPERLIQUID: Funding = Funding {
    sample_ns: 5,
    interval_ns: 60,
    first_ns: 60,
    impact: 100_000,
    interest_ppm: 100,
    formula: Formula::Damped { damping_ppm: 500 },
    average: Average::Mean,
    paid_ppm: 125_000,
    cap_ppm: Some(40_000),
    cap_margins_ppm: None,
    premium_ppm: 0,
};

/// dYdX v4's rule: premium and interest, of which there is none, within 600 % of initial less
/// maintenance margin.
const DYDX: Funding = Funding {
    interest_ppm: 0,
    formula: Formula::Added,
    cap_ppm: None,
    cap_margins_ppm: Some(6_000_000),
    ..HYPERLIQUID
};

/// Account 0 is long 10 lots, account 1 short, at 10,000; account 2 quotes.
fn desk(funding: Funding, bid: Option<Price>, ask: Option<Price>) -> Desk {
    let rules = SymbolConfig {
        initial_margin_ppm: 50_000,
        maintenance_margin_ppm: 30_000,
        funding: Some(funding),
        ..SymbolConfig::default()
    };
    let mut d = Desk::new(rules, 0, 10_000);
    for account in 0..3 {
        d.market.deposit(account, RICH, MarginMode::Cross);
    }
    d.market.open(0, 0, 10, 10_000);
    d.market.open(1, 0, -10, 10_000);
    for (side, price) in [(Side::Buy, bid), (Side::Sell, ask)] {
        if let Some(price) = price {
            d.order(2, limit(price as u64, side, price, 1_000));
        }
    }
    d
}

/// Passes blocks up to this time; returns (premium, rate, paid) of every payment.
fn payments(d: &mut Desk, until: Ns) -> Vec<(i64, i64, Money)> {
    let mut facts = Vec::new();
    while d.now < until {
        d.now += 1;
        d.market.fund(d.now, &mut facts);
        assert_eq!(d.market.total_money(), d.market.paid_in());
    }
    let payment = |fact: &Fact| match *fact {
        Fact::Funding { premium_ppb, rate_ppb, paid, .. } => Some((premium_ppb, rate_ppb, paid)),
        _ => None,
    };
    facts.iter().filter_map(payment).collect()
}

#[test]
fn hyperliquids_worked_example() {
    // Impact bid 10,100 over an oracle price of 10,000: 1 % − 0.05 % = 0.95 % of 8 hours.
    let mut d = desk(HYPERLIQUID, Some(10_100), Some(10_200));
    let before = [0, 1].map(|account| d.market.equity(account));
    let paid = payments(&mut d, 60);
    // 10 × 10,000 × 0.95 % / 8 = 118.75: the payer's is rounded up, the receiver's down.
    assert_eq!(paid, [(10_000_000, 1_187_500, 119)]);
    let gained = [0, 1].map(|account| d.market.equity(account) - before[account as usize]);
    assert_eq!(gained, [-119, 118], "longs pay when the perpetual trades above");
    assert_eq!(d.market.funding_remainder(), 1);
    assert_eq!([0, 1].map(|account| d.market.funding_paid(account)), [119, -118]);
}

#[test]
fn inside_the_damping_the_rate_is_the_interest() {
    // A spread around the oracle price has no premium: 0.01 % / 8 = 12,500 ppb.
    let mut d = desk(HYPERLIQUID, Some(9_990), Some(10_010));
    assert_eq!(payments(&mut d, 60), [(0, 12_500, 2)]);
    // A premium of 0.05 % is damped to the interest as well, one of 0.07 % to 0.02 %.
    for (bid, rate) in [(10_005, 12_500), (10_007, 25_000)] {
        let mut d = desk(HYPERLIQUID, Some(bid), Some(10_100));
        assert_eq!(payments(&mut d, 60)[0].1, rate);
    }
}

#[test]
fn shorts_pay_when_the_perpetual_trades_below() {
    let mut d = desk(HYPERLIQUID, Some(9_800), Some(9_900));
    // −1 % + 0.05 % = −0.95 %: no mirror image of the first example only by the interest.
    assert_eq!(payments(&mut d, 60), [(-10_000_000, -1_187_500, 119)]);
    assert_eq!(d.market.funding_paid(1), 119);
}

#[test]
fn dydxs_cap_is_six_times_initial_less_maintenance() {
    // 5 % and 3 %: at most 12 % of 8 hours, 1.5 % of an hour.
    for (bid, rate) in [(10_100, 1_250_000), (11_200, 15_000_000), (13_000, 15_000_000)] {
        let mut d = desk(DYDX, Some(bid), Some(14_000));
        assert_eq!(payments(&mut d, 60)[0].1, rate, "bid {bid}");
    }
    let mut d = desk(DYDX, Some(5_000), Some(7_000));
    assert_eq!(payments(&mut d, 60)[0].1, -15_000_000);
}

#[test]
fn hyperliquids_cap_is_four_percent_of_a_payment() {
    let mut d = desk(HYPERLIQUID, Some(14_000), Some(15_000));
    assert_eq!(payments(&mut d, 60)[0], (400_000_000, 40_000_000, 4_000));
}

#[test]
fn the_impact_price_is_the_average_of_its_order() {
    let mut d = desk(HYPERLIQUID, None, Some(12_000));
    // 100,000 of notional: 5 lots at 10,400 are 52,000, and 5 more at 10,000 reach it.
    d.order(2, limit(1, Side::Buy, 10_400, 5));
    assert_eq!(payments(&mut d, 60)[0].0, 0, "a side that holds less has no impact price");
    d.order(2, limit(2, Side::Buy, 10_000, 100));
    assert_eq!(payments(&mut d, 120)[0].0, 20_000_000, "(5 × 10,400 + 5 × 10,000) / 10");
}

#[test]
fn premiums_are_averaged_from_payment_to_payment() {
    for (average, share) in [(Average::Mean, (7, 12)), (Average::TimeWeighted, (63, 78))] {
        let mut d = desk(Funding { average, ..DYDX }, None, Some(12_000));
        // Samples at 5, 10, …, 60; from the 6th on (30) there is a bid: 6 + … + 12 = 63 of 78.
        payments(&mut d, 28);
        d.order(2, limit(1, Side::Buy, 10_100, 100));
        let paid = payments(&mut d, 60);
        assert_eq!(paid.len(), 1);
        assert_eq!(paid[0].0, 10_000_000 * share.0 / share.1, "{average:?}");
        assert_eq!(payments(&mut d, 120)[0].0, 10_000_000, "the samples begin anew");
    }
}

#[test]
fn premiums_before_the_start_count_in_the_first_interval() {
    // Half of the interval lies before the start: 6 samples of 2 %, then 6 of none.
    let funding = Funding { first_ns: 30, premium_ppm: 20_000, ..DYDX };
    let mut d = desk(funding, None, None);
    let paid = payments(&mut d, 90);
    assert_eq!(paid[0].0, 10_000_000);
    assert_eq!((paid.len(), paid[1].0), (2, 0), "the next at 90, without it");
}

#[test]
fn a_stalled_venue_pays_once_and_late() {
    let mut d = desk(HYPERLIQUID, Some(10_100), Some(10_200));
    d.now = 1_000;
    assert_eq!(payments(&mut d, 1_001).len(), 1);
    assert_eq!(payments(&mut d, 1_019).len(), 0);
    assert_eq!(payments(&mut d, 1_020).len(), 1, "again at whole intervals");
}

#[test]
fn funding_alone_makes_an_account_liquidatable() {
    for mode in [MarginMode::Cross, MarginMode::Isolated] {
        let mut d = desk(HYPERLIQUID, Some(10_100), Some(10_200));
        // 10 lots at 3 % need 3,000; the payment is 119.
        d.market.deposit(3, 3_100, mode);
        d.market.open(3, 0, 10, 10_000);
        d.market.open(1, 0, -10, 10_000);
        assert!(!d.market.liquidatable(3, 0, 10_000));
        d.now = 59;
        let facts = d.price(10_000);
        let called = Fact::MarginCall {
            account: 3,
            symbol: 0,
            mark_price: 10_000,
            trigger_price: None,
            falling: true,
        };
        assert!(facts.contains(&called), "{mode:?}: {facts:?}");
        assert!(d.market.liquidatable(3, 0, 10_000));
        assert!(!d.price(10_000).contains(&called), "once");
        d.liquidate(3);
        assert_eq!(d.market.position(3, 0), 0);
    }
}

/// Two perpetuals at 10,000 and 1,000, each with rules of its own; accounts 0 and 1 (cross) hold
/// `legs` of both against account 2, which quotes `bids`.
fn two_markets(rules: [Funding; 2], legs: [[Qty; 2]; 2], bids: [Price; 2]) -> Desk {
    let symbols = rules.map(|funding| SymbolConfig {
        initial_margin_ppm: 50_000,
        maintenance_margin_ppm: 30_000,
        funding: Some(funding),
        ..SymbolConfig::default()
    });
    let prices = [10_000, 1_000];
    let mut market = Market::new(Config { symbols: symbols.to_vec(), insurance: 0 }, &prices);
    (0..3).for_each(|account| market.deposit(account, RICH, MarginMode::Cross));
    for symbol in 0..2 {
        for (account, leg) in (0..).zip(legs) {
            market.open(account, symbol, leg[usize::from(symbol)], prices[usize::from(symbol)]);
            market.open(2, symbol, -leg[usize::from(symbol)], prices[usize::from(symbol)]);
        }
    }
    let mut d = Desk { market, now: 0 };
    for (symbol, bid) in (0..).zip(bids) {
        d.order(2, NewOrderSingle { symbol, ..limit(1, Side::Buy, bid, 10_000) });
        d.order(2, NewOrderSingle { symbol, ..limit(2, Side::Sell, 3 * bid, 10_000) });
    }
    d
}

#[test]
fn each_market_pays_by_its_own_premium_at_its_own_times() {
    // Market 0: 1 % above at 10,000, paid every 60 ns. Market 1: 2 % below at 1,000, every 40.
    let second = Funding { interval_ns: 40, first_ns: 40, ..DYDX };
    let legs = [[10, 0], [0, 400]];
    let mut d = two_markets([DYDX, second], legs, [10_100, 1_000]);
    d.order(2, NewOrderSingle { symbol: 1, ..limit(3, Side::Sell, 1_001, 1) });
    let mut facts = Vec::new();
    while d.now < 120 {
        d.now += 1;
        d.market.fund(d.now, &mut facts);
    }
    let found: Vec<_> = facts
        .iter()
        .filter_map(|fact| match *fact {
            Fact::Funding { symbol, price, rate_ppb, paid, .. } => {
                Some((d.market.symbols() > symbol, symbol, price, rate_ppb, paid))
            }
            _ => None,
        })
        .collect();
    // 10 × 10,000 × 1 % / 8 = 125; market 1 trades at its oracle price.
    let (first, none) = ((true, 0, 10_000, 1_250_000, 125), (true, 1, 1_000, 0, 0));
    assert_eq!(found, [none, first, none, first, none], "at 40, 60, 80, and both at 120");
    assert_eq!([0, 1, 2].map(|account| d.market.funding_paid(account)), [250, 0, -250]);
}

#[test]
fn an_account_pays_in_one_market_what_it_receives_in_another() {
    // Long 10 of market 0 at +1 %, short 100 of market 1 at +1 %: the same notional on both sides.
    let mut d = two_markets([DYDX, DYDX], [[10, -100], [10, 100]], [10_100, 1_010]);
    let before = [0, 1].map(|account| d.market.equity(account));
    let paid = payments(&mut d, 60);
    assert_eq!(paid, [(10_000_000, 1_250_000, 250), (10_000_000, 1_250_000, 125)]);
    let gained = [0, 1].map(|account| d.market.equity(account) - before[account as usize]);
    assert_eq!(gained, [0, -250]);
    assert_eq!([0, 1, 2].map(|account| d.market.funding_paid(account)), [0, 250, -250]);
}

#[test]
fn payments_of_two_markets_together_make_one_collateral_short() {
    let legs = [[0, 0], [0, 0]];
    let mut d = two_markets([DYDX, DYDX], legs, [10_100, 1_010]);
    // 3 % of 200,000 are 6,000: one payment of 125 is covered, two are not.
    d.market.deposit(3, 6_200, MarginMode::Cross);
    for (symbol, qty, price) in [(0, 10, 10_000), (1, 100, 1_000)] {
        d.market.open(3, symbol, qty, price);
        d.market.open(2, symbol, -qty, price);
    }
    d.now = 59;
    let mut facts = Vec::new();
    d.market.fund(60, &mut facts);
    let called: Vec<_> = facts
        .iter()
        .filter_map(|fact| match *fact {
            Fact::MarginCall { account, symbol, .. } => Some((account, symbol)),
            _ => None,
        })
        .collect();
    assert_eq!(called, [(3, 1)], "by the second payment, once");
    assert_eq!(d.market.equity(3), 6_200 - 250);
}

proptest! {
    /// Payments of several markets lose nothing: what all accounts paid is what rounding left.
    #[test]
    fn payments_of_several_markets_conserve_money(
        legs in prop::array::uniform2(prop::array::uniform2(-5_000..5_000i64)),
        bids in (9_000..11_000i64, 900..1_100i64),
        rules in prop::array::uniform2(any::<bool>()),
        intervals in prop::array::uniform2(1..90u64),
        modes in prop::array::uniform2(any::<bool>()),
    ) {
        let mut at = intervals.iter();
        let rules = rules.map(|dydx| {
            let interval_ns = *at.next().unwrap();
            let rule = if dydx { DYDX } else { HYPERLIQUID };
            Funding { interval_ns, first_ns: interval_ns, ..rule }
        });
        let mut d = two_markets(rules, legs, [bids.0, bids.1]);
        for (account, isolated) in (3..).zip(modes) {
            let mode = if isolated { MarginMode::Isolated } else { MarginMode::Cross };
            for (symbol, price) in [(0, 10_000), (1, 1_000)] {
                let qty = legs[(account as usize) % 2][usize::from(symbol)] / 7;
                d.market.deposit(account, RICH, mode);
                d.market.open(account, symbol, qty, price);
                d.market.open(2, symbol, -qty, price);
            }
        }
        let equities = |d: &Desk| -> Money { (0..5).map(|account| d.market.equity(account)).sum() };
        let paid = |d: &Desk| -> Money { (0..5).map(|a| d.market.funding_paid(a)).sum() };
        // Orders made the first payments.
        let (held, left) = (equities(&d), paid(&d));
        payments(&mut d, 200);
        prop_assert_eq!(paid(&d), d.market.funding_remainder());
        prop_assert_eq!(held - equities(&d), paid(&d) - left);
        prop_assert!(paid(&d) >= 0 && d.market.total_money() == d.market.paid_in());
    }

    /// Whatever the book, the mirrored book has the mirrored premium and rate, and no money is lost.
    #[test]
    fn a_mirrored_book_has_the_mirrored_rate(
        beyond in -900..900i64,
        spread in 1..50i64,
        qty in 1..100_000i64,
        dydx: bool,
    ) {
        let rules = Funding { interest_ppm: 0, ..if dydx { DYDX } else { HYPERLIQUID } };
        let mut rates = Vec::new();
        for sign in [1, -1] {
            let (a, b) = (10_000 + sign * beyond, 10_000 + sign * (beyond + spread));
            let mut d = desk(rules, Some(a.min(b)), Some(a.max(b)));
            d.market.open(0, 0, qty, 10_000);
            d.market.open(1, 0, -qty, 10_000);
            let (premium, rate, _) = payments(&mut d, 60)[0];
            rates.push((sign * premium, sign * rate));
            let left = d.market.funding_paid(0) + d.market.funding_paid(1);
            prop_assert_eq!(left, d.market.funding_remainder());
            prop_assert!((0..=1).contains(&left));
            let exact = Money::from(qty + 10) * 10_000 * Money::from(rate);
            prop_assert!((d.market.funding_paid(0) * 1_000_000_000 - exact).abs() < 1_000_000_000);
        }
        prop_assert_eq!(rates[0], rates[1]);
    }
}
