//! What a node's next process knows: what was on disk, and nothing else.

use crate::fixed_host;

use std::collections::VecDeque;

use surgetank_layer::gossip;
use surgetank_layer::message::{Class, Envelope, Payload, Statement, Vote, VoteType};
use surgetank_layer::node::ordering::single;
use surgetank_layer::node::{
    Config, Done, Input, Node, Ordering, Output, Timer, Tuning, Unsealing, Wait, WaitKind,
};
use surgetank_layer::queue::Rule;
use surgetank_layer::tuning::{Bounds, Setting};
use surgetank_layer::units::{MS, Ns, SECOND};

use fixed_host::Times;

const BATCH: Wait = Wait { what: WaitKind::Batch, height: 0, round: 0 };
const FREE: Times = Times { validation_ns: 0, execution_ns: 0 };

fn config(nodes: u32, ordering: Ordering) -> Config {
    Config {
        id: 0,
        weights: vec![1; nodes as usize].into(),
        degree: 3,
        gossip: gossip::Config::Flood {},
        unsealing: Unsealing::at_once(),
        admission: None,
        tuning: None,
        rule: Rule::Fifo,
        ingress_max: 100,
        mempool_max: 100,
        validations_max: 1,
        costs: FREE.costs(),
        ordering,
        fair: None,
    }
}

fn single(window_ns: Ns) -> Ordering {
    let block_bytes_max = 10_000;
    Ordering::Single(single::Config {
        node: 0,
        block_messages_max: 10,
        block_bytes_max,
        window_ns,
        request_ns: SECOND,
    })
}

fn step(node: &mut Node, now: Ns, input: Input) -> Vec<Output> {
    FREE.step(node, now, input)
}

/// The next process of a node that dies at `now`.
fn crashed(node: Node, now: Ns, config: Config) -> Node {
    let mut next = Node::new(config);
    next.recover(node.into_disk(now));
    next
}

fn waits(out: &[Output]) -> Vec<(Ns, Wait)> {
    let wait = |output: &Output| match output {
        Output::After(after_ns, Timer::Engine(wait)) => Some((*after_ns, *wait)),
        _ => None,
    };
    out.iter().filter_map(wait).collect()
}

#[test]
fn a_logged_vote_is_known_and_a_received_one_that_was_not_verified_is_lost() {
    let four = || config(4, fixed_host::tendermint(SECOND, 10));
    let vote = |validator| Vote {
        vote_type: VoteType::Prevote,
        height: 1,
        round: 0,
        value: None,
        validator,
    };
    let receive = |id, validator| Input::Receive {
        from: 0,
        frame: gossip::Frame::Message(Envelope::plain(id, Class::Vote, 170, validator)),
        payload: Payload::Vote(vote(validator)),
    };
    let mut node = Node::new(four());
    step(&mut node, 0, Input::Start);
    step(&mut node, 1, receive(7, 1));
    step(&mut node, 2, Input::Done(Done::Verified));
    step(&mut node, 3, receive(8, 2));
    let next = crashed(node, 4, four());
    assert!(!next.lacks(&Statement::Vote(vote(1))), "it was logged");
    assert!(next.lacks(&Statement::Vote(vote(2))), "it waited for verification");
}

#[test]
fn an_engine_is_made_anew_from_its_log_and_votes_once() {
    let four = || config(4, fixed_host::tendermint(SECOND, 10));
    let fired = |node: &Node| node.engine().counters().iter().map(|(_, times)| times).sum::<u64>();
    let votes = |out: &[Output]| {
        out.iter().filter(|o| matches!(o, Output::Publish(Payload::Vote(_)))).count()
    };
    let mut node = Node::new(four());
    let first = waits(&step(&mut node, 0, Input::Start));
    let [(after_ns, wait)] = first[..] else { panic!("{first:?}") };
    let expired = Input::Timer(Timer::Engine(wait));
    assert_eq!(votes(&step(&mut node, after_ns, expired.clone())), 1, "nil: no proposal came");
    assert!(fired(&node) > 0);
    let mut node = crashed(node, after_ns + 1, four());
    assert_eq!(fired(&node), 0, "counters are in no log");
    step(&mut node, after_ns + 2, Input::Start);
    assert_eq!(votes(&step(&mut node, after_ns + 3, expired)), 0, "it has voted in this round");
}

#[test]
fn pending_timers_of_consensus_are_set_again_in_full() {
    let four = || config(4, fixed_host::tendermint(SECOND, 10));
    let mut node = Node::new(four());
    let first = waits(&step(&mut node, 0, Input::Start));
    let [(after_ns, wait)] = first[..] else { panic!("{first:?}") };
    assert_eq!(wait.what, WaitKind::Proposal);
    // Two crashes: the second process has only what the first one left.
    let mut node = crashed(node, after_ns / 2, four());
    let again = waits(&step(&mut node, after_ns, Input::Start));
    assert_eq!(again, first);
    let mut node = crashed(node, after_ns + 1, four());
    assert_eq!(waits(&step(&mut node, 2 * after_ns, Input::Start)), first);
}

#[test]
fn a_message_that_was_seen_and_is_in_no_block_may_come_again() {
    let one = || config(1, single(10 * MS));
    let envelope = Envelope::plain(3, Class::NewOrderSingle, 100, 1);
    let mut node = Node::new(one());
    step(&mut node, 0, Input::Start);
    step(&mut node, 1, Input::Client(envelope));
    assert_eq!(node.mempool_len(), 1);
    let mut node = crashed(node, 2, one());
    assert_eq!(node.mempool_len(), 0);
    step(&mut node, 3, Input::Start);
    step(&mut node, 4, Input::Client(envelope));
    assert_eq!(node.mempool_len(), 1);
}

/// The batch that was open is gone, and so is its timer: the first message after the restart opens
/// another one.
#[test]
fn a_sequencer_opens_a_new_batch_after_its_last_block() {
    let one = || config(1, single(10 * MS));
    let mut node = Node::new(one());
    step(&mut node, 0, Input::Start);
    let arrive = |id| Input::Client(Envelope::plain(id, Class::NewOrderSingle, 100, 1));
    let batch = |out: &[Output]| waits(out).first().map(|(after_ns, _)| *after_ns);
    assert_eq!(batch(&step(&mut node, 0, arrive(1))), Some(10 * MS));
    step(&mut node, 10 * MS, Input::Timer(Timer::Engine(BATCH)));
    step(&mut node, 11 * MS, Input::Done(Done::Executed));
    assert_eq!(node.executed_height(), 1);
    assert!(batch(&step(&mut node, 30 * MS, arrive(2))).is_some());
    let mut node = crashed(node, 31 * MS, one());
    step(&mut node, 32 * MS, Input::Start);
    assert_eq!(batch(&step(&mut node, 33 * MS, arrive(3))), Some(10 * MS));
    step(&mut node, 43 * MS, Input::Timer(Timer::Engine(BATCH)));
    let ids: Vec<_> = node.block(2).unwrap().entries.iter().map(|e| e.envelope.id).collect();
    assert_eq!(ids, [3]);
}

#[test]
fn what_was_tuned_is_forgotten() {
    let one = || config(1, single(10 * MS));
    let first =
        Setting { batch_messages_max: 4, window_ns: MS, admission_limit: 9, lane_weights: [1; 8] };
    let tuning = Tuning {
        controller: None,
        played: VecDeque::new(),
        bounds: Bounds::new(first, first),
        first,
        interval_ns: SECOND,
    };
    let usual = Node::new(one()).engine().pace();
    let node = Node::new(Config { tuning: Some(tuning), ..one() });
    assert_ne!(node.engine().pace(), usual);
    assert_eq!(crashed(node, 0, one()).engine().pace(), usual);
}
