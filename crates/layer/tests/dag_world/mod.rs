//! A small adversarial world around Tusk and Bullshark: random delays, losses, partitions that heal,
//! crashes with recovery from the log, and validators that lie. One seed names one world.

mod liars;
pub mod schedule;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use surgetank_layer::chained::ChainMessage;
use surgetank_layer::consensus::dag::{Anchors, Config, Dag, Due, Input, Output};
use surgetank_layer::dag::{SubDag, VertexVote};
use surgetank_layer::machine::{Draws, Machine};
use surgetank_layer::units::{Digest, Height, MS, Ns, Round, Weight};

use crate::chained_world::{Outcome, Seeded};
use crate::tendermint_world::{SplitMix, fresh_value};
use liars::Liars;

enum Event {
    Start(usize),
    Deliver { to: usize, message: Arc<ChainMessage> },
    Asked { to: usize, by: usize, vertices: Vec<(Round, u32)> },
    Over { node: usize, life: u32, due: Due, round: Round },
    Tick(usize),
    Crash(usize),
    Back(usize),
    Attack,
    Partition,
}

const TICK: Ns = 60 * MS;
/// Simulated time after which a world that has not decided is stuck.
const END: Ns = 120_000 * MS;
/// The same where a disagreement is looked for.
const CONTROL_END: Ns = 10_000 * MS;
/// Rounds that are kept: few, so that worlds need to forget.
const DEPTH: Round = 8;

struct Place {
    /// The process, or what it left.
    machine: Dag,
    is_up: bool,
    /// Number of the process, by which events of former ones are known.
    life: u32,
    decided: Height,
    /// Vertices that were in a decided block.
    ordered: BTreeSet<Digest>,
    idle: (Height, u32),
}

pub struct World {
    draws: SplitMix,
    now: Ns,
    agenda: BTreeMap<(Ns, u64), Event>,
    seq: u64,
    seeded: Seeded,
    config: Config,
    /// None for a liar.
    places: Vec<Option<Place>>,
    liars: Liars,
    heights: Height,
    groups: Vec<u64>,
    heal_ns: Ns,
    loss_percent: u64,
    delay_max_ns: Ns,
    agreed: Vec<(Vec<Digest>, Arc<SubDag>)>,
    /// What honest validators have signed: vertices by round, votes by round and author.
    made: BTreeMap<(u32, Round), Digest>,
    voted: BTreeMap<(u32, Round, u32), Digest>,
    /// The first certificate of each vertex that an honest node has received.
    certified: BTreeMap<(Round, u32), Digest>,
    failure: Option<String>,
}

impl World {
    pub fn new(seed: u64, seeded: Seeded) -> World {
        let mut draws = SplitMix(seed);
        let nodes = match seeded {
            Seeded::Honest => 1 + draws.below(7) as usize,
            _ => 4 + draws.below(4) as usize,
        };
        let equal = draws.below(3) > 0;
        let mut weights: Vec<Weight> =
            (0..nodes).map(|_| if equal { 10 } else { draws.below(6) }).collect();
        if weights.iter().all(|&weight| weight == 0) {
            weights[0] = 1;
        }
        let liars = Liars::choose(&mut draws, &weights, seeded);
        let anchors = match draws.below(2) {
            0 => Anchors::Coin(draws.0),
            _ => Anchors::Turns((20 + draws.below(60)) * MS),
        };
        // A single validator with no wait would never let time pass.
        let wait_ns = (1 + draws.below(10)) * MS;
        let config = Config { validator: 0, weights, anchors, wait_ns, depth: DEPTH };
        let places = (0..nodes as u32).map(|validator| {
            let machine = Dag::new(Config { validator, ..config.clone() });
            let (ordered, idle) = (BTreeSet::new(), (0, 0));
            let place = Place { machine, is_up: true, life: 0, decided: 0, ordered, idle };
            (!liars.are(validator)).then_some(place)
        });
        let mut world = World {
            now: 0,
            agenda: BTreeMap::new(),
            seq: 0,
            seeded,
            places: places.collect(),
            config,
            liars,
            heights: 3 + draws.below(10),
            groups: vec![0; nodes],
            heal_ns: draws.below(1_500) * MS,
            loss_percent: [0, 5, 20, 40][draws.below(4) as usize],
            delay_max_ns: [5, 30, 120][draws.below(3) as usize] * MS,
            agreed: Vec::new(),
            made: BTreeMap::new(),
            voted: BTreeMap::new(),
            certified: BTreeMap::new(),
            failure: None,
            draws,
        };
        world.plan_start();
        world
    }

    fn plan_start(&mut self) {
        for node in 0..self.places.len() {
            if self.places[node].is_some() {
                let at = self.draws.below(40) * MS;
                self.plan(at, Event::Start(node));
                let first_tick = at + self.draws.below(TICK);
                self.plan(first_tick, Event::Tick(node));
                if self.seeded.crashes_often() || self.draws.below(3) == 0 {
                    let at = self.draws.below(self.heal_ns + 1);
                    self.plan(at, Event::Crash(node));
                }
            }
        }
        let at = self.draws.below(20 * MS);
        self.plan(at, Event::Attack);
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
        let end = if self.seeded.is_sound() { END } else { CONTROL_END };
        while let Some(((at, _), event)) = self.agenda.pop_first() {
            self.now = at;
            if at > end {
                break;
            }
            self.happen(event);
            if let Some(failure) = self.failure.take() {
                return Outcome::Disagreed(failure);
            }
            if self.places.iter().flatten().all(|place| place.decided >= self.heights) {
                let mut fired = BTreeMap::new();
                for place in self.places.iter().flatten() {
                    for (clause, times) in place.machine.counts() {
                        *fired.entry(clause).or_default() += times;
                    }
                }
                return Outcome::Agreed(fired.into_iter().collect());
            }
        }
        let at = self.places.iter().flatten().map(|place| (place.decided, place.machine.round()));
        Outcome::Stuck(format!("{} heights wanted: {:?}", self.heights, at.collect::<Vec<_>>()))
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Start(node) => self.feed(node, Input::Start),
            Event::Deliver { to, message } => self.deliver(to, message),
            Event::Asked { to, by, vertices } => {
                let Some(place) = self.places[to].as_ref().filter(|place| place.is_up) else {
                    return;
                };
                for message in place.machine.vertices(&vertices) {
                    self.send(to, by, &message);
                }
            }
            Event::Over { node, life, due, round } => {
                if self.places[node].as_ref().is_some_and(|place| place.life == life) {
                    self.feed(node, Input::Over { due, round });
                }
            }
            Event::Tick(node) => self.tick(node),
            Event::Crash(node) => {
                self.places[node].as_mut().expect("honest").is_up = false;
                let at = self.now + self.draws.below(300) * MS;
                self.plan(at, Event::Back(node));
            }
            Event::Back(node) => self.back(node),
            Event::Attack => self.attack(),
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

    /// The next process. Its timers are set again.
    fn back(&mut self, node: usize) {
        let forgets = self.seeded == Seeded::Forgets;
        let place = self.places[node].as_mut().expect("honest");
        (place.is_up, place.life) = (true, place.life + 1);
        if forgets {
            place.machine = Dag::new(Config { validator: node as u32, ..self.config.clone() });
        }
        let round = place.machine.round();
        for due in [Due::Propose, Due::Round] {
            self.schedule(node, due, round, 20 * MS);
        }
        for height in 0..self.places[node].as_ref().expect("honest").decided {
            let graph = Arc::clone(&self.agreed[height as usize].1);
            self.feed(node, Input::CatchUp(graph));
        }
        if round == 0 {
            self.feed(node, Input::Start);
        }
        if self.seeded.crashes_often() && self.now < self.heal_ns {
            let at = self.now + self.draws.below(200) * MS;
            self.plan(at, Event::Crash(node));
        }
    }

    fn schedule(&mut self, node: usize, due: Due, round: Round, after_ns: Ns) {
        let life = self.places[node].as_ref().expect("honest").life;
        self.plan(self.now + after_ns, Event::Over { node, life, due, round });
    }

    fn feed(&mut self, node: usize, input: Input) {
        let mut outbox = Vec::new();
        let place = self.places[node].as_mut().expect("honest");
        if !place.is_up {
            return;
        }
        place.machine.step(self.now, input, &mut self.draws, &mut outbox);
        for output in outbox {
            self.obey(node, output);
        }
    }

    fn obey(&mut self, node: usize, output: Output) {
        match output {
            Output::GetValue { round, .. } => {
                let value = fresh_value(&mut self.draws, Height::from(round), true);
                self.feed(node, Input::Value { round, value });
            }
            Output::Broadcast(message) => {
                self.note(node, &message);
                for to in (0..self.places.len()).filter(|&to| to != node) {
                    self.send(node, to, &message);
                }
            }
            Output::Send { to, message } => {
                self.note(node, &message);
                self.send(node, to as usize, &message);
            }
            Output::Ask { to, vertices } => {
                let at = self.now + 1 + self.draws.below(5 * MS);
                self.plan(at, Event::Asked { to: to as usize, by: node, vertices });
            }
            Output::Schedule { due, round, after_ns } => {
                self.schedule(node, due, round, after_ns);
            }
            Output::Decide { values, graph, .. } => self.decide(node, values, graph),
            Output::Forget(_) => {}
            Output::Equivocation { validator, .. } => {
                let errs = self.seeded == Seeded::Forgets;
                assert!(errs || self.liars.are(validator), "{validator} accused wrongly");
            }
        }
    }

    /// What an honest validator signs must not contradict itself.
    fn note(&mut self, node: usize, message: &ChainMessage) {
        assert_eq!(message.validator() as usize, node, "spoke for another: {message:?}");
        let (me, round) = (message.validator(), message.round());
        let (first, now) = match message {
            ChainMessage::Vertex(vertex) => {
                (*self.made.entry((me, round)).or_insert(vertex.value), vertex.value)
            }
            ChainMessage::VertexVote(vote) => {
                let key = (me, round, vote.author);
                (*self.voted.entry(key).or_insert(vote.value), vote.value)
            }
            _ => return,
        };
        let errs = self.seeded == Seeded::Forgets;
        assert!(errs || first == now, "an honest validator contradicts itself: {message:?}");
    }

    fn decide(&mut self, node: usize, values: Vec<Digest>, graph: Arc<SubDag>) {
        let place = self.places[node].as_mut().expect("honest");
        let height = place.decided as usize;
        place.decided += 1;
        let again = values.iter().find(|value| !place.ordered.insert(**value));
        let errs = self.seeded == Seeded::Forgets;
        assert!(errs || again.is_none(), "node {node} orders {again:?} twice");
        if height == self.agreed.len() {
            return self.agreed.push((values, graph));
        }
        let first = &self.agreed[height];
        if *first != (values, Arc::clone(&graph)) {
            self.failure = Some(format!("height {height}: {:?} against {graph:?}", first.1));
        }
    }

    fn send(&mut self, from: usize, to: usize, message: &Arc<ChainMessage>) {
        if self.places[to].is_none() {
            return self.liars_hear(to, message);
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
            self.plan(at, Event::Deliver { to, message: Arc::clone(message) });
        }
    }

    fn deliver(&mut self, to: usize, message: Arc<ChainMessage>) {
        if let (ChainMessage::Vertex(vertex), Seeded::VotesTwice) = (&*message, self.seeded) {
            let (round, author) = (vertex.round, vertex.validator);
            let (value, validator) = (vertex.value, to as u32);
            let vote = VertexVote { round, author, value, validator };
            self.send(to, author as usize, &Arc::new(ChainMessage::VertexVote(vote)));
        }
        if let ChainMessage::Certificate(certificate) = &*message {
            let (of, value) = ((certificate.round, certificate.author), certificate.value);
            if *self.certified.entry(of).or_insert(value) != value {
                self.failure = Some(format!("two certificates of {of:?}"));
            }
        }
        self.feed(to, Input::Message { message, valid: true });
    }

    /// Re-broadcast, and blocks that others have decided.
    fn tick(&mut self, node: usize) {
        self.plan(self.now + TICK, Event::Tick(node));
        self.feed(node, Input::Tick);
        let place = self.places[node].as_mut().expect("honest");
        if !place.is_up {
            return;
        }
        let height = place.decided;
        let ticks = if place.idle.0 == height { place.idle.1 + 1 } else { 0 };
        place.idle = (height, ticks);
        if ticks == 0 {
            return;
        }
        for message in place.machine.own_messages() {
            for to in 0..self.places.len() {
                let other = self.places[to].as_ref();
                if to != node && other.is_some_and(|it| it.machine.lacks(&message)) {
                    self.send(node, to, &message);
                }
            }
        }
        // Two behind is a node that may never hear of what others have forgotten.
        if ticks.is_multiple_of(4) && self.agreed.len() as Height > height + 1 {
            let (values, graph) = self.agreed[height as usize].clone();
            self.decide(node, values, Arc::clone(&graph));
            self.feed(node, Input::CatchUp(graph));
        }
    }
}
