//! A node that fell behind asks for blocks: how often, when answers take long.

use crate::fixed_host;

use std::collections::VecDeque;
use std::sync::Arc;

use proptest::prelude::*;
use surgetank_layer::message::{Block, Class, Envelope, Payload, Statement, Vote, VoteType};
use surgetank_layer::node::{
    Config, Done, Input, Node, Ordering, Output, Packet, Timer, Unsealing,
};
use surgetank_layer::queue::Rule;
use surgetank_layer::sequencer::chain;
use surgetank_layer::units::{Digest, Height, MS, Ns, SECOND};

use fixed_host::Times;

const FREE: Times = Times { validation_ns: 0, execution_ns: 0 };

fn node() -> Node {
    node_with(fixed_host::tendermint(SECOND, 10))
}

fn node_with(ordering: Ordering) -> Node {
    Node::new(Config {
        id: 0,
        weights: [1; 4].into(),
        degree: 3,
        gossip: surgetank_layer::gossip::Config::Flood {},
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
    })
}

fn step(node: &mut Node, now: Ns, input: Input) -> Vec<Output> {
    FREE.step(node, now, input)
}

fn vote(height: Height, validator: u32) -> Vote {
    Vote { vote_type: VoteType::Prevote, height, round: 0, value: None, validator }
}

/// A vote of another node has come and is heard at once.
fn hear(node: &mut Node, now: Ns, id: u32, vote: Vote) -> Vec<Output> {
    let envelope = Envelope::plain(id, Class::Vote, 170, vote.validator);
    let frame = surgetank_layer::gossip::Frame::Message(envelope);
    step(node, now, Input::Receive { from: 0, frame, payload: Payload::Vote(vote) });
    step(node, now, Input::Done(Done::Verified))
}

fn asks(out: &[Output]) -> bool {
    out.iter().any(|o| matches!(o, Output::Packet { packet: Packet::BlocksWanted(_), .. }))
}

/// The block of each height of an empty chain, from 1.
fn empty_chain(blocks: usize) -> Vec<Arc<Block>> {
    let mut made: Vec<Arc<Block>> = Vec::new();
    for height in 1..=blocks as Height {
        let prev = made.last().map_or(Digest::default(), |block| block.hash);
        made.push(Arc::new(Block {
            height,
            proposer: 1,
            proposed_ns: 0,
            entries: Vec::new(),
            hash: chain(&prev, height, &[]),
            evidence: Vec::new(),
            graph: None,
        }));
    }
    made
}

/// When a node that is behind asks, looked at every 10 ms up to `until`; each request is answered
/// with one block, if at all, so long `after` it.
fn asked(node: &mut Node, until: Ns, after: Option<Ns>) -> Vec<Ns> {
    asked_every(node, 10 * MS, until, |_| after)
}

/// The same, looked at at other intervals; `after`: by the request's number.
fn asked_every(
    node: &mut Node,
    look_ns: Ns,
    until: Ns,
    after: impl Fn(usize) -> Option<Ns>,
) -> Vec<Ns> {
    let blocks = empty_chain(2_000);
    let (mut times, mut answers) = (Vec::new(), VecDeque::new());
    let mut out = hear(node, 0, 0, vote(3_000, 1));
    for now in (0..until).step_by(look_ns as usize) {
        out.extend(step(node, now, Input::Timer(Timer::Rebroadcast)));
        while let Some((at, height)) = answers.pop_front() {
            if at > now {
                answers.push_front((at, height));
                break;
            }
            let answer = Packet::Blocks(vec![Arc::clone(&blocks[height as usize - 1])]);
            out.extend(step(node, now, Input::Packet { from: 1, packet: answer }));
        }
        for output in std::mem::take(&mut out) {
            if let Output::Packet { packet: Packet::BlocksWanted(height), .. } = output {
                times.push(now);
                answers.extend(after(times.len()).map(|after| (now + after, height)));
            }
        }
    }
    times
}

#[test]
fn a_request_that_no_one_answers_is_repeated_ever_more_rarely() {
    let times = asked(&mut node(), 40 * SECOND, None);
    let gaps: Vec<Ns> = times.windows(2).map(|pair| (pair[1] - pair[0]) / SECOND).collect();
    assert_eq!(gaps, [1, 2, 4, 8, 16]);
}

/// Before, it was repeated every half second: twelve requests for each answer.
#[test]
fn slow_answers_are_waited_for() {
    let after = 6 * SECOND;
    let times = asked(&mut node(), 300 * SECOND, Some(after));
    let late: Vec<Ns> = times.iter().copied().filter(|&at| at > 100 * SECOND).collect();
    let answers = 200 / 6;
    assert!(late.len() <= answers + 2, "{} requests for {answers} answers", late.len());
    assert!(late.len() + 2 >= answers, "it goes on asking: {}", late.len());
}

#[test]
fn fast_answers_make_it_impatient() {
    let mut node = node();
    // Answers take 20 ms for a while, then none comes.
    let times = asked(&mut node, 10 * SECOND, Some(20 * MS));
    let last = 10 * SECOND - 10 * MS;
    assert!(times.len() > 400);
    let again = (1..200).map(|k| last + k * 10 * MS).find(|&now| {
        let out = step(&mut node, now, Input::Timer(Timer::Rebroadcast));
        asks(&out)
    });
    assert!(again.is_some_and(|at| at - last < 100 * MS), "{again:?}");
}

#[test]
fn what_is_known_or_waits_is_not_lacked() {
    let mut node = node();
    step(&mut node, 0, Input::Start);
    let news = Statement::Vote(vote(1, 1));
    assert!(node.lacks(&news));
    let envelope = Envelope::plain(7, Class::Vote, 170, 1);
    let frame = surgetank_layer::gossip::Frame::Message(envelope);
    let payload = Payload::Vote(vote(1, 1));
    step(&mut node, 1, Input::Receive { from: 0, frame, payload });
    assert!(!node.lacks(&news), "it waits to be heard");
    step(&mut node, 2, Input::Done(Done::Verified));
    assert!(!node.lacks(&news), "it is known");
    assert!(node.lacks(&Statement::Vote(vote(2, 1))), "it is kept for the next height");
    assert!(!node.lacks(&Statement::Vote(vote(3, 1))), "it would be dropped");
}

#[test]
fn a_crash_forgets_what_waited() {
    let mut node = node();
    step(&mut node, 0, Input::Start);
    let envelope = Envelope::plain(7, Class::Vote, 170, 1);
    let frame = surgetank_layer::gossip::Frame::Message(envelope);
    let payload = Payload::Vote(vote(1, 1));
    step(&mut node, 1, Input::Receive { from: 0, frame, payload });
    let disk = node.into_disk(1);
    let mut node = self::node();
    node.recover(disk);
    assert!(node.lacks(&Statement::Vote(vote(1, 1))));
}

/// Tendermint with all its times, and no others, multiplied.
fn stretched(by: Ns) -> Ordering {
    let Ordering::Tendermint(mut config) = fixed_host::tendermint(SECOND, 10) else {
        unreachable!("it is asked for above")
    };
    config.timeout_propose_delta_ns = 500 * MS;
    config.timeout_vote_delta_ns = 250 * MS;
    for span in [
        &mut config.timeout_commit_ns,
        &mut config.timeout_propose_ns,
        &mut config.timeout_propose_delta_ns,
        &mut config.timeout_vote_ns,
        &mut config.timeout_vote_delta_ns,
        &mut config.rebroadcast_ns,
    ] {
        *span *= by;
    }
    Ordering::Tendermint(config)
}

proptest! {
    /// Before, the first timeout was a second whatever was configured, and the later ones were
    /// rounded to eighths of a nanosecond.
    #[test]
    fn where_every_time_is_doubled_requests_come_after_exactly_twice_the_time(
        answers in proptest::collection::vec(proptest::option::of(1..3 * SECOND), 1..20),
        look_ns in MS..40 * MS,
    ) {
        let times = |by: Ns| {
            let after = |nth: usize| answers[nth % answers.len()].map(|after| by * after);
            asked_every(&mut node_with(stretched(by)), by * look_ns, by * 20 * SECOND, after)
        };
        let twice: Vec<Ns> = times(1).iter().map(|at| 2 * at).collect();
        prop_assert_eq!(times(2), twice);
    }
}

#[test]
fn a_validator_that_says_too_much_is_not_heard_and_the_others_are() {
    let mut node = node();
    step(&mut node, 0, Input::Start);
    let hear = |node: &mut Node, id: u32, vote: Vote| {
        let envelope = Envelope::plain(id, Class::Vote, 170, vote.validator);
        let frame = surgetank_layer::gossip::Frame::Message(envelope);
        step(node, 1, Input::Receive { from: 0, frame, payload: Payload::Vote(vote) });
    };
    let said = |round: u32, validator| Vote { round, ..vote(1, validator) };
    (0..1_000).for_each(|round| hear(&mut node, round, said(round, 1)));
    assert!(!node.hears(&Payload::Vote(said(0, 1))));
    assert!(node.hears(&Payload::Vote(said(0, 2))));
    let last = |round| Statement::Vote(said(round, 1));
    assert!(!node.lacks(&last(0)), "it waits to be heard");
    assert!(node.lacks(&last(64)), "it was dropped, and must be sent again");
    step(&mut node, 2, Input::Done(Done::Verified));
    assert!(node.hears(&Payload::Vote(said(0, 1))), "there is room again");
}
