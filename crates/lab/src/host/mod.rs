//! The machine that a node runs on: servers, how long they take, what slows or stops them.
//!
//! # Rules
//! 1. A node says what work is to be done ([`Task`]); its host draws how long that takes
//!    ([`Service`]) from a stream of its own, and the world hands the answer back after that time.
//! 2. What a host does to its node is what a machine can do to a process: it works more slowly
//!    ([`Host::slow_down`]), it stops and loses what was in memory ([`Host::crash`]), it starts
//!    again ([`Host::restart`]). A corrupt keyper withholds or delays its shares ([`Shares`]).
//! 3. Servers' working time is measured exactly ([`Busy`]).
//!
//! Validation that takes no time is over at once ([`Host::finished`]): no event is spent on it.

mod busy;
mod service;

use surgetank_layer::machine::Machine;
use surgetank_layer::node::{Done, Input, Node, Output, Task, Timer};
use surgetank_layer::units::Ns;

use crate::seed::Stream;
pub use busy::Busy;
use service::Times;
pub use service::{Distribution, Service};

/// What a host waits for on behalf of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// A timer that the node has set.
    Timer(Timer),
    /// The end of work.
    Done(Done),
}

/// How a keyper's shares come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shares {
    /// As soon as they are made.
    Prompt,
    /// So much later.
    Late(Ns),
    /// Not at all.
    Never,
}

/// Time that a host's servers have worked, in ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusyTimes {
    /// Clients' messages.
    pub validation: Ns,
    /// Messages of consensus.
    pub verification: Ns,
    /// Blocks.
    pub execution: Ns,
}

/// A node and the machine it runs on.
pub struct Host {
    /// The process.
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
}

impl Host {
    /// A host at rest. The node draws from `draws`, its service times come from `service_draws`.
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
        }
    }

    /// Something happens to the node.
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

    /// Work begins: how long it will take, `None` if there is nothing to wait for.
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

    /// How long work takes without faults.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// How long work takes on average on a machine that nothing slows down.
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

    /// Work that was over as soon as it had begun: to be handed to the node in this moment.
    #[inline]
    pub fn finished(&mut self) -> Option<Done> {
        self.finished.take()
    }

    /// From now on work takes `factor` times as long.
    pub fn slow_down(&mut self, factor: f64) {
        self.slow = factor;
    }

    /// From now on this node's shares of keys come so.
    pub fn deliver_shares(&mut self, shares: Shares) {
        self.shares = shares;
    }

    /// The machine stops. What was only in memory is lost: the node is what the next process will
    /// find on disk. Timers and work of before do not come back ([`Host::epoch`]).
    pub fn crash(&mut self, now: Ns) {
        self.up = false;
        self.epoch += 1;
        self.validation.stop(now);
        self.verification.stop(now);
        self.execution.stop(now);
        self.node.recover();
    }

    /// It runs again. Step [`Input::Start`]: a new process begins.
    pub fn restart(&mut self) {
        self.up = true;
    }

    /// Whether it runs.
    pub fn is_up(&self) -> bool {
        self.up
    }

    /// How often it has crashed: what was begun in an earlier epoch is not finished.
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
