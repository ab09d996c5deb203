//! Requests of accounts: opening, paying in and out, cancelling all orders.

use crate::desk;
use desk::*;
use proptest::prelude::*;
use surgetank_layer::message::*;
use surgetank_layer::units::{AccountId, Money, Price, Qty};
use surgetank_market::*;

/// Two markets at 10,000 and 1,000 with an initial rate of 2.5 %; account 9 is rich.
fn desk() -> Desk {
    let config = Config { symbols: vec![SymbolConfig::default(); 2], insurance: 0 };
    let mut market = Market::new(config, &[10_000, 1_000]);
    market.deposit(9, RICH, MarginMode::Cross);
    Desk { market, now: 0 }
}

fn buy(d: &mut Desk, account: AccountId, id: u64, symbol: u16, price: Price, qty: Qty) {
    let order = NewOrderSingle { symbol, ..limit(id, Side::Buy, price, qty) };
    assert_eq!(reject(&d.order(account, order)), None);
}

#[test]
fn an_account_is_opened_once_and_only_within_the_bound() {
    let mut market = desk().market;
    assert_eq!(market.credit(3, 1), Err(Reject::UnknownAccount));
    assert_eq!(market.open_account(3, MarginMode::Isolated), Ok(()));
    assert_eq!(market.credit(3, 7), Ok(()));
    assert_eq!((market.equity(3), market.is_cross(3)), (7, false));
    let again = market.open_account(3, MarginMode::Cross);
    assert_eq!(again, Err(Reject::AccountUnavailable));
    let beyond = market.open_account(ACCOUNTS_MAX, MarginMode::Cross);
    assert_eq!(beyond, Err(Reject::AccountUnavailable));
    let unlisted = market.open_account(4, MarginMode::Portfolio);
    assert_eq!(unlisted, Err(Reject::UnsupportedOrder));
    assert_eq!(market.accounts().collect::<Vec<_>>(), [3, 9]);
    assert_eq!(market.total_money(), market.paid_in());
}

#[test]
fn amounts_are_positive_and_within_what_can_be_counted() {
    let mut market = desk().market;
    for cash in [0, -1, Money::MIN] {
        assert_eq!(market.credit(9, cash), Err(Reject::IncorrectAmount));
        assert_eq!(market.debit(9, cash), Err(Reject::IncorrectAmount));
    }
    assert_eq!(market.credit(9, Money::MAX), Err(Reject::IncorrectAmount));
    let room = MONEY_MAX - market.paid_in();
    assert_eq!(market.credit(9, room + 1), Err(Reject::IncorrectAmount));
    assert_eq!(market.credit(9, room), Ok(()));
    assert_eq!(market.debit(9, Money::MAX), Err(Reject::InsufficientMargin));
    assert_eq!(market.debit(9, MONEY_MAX), Ok(()));
    assert_eq!((market.paid_in(), market.total_money()), (0, 0));
}

#[test]
fn the_initial_margin_of_positions_and_orders_stays() {
    let mut d = desk();
    d.market.deposit(0, 100_000, MarginMode::Cross);
    d.market.open(0, 0, 100, 10_000);
    d.market.open(9, 0, -100, 10_000);
    // 2.5 % of 1,000,000; with the order 2.5 % of 1,500,000; and 2.5 % of 400,000 in market 1.
    assert_eq!(d.market.withdrawable(0), 75_000);
    buy(&mut d, 0, 1, 0, 9_000, 50);
    buy(&mut d, 0, 2, 1, 900, 400);
    assert_eq!(d.market.withdrawable(0), 52_500);
    assert_eq!(d.market.debit(0, 52_501), Err(Reject::InsufficientMargin));
    assert_eq!(d.market.debit(0, 52_500), Ok(()));
    assert_eq!((d.market.equity(0), d.market.withdrawable(0)), (47_500, 0));
    assert_eq!(d.market.total_money(), d.market.paid_in());
}

#[test]
fn an_isolated_position_keeps_what_it_has() {
    let mut d = desk();
    d.market.deposit(0, 50_000, MarginMode::Isolated);
    d.market.open(0, 0, 100, 10_000);
    d.market.open(9, 0, -100, 10_000);
    assert_eq!(d.market.withdrawable(0), 0, "all of it backs the position");
    assert_eq!(d.market.credit(0, 30_000), Ok(()));
    assert_eq!(d.market.withdrawable(0), 30_000);
    // Of 2.5 % of 4,000,000 the position has 50,000 itself, so that all the cash is needed.
    buy(&mut d, 0, 1, 0, 9_000, 200);
    assert_eq!(d.market.withdrawable(0), 5_000);
    assert_eq!(d.market.debit(0, 5_001), Err(Reject::InsufficientMargin));
}

#[test]
fn collateral_assets_count_as_margin_and_are_not_paid_out() {
    let mut d = desk();
    let stablecoin = CollateralAsset { price: AssetPrice::Constant {}, haircut_ppm: 0 };
    d.market.accept_collateral(vec![stablecoin], 9);
    d.market.deposit(0, 1_000, MarginMode::Cross);
    d.market.deposit_asset(0, 0, 30_000);
    assert_eq!(d.market.withdrawable(0), 1_000);
    d.market.open(0, 0, 100, 10_000);
    d.market.open(9, 0, -100, 10_000);
    assert_eq!(d.market.withdrawable(0), 1_000, "the asset alone covers the margin of 25,000");
    d.market.open(0, 0, 22, 10_000);
    d.market.open(9, 0, -22, 10_000);
    assert_eq!(d.market.withdrawable(0), 500, "31,000 less 30,500");
}

#[test]
fn all_orders_are_cancelled_or_those_of_one_market() {
    let mut d = desk();
    d.market.deposit(0, RICH, MarginMode::Isolated);
    for (id, symbol) in [(1, 0), (2, 1), (3, 0), (4, 1)] {
        buy(&mut d, 0, id, symbol, 900, 5);
        buy(&mut d, 9, id, symbol, 900, 5);
    }
    let cancel = |d: &mut Desk, symbol| {
        let mut facts = Vec::new();
        let done = d.market.cancel_account(0, symbol, &mut facts);
        done.map(|()| canceled(&facts))
    };
    let gone = |id: u64| (id, 5, CancelReason::Requested);
    assert_eq!(cancel(&mut d, Some(1)), Ok(vec![gone(2), gone(4)]));
    assert_eq!(cancel(&mut d, None), Ok(vec![gone(1), gone(3)]));
    assert_eq!(cancel(&mut d, Some(2)), Err(Reject::UnknownSymbol));
    assert_eq!(d.market.position_detail(0, 0).open_buy, 0);
    assert_eq!([0, 1].map(|symbol| d.market.book(symbol).len()), [2, 2], "those of account 9");
    let unknown = d.market.cancel_account(1, None, &mut Vec::new());
    assert_eq!(unknown, Err(Reject::UnknownAccount));
}

/// What account 0, in cross mode, can withdraw: its equity less the initial margin of the larger of
/// the positions that it has with all buys, or all sells, of each market filled.
fn room(market: &Market) -> Money {
    let need = |symbol: u16| {
        let p = market.position_detail(0, symbol);
        let exposure = (p.qty + p.open_buy).abs().max((p.qty - p.open_sell).abs());
        market.margin_of(symbol, exposure).0
    };
    let millionths = market.equity(0) * Money::from(PPM) - need(0) - need(1);
    millionths.div_euclid(Money::from(PPM)).max(0)
}

/// One step of a venue with accounts 0 (cross) and 1 (isolated).
#[derive(Clone, Copy, Debug)]
enum Step {
    Order { account: AccountId, symbol: u16, buy: bool, percent: i64, qty: Qty },
    Price { symbol: u16, percent: i64 },
    Pay { account: AccountId, cash: Money },
    Cancel { account: AccountId, symbol: Option<u16> },
}

fn step() -> impl Strategy<Value = Step> {
    let order = (0..2u32, 0..2u16, any::<bool>(), 90..111i64, 1..60i64).prop_map(
        |(account, symbol, buy, percent, qty)| Step::Order { account, symbol, buy, percent, qty },
    );
    prop_oneof![
        5 => order,
        2 => (0..2u16, 96..105i64).prop_map(|(symbol, percent)| Step::Price { symbol, percent }),
        4 => (0..2u32, -30_000..30_000i128).prop_map(|(account, cash)| Step::Pay { account, cash }),
        1 => (0..2u32, prop::option::of(0..2u16))
            .prop_map(|(account, symbol)| Step::Cancel { account, symbol }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Whatever was traded before: a withdrawal that is granted leaves no position liquidatable and
    /// takes exactly its amount; one that is refused changes nothing; money is conserved.
    #[test]
    fn a_withdrawal_never_reaches_into_margin(steps in prop::collection::vec(step(), 1..80)) {
        let mut d = desk();
        d.market.open_account(0, MarginMode::Cross).unwrap();
        d.market.open_account(1, MarginMode::Isolated).unwrap();
        for account in [0, 1] {
            d.market.credit(account, 60_000).unwrap();
        }
        for (step, id) in steps.into_iter().zip(1..) {
            let at = |symbol: u16, percent: Price| d.market.mark(symbol) * percent / 100;
            match step {
                Step::Order { account, symbol, buy, percent, qty } => {
                    let (side, price) = (if buy { Side::Buy } else { Side::Sell }, at(symbol, percent));
                    d.order(account, NewOrderSingle { symbol, ..limit(id, side, price, qty) });
                    // The rich account takes what rests near the mark.
                    let taken = NewOrderSingle { symbol, ..market(id, side.opposite(), qty / 2 + 1) };
                    if (97..=103).contains(&percent) {
                        d.order(9, taken);
                    }
                }
                Step::Price { symbol, percent } => {
                    let price = at(symbol, percent);
                    let observed_ns = d.now;
                    d.send(9, Body::PriceUpdate(PriceUpdate { symbol, price, observed_ns }));
                }
                Step::Pay { account, cash: cash @ 1.. } => {
                    prop_assert_eq!(d.market.credit(account, cash), Ok(()));
                }
                Step::Pay { account, cash } => {
                    let (room, equity) = (d.market.withdrawable(account), d.market.equity(account));
                    let below = |m: &Market, s: u16| m.liquidatable(account, s, m.mark(s));
                    let was = [0, 1].map(|s| below(&d.market, s));
                    let due = if cash == 0 {
                        Err(Reject::IncorrectAmount)
                    } else if -cash > room {
                        Err(Reject::InsufficientMargin)
                    } else {
                        Ok(())
                    };
                    prop_assert_eq!(d.market.debit(account, -cash), due);
                    let taken = if due.is_ok() { -cash } else { 0 };
                    prop_assert_eq!(d.market.equity(account), equity - taken);
                    prop_assert_eq!(d.market.withdrawable(account), room - taken);
                    if due.is_ok() && account == 0 {
                        prop_assert_eq!([0, 1].map(|s| below(&d.market, s)), [false, false]);
                    } else {
                        prop_assert_eq!([0, 1].map(|s| below(&d.market, s)), was);
                    }
                }
                Step::Cancel { account, symbol } => {
                    d.market.cancel_account(account, symbol, &mut Vec::new()).unwrap();
                }
            }
            prop_assert_eq!(d.market.total_money(), d.market.paid_in());
            prop_assert_eq!(d.market.withdrawable(0), room(&d.market));
        }
    }
}
