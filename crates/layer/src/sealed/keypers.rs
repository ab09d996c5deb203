//! The keypers of threshold encryption, as messages: t of n release a batch's key once it is
//! sealed.
//!
//! # Rules
//! 1. A sealed batch's key is combined from the shares of any `threshold` of `keypers`. Each is
//!    asked when the batch is sealed, and not before.
//! 2. A share counts once, if it is valid and was requested. A forged one is reported with its
//!    keyper, who may still send a valid one.
//! 3. With `threshold` valid shares the key is complete. Batches open in their order: one with a
//!    complete key waits for those sealed before it.
//! 4. Without a key in `timeout_ns`, keypers that have not answered are asked again, `retries`
//!    times; then the batch is skipped: its messages are void, and the next may open.
//! 5. `threshold` colluding keypers read every message as it arrives. No other party can detect it;
//!    the lab's attacker receives [`Output::ReadEarly`].
//!
//! # Theory of operation
//! No curve arithmetic: the validity of a share is an input (`surgetank.keypers` in Python does the
//! cryptography). The caller decides when, and whether, a share arrives. With fewer than t honest
//! and prompt keypers no batch opens; t dishonest ones can read everything: the choice of t trades
//! liveness for secrecy. At most `open_max` batches are pending.
//!
//! Source: Shutter's specification for Gnosis Chain (keypers, per-batch keys, skipping).
//!
//! Departures: the key is for a batch and not for each message's identity, so a message that misses
//! its batch must be encrypted again: its content would be public with the batch's key.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::machine::{Draws, Machine};
use crate::units::{MessageId, Ns};

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
    /// Number of repetitions of a request; 0 skips a batch after the first timeout.
    #[serde(skip, default = "without_end")]
    pub retries: u32,
    /// Greatest number of pending batches.
    #[serde(skip, default = "unbounded")]
    pub open_max: usize,
}

fn without_end() -> u32 {
    u32::MAX
}

fn unbounded() -> usize {
    usize::MAX
}

/// Events of the keypers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// An encrypted message arrives for a batch that is not sealed yet.
    Arrived {
        /// Number of the batch.
        batch: BatchNumber,
        /// Number of the message.
        id: MessageId,
    },
    /// A batch is sealed.
    Sealed {
        /// Number of the batch.
        batch: BatchNumber,
    },
    /// A share arrives.
    Share {
        /// Number of the batch.
        batch: BatchNumber,
        /// Keyper that sent the share.
        keyper: Keyper,
        /// Whether it passes public verification.
        valid: bool,
    },
    /// A keyper joins (or leaves) the colluding keypers.
    Collude {
        /// The keyper that joins or leaves.
        keyper: Keyper,
        /// Whether it joins.
        joins: bool,
    },
    /// A time armed by [`Output::Arm`] was reached.
    Timer,
}

/// Reason for which a share or a batch was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum KeyperRefusal {
    /// There is no keyper of this number.
    UnknownKeyper = 1,
    /// The batch is not sealed.
    NotSealed = 2,
    /// The batch has its key already, or was skipped.
    TooLate = 3,
    /// The share fails verification.
    Forged = 4,
    /// The keyper's share was received before.
    Duplicate = 5,
    /// The batch's number is not above the last one's.
    OutOfOrder = 6,
    /// The number of pending batches is at its limit.
    TooManyOpen = 7,
}

/// Answers of the keypers' machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Hand [`Input::Timer`] in at this time. A time armed earlier may still be handed in.
    Arm {
        /// Time at which to hand the input in.
        at_ns: Ns,
    },
    /// Ask this keyper for its share.
    Ask {
        /// Number of the batch.
        batch: BatchNumber,
        /// The keyper that is asked.
        keyper: Keyper,
    },
    /// A share was refused.
    ShareRefused {
        /// Number of the batch.
        batch: BatchNumber,
        /// From this keyper.
        keyper: Keyper,
        /// Reason of the refusal.
        reason: KeyperRefusal,
    },
    /// A batch was refused: its messages must be handled otherwise.
    BatchRefused {
        /// Number of the batch.
        batch: BatchNumber,
        /// Reason of the refusal.
        reason: KeyperRefusal,
    },
    /// A batch's key is complete.
    Key {
        /// Number of the batch.
        batch: BatchNumber,
        /// Keypers whose shares were combined.
        by: Vec<Keyper>,
        /// Time since the sealing, in ns.
        after_ns: Ns,
    },
    /// A batch may be decrypted and executed.
    Open {
        /// Number of the batch.
        batch: BatchNumber,
    },
    /// The key was not complete in time; keypers that have not answered are asked again.
    Deferred {
        /// Number of the batch.
        batch: BatchNumber,
        /// Keypers that have not answered.
        silent: Vec<Keyper>,
    },
    /// The key was not complete after all retries: the batch's messages are void.
    Skipped {
        /// Number of the batch.
        batch: BatchNumber,
        /// Keypers that have not answered.
        silent: Vec<Keyper>,
    },
    /// The number of colluding keypers reached (or fell below) the threshold. For the attacker
    /// only.
    Collusion {
        /// Whether they can read messages before sealing.
        can_read: bool,
    },
    /// The colluding keypers read this message before its batch was sealed. For the attacker only.
    ReadEarly {
        /// Number of the batch.
        batch: BatchNumber,
        /// Number of the message.
        id: MessageId,
    },
}

#[derive(Clone, Debug)]
struct Sealed {
    /// Number of the batch.
    batch: BatchNumber,
    sealed_ns: Ns,
    due_ns: Ns,
    retries: u32,
    shares: BTreeSet<Keyper>,
    has_key: bool,
}

/// The keypers, and the pending batches.
#[derive(Clone, Debug)]
pub struct Keypers {
    config: Config,
    /// Pending batches in the order of sealing; only the first may open.
    open: VecDeque<Sealed>,
    last: Option<BatchNumber>,
    colluding: BTreeSet<Keyper>,
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
        let open = VecDeque::new();
        Keypers { config, open, last: None, colluding: BTreeSet::new(), armed_ns: None }
    }

    /// Whether enough keypers collude to read messages before sealing.
    pub fn can_read_early(&self) -> bool {
        self.colluding.len() >= self.config.threshold as usize
    }

    fn is_unsealed(&self, batch: BatchNumber) -> bool {
        self.last.is_none_or(|last| batch > last)
    }

    fn seal(&mut self, now: Ns, batch: BatchNumber, outbox: &mut Vec<Output>) {
        let reason = if !self.is_unsealed(batch) {
            Some(KeyperRefusal::OutOfOrder)
        } else if self.open.len() >= self.config.open_max {
            Some(KeyperRefusal::TooManyOpen)
        } else {
            None
        };
        if let Some(reason) = reason {
            return outbox.push(Output::BatchRefused { batch, reason });
        }
        self.last = Some(batch);
        self.open.push_back(Sealed {
            batch,
            sealed_ns: now,
            due_ns: now.saturating_add(self.config.timeout_ns),
            retries: self.config.retries,
            shares: BTreeSet::new(),
            has_key: false,
        });
        outbox.extend((0..self.config.keypers).map(|keyper| Output::Ask { batch, keyper }));
    }

    fn share(
        &mut self,
        now: Ns,
        (batch, keyper): (BatchNumber, Keyper),
        valid: bool,
        outbox: &mut Vec<Output>,
    ) -> Result<(), KeyperRefusal> {
        if keyper >= self.config.keypers {
            return Err(KeyperRefusal::UnknownKeyper);
        }
        if self.is_unsealed(batch) {
            return Err(KeyperRefusal::NotSealed);
        }
        let sealed = self.open.iter_mut().find(|sealed| sealed.batch == batch);
        let sealed = sealed.filter(|sealed| !sealed.has_key).ok_or(KeyperRefusal::TooLate)?;
        if !valid {
            return Err(KeyperRefusal::Forged);
        }
        if !sealed.shares.insert(keyper) {
            return Err(KeyperRefusal::Duplicate);
        }
        if sealed.shares.len() == self.config.threshold as usize {
            sealed.has_key = true;
            let by = sealed.shares.iter().copied().collect();
            outbox.push(Output::Key { batch, by, after_ns: now - sealed.sealed_ns });
            self.open_in_order(outbox);
        }
        Ok(())
    }

    fn open_in_order(&mut self, outbox: &mut Vec<Output>) {
        while self.open.front().is_some_and(|sealed| sealed.has_key) {
            let sealed = self.open.pop_front();
            outbox.extend(sealed.map(|sealed| Output::Open { batch: sealed.batch }));
        }
    }

    /// Repeats requests, or skips batches, whose timeout has passed.
    fn catch_up(&mut self, now: Ns, outbox: &mut Vec<Output>) {
        let Config { keypers, timeout_ns, .. } = self.config;
        for sealed in &mut self.open {
            if sealed.has_key || sealed.due_ns > now || sealed.retries == 0 {
                continue;
            }
            sealed.retries -= 1;
            sealed.due_ns = now.saturating_add(timeout_ns);
            let (batch, silent) = (sealed.batch, silent(keypers, sealed));
            let asks = silent.clone().into_iter().map(|keyper| Output::Ask { batch, keyper });
            outbox.push(Output::Deferred { batch, silent });
            outbox.extend(asks);
        }
        let given_up = |sealed: &Sealed| !sealed.has_key && sealed.due_ns <= now;
        for sealed in self.open.iter().filter(|sealed| given_up(sealed)) {
            outbox.push(Output::Skipped { batch: sealed.batch, silent: silent(keypers, sealed) });
        }
        self.open.retain(|sealed| !given_up(sealed));
        self.open_in_order(outbox);
    }

    fn collude(&mut self, keyper: Keyper, joins: bool, outbox: &mut Vec<Output>) {
        let before = self.can_read_early();
        if !joins {
            self.colluding.remove(&keyper);
        } else if keyper < self.config.keypers {
            self.colluding.insert(keyper);
        }
        let can_read = self.can_read_early();
        if can_read != before {
            outbox.push(Output::Collusion { can_read });
        }
    }

    fn arm(&mut self, outbox: &mut Vec<Output>) {
        let due = self.open.iter().filter(|sealed| !sealed.has_key).map(|sealed| sealed.due_ns);
        let due_ns = due.min();
        if due_ns != self.armed_ns {
            self.armed_ns = due_ns;
            outbox.extend(due_ns.map(|at_ns| Output::Arm { at_ns }));
        }
    }
}

fn silent(keypers: u32, sealed: &Sealed) -> Vec<Keyper> {
    (0..keypers).filter(|keyper| !sealed.shares.contains(keyper)).collect()
}

impl Machine for Keypers {
    type Input = Input;
    type Output = Output;

    fn step(&mut self, now: Ns, input: Input, _: &mut dyn Draws, outbox: &mut Vec<Output>) {
        self.catch_up(now, outbox);
        match input {
            Input::Arrived { batch, id } => {
                if self.is_unsealed(batch) && self.can_read_early() {
                    outbox.push(Output::ReadEarly { batch, id });
                }
            }
            Input::Sealed { batch } => self.seal(now, batch, outbox),
            Input::Share { batch, keyper, valid } => {
                if let Err(reason) = self.share(now, (batch, keyper), valid, outbox) {
                    outbox.push(Output::ShareRefused { batch, keyper, reason });
                }
            }
            Input::Collude { keyper, joins } => self.collude(keyper, joins, outbox),
            Input::Timer => {}
        }
        self.arm(outbox);
    }
}
