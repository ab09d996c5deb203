//! A node's host: servers side by side, exact working times, slowness, a crash.

use surgetank_lab::host::{Distribution, Host, Service, Shares};
use surgetank_lab::seed::Seed;
use surgetank_layer::gossip;
use surgetank_layer::message::{Class, Envelope};
use surgetank_layer::node::ordering::{none, single};
use surgetank_layer::node::{Config, Costs, Done, Input, Node, Ordering, Output, Task, Unsealing};
use surgetank_layer::queue::Rule;
use surgetank_layer::units::{MS, Ns, SECOND};

fn service(servers: u32, distribution: Distribution, validation_ns: Ns) -> Service {
    Service {
        servers,
        means: Costs { validation_ns: [validation_ns; 8], execution_ns: [3 * MS; 8] },
        distribution,
        decryption_ns: 0,
        share_ns: MS,
    }
}

fn node(service: &Service, ordering: Ordering) -> Node {
    Node::new(Config {
        id: 0,
        weights: [1].into(),
        degree: 0,
        gossip: gossip::Config::Flood {},
        rule: Rule::Fifo,
        ingress_max: 100,
        mempool_max: 100,
        validations_max: service.servers,
        costs: service.means,
        ordering,
        fair: None,
        unsealing: Unsealing::at_once(),
        admission: None,
        tuning: None,
    })
}

fn host(service: Service, ordering: Ordering) -> Host {
    let node = node(&service, ordering);
    let seed = Seed::new(1);
    Host::new(node, service, seed.stream("node", 0), seed.stream("service", 0))
}

fn fixed(servers: u32, ordering: Ordering) -> Host {
    host(service(servers, Distribution::Fixed, 5 * MS), ordering)
}

/// Steps it; gives the work that begins, with its spans, and the messages admitted.
fn step(host: &mut Host, now: Ns, input: Input) -> (Vec<(Ns, Done)>, Vec<u32>) {
    let (mut begun, mut admitted) = (Vec::new(), Vec::new());
    let mut next = Some(input);
    while let Some(input) = next {
        let mut out = Vec::new();
        host.step(now, input, &mut out);
        for output in out {
            match output {
                Output::Work(task) => {
                    begun.extend(host.begin(now, &task).map(|span| (span, task.done())));
                }
                Output::Admitted(message) => admitted.push(message),
                _ => {}
            }
        }
        next = host.finished().map(Input::Done);
    }
    (begun, admitted)
}

fn client(id: u32) -> Input {
    Input::Client(Envelope::plain(id, Class::NewOrderSingle, 100, 0))
}

#[test]
fn two_servers_count_twice_and_idle_time_not_at_all() {
    let mut host = fixed(2, Ordering::None(none::Config {}));
    assert_eq!(host.busy_ns(10 * MS).validation, 0);
    let first = step(&mut host, 10 * MS, client(1)).0[0].1;
    let second = step(&mut host, 12 * MS, client(2)).0[0].1;
    assert_eq!(host.busy_ns(14 * MS).validation, 6 * MS);
    step(&mut host, 15 * MS, Input::Done(first));
    step(&mut host, 17 * MS, Input::Done(second));
    assert_eq!(host.busy_ns(17 * MS).validation, 10 * MS);
    assert_eq!(host.busy_ns(99 * MS).validation, 10 * MS);
}

#[test]
fn a_waiting_message_is_no_work() {
    let mut host = fixed(1, Ordering::None(none::Config {}));
    let first = step(&mut host, 0, client(1)).0[0].1;
    step(&mut host, 0, client(2));
    assert_eq!(host.busy_ns(4 * MS).validation, 4 * MS);
    step(&mut host, 5 * MS, Input::Done(first));
    assert_eq!(host.busy_ns(6 * MS).validation, 6 * MS);
}

#[test]
fn a_crash_ends_the_work_and_an_earlier_epoch() {
    let mut host = fixed(1, Ordering::None(none::Config {}));
    step(&mut host, 0, client(1));
    step(&mut host, 0, client(2));
    let next = node(host.service(), Ordering::None(none::Config {}));
    host.crash(2 * MS, next);
    assert_eq!((host.is_up(), host.epoch(), host.node.ingress_len()), (false, 1, 0));
    assert_eq!(host.busy_ns(50 * MS).validation, 2 * MS);
    host.restart();
    step(&mut host, 50 * MS, Input::Start);
    step(&mut host, 50 * MS, client(2));
    assert_eq!(host.busy_ns(51 * MS).validation, 3 * MS);
}

#[test]
fn execution_is_work_of_its_own() {
    let sequencer = single::Config {
        node: 0,
        window_ns: 0,
        block_messages_max: 1,
        block_bytes_max: 1_000_000,
        request_ns: SECOND,
    };
    let mut host = fixed(1, Ordering::Single(sequencer));
    let validated = step(&mut host, 0, client(1)).0[0].1;
    let begun = step(&mut host, 5 * MS, Input::Done(validated)).0;
    assert_eq!(begun, [(3 * MS, Done::Executed)]);
    assert_eq!(host.busy_ns(7 * MS).execution, 2 * MS);
    step(&mut host, 8 * MS, Input::Done(Done::Executed));
    let busy = host.busy_ns(9 * MS);
    assert_eq!((busy.validation, busy.verification, busy.execution), (5 * MS, 0, 3 * MS));
}

#[test]
fn work_takes_longer_on_a_slow_host() {
    let mut host = fixed(1, Ordering::None(none::Config {}));
    host.slow_down(7.0);
    assert_eq!(step(&mut host, 0, client(1)).0[0].0, 35 * MS);
}

#[test]
fn shares_come_late_or_never() {
    let mut host = fixed(1, Ordering::None(none::Config {}));
    let task = Task::MakeShare { height: 1, to: None };
    let spans = [Shares::Prompt, Shares::Late(4 * MS), Shares::Never].map(|shares| {
        host.deliver_shares(shares);
        host.begin(0, &task)
    });
    assert_eq!(spans, [Some(MS), Some(5 * MS), None]);
}

#[test]
fn a_validation_that_takes_no_time_leaves_no_server_idle() {
    // Spans round to whole nanoseconds, so that a fast host's are often zero. With no further
    // arrival to wake the servers, all that wait must still be served.
    for servers in [1, 2, 3] {
        let mut host =
            host(service(servers, Distribution::Exponential, 1), Ordering::None(none::Config {}));
        host.slow_down(1e6);
        let (mut admitted, mut due) = (Vec::new(), Vec::new());
        for id in 0..60 {
            let (begun, said) = step(&mut host, 0, client(id));
            admitted.extend(said);
            due.extend(begun);
        }
        assert!(host.node.ingress_len() > 50, "the rest waits");
        // From now on half of the spans are zero.
        host.slow_down(0.7);
        while !due.is_empty() {
            due.sort_by_key(|(at, _)| *at);
            let (now, done) = due.remove(0);
            let (begun, said) = step(&mut host, now, Input::Done(done));
            admitted.extend(said);
            due.extend(begun.into_iter().map(|(span, done)| (now + span, done)));
        }
        assert_eq!((host.node.ingress_len(), admitted.len()), (0, 60), "{servers} servers");
        if servers == 1 {
            assert_eq!(admitted, (0..60).collect::<Vec<_>>(), "first in, first out");
        }
    }
}
