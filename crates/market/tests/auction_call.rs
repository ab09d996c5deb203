//! The call of a batch, phase by phase: precedence, price, allocation, remainders.

use crate::desk;
use desk::*;
use surgetank_layer::message::*;
use surgetank_layer::units::*;
use surgetank_market::auction::*;
use surgetank_market::*;

const RANDOM: Call = Call { seed: Digest([1; 32]), rationing: Rationing::Random };
const PRO_RATA: Call = Call { rationing: Rationing::ProRata, ..RANDOM };

fn messages(bodies: &[(AccountId, Body)]) -> Vec<Message> {
    let numbered = (100..).zip(bodies);
    numbered.map(|(id, &(account, body))| Message { id, account, sent_ns: 0, body }).collect()
}

/// Executes a batch and checks the sums; message numbers from 100.
fn batch(d: &mut Desk, call: Call, bodies: &[(AccountId, Body)]) -> Vec<MessageFact> {
    let mut facts = Vec::new();
    d.now += 1;
    d.market.execute_batch(d.now, &messages(bodies), call, &mut facts);
    assert_eq!(d.market.total_money(), d.market.paid_in());
    facts
}

fn order(account: AccountId, order: NewOrderSingle) -> (AccountId, Body) {
    (account, Body::NewOrderSingle(order))
}

fn buy(account: AccountId, price: Price, qty: Qty) -> (AccountId, Body) {
    order(account, limit(1, Side::Buy, price, qty))
}

fn sell(account: AccountId, price: Price, qty: Qty) -> (AccountId, Body) {
    order(account, limit(1, Side::Sell, price, qty))
}

fn cancel(account: AccountId, orig_cl_ord_id: u64) -> (AccountId, Body) {
    let request = OrderCancelRequest { cl_ord_id: 900, orig_cl_ord_id, symbol: 0 };
    (account, Body::OrderCancelRequest(request))
}

fn replace(account: AccountId, ids: (u64, u64), price: Price, qty: Qty) -> (AccountId, Body) {
    let (orig_cl_ord_id, cl_ord_id) = ids;
    let request =
        OrderCancelReplaceRequest { cl_ord_id, orig_cl_ord_id, symbol: 0, price, order_qty: qty };
    (account, Body::OrderCancelReplaceRequest(request))
}

/// (price, quantity, buyer, seller) of every trade.
fn traded(facts: &[MessageFact]) -> Vec<(Price, Qty, AccountId, AccountId)> {
    let trade = |fact: &Fact| match *fact {
        Fact::Trade { price, qty, maker_account: m, taker_account: t, taker_side, .. } => {
            let (buyer, seller) = if taker_side == Side::Buy { (t, m) } else { (m, t) };
            Some((price, qty, buyer, seller))
        }
        _ => None,
    };
    facts.iter().filter_map(|(_, fact)| trade(fact)).collect()
}

fn plain(facts: &[MessageFact]) -> Vec<Fact> {
    facts.iter().map(|(_, fact)| *fact).collect()
}

fn positions(d: &Desk, accounts: std::ops::Range<AccountId>) -> Vec<Qty> {
    accounts.map(|account| d.market.position(account, 0)).collect()
}

#[test]
fn all_trades_are_at_one_price() {
    let mut d = Desk::rich(6);
    // Demand 10 at 105, 20 at 102; supply 10 at 98, 25 at 101: 20 trade at 101 or 102, and the
    // surplus is the same at both: 101 is nearer to the mark of 100.
    let orders = [buy(0, 105, 10), buy(1, 102, 10), sell(2, 98, 10), sell(3, 101, 15)];
    let facts = batch(&mut d, RANDOM, &orders);
    assert!(traded(&facts).iter().all(|trade| trade.0 == 101));
    assert_eq!(positions(&d, 0..4), [10, 10, -10, -10]);
    assert_eq!(d.market.best(0), (None, Some((101, 5))));
    assert_eq!(d.market.last(0), Some(101));
}

#[test]
fn of_equal_volumes_the_smaller_surplus_sets_the_price() {
    // 10 trade anywhere from 98 to 105. Up to 102 demand is 15 (surplus 5); above it 10 (none).
    let buys = [(105, 10), (102, 5)];
    for (mark, price) in [(100, 103), (104, 104), (200, 105)] {
        let found = clearing(buys, [(98, 10)], mark);
        assert_eq!(found, Some(Clearing { price, volume: 10 }));
    }
    assert_eq!(clearing(buys, [(106, 10)], 100), None);
    assert_eq!(clearing([], [(1, 10)], 100), None);
    assert_eq!(clearing(buys, [], 100), None);
}

#[test]
fn market_orders_take_any_price() {
    let mut d = Desk::rich(3);
    let market_buy = order(1, market(1, Side::Buy, 7));
    let facts = batch(&mut d, RANDOM, &[sell(0, 130, 5), market_buy]);
    assert_eq!(traded(&facts), [(130, 5, 1, 0)]);
    let last = (
        101,
        Fact::Canceled {
            account: 1,
            cl_ord_id: 1,
            symbol: 0,
            side: Side::Buy,
            qty: 2,
            reason: CancelReason::ImmediateOrCancel,
        },
    );
    assert_eq!(facts.last(), Some(&last));
    // Two without a limit meet at the mark.
    let facts = batch(
        &mut d,
        RANDOM,
        &[order(1, market(1, Side::Buy, 7)), order(2, market(1, Side::Sell, 7))],
    );
    assert_eq!(traded(&facts), [(100, 7, 1, 2)]);
    assert!(d.market.book(0).is_empty());
}

#[test]
fn cancels_execute_first_wherever_they_are() {
    for first in [true, false] {
        let mut d = Desk::rich(3);
        d.order(0, limit(5, Side::Sell, 101, 10));
        let mut orders = vec![buy(1, 101, 10), cancel(0, 5)];
        if first {
            orders.reverse();
        }
        let facts = batch(&mut d, RANDOM, &orders);
        assert_eq!(traded(&facts), []);
        assert_eq!(canceled(&plain(&facts)), [(5, 10, CancelReason::Requested)]);
    }
}

#[test]
fn a_cancel_cancels_an_order_of_its_own_batch() {
    let mut d = Desk::rich(3);
    let orders = [cancel(1, 1), buy(1, 101, 10), sell(0, 100, 4), cancel(1, 1), cancel(1, 77)];
    let facts = batch(&mut d, RANDOM, &orders);
    assert_eq!(traded(&facts), []);
    assert_eq!(canceled(&plain(&facts)), [(1, 10, CancelReason::Requested)]);
    let unknown = |fact: &Fact| match fact {
        Fact::Rejected { reason, .. } => *reason == Reject::UnknownOrder,
        _ => false,
    };
    assert_eq!(plain(&facts).iter().filter(|fact| unknown(fact)).count(), 2);
}

#[test]
fn a_replaced_order_is_one_of_the_batch_unless_it_only_shrinks() {
    let mut d = Desk::rich(4);
    d.order(0, limit(1, Side::Sell, 101, 10));
    d.order(2, limit(1, Side::Sell, 101, 10));
    // Account 0 keeps its place with 4; account 2 moves to 100 and is new.
    let orders = [replace(0, (1, 2), 101, 4), replace(2, (1, 2), 100, 10), buy(1, 101, 12)];
    let facts = batch(&mut d, RANDOM, &orders);
    assert_eq!(positions(&d, 0..3), [-2, 12, -10]);
    assert!(traded(&facts).iter().all(|trade| trade.0 == 101));
    let replaced_twice = [replace(0, (2, 3), 103, 5), replace(0, (3, 4), 104, 6)];
    batch(&mut d, RANDOM, &replaced_twice);
    let open: Vec<_> = d.market.open_orders(0, 0).map(|o| (o.cl_ord_id, o.price, o.qty)).collect();
    assert_eq!(open, [(4, 104, 6)]);
}

#[test]
fn an_immediate_order_that_is_replaced_in_its_batch_does_not_rest() {
    // To less at its price, and to another price.
    for (price, qty) in [(101, 4), (102, 10)] {
        let mut d = Desk::rich(3);
        let immediate = TimeInForce::ImmediateOrCancel;
        let one = NewOrderSingle { time_in_force: immediate, ..limit(1, Side::Buy, 101, 10) };
        let orders = [replace(0, (1, 2), price, qty), order(0, one), sell(1, 101, 3)];
        let facts = batch(&mut d, RANDOM, &orders);
        assert_eq!(traded(&facts), [(101, 3, 0, 1)]);
        let gone = (2, qty - 3, CancelReason::ImmediateOrCancel);
        assert_eq!(canceled(&plain(&facts)), [gone]);
        assert!(d.market.book(0).is_empty());
    }
}

#[test]
fn liquidations_and_prices_go_first_and_meet_only_what_rested() {
    let mut d = Desk::new(SymbolConfig::default(), 0, 1_000);
    for (account, cash) in [(0, RICH), (1, 3_000), (2, RICH), (3, RICH)] {
        d.market.deposit(account, cash, MarginMode::Cross);
    }
    d.market.open(1, 0, 100, 1_000);
    d.market.open(2, 0, -100, 1_000);
    d.order(0, limit(1, Side::Buy, 979, 100));
    let price = PriceUpdate { symbol: 0, price: 980, observed_ns: 9 };
    let close_out = LiquidationOrder { symbol: 0, target: 1, order_qty: 0, trigger_price: 980 };
    let orders =
        [buy(3, 985, 100), (0, Body::PriceUpdate(price)), (0, Body::LiquidationOrder(close_out))];
    let facts = batch(&mut d, RANDOM, &orders);
    assert_eq!(traded(&facts), [(979, 100, 0, 1)]);
    assert!(facts.iter().any(|(id, f)| *id == 102 && matches!(f, Fact::Liquidated { .. })));
    assert_eq!(positions(&d, 0..4), [100, 0, -100, 0]);
}

#[test]
fn at_the_margin_what_rests_goes_before_what_is_new() {
    let mut d = Desk::rich(4);
    d.order(0, limit(1, Side::Sell, 100, 5));
    let facts = batch(&mut d, RANDOM, &[sell(2, 100, 5), sell(3, 99, 5), buy(1, 100, 12)]);
    assert_eq!(positions(&d, 0..4), [-5, 12, -2, -5]);
    assert!(traded(&facts).iter().all(|trade| trade.0 == 100));
}

#[test]
fn pro_rata_shares_by_size_to_the_lot() {
    let mut d = Desk::rich(5);
    let orders = [sell(0, 100, 10), sell(1, 100, 20), sell(2, 100, 70), buy(3, 100, 37)];
    batch(&mut d, PRO_RATA, &orders);
    let filled: Vec<Qty> = positions(&d, 0..3).into_iter().map(|qty| -qty).collect();
    // 3.7, 7.4 and 25.9: the two lots left over go one each, whoever gets them.
    assert_eq!(filled.iter().sum::<Qty>(), 37);
    for (got, least) in filled.iter().zip([3, 7, 25]) {
        assert!((least..=least + 1).contains(got), "{filled:?}");
    }
}

#[test]
fn random_rationing_favours_no_account() {
    let first = |seed: u8| {
        let mut d = Desk::rich(3);
        let call = Call { seed: Digest([seed; 32]), ..RANDOM };
        // ClOrdIDs are the accounts' own choice and must not count.
        let low = order(1, limit(0, Side::Sell, 100, 5));
        batch(&mut d, call, &[sell(0, 100, 5), low, buy(2, 100, 5)]);
        assert_eq!(positions(&d, 2..3), [5]);
        d.market.position(0, 0) == -5
    };
    let times = (0..200).filter(|&seed| first(seed)).count();
    // 100 ± 7.
    assert!((65..=135).contains(&times), "{times} of 200");
}

#[test]
fn splitting_an_order_gains_nothing_under_random_rationing() {
    let share = |seed: u8, parts: u64| {
        let mut d = Desk::rich(3);
        let call = Call { seed: Digest([seed; 32]), ..RANDOM };
        let part = |id| order(0, limit(id, Side::Sell, 100, 12 / parts as i64));
        let mut orders: Vec<_> = (1..=parts).map(part).collect();
        orders.extend([sell(1, 100, 12), buy(2, 100, 12)]);
        batch(&mut d, call, &orders);
        -d.market.position(0, 0)
    };
    (0..50).for_each(|seed| assert_eq!(share(seed, 1), share(seed, 12)));
}

#[test]
fn self_trades_are_cancelled() {
    let mut d = Desk::rich(4);
    d.order(0, limit(1, Side::Sell, 100, 5));
    d.order(1, limit(1, Side::Sell, 101, 5));
    // Account 0's own buy meets its resting sell, which goes.
    let facts = batch(&mut d, RANDOM, &[order(0, limit(2, Side::Buy, 101, 5))]);
    assert_eq!(
        facts[1],
        (
            100,
            Fact::Canceled {
                account: 0,
                cl_ord_id: 1,
                symbol: 0,
                side: Side::Sell,
                qty: 5,
                reason: CancelReason::SelfTrade,
            }
        )
    );
    assert_eq!(traded(&facts), [(101, 5, 0, 1)]);
    // An order out of reach stays.
    d.order(2, limit(1, Side::Sell, 120, 5));
    d.order(3, limit(1, Side::Sell, 110, 5));
    let facts = batch(&mut d, RANDOM, &[order(2, market(2, Side::Buy, 5))]);
    assert_eq!(traded(&facts), [(110, 5, 2, 3)]);
    assert_eq!(d.market.open_orders(2, 0).count(), 1);
    // Both new: one side of them goes.
    let both = [order(0, limit(5, Side::Buy, 105, 5)), order(0, limit(6, Side::Sell, 105, 5))];
    let facts = batch(&mut d, RANDOM, &both);
    assert_eq!((traded(&facts).len(), d.market.open_orders(0, 0).count()), (0, 1));
}

#[test]
fn reduce_only_takes_part_with_what_it_can_reduce() {
    let mut d = Desk::rich(4);
    d.market.open(0, 0, 6, 100);
    d.market.open(3, 0, -6, 100);
    let reduce =
        |id, qty| order(0, NewOrderSingle { reduce_only: true, ..limit(id, Side::Sell, 99, qty) });
    // Two of 6 each on a position of 6, and a plain sell of 2: it may go short by that alone.
    let orders =
        [reduce(1, 6), reduce(2, 6), order(0, limit(3, Side::Sell, 100, 2)), buy(1, 100, 20)];
    let facts = batch(&mut d, RANDOM, &orders);
    assert_eq!(positions(&d, 0..2), [-2, 8]);
    // What is left of them would keep the book crossed.
    let gone = canceled(&plain(&facts));
    assert_eq!(gone.len(), 1);
    assert_eq!(gone[0].2, CancelReason::ReduceOnly);
    assert_eq!(d.market.best(0), (Some((100, 12)), None));
}

#[test]
fn fees_are_the_takers_who_came_in_the_batch_and_the_makers_who_rested() {
    let rules = SymbolConfig { taker_fee_ppm: 10_000, maker_fee_ppm: 1_000, ..Default::default() };
    let mut d = Desk::new(rules, 0, 1_000);
    (0..4).for_each(|account| d.market.deposit(account, 1 << 40, MarginMode::Cross));
    let paid = |d: &Desk, account| (1 << 40) - d.market.equity(account);
    d.order(0, limit(1, Side::Sell, 1_000, 10));
    batch(&mut d, RANDOM, &[buy(1, 1_000, 10)]);
    assert_eq!((paid(&d, 0), paid(&d, 1)), (10, 100));
    let post_only = NewOrderSingle { post_only: true, ..limit(1, Side::Sell, 1_000, 10) };
    let facts = batch(&mut d, RANDOM, &[order(2, post_only), buy(3, 1_000, 10)]);
    assert_eq!((paid(&d, 2), paid(&d, 3)), (10, 100));
    assert_eq!(facts.last().map(|caused| caused.0), Some(101));
}

#[test]
fn post_only_is_refused_against_what_rests() {
    let mut d = Desk::rich(3);
    d.order(0, limit(1, Side::Sell, 100, 10));
    let post_only = NewOrderSingle { post_only: true, ..limit(1, Side::Buy, 100, 10) };
    let facts = batch(&mut d, RANDOM, &[order(1, post_only)]);
    assert_eq!(reject(&plain(&facts)), Some(Reject::PostOnlyWouldTake));
}

#[test]
fn margin_is_counted_over_the_whole_batch() {
    let mut d = Desk::new(SymbolConfig::default(), 0, 1_000);
    // 40×: room for 40 lots at 1,000.
    d.market.deposit(0, 1_000, MarginMode::Cross);
    let one = |id| order(0, limit(id, Side::Buy, 1_000, 30));
    let facts = batch(&mut d, RANDOM, &[one(1), one(2), one(1)]);
    let reasons: Vec<_> = facts
        .iter()
        .filter_map(|(_, fact)| match fact {
            Fact::Rejected { reason, .. } => Some(*reason),
            _ => None,
        })
        .collect();
    assert_eq!(reasons, [Reject::DuplicateOrder, Reject::InsufficientMargin]);
    // What a cancel of the batch gives back can be used in it.
    let facts = batch(&mut d, RANDOM, &[one(3), cancel(0, 1)]);
    assert_eq!(d.market.open_orders(0, 0).map(|o| o.cl_ord_id).collect::<Vec<_>>(), [3]);
    assert_eq!(facts.len(), 2);
}
