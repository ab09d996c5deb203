//! Makes batches of waiting messages, by time and by size, and chains them by hash.
//!
//! Rules. A batch closes when its window has passed since its first message began to wait, or
//! earlier when the waiting messages fill it; but never sooner than one window after the previous
//! close. So at most `batch_messages_max` messages leave per window. With a window of 0 a batch
//! closes as soon as a message waits.
//!
//! Theory of operation. The machine holds no message. The node reports the backlog of its queue; on
//! [`Output::Close`] the node drains its queue under the queue's own rule and answers, in the same
//! instant, with [`Input::Seal`]. A window amortises the cost of a batch over its messages, at the
//! price of a mean wait of half a window.
//!
//! Source: batch auctions and block building in general; the chain is a plain BLAKE3 hash chain.
//!
//! Departures: none. No message is larger than `batch_bytes_max`: the node refuses those.

use std::sync::Arc;

use crate::machine::{Draws, Machine};
use crate::message::{Block, Entry};
use crate::units::{Digest, Height, Ns};

/// Domain separation tag of the batch chain's hash.
const CHAIN_TAG: &[u8] = b"surgetank chain 1";

/// When a batch closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Most messages in a batch, at least 1.
    pub batch_messages_max: u32,
    /// Most bytes in a batch, at least 1.
    pub batch_bytes_max: u64,
    /// How long a batch stays open; 0 closes at once.
    pub window_ns: Ns,
}

/// Events of the sequencer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Total backlog of the node's queue, reported whenever it grows.
    Waiting {
        /// Number of waiting messages.
        messages: u32,
        /// Total size of the waiting messages, in bytes.
        bytes: u64,
    },
    /// A time armed by [`Output::Arm`] was reached.
    Timer,
    /// Answer to [`Output::Close`]; empty if no message was left.
    Seal {
        /// The messages, in order.
        entries: Vec<Entry>,
        /// The node that makes the batch.
        proposer: u32,
    },
}

/// Requests of the sequencer to its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Hand [`Input::Timer`] in at this time. A time armed earlier may still be handed in.
    Arm {
        /// Time at which to hand the input in.
        at_ns: Ns,
    },
    /// Drain the queue, at most this much, and answer with [`Input::Seal`].
    Close {
        /// Greatest number of messages.
        messages_max: u32,
        /// Greatest total size of the messages, in bytes.
        bytes_max: u64,
    },
    /// A batch was sealed.
    Sealed(Arc<Block>),
}

/// A maker of hash-chained batches.
#[derive(Clone, Debug)]
pub struct Sequencer {
    config: Config,
    /// Height and hash of the last batch.
    height: Height,
    hash: Digest,
    /// Number of waiting messages.
    messages: u32,
    /// Total size of the waiting messages, in bytes.
    bytes: u64,
    /// Time at which the first of the waiting messages began to wait, as far as known here.
    open_ns: Option<Ns>,
    closed_ns: Option<Ns>,
    armed_ns: Option<Ns>,
    /// Whether a `Close` awaits its `Seal`.
    closing: bool,
}

impl Sequencer {
    /// A sequencer whose first batch has height 1 and follows the zero hash.
    pub fn new(config: Config) -> Sequencer {
        Sequencer::resume(config, 0, Digest::default())
    }

    /// A sequencer that continues after the batch of this height and hash.
    pub fn resume(config: Config, height: Height, hash: Digest) -> Sequencer {
        assert!(
            config.batch_messages_max > 0 && config.batch_bytes_max > 0,
            "sequencer: batch_messages_max and batch_bytes_max must be at least 1",
        );
        Sequencer {
            config,
            height,
            hash,
            messages: 0,
            bytes: 0,
            open_ns: None,
            closed_ns: None,
            armed_ns: None,
            closing: false,
        }
    }

    /// Sets the batch size and the window of batches from now on.
    pub fn tune(&mut self, batch_messages_max: u32, window_ns: Ns) {
        debug_assert!(batch_messages_max > 0, "sequencer: batch_messages_max must be at least 1");
        self.config.batch_messages_max = batch_messages_max;
        self.config.window_ns = window_ns;
    }

    /// Its present parameters.
    pub fn config(&self) -> Config {
        self.config
    }

    /// Height of the last batch; 0 before the first.
    pub fn height(&self) -> Height {
        self.height
    }

    /// Hash of the last batch.
    pub fn hash(&self) -> Digest {
        self.hash
    }

    /// When the batch may close, or `None` if nothing waits.
    fn due_ns(&self) -> Option<Ns> {
        let open_ns = self.open_ns?;
        let window_ns = self.config.window_ns;
        let after_close = self.closed_ns.map_or(0, |at| at.saturating_add(window_ns));
        let full = self.messages >= self.config.batch_messages_max
            || self.bytes >= self.config.batch_bytes_max;
        let after_open = if full { 0 } else { open_ns.saturating_add(window_ns) };
        Some(after_open.max(after_close))
    }

    /// Closes the batch if it is due, else arms a timer for when it is due.
    fn consider(&mut self, now: Ns, outbox: &mut Vec<Output>) {
        let Some(due_ns) = self.due_ns().filter(|_| !self.closing) else {
            return;
        };
        if due_ns <= now {
            self.closing = true;
            self.armed_ns = None;
            let Config { batch_messages_max, batch_bytes_max, .. } = self.config;
            outbox.push(Output::Close {
                messages_max: batch_messages_max,
                bytes_max: batch_bytes_max,
            });
        } else if self.armed_ns.is_none_or(|at| at <= now || at > due_ns) {
            self.armed_ns = Some(due_ns);
            outbox.push(Output::Arm { at_ns: due_ns });
        }
    }

    fn waiting(&mut self, now: Ns, messages: u32, bytes: u64) {
        self.messages = messages;
        self.bytes = bytes;
        self.open_ns = match (messages, self.open_ns) {
            (0, _) => None,
            (_, None) => Some(now),
            (_, open) => open,
        };
    }

    fn seal(&mut self, now: Ns, entries: Vec<Entry>, proposer: u32, outbox: &mut Vec<Output>) {
        self.closing = false;
        self.open_ns = None;
        if entries.is_empty() {
            // The queue was empty: the messages that waited have left it.
            self.waiting(now, 0, 0);
            return;
        }
        let bytes: u64 = entries.iter().map(|e| u64::from(e.envelope.size_bytes)).sum();
        let left = self.messages.saturating_sub(entries.len() as u32);
        self.waiting(now, left, self.bytes.saturating_sub(bytes));
        self.closed_ns = Some(now);
        self.height += 1;
        self.hash = chain(&self.hash, self.height, &entries);
        let (height, hash) = (self.height, self.hash);
        let block = Block {
            height,
            proposer,
            proposed_ns: now,
            entries,
            hash,
            evidence: Vec::new(),
            graph: None,
        };
        outbox.push(Output::Sealed(Arc::new(block)));
    }
}

impl Machine for Sequencer {
    type Input = Input;
    type Output = Output;

    fn step(&mut self, now: Ns, input: Input, _draws: &mut dyn Draws, outbox: &mut Vec<Output>) {
        match input {
            Input::Waiting { messages, bytes } => self.waiting(now, messages, bytes),
            Input::Timer => {}
            Input::Seal { entries, proposer } => self.seal(now, entries, proposer, outbox),
        }
        self.consider(now, outbox);
    }
}

/// Hash of a batch in the chain: BLAKE3 over domain tag ‖ prev ‖ height ‖ count ‖ message numbers ‖
/// classes, little-endian. Consensus uses it as `id(v)`; proposer and time of the batch are not
/// part of it.
pub fn chain(prev: &Digest, height: Height, entries: &[Entry]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    let mut bytes = Vec::with_capacity(CHAIN_TAG.len() + 48 + 5 * entries.len());
    bytes.extend_from_slice(CHAIN_TAG);
    bytes.extend_from_slice(&prev.0);
    bytes.extend_from_slice(&height.to_le_bytes());
    bytes.extend_from_slice(&(entries.len() as u64).to_le_bytes());
    entries.iter().for_each(|e| bytes.extend_from_slice(&e.envelope.id.to_le_bytes()));
    bytes.extend(entries.iter().map(|e| e.envelope.class as u8));
    hasher.update(&bytes);
    Digest(*hasher.finalize().as_bytes())
}
