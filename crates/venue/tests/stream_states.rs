//! A state and the later events are the truth, for whatever reader, at whatever moment, after
//! whatever start; and the events of public streams are those of the private ones.

use proptest::prelude::*;
use surgetank_layer::message::{
    Body, LiquidationOrder, NewOrderSingle, OrdType, OrderCancelReplaceRequest, OrderCancelRequest,
    PriceUpdate, Side, TimeInForce,
};
use surgetank_market::MarginMode;
use surgetank_venue::event::{Event, StreamKey};
use surgetank_venue::intake::bounds::IntakeBounds;
use surgetank_venue::request::{AccountRequest, Action, Request};
use surgetank_venue::storage::effect::FileName;
use surgetank_venue::venue::{Config, Input, Output};
use surgetank_venue::wire::{GapReason, StreamState, Subscription};

use crate::memory_disk::Disk;
use crate::stream_reader::Reader;
use crate::venue_host::{Host, config};

/// Connection and account of the reader; the requests come on that of another session.
const READER: u64 = 100;
const ACCOUNT: u32 = 0;

pub fn keys() -> Vec<StreamKey> {
    vec![
        StreamKey::Executions(ACCOUNT),
        StreamKey::Positions(ACCOUNT),
        StreamKey::Risk(ACCOUNT),
        StreamKey::Book(0),
        StreamKey::Orders(0),
        StreamKey::Trades(0),
        StreamKey::Prices(0),
        StreamKey::Liquidations(0),
        StreamKey::Journal(()),
        StreamKey::PublicPositions(()),
    ]
}

/// Something that happens.
#[derive(Clone, Debug)]
pub enum Step {
    Order { account: u32, buys: bool, price: i64, qty: i64, kind: u8 },
    Cancel { account: u32, back: u64 },
    Replace { account: u32, back: u64, price: i64, qty: i64 },
    Price(i64),
    Liquidate(u32),
    Account { account: u32, what: u8 },
    Sync,
    Subscribe { key: usize, resumes: bool },
    Unsubscribe(usize),
    State(usize),
    Snapshot,
    Restart,
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (account, key) = (0..6u32, 0..10usize);
    let price = 92..108i64;
    let step = prop_oneof![
        14 => (account.clone(), any::<bool>(), price.clone(), 1..40i64, 0..6u8).prop_map(
            |(account, buys, price, qty, kind)| Step::Order { account, buys, price, qty, kind }),
        3 => (account.clone(), 1..6u64).prop_map(|(account, back)| Step::Cancel { account, back }),
        4 => (account.clone(), 1..6u64, price.clone(), 1..40i64).prop_map(
            |(account, back, price, qty)| Step::Replace { account, back, price, qty }),
        3 => (85..116i64).prop_map(Step::Price),
        3 => account.clone().prop_map(Step::Liquidate),
        2 => (account, 0..4u8).prop_map(|(account, what)| Step::Account { account, what }),
        8 => Just(Step::Sync),
        6 => (key.clone(), any::<bool>())
            .prop_map(|(key, resumes)| Step::Subscribe { key, resumes }),
        1 => key.clone().prop_map(Step::Unsubscribe),
        4 => key.prop_map(Step::State),
        1 => Just(Step::Snapshot),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..150)
}

/// No segment is archived, so that everything can be replayed.
fn kept() -> Config {
    let mut config = config(IntakeBounds::default());
    config.storage.segments_kept = 1000;
    config
}

/// A venue, what is asked of it, and a reader of every stream.
pub struct Desk {
    pub host: Host,
    starts: u64,
    numbers: [u32; 8],
    cl_ord_id: u64,
    observed_ns: u64,
    pub readers: Vec<Reader>,
    /// Whether the reader is subscribed.
    subscribed: Vec<bool>,
    conflates: bool,
    pub liquidations: usize,
    pub gaps: Vec<GapReason>,
}

impl Desk {
    pub fn new(conflates: bool) -> Desk {
        let keys = keys();
        let mut desk = Desk {
            host: Host::start(Disk::default(), kept(), 1),
            starts: 1,
            numbers: [0; 8],
            cl_ord_id: 0,
            observed_ns: 0,
            subscribed: vec![false; keys.len()],
            readers: keys.into_iter().map(Reader::new).collect(),
            conflates,
            liquidations: 0,
            gaps: Vec::new(),
        };
        desk.log_on();
        desk
    }

    fn log_on(&mut self) {
        (0..6).for_each(|account| self.host.log_on(account.into(), account));
        self.host.log_on_as(READER, ACCOUNT, "reader");
        self.host.syncs = false;
        self.numbers = [0; 8];
    }

    fn request(&mut self, sender: u32, action: Action) {
        let number = &mut self.numbers[sender as usize];
        *number += 1;
        let request = Request { number: *number, sender, sent_ns: 0, action };
        self.host.send(sender.into(), &[request]);
    }

    fn message(&mut self, sender: u32, body: Body) {
        self.request(sender, Action::Message { body, padding: 0 });
    }

    /// A ClOrdID, and one that was used so many before it.
    fn ids(&mut self, back: u64) -> (u64, u64) {
        self.cl_ord_id += 1;
        (self.cl_ord_id, self.cl_ord_id.saturating_sub(back))
    }

    pub fn step(&mut self, step: &Step) {
        match *step {
            Step::Order { account, buys, price, qty, kind } => {
                let ioc = TimeInForce::ImmediateOrCancel;
                let order = NewOrderSingle {
                    cl_ord_id: self.ids(0).0,
                    symbol: 0,
                    side: if buys { Side::Buy } else { Side::Sell },
                    ord_type: if kind == 0 { OrdType::Market } else { OrdType::Limit },
                    time_in_force: if kind < 2 { ioc } else { TimeInForce::GoodTillCancel },
                    post_only: kind == 2,
                    reduce_only: kind == 3,
                    price,
                    order_qty: qty,
                };
                self.message(account, Body::NewOrderSingle(order));
            }
            Step::Cancel { account, back } => {
                let (cl_ord_id, orig_cl_ord_id) = self.ids(back);
                let cancel = OrderCancelRequest { cl_ord_id, orig_cl_ord_id, symbol: 0 };
                self.message(account, Body::OrderCancelRequest(cancel));
            }
            Step::Replace { account, back, price, qty } => {
                let (cl_ord_id, orig_cl_ord_id) = self.ids(back);
                let (symbol, order_qty) = (0, qty);
                self.message(
                    account,
                    Body::OrderCancelReplaceRequest(OrderCancelReplaceRequest {
                        cl_ord_id,
                        orig_cl_ord_id,
                        symbol,
                        price,
                        order_qty,
                    }),
                );
            }
            Step::Price(price) => {
                self.observed_ns += 10;
                let observed_ns = self.observed_ns;
                let update = PriceUpdate { symbol: 0, price, observed_ns };
                self.message(1, Body::PriceUpdate(update));
            }
            Step::Liquidate(target) => {
                let order = LiquidationOrder { symbol: 0, target, order_qty: 0, trigger_price: 0 };
                self.message(1, Body::LiquidationOrder(order));
            }
            Step::Account { account, what } => {
                let request = match what {
                    0 => AccountRequest::Deposit { account, cash: 1000 },
                    1 => AccountRequest::Withdraw { account, cash: 10 },
                    2 => AccountRequest::CancelAll { account, symbol: None },
                    _ => AccountRequest::Open { account: account + 20, mode: MarginMode::Isolated },
                };
                let cl_ord_id = self.ids(0).0;
                self.request(account, Action::Account { cl_ord_id, request });
            }
            Step::Sync => self.host.sync(),
            Step::Subscribe { key, resumes } => self.subscribe(key, resumes),
            Step::Unsubscribe(key) => {
                // The copy is of no moment then.
                self.subscribed[key] = false;
                self.host.input(Input::Unsubscribe(READER, vec![self.readers[key].key]));
            }
            Step::State(key) => {
                self.host.input(Input::StreamState(READER, self.readers[key].key));
            }
            Step::Snapshot => self.host.input(Input::Snapshot),
            Step::Restart => self.restart(),
        }
        self.listen();
    }

    fn subscribe(&mut self, key: usize, resumes: bool) {
        let reader = &mut self.readers[key];
        let after = if resumes { reader.at } else { None };
        if after.is_none() && !self.subscribed[key] {
            *reader = Reader::new(reader.key);
        }
        self.subscribed[key] = true;
        let wanted = Subscription { key: reader.key, after, conflate: self.conflates };
        self.host.input(Input::Subscribe(READER, vec![wanted]));
    }

    /// A loss of power; readers keep what they have, and must subscribe again.
    pub fn restart(&mut self) {
        self.starts += 1;
        let disk = self.host.synced.clone();
        self.host = Host::start(disk, kept(), self.starts);
        let serves = self.host.said.iter().any(|said| matches!(said, Output::Serving(_)));
        assert!(serves, "{:?}", self.host.said);
        self.log_on();
        for key in 0..self.readers.len() {
            if std::mem::take(&mut self.subscribed[key]) {
                self.listen();
                let resumes = self.readers[key].at.is_some();
                self.subscribe(key, resumes);
            }
        }
    }

    pub fn listen(&mut self) {
        for output in std::mem::take(&mut self.host.said) {
            match output {
                Output::Events(READER, events) => {
                    for event in &events {
                        let is_it = matches!(event.event, Event::Liquidation(_));
                        self.liquidations += usize::from(is_it);
                        let of = |reader: &&mut Reader| reader.key == event.key;
                        let reader = self.readers.iter_mut().find(of);
                        reader.expect("it is subscribed").hear(event);
                    }
                }
                Output::Gap(READER, gap) => {
                    self.gaps.push(gap.reason);
                    let reader = self.readers.iter_mut().find(|reader| reader.key == gap.key);
                    reader.expect("it is subscribed").gap(&gap);
                }
                Output::StreamState(READER, state) => self.state(&state),
                Output::Cut(connection, reason) => panic!("{connection} is cut: {reason:?}"),
                Output::Stopped(stop) => panic!("{stop:?}"),
                _ => {}
            }
        }
    }

    fn state(&mut self, state: &StreamState) {
        let of = |reader: &Reader| reader.key == state.key;
        let key = self.readers.iter().position(of).expect("it was asked for");
        // A reader that has newer events than a state cannot be.
        assert!(self.readers[key].at.is_none_or(|at| at.number <= state.last.number));
        self.readers[key].state(state);
    }

    /// Everything is made durable, and every reader that is behind gets a state: all copies are the
    /// truth.
    pub fn check(&mut self) {
        (0..400).for_each(|_| self.host.sync());
        self.listen();
        for key in 0..self.readers.len() {
            if !self.subscribed[key] {
                self.readers[key] = Reader::new(self.readers[key].key);
                self.subscribe(key, false);
                self.listen();
            }
            if self.readers[key].at.is_none() {
                self.host.input(Input::StreamState(READER, self.readers[key].key));
                self.listen();
            }
        }
        for key in 0..self.readers.len() {
            let (kept, stream) = (self.readers[key].clone(), self.readers[key].key);
            kept.copy.check(stream, self.host.venue.execution().market());
            // And so is the state by itself.
            let mut fresh = Reader::new(stream);
            self.host.input(Input::StreamState(READER, stream));
            let said = std::mem::take(&mut self.host.said);
            let [Output::StreamState(READER, state)] = &said[..] else { panic!("{said:?}") };
            fresh.state(state);
            assert_eq!((fresh.at, fresh.copy), (kept.at, kept.copy), "{stream:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn a_state_and_the_later_events_are_the_truth(steps in steps()) {
        let mut desk = Desk::new(false);
        for step in &steps {
            desk.step(step);
        }
        desk.check();
        desk.restart();
        desk.check();
    }

    /// Numbers, events and states after a replay of everything are those after a start from a
    /// snapshot.
    #[test]
    fn states_are_a_function_of_the_journal(steps in steps()) {
        let mut desk = Desk::new(false);
        steps.iter().for_each(|step| desk.step(step));
        desk.host.input(Input::Snapshot);
        desk.check();
        let disk = desk.host.synced.clone();
        let mut bare = disk.clone();
        bare.files.retain(|name, _| !matches!(name, FileName::Snapshot(_)));
        let states = |disk: Disk| {
            let mut host = Host::start(disk, kept(), 1000);
            let serves = host.said.iter().any(|said| matches!(said, Output::Serving(_)));
            assert!(serves, "{:?}", host.said);
            host.log_on_as(READER, ACCOUNT, "reader");
            host.said.clear();
            keys().into_iter().for_each(|key| host.input(Input::StreamState(READER, key)));
            std::mem::take(&mut host.said)
        };
        let (restored, replayed) = (states(disk), states(bare));
        prop_assert_eq!(restored.len(), keys().len());
        prop_assert_eq!(restored, replayed);
    }
}

/// The random requests above reach what they are meant to reach.
#[test]
fn a_fall_of_the_price_is_on_all_streams() {
    let mut desk = Desk::new(false);
    for key in 0..keys().len() {
        desk.step(&Step::Subscribe { key, resumes: false });
        desk.step(&Step::State(key));
    }
    let (account, qty) = (0, 50);
    desk.step(&Step::Order { account, buys: true, price: 95, qty, kind: 4 });
    (0..10).for_each(|_| desk.step(&Step::Sync));
    desk.step(&Step::Price(90));
    (0..10).for_each(|_| desk.step(&Step::Sync));
    desk.step(&Step::Liquidate(2));
    (0..10).for_each(|_| desk.step(&Step::Sync));
    assert_eq!(desk.liquidations, 1, "of Liquidations; that of Risk is another account's");
    let at = |desk: &Desk| desk.readers.iter().map(|r| r.at.map_or(0, |at| at.number)).collect();
    let numbers: Vec<u64> = at(&desk);
    assert!(numbers[3] > 0 && numbers[5] > 0 && numbers[6] > 0 && numbers[7] > 0, "{numbers:?}");
    desk.check();
}

#[test]
fn events_of_before_a_start_are_sent_after_it() {
    let mut desk = Desk::new(false);
    let order = Step::Order { account: 0, buys: true, price: 95, qty: 1, kind: 4 };
    let mut snapshots = 0;
    for round in 0..3 {
        desk.step(&order);
        (0..10).for_each(|_| desk.step(&Step::Sync));
        desk.step(&Step::Snapshot);
        (0..10).for_each(|_| desk.step(&Step::Sync));
        snapshots =
            desk.host.disk.files.keys().filter(|f| matches!(f, FileName::Snapshot(_))).count();
        assert_eq!(snapshots, (round + 1).min(2));
    }
    assert_eq!(snapshots, 2);
    desk.restart();
    // Of the three events the last is behind the older snapshot.
    let key = StreamKey::Book(0);
    let after = Some(surgetank_venue::event::Position { epoch: desk.host.epoch(), number: 1 });
    desk.host.said.clear();
    desk.host.input(Input::Subscribe(READER, vec![Subscription { key, after, conflate: false }]));
    let said = std::mem::take(&mut desk.host.said);
    let [Output::Gap(READER, gap), Output::Events(READER, events)] = &said[..] else {
        panic!("{said:?}")
    };
    assert_eq!((gap.from, gap.to, gap.reason), (2, 2, GapReason::Archived));
    assert_eq!(events.iter().map(|event| event.number).collect::<Vec<u64>>(), [3]);
}
