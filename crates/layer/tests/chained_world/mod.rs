//! A small adversarial world around the chained protocols: random delays, losses, partitions that heal,
//! crashes with recovery from the log, and validators that lie. One seed names one world.

mod hotstuff;
mod liars;
pub mod runs;
mod seeded;
mod simplex;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use surgetank_layer::chained::ChainMessage;
use surgetank_layer::consensus::chain::{
    ChainLog, Chained, Config, Due, Input, Output, RoundTimes,
};
use surgetank_layer::machine::Draws;
use surgetank_layer::units::{Digest, Height, MS, Ns, Round, Weight};

use crate::tendermint_world::{SplitMix, fresh_value};
use liars::{Faces, Liars, Signed};
pub use seeded::Seeded;

/// What the world must know of a protocol.
pub trait Protocol: Chained {
    /// Whether it decides with any weights while less than a third is silent.
    const ANY_WEIGHTS: bool;

    /// What liars say to `to`, whose machine this is.
    fn lies(&self, liars: &Faces<'_>, signed: &Signed, draws: &mut SplitMix) -> Vec<ChainMessage>;

    /// Who receives a vote in a round; `None`: all.
    fn votes_to(&self, round: Round) -> Option<u32>;
}

/// What a world came to.
#[derive(Debug)]
pub enum Outcome {
    /// All honest nodes decided all heights, alike. How often each clause applied.
    Agreed(Vec<(String, u64)>),
    /// Two honest nodes decided differently, or a graph has two certificates in one place.
    Disagreed(String),
    /// Someone did not decide although the network healed.
    Stuck(String),
}

enum Event {
    Start(usize),
    Deliver { to: usize, message: Arc<ChainMessage> },
    Over { node: usize, life: u32, due: Due, round: Round },
    Answer { node: usize, life: u32, height: Height, round: Round, parent: Digest },
    Tick(usize),
    Crash(usize),
    Back(usize),
    Attack,
    Partition,
}

const TICK: Ns = 120 * MS;
/// Simulated time after which a world that has not decided is stuck.
const END: Ns = 300_000 * MS;
/// The same where a disagreement is looked for, which comes before the network heals or soon after.
const CONTROL_END: Ns = 10_000 * MS;

/// An honest node: its process, or what it left.
struct Place<M> {
    machine: Option<M>,
    log: Option<ChainLog<M>>,
    /// Number of the process, by which events of former ones are known.
    life: u32,
    decided: Vec<Digest>,
    idle: (Height, u32),
}

pub struct World<M> {
    draws: SplitMix,
    now: Ns,
    agenda: BTreeMap<(Ns, u64), Event>,
    seq: u64,
    seeded: Seeded,
    times: RoundTimes,
    weights: Vec<Weight>,
    /// None for a liar.
    places: Vec<Option<Place<M>>>,
    liars: Liars,
    signed: Signed,
    heights: Height,
    groups: Vec<u64>,
    heal_ns: Ns,
    loss_percent: u64,
    delay_max_ns: Ns,
    /// Parent of each proposed block.
    parents: BTreeMap<Digest, Digest>,
    agreed: BTreeMap<Height, (usize, Digest)>,
    voted: BTreeMap<(u32, Round), Digest>,
    proposed: BTreeMap<(u32, Round), Digest>,
    /// Rounds in which a validator has said that it gives up, and that it never will.
    gave_up: BTreeSet<(u32, Round)>,
    finalized: BTreeSet<(u32, Round)>,
    fired: BTreeMap<String, u64>,
    failure: Option<String>,
}

fn is_valid(height: Height, value: Digest) -> bool {
    value.0[..8] == height.to_le_bytes() && value.0[8] == 1
}

/// Who lies: less than a third of the weight, or more where that is what is wrong.
pub fn choose_liars(draws: &mut SplitMix, weights: &[Weight], seeded: Seeded) -> BTreeSet<u32> {
    let total: Weight = weights.iter().sum();
    let mut order: Vec<u32> = (0..weights.len() as u32).collect();
    draws.shuffle(&mut order);
    let (mut liars, mut weight) = (BTreeSet::new(), 0);
    for who in order {
        let more = weight + weights[who as usize];
        let takes = match seeded {
            Seeded::Honest => false,
            Seeded::TooManyLiars => 3 * weight <= total && 3 * more < 2 * total,
            _ => 3 * more < total,
        };
        if takes {
            liars.insert(who);
            weight = more;
        }
    }
    liars
}

impl<M: Protocol> World<M> {
    pub fn new(seed: u64, seeded: Seeded) -> World<M> {
        let mut draws = SplitMix(seed);
        let nodes = match seeded {
            Seeded::Honest => 1 + draws.below(7) as usize,
            _ => 4 + draws.below(4) as usize,
        };
        // HotStuff: with a silent leader, very unequal weights may never have three others in a row.
        let equal = !M::ANY_WEIGHTS && seeded != Seeded::Honest || draws.below(3) > 0;
        let mut weights: Vec<Weight> =
            (0..nodes).map(|_| if equal { 10 } else { draws.below(6) }).collect();
        if weights.iter().all(|&weight| weight == 0) {
            weights[0] = 1;
        }
        let liars = choose_liars(&mut draws, &weights, seeded);
        let mut span = |least: u64, range: u64| (least + draws.below(range)) * MS;
        let times =
            RoundTimes { wait_ns: span(0, 10), timeout_ns: span(15, 60), delta_ns: span(5, 20) };
        let places = (0..nodes as u32).map(|me| {
            let place = || Place {
                machine: Some(M::new(Config { validator: me, weights: weights.clone(), times })),
                log: None,
                life: 0,
                decided: Vec::new(),
                idle: (0, 0),
            };
            (!liars.contains(&me)).then(place)
        });
        let mut world = World {
            now: 0,
            agenda: BTreeMap::new(),
            seq: 0,
            seeded,
            times,
            places: places.collect(),
            liars: Liars::new(&mut draws, liars, nodes),
            signed: Signed::new(&weights),
            weights,
            heights: 3 + draws.below(6),
            groups: vec![0; nodes],
            heal_ns: draws.below(1_500) * MS,
            loss_percent: [0, 5, 20, 40][draws.below(4) as usize],
            delay_max_ns: [5, 30, 120][draws.below(3) as usize] * MS,
            parents: BTreeMap::new(),
            agreed: BTreeMap::new(),
            voted: BTreeMap::new(),
            proposed: BTreeMap::new(),
            gave_up: BTreeSet::new(),
            finalized: BTreeSet::new(),
            fired: BTreeMap::new(),
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
                self.plan(at + self.draws.0 % TICK, Event::Tick(node));
                if self.seeded.crashes_often() || self.draws.below(3) == 0 {
                    let at = self.draws.below(self.heal_ns + 1);
                    self.plan(at, Event::Crash(node));
                }
            }
        }
        self.plan(self.draws.0 % (20 * MS), Event::Attack);
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
            if self.places.iter().flatten().all(|p| p.decided.len() as Height >= self.heights) {
                for place in self.places.iter().flatten() {
                    for (clause, times) in place.machine.iter().flat_map(M::counts) {
                        *self.fired.entry(clause).or_default() += times;
                    }
                }
                return Outcome::Agreed(self.fired.into_iter().collect());
            }
        }
        let at = self.places.iter().flatten().map(|place| {
            let machine = place.machine.as_ref();
            (place.decided.len(), machine.map(M::round), machine.map(|m| m.high().round))
        });
        Outcome::Stuck(format!("{} heights wanted: {:?}", self.heights, at.collect::<Vec<_>>()))
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Start(node) => self.feed(node, Input::Start),
            Event::Deliver { to, message } => self.deliver(to, message),
            Event::Over { node, life, due, round } if self.lives(node, life) => {
                self.feed(node, Input::Over { due, round });
            }
            Event::Answer { node, life, height, round, parent } if self.lives(node, life) => {
                let value = fresh_value(&mut self.draws, height, true);
                self.parents.insert(value, parent);
                self.feed(node, Input::Value { round, value });
            }
            Event::Over { .. } | Event::Answer { .. } => {}
            Event::Tick(node) => self.tick(node),
            Event::Crash(node) => {
                let place = self.places[node].as_mut().expect("honest");
                place.log = place.machine.take().map(M::into_log);
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

    fn lives(&self, node: usize, life: u32) -> bool {
        self.places[node].as_ref().is_some_and(|p| p.life == life && p.machine.is_some())
    }

    /// The next process. Its timers are set again, one that may have gone off before included.
    fn back(&mut self, node: usize) {
        let config =
            Config { validator: node as u32, weights: self.weights.clone(), times: self.times };
        let place = self.places[node].as_mut().expect("honest");
        place.life += 1;
        let log = place.log.take().expect("it crashed");
        let forgets = self.seeded == Seeded::Forgets;
        let machine = if forgets { M::new(config) } else { M::from_log(config, log) };
        let round = machine.round();
        place.machine = Some(machine);
        for (due, after_ns) in [(Due::Round, self.times.timeout_ns), (Due::Propose, 0)] {
            self.schedule(node, due, round, after_ns);
        }
        let decided = self.places[node].as_ref().expect("honest").decided.clone();
        for (height, value) in (1..).zip(decided).filter(|_| forgets) {
            self.feed(node, Input::CatchUp { height, value });
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
        let Some(machine) = &mut place.machine else { return };
        machine.step(self.now, input, &mut self.draws, &mut outbox);
        let high = Arc::clone(machine.high());
        for output in outbox {
            self.obey(node, output);
        }
        if self.seeded == Seeded::CommitsOneChain {
            self.commit_one_chain(node, &high);
        }
    }

    fn obey(&mut self, node: usize, output: Output) {
        match output {
            Output::GetValue { height, round, after } => {
                let place = self.places[node].as_ref().expect("honest");
                let machine = place.machine.as_ref().expect("it asked");
                assert_eq!(height, machine.decided() + after.len() as Height + 1);
                let last = (machine.decided() as usize).checked_sub(1);
                let last = last.map_or(Digest::default(), |index| place.decided[index]);
                let parent = after.last().copied().unwrap_or(last);
                let life = place.life;
                let at = self.now + self.draws.below(5) * MS;
                self.plan(at, Event::Answer { node, life, height, round, parent });
            }
            Output::Broadcast(message) => {
                let message = self.seed_final(message);
                self.note(node, &message);
                for to in (0..self.places.len()).filter(|&to| to != node) {
                    self.send(node, to, &message);
                }
            }
            Output::Send { to, message } => {
                self.note(node, &message);
                self.send(node, to as usize, &message);
            }
            Output::Schedule { due, round, after_ns } => {
                self.schedule(node, due, round, after_ns);
            }
            Output::Decide { height, value, .. } => {
                if self.seeded != Seeded::CommitsOneChain {
                    self.decide(node, height, value);
                }
            }
            Output::Equivocation { validator, .. } => {
                let seeded = self.seeded.errs();
                assert!(seeded || self.liars.are(validator), "{validator} accused wrongly");
            }
        }
    }

    /// What an honest validator signs is known to the liars, and must not contradict itself.
    fn note(&mut self, node: usize, message: &ChainMessage) {
        assert_eq!(message.validator() as usize, node, "spoke for another: {message:?}");
        let (me, round) = (message.validator(), message.round());
        let first = match message {
            ChainMessage::Vote(vote) => {
                Some((self.voted.entry((me, round)).or_insert(vote.value), vote.value))
            }
            ChainMessage::Proposal(proposal) => {
                Some((self.proposed.entry((me, round)).or_insert(proposal.value), proposal.value))
            }
            _ => None,
        };
        match message {
            ChainMessage::DummyVote(_) => self.gave_up.insert((me, round)),
            ChainMessage::View(view) if view.finalizes => self.finalized.insert((me, round)),
            _ => false,
        };
        let both = self.gave_up.contains(&(me, round)) && self.finalized.contains(&(me, round));
        let same = first.is_none_or(|(first, now)| *first == now);
        assert!(
            self.seeded.errs() || same && !both,
            "an honest validator contradicts itself: {message:?}"
        );
        self.signed.add(message);
    }

    fn decide(&mut self, node: usize, height: Height, value: Digest) {
        assert!(is_valid(height, value), "node {node} decided an invalid block at {height}");
        let place = self.places[node].as_mut().expect("honest");
        assert_eq!(height, place.decided.len() as Height + 1, "node {node} decided out of order");
        let before = place.decided.last().copied().unwrap_or_default();
        place.decided.push(value);
        let first = *self.agreed.entry(height).or_insert((node, value));
        if first.1 != value || self.parents.get(&value) != Some(&before) {
            self.failure = Some(format!("height {height}: {first:?} against {:?}", (node, value)));
        }
    }

    fn send(&mut self, from: usize, to: usize, message: &Arc<ChainMessage>) {
        if self.places[to].is_none() {
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
            self.plan(at, Event::Deliver { to, message: Arc::clone(message) });
        }
    }

    fn deliver(&mut self, to: usize, message: Arc<ChainMessage>) {
        let valid = match &*message {
            ChainMessage::Proposal(proposal) => is_valid(proposal.height, proposal.value),
            _ => true,
        };
        if self.seeded == Seeded::VotesTwice {
            self.vote_twice(to, &message);
        }
        self.feed(to, Input::Message { message, valid });
    }

    /// Re-broadcast, and blocks that others have decided.
    fn tick(&mut self, node: usize) {
        self.plan(self.now + TICK, Event::Tick(node));
        let place = self.places[node].as_mut().expect("honest");
        let Some(machine) = &place.machine else { return };
        let height = place.decided.len() as Height;
        let ticks = if place.idle.0 == height { place.idle.1 + 1 } else { 0 };
        place.idle = (height, ticks);
        if ticks == 0 {
            return;
        }
        let all = ticks.is_multiple_of(4);
        let messages = if all { machine.known_messages() } else { machine.own_messages() };
        for message in messages {
            for to in 0..self.places.len() {
                let lacks = self.places[to].as_ref().and_then(|p| p.machine.as_ref());
                if to != node && lacks.is_some_and(|machine| machine.lacks(&message)) {
                    self.send(node, to, &message);
                }
            }
        }
        let known = self.agreed.len() as Height;
        if self.seeded != Seeded::CommitsOneChain && self.now >= self.heal_ns / 2 {
            for height in height + 1..=known {
                let value = self.agreed[&height].1;
                self.decide(node, height, value);
                self.feed(node, Input::CatchUp { height, value });
                // Deciding one may decide all known ones.
                let place = self.places[node].as_ref().expect("honest");
                if place.decided.len() as Height != height {
                    break;
                }
            }
        }
    }

    fn attack(&mut self) {
        let honest: Vec<usize> =
            (0..self.places.len()).filter(|&node| self.places[node].is_some()).collect();
        for to in honest {
            let place = self.places[to].as_ref().expect("honest");
            let Some(victim) = &place.machine else { continue };
            let Some(faces) = self.liars.faces(to) else { continue };
            let lies = victim.lies(&faces, &self.signed, &mut self.draws);
            for lie in lies {
                if let ChainMessage::Proposal(proposal) = &lie {
                    self.parents.insert(proposal.value, proposal.qc.value);
                }
                self.signed.add(&lie);
                let from = lie.validator() as usize;
                self.send(from, to, &Arc::new(lie));
            }
        }
        let at = self.now + (2 + self.draws.below(30)) * MS;
        self.plan(at, Event::Attack);
    }
}
