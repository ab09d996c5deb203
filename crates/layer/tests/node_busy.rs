//! How long a node's servers have worked: exact at any moment, crashes included.

use surgetank_layer::gossip;
use surgetank_layer::machine::{Draws, Machine};
use surgetank_layer::message::{Class, Envelope};
use surgetank_layer::node::{
    Config, Distribution, Input, Node, Opening, Ordering, Output, Service, Timer,
};
use surgetank_layer::queue::Rule;
use surgetank_layer::sequencer;
use surgetank_layer::units::{MS, Ns};

struct NoDraws;

impl Draws for NoDraws {
    fn next_u64(&mut self) -> u64 {
        unreachable!("fixed times draw nothing")
    }
}

fn node(servers: u32, ordering: Ordering) -> Node {
    let service = Service {
        servers,
        validation_ns: [5 * MS; 8],
        execution_ns: [3 * MS; 8],
        distribution: Distribution::Fixed,
    };
    Node::new(Config {
        id: 0,
        nodes: 1,
        degree: 0,
        gossip: Some(gossip::Config::Flood),
        rule: Rule::Fifo,
        ingress_max: 10,
        mempool_max: 10,
        service,
        ordering,
        opening: Opening::at_once(),
    })
}

fn step(node: &mut Node, now: Ns, input: Input) -> Vec<Timer> {
    let mut out = Vec::new();
    node.step(now, input, &mut NoDraws, &mut out);
    let timer = |o: &Output| if let Output::After(_, timer) = o { Some(*timer) } else { None };
    out.iter().filter_map(timer).collect()
}

fn client(id: u32) -> Input {
    Input::Client(Envelope::plain(id, Class::NewOrderSingle, 100, 0))
}

#[test]
fn two_servers_count_twice_and_idle_time_not_at_all() {
    let mut node = node(2, Ordering::None);
    assert_eq!(node.validation_busy_ns(10 * MS), 0);
    let first = step(&mut node, 10 * MS, client(1))[0];
    let second = step(&mut node, 12 * MS, client(2))[0];
    assert_eq!(node.validation_busy_ns(14 * MS), 6 * MS);
    step(&mut node, 15 * MS, Input::Timer(first));
    step(&mut node, 17 * MS, Input::Timer(second));
    assert_eq!(node.validation_busy_ns(17 * MS), 10 * MS);
    assert_eq!(node.validation_busy_ns(99 * MS), 10 * MS);
}

#[test]
fn a_waiting_message_is_no_work() {
    let mut node = node(1, Ordering::None);
    let first = step(&mut node, 0, client(1))[0];
    step(&mut node, 0, client(2));
    assert_eq!(node.validation_busy_ns(4 * MS), 4 * MS);
    step(&mut node, 5 * MS, Input::Timer(first));
    assert_eq!(node.validation_busy_ns(6 * MS), 6 * MS);
}

#[test]
fn a_crash_ends_the_work() {
    let mut node = node(1, Ordering::None);
    step(&mut node, 0, client(1));
    step(&mut node, 2 * MS, Input::Crash);
    assert_eq!(node.validation_busy_ns(50 * MS), 2 * MS);
    step(&mut node, 50 * MS, Input::Restart);
    step(&mut node, 50 * MS, client(2));
    assert_eq!(node.validation_busy_ns(51 * MS), 3 * MS);
}

#[test]
fn execution_is_work_of_its_own() {
    let sequencer =
        sequencer::Config { window_ns: 0, batch_messages_max: 1, batch_bytes_max: 1_000_000 };
    let mut node = node(1, Ordering::Single { node: 0, sequencer, fair: None });
    let validated = step(&mut node, 0, client(1))[0];
    let timers = step(&mut node, 5 * MS, Input::Timer(validated));
    let executed = *timers.iter().find(|timer| matches!(timer, Timer::Executed)).unwrap();
    assert_eq!(node.execution_busy_ns(7 * MS), 2 * MS);
    step(&mut node, 8 * MS, Input::Timer(executed));
    assert_eq!(node.execution_busy_ns(9 * MS), 3 * MS);
    assert_eq!((node.validation_busy_ns(9 * MS), node.consensus_busy_ns(9 * MS)), (5 * MS, 0));
}
