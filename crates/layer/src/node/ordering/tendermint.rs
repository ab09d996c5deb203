//! All nodes vote: [`crate::consensus::tendermint`].

use serde::{Deserialize, Serialize};

use super::{
    AdaptiveTimeouts, Engine, EngineLog, Equivocation, Input, Output, Pace, Wait, WaitKind,
};
use crate::consensus::tendermint::{self, Step, Tendermint, Timeout, Timeouts};
use crate::machine::{Draws, Machine};
use crate::message::{Statement, VoteType};
use crate::units::{Digest, Height, NodeId, Ns, Round, Weight};

/// Timeouts and sizes. All nodes with weight are validators.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Wait after a decision before the next height.
    pub timeout_commit_ns: Ns,
    /// timeoutPropose of round 0, in ns.
    pub timeout_propose_ns: Ns,
    /// Growth per round.
    pub timeout_propose_delta_ns: Ns,
    /// timeoutPrevote(0) and timeoutPrecommit(0)
    pub timeout_vote_ns: Ns,
    /// Growth per round.
    pub timeout_vote_delta_ns: Ns,
    /// Most messages in a block.
    pub block_messages_max: u32,
    /// Most bytes in a block.
    pub block_bytes_max: u32,
    /// A node without progress for this long sends its latest proposal and votes again.
    pub rebroadcast_ns: Ns,
    /// Whether block time and timeouts follow the measured congestion.
    pub adaptive: bool,
    /// How far, if they do.
    pub adaptive_timeouts: AdaptiveTimeouts,
}

pub(super) fn engine(config: Config, id: NodeId, weights: &[Weight]) -> Box<dyn Engine> {
    Box::new(Voted::new(id, weights, config))
}

impl Config {
    fn timeouts(&self) -> Timeouts {
        Timeouts {
            propose_ns: self.timeout_propose_ns,
            propose_delta_ns: self.timeout_propose_delta_ns,
            prevote_ns: self.timeout_vote_ns,
            prevote_delta_ns: self.timeout_vote_delta_ns,
            precommit_ns: self.timeout_vote_ns,
            precommit_delta_ns: self.timeout_vote_delta_ns,
            commit_ns: self.timeout_commit_ns,
        }
    }
}

/// A validator's part.
#[derive(Clone, Debug)]
pub struct Voted {
    machine: Tendermint,
    validator: tendermint::Config,
    config: Config,
    outbox: Vec<tendermint::Output>,
}

impl Voted {
    /// Validator `id` among nodes of these weights, before its start.
    pub fn new(id: NodeId, weights: &[Weight], config: Config) -> Voted {
        let validator = tendermint::Config {
            validator: id,
            weights: weights.to_vec(),
            timeouts: config.timeouts(),
        };
        Voted { machine: Tendermint::new(validator.clone()), validator, config, outbox: Vec::new() }
    }

    fn ask(&self, output: tendermint::Output) -> Output {
        match output {
            tendermint::Output::GetValue { height, round } => Output::Peek {
                height,
                round,
                base: None,
                after: Vec::new(),
                messages_max: self.config.block_messages_max,
                bytes_max: self.config.block_bytes_max,
            },
            tendermint::Output::Propose(proposal) => Output::Propose(proposal),
            tendermint::Output::Vote(vote) => Output::Vote(vote),
            tendermint::Output::Schedule { timeout, after_ns } => {
                Output::Schedule { wait: wait(timeout), after_ns }
            }
            tendermint::Output::Decide { round, value, .. } => {
                Output::Decide { hash: value, round }
            }
            tendermint::Output::Equivocation { validator, height, round } => {
                Output::Equivocation(Equivocation { height, round, validator })
            }
        }
    }
}

fn wait(timeout: Timeout) -> Wait {
    let what = match timeout.step {
        Step::Propose => WaitKind::Proposal,
        Step::Prevote => WaitKind::Votes(VoteType::Prevote),
        Step::Precommit => WaitKind::Votes(VoteType::Precommit),
        Step::Commit => WaitKind::NextHeight,
    };
    Wait { what, height: timeout.height, round: timeout.round }
}

fn timeout(wait: Wait) -> Option<Timeout> {
    let step = match wait.what {
        WaitKind::Batch => return None,
        WaitKind::Proposal => Step::Propose,
        WaitKind::Votes(VoteType::Prevote) => Step::Prevote,
        WaitKind::Votes(VoteType::Precommit) => Step::Precommit,
        WaitKind::NextHeight => Step::Commit,
    };
    Some(Timeout { step, height: wait.height, round: wait.round })
}

impl Engine for Voted {
    fn step(&mut self, now: Ns, input: Input, draws: &mut dyn Draws, out: &mut Vec<Output>) {
        let input = match input {
            Input::Start => tendermint::Input::Start,
            Input::Made { height, round, value } => {
                tendermint::Input::Value { height, round, value }
            }
            Input::Proposal { proposal, valid } => tendermint::Input::Proposal { proposal, valid },
            Input::Vote(vote) => tendermint::Input::Vote(vote),
            Input::Fetched { height, hash, .. } => {
                out.push(Output::Decide { hash, round: 0 });
                tendermint::Input::CatchUp { height, value: hash }
            }
            Input::Waited(wait) => match timeout(wait) {
                Some(timeout) => tendermint::Input::Timeout(timeout),
                None => return,
            },
            Input::Waiting { .. }
            | Input::Taken(_)
            | Input::Sealed { .. }
            | Input::Chained { .. }
            | Input::Tick => return,
        };
        let mut outbox = std::mem::take(&mut self.outbox);
        self.machine.step(now, input, draws, &mut outbox);
        out.extend(outbox.drain(..).map(|output| self.ask(output)));
        self.outbox = outbox;
    }

    fn into_log(self: Box<Self>) -> Option<EngineLog> {
        Some(EngineLog::Tendermint(Box::new(self.machine.into_log())))
    }

    fn resume(&mut self, log: Option<EngineLog>, _height: Height, _hash: Digest) {
        let Some(EngineLog::Tendermint(log)) = log else {
            panic!("a validator restarts without its log")
        };
        self.machine = Tendermint::from_log(self.validator.clone(), *log);
    }

    fn proposes(&self) -> bool {
        true
    }

    fn proposer(&self, height: Height, round: Round) -> Option<NodeId> {
        Some(self.machine.proposer(height, round))
    }

    fn leads(&self) -> Option<bool> {
        let (height, round) = (self.machine.height(), self.machine.round());
        Some(self.machine.proposer(height, round) == self.validator.validator)
    }

    fn peeks(&self) -> bool {
        true
    }

    fn block_bytes_max(&self) -> Option<u32> {
        Some(self.config.block_bytes_max)
    }

    fn pace(&self) -> Option<Pace> {
        let Timeouts { commit_ns, propose_ns, .. } = self.machine.timeouts();
        Some(Pace {
            block_messages_max: self.config.block_messages_max,
            window_ns: commit_ns,
            propose_ns: Some(propose_ns),
        })
    }

    fn set_pace(&mut self, pace: Pace) {
        self.config.block_messages_max = pace.block_messages_max;
        let timeouts = self.machine.timeouts();
        self.machine.set_timeouts(Timeouts {
            commit_ns: pace.window_ns,
            propose_ns: pace.propose_ns.unwrap_or(timeouts.propose_ns),
            ..timeouts
        });
    }

    fn adaptive(&self) -> Option<AdaptiveTimeouts> {
        self.config.adaptive.then_some(self.config.adaptive_timeouts)
    }

    /// A proposal brings a block, too.
    fn answer_ns(&self) -> Ns {
        self.config.timeout_propose_ns
    }

    fn rebroadcast_ns(&self) -> Option<Ns> {
        Some(self.config.rebroadcast_ns)
    }

    fn repeats(&self, all: bool) -> Vec<Statement> {
        let (proposals, votes) = if all {
            self.machine.known_messages()
        } else {
            let (proposal, votes) = self.machine.own_messages();
            (Vec::from_iter(proposal), votes)
        };
        let proposals = proposals.into_iter().map(Statement::Proposal);
        proposals.chain(votes.into_iter().map(Statement::Vote)).collect()
    }

    fn lacks(&self, statement: &Statement) -> bool {
        self.machine.lacks(statement)
    }

    /// How often each line of Algorithm 1 fired.
    fn counters(&self) -> Vec<(String, u64)> {
        self.machine.fired().iter().map(|(line, times)| (format!("{line:?}"), *times)).collect()
    }
}
