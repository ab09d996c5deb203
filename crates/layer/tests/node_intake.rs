//! A node's intake: admission, refusal, validation, the high lane, recovery.

use crate::fixed_host;

use std::sync::Arc;

use surgetank_layer::gossip::{self, Frame};
use surgetank_layer::message::{Block, Class, Envelope, Payload};
use surgetank_layer::node::ordering::{none, single};
use surgetank_layer::node::{
    Config, Done, Input, Node, Ordering, Output, Packet, Reason, Task, Timer, Unsealing,
};
use surgetank_layer::queue::Rule;
use surgetank_layer::sequencer::chain;
use surgetank_layer::units::{Digest, MS, NodeId, Ns, SECOND};

use fixed_host::Times;

const FREE: Times = Times { validation_ns: 0, execution_ns: MS };
const SLOW: Times = Times { validation_ns: 5 * MS, execution_ns: MS };

fn config(id: NodeId, times: Times, validations_max: u32, ordering: Ordering) -> Config {
    let gossip = gossip::Config::Flood {};
    let rule = Rule::Fifo;
    let (ingress_max, mempool_max) = (2, 3);
    let unsealing = Unsealing::at_once();
    Config {
        id,
        weights: [1; 2].into(),
        degree: 1,
        gossip,
        rule,
        ingress_max,
        mempool_max,
        validations_max,
        costs: times.costs(),
        ordering,
        fair: None,
        unsealing,
        admission: None,
        tuning: None,
    }
}

fn envelope(id: u32, class: Class) -> Envelope {
    Envelope::plain(id, class, 100, 0)
}

fn step(node: &mut Node, now: Ns, input: Input) -> Vec<Output> {
    FREE.step(node, now, input)
}

/// The messages that are to be validated.
fn work(out: &[Output]) -> Vec<Done> {
    let validation = |output: &Output| match output {
        Output::Work(task @ Task::Validate(_)) => Some(task.done()),
        _ => None,
    };
    out.iter().filter_map(validation).collect()
}

fn admitted(out: &[Output]) -> Vec<u32> {
    out.iter().filter_map(|o| if let Output::Admitted(id) = o { Some(*id) } else { None }).collect()
}

fn refused(out: &[Output]) -> Vec<(u32, Reason)> {
    let refusal = |output: &Output| match output {
        Output::Refused { message, reason, .. } => Some((*message, *reason)),
        _ => None,
    };
    out.iter().filter_map(refusal).collect()
}

#[test]
fn a_client_message_is_validated_then_admitted_and_spread() {
    let mut node = Node::new(config(0, SLOW, 1, Ordering::None(none::Config {})));
    let message = envelope(1, Class::NewOrderSingle);
    let out = SLOW.step(&mut node, 0, Input::Client(message));
    let [done] = work(&out)[..] else { panic!("{out:?}") };
    assert!(admitted(&out).is_empty());
    let out = SLOW.step(&mut node, 5 * MS, Input::Done(done));
    assert_eq!(admitted(&out), [1]);
    assert!(
        out.iter().any(
            |o| matches!(o, Output::Forward { envelope, except: None } if *envelope == message)
        )
    );
}

#[test]
fn validations_go_side_by_side_and_the_rest_wait_or_are_refused() {
    let mut node = Node::new(config(0, SLOW, 2, Ordering::None(none::Config {})));
    let mut begun = Vec::new();
    let mut said = Vec::new();
    for id in 0..6 {
        let out = SLOW.step(&mut node, 0, Input::Client(envelope(id, Class::NewOrderSingle)));
        begun.extend(work(&out));
        said.extend(refused(&out));
    }
    assert_eq!(begun.len(), 2, "two at once");
    assert_eq!(node.ingress_len(), 2, "two may wait");
    assert_eq!(said, [(4, Reason::IngressFull), (5, Reason::IngressFull)]);
    let out = SLOW.step(&mut node, 5 * MS, Input::Done(begun[0]));
    assert_eq!(work(&out).len(), 1, "the next begins");
    assert_eq!(node.ingress_len(), 1);
}

#[test]
fn a_neighbours_message_is_validated_once_and_not_sent_back() {
    let mut node = Node::new(config(0, FREE, 1, Ordering::None(none::Config {})));
    let message = envelope(9, Class::OrderCancelRequest);
    let receive =
        || Input::Receive { from: 0, frame: Frame::Message(message), payload: Payload::Opaque };
    let out = step(&mut node, 0, receive());
    assert!(admitted(&out).is_empty(), "only gateways admit");
    assert!(out.iter().any(|o| matches!(o, Output::Forward { except: Some(0), .. })));
    assert!(step(&mut node, 1, receive()).is_empty());
}

#[test]
fn the_high_lane_is_served_first() {
    let rule = Rule::Priority { high: 1 << Class::OrderCancelRequest as u8 };
    let mut node =
        Node::new(Config { rule, ..config(0, SLOW, 1, Ordering::None(none::Config {})) });
    let mut client = |id, class| SLOW.step(&mut node, 0, Input::Client(envelope(id, class)));
    let first = client(0, Class::NewOrderSingle);
    client(1, Class::NewOrderSingle);
    client(2, Class::OrderCancelRequest);
    let mut next = work(&first).pop();
    let mut order = Vec::new();
    while let Some(done) = next {
        let out = SLOW.step(&mut node, MS, Input::Done(done));
        order.extend(admitted(&out));
        next = work(&out).pop();
    }
    assert_eq!(order, [0, 2, 1]);
}

fn single(window_ns: Ns) -> Ordering {
    let sequencer = single::Config {
        node: 0,
        block_messages_max: 2,
        block_bytes_max: 1_000,
        window_ns,
        request_ns: SECOND,
    };
    Ordering::Single(sequencer)
}

#[test]
fn the_sequencer_seals_what_waits_and_tells_the_others() {
    let mut node = Node::new(config(0, FREE, 1, single(0)));
    let out = step(&mut node, 3, Input::Client(envelope(1, Class::NewOrderSingle)));
    let Some(Output::Packet { to: 1, packet: Packet::Batch(_, block) }) =
        out.iter().find(|o| matches!(o, Output::Packet { .. }))
    else {
        panic!("{out:?}")
    };
    assert_eq!((block.height, block.entries.len(), block.entries[0].queued_ns), (1, 1, 3));
    let executes = |o: &Output| matches!(o, Output::Work(Task::Execute(b)) if b.height == 1);
    assert!(out.iter().any(executes));
    assert_eq!(node.executed_height(), 0);
    let out = step(&mut node, MS, Input::Done(Done::Executed));
    assert!(matches!(&out[0], Output::Executed(done) if done.height == 1));
    assert_eq!(node.executed_height(), 1);
}

#[test]
fn what_is_sent_again_goes_straight_to_the_only_orderer() {
    let mut gateway = Node::new(config(1, FREE, 1, single(0)));
    let message = envelope(1, Class::NewOrderSingle);
    let first = step(&mut gateway, 0, Input::Client(message));
    assert!(first.iter().any(|o| matches!(o, Output::Forward { .. })), "flooded: {first:?}");
    let again = step(&mut gateway, SECOND, Input::Client(message));
    let straight = |o: &Output| matches!(o, Output::Packet { to: 0, packet: Packet::Forward(found) } if *found == message);
    assert!(again.iter().any(straight), "{again:?}");
    assert!(!again.iter().any(|o| matches!(o, Output::Forward { .. })), "others would drop it");
}

#[test]
fn a_full_mempool_refuses_with_a_reason() {
    let mut node = Node::new(config(0, FREE, 1, single(SECOND)));
    let said: Vec<_> = (0..5)
        .flat_map(|id| {
            refused(&step(&mut node, 0, Input::Client(envelope(id, Class::NewOrderSingle))))
        })
        .collect();
    // A batch of two left at once; three may wait.
    assert!(said.iter().all(|(_, reason)| *reason == Reason::MempoolFull));
    assert_eq!(said.len() + node.mempool_len() + 2 * usize::from(node.block(1).is_some()), 5);
}

#[test]
fn a_refusal_names_the_queue_that_was_full() {
    let sequencer = single::Config {
        request_ns: SECOND,
        node: 0,
        block_messages_max: 50,
        block_bytes_max: 10_000,
        window_ns: SECOND,
    };
    let mut node = Node::new(config(0, SLOW, 1, Ordering::Single(sequencer)));
    let client = |node: &mut Node, id| {
        SLOW.step(node, 0, Input::Client(envelope(id, Class::NewOrderSingle)))
    };
    for id in 0..3 {
        let [done] = work(&client(&mut node, id))[..] else { panic!("{id} is not validated") };
        assert_eq!(refused(&SLOW.step(&mut node, 0, Input::Done(done))), []);
    }
    assert_eq!(node.mempool_len(), 3, "full");
    // One is being validated and two wait: there is no room in front of validation either.
    let [done] = work(&client(&mut node, 3))[..] else { panic!("3 is not validated") };
    assert_eq!([refused(&client(&mut node, 4)), refused(&client(&mut node, 5))], [vec![], vec![]]);
    assert_eq!(refused(&client(&mut node, 6)), [(6, Reason::IngressFull)]);
    assert_eq!(refused(&SLOW.step(&mut node, 0, Input::Done(done))), [(3, Reason::MempoolFull)]);
}

#[test]
fn a_block_of_the_orderer_that_does_not_follow_the_last_is_reported_and_not_decided() {
    let mut follower = Node::new(config(1, FREE, 1, single(0)));
    let prev = Digest([9; 32]);
    let (entries, evidence) = (Vec::new(), Vec::new());
    let hash = chain(&prev, 1, &entries);
    let block =
        Block { height: 1, proposer: 0, proposed_ns: 0, entries, hash, evidence, graph: None };
    let packet = Packet::Batch(prev, Arc::new(block));
    let out = step(&mut follower, 0, Input::Packet { from: 0, packet });
    assert!(out.iter().any(|o| matches!(o, Output::Broken(1))), "{out:?}");
    assert!(follower.block(1).is_none());
}

#[test]
fn a_follower_with_a_gap_asks_and_catches_up() {
    let mut leader = Node::new(config(0, FREE, 1, single(0)));
    let mut follower = Node::new(config(1, FREE, 1, single(0)));
    let mut batches = Vec::new();
    for id in 0..40 {
        let out =
            step(&mut leader, Ns::from(id), Input::Client(envelope(id, Class::NewOrderSingle)));
        batches.extend(out.into_iter().filter_map(|output| match output {
            Output::Packet { packet: packet @ Packet::Batch(..), .. } => Some(packet),
            _ => None,
        }));
    }
    // All but the last were lost.
    let last = batches.pop().expect("forty batches");
    let mut asked = step(&mut follower, SECOND, Input::Packet { from: 0, packet: last });
    for round in 1..10 {
        let now = SECOND + round * MS;
        let Some(Output::Packet { packet, .. }) =
            asked.into_iter().find(|o| matches!(o, Output::Packet { .. }))
        else {
            break;
        };
        let answer = step(&mut leader, now, Input::Packet { from: 1, packet });
        let Some(Output::Packet { packet, .. }) = answer.into_iter().next() else {
            panic!("no answer")
        };
        asked = step(&mut follower, now, Input::Packet { from: 0, packet });
    }
    assert_eq!(follower.block(40).map(|b| b.hash), leader.block(40).map(|b| b.hash));
    assert!(follower.block(40).is_some());
}

#[test]
fn a_crash_loses_queues_and_keeps_the_chain() {
    let ordering = fixed_host::tendermint(10 * MS, 2);
    let config =
        || Config { weights: [1].into(), degree: 0, ..config(0, FREE, 1, ordering.clone()) };
    let mut node = Node::new(config());
    for id in 0..3 {
        step(&mut node, 0, Input::Client(envelope(id, Class::NewOrderSingle)));
    }
    // A lone validator decides by itself, at most two messages a block.
    let mut now = 0;
    let mut due = FREE.due(&step(&mut node, 0, Input::Start));
    while node.executed_height() < 1 && now < 10 * SECOND {
        due.retain(|(_, input)| !matches!(input, Input::Timer(Timer::Rebroadcast)));
        let Some((span, input)) = due.iter().cloned().min_by_key(|(span, _)| *span) else { break };
        now += span;
        due = FREE.due(&step(&mut node, now, input));
    }
    assert_eq!(node.block(1).map(|block| block.entries.len()), Some(2));
    assert_eq!(node.mempool_len(), 1);
    let disk = node.into_disk(now);
    let mut node = Node::new(config());
    node.recover(disk);
    assert_eq!((node.mempool_len(), node.ingress_len()), (0, 0));
    assert!(node.block(1).is_some());
    assert!(!FREE.due(&step(&mut node, now + 1, Input::Start)).is_empty());
}
