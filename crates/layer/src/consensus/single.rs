//! The single sequencer: one node orders, the others follow.
//!
//! Rules. Only the orderer's own node seals batches. Everyone decides them in height order, each
//! once, each linked to the one before by its hash. A follower requests the batches that it lacks.
//!
//! Theory of operation. There is nothing to agree on, hence no votes and one message delay; and
//! nothing is decided while the orderer is down, and a faulty orderer is only detected when its
//! chain breaks ([`Output::Broken`]).
//!
//! Source: the arrangement of centralised venues and of today's rollups; no paper.
//!
//! Departures: none. At most [`HELD_MAX`] batches ahead of a gap are held; the furthest are dropped
//! and requested again.

use std::collections::BTreeMap;

use crate::machine::{Draws, Machine};
use crate::units::{Digest, Height, Ns};

/// How many batches beyond a gap are held.
pub const HELD_MAX: usize = 1024;

/// Parameters of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Index of this node.
    pub node: u32,
    /// The node that orders.
    pub orderer: u32,
}

/// Events of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// This node's sequencer sealed a batch. Ignored unless this node is the orderer.
    Sealed {
        /// Height of the batch.
        height: Height,
        /// Hash of the batch.
        hash: Digest,
    },
    /// A batch of the orderer arrived; the node has checked its author.
    Batch {
        /// Height of the batch.
        height: Height,
        /// The hash of the batch before.
        prev: Digest,
        /// Hash of the batch.
        hash: Digest,
    },
}

/// Requests of the machine to its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// The batch is next in order.
    Decide {
        /// Height of the batch.
        height: Height,
        /// Hash of the batch.
        hash: Digest,
    },
    /// Batches are missing; request them from a peer.
    Missing {
        /// The first missing height.
        from_height: Height,
        /// The last missing height.
        to_height: Height,
    },
    /// The batch at this height does not link to the one before it. It is not accepted.
    Broken {
        /// Height of the batch.
        height: Height,
    },
}

/// A node's part in single-sequencer ordering.
#[derive(Clone, Debug)]
pub struct Single {
    config: Config,
    /// The last decided height and hash; height 0 and the zero hash before the first.
    height: Height,
    hash: Digest,
    /// (prev, hash) of batches beyond a gap.
    held: BTreeMap<Height, (Digest, Digest)>,
    /// The highest height known to exist.
    head: Height,
    /// The gap last requested.
    asked: Option<(Height, Height)>,
}

impl Single {
    /// A machine that has decided nothing.
    pub fn new(config: Config) -> Single {
        Single::resume(config, 0, Digest::default())
    }

    /// A machine that continues after a decided height.
    pub fn resume(config: Config, height: Height, hash: Digest) -> Single {
        Single { config, height, hash, held: BTreeMap::new(), head: height, asked: None }
    }

    /// Whether this node orders.
    pub fn is_orderer(&self) -> bool {
        self.config.node == self.config.orderer
    }

    /// The last decided height; 0 before the first.
    pub fn height(&self) -> Height {
        self.height
    }

    /// The hash of the last decided batch.
    pub fn hash(&self) -> Digest {
        self.hash
    }

    /// How many batches are held beyond a gap.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    fn decide(&mut self, height: Height, hash: Digest, outbox: &mut Vec<Output>) {
        self.height = height;
        self.hash = hash;
        self.head = self.head.max(height);
        outbox.push(Output::Decide { height, hash });
    }

    fn hold(&mut self, height: Height, prev: Digest, hash: Digest) {
        self.head = self.head.max(height);
        if height > self.height {
            self.held.entry(height).or_insert((prev, hash));
        }
    }

    /// Decides the held batches that are next in order.
    fn drain(&mut self, outbox: &mut Vec<Output>) {
        while let Some((prev, hash)) = self.held.remove(&(self.height + 1)) {
            if prev != self.hash {
                outbox.push(Output::Broken { height: self.height + 1 });
                return;
            }
            self.decide(self.height + 1, hash, outbox);
        }
    }

    fn gap(&self) -> Option<(Height, Height)> {
        let from = self.height + 1;
        let to = self.held.first_key_value().map_or(self.head, |(&first, _)| first - 1);
        (from <= to).then_some((from, to))
    }

    /// Requests a gap, unless one with the same start that reaches as far was requested before.
    fn ask(&mut self, outbox: &mut Vec<Output>) {
        let gap = self.gap();
        if let Some((from_height, to_height)) = gap
            && self.asked.is_none_or(|(_, to)| to < to_height)
        {
            outbox.push(Output::Missing { from_height, to_height });
            self.asked = gap;
        }
    }
}

impl Machine for Single {
    type Input = Input;
    type Output = Output;

    fn step(&mut self, _now: Ns, input: Input, _draws: &mut dyn Draws, outbox: &mut Vec<Output>) {
        match input {
            Input::Sealed { height, hash } => {
                if self.is_orderer() && height == self.height + 1 {
                    self.decide(height, hash, outbox);
                }
            }
            Input::Batch { height, prev, hash } => {
                self.hold(height, prev, hash);
                self.drain(outbox);
                if self.held.len() > HELD_MAX {
                    self.held.pop_last();
                }
                self.ask(outbox);
            }
        }
    }
}
