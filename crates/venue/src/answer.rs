//! Answers: exactly one per request.

use surgetank_layer::units::Ns;

use crate::encoding::{fields, numbered, variants};

/// The answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It has its place in the journal and is executed.
    Sealed(Sealed),
    /// It was not accepted; nothing happened and nothing will.
    Refused(Refused),
    /// A request of this ClOrdID has its place in the journal already; this is what became of it.
    Duplicate(Duplicate),
}

variants!(Answer { 1 => Sealed, 2 => Refused, 3 => Duplicate });

impl Answer {
    /// Number of the request that it answers.
    pub fn request(&self) -> u32 {
        match self {
            Answer::Sealed(sealed) => sealed.request,
            Answer::Refused(refused) => refused.request,
            Answer::Duplicate(duplicate) => duplicate.request,
        }
    }
}

/// A request with a place in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Number of the request in its session.
    pub request: u32,
    /// Its place in the journal.
    pub sequence: u64,
    /// FIX OrdRejReason with which the market refused it; 0: it did not. See
    /// [`surgetank_market::Reject`].
    pub ord_rej_reason: u8,
    /// Time at which the venue received it.
    pub received_ns: Ns,
    /// Time at which its batch was sealed.
    pub sealed_ns: Ns,
    /// Time at which its batch was durable; 0: it is not known to be.
    pub synced_ns: Ns,
    /// Time at which its batch was executed.
    pub executed_ns: Ns,
}

fields!(Sealed {
    request,
    sequence,
    ord_rej_reason,
    received_ns,
    sealed_ns,
    synced_ns,
    executed_ns
});

/// A request that was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Number of the request in its session.
    pub request: u32,
    /// Why it was not accepted.
    pub refusal: Refusal,
    /// Time after which it may be accepted; 0: there is no such hint.
    pub retry_after_ns: Ns,
}

fields!(Refused { request, refusal, retry_after_ns });

/// A further copy of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// Number of this copy in its session.
    pub request: u32,
    /// Place of the first copy in the journal; 0: it waits for its place, and too many requests of
    /// the account wait for copies to wait with them. Its status can be asked for.
    pub sequence: u64,
    /// FIX OrdRejReason with which the market refused the first copy; 0: it did not.
    pub ord_rej_reason: u8,
}

fields!(Duplicate { request, sequence, ord_rej_reason });

/// Why a request was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Refusal {
    /// The key does not permit it, or it names another account as its sender.
    NotPermitted = 1,
    /// It must be signed and is not, or its signature is wrong.
    WrongSignature = 2,
    /// It is of a class that clients do not send.
    UnknownClass = 3,
    /// Its ClOrdID is not above the account's floor and no longer remembered: it may have been
    /// executed.
    TooOld = 4,
    /// New orders of this account or market are halted.
    Halted = 5,
    /// Too many requests wait.
    QueueFull = 6,
    /// Too many requests of this account wait.
    AccountQueueFull = 7,
    /// The account's budget is used up.
    RateExceeded = 8,
    /// The disk has room for risk-reducing requests only.
    DiskReserve = 9,
    /// The disk is full.
    DiskFull = 10,
    /// The venue is about to stop.
    Draining = 11,
    /// This venue does not lead. Reserved.
    NotLeader = 12,
    /// A price is said to have been observed in the future.
    FutureTime = 13,
}

numbered!(Refusal {
    NotPermitted,
    WrongSignature,
    UnknownClass,
    TooOld,
    Halted,
    QueueFull,
    AccountQueueFull,
    RateExceeded,
    DiskReserve,
    DiskFull,
    Draining,
    NotLeader,
    FutureTime,
});

impl Refusal {
    /// Name of the refusal, as in metrics and in the Python package.
    pub fn name(self) -> &'static str {
        match self {
            Refusal::NotPermitted => "not-permitted",
            Refusal::WrongSignature => "wrong-signature",
            Refusal::UnknownClass => "unknown-class",
            Refusal::TooOld => "too-old",
            Refusal::Halted => "halted",
            Refusal::QueueFull => "queue-full",
            Refusal::AccountQueueFull => "account-queue-full",
            Refusal::RateExceeded => "rate-exceeded",
            Refusal::DiskReserve => "disk-reserve",
            Refusal::DiskFull => "disk-full",
            Refusal::Draining => "draining",
            Refusal::NotLeader => "not-leader",
            Refusal::FutureTime => "future-time",
        }
    }
}

/// What is known of a ClOrdID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The request has its place in the journal.
    Known(JournalPlace),
    /// The request was accepted and waits for its place.
    Waiting(()),
    /// No such request was executed, and none that was received before this answer will be.
    Unknown(()),
    /// The ClOrdID is not above the account's floor and no longer remembered.
    TooOld(()),
}

variants!(Status { 1 => Known, 2 => Waiting, 3 => Unknown, 4 => TooOld });

/// A request's place in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalPlace {
    /// Sequence number, from 1.
    pub sequence: u64,
    /// FIX OrdRejReason with which the market refused it; 0: it did not.
    pub ord_rej_reason: u8,
}

fields!(JournalPlace { sequence, ord_rej_reason });
