//! A venue's intake in one call: authenticate, admit, order, seal, publish; a buffer of records in,
//! batches of a journal out.
//!
//! # Rules
//! 1. Every record is either sealed into a batch or refused with a reason.
//! 2. A batch is sealed when `seal_messages` records came since the last one, or on
//!    [`Pipe::flush`]. Inputs beyond the batch's limits are carried to the next.
//! 3. The order of a batch is that of a queue under the rule that is filled with the sealed inputs
//!    in order of arrival and then drained.
//! 4. At most `capacity` inputs are open at a time, and `accounts_max` accounts are known.
//!
//! # Theory of operation
//! One thread, no allocation per record. A session's key is derived once and kept.
//!
//! # Source
//! The parts' own: [`record`], [`crate::admission::bucket`], [`crate::queue`], [`crate::audit`].
//!
//! # Departures
//! - The beacon is empty: a pipe has no keypers. [`crate::audit::seed`] states the resulting limit.
//! - Any key holder may send any client's class; authorisation of prices is the market's task.

pub mod record;
pub mod sealer;
mod sessions;
pub mod terms;

use crate::admission::Kind;
use crate::admission::limit::Limit;
use crate::audit::batch::Ticket;
use crate::audit::merkle::Hash;
use crate::message::{Class, flags};
use crate::units::{Digest, Height, Ns};
use record::{Key, Record};
use sealer::{BatchRule, Sealer};
use sessions::Sessions;
use terms::Ordering;

/// Flags that a client may set.
const CLIENT_FLAGS: u8 = flags::POST_ONLY | flags::IMMEDIATE | flags::REDUCE_ONLY;

/// Parameters of a pipe.
#[derive(Clone, Debug)]
pub struct Config {
    /// Ordering rule of batches.
    pub ordering: Ordering,
    /// Greatest number of messages that a batch publishes, at least 1.
    pub batch_messages_max: u32,
    /// Greatest total size of messages that a batch publishes, in bytes.
    pub batch_bytes_max: u64,
    /// Records after which the inputs are sealed, at least 1.
    pub seal_messages: u32,
    /// Greatest number of open inputs, including carried ones.
    pub capacity: u32,
    /// Number of accounts: account numbers are below this.
    pub accounts_max: u32,
    /// Rate limits per account of orders, cancels and risk-reducing messages; `None` admits all.
    pub limits: Option<[Limit; 3]>,
    /// The venue's key.
    pub key: Key,
    /// Greatest number of batches in this journal.
    pub batches_max: usize,
}

/// Reason for which a record was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum RejectReason {
    /// Its account's number is too high.
    UnknownAccount = 1,
    /// Its class is not one that clients send.
    UnknownClass = 2,
    /// It sets a flag that clients do not set.
    UnknownFlag = 3,
    /// Its MAC is not valid for its account.
    WrongMac = 4,
    /// Its number is not above the account's last one.
    Replayed = 5,
    /// The number of open inputs is at its limit.
    QueueFull = 6,
    /// Its account's budget is used up.
    RateExceeded = 7,
    /// The journal has no room for another batch.
    JournalFull = 8,
}

impl RejectReason {
    /// Every reason, by number less one.
    pub const ALL: [RejectReason; 8] = [
        RejectReason::UnknownAccount,
        RejectReason::UnknownClass,
        RejectReason::UnknownFlag,
        RejectReason::WrongMac,
        RejectReason::Replayed,
        RejectReason::QueueFull,
        RejectReason::RateExceeded,
        RejectReason::JournalFull,
    ];

    /// Name of the reason, as in the Python package.
    pub fn name(self) -> &'static str {
        match self {
            RejectReason::UnknownAccount => "unknown-account",
            RejectReason::UnknownClass => "unknown-class",
            RejectReason::UnknownFlag => "unknown-flag",
            RejectReason::WrongMac => "wrong-mac",
            RejectReason::Replayed => "replayed",
            RejectReason::QueueFull => "queue-full",
            RejectReason::RateExceeded => "rate-exceeded",
            RejectReason::JournalFull => "journal-full",
        }
    }
}

/// A refused record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Index in the buffer.
    pub index: u32,
    /// Reason of the refusal.
    pub reason: RejectReason,
    /// Time after which it may be admitted, without further arrivals; 0 = no such hint.
    pub retry_after_ns: Ns,
}

/// The intake of a venue.
#[derive(Debug)]
pub struct Pipe {
    config: Config,
    sessions: Sessions,
    sealer: Sealer,
    /// Records since the last sealing.
    arrived: u32,
    last_ns: Ns,
}

impl Pipe {
    /// An empty pipe and the head of its journal. `secret` must be drawn afresh for each journal.
    pub fn new(config: Config, secret: &Hash) -> (Pipe, Vec<u8>) {
        let rule = BatchRule {
            ordering: config.ordering,
            messages_max: config.batch_messages_max,
            bytes_max: config.batch_bytes_max,
        };
        let (sealer, head) = Sealer::new(rule, secret, config.batches_max);
        (Pipe { config, sessions: Sessions::default(), sealer, arrived: 0, last_ns: 0 }, head)
    }

    /// Processes the records of a buffer, in order. Appends the refusals, and the batches that were
    /// completed. Bytes after the last whole record are ignored.
    pub fn push(&mut self, now: Ns, buffer: &[u8], refused: &mut Vec<Refused>, out: &mut Vec<u8>) {
        self.last_ns = self.last_ns.max(now);
        for (record, index) in Record::split(buffer).0.zip(0..) {
            let ticket = record.ticket(self.last_ns);
            if let Err((reason, retry_after_ns)) = self.admit(&record, &ticket) {
                refused.push(Refused { index, reason, retry_after_ns });
                continue;
            }
            self.sealer.push(&ticket, record.bytes());
            self.arrived += 1;
            if self.arrived >= self.config.seal_messages {
                self.seal(out);
            }
        }
    }

    /// Seals and publishes the open inputs, if any. True if a batch was appended.
    pub fn flush(&mut self, now: Ns, out: &mut Vec<u8>) -> bool {
        self.last_ns = self.last_ns.max(now);
        self.sealer.waiting() > 0 && self.seal(out)
    }

    /// Number of inputs that are not published yet.
    pub fn waiting(&self) -> usize {
        self.sealer.waiting()
    }

    /// Number of the last batch.
    pub fn height(&self) -> Height {
        self.sealer.ledger().height()
    }

    /// Hash of the last batch.
    pub fn last_hash(&self) -> Digest {
        self.sealer.ledger().last_hash()
    }

    fn admit(&mut self, record: &Record<'_>, ticket: &Ticket) -> Result<(), (RejectReason, Ns)> {
        if ticket.account >= self.config.accounts_max {
            return Err((RejectReason::UnknownAccount, 0));
        }
        let class = Class::ALL.get(usize::from(ticket.class));
        let reduces = ticket.flags & flags::REDUCE_ONLY != 0;
        let kind = class.and_then(|class| Kind::of(*class, reduces));
        let kind = kind.ok_or((RejectReason::UnknownClass, 0))?;
        if ticket.flags & !CLIENT_FLAGS != 0 {
            return Err((RejectReason::UnknownFlag, 0));
        }
        let waiting = self.sealer.waiting() as u64;
        let session = self.sessions.of(record, &self.config, ticket.account, self.last_ns);
        let session = session.ok_or((RejectReason::WrongMac, 0))?;
        if record.number() <= session.last_number {
            return Err((RejectReason::Replayed, 0));
        }
        if self.sealer.ledger().batches_left() == 0 {
            return Err((RejectReason::JournalFull, 0));
        }
        if waiting >= u64::from(self.config.capacity) {
            return Err((RejectReason::QueueFull, 0));
        }
        if let (Some(buckets), Some(limits)) = (&mut session.buckets, &self.config.limits) {
            let of = kind as usize;
            let taken = buckets[of].take(&limits[of], self.last_ns, 1);
            taken.map_err(|retry_after_ns| (RejectReason::RateExceeded, retry_after_ns))?;
        }
        session.last_number = record.number();
        Ok(())
    }

    /// False if the journal is full.
    fn seal(&mut self, out: &mut Vec<u8>) -> bool {
        let is_sealed = self.sealer.seal(self.last_ns, out).is_some();
        if is_sealed {
            self.arrived = 0;
        }
        is_sealed
    }
}
