//! A host whose work takes fixed times.

use surgetank_layer::machine::{Draws, Machine};
use surgetank_layer::node::ordering::tendermint;
use surgetank_layer::node::{AdaptiveTimeouts, Costs, Input, Node, Ordering, Output, Span, Task};
use surgetank_layer::units::{Ns, SECOND};

struct NoDraws;

impl Draws for NoDraws {
    fn next_u64(&mut self) -> u64 {
        unreachable!("flooding draws nothing")
    }
}

/// How long work takes; what a node declares as its means.
#[derive(Clone, Copy)]
pub struct Times {
    pub validation_ns: Ns,
    pub execution_ns: Ns,
}

impl Times {
    pub fn costs(&self) -> Costs {
        Costs { validation_ns: [self.validation_ns; 8], execution_ns: [self.execution_ns; 8] }
    }

    /// Steps a node. Validation that takes no time is over within the step.
    pub fn step(&self, node: &mut Node, now: Ns, input: Input) -> Vec<Output> {
        let (mut out, mut at) = (Vec::new(), 0);
        node.step(now, input, &mut NoDraws, &mut out);
        while at < out.len() {
            match &out[at] {
                Output::Work(task @ Task::Validate(_)) if self.validation_ns == 0 => {
                    let done = task.done();
                    out.remove(at);
                    node.step(now, Input::Done(done), &mut NoDraws, &mut out);
                }
                _ => at += 1,
            }
        }
        out
    }

    /// What comes back after which time: timers, and the end of work.
    pub fn due(&self, out: &[Output]) -> Vec<(Ns, Input)> {
        let due = |output: &Output| match output {
            Output::After(span, timer) => Some((*span, Input::Timer(*timer))),
            Output::Work(task) => Some((self.takes_ns(task), Input::Done(task.done()))),
            _ => None,
        };
        out.iter().filter_map(due).collect()
    }

    fn takes_ns(&self, task: &Task) -> Ns {
        match task {
            Task::Validate(_) | Task::Verify(_) => self.validation_ns,
            Task::Execute(block) => self.execution_ns * block.entries.len() as Ns,
            Task::MakeShare { .. } => 0,
        }
    }
}

/// Tendermint with timeouts of a second that do not grow.
pub fn tendermint(timeout_commit_ns: Ns, block_messages_max: u32) -> Ordering {
    let span = Span { least: 0, most: SECOND };
    let unused = AdaptiveTimeouts { commit: span, propose: span, throttle_ns: 0 };
    Ordering::Tendermint(config(timeout_commit_ns, block_messages_max, unused))
}

/// The same, with timeouts that adapt.
pub fn adaptive_tendermint(
    timeout_commit_ns: Ns,
    block_messages_max: u32,
    timeouts: AdaptiveTimeouts,
) -> Ordering {
    let fixed = config(timeout_commit_ns, block_messages_max, timeouts);
    Ordering::Tendermint(tendermint::Config { adaptive: true, ..fixed })
}

fn config(
    timeout_commit_ns: Ns,
    block_messages_max: u32,
    adaptive_timeouts: AdaptiveTimeouts,
) -> tendermint::Config {
    tendermint::Config {
        timeout_commit_ns,
        timeout_propose_ns: SECOND,
        timeout_propose_delta_ns: 0,
        timeout_vote_ns: SECOND,
        timeout_vote_delta_ns: 0,
        block_messages_max,
        block_bytes_max: 10_000,
        rebroadcast_ns: SECOND,
        adaptive: false,
        adaptive_timeouts,
    }
}
