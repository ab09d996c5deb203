//! A small adversarial world around Tendermint machines: random delays, losses, duplicates,
//! partitions that heal, late starts, and validators that lie. One seed names one world.

mod byzantine;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use byzantine::Byzantine;
use surgetank_layer::consensus::tendermint::{
    Config, Input, Line, Output, Tendermint, Timeout, Timeouts,
};
use surgetank_layer::machine::{Draws, Machine};
use surgetank_layer::message::{Proposal, Vote, VoteType};
use surgetank_layer::units::{Digest, Height, MS, Ns, Round, Weight};

/// SplitMix64 (Steele, Lea and Flood 2014).
pub struct SplitMix(pub u64);

impl Draws for SplitMix {
    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// How much weight lies.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Lying {
    /// No node is faulty.
    None,
    /// Strictly less than a third of the weight.
    BelowThird,
    /// More than a third and less than two.
    AboveThird,
}

/// What a world came to.
#[derive(Debug)]
pub enum Outcome {
    /// All honest nodes decided all heights, alike. How often each line fired.
    Agreed(Vec<(Line, u64)>),
    /// Two honest nodes decided differently.
    Disagreed(String),
    /// Someone did not decide although the network healed.
    Stuck(String),
}

#[derive(Clone, Copy, Debug)]
pub enum Msg {
    Proposal(Proposal),
    Vote(Vote),
}

impl Msg {
    fn height(&self) -> Height {
        match self {
            Msg::Proposal(p) => p.height,
            Msg::Vote(v) => v.height,
        }
    }
}

enum Event {
    Start(usize),
    Deliver { to: usize, from: usize, messages: Rc<Vec<Msg>> },
    Expire(usize, Timeout),
    Answer(usize, Height, Round),
    Sync(usize),
    Tick(usize),
    Attack(usize),
    Partition,
}

/// How often a node sends its messages again, and how many silent ticks until it sends all it knows.
const TICK: Ns = 120 * MS;
const PATIENCE_TICKS: u32 = 3;
/// Simulated time after which a world that has not decided is stuck.
const END: Ns = 120_000 * MS;

pub struct World {
    draws: SplitMix,
    now: Ns,
    agenda: BTreeMap<(Ns, u64), Event>,
    seq: u64,
    /// One per node; a Byzantine one is `None`.
    pub nodes: Vec<Option<Tendermint>>,
    byzantine: Vec<Option<Byzantine>>,
    heights: Height,
    groups: Vec<u64>,
    heal_ns: Ns,
    loss_percent: u64,
    delay_max_ns: Ns,
    /// Values proposed by anyone, by height: what Byzantine validators choose from.
    pub values: BTreeMap<Height, Vec<Digest>>,
    decided: Vec<BTreeMap<Height, Digest>>,
    agreed: BTreeMap<Height, (usize, Round, Digest)>,
    honest_votes: BTreeMap<(u32, Height, Round, VoteType), Option<Digest>>,
    syncing: BTreeSet<usize>,
    idle_ticks: Vec<(Height, u32)>,
    failure: Option<String>,
}

/// Values carry their height and validity, so that `valid(v)` is a function of v.
pub fn fresh_value(draws: &mut dyn Draws, height: Height, valid: bool) -> Digest {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&height.to_le_bytes());
    bytes[8] = valid.into();
    bytes[9..17].copy_from_slice(&draws.next_u64().to_le_bytes());
    Digest(bytes)
}

fn is_valid(height: Height, value: Digest) -> bool {
    value.0[..8] == height.to_le_bytes() && value.0[8] == 1
}

/// Draws who lies, as Lying says.
fn choose_byzantine(draws: &mut SplitMix, weights: &[Weight], lying: Lying) -> Vec<bool> {
    let total: Weight = weights.iter().sum();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    draws.shuffle(&mut order);
    let (mut byzantine, mut weight) = (vec![false; weights.len()], 0);
    for i in order {
        let more = weight + weights[i];
        let take = match lying {
            Lying::None => false,
            Lying::BelowThird => 3 * more < total,
            Lying::AboveThird => 3 * weight <= total && 3 * more < 2 * total,
        };
        if take {
            byzantine[i] = true;
            weight = more;
        }
    }
    byzantine
}

impl World {
    pub fn new(seed: u64, lying: Lying) -> World {
        let mut draws = SplitMix(seed);
        let validators = match lying {
            Lying::AboveThird => 4 + draws.below(4) as usize,
            _ => [1, 2, 3, 4, 4, 4, 4, 5, 6, 7][draws.below(10) as usize],
        };
        let equal = draws.below(3) > 0;
        let mut weights: Vec<Weight> =
            (0..validators).map(|_| if equal { 10 } else { draws.below(6) }).collect();
        if weights.iter().all(|&weight| weight == 0) {
            weights[0] = 1;
        }
        let lies = choose_byzantine(&mut draws, &weights, lying);
        // Alike at all: with unlike growths the gap between nodes can outgrow timeoutPropose.
        let timeouts = random_timeouts(&mut draws);
        let mut nodes = Vec::new();
        let mut byzantine = Vec::new();
        for (validator, lies) in (0..).zip(lies) {
            let config = Config { validator, weights: weights.clone(), timeouts };
            nodes.push((!lies).then(|| Tendermint::new(config)));
            byzantine.push(lies.then(|| Byzantine::new(&mut draws, validators)));
        }
        let count = nodes.len();
        let mut world = World {
            now: 0,
            agenda: BTreeMap::new(),
            seq: 0,
            nodes,
            byzantine,
            heights: 1 + draws.below(3),
            groups: vec![0; count],
            heal_ns: draws.below(800) * MS,
            loss_percent: [0, 5, 20, 40][draws.below(4) as usize],
            delay_max_ns: [5, 30, 120][draws.below(3) as usize] * MS,
            values: BTreeMap::new(),
            decided: vec![BTreeMap::new(); count],
            agreed: BTreeMap::new(),
            honest_votes: BTreeMap::new(),
            syncing: BTreeSet::new(),
            idle_ticks: vec![(0, 0); count],
            failure: None,
            draws,
        };
        world.plan_start();
        world
    }

    fn plan_start(&mut self) {
        for node in 0..self.nodes.len() {
            let at = self.draws.below(40) * MS;
            if self.byzantine[node].is_some() {
                self.plan(at, Event::Attack(node));
            } else {
                self.plan(at, Event::Start(node));
                self.plan(at + self.draws.0 % TICK, Event::Tick(node));
            }
        }
        if self.draws.below(2) == 0 {
            self.plan(0, Event::Partition);
        }
    }

    fn plan(&mut self, at: Ns, event: Event) {
        self.seq += 1;
        self.agenda.insert((at, self.seq), event);
    }

    /// Runs to the end. Panics if a machine breaks a rule that no liar can make it break.
    pub fn run(mut self) -> Outcome {
        while let Some(((at, _), event)) = self.agenda.pop_first() {
            self.now = at;
            if at > END {
                break;
            }
            self.happen(event);
            if let Some(failure) = self.failure.take() {
                return Outcome::Disagreed(failure);
            }
            if self.is_over() {
                return Outcome::Agreed(self.fired());
            }
        }
        let places: Vec<_> = self.nodes.iter().flatten().map(place).collect();
        Outcome::Stuck(format!("{} heights wanted, nodes at {places:?}", self.heights))
    }

    fn is_over(&self) -> bool {
        self.nodes.iter().flatten().all(|node| node.height() > self.heights)
    }

    fn fired(&self) -> Vec<(Line, u64)> {
        let mut sum: Vec<(Line, u64)> = Line::ALL.map(|line| (line, 0)).to_vec();
        for node in self.nodes.iter().flatten() {
            sum.iter_mut().zip(node.fired()).for_each(|(total, (_, n))| total.1 += n);
        }
        sum
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Start(node) => self.feed(node, Input::Start),
            Event::Expire(node, timeout) => self.feed(node, Input::Timeout(timeout)),
            Event::Answer(node, height, round) => {
                let value = fresh_value(&mut self.draws, height, true);
                self.feed(node, Input::Value { height, round, value });
            }
            Event::Deliver { to, from, messages } => self.deliver(to, from, &messages),
            Event::Sync(node) => {
                self.syncing.remove(&node);
                let height = self.nodes[node].as_ref().expect("honest").height();
                if let Some(value) = self.decided.iter().find_map(|d| d.get(&height)).copied() {
                    self.decided[node].insert(height, value);
                    self.feed(node, Input::CatchUp { height, value });
                }
            }
            Event::Tick(node) => self.tick(node),
            Event::Attack(node) => self.attack(node),
            Event::Partition => {
                let parts = 1 + self.draws.below(3);
                self.groups = self.groups.iter().map(|_| self.draws.below(parts)).collect();
                if self.now < self.heal_ns {
                    let at = self.now + self.draws.below(200) * MS;
                    self.plan(at.min(self.heal_ns), Event::Partition);
                } else {
                    self.groups.fill(0);
                }
            }
        }
    }

    fn feed(&mut self, node: usize, input: Input) {
        let mut outbox = Vec::new();
        let machine = self.nodes[node].as_mut().expect("honest");
        machine.step(self.now, input, &mut self.draws, &mut outbox);
        for output in outbox {
            self.obey(node, output);
        }
    }

    fn obey(&mut self, node: usize, output: Output) {
        match output {
            Output::GetValue { height, round } => {
                // Now and then a node has nothing to propose, until the network heals.
                if self.now >= self.heal_ns || self.draws.below(20) > 0 {
                    let at = self.now + self.draws.below(10) * MS;
                    self.plan(at, Event::Answer(node, height, round));
                }
            }
            Output::Propose(proposal) => {
                self.values.entry(proposal.height).or_default().push(proposal.value);
                self.broadcast(node, vec![Msg::Proposal(proposal)]);
            }
            Output::Vote(vote) => {
                let key = (vote.validator, vote.height, vote.round, vote.vote_type);
                let first = *self.honest_votes.entry(key).or_insert(vote.value);
                assert_eq!(first, vote.value, "an honest validator contradicted itself: {vote:?}");
                assert_eq!(vote.validator as usize, node, "voted for another: {vote:?}");
                self.broadcast(node, vec![Msg::Vote(vote)]);
            }
            Output::Schedule { timeout, after_ns } => {
                self.plan(self.now + after_ns, Event::Expire(node, timeout));
            }
            Output::Decide { height, round, value } => self.decide(node, height, round, value),
            Output::Equivocation { validator, .. } => {
                assert!(
                    self.byzantine[validator as usize].is_some(),
                    "{validator} accused wrongly"
                );
            }
        }
    }

    fn decide(&mut self, node: usize, height: Height, round: Round, value: Digest) {
        assert!(is_valid(height, value), "node {node} decided an invalid value at {height}");
        let last = self.decided[node].last_key_value().map_or(0, |(&h, _)| h);
        assert_eq!(height, last + 1, "node {node} decided out of order");
        self.decided[node].insert(height, value);
        let mine = (node, round, value);
        let first = *self.agreed.entry(height).or_insert(mine);
        if first.2 != value {
            self.failure = Some(format!("height {height}: {first:?} against {mine:?}"));
        }
    }

    fn broadcast(&mut self, from: usize, messages: Vec<Msg>) {
        let messages = Rc::new(messages);
        for to in 0..self.nodes.len() {
            if to != from {
                self.send(from, to, Rc::clone(&messages));
            }
        }
    }

    fn send(&mut self, from: usize, to: usize, messages: Rc<Vec<Msg>>) {
        if self.nodes[to].is_none() {
            return;
        }
        let healed = self.now >= self.heal_ns;
        let cut = self.groups[from] != self.groups[to];
        if !healed && (cut || self.draws.below(100) < self.loss_percent) {
            return;
        }
        let copies = if self.draws.below(10) == 0 { 2 } else { 1 };
        for _ in 0..copies {
            let span = if healed { 5 * MS } else { self.delay_max_ns };
            let at = self.now + 1 + self.draws.below(span);
            self.plan(at, Event::Deliver { to, from, messages: Rc::clone(&messages) });
        }
    }

    fn deliver(&mut self, to: usize, from: usize, messages: &[Msg]) {
        for &message in messages {
            let height = self.nodes[to].as_ref().expect("honest").height();
            let ahead = message.height() > height && self.decided[from].contains_key(&height);
            if ahead && self.syncing.insert(to) {
                let at = self.now + self.draws.below(60) * MS;
                self.plan(at, Event::Sync(to));
            }
            let input = match message {
                Msg::Proposal(proposal) => {
                    let valid = is_valid(proposal.height, proposal.value);
                    Input::Proposal { proposal, valid }
                }
                Msg::Vote(vote) => Input::Vote(vote),
            };
            self.feed(to, input);
        }
    }

    /// Periodic re-broadcast: own messages; all that is known once nothing moves for a while.
    fn tick(&mut self, node: usize) {
        let machine = self.nodes[node].as_ref().expect("honest");
        let (height, ticks) = self.idle_ticks[node];
        let ticks = if height == machine.height() { ticks + 1 } else { 0 };
        self.idle_ticks[node] = (machine.height(), ticks);
        let lied_to = self.byzantine.iter().any(Option::is_some);
        let messages: Vec<Msg> = if lied_to && ticks % PATIENCE_TICKS == PATIENCE_TICKS - 1 {
            let (proposals, votes) = machine.known_messages();
            let proposals = proposals.into_iter().map(Msg::Proposal);
            proposals.chain(votes.into_iter().map(Msg::Vote)).collect()
        } else {
            let (proposal, votes) = machine.own_messages();
            let proposal = proposal.into_iter().map(Msg::Proposal);
            proposal.chain(votes.into_iter().map(Msg::Vote)).collect()
        };
        if !messages.is_empty() {
            self.broadcast(node, messages);
        }
        self.plan(self.now + TICK, Event::Tick(node));
    }

    fn attack(&mut self, node: usize) {
        let mut liar = self.byzantine[node].take().expect("a liar");
        for to in 0..self.nodes.len() {
            let Some(victim) = &self.nodes[to] else {
                continue;
            };
            let known = &self.values;
            let lies = liar.lies(node as u32, to, victim, known, &mut self.draws);
            for lie in &lies {
                if let Msg::Proposal(proposal) = lie {
                    self.values.entry(proposal.height).or_default().push(proposal.value);
                }
            }
            if !lies.is_empty() {
                self.send(node, to, Rc::new(lies));
            }
        }
        self.byzantine[node] = Some(liar);
        let at = self.now + (2 + self.draws.below(30)) * MS;
        self.plan(at, Event::Attack(node));
    }
}

fn place(node: &Tendermint) -> (Height, Round, &'static str) {
    (node.height(), node.round(), node.step_now().name())
}

fn random_timeouts(draws: &mut SplitMix) -> Timeouts {
    let mut span = |least: u64, range: u64| (least + draws.below(range)) * MS;
    Timeouts {
        propose_ns: span(10, 40),
        propose_delta_ns: span(5, 20),
        prevote_ns: span(5, 20),
        prevote_delta_ns: span(5, 20),
        precommit_ns: span(5, 20),
        precommit_delta_ns: span(5, 20),
        commit_ns: span(0, 20),
    }
}
