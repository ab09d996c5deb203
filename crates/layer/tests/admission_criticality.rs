//! What load throttles at a gate, and in which order: random traffic at real nodes.
//!
//! The invariant, at every refusal for load: nothing that reduces risk is refused, and whatever is
//! refused, everything less critical would be too at that moment. It is asked of the node itself, by
//! a probe of each lesser criticality right after the refusal. That the check can fail is shown on
//! gates with a seeded error.

use crate::fixed_host;

use std::collections::VecDeque;

use proptest::prelude::*;
use surgetank_layer::admission::criticality::Criticality;
use surgetank_layer::admission::gate;
use surgetank_layer::admission::price::{self, Relief};
use surgetank_layer::gossip;
use surgetank_layer::message::{Class, Envelope, flags};
use surgetank_layer::node::ordering::single;
use surgetank_layer::node::{
    AdaptiveTimeouts, Admission, Config, Input, Node, Ordering, Output, Reason, Span, Tuning, Unit,
    Unsealing,
};
use surgetank_layer::queue::Rule;
use surgetank_layer::tuning::{Bounds, Controller, Observation, Recommendation, Setting, Why};
use surgetank_layer::units::{MS, Ns, SECOND};

use fixed_host::Times;

/// A message of each kind that a client can send.
const KINDS: [(Class, u8); 9] = [
    (Class::PriceUpdate, 0),
    (Class::LiquidationOrder, 0),
    (Class::OrderCancelRequest, 0),
    (Class::NewOrderSingle, flags::REDUCE_ONLY | flags::IMMEDIATE),
    (Class::OrderCancelReplaceRequest, flags::REDUCE_ONLY),
    (Class::NewOrderSingle, flags::POST_ONLY),
    (Class::OrderCancelReplaceRequest, 0),
    (Class::NewOrderSingle, 0),
    (Class::NewOrderSingle, flags::IMMEDIATE),
];

fn message(id: u32, kind: usize) -> Envelope {
    let (class, flags) = KINDS[kind];
    Envelope { flags, order: id, ..Envelope::plain(id, class, 100, id % 7) }
}

/// A controller that wishes for the limits it was given, one after the other.
struct Moody(Vec<u32>, usize);

impl Controller for Moody {
    fn control(&mut self, _: &Observation, set: &Setting, _: &Bounds) -> Recommendation {
        self.1 += 1;
        let admission_limit = self.0[self.1 % self.0.len()];
        Recommendation { setting: Setting { admission_limit, ..*set }, why: Why::Outside, on: 0 }
    }
}

const TIMES: Times = Times { validation_ns: MS / 2, execution_ns: MS };

fn config(rule: Rule, ordering: Ordering) -> Config {
    Config {
        id: 0,
        weights: [1; 1].into(),
        degree: 0,
        gossip: gossip::Config::Direct {},
        rule,
        ingress_max: 10_000,
        mempool_max: 10_000,
        validations_max: 1,
        costs: TIMES.costs(),
        ordering,
        fair: None,
        unsealing: Unsealing::at_once(),
        admission: None,
        tuning: None,
    }
}

/// A sequencer whose admission limit a controller moves.
fn tuned(rule: Rule, limits: Vec<u32>) -> Node {
    let sequencer = single::Config {
        request_ns: SECOND,
        node: 0,
        block_messages_max: 5,
        block_bytes_max: 10_000,
        window_ns: 20 * MS,
    };
    let gate = gate::Config {
        budgets: None,
        price: price::Config::Fixed { fee_micros: 0 },
        relief: Relief::Exempt,
        cancel_memory: None,
    };
    let admission = Admission { gate, unit: Unit::Messages, limit: u32::MAX, expires: false };
    let setting = |admission_limit| Setting {
        batch_messages_max: 5,
        window_ns: 20 * MS,
        admission_limit,
        lane_weights: [1; 8],
    };
    let tuning = Tuning {
        controller: Some(Box::new(Moody(limits, 0))),
        played: VecDeque::new(),
        bounds: Bounds::new(setting(1), setting(u32::MAX)),
        first: setting(20),
        interval_ns: 50 * MS,
    };
    Node::new(Config {
        admission: Some(admission),
        tuning: Some(tuning),
        ..config(rule, Ordering::Single(sequencer))
    })
}

/// A lone validator under adaptive consensus.
fn adaptive(rule: Rule) -> Node {
    let span = |least, most| Span { least: least * MS, most: most * MS };
    let timeouts =
        AdaptiveTimeouts { commit: span(20, 200), propose: span(500, 2_000), throttle_ns: 30 * MS };
    Node::new(config(rule, fixed_host::adaptive_tendermint(100 * MS, 20, timeouts)))
}

/// A node, what waits for it, and how a client's message reaches its gate.
struct Venue {
    node: Node,
    due: Vec<(Ns, Input)>,
    now: Ns,
    gate: fn(Envelope) -> Envelope,
}

impl Venue {
    fn new(node: Node, gate: fn(Envelope) -> Envelope) -> Venue {
        let mut venue = Venue { node, due: Vec::new(), now: 0, gate };
        venue.step(Input::Start);
        venue
    }

    fn step(&mut self, input: Input) -> Vec<Output> {
        let out = TIMES.step(&mut self.node, self.now, input);
        let due = TIMES.due(&out).into_iter();
        self.due.extend(due.map(|(span, input)| (self.now + span, input)));
        out
    }

    fn wait(&mut self, until: Ns) {
        while let Some(next) = (0..self.due.len()).min_by_key(|&i| self.due[i].0) {
            if self.due[next].0 > until {
                break;
            }
            let (at, input) = self.due.remove(next);
            self.now = at;
            self.step(input);
        }
        self.now = until;
    }

    fn throttled(&mut self, envelope: Envelope) -> bool {
        let sent = (self.gate)(envelope);
        self.step(Input::Client(sent)).iter().any(|output| {
            matches!(output, Output::Refused { message, reason: Reason::Throttled, .. } if *message == sent.id)
        })
    }
}

/// How many were throttled; the first message that was throttled before a less critical one.
fn check(mut venue: Venue, traffic: &[(usize, u64)]) -> Result<[usize; 4], String> {
    let mut throttled = [0; 4];
    let (mut id, mut at) = (0, 0);
    for &(kind, gap_us) in traffic {
        at += gap_us * 1_000;
        venue.wait(at);
        id += 1;
        let sent = message(id, kind);
        let criticality = Criticality::of(&sent).expect("a client's message");
        if !venue.throttled(sent) {
            continue;
        }
        throttled[criticality as usize] += 1;
        if criticality == Criticality::Reducing {
            return Err(format!("{:?} was throttled", KINDS[kind]));
        }
        for (lesser, kind_of_probe) in KINDS.iter().enumerate() {
            id += 1;
            let probe = message(id, lesser);
            if Criticality::of(&probe) > Some(criticality) && !venue.throttled(probe) {
                return Err(format!("{:?} was throttled before {:?}", KINDS[kind], kind_of_probe));
            }
        }
    }
    Ok(throttled)
}

fn rules() -> impl Strategy<Value = Rule> {
    prop_oneof![
        Just(Rule::Fifo),
        Just(Rule::Class),
        Just(Rule::Priority { high: 0b111 }),
        Just(Rule::Lanes { weights: [8, 8, 4, 2, 1, 1, 1, 1] }),
        Just(Rule::Drr { quantum_bytes: 300 }),
    ]
}

fn traffic() -> impl Strategy<Value = Vec<(usize, u64)>> {
    prop::collection::vec((0..KINDS.len(), 0..900u64), 200..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_tuned_sequencer_throttles_the_least_critical_first(
        rule in rules(),
        traffic in traffic(),
        limits in prop::collection::vec(prop_oneof![1..60u32, Just(u32::MAX)], 1..6),
    ) {
        let found = check(Venue::new(tuned(rule, limits), |sent| sent), &traffic);
        prop_assert!(found.is_ok(), "{found:?}");
    }

    #[test]
    fn adaptive_consensus_throttles_the_least_critical_first(
        rule in rules(),
        traffic in traffic(),
    ) {
        let found = check(Venue::new(adaptive(rule), |sent| sent), &traffic);
        prop_assert!(found.is_ok(), "{found:?}");
    }
}

/// Every kind in turn, at three times what the node can execute.
fn flood() -> Vec<(usize, u64)> {
    (0..600).map(|n| (n % KINDS.len(), 300)).collect()
}

#[test]
fn load_reaches_every_level_but_the_first() {
    let throttled = check(Venue::new(tuned(Rule::Fifo, vec![6]), |sent| sent), &flood()).unwrap();
    assert!(throttled[0] == 0 && throttled[1..].iter().all(|&n| n > 0), "{throttled:?}");
    let throttled = check(Venue::new(adaptive(Rule::Fifo), |sent| sent), &flood()).unwrap();
    assert!(throttled[0] == 0 && throttled[1..].iter().all(|&n| n > 0), "{throttled:?}");
}

/// A gate that forgets what an order says of itself, as when makers' quotes were not distinguished.
fn forgets_flags(sent: Envelope) -> Envelope {
    Envelope { flags: if sent.has(flags::IMMEDIATE) { flags::POST_ONLY } else { 0 }, ..sent }
}

/// A gate that takes a cancel for an order.
fn takes_cancels_for_orders(sent: Envelope) -> Envelope {
    match sent.class {
        Class::OrderCancelRequest => Envelope { class: Class::NewOrderSingle, ..sent },
        _ => sent,
    }
}

#[test]
fn the_check_finds_a_gate_that_errs() {
    for gate in [forgets_flags, takes_cancels_for_orders] {
        for node in [tuned(Rule::Fifo, vec![6]), adaptive(Rule::Fifo)] {
            assert!(check(Venue::new(node, gate), &flood()).is_err());
        }
    }
}

#[test]
fn where_risk_is_reduced_first_adaptive_consensus_throttles_no_one() {
    let first = Rule::Priority { high: 0b111 };
    // Orders alone: nothing stands before what reduces risk.
    let orders: Vec<_> = (0..600).map(|n| (5 + n % 4, 300)).collect();
    let throttled = check(Venue::new(adaptive(first), |sent| sent), &orders).unwrap();
    assert_eq!(throttled, [0; 4]);
    let throttled = check(Venue::new(adaptive(Rule::Fifo), |sent| sent), &orders).unwrap();
    assert!(throttled[3] > 0, "{throttled:?}");
}
