//! What operators see of a venue: counts that agree, and no trade before it is durable.

use proptest::prelude::*;
use surgetank_layer::message::{Class, Side};
use surgetank_venue::buckets::Buckets;
use surgetank_venue::intake::bounds::IntakeBounds;

use crate::memory_disk::Disk;
use crate::venue::trade;
use crate::venue_host::{Host, config};

#[test]
fn a_trade_is_shown_once_it_is_durable() {
    let mut host = Host::start(Disk::default(), config(IntakeBounds::default()), 1);
    host.log_on(0, 0);
    host.log_on(1, 1);
    host.syncs = false;
    host.send(0, &[trade(0, 1, 1, Side::Buy), trade(0, 2, 1, Side::Buy)]);
    host.send(1, &[trade(1, 1, 1, Side::Sell)]);
    let before = host.venue.view();
    assert_eq!(before.intake.waiting.get(&Class::NewOrderSingle), Some(&1));
    assert_eq!(before.intake.account_unanswered_max, 2);
    let mut shown = false;
    for _ in 0..10 {
        host.sync();
        let view = host.venue.view();
        let market = &view.markets[0];
        if market.happened.trades == 1 && market.trades.is_empty() {
            shown = true;
            assert!(view.progress.durable < view.progress.record, "executed, and not durable");
        }
    }
    assert!(shown, "the batch was executed before its sync");
    let view = host.venue.view();
    let [one] = view.markets[0].trades[..] else { panic!("{:?}", view.markets[0].trades) };
    assert_eq!((one.price, one.quantity, one.taker_side), (100, 1, Side::Sell));
    let tally = &view.intake.tally;
    assert_eq!((tally.received, tally.sealed, tally.duplicates), (3, 2, 1));
    assert_eq!((tally.durable_ns.count(), tally.batch_requests.sum()), (2, 2));
    assert_eq!(view.intake.waiting.get(&Class::NewOrderSingle), Some(&0));
}

proptest! {
    #[test]
    fn a_value_is_counted_at_every_bound_that_it_does_not_exceed(
        values in proptest::collection::vec(0..1_u64 << 37, 0..20), power in 0..=37_usize,
    ) {
        let mut buckets = Buckets::default();
        values.iter().for_each(|value| buckets.note(*value));
        let within = values.iter().filter(|value| **value <= 1 << power).count();
        prop_assert_eq!(buckets.at_most(power), within as u64);
        prop_assert_eq!((buckets.count(), buckets.sum()), (values.len() as u64, values.iter().sum()));
    }
}
