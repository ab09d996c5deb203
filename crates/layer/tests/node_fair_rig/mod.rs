//! A few nodes under one leader, each of which sees messages when the test says so. Only packets
//! travel, and the test says which are lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use surgetank_layer::gossip;
use surgetank_layer::message::{Class, Envelope};
use surgetank_layer::node::ordering::single;
use surgetank_layer::node::{
    BlockBuilder, Config, Fair, FairRule, FairTally, Honest, Input, Node, Ordering, Output, Packet,
    Reason, Unsealing,
};
use surgetank_layer::queue::Rule;
use surgetank_layer::units::{MS, MessageId, NodeId, Ns, SECOND};

use super::fixed_host::Times;

const FREE: Times = Times { validation_ns: 0, execution_ns: 0 };

/// Between two reports.
pub const REPORT: Ns = 50 * MS;
/// How long a packet is in transit.
const DELAY: Ns = 7 * MS;

/// Whether a packet from a node, sent then, is lost.
type Loses = Box<dyn FnMut(Ns, NodeId, &Packet) -> bool>;
/// What a node, or whoever sits on its link, makes of a packet before it goes.
type Forges = Box<dyn FnMut(Ns, NodeId, &mut Packet)>;

/// What happens to a node or its process.
enum Event {
    Input(Input),
    Crash,
    Restart,
}

pub struct Rig {
    pub nodes: Vec<Node>,
    /// Makes a node, for the first process and after each crash.
    make: Box<dyn Fn(NodeId) -> Node>,
    pub loses: Loses,
    pub forges: Forges,
    /// Everything that was turned away: (node, message, reason).
    pub refused: Vec<(NodeId, MessageId, Reason)>,
    now: Ns,
    agenda: BTreeMap<(Ns, u64), (NodeId, u32, Event)>,
    number: u64,
    epochs: Vec<u32>,
    down: Vec<bool>,
}

impl Rig {
    pub fn new(count: u32, rule: FairRule, mempool_max: usize) -> Rig {
        Rig::with_leader(count, rule, mempool_max, Arc::new(Honest))
    }

    /// The same, with a leader who makes blocks of its own kind.
    pub fn with_leader(
        count: u32,
        rule: FairRule,
        mempool_max: usize,
        leader: Arc<dyn BlockBuilder>,
    ) -> Rig {
        let builder = move |id| if id == 0 { Arc::clone(&leader) } else { Arc::new(Honest) };
        let make = move |id| {
            let mut node = Node::new(config(id, count, rule, mempool_max));
            node.set_builder(builder(id));
            node
        };
        let nodes = (0..count).map(&make).collect();
        let mut rig = Rig {
            nodes,
            make: Box::new(make),
            loses: Box::new(|_, _, _| false),
            forges: Box::new(|_, _, _| ()),
            refused: Vec::new(),
            now: 0,
            agenda: BTreeMap::new(),
            number: 0,
            epochs: vec![0; count as usize],
            down: vec![false; count as usize],
        };
        (0..count).for_each(|node| rig.at(0, node, Input::Start));
        rig
    }

    fn push(&mut self, at: Ns, node: NodeId, epoch: u32, event: Event) {
        self.agenda.insert((at, self.number), (node, epoch, event));
        self.number += 1;
    }

    pub fn at(&mut self, at: Ns, node: NodeId, input: Input) {
        self.push(at, node, u32::MAX, Event::Input(input));
    }

    pub fn crash(&mut self, at: Ns, node: NodeId) {
        self.push(at, node, u32::MAX, Event::Crash);
    }

    pub fn restart(&mut self, at: Ns, node: NodeId) {
        self.push(at, node, u32::MAX, Event::Restart);
    }

    /// The node sees these messages one millisecond apart.
    pub fn sees(&mut self, from: Ns, node: NodeId, messages: &[MessageId]) {
        for (place, &message) in (0..).zip(messages) {
            let envelope = Envelope::plain(message, Class::NewOrderSingle, 100, 0);
            self.at(from + place * MS, node, Input::Client(envelope));
        }
    }

    pub fn run(&mut self, until: Ns) {
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= until) {
            let ((now, _), (node, epoch, event)) = entry.remove_entry();
            self.now = now;
            let index = node as usize;
            let input = match event {
                Event::Crash => {
                    self.epochs[index] += 1;
                    self.down[index] = true;
                    let next = (self.make)(node);
                    let disk = std::mem::replace(&mut self.nodes[index], next).into_disk(now);
                    self.nodes[index].recover(disk);
                    continue;
                }
                Event::Restart => {
                    self.down[index] = false;
                    Input::Start
                }
                Event::Input(Input::Timer(_) | Input::Done(_)) if epoch != self.epochs[index] => {
                    continue;
                }
                Event::Input(_) if self.down[index] => continue,
                Event::Input(input) => input,
            };
            let out = FREE.step(&mut self.nodes[index], now, input);
            for (span, input) in FREE.due(&out) {
                self.push(now + span, node, self.epochs[index], Event::Input(input));
            }
            out.into_iter().for_each(|output| self.interpret(node, output));
        }
    }

    fn interpret(&mut self, node: NodeId, output: Output) {
        match output {
            Output::Packet { to, mut packet } if !(self.loses)(self.now, node, &packet) => {
                (self.forges)(self.now, node, &mut packet);
                self.at(self.now + DELAY, to, Input::Packet { from: node, packet });
            }
            Output::Refused { message, reason, .. } => self.refused.push((node, message, reason)),
            _ => {}
        }
    }

    /// What a node has decided, block by block.
    pub fn blocks(&self, node: NodeId) -> Vec<Vec<MessageId>> {
        let block = |height| self.nodes[node as usize].block(height);
        let ids = |b: &std::sync::Arc<surgetank_layer::message::Block>| {
            b.entries.iter().map(|e| e.envelope.id).collect()
        };
        (1..).map_while(block).map(ids).collect()
    }

    pub fn order(&self, node: NodeId) -> Vec<MessageId> {
        self.blocks(node).concat()
    }

    pub fn tally(&self) -> FairTally {
        self.nodes[0].fair_tally().expect("there is a fair order")
    }
}

fn config(id: NodeId, nodes: u32, rule: FairRule, mempool_max: usize) -> Config {
    let sequencer = single::Config {
        request_ns: SECOND,
        node: 0,
        block_messages_max: 100,
        block_bytes_max: 100_000,
        window_ns: MS,
    };
    let fair = Some(Fair { rule, report_ns: REPORT });
    Config {
        id,
        weights: vec![1; nodes as usize].into(),
        degree: nodes - 1,
        gossip: gossip::Config::Flood {},
        rule: Rule::Fifo,
        ingress_max: 1_000,
        mempool_max,
        validations_max: 1,
        costs: FREE.costs(),
        ordering: Ordering::Single(sequencer),
        fair,
        unsealing: Unsealing::at_once(),
        admission: None,
        tuning: None,
    }
}

/// A report with something in it.
pub fn is_report(packet: &Packet) -> bool {
    matches!(packet, Packet::OrderReport(report) if !report.seen.is_empty())
}
