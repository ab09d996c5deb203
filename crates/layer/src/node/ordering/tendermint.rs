//! All nodes vote: [`crate::consensus::tendermint`].

use super::{Awaited, Engine, Input, Output, Pace, Wait};
use crate::consensus::tendermint::{self, Config, Step, Tendermint, Timeout, Timeouts};
use crate::machine::{Draws, Machine};
use crate::message::{Statement, VoteType};
use crate::units::{Height, NodeId, Ns, Round};

/// A validator's part.
#[derive(Clone, Debug)]
pub struct Voted {
    machine: Tendermint,
    block_messages_max: u32,
    block_bytes_max: u32,
    rebroadcast_ns: Ns,
    outbox: Vec<tendermint::Output>,
}

impl Voted {
    /// A validator before its start. Blocks have at most so many messages and bytes.
    pub fn new(config: Config, (messages_max, bytes_max): (u32, u32), rebroadcast_ns: Ns) -> Voted {
        Voted {
            machine: Tendermint::new(config),
            block_messages_max: messages_max,
            block_bytes_max: bytes_max,
            rebroadcast_ns,
            outbox: Vec::new(),
        }
    }

    fn ask(&self, output: tendermint::Output) -> Output {
        match output {
            tendermint::Output::GetValue { height, round } => Output::Peek {
                height,
                round,
                messages_max: self.block_messages_max,
                bytes_max: self.block_bytes_max,
            },
            tendermint::Output::Propose(proposal) => Output::Propose(proposal),
            tendermint::Output::Vote(vote) => Output::Vote(vote),
            tendermint::Output::Schedule { timeout, after_ns } => {
                Output::Schedule { wait: wait(timeout), after_ns }
            }
            tendermint::Output::Decide { round, value, .. } => {
                Output::Decide { hash: value, round }
            }
            tendermint::Output::Equivocation { validator, .. } => Output::Equivocation(validator),
        }
    }
}

fn wait(timeout: Timeout) -> Wait {
    let what = match timeout.step {
        Step::Propose => Awaited::Proposal,
        Step::Prevote => Awaited::Votes(VoteType::Prevote),
        Step::Precommit => Awaited::Votes(VoteType::Precommit),
        Step::Commit => Awaited::NextHeight,
    };
    Wait { what, height: timeout.height, round: timeout.round }
}

fn timeout(wait: Wait) -> Option<Timeout> {
    let step = match wait.what {
        Awaited::Batch => return None,
        Awaited::Proposal => Step::Propose,
        Awaited::Votes(VoteType::Prevote) => Step::Prevote,
        Awaited::Votes(VoteType::Precommit) => Step::Precommit,
        Awaited::NextHeight => Step::Commit,
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
            Input::Waiting { .. } | Input::Taken(_) | Input::Sealed { .. } => return,
        };
        let mut outbox = std::mem::take(&mut self.outbox);
        self.machine.step(now, input, draws, &mut outbox);
        out.extend(outbox.drain(..).map(|output| self.ask(output)));
        self.outbox = outbox;
    }

    fn proposes(&self) -> bool {
        true
    }

    fn proposer(&self, height: Height, round: Round) -> Option<NodeId> {
        Some(self.machine.proposer(height, round))
    }

    fn peeks(&self) -> bool {
        true
    }

    fn pace(&self) -> Option<Pace> {
        let Timeouts { commit_ns, propose_ns, .. } = self.machine.timeouts();
        Some(Pace {
            block_messages_max: self.block_messages_max,
            window_ns: commit_ns,
            propose_ns: Some(propose_ns),
        })
    }

    fn set_pace(&mut self, pace: Pace) {
        self.block_messages_max = pace.block_messages_max;
        let timeouts = self.machine.timeouts();
        self.machine.set_timeouts(Timeouts {
            commit_ns: pace.window_ns,
            propose_ns: pace.propose_ns.unwrap_or(timeouts.propose_ns),
            ..timeouts
        });
    }

    fn rebroadcast_ns(&self) -> Option<Ns> {
        Some(self.rebroadcast_ns)
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
