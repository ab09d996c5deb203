//! Unsealing, between decision and execution: a block gets its final order, and becomes readable.
//!
//! # Rules
//! 1. The content of a block is fixed when it is decided. All steps here follow that.
//! 2. Every node opens the same block into the same order: it is a function of the block and of a
//!    seed that all nodes know.
//! 3. Blocks open in the order of their heights.
//! 4. Of a sealed message ([`Unsealing::hides`]) admission, queues, controllers and the proposer see
//!    what [`Envelope::sealed`] leaves.
//!
//! # Theory of operation
//! [`Places::Drawn`] draws an order over accounts: by BLAKE3 of seed and account, an account's own
//! messages in the order of the block (after the decentralised Timeboost specification, with the
//! seed fixed later). With keypers, the seed is their unique threshold signature of the block: here
//! a key replaces it, and no node has it before `threshold` shares have crossed the network.
//! Without keypers the seed is the hash of the block before: public early, so participants can
//! grind it. `reveal_ns` leaves time for clients to reveal what they committed to. The host knows
//! which messages were not revealed, and omits them at execution.
//!
//! Source: Felten & Shoup's specification (order); Shutter's (keypers); `crate::sealed`.
//!
//! Departures: shares are messages without arithmetic, their work is the host's
//! ([`Task::MakeShare`], [`Task::Execute`]), and a sealed message is validated in the mean time of
//! its class. A batch is never skipped: nodes could disagree about that. Too few shares stop the chain instead.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Node, Output, Packet, Task, Timer};
use crate::machine::{Draws, Machine};
use crate::message::{Block, Entry, Envelope};
use crate::sealed::keypers::{self, Keyper, Keypers};
use crate::units::{AccountId, Digest, Height, NodeId, Ns};

const ORDER_TAG: &[u8] = b"surgetank order 1";

/// Execution order of a block's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Places {
    /// The order of the block.
    AsDecided,
    /// Drawn over accounts.
    Drawn,
}

/// Steps between a block's decision and its execution.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Unsealing {
    /// Which order it is executed in.
    pub places: Places,
    /// How long clients have to reveal; 0 = there is nothing to reveal.
    pub reveal_ns: Ns,
    /// The keypers of its key; `None` without keypers.
    pub keypers: Option<keypers::Config>,
    /// What the keypers' signature is made of. Equal on all nodes; no configuration has it.
    #[serde(skip)]
    pub key: Digest,
    /// Whether messages are encrypted until then.
    pub encrypted: bool,
}

impl Unsealing {
    /// Blocks are executed as they are decided.
    pub fn at_once() -> Unsealing {
        Unsealing {
            places: Places::AsDecided,
            reveal_ns: 0,
            keypers: None,
            key: Digest::default(),
            encrypted: false,
        }
    }

    /// Whether messages are unreadable before their place is fixed.
    pub fn hides(&self) -> bool {
        self.reveal_ns > 0 || self.encrypted
    }

    /// Whether time passes between a block's decision and its unsealing.
    pub fn delays(&self) -> bool {
        self.reveal_ns > 0 || self.keypers.is_some()
    }

    /// The seed of a block's order, given the hash of the block before.
    pub fn seed(&self, block: &Block, prev: &Digest) -> Digest {
        if self.keypers.is_none() && self.reveal_ns == 0 {
            return *prev;
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(ORDER_TAG);
        hasher.update(&self.key.0);
        hasher.update(&block.hash.0);
        Digest(*hasher.finalize().as_bytes())
    }
}

/// An account's place under a seed: the lowest is first.
pub fn place(seed: &Digest, account: AccountId) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.0);
    hasher.update(&account.to_le_bytes());
    Digest(*hasher.finalize().as_bytes())
}

/// Which blocks are open.
pub struct State {
    config: Unsealing,
    keypers: Option<Keypers>,
    /// Shares that came before the block.
    early: BTreeMap<Height, Vec<Keyper>>,
    /// Highest open height. Heights open in order.
    open: Height,
    outbox: Vec<keypers::Output>,
}

impl State {
    pub(super) fn new(config: Unsealing) -> State {
        State {
            keypers: config.keypers.map(Keypers::new),
            config,
            early: BTreeMap::new(),
            open: 0,
            outbox: Vec::new(),
        }
    }

    pub(super) fn config(&self) -> &Unsealing {
        &self.config
    }

    /// Continues after a crash: executed heights are open.
    pub(super) fn resume(&mut self, executed: Height) {
        self.open = executed;
    }

    pub(super) fn is_open(&self, height: Height) -> bool {
        height <= self.open
    }

    pub(super) fn open(&self) -> Height {
        self.open
    }

    /// The block in the order in which it is executed.
    pub(super) fn in_order(&self, block: &Arc<Block>, prev: &Digest) -> Arc<Block> {
        if self.config.places == Places::AsDecided {
            return Arc::clone(block);
        }
        let seed = self.config.seed(block, prev);
        let key = |entry: &Entry| place(&seed, entry.envelope.account);
        let mut opened = Block::clone(block);
        opened.entries.sort_by_cached_key(key);
        Arc::new(opened)
    }
}

impl Node {
    /// A block is decided (or found again after a crash): what must happen before it is executed?
    pub(super) fn seal(
        &mut self,
        now: Ns,
        height: Height,
        late: bool,
        draws: &mut dyn Draws,
        out: &mut Vec<Output>,
    ) {
        if self.unsealing.keypers.is_some() {
            self.keypers_step(now, keypers::Input::Sealed { batch: height }, draws, out);
            if late {
                // The other nodes may have sent their shares before, so request them.
                self.ask_for_shares(height, out);
            }
            let me = self.unsealing.config.keypers.is_some_and(|config| self.id < config.keypers);
            if me {
                out.push(Output::Work(Task::MakeShare { height, to: None }));
            }
            for keyper in self.unsealing.early.remove(&height).unwrap_or_default() {
                let input = keypers::Input::Share { batch: height, keyper };
                self.keypers_step(now, input, draws, out);
            }
        } else if self.unsealing.config.reveal_ns > 0 {
            out.push(Output::After(self.unsealing.config.reveal_ns, Timer::Revealed(height)));
        } else {
            self.unsealing.open = height;
        }
    }

    /// What this node can read of a message before its block is open.
    #[inline]
    pub(super) fn readable(&self, envelope: &Envelope) -> Envelope {
        if self.unsealing.config.hides() { envelope.sealed() } else { *envelope }
    }

    pub(super) fn revealed(&mut self, height: Height, out: &mut Vec<Output>) {
        self.unsealing.open = self.unsealing.open.max(height);
        self.execute_next(out);
    }

    pub(super) fn share_made(
        &mut self,
        now: Ns,
        height: Height,
        to: Option<NodeId>,
        draws: &mut dyn Draws,
        out: &mut Vec<Output>,
    ) {
        let id = self.id;
        match to {
            Some(to) => out.push(Output::Packet { to, packet: Packet::Share(height) }),
            None => {
                let others = (0..self.nodes).filter(|&to| to != id);
                out.extend(others.map(|to| Output::Packet { to, packet: Packet::Share(height) }));
                self.share(now, height, id, draws, out);
            }
        }
    }

    /// Processes a keyper's share.
    pub(super) fn share(
        &mut self,
        now: Ns,
        height: Height,
        from: NodeId,
        draws: &mut dyn Draws,
        out: &mut Vec<Output>,
    ) {
        if height > self.chain.len() as Height {
            self.unsealing.early.entry(height).or_default().push(from);
            return;
        }
        let input = keypers::Input::Share { batch: height, keyper: from };
        self.keypers_step(now, input, draws, out);
    }

    /// Another node requests this node's share.
    pub(super) fn share_wanted(&mut self, height: Height, from: NodeId, out: &mut Vec<Output>) {
        if height <= self.chain.len() as Height {
            out.push(Output::Work(Task::MakeShare { height, to: Some(from) }));
        }
    }

    pub(super) fn shares_due(&mut self, now: Ns, draws: &mut dyn Draws, out: &mut Vec<Output>) {
        self.keypers_step(now, keypers::Input::Timer, draws, out);
    }

    fn ask_for_shares(&self, height: Height, out: &mut Vec<Output>) {
        let keypers = self.unsealing.config.keypers.map_or(0, |config| config.keypers);
        let others = (0..keypers).filter(|&to| to != self.id);
        out.extend(others.map(|to| Output::Packet { to, packet: Packet::ShareWanted(height) }));
    }

    fn keypers_step(
        &mut self,
        now: Ns,
        input: keypers::Input,
        draws: &mut dyn Draws,
        out: &mut Vec<Output>,
    ) {
        let Some(machine) = &mut self.unsealing.keypers else { return };
        let mut outbox = std::mem::take(&mut self.unsealing.outbox);
        machine.step(now, input, draws, &mut outbox);
        let before = self.unsealing.open;
        for output in outbox.drain(..) {
            match output {
                keypers::Output::Arm { at_ns } => {
                    out.push(Output::After(at_ns.saturating_sub(now), Timer::SharesDue));
                }
                keypers::Output::Open { batch } => self.unsealing.open = batch,
                keypers::Output::AskAgain { batch } => self.ask_for_shares(batch, out),
            }
        }
        self.unsealing.outbox = outbox;
        if self.unsealing.open > before {
            self.execute_next(out);
        }
    }
}
