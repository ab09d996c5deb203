//! Expiry and remembered cancels: an order that was cancelled never lives, however the network
//! shuffles.

use std::collections::BTreeMap;

use proptest::prelude::*;
use surgetank_layer::admission::cancel_memory::{CancelMemory, Config, EvictedCancel};
use surgetank_layer::admission::{AdmissionReason, Refusal};
use surgetank_layer::units::NEVER;

const CONFIG: Config = Config { capacity: 100, horizon: 20 };

fn refused(reason: AdmissionReason) -> Result<(), Refusal> {
    Err(Refusal { reason, retry_after_ns: NEVER })
}

/// dYdX: good til block 10 means that block 10 may hold it, and at most 20 blocks ahead.
#[test]
fn an_order_is_good_to_its_expiry_height() {
    let mut remembered = CancelMemory::new(CONFIG);
    assert_eq!(remembered.order(10, 1, 1, Some(10)), Ok(()));
    assert_eq!(remembered.order(11, 1, 1, Some(10)), refused(AdmissionReason::Expired));
    assert_eq!(remembered.order(10, 1, 1, Some(30)), Ok(()));
    assert_eq!(remembered.order(10, 1, 1, Some(31)), refused(AdmissionReason::ExpiryTooFar));
}

#[test]
fn an_order_that_never_expires_is_guarded_for_the_horizon_only() {
    let mut remembered = CancelMemory::new(CONFIG);
    remembered.cancel(10, 1, 77);
    assert_eq!(remembered.order(30, 1, 77, None), refused(AdmissionReason::CancelledBefore));
    assert_eq!(remembered.order(31, 1, 77, None), Ok(()));
}

/// The pitfall: "place, cancel" delivered as "cancel, place".
#[test]
fn a_cancel_that_overtakes_its_order_stops_it() {
    let mut remembered = CancelMemory::new(CONFIG);
    assert_eq!(remembered.cancel(10, 1, 77), None);
    assert_eq!(remembered.order(10, 1, 77, Some(30)), refused(AdmissionReason::CancelledBefore));
    // Also when it comes again, and as late as it can be.
    assert_eq!(remembered.order(30, 1, 77, Some(30)), refused(AdmissionReason::CancelledBefore));
    assert_eq!(remembered.order(31, 1, 77, Some(30)), refused(AdmissionReason::Expired));
    // Not another order, nor another account's.
    assert_eq!(remembered.order(31, 1, 78, Some(40)), Ok(()));
    assert_eq!(remembered.order(31, 2, 77, Some(40)), Ok(()));
    assert!(remembered.is_empty(), "at height 31 no order from before height 10 can live");
}

#[test]
fn a_repeated_cancel_is_one_cancel_and_holds_longer() {
    let mut remembered = CancelMemory::new(CONFIG);
    remembered.cancel(10, 1, 77);
    remembered.cancel(20, 1, 77);
    assert_eq!(remembered.len(), 1);
    assert_eq!(remembered.order(40, 1, 77, Some(40)), refused(AdmissionReason::CancelledBefore));
    assert_eq!(remembered.order(41, 1, 77, Some(41)), Ok(()));
}

#[test]
fn the_fattest_makes_room_and_it_is_said() {
    let mut remembered = CancelMemory::new(Config { capacity: 5, horizon: 20 });
    for order in [7, 8] {
        assert_eq!(remembered.cancel(1, 1, order), None);
    }
    for order in [3, 4, 5] {
        assert_eq!(remembered.cancel(1, 2, order), None);
    }
    // The spammer loses its own, whoever comes.
    assert_eq!(remembered.cancel(1, 2, 6), Some(EvictedCancel { account: 2, order: 3 }));
    assert_eq!(remembered.cancel(1, 3, 1), Some(EvictedCancel { account: 2, order: 4 }));
    assert_eq!(remembered.len(), 5);
    assert_eq!(remembered.order(1, 1, 7, Some(2)), refused(AdmissionReason::CancelledBefore));
    assert_eq!(remembered.order(1, 2, 4, Some(2)), Ok(()));
}

#[derive(Clone, Debug)]
enum Step {
    Cancel { account: u32, order: u64 },
    Order { account: u32, order: u64, ahead: u64 },
    Height,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0u32..3, 0u64..6).prop_map(|(account, order)| Step::Cancel { account, order }),
        (0u32..3, 0u64..6, 0u64..12).prop_map(|(account, order, ahead)| Step::Order {
            account,
            order,
            ahead
        }),
        Just(Step::Height),
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    /// Against a plain map: refusals agree, memory stays bounded, and whatever is forgotten early
    /// is said and belongs to an account that holds most.
    #[test]
    fn agrees_with_a_plain_map(capacity in 1usize..12, steps in steps()) {
        let horizon = 9;
        let mut remembered = CancelMemory::new(Config { capacity, horizon });
        let mut plain: BTreeMap<(u32, u64), u64> = BTreeMap::new();
        let mut height = 1;
        for step in steps {
            plain.retain(|_, until| *until >= height);
            match step {
                Step::Height => height += 1,
                Step::Cancel { account, order } => {
                    plain.insert((account, order), height + horizon);
                    let forgotten = remembered.cancel(height, account, order);
                    prop_assert_eq!(forgotten.is_some(), plain.len() > capacity);
                    if let Some(EvictedCancel { account, order }) = forgotten {
                        let held = |a| plain.keys().filter(|(id, _)| *id == a).count();
                        prop_assert!((0..3).all(|other| held(other) <= held(account)));
                        prop_assert!(plain.remove(&(account, order)).is_some());
                    }
                    prop_assert_eq!(remembered.len(), plain.len());
                }
                Step::Order { account, order, ahead } => {
                    let reported = remembered.order(height, account, order, Some(height + ahead));
                    let expected = if ahead > horizon {
                        refused(AdmissionReason::ExpiryTooFar)
                    } else if plain.contains_key(&(account, order)) {
                        refused(AdmissionReason::CancelledBefore)
                    } else {
                        Ok(())
                    };
                    prop_assert_eq!(reported, expected);
                }
            }
        }
    }

    /// An order and its cancel, sent in this order, delivered at any heights: once the cancel has
    /// come, the order is never admitted.
    #[test]
    fn no_order_outlives_its_cancel(
        sent in 1u64..50, good_for in 0u64..=20, cancel_after in 0u64..=20, order_delay in 0u64..100,
    ) {
        let mut remembered = CancelMemory::new(CONFIG);
        let (expires, cancel_at) = (sent + good_for, sent + cancel_after);
        let order_at = cancel_at + order_delay;
        remembered.cancel(cancel_at, 1, 5);
        for height in cancel_at..order_at {
            prop_assert!(remembered.order(height, 2, 5, Some(height)).is_ok());
        }
        let reason = if expires < order_at { AdmissionReason::Expired } else { AdmissionReason::CancelledBefore };
        prop_assert_eq!(remembered.order(order_at, 1, 5, Some(expires)), refused(reason));
    }
}
