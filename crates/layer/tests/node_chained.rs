//! A node under the chained protocols: blocks on parents that are not decided.

use crate::fixed_host;

use std::collections::VecDeque;
use std::sync::Arc;

use surgetank_layer::chained::{BlockProposal, ChainMessage, QuorumCertificate};
use surgetank_layer::gossip::{self, Frame};
use surgetank_layer::message::{Block, Class, Envelope, Payload};
use surgetank_layer::node::ordering::hotstuff::Config as Chained;
use surgetank_layer::node::{Config, Done, Input, Node, Ordering, Output, Packet, Unsealing};
use surgetank_layer::queue::Rule;
use surgetank_layer::sequencer::chain;
use surgetank_layer::units::{Digest, MS, MessageId, Ns, SECOND};

use fixed_host::Times;

const TIMES: Times = Times { validation_ns: 0, execution_ns: MS };

type Protocol = fn(Chained) -> Ordering;

const PROTOCOLS: [Protocol; 2] = [Ordering::Hotstuff, Ordering::Simplex];

fn config(protocol: Protocol, nodes: usize, id: u32) -> Config {
    Config {
        id,
        weights: vec![1; nodes].into(),
        degree: nodes as u32 - 1,
        gossip: gossip::Config::Flood {},
        rule: Rule::Fifo,
        ingress_max: 100,
        mempool_max: 100,
        validations_max: 1,
        costs: TIMES.costs(),
        ordering: protocol(Chained {
            propose_wait_ns: 10 * MS,
            timeout_round_ns: SECOND,
            timeout_round_delta_ns: SECOND,
            block_messages_max: 3,
            block_bytes_max: 10_000,
            rebroadcast_ns: SECOND,
        }),
        fair: None,
        unsealing: Unsealing::at_once(),
        admission: None,
        tuning: None,
    }
}

/// Numbers of the messages of a lone validator's blocks. Its process dies after `crash` events.
fn lone(protocol: Protocol, messages: u32, heights: u64, crash: Option<usize>) -> Vec<MessageId> {
    let mut node = Node::new(config(protocol, 1, 0));
    let mut due: VecDeque<(Ns, Input)> = VecDeque::from([(0, Input::Start)]);
    let client = |id| Input::Client(Envelope::plain(id, Class::NewOrderSingle, 100, id));
    due.extend((0..messages).map(|id| (Ns::from(id) * 3 * MS, client(id))));
    for events in 0.. {
        due.make_contiguous().sort_by_key(|(at, _)| *at);
        let Some((now, input)) = due.pop_front() else { break };
        let out = TIMES.step(&mut node, now, input);
        due.extend(TIMES.due(&out).into_iter().map(|(after, input)| (now + after, input)));
        if crash == Some(events) {
            let mut next = Node::new(config(protocol, 1, 0));
            next.recover(node.into_disk(now));
            node = next;
            due.retain(|(_, input)| matches!(input, Input::Client(_)));
            due.push_front((now, Input::Start));
        }
        if node.executed_height() >= heights {
            break;
        }
    }
    let mut prev = Digest::default();
    let mut carried = Vec::new();
    for height in 1..=heights {
        let block = node.block(height).expect("decided");
        assert_eq!(block.hash, chain(&prev, height, &block.entries), "height {height}");
        prev = block.hash;
        carried.extend(block.entries.iter().map(|entry| entry.envelope.id));
    }
    carried
}

#[test]
fn a_message_of_an_undecided_parent_is_left_out() {
    for protocol in PROTOCOLS {
        assert_eq!(lone(protocol, 30, 20, None), (0..30).collect::<Vec<_>>());
    }
}

/// Messages that waited in memory are lost with it; none is in two blocks.
#[test]
fn a_validator_that_comes_back_goes_on_with_its_undecided_blocks() {
    let cases = PROTOCOLS.iter().flat_map(|protocol| (5..60).map(move |crash| (protocol, crash)));
    for (protocol, crash) in cases {
        let carried = lone(*protocol, 30, 20, Some(crash));
        let mut once = carried.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), carried.len(), "crash after {crash} events: {carried:?}");
    }
}

/// What a node that has begun answers to a first proposal with this block's hash.
fn answer_to(protocol: Protocol, hash: Digest) -> Vec<Output> {
    // The weighted round robin of four starts with the second; 0 neither leads nor collects votes.
    let mut node = Node::new(config(protocol, 4, 0));
    TIMES.step(&mut node, 0, Input::Start);
    let leader = node.engine().proposer(1, 1).expect("there are leaders");
    let block = Block {
        height: 1,
        proposer: leader,
        proposed_ns: 0,
        entries: Vec::new(),
        hash,
        evidence: Vec::new(),
        graph: None,
    };
    let proposal = BlockProposal {
        round: 1,
        height: 1,
        value: hash,
        qc: Arc::new(QuorumCertificate::genesis()),
        tc: None,
        dummies: Vec::new(),
        decided: 0,
        validator: leader,
    };
    let message = Arc::new(ChainMessage::Proposal(proposal));
    let payload = Payload::Chained(message, Some(Arc::new(block)));
    let frame = Frame::Message(Envelope::plain(7, Class::Proposal, 400, leader));
    TIMES.step(&mut node, 0, Input::Receive { from: 0, frame, payload });
    TIMES.step(&mut node, 0, Input::Done(Done::Verified))
}

/// Votes to one node, or to all.
fn votes(out: &[Output]) -> usize {
    let is_vote = |output: &&Output| match output {
        Output::Packet { packet: Packet::Chained(message, _), .. }
        | Output::Publish(Payload::Chained(message, None)) => {
            matches!(**message, ChainMessage::Vote(_))
        }
        _ => false,
    };
    out.iter().filter(is_vote).count()
}

#[test]
fn only_a_block_that_follows_its_parent_is_voted_for() {
    for protocol in PROTOCOLS {
        assert_eq!(votes(&answer_to(protocol, chain(&Digest::default(), 1, &[]))), 1);
        assert_eq!(votes(&answer_to(protocol, chain(&Digest([1; 32]), 1, &[]))), 0);
    }
}
