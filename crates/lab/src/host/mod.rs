//! The host of a node: servers, service times, slowness and crashes.
//!
//! # Rules
//! 1. A node requests work ([`Task`]); its host draws the service time ([`Service`]) from its own
//!    stream, and the world hands the completion back after that time.
//! 2. A host affects its node as a machine affects a process: it slows down ([`Host::slow_down`]),
//!    crashes and loses its memory ([`Host::crash`]), and restarts ([`Host::restart`]). A corrupt
//!    keyper withholds or delays its shares ([`Shares`]).
//! 3. Servers' working time is measured exactly ([`Busy`]).
//!
//! Validation without service time completes at once ([`Host::finished`]), without an event.

mod busy;
mod service;

use std::collections::BTreeMap;
use std::sync::Arc;

use surgetank_layer::machine::Machine;
use surgetank_layer::node::{Done, Input, Node, Output, Task, Timer};
use surgetank_layer::units::Ns;

use crate::seed::Stream;
pub use busy::Busy;
use service::Times;
pub use service::{Distribution, Service};

/// Events that a host awaits for its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// A timer that the node has set.
    Timer(Timer),
    /// Completion of work.
    Done(Done),
}

/// Conduct of a keyper with its shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shares {
    /// Sent as soon as they are made.
    Prompt,
    /// Sent after this added delay, in ns.
    Late(Ns),
    /// Not sent.
    Never,
}

/// Time that a host's servers have worked, in ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusyTimes {
    /// Time on clients' messages, in ns.
    pub validation: Ns,
    /// Time on consensus messages, in ns.
    pub verification: Ns,
    /// Time on blocks, in ns.
    pub execution: Ns,
}

/// A node and its host.
pub struct Host {
    /// The node's process.
    pub node: Node,
    draws: Stream,
    service: Service,
    times: Times,
    slow: f64,
    shares: Shares,
    up: bool,
    epoch: u32,
    validation: Busy,
    verification: Busy,
    execution: Busy,
    finished: Option<Done>,
    /// Counters of the engines of processes that died.
    counted: BTreeMap<String, u64>,
}

impl Host {
    /// A host before its start. The node draws from `draws`, its service times come from
    /// `service_draws`.
    pub fn new(node: Node, service: Service, draws: Stream, service_draws: Stream) -> Host {
        Host {
            node,
            draws,
            times: Times::new(service.distribution, service_draws),
            service,
            slow: 1.0,
            shares: Shares::Prompt,
            up: true,
            epoch: 0,
            validation: Busy::default(),
            verification: Busy::default(),
            execution: Busy::default(),
            finished: None,
            counted: BTreeMap::new(),
        }
    }

    /// Counters of the engine over all processes: of Tendermint, how often each line of Algorithm 1
    /// fired.
    pub fn counters(&self) -> BTreeMap<String, u64> {
        let mut counted = self.counted.clone();
        for (line, times) in self.node.engine().counters() {
            *counted.entry(line).or_insert(0) += times;
        }
        counted
    }

    /// Steps the node with one input.
    #[inline]
    pub fn step(&mut self, now: Ns, input: Input, out: &mut Vec<Output>) {
        if let Input::Done(done) = &input {
            match done {
                Done::Validated(_) => self.validation.end(now),
                Done::Verified => self.verification.end(now),
                Done::Executed => self.execution.end(now),
                Done::ShareMade { .. } => {}
            }
        }
        self.node.step(now, input, &mut self.draws, out);
    }

    /// Begins work; returns its service time, `None` if it completes at once.
    #[inline]
    pub fn begin(&mut self, now: Ns, task: &Task) -> Option<Ns> {
        match task {
            Task::Validate(work) => {
                self.validation.begin(now);
                let mean = self.service.means.validation_ns[work.envelope.class as usize];
                let span = self.times.sample(mean, self.slow);
                if span == 0 {
                    self.finished = Some(task.done());
                    return None;
                }
                Some(span)
            }
            Task::Verify(class) => {
                self.verification.begin(now);
                let mean = self.service.means.validation_ns[*class as usize];
                Some(self.times.sample(mean, self.slow))
            }
            Task::Execute(block) => {
                self.execution.begin(now);
                let mut span = self.service.decryption_ns * block.entries.len() as Ns;
                for entry in &block.entries {
                    let mean = self.service.means.execution_ns[entry.envelope.class as usize];
                    span += self.times.sample(mean, self.slow);
                }
                Some(span)
            }
            Task::MakeShare { .. } => match self.shares {
                Shares::Prompt => Some(self.service.share_ns),
                Shares::Late(extra) => Some(self.service.share_ns + extra),
                Shares::Never => None,
            },
        }
    }

    /// Service times without faults.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// Mean service time without faults.
    pub fn usual_ns(&self, task: &Task) -> Ns {
        let means = &self.service.means;
        match task {
            Task::Validate(work) => means.validation_ns[work.envelope.class as usize],
            Task::Verify(class) => means.validation_ns[*class as usize],
            Task::Execute(block) => {
                let of = |class| means.execution_ns[class as usize] + self.service.decryption_ns;
                block.entries.iter().map(|entry| of(entry.envelope.class)).sum()
            }
            Task::MakeShare { .. } => self.service.share_ns,
        }
    }

    /// Work that completed at once, to be handed to the node now.
    #[inline]
    pub fn finished(&mut self) -> Option<Done> {
        self.finished.take()
    }

    /// Multiplies service times by `factor` from now on.
    pub fn slow_down(&mut self, factor: f64) {
        self.slow = factor;
    }

    /// Sets the conduct of this node's keyper.
    pub fn deliver_shares(&mut self, shares: Shares) {
        self.shares = shares;
    }

    /// Stops the host. State in memory is lost: `next` is a node of the same configuration, which
    /// continues on what this one left on disk, and builds blocks by the same policy. Earlier timers
    /// and work are void ([`Host::epoch`]).
    pub fn crash(&mut self, now: Ns, next: Node) {
        self.up = false;
        self.epoch += 1;
        self.validation.stop(now);
        self.verification.stop(now);
        self.execution.stop(now);
        self.counted = self.counters();
        let before = std::mem::replace(&mut self.node, next);
        self.node.set_builder(Arc::clone(before.builder()));
        self.node.recover(before.into_disk(now));
    }

    /// Starts the host again. Step [`Input::Start`] next, for the new process.
    pub fn restart(&mut self) {
        self.up = true;
    }

    /// Whether the host is up.
    pub fn is_up(&self) -> bool {
        self.up
    }

    /// Number of crashes: work begun in an earlier epoch does not complete.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Time that its servers have worked, each station's summed over its servers.
    pub fn busy_ns(&self, now: Ns) -> BusyTimes {
        BusyTimes {
            validation: self.validation.total_ns(now),
            verification: self.verification.total_ns(now),
            execution: self.execution.total_ns(now),
        }
    }
}
