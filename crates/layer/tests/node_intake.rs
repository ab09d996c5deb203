//! A node's intake: admission, refusal, servers, the high lane, crash.

use surgetank_layer::consensus::tendermint::{Config as Tendermint, Timeouts};
use surgetank_layer::gossip::{self, Frame};
use surgetank_layer::machine::{Draws, Machine};
use surgetank_layer::message::{Class, Envelope, Payload};
use surgetank_layer::node::{
    Config, Distribution, Input, Node, Opening, Ordering, Output, Packet, Service, Timer,
};
use surgetank_layer::queue::{Reason, Rule};
use surgetank_layer::sequencer;
use surgetank_layer::units::{MS, NodeId, Ns, SECOND};

struct NoDraws;

impl Draws for NoDraws {
    fn next_u64(&mut self) -> u64 {
        unreachable!("fixed times and flooding draw nothing")
    }
}

/// Exponential spans of zero, save each `n`th, of ln 2 times the mean.
struct Zeros {
    n: u64,
    drawn: u64,
}

impl Draws for Zeros {
    fn next_u64(&mut self) -> u64 {
        self.drawn += 1;
        if self.drawn % self.n == 1 { 1 << 63 } else { 0 }
    }
}

fn service(validation_ns: Ns, servers: u32) -> Service {
    let distribution = Distribution::Fixed;
    Service { servers, validation_ns: [validation_ns; 8], execution_ns: [MS; 8], distribution }
}

fn config(id: NodeId, service: Service, ordering: Ordering) -> Config {
    let gossip = Some(gossip::Config::Flood);
    let rule = Rule::Fifo;
    let (ingress_max, mempool_max) = (2, 3);
    let opening = Opening::at_once();
    Config {
        id,
        nodes: 2,
        degree: 1,
        gossip,
        rule,
        ingress_max,
        mempool_max,
        service,
        ordering,
        opening,
    }
}

fn envelope(id: u32, class: Class) -> Envelope {
    Envelope::plain(id, class, 100, 0)
}

fn step(node: &mut Node, now: Ns, input: Input) -> Vec<Output> {
    let mut out = Vec::new();
    node.step(now, input, &mut NoDraws, &mut out);
    out
}

/// The timers that were set, with their spans.
fn timers(out: &[Output]) -> Vec<(Ns, Timer)> {
    let timer = |output: &Output| match output {
        Output::After(span, timer) => Some((*span, *timer)),
        _ => None,
    };
    out.iter().filter_map(timer).collect()
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
    let mut node = Node::new(config(0, service(5 * MS, 1), Ordering::None));
    let message = envelope(1, Class::NewOrderSingle);
    let out = step(&mut node, 0, Input::Client(message));
    let [(span, timer)] = timers(&out)[..] else { panic!("{out:?}") };
    assert_eq!(span, 5 * MS);
    assert!(admitted(&out).is_empty());
    let out = step(&mut node, span, Input::Timer(timer));
    assert_eq!(admitted(&out), [1]);
    assert!(
        out.iter().any(
            |o| matches!(o, Output::Forward { envelope, except: None } if *envelope == message)
        )
    );
}

#[test]
fn a_validation_that_takes_no_time_leaves_no_server_idle() {
    // Spans round to whole nanoseconds, so that a fast node's are sometimes zero. With one of six
    // not zero, and no further arrival to wake the servers, all that wait must still be served.
    for servers in [1, 2, 3] {
        let distribution = Distribution::Exponential;
        let service = Service { distribution, ..service(10, servers) };
        let config =
            Config { ingress_max: 100, mempool_max: 100, ..config(0, service, Ordering::None) };
        let mut node = Node::new(config);
        let mut draws = Zeros { n: 6, drawn: 0 };
        let mut said = Vec::new();
        let mut out = Vec::new();
        let mut wake = Vec::new();
        for id in 0..30 {
            node.step(0, Input::Client(envelope(id, Class::NewOrderSingle)), &mut draws, &mut out);
            said.extend(admitted(&out));
            wake.extend(timers(&std::mem::take(&mut out)));
        }
        assert!(node.ingress_len() > 10, "the rest waits");
        let mut now = 0;
        while !wake.is_empty() {
            let (span, timer) = wake.remove(0);
            now += span;
            node.step(now, Input::Timer(timer), &mut draws, &mut out);
            said.extend(admitted(&out));
            wake.extend(timers(&std::mem::take(&mut out)));
        }
        assert_eq!((node.ingress_len(), said.len()), (0, 30), "{servers} servers");
        if servers == 1 {
            assert_eq!(said, (0..30).collect::<Vec<_>>(), "first in, first out");
        }
    }
}

#[test]
fn servers_work_side_by_side_and_the_rest_wait_or_are_refused() {
    let mut node = Node::new(config(0, service(5 * MS, 2), Ordering::None));
    let mut set = Vec::new();
    let mut said = Vec::new();
    for id in 0..6 {
        let out = step(&mut node, 0, Input::Client(envelope(id, Class::NewOrderSingle)));
        set.extend(timers(&out));
        said.extend(refused(&out));
    }
    assert_eq!(set.len(), 2, "two servers");
    assert_eq!(node.ingress_len(), 2, "two may wait");
    assert_eq!(said, [(4, Reason::QueueFull), (5, Reason::QueueFull)]);
    let out = step(&mut node, 5 * MS, Input::Timer(set[0].1));
    assert_eq!(timers(&out).len(), 1, "the next begins");
    assert_eq!(node.ingress_len(), 1);
}

#[test]
fn a_neighbours_message_is_validated_once_and_not_sent_back() {
    let mut node = Node::new(config(0, service(0, 1), Ordering::None));
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
    let mut node = Node::new(Config { rule, ..config(0, service(MS, 1), Ordering::None) });
    let first = step(&mut node, 0, Input::Client(envelope(0, Class::NewOrderSingle)));
    step(&mut node, 0, Input::Client(envelope(1, Class::NewOrderSingle)));
    step(&mut node, 0, Input::Client(envelope(2, Class::OrderCancelRequest)));
    let mut timer = timers(&first)[0].1;
    let mut order = Vec::new();
    for now in 1..=3 {
        let out = step(&mut node, now * MS, Input::Timer(timer));
        order.extend(admitted(&out));
        timer = timers(&out).first().map_or(timer, |(_, timer)| *timer);
    }
    assert_eq!(order, [0, 2, 1]);
}

#[test]
fn work_takes_longer_on_a_slow_node() {
    let mut node = Node::new(config(0, service(MS, 1), Ordering::None));
    step(&mut node, 0, Input::Slow(7.0));
    let out = step(&mut node, 0, Input::Client(envelope(1, Class::NewOrderSingle)));
    assert_eq!(timers(&out)[0].0, 7 * MS);
}

fn single(window_ns: Ns) -> Ordering {
    let sequencer = sequencer::Config { batch_messages_max: 2, batch_bytes_max: 1_000, window_ns };
    Ordering::Single { node: 0, sequencer, fair: None }
}

#[test]
fn the_sequencer_seals_what_waits_and_tells_the_others() {
    let mut node = Node::new(config(0, service(0, 1), single(0)));
    let out = step(&mut node, 3, Input::Client(envelope(1, Class::NewOrderSingle)));
    let Some(Output::Packet { to: 1, packet: Packet::Batch(_, block) }) =
        out.iter().find(|o| matches!(o, Output::Packet { .. }))
    else {
        panic!("{out:?}")
    };
    assert_eq!((block.height, block.entries.len(), block.entries[0].queued_ns), (1, 1, 3));
    assert_eq!(timers(&out), [(MS, Timer::Executed)]);
    assert_eq!(node.executed_height(), 0);
    let out = step(&mut node, MS, Input::Timer(Timer::Executed));
    assert!(matches!(&out[0], Output::Executed(done) if done.height == 1));
    assert_eq!(node.executed_height(), 1);
}

#[test]
fn what_is_sent_again_goes_straight_to_the_only_orderer() {
    let mut gateway = Node::new(config(1, service(0, 1), single(0)));
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
    let mut node = Node::new(config(0, service(0, 1), single(SECOND)));
    let said: Vec<_> = (0..5)
        .flat_map(|id| {
            refused(&step(&mut node, 0, Input::Client(envelope(id, Class::NewOrderSingle))))
        })
        .collect();
    // A batch of two left at once; three may wait.
    assert!(said.iter().all(|(_, reason)| *reason == Reason::QueueFull));
    assert_eq!(said.len() + node.mempool_len() + 2 * usize::from(node.block(1).is_some()), 5);
}

#[test]
fn a_follower_with_a_gap_asks_and_catches_up() {
    let mut leader = Node::new(config(0, service(0, 1), single(0)));
    let mut follower = Node::new(config(1, service(0, 1), single(0)));
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
    let tendermint = Tendermint {
        validator: Some(0),
        weights: vec![1],
        timeouts: Timeouts {
            propose_ns: SECOND,
            propose_delta_ns: 0,
            prevote_ns: SECOND,
            prevote_delta_ns: 0,
            precommit_ns: SECOND,
            precommit_delta_ns: 0,
            commit_ns: 10 * MS,
        },
    };
    let rebroadcast_ns = SECOND;
    let (block_messages_max, block_bytes_max) = (2, 1_000);
    let ordering =
        Ordering::Tendermint { tendermint, block_messages_max, block_bytes_max, rebroadcast_ns };
    let mut node = Node::new(Config { nodes: 1, degree: 0, ..config(0, service(0, 1), ordering) });
    for id in 0..3 {
        step(&mut node, 0, Input::Client(envelope(id, Class::NewOrderSingle)));
    }
    // A lone validator decides by itself, at most two messages a block.
    let mut now = 0;
    let mut due = timers(&step(&mut node, 0, Input::Start));
    while node.executed_height() < 1 && now < 10 * SECOND {
        due.retain(|(_, timer)| *timer != Timer::Rebroadcast);
        let Some((span, timer)) = due.iter().copied().min_by_key(|(span, _)| *span) else { break };
        now += span;
        due = timers(&step(&mut node, now, Input::Timer(timer)));
    }
    assert_eq!(node.block(1).map(|block| block.entries.len()), Some(2));
    assert_eq!(node.mempool_len(), 1);
    step(&mut node, now, Input::Crash);
    assert_eq!((node.mempool_len(), node.ingress_len()), (0, 0));
    assert!(node.block(1).is_some());
    assert!(!timers(&step(&mut node, now + 1, Input::Restart)).is_empty());
}
