//! Option accounts: marks, requirement, auction, expiry; money conserved through all of it.

use crate::desk;
use desk::{Rng, bad_debt, restored, stored};
use proptest::prelude::*;
use std::collections::BTreeSet;
use surgetank_layer::message::*;
use surgetank_layer::units::*;
use surgetank_market::options::{Auction, Contract, ImpliedVol, Listing, Rule};
use surgetank_market::*;

const SPOT: Price = 100_000;
const DAY: Ns = 86_400 * SECOND;
const SELLER: AccountId = 0;
const WRITER: AccountId = 8;
const LIQUIDATOR: AccountId = 9;
const RICH: Money = 1 << 60;

fn auction() -> Auction {
    Auction {
        start_ppm: 950_000,
        knee_ppm: 700_000,
        fast_ns: 15 * 60 * SECOND,
        slow_ns: 12 * 3_600 * SECOND,
        bid_ppm: 950_000,
    }
}

/// One perpetual, puts and calls of three strikes and two expiries, a rich writer and liquidator.
fn venue(insurance: Money, share_ppm: u32, auction: Auction) -> Market {
    let symbol = SymbolConfig { liquidation_share_ppm: share_ppm, ..SymbolConfig::default() };
    let mut market = Market::new(Config { symbols: vec![symbol], insurance }, &[SPOT]);
    let mut contracts = Vec::new();
    for expiry_ns in [10 * DAY, 3 * DAY] {
        for strike in [SPOT, 90_000, 110_000] {
            contracts.extend([true, false].map(|call| Contract { expiry_ns, strike, call }));
        }
    }
    let vol = ImpliedVol { start: 0.6, beta: 0.02 };
    let (rule, liquidator) = (Rule::DeribitPm, LIQUIDATOR);
    market.list(Listing { contracts, vol, rule, auction, liquidator });
    market.deposit(WRITER, RICH, MarginMode::Cross);
    market.deposit(LIQUIDATOR, RICH, MarginMode::Cross);
    market
}

/// Number of a contract.
fn option(market: &Market, days: u64, strike: Price, call: bool) -> u16 {
    let wanted = Contract { expiry_ns: days * DAY, strike, call };
    let chain = market.options().expect("listed");
    let at = chain.contracts().iter().position(|c| *c == wanted).expect("listed");
    market.symbols() + at as u16
}

/// Opens a position against the writer.
fn open(market: &mut Market, account: AccountId, symbol: u16, qty: Qty) {
    let mark = market.mark(symbol);
    market.open(account, symbol, qty, mark);
    market.open(WRITER, symbol, -qty, mark);
}

/// A seller of 1,000 strangles with this many times the initial requirement as equity.
fn sold_strangles(market: &mut Market, times: f64) {
    market.deposit(SELLER, 0, MarginMode::Portfolio);
    for (strike, call) in [(90_000, false), (110_000, true)] {
        let symbol = option(market, 3, strike, call);
        open(market, SELLER, symbol, -1_000);
    }
    let cash = (market.requirement(SELLER).initial * times).ceil() as Money;
    market.deposit(SELLER, cash, MarginMode::Portfolio);
    assert_eq!(market.equity(SELLER), cash, "premiums are worth what they were paid for");
    assert_eq!(market.check_genesis(), Ok(()));
}

fn send(market: &mut Market, now: Ns, body: Body) -> Vec<Fact> {
    let mut facts = Vec::new();
    let message = Message { id: 0, account: 7, sent_ns: now, body };
    market.execute(now, &message, &mut facts);
    assert_eq!(market.total_money(), market.paid_in(), "{body:?}: {facts:?}");
    let sum: Money = market.accounts().map(|account| market.equity(account)).sum();
    assert_eq!(sum + market.insurance() + market.fees() - market.deficit(), market.paid_in());
    facts
}

fn price(market: &mut Market, now: Ns, price: Price) -> Vec<Fact> {
    send(market, now, Body::PriceUpdate(PriceUpdate { symbol: 0, price, observed_ns: now }))
}

fn liquidate(market: &mut Market, now: Ns, target: AccountId) -> Vec<Fact> {
    let trigger_price = market.mark(0);
    let order = LiquidationOrder { symbol: 0, target, order_qty: 0, trigger_price };
    send(market, now, Body::LiquidationOrder(order))
}

/// (value, price, discount, closed) of an auction's sale.
fn sale(facts: &[Fact]) -> (Money, u32, Money, bool) {
    let found = facts.iter().find_map(|fact| match *fact {
        Fact::Auctioned { value, price_ppm, discount, closed, .. } => {
            Some((value, price_ppm, discount, closed))
        }
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no sale in {facts:?}"))
}

#[test]
fn a_portfolio_keeps_its_initial_requirement() {
    let mut market = venue(0, PPM, auction());
    sold_strangles(&mut market, 1.5);
    let need = market.requirement(SELLER).initial.ceil() as Money;
    let room = market.equity(SELLER) - need;
    assert!(need > 0 && room > 0 && market.withdrawable(SELLER) == room);
    assert_eq!(market.debit(SELLER, room + 1), Err(Reject::InsufficientMargin));
    assert_eq!(market.debit(SELLER, room), Ok(()));
    assert_eq!((market.withdrawable(SELLER), market.total_money()), (0, market.paid_in()));
}

#[test]
fn marks_follow_the_oracle_and_volatility_rises_as_spot_falls() {
    let mut market = venue(0, PPM, auction());
    let put = option(&market, 3, 90_000, false);
    let chain = market.options().unwrap();
    assert_eq!(market.mark(put), chain.terms(usize::from(put) - 1, SPOT).price().round() as i64);
    assert_eq!([SPOT, 75_000, 120_000].map(|s| chain.vol_at(s)), [0.6, 1.1, 0.6]);
    let before = market.mark(put);
    price(&mut market, SECOND, 95_000);
    let terms = market.options().unwrap().terms(usize::from(put) - 1, 95_000);
    assert_eq!(market.mark(put), terms.price().round() as i64);
    assert!(market.mark(put) > 3 * before);
}

#[test]
fn liquidatable_as_soon_as_the_requirement_exceeds_equity() {
    let mut market = venue(0, PPM, auction());
    sold_strangles(&mut market, 1.0);
    let facts = liquidate(&mut market, 1, SELLER);
    assert!(matches!(facts[..], [Fact::NotLiquidatable { account: SELLER, .. }]));
    let mut below = Vec::new();
    for spot in (85_000..=115_000).step_by(500) {
        below.clear();
        market.below_maintenance(0, spot, &mut below);
        let mut there = market.clone();
        price(&mut there, 2, spot);
        let due = there.requirement(SELLER).maintenance.ceil() as Money > there.equity(SELLER);
        assert_eq!(there.liquidatable(SELLER, 0, spot), due, "at {spot}");
        assert_eq!(below == [SELLER], due, "asked beforehand, at {spot}");
        assert_eq!(market.worth(SELLER, &[spot]), there.equity(SELLER));
        assert_eq!(market.liquidatable(SELLER, 0, spot), due);
    }
    assert_eq!(below, [SELLER], "a strangle is due on both sides");
}

#[test]
fn equity_equal_to_the_requirement_is_enough() {
    for (short_of, due) in [(0, false), (1, true)] {
        let mut market = venue(0, PPM, auction());
        market.deposit(SELLER, 0, MarginMode::Portfolio);
        let call = option(&market, 3, 110_000, true);
        open(&mut market, SELLER, call, -7);
        open(&mut market, SELLER, 0, 3);
        let need = market.requirement(SELLER).maintenance.ceil() as Money;
        market.deposit(SELLER, need - short_of, MarginMode::Portfolio);
        assert_eq!(market.liquidatable(SELLER, 0, SPOT), due);
    }
}

#[test]
fn a_portfolio_gets_one_margin_call_until_recovery() {
    let mut market = venue(0, PPM, auction());
    sold_strangles(&mut market, 1.0);
    let mut calls = |now, spot| {
        let facts = price(&mut market, now, spot);
        facts.iter().filter(|f| matches!(f, Fact::MarginCall { account: SELLER, .. })).count()
    };
    assert_eq!([(1, 99_000), (2, 85_000), (3, 84_000)].map(|(t, s)| calls(t, s)), [0, 1, 0]);
    assert_eq!([(4, SPOT), (5, 85_000)].map(|(t, s)| calls(t, s)), [0, 1]);
}

#[test]
fn a_solvent_portfolio_passes_whole_at_a_discount() {
    let mut market = venue(0, PPM, auction());
    sold_strangles(&mut market, 1.0);
    price(&mut market, 1, 85_000);
    let (value, cash) = (market.equity(SELLER), market.equity(LIQUIDATOR));
    let (sold_for, price_ppm, discount, closed) = sale(&liquidate(&mut market, 1, SELLER));
    assert_eq!((sold_for, price_ppm, closed), (value, 950_000, true));
    assert_eq!(discount, value * 50_000 / 1_000_000);
    assert_eq!(market.equity(SELLER), value - discount);
    assert_eq!(market.equity(LIQUIDATOR), cash + discount);
    assert_eq!(market.position(LIQUIDATOR, option(&market, 3, 90_000, false)), -1_000);
    assert_eq!(market.bad_debt_total(), 0);
}

#[test]
fn a_share_is_sold_at_a_time() {
    let mut market = venue(0, 250_000, auction());
    sold_strangles(&mut market, 1.0);
    price(&mut market, 1, 85_000);
    let value = market.equity(SELLER);
    let (_, _, discount, closed) = sale(&liquidate(&mut market, 1, SELLER));
    assert!(!closed);
    assert_eq!(discount, value / 4 * 50_000 / 1_000_000);
    assert_eq!(market.position(SELLER, option(&market, 3, 90_000, false)), -750);
}

#[test]
fn liquidators_wait_until_the_price_has_fallen_to_their_bid() {
    let mut market = venue(0, PPM, Auction { bid_ppm: 800_000, ..auction() });
    sold_strangles(&mut market, 1.0);
    price(&mut market, 1, 85_000);
    let facts = liquidate(&mut market, SECOND, SELLER);
    assert!(matches!(facts[..], [Fact::AuctionOpen { price_ppm: 950_000, .. }]));
    let facts = liquidate(&mut market, SECOND + 5 * 60 * SECOND, SELLER);
    assert!(matches!(facts[..], [Fact::AuctionOpen { price_ppm: 866_667, .. }]), "{facts:?}");
    let facts = liquidate(&mut market, SECOND + 9 * 60 * SECOND, SELLER);
    assert_eq!(sale(&facts).1, 800_000);
}

#[test]
fn an_auction_ends_when_the_account_recovers() {
    let mut market = venue(0, PPM, Auction { bid_ppm: 800_000, ..auction() });
    sold_strangles(&mut market, 1.0);
    price(&mut market, 1, 85_000);
    liquidate(&mut market, 1, SELLER);
    price(&mut market, 2, SPOT);
    assert!(matches!(liquidate(&mut market, 3, SELLER)[..], [Fact::NotLiquidatable { .. }]));
    price(&mut market, 4, 85_000);
    let facts = liquidate(&mut market, 9 * 60 * SECOND, SELLER);
    assert!(matches!(facts[..], [Fact::AuctionOpen { price_ppm: 950_000, .. }]), "begins anew");
}

#[test]
fn the_auction_falls_in_two_straight_lines() {
    let minutes = |m: u64| auction().price_ppm(m * 60 * SECOND);
    assert_eq!([0, 3, 15, 15 + 6 * 60].map(minutes), [950_000, 900_000, 700_000, 350_000]);
    assert_eq!([15 + 12 * 60, 100_000].map(minutes), [0, 0]);
    let at_once = Auction { fast_ns: 0, slow_ns: 0, ..auction() };
    assert_eq!(at_once.price_ppm(0), 0);
}

#[test]
fn negative_cash_is_paid_by_the_fund_then_booked_as_deficit() {
    let mut market = venue(2_000_000, PPM, auction());
    sold_strangles(&mut market, 1.0);
    price(&mut market, 1, 70_000);
    let value = market.equity(SELLER);
    assert!(value < -2_000_000, "{value}");
    let facts = liquidate(&mut market, 1, SELLER);
    assert_eq!(sale(&facts), (value, 950_000, 0, true));
    let wanted = [(2_000_000, Bearer::Insurance), (-value - 2_000_000, Bearer::Venue)];
    assert_eq!(bad_debt(&facts), wanted);
    assert_eq!((market.insurance(), market.equity(SELLER)), (0, 0));
    assert_eq!(market.bad_debt_total(), -value);
}

#[test]
fn an_option_pays_at_the_first_oracle_price_after_its_expiry() {
    let mut market = venue(0, PPM, auction());
    sold_strangles(&mut market, 2.0);
    let cash = market.equity(SELLER);
    let premiums: i64 = [(90_000, false), (110_000, true)]
        .map(|(strike, call)| market.mark(option(&market, 3, strike, call)))
        .iter()
        .sum();
    let facts = price(&mut market, 3 * DAY, 88_500);
    let paid: Vec<Price> = facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::Expired { payoff, .. } => Some(*payoff),
            _ => None,
        })
        .collect();
    assert_eq!(paid, [1_500, 0, 11_500, 0, 21_500, 0], "strikes rise, puts first");
    assert_eq!(market.equity(SELLER), cash + 1_000 * Money::from(premiums - 1_500));
    assert!(!market.liquidatable(SELLER, 0, 1), "nothing is left to close");
    assert!(price(&mut market, 4 * DAY, 80_000).len() == 2, "once");
}

#[test]
fn an_order_needs_the_grids_initial_margin() {
    let mut market = venue(0, PPM, auction());
    sold_strangles(&mut market, 1.01);
    let mut order = |side, order_qty| {
        let body = Body::NewOrderSingle(NewOrderSingle {
            cl_ord_id: order_qty as u64,
            symbol: 0,
            side,
            ord_type: OrdType::Limit,
            time_in_force: TimeInForce::GoodTillCancel,
            post_only: false,
            reduce_only: false,
            price: if side == Side::Buy { SPOT - 1 } else { SPOT + 1 },
            order_qty,
        });
        let message = Message { id: 0, account: SELLER, sent_ns: 0, body };
        let mut facts = Vec::new();
        market.execute(0, &message, &mut facts);
        matches!(facts[..], [Fact::Accepted { .. }])
    };
    assert!(!order(Side::Buy, 900), "long 900 makes the fall worse");
    assert!(order(Side::Buy, 5));
}

fn case_of(fact: Fact) -> &'static str {
    match fact {
        Fact::Trade { .. } => "trade",
        Fact::Auctioned { value, .. } if value <= 0 => "insolvent",
        Fact::Auctioned { closed: true, .. } => "sold",
        Fact::Auctioned { .. } => "sold in part",
        Fact::AuctionOpen { .. } => "waits",
        Fact::Expired { .. } => "expired",
        Fact::BadDebt { borne_by, .. } => {
            ["insured", "deleveraged debt", "deficit"][borne_by as usize]
        }
        Fact::Rejected { reason: Reject::InsufficientMargin, .. } => "no margin",
        Fact::Rejected { reason: Reject::UnknownSymbol, .. } => "options have no book",
        _ => "other",
    }
}

/// A random sequence of prices, orders, liquidations and jumps in time, past expiries too; returns
/// all facts. With `stores` the market is stored and restored before every step.
fn random_sequence(seed: u64, insurance: Money, share_ppm: u32, stores: bool) -> Vec<Fact> {
    let mut rng = Rng(seed);
    let rules = Auction { bid_ppm: 700_000 + 25_000 * (seed % 11) as u32, ..auction() };
    let mut market = venue(insurance, share_ppm, rules);
    let opened = market.clone();
    for account in 0..6 {
        market.deposit(account, 0, MarginMode::Portfolio);
        for symbol in 0..=12u16 {
            let qty = (rng.bits() % 41) as Qty - 20;
            if qty != 0 && rng.bits().is_multiple_of(2) {
                open(&mut market, account, symbol, qty);
            }
        }
        let need = market.requirement(account).initial * (1.0 + rng.unit());
        market.deposit(account, need.ceil() as Money, MarginMode::Portfolio);
    }
    market.deposit(6, 400_000, MarginMode::Cross);
    market.deposit(7, 400_000, MarginMode::Isolated);
    assert_eq!(market.check_genesis(), Ok(()));
    let (mut now, mut all) = (0, Vec::new());
    for id in 1..300 {
        if stores {
            let again = restored(&opened, &stored(&market));
            assert_eq!(format!("{:?}", again.options()), format!("{:?}", market.options()));
            market = again;
        }
        now += match rng.bits() % 40 {
            0 => DAY,
            n => n * SECOND,
        };
        let mark = market.mark(0);
        let near = mark + mark * ((rng.bits() % 41) as i64 - 20) / 1_000;
        let facts = match rng.bits() % 8 {
            0..=1 => price(&mut market, now, near.clamp(20_000, 400_000)),
            2 => price(&mut market, now, (mark + (near - mark) * 8).clamp(20_000, 400_000)),
            3..=4 => {
                let body = Body::NewOrderSingle(NewOrderSingle {
                    cl_ord_id: id,
                    symbol: (rng.bits() % 14) as u16,
                    side: if rng.bits().is_multiple_of(2) { Side::Buy } else { Side::Sell },
                    ord_type: OrdType::Limit,
                    time_in_force: TimeInForce::GoodTillCancel,
                    post_only: false,
                    reduce_only: false,
                    price: near,
                    order_qty: 1 + (rng.bits() % 20) as Qty,
                });
                let account = (rng.bits() % 8) as AccountId;
                let message = Message { id: 0, account, sent_ns: now, body };
                let mut facts = Vec::new();
                market.execute(now, &message, &mut facts);
                assert_eq!(market.total_money(), market.paid_in());
                facts
            }
            _ => liquidate(&mut market, now, (rng.bits() % 10) as AccountId),
        };
        all.extend(facts);
        for symbol in 0..13 {
            let sum: Qty = market.accounts().map(|a| market.position(a, symbol)).sum();
            assert_eq!(sum, 0);
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn money_is_conserved_to_the_quantum(
        seed in any::<u64>(), insurance in 0..3_000_000i128, share_ppm in 1..=PPM,
    ) {
        random_sequence(seed, insurance, share_ppm, false);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    /// Expiries, open auctions and the grid of margin, to the last bit.
    #[test]
    fn a_restored_market_has_the_same_options(seed in any::<u64>(), share_ppm in 1..=PPM) {
        let run = |stores| random_sequence(seed, 100_000, share_ppm, stores);
        prop_assert_eq!(run(true), run(false));
    }
}

#[test]
fn the_random_sequences_reach_every_case() {
    let mut seen = BTreeSet::new();
    for seed in 0..60 {
        let share_ppm = if seed % 2 == 0 { PPM } else { 300_000 };
        let facts = random_sequence(seed, 100_000, share_ppm, false);
        seen.extend(facts.into_iter().map(case_of));
    }
    let wanted = [
        "trade",
        "insolvent",
        "sold",
        "sold in part",
        "waits",
        "expired",
        "insured",
        "deficit",
        "no margin",
        "options have no book",
    ];
    let missing: Vec<_> = wanted.iter().filter(|name| !seen.contains(*name)).collect();
    assert!(missing.is_empty(), "never seen: {missing:?}");
}
