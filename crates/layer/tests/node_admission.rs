//! A node's gate: what is admitted, what is void when its turn comes, what is tuned and throttled.

use crate::fixed_host;

use std::collections::VecDeque;

use surgetank_layer::admission::price::{self, Relief};
use surgetank_layer::admission::{cancel_memory, gate};
use surgetank_layer::gossip;
use surgetank_layer::message::{Class, Envelope, flags};
use surgetank_layer::node::ordering::single;
use surgetank_layer::node::{
    AdaptiveTimeouts, Admission, Change, Config, Input, Node, Ordering, Output, Reason, Span,
    Timer, Tuning, Unit, Unsealing, Wait, WaitKind,
};
use surgetank_layer::queue::Rule;
use surgetank_layer::tuning::{
    Bounds, Controller, Observation, Parameter, Recommendation, Setting, Why,
};
use surgetank_layer::units::{MS, NEVER, Ns, SECOND};

use fixed_host::Times;

/// The sequencer closes its batch.
const BATCH: Wait = Wait { what: WaitKind::Batch, height: 0, round: 0 };
const TIMES: Times = Times { validation_ns: 0, execution_ns: MS };

fn config(rule: Rule, ordering: Ordering) -> Config {
    Config {
        id: 0,
        weights: [1; 1].into(),
        degree: 0,
        gossip: gossip::Config::Direct {},
        rule,
        ingress_max: 100,
        mempool_max: 100,
        validations_max: 1,
        costs: TIMES.costs(),
        ordering,
        fair: None,
        unsealing: Unsealing::at_once(),
        admission: None,
        tuning: None,
    }
}

fn node(rule: Rule, ordering: Ordering) -> Node {
    Node::new(config(rule, ordering))
}

fn gated(rule: Rule, ordering: Ordering, admission: Admission) -> Node {
    Node::new(Config { admission: Some(admission), ..config(rule, ordering) })
}

fn single(window_ns: Ns, batch_messages_max: u32) -> Ordering {
    let sequencer = single::Config {
        request_ns: SECOND,
        node: 0,
        block_messages_max: batch_messages_max,
        block_bytes_max: 10_000,
        window_ns,
    };
    Ordering::Single(sequencer)
}

fn admission(remember: bool) -> Admission {
    let gate = gate::Config {
        budgets: None,
        price: price::Config::Fixed { fee_micros: 0 },
        relief: Relief::Exempt,
        cancel_memory: remember.then_some(cancel_memory::Config { capacity: 10, horizon: 20 }),
    };
    Admission { gate, unit: Unit::Messages, limit: u32::MAX, expires: true }
}

fn about(id: u32, class: Class, order: u32) -> Envelope {
    Envelope { order, flags: flags::IMMEDIATE, ..Envelope::plain(id, class, 100, 1) }
}

fn step(node: &mut Node, now: Ns, input: Input) -> Vec<Output> {
    TIMES.step(node, now, input)
}

fn refused(out: &[Output]) -> Vec<(u32, Reason, Ns)> {
    let refusal = |output: &Output| match output {
        Output::Refused { message, reason, retry_after_ns } => {
            Some((*message, *reason, *retry_after_ns))
        }
        _ => None,
    };
    out.iter().filter_map(refusal).collect()
}

/// Numbers of the messages in the first block of the sequencer, and what was refused for it.
fn first_block(node: &mut Node, messages: &[Envelope]) -> (Vec<u32>, Vec<(u32, Reason)>) {
    let mut said = Vec::new();
    for &message in messages {
        said.extend(refused(&step(node, 0, Input::Client(message))));
    }
    said.extend(refused(&step(node, 10 * MS, Input::Timer(Timer::Engine(BATCH)))));
    let block = node.block(1).map(|block| block.entries.iter().map(|e| e.envelope.id).collect());
    (block.unwrap_or_default(), said.into_iter().map(|(id, reason, _)| (id, reason)).collect())
}

const PLACE: Class = Class::NewOrderSingle;
const CANCEL: Class = Class::OrderCancelRequest;

#[test]
fn under_class_the_cancel_overtakes_its_taker_and_the_order_survives() {
    let mut venue = node(Rule::Class, single(10 * MS, 50));
    let (block, said) = first_block(&mut venue, &[about(1, PLACE, 5), about(2, CANCEL, 5)]);
    assert_eq!((block, said), (vec![2, 1], vec![]));
}

#[test]
fn a_remembered_cancel_stops_the_taker_that_it_overtook() {
    let mut venue = gated(Rule::Class, single(10 * MS, 50), admission(true));
    let messages = [about(1, PLACE, 5), about(2, CANCEL, 5), about(3, PLACE, 6)];
    let (block, said) = first_block(&mut venue, &messages);
    assert_eq!((block, said), (vec![2, 3], vec![(1, Reason::CancelledBefore)]));
}

#[test]
fn a_cancel_that_overtook_its_order_on_the_way_stops_it_at_the_gate() {
    for (remember, blocks) in [(false, vec![2, 1]), (true, vec![2])] {
        let mut venue = gated(Rule::Fifo, single(10 * MS, 50), admission(remember));
        let (block, said) = first_block(&mut venue, &[about(2, CANCEL, 5), about(1, PLACE, 5)]);
        assert_eq!(block, blocks);
        assert_eq!(said.is_empty(), !remember);
    }
}

#[test]
fn a_cancel_of_another_account_stops_nothing() {
    let mut venue = gated(Rule::Class, single(10 * MS, 50), admission(true));
    let other = Envelope { account: 2, ..about(2, CANCEL, 5) };
    assert_eq!(first_block(&mut venue, &[about(1, PLACE, 5), other]), (vec![2, 1], vec![]));
}

#[test]
fn what_expires_while_it_waits_is_refused_and_said() {
    let mut venue = gated(Rule::Fifo, single(0, 1), admission(false));
    let good_for = |id, expires| Envelope { expires, ..about(id, PLACE, id) };
    // The first makes block 1 at once.
    step(&mut venue, 0, Input::Client(good_for(1, 9)));
    let late = refused(&step(&mut venue, MS, Input::Client(good_for(2, 1))));
    assert_eq!(late, [(2, Reason::Expired, NEVER)]);

    let mut venue = gated(Rule::Fifo, single(10 * MS, 1), admission(false));
    // One message a block: the first makes block 1 at once, the second block 2.
    for (id, expires) in [(1, 1), (2, 2), (3, 2), (4, 3)] {
        assert_eq!(refused(&step(&mut venue, 0, Input::Client(good_for(id, expires)))), []);
    }
    let said = refused(&step(&mut venue, 10 * MS, Input::Timer(Timer::Engine(BATCH))));
    assert_eq!(said, [(3, Reason::Expired, 0)]);
    assert_eq!(venue.mempool_len(), 1);
}

#[test]
fn the_admission_limit_stops_orders_and_nothing_else() {
    let mut venue =
        gated(Rule::Fifo, single(SECOND, 50), Admission { limit: 2, ..admission(false) });
    let reducing = Envelope { flags: flags::REDUCE_ONLY, ..about(4, PLACE, 4) };
    let liquidation = about(6, Class::LiquidationOrder, 0);
    for message in [about(1, PLACE, 1), about(2, PLACE, 2), reducing, about(5, CANCEL, 1)] {
        assert_eq!(refused(&step(&mut venue, 0, Input::Client(message))), []);
    }
    let said = refused(&step(&mut venue, 0, Input::Client(about(3, PLACE, 3))));
    // One batch of a second.
    assert_eq!(said, [(3, Reason::Throttled, SECOND)]);
    assert_eq!(refused(&step(&mut venue, 0, Input::Client(liquidation))), []);
}

#[test]
fn who_bids_enough_owes_the_price_and_not_the_bid() {
    let gate =
        gate::Config { price: price::Config::Fixed { fee_micros: 5 }, ..admission(false).gate };
    let mut venue = gated(Rule::Fifo, single(SECOND, 50), Admission { gate, ..admission(false) });
    let bids = |id, class, fee_micros| Envelope { fee_micros, ..about(id, class, id) };
    let said = refused(&step(&mut venue, 0, Input::Client(bids(1, PLACE, 4))));
    assert_eq!(said, [(1, Reason::FeeTooLow, NEVER)]);
    let charged = |out: Vec<Output>| {
        out.iter().find_map(|o| if let Output::Charged(_, fee) = o { Some(*fee) } else { None })
    };
    assert_eq!(charged(step(&mut venue, 0, Input::Client(bids(2, PLACE, 9)))), Some(5));
    assert_eq!(charged(step(&mut venue, 0, Input::Client(bids(3, CANCEL, 0)))), None);
    assert_eq!(venue.mempool_len(), 2);
}

/// Wishes for the extremes in turn.
struct Wild(bool);

impl Controller for Wild {
    fn control(&mut self, _: &Observation, set: &Setting, _: &Bounds) -> Recommendation {
        self.0 = !self.0;
        let all = if self.0 { u32::MAX } else { 0 };
        let setting = Setting { batch_messages_max: all, admission_limit: all, ..*set };
        Recommendation { setting, why: Why::Outside, on: u64::from(all) }
    }
}

fn tuning(controller: Option<Box<Wild>>, played: VecDeque<(Ns, Change)>) -> Tuning {
    let setting = |number| Setting {
        batch_messages_max: number,
        window_ns: MS,
        admission_limit: number,
        lane_weights: [1; 8],
    };
    Tuning {
        controller: controller.map(|c| c as Box<dyn Controller + Send + Sync>),
        played,
        bounds: Bounds::new(setting(2), setting(8)),
        first: setting(4),
        interval_ns: 100 * MS,
    }
}

fn changes(node: &mut Node) -> Vec<(Ns, Change)> {
    let mut seen = Vec::new();
    for look in 1..=6 {
        let now = look * 100 * MS;
        for output in step(node, now, Input::Timer(Timer::Tune)) {
            if let Output::Changed(change) = output {
                seen.push((now, change));
            }
        }
    }
    seen
}

#[test]
fn whatever_a_controller_wishes_settings_stay_in_bounds_and_replay() {
    let tuned = |tuning| {
        let admission = Some(admission(false));
        Node::new(Config { admission, tuning: Some(tuning), ..config(Rule::Fifo, single(MS, 4)) })
    };
    let mut venue = tuned(tuning(Some(Box::new(Wild(false))), VecDeque::new()));
    let made = changes(&mut venue);
    assert_eq!(made.len(), 12);
    assert!(
        made.iter().all(|(_, c)| (2..=8).contains(&c.to) && c.clamped && c.why == Why::Outside)
    );
    let mut again = tuned(tuning(None, made.iter().copied().collect()));
    assert_eq!(changes(&mut again), made);
}

fn lone_validator() -> Node {
    let span = |least, most| Span { least: least * MS, most: most * MS };
    let timeouts = AdaptiveTimeouts {
        commit: span(100, 400),
        propose: span(200, 2_000),
        throttle_ns: 10 * MS,
    };
    node(Rule::Fifo, fixed_host::adaptive_tendermint(400 * MS, 2, timeouts))
}

#[test]
fn under_congestion_only_what_is_not_essential_waits() {
    let mut venue = lone_validator();
    // Execution takes 1 ms each: ten that wait are 10 ms of work.
    for id in 0..10 {
        let out = step(&mut venue, 0, Input::Client(about(id, PLACE, id + 1)));
        assert_eq!(refused(&out), []);
    }
    let out = step(&mut venue, 0, Input::Client(about(10, PLACE, 11)));
    assert_eq!(refused(&out), [(10, Reason::Throttled, 10 * MS)]);
    assert!(matches!(
        out[0],
        Output::Changed(Change {
            parameter: Parameter::Throttle,
            from: 0,
            to: 1,
            why: Why::CongestionRises,
            ..
        })
    ));
    let post_only = Envelope { flags: flags::POST_ONLY, ..about(11, PLACE, 12) };
    let reducing = Envelope { flags: flags::REDUCE_ONLY, ..about(12, PLACE, 13) };
    let essential = [
        post_only,
        reducing,
        about(13, CANCEL, 1),
        about(14, Class::LiquidationOrder, 0),
        about(15, Class::PriceUpdate, 0),
    ];
    for message in essential {
        assert_eq!(refused(&step(&mut venue, 0, Input::Client(message))), []);
    }
    assert_eq!(venue.mempool_len(), 15);
}

#[test]
fn blocks_follow_faster_while_more_than_one_waits() {
    let mut venue = lone_validator();
    for id in 0..9 {
        step(&mut venue, 0, Input::Client(about(id, PLACE, id + 1)));
    }
    let (mut now, mut due, mut waits) = (0, VecDeque::new(), Vec::new());
    due.extend(step(&mut venue, 0, Input::Start));
    let mut inputs: Vec<(Ns, Input)> = Vec::new();
    while venue.executed_height() < 12 {
        for output in due.drain(..) {
            let later = TIMES.due(std::slice::from_ref(&output)).into_iter();
            inputs.extend(later.map(|(span, input)| (now + span, input)));
            if let Output::Changed(Change { parameter: Parameter::TimeoutCommit, to, .. }) = output
            {
                waits.push(to / MS);
            }
        }
        inputs.retain(|(_, input)| !matches!(input, Input::Timer(Timer::Rebroadcast)));
        inputs.sort_by_key(|(at, _)| *at);
        let (at, input) = inputs.remove(0);
        now = at;
        due.extend(step(&mut venue, now, input));
    }
    // Nine waited and two leave per block: 7, 5 and 3 are more than a block.
    assert_eq!(waits, [300, 225, 168, 218, 268, 318, 368, 400]);
}
