//! Budgets per account: apart by kind, apart by account, and bounded.

use proptest::prelude::*;
use surgetank_layer::admission::budgets::{Budgets, Cancels, Config, Policy, Reducing};
use surgetank_layer::admission::limit::Limit;
use surgetank_layer::admission::{AdmissionReason, Kind, Refusal};
use surgetank_layer::message::Class;
use surgetank_layer::units::{Ns, SECOND};

fn rates(orders: u64, cancels: Cancels, reducing: Reducing) -> Config {
    let policy = Policy::Rates { orders: Limit::per_second(orders, 1), cancels };
    Config { policy, reducing, accounts_max: 3 }
}

/// How many in a row are admitted at `now`.
fn through(budgets: &mut Budgets, now: Ns, account: u32, kind: Kind) -> u64 {
    (0..).find(|_| budgets.take(now, account, kind, 1).is_err()).expect("a budget has an end")
}

#[test]
fn cancels_pass_when_orders_are_used_up() {
    let own = Cancels::Own(Limit::per_second(3, 1));
    let mut budgets = Budgets::new(rates(5, own, Reducing::Exempt));
    assert_eq!(through(&mut budgets, 0, 7, Kind::Order), 5);
    assert_eq!(through(&mut budgets, 0, 7, Kind::Cancel), 3);
    let refusal = Refusal { reason: AdmissionReason::RateExceeded, retry_after_ns: SECOND };
    assert_eq!(budgets.take(0, 7, Kind::Order, 1), Err(refusal));
    assert_eq!(budgets.take(SECOND, 7, Kind::Order, 1), Ok(()));
}

/// The pitfall: with one pool, orders use up what cancels need.
#[test]
fn a_shared_pool_lets_orders_shut_cancels_out() {
    let mut budgets = Budgets::new(rates(5, Cancels::Shared, Reducing::Exempt));
    assert_eq!(through(&mut budgets, 0, 7, Kind::Order), 5);
    assert_eq!(through(&mut budgets, 0, 7, Kind::Cancel), 0);
}

#[test]
fn accounts_do_not_touch_each_other() {
    let mut budgets = Budgets::new(rates(5, Cancels::Shared, Reducing::Exempt));
    assert_eq!(through(&mut budgets, 0, 1, Kind::Order), 5);
    assert_eq!(through(&mut budgets, 0, 2, Kind::Order), 5);
}

#[test]
fn risk_reducing_messages_are_exempt_or_have_their_own_rate() {
    let mut exempt = Budgets::new(rates(2, Cancels::Shared, Reducing::Exempt));
    assert!((0..1_000).all(|_| exempt.take(0, 1, Kind::Reducing, 1).is_ok()));
    assert!(exempt.is_empty(), "what is exempt needs no memory");
    let own = Reducing::Own(Limit::per_second(4, 1));
    let mut budgets = Budgets::new(rates(2, Cancels::Shared, own));
    assert_eq!(through(&mut budgets, 0, 1, Kind::Reducing), 4);
    assert_eq!(through(&mut budgets, 0, 2, Kind::Reducing), 4);
    assert_eq!(through(&mut budgets, 0, 1, Kind::Order), 2);
}

#[test]
fn a_reserved_share_is_the_whole_gates_and_then_the_accounts_own() {
    let reserved = Reducing::Reserved(Limit::per_second(4, 1));
    let mut budgets = Budgets::new(rates(2, Cancels::Shared, reserved));
    assert_eq!(through(&mut budgets, 0, 1, Kind::Order), 2);
    assert_eq!(through(&mut budgets, 0, 1, Kind::Reducing), 4);
    assert_eq!(through(&mut budgets, 0, 2, Kind::Reducing), 2, "its own, the share being gone");
}

/// Hyperliquid: orders to the limit, cancels to min(limit + 100 000, 2 · limit), then a trickle.
#[test]
fn a_quota_must_be_earned_and_cancels_go_further() {
    let trickle = Limit::new(1, 1, 10 * SECOND);
    let policy = Policy::Quota { initial: 10_000, cancels_extra: 100_000, trickle };
    let config = Config { policy, reducing: Reducing::Exempt, accounts_max: 9 };
    let mut budgets = Budgets::new(config);
    // The trickle gives one more, at once; it is counted too.
    assert_eq!(through(&mut budgets, 0, 1, Kind::Order), 10_001);
    assert_eq!(through(&mut budgets, 0, 1, Kind::Cancel), 9_999);
    let refusal = Refusal { reason: AdmissionReason::RateExceeded, retry_after_ns: 10 * SECOND };
    assert_eq!(budgets.take(0, 1, Kind::Cancel, 1), Err(refusal));
    assert_eq!(budgets.take(10 * SECOND, 1, Kind::Order, 1), Ok(()));
    // 20 001 were used: 190 000 earned make a limit of 200 000 for orders, 300 000 for cancels.
    budgets.earn(10 * SECOND, 1, 190_000);
    assert_eq!(through(&mut budgets, 10 * SECOND, 1, Kind::Order), 200_000 - 20_001);
    assert_eq!(through(&mut budgets, 10 * SECOND, 1, Kind::Cancel), 100_000);
}

#[test]
fn a_batch_counts_as_its_parts_or_not_at_all() {
    let mut budgets = Budgets::new(rates(5, Cancels::Shared, Reducing::Exempt));
    assert!(budgets.take(0, 1, Kind::Order, 6).is_err());
    assert!(budgets.take(0, 1, Kind::Order, 4).is_ok());
    assert!(budgets.take(0, 1, Kind::Order, 2).is_err());
    assert!(budgets.take(0, 1, Kind::Order, 1).is_ok());
}

#[test]
fn the_account_not_heard_of_for_longest_is_forgotten() {
    let mut budgets = Budgets::new(rates(5, Cancels::Shared, Reducing::Exempt));
    for account in [1, 2, 3, 1] {
        assert_eq!(budgets.take(0, account, Kind::Order, 2), Ok(()));
    }
    assert_eq!((budgets.len(), budgets.forgotten()), (3, 0));
    assert_eq!(budgets.take(0, 4, Kind::Order, 2), Ok(()));
    assert_eq!((budgets.len(), budgets.forgotten()), (3, 1));
    assert_eq!(through(&mut budgets, 0, 1, Kind::Order), 1, "1 was heard of after 2");
    assert_eq!(through(&mut budgets, 0, 3, Kind::Order), 3);
    assert_eq!(through(&mut budgets, 0, 2, Kind::Order), 5, "2 starts afresh");
}

#[test]
fn kinds_of_classes() {
    let kinds: Vec<_> = Class::ALL.map(|class| Kind::of(class, false)).into();
    use Kind::{Cancel, Order, Reducing};
    let expected =
        [Some(Reducing), Some(Reducing), Some(Cancel), Some(Order), Some(Order), None, None, None];
    assert_eq!(kinds, expected);
    assert_eq!(Kind::of(Class::NewOrderSingle, true), Some(Reducing));
    assert_eq!(Kind::of(Class::OrderCancelRequest, true), Some(Cancel));
}

proptest! {
    /// Against a plain list in order of recency: who is known, and what each has left.
    #[test]
    fn memory_is_bounded_and_the_least_recent_goes(
        accounts in prop::collection::vec(0u32..8, 1..200),
    ) {
        let mut budgets = Budgets::new(rates(1_000, Cancels::Shared, Reducing::Exempt));
        let mut recent: Vec<(u32, u64)> = Vec::new();
        for account in accounts {
            let known = recent.iter().position(|&(id, _)| id == account);
            let spent = known.map_or(0, |at| recent.remove(at).1);
            // It has exactly what is left: one more than that is refused, and touches it.
            prop_assert!(budgets.take(0, account, Kind::Order, 1_001 - spent).is_err());
            prop_assert!(budgets.take(0, account, Kind::Order, 1).is_ok());
            recent.push((account, spent + 1));
            if recent.len() > 3 {
                recent.remove(0);
            }
            prop_assert_eq!(budgets.len(), recent.len());
        }
    }
}
