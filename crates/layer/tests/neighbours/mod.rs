//! A small network of gossip machines; nodes accept every message. Every direction of every link has
//! a delay of its own, so that the shortest way is not always the fastest.

use std::collections::{BTreeMap, VecDeque};

use surgetank_layer::gossip::{Config, Frame, Gossip, Input, Output};
use surgetank_layer::machine::{Draws, Machine};
use surgetank_layer::message::{Class, Envelope};
use surgetank_layer::units::{MS, MessageId, Ns, Peer};

/// SplitMix64 generator of random draws.
pub struct Split(pub u64);

impl Draws for Split {
    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) ^ (z >> 31)
    }
}

/// What happens next, by time and then in order of insertion.
enum Event {
    Arrive(usize, Peer, Frame),
    Heartbeat(usize),
}

/// Machines and their links.
pub struct Net {
    pub nodes: Vec<Gossip>,
    pub links: Vec<Vec<usize>>,
    pub now: Ns,
    draws: Split,
    agenda: BTreeMap<Ns, VecDeque<Event>>,
    /// Times each (node, message) was handed over for validation.
    pub validated: BTreeMap<(usize, MessageId), u32>,
    /// Frames that `drops` says are lost, by (from, to, frame).
    pub drops: fn(usize, usize, &Frame) -> bool,
    /// Frames sent so far: (from, to, frame).
    pub sent: Vec<(usize, usize, Frame)>,
}

/// The shortest delay of a link; the longest is three times that.
pub const DELAY: Ns = 10 * MS;

fn delay(from: usize, to: usize) -> Ns {
    DELAY + Split((from * 1_000 + to) as u64).below(2 * DELAY)
}

impl Net {
    pub fn new(config: &Config, links: Vec<Vec<usize>>, seed: u64) -> Net {
        let nodes =
            links.iter().filter_map(|l| Gossip::new(config.clone(), l.len() as u32)).collect();
        let mut net = Net {
            nodes,
            links,
            now: 0,
            draws: Split(seed),
            agenda: BTreeMap::new(),
            validated: BTreeMap::new(),
            drops: |_, _, _| false,
            sent: Vec::new(),
        };
        (0..net.nodes.len()).for_each(|node| net.step(node, Input::Start));
        net
    }

    pub fn publish(&mut self, node: usize, id: MessageId) {
        let envelope = Envelope::plain(id, Class::NewOrderSingle, 100, 0);
        self.step(node, Input::Publish(envelope));
    }

    pub fn step(&mut self, node: usize, input: Input) {
        let mut outbox = Vec::new();
        self.nodes[node].step(self.now, input, &mut self.draws, &mut outbox);
        for output in outbox {
            match output {
                Output::Validate { envelope, from } => {
                    *self.validated.entry((node, envelope.id)).or_default() += 1;
                    self.step(node, Input::Validated { envelope, from });
                }
                Output::Forward { envelope, except } => {
                    for peer in (0..self.links[node].len() as Peer).filter(|p| Some(*p) != except) {
                        self.send(node, peer, Frame::Message(envelope));
                    }
                }
                Output::Send { to, frame } => self.send(node, to, frame),
                Output::HeartbeatAt(at) => self.put(at, Event::Heartbeat(node)),
            }
        }
    }

    fn send(&mut self, from: usize, peer: Peer, frame: Frame) {
        let to = self.links[from][peer as usize];
        self.sent.push((from, to, frame.clone()));
        if !(self.drops)(from, to, &frame) {
            let back = self.links[to].iter().position(|&n| n == from).expect("undirected");
            self.put(self.now + delay(from, to), Event::Arrive(to, back as Peer, frame));
        }
    }

    fn put(&mut self, at: Ns, event: Event) {
        self.agenda.entry(at).or_default().push_back(event);
    }

    pub fn run_until(&mut self, until: Ns) {
        while let Some(mut entry) = self.agenda.first_entry() {
            if *entry.key() > until {
                break;
            }
            self.now = *entry.key();
            let event = entry.get_mut().pop_front().expect("no empty entries");
            if entry.get().is_empty() {
                entry.remove();
            }
            match event {
                Event::Arrive(to, from, frame) => self.step(to, Input::Receive { from, frame }),
                Event::Heartbeat(node) => self.step(node, Input::Heartbeat),
            }
        }
        self.now = until;
    }

    /// Nodes that have the message, the publisher not counted.
    pub fn reached(&self, id: MessageId) -> usize {
        self.validated.keys().filter(|(_, message)| *message == id).count()
    }
}

/// A ring with random chords: connected.
pub fn ring(nodes: usize, chords: usize, seed: u64) -> Vec<Vec<usize>> {
    let mut draws = Split(seed);
    let mut links = vec![Vec::new(); nodes];
    let mut add = |a: usize, b: usize| {
        if a != b && !links[a].contains(&b) {
            links[a].push(b);
            links[b].push(a);
        }
    };
    (0..nodes).for_each(|node| add(node, (node + 1) % nodes));
    for _ in 0..chords {
        add(draws.below(nodes as u64) as usize, draws.below(nodes as u64) as usize);
    }
    links
}
