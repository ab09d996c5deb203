//! Invariants of every call: one price, greatest volume, price priority, no effect of arrival
//! order, money and positions conserved.

use crate::desk;
use desk::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use surgetank_layer::message::*;
use surgetank_layer::units::*;
use surgetank_market::auction::*;
use surgetank_market::*;

pub fn call(seed: u8, pro_rata: bool) -> Call {
    let rationing = if pro_rata { Rationing::ProRata } else { Rationing::Random };
    Call { seed: Digest([seed; 32]), rationing }
}

/// Volume at a price, and surplus there.
fn at(price: Price, buys: &[(Price, Qty)], sells: &[(Price, Qty)]) -> (Qty, Qty) {
    let demand: Qty = buys.iter().filter(|b| b.0 >= price).map(|b| b.1).sum();
    let supply: Qty = sells.iter().filter(|s| s.0 <= price).map(|s| s.1).sum();
    (demand.min(supply), (demand - supply).abs())
}

/// The price rule by exhaustive search.
fn by_trial(buys: &[(Price, Qty)], sells: &[(Price, Qty)], mark: Price) -> Option<Clearing> {
    let key = |price: &Price| {
        let (volume, surplus) = at(*price, buys, sells);
        (-volume, surplus, (price - mark).abs())
    };
    let price = (1..40).min_by_key(key)?;
    let volume = at(price, buys, sells).0;
    (volume > 0).then_some(Clearing { price, volume })
}

#[derive(Clone, Copy, Debug)]
pub struct RandomOrder {
    buy: bool,
    price: Price,
    qty: Qty,
    kind: u8,
    bits: u64,
}

pub fn random_order() -> impl Strategy<Value = RandomOrder> {
    (any::<bool>(), 90..111i64, 1..20i64, 0..16u8, any::<u64>())
        .prop_map(|(buy, price, qty, kind, bits)| RandomOrder { buy, price, qty, kind, bits })
}

fn side(buy: bool) -> Side {
    if buy { Side::Buy } else { Side::Sell }
}

/// One message of any kind that a venue gets, with a number of its own. What it changes rests, or
/// came in the same batch.
pub fn message(d: &Desk, id: MessageId, m: &RandomOrder) -> Message {
    let number = u64::from(id);
    let account = id % 8;
    let rests = d.market.open_orders(account, 0).nth((m.bits % 4) as usize);
    let older = rests.map_or(number.saturating_sub(8 * (m.bits % 3)), |o| o.cl_ord_id);
    let order = limit(number, side(m.buy), m.price, m.qty);
    let body = match m.kind {
        0 => Body::OrderCancelRequest(OrderCancelRequest {
            cl_ord_id: number,
            orig_cl_ord_id: older,
            symbol: 0,
        }),
        1 => Body::OrderCancelReplaceRequest(OrderCancelReplaceRequest {
            cl_ord_id: number,
            orig_cl_ord_id: older,
            symbol: 0,
            price: rests.map_or(m.price, |o| o.price),
            order_qty: rests.map_or(m.qty, |o| o.qty.min(m.qty)),
        }),
        2 => Body::OrderCancelReplaceRequest(OrderCancelReplaceRequest {
            cl_ord_id: number,
            orig_cl_ord_id: older,
            symbol: 0,
            price: m.price,
            order_qty: m.qty,
        }),
        3 => Body::PriceUpdate(PriceUpdate {
            symbol: 0,
            price: 100 + 2 * (m.price - 100),
            observed_ns: Ns::from(id),
        }),
        4 => Body::LiquidationOrder(LiquidationOrder {
            symbol: 0,
            target: (m.bits % 8) as u32,
            order_qty: 0,
            trigger_price: m.price,
        }),
        5 => Body::NewOrderSingle(market(number, order.side, m.qty)),
        6 => Body::NewOrderSingle(NewOrderSingle {
            time_in_force: TimeInForce::ImmediateOrCancel,
            ..order
        }),
        7 => Body::NewOrderSingle(NewOrderSingle { post_only: true, ..order }),
        8 | 9 => Body::NewOrderSingle(NewOrderSingle { reduce_only: true, ..order }),
        _ => Body::NewOrderSingle(order),
    };
    Message { id, account, sent_ns: 0, body }
}

/// Eight accounts with positions, cross and isolated by turns, some of them poor; odd fees.
pub fn venue() -> Desk {
    let rules = SymbolConfig { taker_fee_ppm: 451, maker_fee_ppm: 149, ..Default::default() };
    let mut d = Desk::new(rules, 500, 100);
    for account in 0..8 {
        let mode = if account % 2 == 0 { MarginMode::Cross } else { MarginMode::Isolated };
        let cash = if account < 4 { 1_000 } else { 1 << 40 };
        d.market.deposit(account, cash, mode);
        d.market.open(account, 0, if account % 4 < 2 { 15 } else { -15 }, 100);
    }
    d
}

pub fn run(d: &mut Desk, messages: &[Message], call: Call) -> Vec<MessageFact> {
    let mut facts = Vec::new();
    d.now += 1;
    d.market.execute_batch(d.now, messages, call, &mut facts);
    facts
}

/// All visible state of the orders and accounts.
fn state(d: &Desk) -> impl PartialEq + std::fmt::Debug + use<> {
    let m = &d.market;
    let account = |a: AccountId| {
        (m.position_detail(a, 0), m.equity(a), m.open_orders(a, 0).collect::<Vec<_>>())
    };
    let levels = |side| m.book(0).levels(side).collect::<Vec<_>>();
    (
        m.accounts().map(account).collect::<Vec<_>>(),
        (levels(Side::Buy), levels(Side::Sell), m.last(0), m.mark(0)),
    )
}

/// What must hold after any batch. `reduce_only`: orders that may never increase a position.
fn check(d: &Desk, before: &BTreeMap<AccountId, Qty>, facts: &[MessageFact], reduce_only: &[u64]) {
    let m = &d.market;
    assert_eq!(m.total_money(), m.paid_in());
    assert_eq!(m.accounts().map(|a| m.position(a, 0)).sum::<Qty>(), 0);
    if let (Some((bid, _)), Some((ask, _))) = m.best(0) {
        assert!(bid < ask, "crossed: {bid} {ask}");
    }
    let (mut positions, mut price) = (before.clone(), None);
    for (_, fact) in facts {
        match *fact {
            Fact::Trade {
                price: traded,
                qty,
                maker_account,
                maker_cl_ord_id,
                taker_account,
                taker_cl_ord_id,
                taker_side,
                liquidation,
                ..
            } => {
                assert_ne!(maker_account, taker_account);
                if !liquidation {
                    assert_eq!(*price.get_or_insert(traded), traded, "two prices");
                }
                let signed = qty * taker_side.sign();
                for (account, id, qty) in [
                    (maker_account, maker_cl_ord_id, -signed),
                    (taker_account, taker_cl_ord_id, signed),
                ] {
                    let position = positions.entry(account).or_default();
                    let was = *position;
                    *position += qty;
                    if reduce_only.contains(&id) && !(liquidation && account == taker_account) {
                        let reduced = was.signum() * position.signum() >= 0;
                        assert!(reduced && position.abs() < was.abs(), "{was} → {position}");
                    }
                }
            }
            Fact::Deleveraged { account, against, qty, .. } => {
                let sign = positions[&account].signum();
                *positions.entry(account).or_default() -= sign * qty;
                *positions.entry(against).or_default() += sign * qty;
            }
            _ => {}
        }
    }
    for account in m.accounts() {
        assert_eq!(m.position(account, 0), positions[&account]);
        let p = m.position_detail(account, 0);
        let open = |side: Side| -> Qty {
            m.open_orders(account, 0).filter(|o| o.side == side).map(|o| o.qty).sum()
        };
        assert_eq!((p.open_buy, p.open_sell), (open(Side::Buy), open(Side::Sell)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_price_is_that_of_trying_them_all(
        buys in prop::collection::vec((1..39i64, 1..9i64), 0..7),
        sells in prop::collection::vec((1..39i64, 1..9i64), 0..7),
        mark in 1..40i64,
    ) {
        let found = clearing(buys.iter().copied(), sells.iter().copied(), mark);
        prop_assert_eq!(found, by_trial(&buys, &sells, mark));
    }

    /// Plain orders, each of an account of its own, on a book of such.
    #[test]
    fn most_trades_and_the_better_price_goes_first(
        rest in prop::collection::vec(random_order(), 0..12),
        new in prop::collection::vec(random_order(), 1..16),
        seed in any::<u8>(),
        pro_rata in any::<bool>(),
    ) {
        let mut d = Desk::rich(28);
        let order = |id: u32, m: &RandomOrder| {
            let body = Body::NewOrderSingle(limit(u64::from(id), side(m.buy), m.price, m.qty));
            Message { id, account: id, sent_ns: 0, body }
        };
        let resting: Vec<_> = (0..).zip(&rest).map(|(id, m)| order(id, m)).collect();
        run(&mut d, &resting, call(1, pro_rata));
        // All that stands before the call: account, side, price, quantity, rests.
        let mut all: Vec<(u32, Side, Price, Qty, bool)> = (0..12u32)
            .flat_map(|a| d.market.open_orders(a, 0).collect::<Vec<_>>())
            .map(|o| (o.account, o.side, o.price, o.qty, true))
            .collect();
        let batch: Vec<_> = (12..).zip(&new).map(|(id, m)| order(id, m)).collect();
        all.extend((12..).zip(&new).map(|(id, m)| (id, side(m.buy), m.price, m.qty, false)));
        let facts = run(&mut d, &batch, call(seed, pro_rata));
        let limits = |side: Side| -> Vec<(Price, Qty)> {
            all.iter().filter(|o| o.1 == side).map(|o| (o.2, o.3)).collect()
        };
        let expected = clearing(limits(Side::Buy), limits(Side::Sell), 100);
        let mut filled: BTreeMap<AccountId, Qty> = BTreeMap::new();
        let mut volume = 0;
        for (_, fact) in &facts {
            if let Fact::Trade { price, qty, maker_account, taker_account, .. } = *fact {
                prop_assert_eq!(Some(price), expected.map(|c| c.price));
                volume += qty;
                *filled.entry(maker_account).or_default() += qty;
                *filled.entry(taker_account).or_default() += qty;
            }
        }
        prop_assert_eq!(volume, expected.map_or(0, |c| c.volume));
        let of = |account: AccountId| filled.get(&account).copied().unwrap_or(0);
        for a in &all {
            prop_assert!(of(a.0) <= a.3);
            let price = expected.map_or(a.2, |c| c.price);
            prop_assert!(of(a.0) == 0 || (a.2 - price) * a.1.sign() >= 0, "beyond its limit");
            for b in all.iter().filter(|b| b.1 == a.1 && of(b.0) > 0 && of(a.0) < a.3) {
                // b trades and a wants more: b has the better price, or as good a claim.
                let better = (b.2 - a.2) * a.1.sign();
                prop_assert!(better >= 0 && (better > 0 || b.4 >= a.4), "{:?} before {:?}", b, a);
                if pro_rata && better == 0 && !a.4 && !b.4 {
                    // As great a share, but for a lot.
                    let gap = of(b.0) * a.3 - of(a.0) * b.3;
                    prop_assert!(gap < a.3 + b.3, "{:?} against {:?}", b, a);
                }
            }
        }
        let m = &d.market;
        if let (Some((bid, _)), Some((ask, _))) = m.best(0) {
            prop_assert!(bid < ask);
        }
    }

    /// Any messages, several batches: sums hold, one price a call, and the order of arrival of
    /// orders changes nothing, not even the order of the facts.
    #[test]
    fn the_order_of_arrival_has_no_effect(
        batches in prop::collection::vec(prop::collection::vec(random_order(), 0..24), 1..5),
        shuffle in any::<u64>(),
        seed in any::<u8>(),
        pro_rata in any::<bool>(),
    ) {
        let (mut d, mut e) = (venue(), venue());
        let (mut id, mut rng) = (1, Rng(shuffle));
        let mut reduce_only: Vec<u64> = Vec::new();
        let mut copy = BookCopy::of(&mut d.market, 0);
        for batch in batches {
            let messages: Vec<Message> = (id..).zip(&batch).map(|(id, m)| message(&d, id, m)).collect();
            id += messages.len() as u32;
            let (mut orders, others): (Vec<_>, Vec<_>) = messages.iter().partition(|m| {
                !matches!(m.body, Body::PriceUpdate(_) | Body::LiquidationOrder(_))
            });
            for i in (1..orders.len()).rev() {
                orders.swap(i, (rng.bits() % (i as u64 + 1)) as usize);
            }
            let shuffled: Vec<Message> = others.into_iter().chain(orders).copied().collect();
            let before = d.market.accounts().map(|a| (a, d.market.position(a, 0))).collect();
            let facts = run(&mut d, &messages, call(seed, pro_rata));
            copy.follow(&mut d.market);
            for message in &messages {
                match message.body {
                    Body::NewOrderSingle(o) if o.reduce_only => reduce_only.push(o.cl_ord_id),
                    _ => {}
                }
            }
            // A replaced order keeps its flag. Chains within a batch need as many rounds.
            for _ in 0..messages.len() {
                for (_, fact) in &facts {
                    if let Fact::Replaced { cl_ord_id, orig_cl_ord_id, .. } = fact
                        && reduce_only.contains(orig_cl_ord_id)
                        && !reduce_only.contains(cl_ord_id)
                    {
                        reduce_only.push(*cl_ord_id);
                    }
                }
            }
            check(&d, &before, &facts, &reduce_only);
            prop_assert_eq!(&facts, &run(&mut e, &shuffled, call(seed, pro_rata)));
            prop_assert_eq!(state(&d), state(&e));
        }
    }
}

/// The random streams of the tests above reach every kind of fact.
#[test]
fn the_streams_reach_every_kind_of_fact() {
    let (mut rng, mut kinds) = (Rng(5), BTreeMap::<&str, u32>::new());
    for _ in 0..60 {
        let mut d = venue();
        for batch in 0..4u32 {
            let messages: Vec<Message> = (1 + batch * 24..=24 + batch * 24)
                .map(|id| {
                    let bits = rng.bits();
                    let of = |shift: u32, n: u64| (bits >> shift) % n;
                    let buy = of(3, 2) == 0;
                    let (price, qty) = (90 + of(8, 21) as i64, 1 + of(16, 19) as i64);
                    message(&d, id, &RandomOrder { buy, price, qty, kind: of(24, 16) as u8, bits })
                })
                .collect();
            for (_, fact) in run(&mut d, &messages, call(3, batch % 2 == 0)) {
                let kind = match fact {
                    Fact::Trade { liquidation: true, .. } => "liquidation",
                    Fact::Trade { .. } => "trade",
                    Fact::Canceled { reason, .. } => match reason {
                        CancelReason::Requested => "cancel",
                        CancelReason::SelfTrade => "self-trade",
                        CancelReason::ReduceOnly => "reduce-only",
                        CancelReason::ImmediateOrCancel => "immediate",
                        CancelReason::Liquidation => "liquidated order",
                    },
                    Fact::Replaced { kept_priority: true, .. } => "shrunk",
                    Fact::Replaced { .. } => "replaced",
                    Fact::Rejected { reason, .. } => match reason {
                        Reject::InsufficientMargin => "margin",
                        Reject::PostOnlyWouldTake => "post-only",
                        Reject::UnknownOrder => "unknown",
                        _ => continue,
                    },
                    _ => continue,
                };
                *kinds.entry(kind).or_default() += 1;
            }
        }
    }
    assert_eq!(kinds.len(), 12, "{kinds:?}");
    assert!(kinds.values().all(|&times| times >= 5), "{kinds:?}");
}
