//! The keypers of threshold encryption, as messages: t of n release a batch's key once it is
//! sealed.
//!
//! # Rules
//! 1. A sealed batch's key is combined from the shares of any `threshold` of `keypers`. Each sends
//!    its share when the batch is sealed, and not before.
//! 2. A keyper's share counts once.
//! 3. With `threshold` shares the key is complete. Batches open in their order: one with a complete
//!    key waits for those sealed before it.
//! 4. Without a key in `timeout_ns`, the keypers are asked again, as often as necessary.
//!
//! # Theory of operation
//! No curve arithmetic (`surgetank.keypers` in Python has it): every share that arrives is valid.
//! The host decides when, and whether, a share is made. With fewer than t honest and prompt keypers
//! no batch opens; t dishonest ones can read everything: the choice of t trades liveness for
//! secrecy.
//!
//! Source: Shutter's specification for Gnosis Chain (keypers, per-batch keys).
//!
//! Departures: a batch without a key is not skipped, because nodes could disagree about that. The
//! key is for a batch and not for each message's identity, so a message that misses its batch must
//! be encrypted again: its content would be public with the batch's key.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::machine::{Draws, Machine};
use crate::units::Ns;

/// Number of a batch; each sealed one has a higher number than the one before.
pub type BatchNumber = u64;
/// Index of a keyper, dense from 0.
pub type Keyper = u32;

/// Parameters of the keypers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Number of keypers, n.
    pub keypers: u32,
    /// Number of shares that complete a key, t.
    pub threshold: u32,
    /// Time after which a request is repeated, in ns.
    pub timeout_ns: Ns,
}

/// Events of the keypers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A batch is sealed. Its number is higher than the last one's.
    Sealed {
        /// Number of the batch.
        batch: BatchNumber,
    },
    /// A share of a sealed batch's key arrives. One that is not needed any more has no effect.
    Share {
        /// Number of the batch.
        batch: BatchNumber,
        /// Keyper that sent the share.
        keyper: Keyper,
    },
    /// A time armed by [`Output::Arm`] was reached.
    Timer,
}

/// Answers of the keypers' machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Hand [`Input::Timer`] in at this time. A time armed earlier may still be handed in.
    Arm {
        /// Time at which to hand the input in.
        at_ns: Ns,
    },
    /// The key was not complete in time: ask the keypers again.
    AskAgain {
        /// Number of the batch.
        batch: BatchNumber,
    },
    /// A batch may be decrypted and executed.
    Open {
        /// Number of the batch.
        batch: BatchNumber,
    },
}

#[derive(Clone, Debug)]
struct Sealed {
    batch: BatchNumber,
    due_ns: Ns,
    shares: BTreeSet<Keyper>,
    has_key: bool,
}

/// The keypers, and the pending batches.
#[derive(Clone, Debug)]
pub struct Keypers {
    config: Config,
    /// Pending batches in the order of sealing; only the first may open.
    pending: VecDeque<Sealed>,
    armed_ns: Option<Ns>,
}

impl Keypers {
    /// Keypers without pending batches.
    ///
    /// # Panics
    /// If the threshold is 0 or above the number of keypers.
    pub fn new(config: Config) -> Keypers {
        assert!(
            (1..=config.keypers).contains(&config.threshold),
            "keypers: threshold {} must be in 1..={}",
            config.threshold,
            config.keypers,
        );
        Keypers { config, pending: VecDeque::new(), armed_ns: None }
    }

    fn seal(&mut self, now: Ns, batch: BatchNumber) {
        debug_assert!(self.pending.back().is_none_or(|last| batch > last.batch));
        let due_ns = now.saturating_add(self.config.timeout_ns);
        let sealed = Sealed { batch, due_ns, shares: BTreeSet::new(), has_key: false };
        self.pending.push_back(sealed);
    }

    fn share(&mut self, batch: BatchNumber, keyper: Keyper, outbox: &mut Vec<Output>) {
        let sealed = self.pending.iter_mut().find(|sealed| sealed.batch == batch);
        let Some(sealed) = sealed.filter(|_| keyper < self.config.keypers) else { return };
        sealed.shares.insert(keyper);
        sealed.has_key = sealed.shares.len() >= self.config.threshold as usize;
        while self.pending.front().is_some_and(|first| first.has_key) {
            let first = self.pending.pop_front();
            outbox.extend(first.map(|first| Output::Open { batch: first.batch }));
        }
    }

    /// Repeats the requests whose timeout has passed.
    fn repeat(&mut self, now: Ns, outbox: &mut Vec<Output>) {
        for sealed in self.pending.iter_mut().filter(|s| !s.has_key && s.due_ns <= now) {
            sealed.due_ns = now.saturating_add(self.config.timeout_ns);
            outbox.push(Output::AskAgain { batch: sealed.batch });
        }
    }

    fn arm(&mut self, outbox: &mut Vec<Output>) {
        let waiting = self.pending.iter().filter(|sealed| !sealed.has_key);
        let due_ns = waiting.map(|sealed| sealed.due_ns).min();
        if due_ns != self.armed_ns {
            self.armed_ns = due_ns;
            outbox.extend(due_ns.map(|at_ns| Output::Arm { at_ns }));
        }
    }
}

impl Machine for Keypers {
    type Input = Input;
    type Output = Output;

    fn step(&mut self, now: Ns, input: Input, _: &mut dyn Draws, outbox: &mut Vec<Output>) {
        self.repeat(now, outbox);
        match input {
            Input::Sealed { batch } => self.seal(now, batch),
            Input::Share { batch, keyper } => self.share(batch, keyper, outbox),
            Input::Timer => {}
        }
        self.arm(outbox);
    }
}
