//! The book against a naive reference (a list in order of arrival), the book's sums, and a copy that
//! follows its changes.

use crate::desk;
use desk::*;
use proptest::prelude::*;
use surgetank_layer::message::{NewOrderSingle, OrdType, Side, TimeInForce};
use surgetank_layer::units::{AccountId, Price, Qty};
use surgetank_market::{Fact, Reject};

const ACCOUNTS: u32 = 4;

#[derive(Clone, Debug)]
enum Op {
    New(AccountId, NewOrderSingle),
    Cancel(AccountId, u64),
    Replace(AccountId, u64, Price, Qty),
}

fn op() -> impl Strategy<Value = Op> {
    let new = (0..ACCOUNTS, 90..110i64, 1..20i64, 0..10u8, any::<bool>());
    prop_oneof![
        6 => new.prop_map(|(account, price, order_qty, kind, buy)| {
            let side = if buy { Side::Buy } else { Side::Sell };
            let mut order = limit(0, side, price, order_qty);
            match kind {
                0 => order.ord_type = OrdType::Market,
                1 => order.time_in_force = TimeInForce::ImmediateOrCancel,
                2 | 3 => order.post_only = true,
                _ => {}
            }
            Op::New(account, order)
        }),
        2 => (0..ACCOUNTS, 0..60u64).prop_map(|(account, back)| Op::Cancel(account, back)),
        2 => (0..ACCOUNTS, 0..60u64, 90..110i64, 1..20i64)
            .prop_map(|(account, back, price, qty)| Op::Replace(account, back, price, qty)),
    ]
}

/// Maker's account and ClOrdID, price, quantity.
type Traded = (AccountId, u64, Price, Qty);

#[derive(Clone, Copy, Debug)]
struct Plain {
    account: AccountId,
    id: u64,
    side: Side,
    price: Price,
    qty: Qty,
    post_only: bool,
}

/// Orders in the order of arrival; every question answered by looking at all of them.
#[derive(Default)]
struct Naive(Vec<Plain>);

impl Naive {
    fn best(&self, side: Side) -> Option<usize> {
        // Of equal keys `max_by_key` gives the last, so look from the back: the first to come wins.
        let key = |i: &usize| self.0[*i].price * side.sign();
        (0..self.0.len()).rev().filter(|&i| self.0[i].side == side).max_by_key(key)
    }

    fn crosses(&self, side: Side, price: Price) -> bool {
        self.best(side.opposite()).is_some_and(|i| (price - self.0[i].price) * side.sign() >= 0)
    }

    fn enter(&mut self, mut o: Plain, any_price: bool, rests: bool) -> Vec<Traded> {
        let mut trades = Vec::new();
        while o.qty > 0 && (any_price || self.crosses(o.side, o.price)) {
            let Some(i) = self.best(o.side.opposite()) else {
                break;
            };
            let maker = &mut self.0[i];
            if maker.account == o.account {
                self.0.remove(i);
                continue;
            }
            let qty = maker.qty.min(o.qty);
            trades.push((maker.account, maker.id, maker.price, qty));
            (maker.qty, o.qty) = (maker.qty - qty, o.qty - qty);
            if maker.qty == 0 {
                self.0.remove(i);
            }
        }
        if o.qty > 0 && rests {
            self.0.push(o);
        }
        trades
    }

    fn find(&self, account: AccountId, id: u64) -> Option<usize> {
        self.0.iter().position(|o| o.account == account && o.id == id)
    }

    fn levels(&self, side: Side) -> Vec<(Price, Qty)> {
        let mut sums = std::collections::BTreeMap::new();
        for o in self.0.iter().filter(|o| o.side == side) {
            *sums.entry(-o.price * side.sign()).or_insert(0) += o.qty;
        }
        sums.into_iter().map(|(key, qty)| (-key * side.sign(), qty)).collect()
    }
}

/// Sends one operation to both; returns the facts and what the naive book traded.
fn both(d: &mut Desk, naive: &mut Naive, id: u64, op: &Op) -> (Vec<Fact>, Vec<Traded>) {
    match *op {
        Op::New(account, order) => {
            let order = NewOrderSingle { cl_ord_id: id, ..order };
            let facts = d.order(account, order);
            let NewOrderSingle { side, price, order_qty: qty, post_only, .. } = order;
            if post_only && naive.crosses(side, price) {
                assert_eq!(reject(&facts), Some(Reject::PostOnlyWouldTake));
                return (facts, vec![]);
            }
            let any_price = order.ord_type == OrdType::Market;
            let rests = !any_price && order.time_in_force == TimeInForce::GoodTillCancel;
            let plain = Plain { account, id, side, price, qty, post_only };
            (facts, naive.enter(plain, any_price, rests))
        }
        Op::Cancel(account, back) => {
            let orig = id.saturating_sub(back);
            let facts = d.cancel(account, orig);
            match naive.find(account, orig) {
                Some(i) => drop(naive.0.remove(i)),
                None => assert_eq!(reject(&facts), Some(Reject::UnknownOrder)),
            }
            (facts, vec![])
        }
        Op::Replace(account, back, price, qty) => {
            let orig = id.saturating_sub(back);
            let facts = d.replace(account, (orig, id), price, qty);
            let Some(i) = naive.find(account, orig) else {
                assert!(matches!(reject(&facts), Some(Reject::UnknownOrder)));
                return (facts, vec![]);
            };
            let old = naive.0[i];
            if old.post_only && naive.crosses(old.side, price) {
                assert_eq!(reject(&facts), Some(Reject::PostOnlyWouldTake));
                return (facts, vec![]);
            }
            let new = Plain { id, price, qty, ..old };
            if price == old.price && qty <= old.qty {
                naive.0[i] = new;
                return (facts, vec![]);
            }
            naive.0.remove(i);
            (facts, naive.enter(new, false, true))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn agrees_with_the_naive_book_never_crosses_and_loses_nothing(
        ops in prop::collection::vec(op(), 1..150)
    ) {
        let mut d = Desk::rich(ACCOUNTS);
        let mut naive = Naive::default();
        let mut copy = BookCopy::of(&mut d.market, 0);
        // What came in less what traded or was cancelled.
        let mut open: i128 = 0;
        for (op, id) in ops.iter().zip(1..) {
            let (facts, expected) = both(&mut d, &mut naive, id, op);
            prop_assert_eq!(trades(&facts), expected);
            copy.follow(&mut d.market);
            for fact in &facts {
                open += i128::from(match *fact {
                    Fact::Accepted { leaves, .. } => leaves,
                    Fact::Replaced { was, leaves, .. } => leaves - was,
                    Fact::Trade { qty, .. } => -2 * qty,
                    Fact::Canceled { qty, .. } => -qty,
                    _ => 0,
                });
            }
            for side in [Side::Buy, Side::Sell] {
                let levels: Vec<_> = d.market.book(0).levels(side).collect();
                prop_assert_eq!(levels, naive.levels(side));
            }
            let resting: i128 = naive.0.iter().map(|o| i128::from(o.qty)).sum();
            prop_assert_eq!(open, resting);
            prop_assert_eq!(d.market.book(0).len(), naive.0.len());
            if let (Some((bid, _)), Some((ask, _))) = d.market.best(0) {
                prop_assert!(bid < ask, "crossed: {} {}", bid, ask);
            }
        }
    }
}
