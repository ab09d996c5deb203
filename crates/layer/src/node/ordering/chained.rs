//! Engines whose blocks grow on parents that are not decided: what
//! [`hotstuff`](super::hotstuff) and [`simplex`](super::simplex) have in common.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Engine, EngineLog, Equivocation, Input, Output, Pace, Wait, WaitKind};
use crate::consensus::chain::{self, ChainLog, Due, RoundTimes};
use crate::machine::Draws;
use crate::message::Statement;
use crate::units::{Digest, Height, NodeId, Ns, Round, Weight};

/// Times and sizes. All nodes with weight are validators.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// A leader's wait before it proposes.
    pub propose_wait_ns: Ns,
    /// How long a round lasts beyond that, at most, while blocks are decided.
    pub timeout_round_ns: Ns,
    /// Growth per round without a decision.
    pub timeout_round_delta_ns: Ns,
    /// Most messages in a block.
    pub block_messages_max: u32,
    /// Most bytes in a block.
    pub block_bytes_max: u32,
    /// A node without progress for this long sends its statements of the round and its proposals again.
    pub rebroadcast_ns: Ns,
}

/// A protocol of this kind.
pub(super) trait Protocol: chain::Chained {
    /// Its log among those of all engines.
    fn wrap(log: Box<ChainLog<Self>>) -> EngineLog;

    /// The log, if it is of this protocol.
    fn unwrap(log: EngineLog) -> Option<Box<ChainLog<Self>>>;
}

/// A validator's part.
#[derive(Clone, Debug)]
pub(super) struct Chained<M> {
    machine: M,
    validator: chain::Config,
    config: Config,
    outbox: Vec<chain::Output>,
}

impl<M: Protocol> Chained<M> {
    /// Validator `id` among nodes of these weights, before its start.
    pub(super) fn new(id: NodeId, weights: &[Weight], config: Config) -> Chained<M> {
        let times = RoundTimes {
            wait_ns: config.propose_wait_ns,
            timeout_ns: config.timeout_round_ns,
            delta_ns: config.timeout_round_delta_ns,
        };
        let validator = chain::Config { validator: id, weights: weights.to_vec(), times };
        Chained { machine: M::new(validator.clone()), validator, config, outbox: Vec::new() }
    }

    fn ask(&self, output: chain::Output) -> Output {
        match output {
            chain::Output::GetValue { height, round, after } => Output::Peek {
                height,
                round,
                base: None,
                after,
                messages_max: self.config.block_messages_max,
                bytes_max: self.config.block_bytes_max,
            },
            chain::Output::Broadcast(message) => Output::Chained { to: None, message },
            chain::Output::Send { to, message } => Output::Chained { to: Some(to), message },
            chain::Output::Schedule { due, round, after_ns } => {
                // A round's timer counts among those of the height that is to be decided.
                let (height, what) = (self.machine.decided() + 1, wait_kind(due));
                Output::Schedule { wait: Wait { what, height, round }, after_ns }
            }
            chain::Output::Decide { failed, value, .. } => {
                Output::Decide { hash: value, round: failed }
            }
            chain::Output::Equivocation { validator, height, round } => {
                Output::Equivocation(Equivocation { height, round, validator })
            }
        }
    }
}

/// A leader proposes when it has executed what is decided.
pub(super) fn wait_kind(due: Due) -> WaitKind {
    match due {
        Due::Propose => WaitKind::NextHeight,
        Due::Round => WaitKind::Proposal,
    }
}

pub(super) fn due(what: WaitKind) -> Option<Due> {
    match what {
        WaitKind::NextHeight => Some(Due::Propose),
        WaitKind::Proposal => Some(Due::Round),
        WaitKind::Batch | WaitKind::Votes(_) => None,
    }
}

impl<M: Protocol> Engine for Chained<M> {
    fn step(&mut self, now: Ns, input: Input, draws: &mut dyn Draws, out: &mut Vec<Output>) {
        let input = match input {
            Input::Start => chain::Input::Start,
            Input::Made { round, value, .. } => chain::Input::Value { round, value },
            Input::Chained { message, valid } => chain::Input::Message { message, valid },
            Input::Fetched { height, hash, .. } => {
                out.push(Output::Decide { hash, round: 0 });
                chain::Input::CatchUp { height, value: hash }
            }
            Input::Waited(Wait { what, round, .. }) => match due(what) {
                Some(due) => chain::Input::Over { due, round },
                None => return,
            },
            Input::Waiting { .. }
            | Input::Taken(_)
            | Input::Sealed { .. }
            | Input::Proposal { .. }
            | Input::Vote(_)
            | Input::Tick => return,
        };
        let mut outbox = std::mem::take(&mut self.outbox);
        self.machine.step(now, input, draws, &mut outbox);
        out.extend(outbox.drain(..).map(|output| self.ask(output)));
        self.outbox = outbox;
    }

    fn into_log(self: Box<Self>) -> Option<EngineLog> {
        Some(M::wrap(Box::new(self.machine.into_log())))
    }

    fn resume(&mut self, log: Option<EngineLog>, _height: Height, _hash: Digest) {
        let log = log.and_then(M::unwrap).expect("a validator restarts with its log");
        self.machine = M::from_log(self.validator.clone(), *log);
    }

    fn proposes(&self) -> bool {
        true
    }

    fn proposer(&self, _height: Height, round: Round) -> Option<NodeId> {
        Some(self.machine.leader(round))
    }

    fn leads(&self) -> Option<bool> {
        Some(self.machine.leader(self.machine.round()) == self.validator.validator)
    }

    fn peeks(&self) -> bool {
        true
    }

    fn overlaps(&self) -> bool {
        true
    }

    fn block_bytes_max(&self) -> Option<u32> {
        Some(self.config.block_bytes_max)
    }

    fn pace(&self) -> Option<Pace> {
        let RoundTimes { wait_ns, timeout_ns, .. } = self.machine.times();
        Some(Pace {
            block_messages_max: self.config.block_messages_max,
            window_ns: wait_ns,
            propose_ns: Some(timeout_ns),
        })
    }

    fn set_pace(&mut self, pace: Pace) {
        self.config.block_messages_max = pace.block_messages_max;
        let times = self.machine.times();
        self.machine.set_times(RoundTimes {
            wait_ns: pace.window_ns,
            timeout_ns: pace.propose_ns.unwrap_or(times.timeout_ns),
            ..times
        });
    }

    /// A proposal brings a block, too.
    fn answer_ns(&self) -> Ns {
        self.config.timeout_round_ns
    }

    fn rebroadcast_ns(&self) -> Option<Ns> {
        Some(self.config.rebroadcast_ns)
    }

    fn repeats(&self, all: bool) -> Vec<Statement> {
        let messages =
            if all { self.machine.known_messages() } else { self.machine.own_messages() };
        messages.into_iter().map(Statement::Chained).collect()
    }

    fn lacks(&self, statement: &Statement) -> bool {
        match statement {
            Statement::Chained(message) => self.machine.lacks(Arc::as_ref(message)),
            Statement::Vote(_) | Statement::Proposal(_) => false,
        }
    }

    /// How often each clause of the protocol applied.
    fn counters(&self) -> Vec<(String, u64)> {
        self.machine.counts()
    }
}
