//! A network in which an adversary chooses what arrives next, within one rule: it must deliver
//! something. It holds the vertices of one author in each round back, and the votes and certificates
//! for them, as long as anything else can arrive. All validators are honest, and no timer goes off
//! before there is nothing left to deliver.

use std::collections::VecDeque;
use std::sync::Arc;

use surgetank_layer::chained::ChainMessage;
use surgetank_layer::consensus::dag::{Anchors, Config, Dag, Due, Input, Output};
use surgetank_layer::machine::{Draws, Machine};
use surgetank_layer::units::{Height, Round};

use crate::tendermint_world::{SplitMix, fresh_value};

/// Whose vertex of a round the adversary holds back.
pub type Victim = fn(Round) -> Option<u32>;

/// Number of validators.
pub const NODES: u32 = 4;
/// Rounds that are kept below the last decided anchor.
pub const DEPTH: Round = 50;

/// What a run came to.
#[derive(Debug)]
pub struct Ran {
    /// The last round that a validator has entered.
    pub round: Round,
    /// Waves that could have been decided: one for each two rounds.
    pub waves: u32,
    /// Anchors that were decided by their own support.
    pub direct: u64,
    /// Blocks that validator 0 has decided.
    pub decided: Height,
    /// The most that a validator holds in the end.
    pub held: usize,
}

struct Schedule {
    draws: SplitMix,
    nodes: Vec<Dag>,
    /// What can arrive, in no order.
    open: Vec<(usize, Arc<ChainMessage>)>,
    held: VecDeque<(usize, Arc<ChainMessage>)>,
    /// Timers by which rounds are given up.
    timers: VecDeque<(usize, Round)>,
    victim: Victim,
}

/// Whose vertex a message is about.
fn author(message: &ChainMessage) -> u32 {
    match message {
        ChainMessage::VertexVote(vote) => vote.author,
        other => other.validator(),
    }
}

impl Schedule {
    fn feed(&mut self, node: usize, input: Input) {
        let mut outbox = Vec::new();
        self.nodes[node].step(0, input, &mut self.draws, &mut outbox);
        for output in outbox {
            match output {
                Output::GetValue { round, .. } => {
                    let value = fresh_value(&mut self.draws, Height::from(round), true);
                    self.feed(node, Input::Value { round, value });
                }
                Output::Broadcast(message) => {
                    for to in (0..self.nodes.len()).filter(|&to| to != node) {
                        self.send(to, &message);
                    }
                }
                Output::Send { to, message } => self.send(to as usize, &message),
                Output::Schedule { due: Due::Propose, round, .. } => {
                    self.feed(node, Input::Over { due: Due::Propose, round });
                }
                Output::Schedule { due: Due::Round, round, .. } => {
                    self.timers.push_back((node, round));
                }
                _ => {}
            }
        }
    }

    fn send(&mut self, to: usize, message: &Arc<ChainMessage>) {
        let sent = (to, Arc::clone(message));
        match (self.victim)(message.round()) == Some(author(message)) {
            true => self.held.push_back(sent),
            false => self.open.push(sent),
        }
    }
}

/// Runs validators until one of them enters this round.
pub fn run(seed: u64, anchors: Anchors, victim: Victim, rounds: Round) -> Ran {
    let mut draws = SplitMix(seed);
    let anchors = match anchors {
        Anchors::Coin(_) => Anchors::Coin(draws.0 ^ draws.below(u64::MAX)),
        turns => turns,
    };
    let (weights, depth) = (vec![1; NODES as usize], DEPTH);
    let config = Config { validator: 0, weights, anchors, wait_ns: 0, depth };
    let nodes = (0..NODES).map(|validator| Dag::new(Config { validator, ..config.clone() }));
    let (open, held, timers) = (Vec::new(), VecDeque::new(), VecDeque::new());
    let mut world = Schedule { draws, nodes: nodes.collect(), open, held, timers, victim };
    (0..NODES as usize).for_each(|node| world.feed(node, Input::Start));
    let last = |world: &Schedule| world.nodes.iter().map(Dag::round).max().unwrap_or(0);
    while last(&world) < rounds {
        if !world.open.is_empty() {
            let index = world.draws.below(world.open.len() as u64) as usize;
            let (to, message) = world.open.swap_remove(index);
            world.feed(to, Input::Message { message, valid: true });
        } else if let Some((node, round)) = world.timers.pop_front() {
            world.feed(node, Input::Over { due: Due::Round, round });
        } else if let Some((to, message)) = world.held.pop_front() {
            world.feed(to, Input::Message { message, valid: true });
        } else {
            break;
        }
    }
    let round = last(&world);
    let count = |node: &Dag, name: &str| {
        node.counts().iter().filter(|(clause, _)| clause == name).map(|(_, n)| n).sum::<u64>()
    };
    let direct = world.nodes.iter().map(|node| count(node, "DecideDirectly")).max().unwrap_or(0);
    let decided = world.nodes.iter().map(Dag::decided).max().unwrap_or(0);
    let held = world.nodes.iter().map(Dag::held).max().unwrap_or(0);
    Ran { round, waves: round.saturating_sub(3) / 2, direct, decided, held }
}
