//! What a node has seen and in which order, and what of it the leader still lacks.
//!
//! Themis wants prefixes: every entry has a number, a report says from which number on it speaks,
//! and what the leader has not confirmed is kept, so that a lost report is made up for by the next.
//! The median rule wants, every round, the whole list of what is not yet decided: there is nothing
//! to confirm.

use std::collections::{BTreeMap, VecDeque};

use crate::units::{MessageId, Ns};

/// Most entries of a report: more follow with the next.
pub const REPORT_MAX: usize = 4096;
/// Most entries that are kept for a leader that does not answer.
const KEPT_MAX: usize = 65_536;
/// A report without its entries: header, numbers, clock.
const REPORT_BYTES: u32 = 40;

/// A message as a node saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// The message.
    pub message: MessageId,
    /// When this node had found it valid.
    pub seen_ns: Ns,
}

/// What a node tells the leader about the order in which it saw messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The node's clock.
    pub clock_ns: Ns,
    /// Number of the oldest entry that the node still has: below it there is nothing to ask for.
    pub oldest: u64,
    /// Number of the first entry here.
    pub first: u64,
    /// In the order in which it saw them.
    pub seen: Vec<Sight>,
    /// Whether the times are sent along.
    pub timed: bool,
}

impl Report {
    /// Its size on the wire: 40 bytes, and 8 a message, or 16 with its time.
    pub fn size_bytes(&self) -> u32 {
        REPORT_BYTES + self.seen.len() as u32 * if self.timed { 16 } else { 8 }
    }
}

/// One node's own order.
#[derive(Clone, Debug)]
pub enum Log {
    /// For Themis.
    Prefix {
        /// What the leader has not confirmed.
        kept: VecDeque<Sight>,
        /// Number of the first of them.
        oldest: u64,
        /// Number of the first that has not been sent.
        unsent: u64,
    },
    /// For the median rule: what is not yet decided.
    List(BTreeMap<MessageId, Ns>),
}

impl Log {
    pub(super) fn prefix() -> Log {
        Log::Prefix { kept: VecDeque::new(), oldest: 0, unsent: 0 }
    }

    /// The node has seen a message.
    pub(super) fn note(&mut self, message: MessageId, seen_ns: Ns) {
        match self {
            Log::Prefix { kept, oldest, unsent } => {
                if kept.len() == KEPT_MAX {
                    kept.pop_front();
                    *oldest += 1;
                    *unsent = (*unsent).max(*oldest);
                }
                kept.push_back(Sight { message, seen_ns });
            }
            Log::List(waiting) => {
                waiting.entry(message).or_insert(seen_ns);
            }
        }
    }

    /// A message is in a decided block.
    pub(super) fn decided(&mut self, message: MessageId) {
        if let Log::List(waiting) = self {
            waiting.remove(&message);
        }
    }

    /// What is to be said now.
    pub(super) fn report(&mut self, now: Ns) -> Report {
        match self {
            Log::Prefix { kept, oldest, unsent } => {
                let first = *unsent;
                let begin = (first - *oldest) as usize;
                let seen: Vec<Sight> = kept.iter().skip(begin).take(REPORT_MAX).copied().collect();
                *unsent += seen.len() as u64;
                Report { clock_ns: now, oldest: *oldest, first, seen, timed: false }
            }
            Log::List(waiting) => {
                let sight = |(&message, &seen_ns): (&MessageId, &Ns)| Sight { message, seen_ns };
                let mut seen: Vec<Sight> = waiting.iter().map(sight).collect();
                seen.sort_unstable_by_key(|sight| (sight.seen_ns, sight.message));
                seen.truncate(REPORT_MAX);
                Report { clock_ns: now, oldest: 0, first: 0, seen, timed: true }
            }
        }
    }

    /// The leader has everything below `next`; it wants the rest again if it lacks something.
    pub(super) fn confirmed(&mut self, next: u64, again: bool) {
        let Log::Prefix { kept, oldest, unsent } = self else { return };
        while *oldest < next && kept.pop_front().is_some() {
            *oldest += 1;
        }
        *unsent = if again { *oldest } else { (*unsent).max(*oldest) };
    }

    /// What was in memory is lost; numbers go on.
    pub(super) fn crash(&mut self) {
        match self {
            Log::Prefix { kept, oldest, unsent } => {
                *oldest += kept.len() as u64;
                *unsent = *oldest;
                kept.clear();
            }
            Log::List(waiting) => waiting.clear(),
        }
    }
}
