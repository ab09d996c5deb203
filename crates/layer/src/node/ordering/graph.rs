//! Engines that order a graph of vertices: what [`tusk`](super::tusk) and
//! [`bullshark`](super::bullshark) have in common.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Engine, EngineLog, Equivocation, Input, Output, Pace, Wait, chained};
use crate::chained::ChainMessage;
use crate::consensus::dag::{self, Anchors, Dag};
use crate::machine::{Draws, Machine};
use crate::message::Statement;
use crate::units::{Digest, Height, NodeId, Ns, Round, Weight};

/// Times and sizes. All nodes with weight are validators.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// A validator's wait in a round before it makes its vertex.
    pub propose_wait_ns: Ns,
    /// Most messages in a vertex.
    pub block_messages_max: u32,
    /// Most bytes in a vertex.
    pub block_bytes_max: u32,
    /// Rounds that are kept below the last decided anchor.
    pub depth_rounds: Round,
    /// A node asks for missing vertices after this long, and without progress sends its own again.
    pub rebroadcast_ns: Ns,
    /// Tusk: with what the keys of the coin were dealt.
    #[serde(skip)]
    pub coin_seed: u64,
}

/// A node's part.
#[derive(Clone, Debug)]
pub(super) struct Graph {
    machine: Dag,
    config: Config,
    outbox: Vec<dag::Output>,
}

impl Graph {
    /// Validator `id` among nodes of these weights, before its start.
    pub(super) fn new(id: NodeId, weights: &[Weight], anchors: Anchors, config: Config) -> Graph {
        let machine = Dag::new(dag::Config {
            validator: id,
            weights: weights.to_vec(),
            anchors,
            wait_ns: config.propose_wait_ns,
            depth: config.depth_rounds,
        });
        Graph { machine, config, outbox: Vec::new() }
    }

    fn ask(&self, output: dag::Output) -> Output {
        match output {
            dag::Output::GetValue { round, base, after } => Output::Peek {
                height: Height::from(round),
                round,
                base: Some(base),
                after,
                messages_max: self.config.block_messages_max,
                bytes_max: self.config.block_bytes_max,
            },
            dag::Output::Broadcast(message) => Output::Chained { to: None, message },
            dag::Output::Send { to, message } => Output::Chained { to: Some(to), message },
            dag::Output::Ask { to, vertices } => Output::Ask { to, vertices },
            dag::Output::Schedule { due, round, after_ns } => {
                let (height, what) = (self.machine.decided() + 1, chained::wait_kind(due));
                Output::Schedule { wait: Wait { what, height, round }, after_ns }
            }
            dag::Output::Decide { values, graph, failed } => {
                Output::Assemble { values, graph, round: failed }
            }
            dag::Output::Forget(values) => Output::Forget(values),
            dag::Output::Equivocation { validator, round } => {
                Output::Equivocation(Equivocation { height: Height::from(round), round, validator })
            }
        }
    }
}

impl Engine for Graph {
    fn step(&mut self, now: Ns, input: Input, draws: &mut dyn Draws, out: &mut Vec<Output>) {
        let input = match input {
            Input::Start => dag::Input::Start,
            Input::Made { round, value, .. } => dag::Input::Value { round, value },
            Input::Chained { message, valid } => dag::Input::Message { message, valid },
            Input::Fetched { hash, graph: Some(graph), .. } => {
                out.push(Output::Decide { hash, round: 0 });
                dag::Input::CatchUp(graph)
            }
            Input::Waited(Wait { what, round, .. }) => match chained::due(what) {
                Some(due) => dag::Input::Over { due, round },
                None => return,
            },
            Input::Tick => dag::Input::Tick,
            Input::Fetched { .. }
            | Input::Waiting { .. }
            | Input::Taken(_)
            | Input::Sealed { .. }
            | Input::Proposal { .. }
            | Input::Vote(_) => return,
        };
        let mut outbox = std::mem::take(&mut self.outbox);
        self.machine.step(now, input, draws, &mut outbox);
        out.extend(outbox.drain(..).map(|output| self.ask(output)));
        self.outbox = outbox;
    }

    fn into_log(self: Box<Self>) -> Option<EngineLog> {
        Some(EngineLog::Graph(Box::new(self.machine)))
    }

    fn resume(&mut self, log: Option<EngineLog>, _height: Height, _hash: Digest) {
        let Some(EngineLog::Graph(machine)) = log else {
            panic!("a validator restarts with its log")
        };
        self.machine = *machine;
        self.machine.forget_counts();
    }

    fn proposes(&self) -> bool {
        true
    }

    fn leads(&self) -> Option<bool> {
        Some(self.machine.leader()? == self.machine.validator())
    }

    fn peeks(&self) -> bool {
        true
    }

    fn spreads(&self) -> bool {
        false
    }

    fn forgets(&self) -> bool {
        true
    }

    fn vertices(&self, asked: &[(Round, u32)]) -> Vec<Arc<ChainMessage>> {
        self.machine.vertices(asked)
    }

    fn block_bytes_max(&self) -> Option<u32> {
        Some(self.config.block_bytes_max)
    }

    fn pace(&self) -> Option<Pace> {
        let (block_messages_max, window_ns) =
            (self.config.block_messages_max, self.machine.wait_ns());
        Some(Pace { block_messages_max, window_ns, propose_ns: None })
    }

    fn set_pace(&mut self, pace: Pace) {
        self.config.block_messages_max = pace.block_messages_max;
        self.machine.set_wait_ns(pace.window_ns);
    }

    /// As long as what is missing is waited for.
    fn answer_ns(&self) -> Ns {
        self.config.rebroadcast_ns
    }

    fn rebroadcast_ns(&self) -> Option<Ns> {
        Some(self.config.rebroadcast_ns)
    }

    fn repeats(&self, _all: bool) -> Vec<Statement> {
        self.machine.own_messages().into_iter().map(Statement::Chained).collect()
    }

    fn lacks(&self, statement: &Statement) -> bool {
        match statement {
            Statement::Chained(message) => self.machine.lacks(message),
            Statement::Vote(_) | Statement::Proposal(_) => false,
        }
    }

    fn counters(&self) -> Vec<(String, u64)> {
        self.machine.counts()
    }
}
