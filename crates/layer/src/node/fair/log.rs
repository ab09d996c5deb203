//! A node's local order, and the part of it that the leader has not confirmed.
//!
//! Themis needs prefixes: every entry has a number, a report states its first number, and
//! unconfirmed entries are kept, so that the next report replaces a lost one. The median rule
//! needs, in every round, the whole list of undecided messages, without confirmation.

use std::collections::{BTreeMap, VecDeque};

use crate::order_report::{ReceivedEntry, Report, chained};
use crate::units::{Digest, MessageId, NodeId, Ns};

/// Greatest number of entries of a report: more follow with the next.
pub const REPORT_MAX: usize = 4096;
/// Greatest number of entries kept for a leader that does not answer.
const KEPT_MAX: usize = 65_536;
/// One node's local order.
#[derive(Clone, Debug)]
pub enum Log {
    /// Numbered entries, for Themis.
    Prefix {
        /// Unconfirmed entries, each with the digest after it.
        kept: VecDeque<(ReceivedEntry, Digest)>,
        /// Number of the first of them.
        oldest: u64,
        /// Digest before it.
        before: Digest,
        /// Number of the first that has not been sent.
        unsent: u64,
    },
    /// For the median rule: what is not yet decided.
    List(BTreeMap<MessageId, Ns>),
}

impl Log {
    pub(super) fn prefix() -> Log {
        Log::Prefix { kept: VecDeque::new(), oldest: 0, before: Digest::default(), unsent: 0 }
    }

    /// Records a received message.
    pub(super) fn note(&mut self, message: MessageId, seen_ns: Ns) {
        match self {
            Log::Prefix { kept, oldest, before, unsent } => {
                if kept.len() == KEPT_MAX
                    && let Some((_, after)) = kept.pop_front()
                {
                    *before = after;
                    *oldest += 1;
                    *unsent = (*unsent).max(*oldest);
                }
                let last = kept.back().map_or(*before, |&(_, after)| after);
                kept.push_back((ReceivedEntry { message, seen_ns }, chained(last, message)));
            }
            Log::List(waiting) => {
                waiting.entry(message).or_insert(seen_ns);
            }
        }
    }

    /// Records that a message is in a decided block.
    pub(super) fn decided(&mut self, message: MessageId) {
        if let Log::List(waiting) = self {
            waiting.remove(&message);
        }
    }

    /// The signed report to send now.
    pub(super) fn report(&mut self, author: NodeId, now: Ns) -> Report {
        let report = match self {
            Log::Prefix { kept, oldest, before, unsent } => {
                let (first, oldest) = (*unsent, *oldest);
                let begin = (first - oldest) as usize;
                let before = begin.checked_sub(1).map_or(*before, |last| kept[last].1);
                let fresh = kept.iter().skip(begin).take(REPORT_MAX);
                let seen: Vec<ReceivedEntry> = fresh.map(|&(sight, _)| sight).collect();
                *unsent += seen.len() as u64;
                let (clock_ns, timed) = (now, false);
                Report { author, clock_ns, oldest, first, before, seen, timed, ..Report::default() }
            }
            Log::List(waiting) => {
                let sight =
                    |(&message, &seen_ns): (&MessageId, &Ns)| ReceivedEntry { message, seen_ns };
                let mut seen: Vec<ReceivedEntry> = waiting.iter().map(sight).collect();
                seen.sort_unstable_by_key(|sight| (sight.seen_ns, sight.message));
                seen.truncate(REPORT_MAX);
                Report { author, clock_ns: now, seen, timed: true, ..Report::default() }
            }
        };
        report.signed()
    }

    /// The leader has all entries below `next`; with `again`, it lacks later ones and requests them
    /// again.
    pub(super) fn confirmed(&mut self, next: u64, again: bool) {
        let Log::Prefix { kept, oldest, before, unsent } = self else { return };
        while *oldest < next
            && let Some((_, after)) = kept.pop_front()
        {
            *before = after;
            *oldest += 1;
        }
        *unsent = if again { *oldest } else { (*unsent).max(*oldest) };
    }

    /// Discards the state that was in memory; numbers and digests, which are on disk, continue.
    pub(super) fn crash(&mut self) {
        match self {
            Log::Prefix { kept, oldest, before, unsent } => {
                *before = kept.back().map_or(*before, |&(_, after)| after);
                *oldest += kept.len() as u64;
                *unsent = *oldest;
                kept.clear();
            }
            Log::List(waiting) => waiting.clear(),
        }
    }
}
