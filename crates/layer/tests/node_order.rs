//! A node's blocks: what has room in one, whichever engine asks for it.

use crate::fixed_host;

use std::sync::Arc;

use surgetank_layer::admission::price::{self, Relief};
use surgetank_layer::admission::{cancel_memory, gate};
use surgetank_layer::gossip;
use surgetank_layer::message::{Class, Entry, Envelope};
use surgetank_layer::node::ordering::single;
use surgetank_layer::node::{
    Admission, BlockBuilder, Config, Input, Node, Ordering, Output, Reason, Timer, Unit, Unsealing,
};
use surgetank_layer::queue::Rule;
use surgetank_layer::units::{MS, NEVER, Ns, SECOND};

use fixed_host::Times;

const TIMES: Times = Times { validation_ns: 0, execution_ns: MS };
/// Bytes of a block under both engines.
const BLOCK_BYTES: u32 = 10_000;

/// Omits cancels.
#[derive(Debug)]
struct NoCancels;

impl BlockBuilder for NoCancels {
    fn takes(&self, waiting: &Envelope) -> bool {
        waiting.class != Class::OrderCancelRequest
    }

    fn arrange(&self, _: &mut [Entry]) {}
}

/// One sequencer, and a lone validator.
fn engines() -> [Ordering; 2] {
    let sequencer = single::Config {
        request_ns: SECOND,
        node: 0,
        block_messages_max: 50,
        block_bytes_max: BLOCK_BYTES,
        window_ns: 10 * MS,
    };
    [Ordering::Single(sequencer), fixed_host::tendermint(10 * MS, 50)]
}

fn config(ordering: Ordering) -> Config {
    Config {
        id: 0,
        weights: [1; 1].into(),
        degree: 0,
        gossip: gossip::Config::Flood {},
        // Cancels before orders that take.
        rule: Rule::Class,
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

fn sized(id: u32, class: Class, size_bytes: u32) -> Envelope {
    Envelope { order: id, ..Envelope::plain(id, class, size_bytes, 1) }
}

/// Numbers of the messages in the first blocks after these have arrived, and refusals.
fn blocks(node: &mut Node, messages: &[Envelope], count: u64) -> Blocks {
    let mut due: Vec<(Ns, Input)> = Vec::new();
    let mut refused = Vec::new();
    let mut inputs: Vec<_> = messages.iter().map(|&message| Input::Client(message)).collect();
    inputs.push(Input::Start);
    let mut inputs = inputs.into_iter().map(|input| (0, input));
    while node.executed_height() < count {
        due.sort_by_key(|(at, _)| *at);
        let Some((now, input)) = inputs.next().or_else(|| (!due.is_empty()).then(|| due.remove(0)))
        else {
            break;
        };
        let out = TIMES.step(node, now, input);
        refused.extend(out.iter().filter_map(|output| match output {
            Output::Refused { message, reason, retry_after_ns } => {
                Some((*message, *reason, *retry_after_ns))
            }
            _ => None,
        }));
        let later = TIMES.due(&out).into_iter().map(|(span, input)| (now + span, input));
        due.extend(later.filter(|(at, input)| {
            *at < 10 * SECOND && !matches!(input, Input::Timer(Timer::Rebroadcast))
        }));
    }
    let of = |height| node.block(height).into_iter().flat_map(|block| &block.entries);
    let ids = |height| of(height).map(|entry| entry.envelope.id).collect();
    ((1..=count).map(ids).collect(), refused)
}

type Blocks = (Vec<Vec<u32>>, Vec<(u32, Reason, Ns)>);

const ORDER: Class = Class::NewOrderSingle;
const CANCEL: Class = Class::OrderCancelRequest;

#[test]
fn a_block_is_filled_up_to_its_bytes_and_the_rest_is_in_the_next() {
    for ordering in engines() {
        let messages = [1, 2, 3].map(|id| sized(id, ORDER, BLOCK_BYTES / 2));
        let mut venue = Node::new(config(ordering));
        assert_eq!(blocks(&mut venue, &messages, 2), (vec![vec![1, 2], vec![3]], vec![]));
    }
}

#[test]
fn a_message_larger_than_a_block_is_refused_and_the_next_one_is_not() {
    for ordering in engines() {
        let messages = [sized(1, ORDER, BLOCK_BYTES + 1), sized(2, ORDER, BLOCK_BYTES)];
        let mut venue = Node::new(config(ordering));
        let refused = vec![(1, Reason::TooLarge, NEVER)];
        assert_eq!(blocks(&mut venue, &messages, 1), (vec![vec![2]], refused));
        assert_eq!((venue.ingress_len(), venue.mempool_len()), (0, 0));
    }
}

#[test]
fn what_the_proposer_omits_takes_no_room() {
    for ordering in engines() {
        let order = |id| sized(id, ORDER, BLOCK_BYTES / 2);
        let messages = [sized(1, CANCEL, BLOCK_BYTES), order(2), order(3)];
        let mut venue = Node::new(config(ordering));
        venue.set_builder(Arc::new(NoCancels));
        assert_eq!(blocks(&mut venue, &messages, 1), (vec![vec![2, 3]], vec![]));
    }
}

#[test]
fn a_cancel_that_the_proposer_omits_stops_no_order() {
    for ordering in engines() {
        let cancel_memory = Some(cancel_memory::Config { capacity: 10, horizon: 20 });
        let gate = gate::Config {
            budgets: None,
            price: price::Config::Fixed { fee_micros: 0 },
            relief: Relief::Exempt,
            cancel_memory,
        };
        let admission =
            Some(Admission { gate, unit: Unit::Messages, limit: u32::MAX, expires: false });
        let config = Config { admission, ..config(ordering) };
        let mut venue = Node::new(config);
        venue.set_builder(Arc::new(NoCancels));
        let cancel = Envelope { order: 2, ..sized(1, CANCEL, 100) };
        // The order arrives first, and the cancel is served first.
        let messages = [sized(2, ORDER, 100), cancel];
        assert_eq!(blocks(&mut venue, &messages, 1), (vec![vec![2]], vec![]));
    }
}
