//! A node that fell behind asks for blocks: how often, when answers take long.

use crate::fixed_host;

use std::collections::VecDeque;
use std::sync::Arc;

use surgetank_layer::message::{Block, Class, Envelope, Payload, Statement, Vote, VoteType};
use surgetank_layer::node::{Config, Done, Input, Node, Output, Packet, Timer, Unsealing};
use surgetank_layer::queue::Rule;
use surgetank_layer::sequencer::chain;
use surgetank_layer::units::{Digest, Height, MS, Ns, SECOND};

use fixed_host::Times;

const FREE: Times = Times { validation_ns: 0, execution_ns: 0 };

fn node() -> Node {
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
        ordering: fixed_host::tendermint(SECOND, 10),
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
        }));
    }
    made
}

/// When a node that is behind asks, looked at every 10 ms up to `until`; each request is answered
/// with one block, if at all, so long `after` it.
fn asked(node: &mut Node, until: Ns, after: Option<Ns>) -> Vec<Ns> {
    let blocks = empty_chain(2_000);
    let (mut times, mut answers) = (Vec::new(), VecDeque::new());
    let mut out = hear(node, 0, 0, vote(3_000, 1));
    for now in (0..until).step_by(10 * MS as usize) {
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
                answers.extend(after.map(|after| (now + after, height)));
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
