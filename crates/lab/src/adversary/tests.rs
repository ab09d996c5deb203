//! Attackers are machines: tested with events and a view, without a world.

use surgetank_layer::message::{
    Body, Message, NewOrderSingle, OrdType, OrderCancelRequest, Side, TimeInForce,
};
use surgetank_layer::node::Unsealing;
use surgetank_layer::units::{AccountId, Digest, Ns, Price, Qty, SECOND};

use super::means::Means;
use super::racer::Racer;
use super::reader::Reader;
use super::withholder::Withholder;
use crate::actors::{Accounts, Action, Holding, Outside, Sending, View};
use crate::scenario::{self, AttackKind};
use crate::seed::Seed;

/// The outside price and the best levels of a book.
#[derive(Clone, Copy)]
struct Screen {
    ticks: Price,
    bid: Price,
    ask: Price,
}

impl View for Screen {
    fn outside(&self) -> Option<Outside> {
        Some(Outside { ticks: self.ticks, tick_usd: 1.0, lot: 1.0 })
    }

    fn move_pct(&self, _window: Ns) -> f64 {
        0.0
    }

    fn touch(&self) -> (Option<Price>, Option<Price>) {
        (Some(self.bid), Some(self.ask))
    }

    fn best_levels(&self, side: Side) -> Option<(Price, Qty, Price)> {
        Some(match side {
            Side::Buy => (self.bid, 4, self.bid - 10),
            Side::Sell => (self.ask, 4, self.ask + 10),
        })
    }

    fn holding(&self, _account: AccountId) -> Holding {
        Holding::default()
    }

    fn below_maintenance(&self, _mark: Price) -> Vec<AccountId> {
        Vec::new()
    }

    fn due(&self) -> impl Iterator<Item = AccountId> {
        std::iter::empty()
    }

    fn liquidation_deferred(&self, _account: AccountId, _height: u32) -> bool {
        false
    }
}

const SCREEN: Screen = Screen { ticks: 1_000, bid: 995, ask: 1_005 };

/// An attack from second 1 to second 9 with two accounts, on four nodes.
fn means() -> Means {
    let accounts = Accounts {
        leveraged: 0,
        portfolios: 0,
        hedgers: 0,
        background: 10,
        makers: 0,
        keepers: 0,
        oracles: 0,
        attackers: 2,
        nodes: 4,
    };
    let what = AttackKind::None {};
    let attack = scenario::Attack { at_s: 1.0, duration_s: 8.0, capital_usd: 1e6, what };
    Means::new(&attack, 10.0, accounts, &Seed::new(1))
}

fn sent(actions: &[Action]) -> Vec<Sending> {
    let sendings = actions.iter().filter_map(|action| match action {
        Action::Send(sending) => Some(*sending),
        _ => None,
    });
    sendings.collect()
}

fn orders(actions: &[Action]) -> Vec<(Side, Price, Qty)> {
    let order = |sending: &Sending| match sending.body {
        Body::NewOrderSingle(order) => (order.side, order.price, order.order_qty),
        other => panic!("{other:?}"),
    };
    sent(actions).iter().map(order).collect()
}

fn victim(account: AccountId, order_qty: Qty, time_in_force: TimeInForce) -> Message {
    let order = NewOrderSingle {
        cl_ord_id: 1,
        symbol: 0,
        side: Side::Buy,
        ord_type: OrdType::Limit,
        time_in_force,
        post_only: false,
        reduce_only: false,
        price: 1_100,
        order_qty,
    };
    Message { id: 77, account, sent_ns: 0, body: Body::NewOrderSingle(order) }
}

#[test]
fn a_racer_takes_quotes_that_a_move_leaves_behind() {
    let config = scenario::RacerConfig {
        move_bp: 50.0,
        size_usd: 5_000.0,
        link_ms: 1.0,
        fee_micros: 500_000,
        lane_usd: 0.0,
    };
    let (mut racer, mut means) = (Racer::new(&config, Some(2)), means());
    let mut see = |now: Ns, ticks: Price| {
        let mut out = Vec::new();
        racer.see(now, &mut means, &Screen { ticks, ..SCREEN }, &mut out);
        out
    };
    assert!(see(2 * SECOND, 1_000).is_empty(), "it has nothing to compare with");
    assert!(see(3 * SECOND, 1_004).is_empty(), "40 bp are too few");
    let out = see(4 * SECOND, 1_006);
    assert_eq!(orders(&out), [(Side::Buy, 1_005, 5)], "60 bp from where it last acted");
    assert_eq!((sent(&out)[0].gateway, sent(&out)[0].fee_micros), (2, Some(500_000)));
    let out = see(5 * SECOND, 990);
    assert_eq!(orders(&out), [(Side::Sell, 991, 5)]);
    assert!(see(9 * SECOND, 900).is_empty(), "the attack is over");
    assert_eq!(means.found, 2);
}

#[test]
fn a_reader_stands_around_a_large_order_until_it_is_executed() {
    let config = scenario::ReaderConfig {
        node: 3,
        least_usd: 5_000.0,
        size_usd: 3_000.0,
        fee_micros: 1_000_000,
    };
    let mut reader = Reader::sandwich(&config, &Unsealing::at_once());
    let mut means = means();
    let mut read = |message: Message, now: Ns| {
        let mut out = Vec::new();
        reader.read(now, &message, &Digest::default(), &mut means, &SCREEN, &mut out);
        out
    };
    let takes = TimeInForce::ImmediateOrCancel;
    assert!(read(victim(0, 4, takes), 2 * SECOND).is_empty(), "too small");
    let rests = victim(0, 9, TimeInForce::GoodTillCancel);
    assert!(read(rests, 2 * SECOND).is_empty(), "it rests");
    assert!(read(victim(14, 9, takes), 2 * SECOND).is_empty(), "its own");
    assert!(read(victim(0, 9, takes), 0).is_empty(), "not yet");
    let out = read(victim(0, 9, takes), 2 * SECOND);
    let around = [(Side::Buy, 1_005, 3), (Side::Sell, 1_014, 3)];
    assert_eq!(orders(&out), around, "the best level, and one tick below the next");
    assert!(sent(&out).iter().all(|sending| sending.gateway == 3));
    assert!(reader.follows(77));

    let mut out = Vec::new();
    reader.confirmed(3 * SECOND, 77, &mut means, &mut out);
    let [Action::Send(Sending { body: Body::OrderCancelRequest(cancel), .. })] = out[..] else {
        panic!("{out:?}")
    };
    let offer = OrderCancelRequest { cl_ord_id: 3, orig_cl_ord_id: 2, symbol: 0 };
    assert_eq!(cancel, offer, "what is left of the offer goes");
    assert!(!reader.follows(77));
}

#[test]
fn what_is_sealed_is_not_read() {
    let config =
        scenario::ReaderConfig { node: 3, least_usd: 0.0, size_usd: 3_000.0, fee_micros: 0 };
    let sealed = Unsealing { reveal_ns: SECOND, ..Unsealing::at_once() };
    let (mut reader, mut means) = (Reader::sandwich(&config, &sealed), means());
    let message = victim(0, 9, TimeInForce::ImmediateOrCancel);
    let mut out = Vec::new();
    reader.read(2 * SECOND, &message, &Digest::default(), &mut means, &SCREEN, &mut out);
    assert!(out.is_empty(), "no order can be read before the reveal");
}

#[test]
fn a_withholder_reveals_what_pays() {
    let sealed = Unsealing { reveal_ns: SECOND, ..Unsealing::at_once() };
    let (mut withholder, mut means) = (Withholder::new(10.0, 2_000.0, &sealed), means());
    let mut out = Vec::new();
    withholder.commit_both(2 * SECOND, &mut means, &SCREEN, &mut out);
    assert_eq!(orders(&out), [(Side::Buy, 1_001, 2), (Side::Sell, 999, 2)]);
    assert!(withholder.may_withhold());
    let risen = Screen { ticks: 1_010, ..SCREEN };
    let mut silent = Vec::new();
    for (id, Sending { account, sent_ns, body, .. }) in (0..).zip(sent(&out)) {
        let message = Message { id, account, sent_ns, body };
        withholder.reveal(&message, &means, &risen, &mut silent);
    }
    assert!(matches!(silent[..], [Action::Withhold(1)]), "the sale: {silent:?}");
    assert_eq!((withholder.withheld(), withholder.may_withhold()), (1, false));
}
