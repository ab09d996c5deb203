//! The leader's side: receives reports, and releases messages in the order that the rule computes
//! from them.
//!
//! A message is content, which the leader has once it has validated it, and a place, which it has
//! once the rule has ordered it. It is released when both are known, in the order of places. A
//! place whose content does not arrive is skipped after [`PATIENCE_ROUNDS`], at once if the leader
//! itself has refused the message; if the content arrives later, the message is released on
//! arrival.
//!
//! Reports without a valid signature are discarded, and an author that rewrites its order is
//! ignored from then on. The evidence of the order is kept for verification (`check`).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};

use super::{FairRule, Tally};
use crate::fair::median::{self, MedianOrder};
use crate::fair::order::{self, FairOrder};
use crate::gossip::SeenCache;
use crate::machine::{Draws, Machine};
use crate::message::Envelope;
use crate::order_report::{Evidence, ReceivedEntry, Report, chained};
use crate::units::{Digest, MessageId, NodeId, Ns};

/// Rounds for which a place waits for its content.
const PATIENCE_ROUNDS: Ns = 16;
/// Rounds after which a message that too few nodes list is released nevertheless (median rule;
/// Themis has its own).
const LIST_ROUNDS: Ns = 64;
/// Rounds for which a list of the median rule counts, if no newer one has come.
const LIST_AGE: u32 = 2;
/// Reports that are kept beyond a gap.
const HELD_MAX: usize = 64;
/// Rounds after which missing entries are requested again.
const ASK_ROUNDS: Ns = 10;

#[derive(Clone, Debug)]
enum Order {
    Themis(Box<FairOrder>),
    Median(Box<MedianOrder>),
}

#[derive(Clone, Debug, Default)]
struct Reporter {
    /// Number of the entry that is due; unknown after a crash.
    next: Option<u64>,
    /// Digest before that entry; unknown where entries are missing.
    head: Option<Digest>,
    /// Whether it has rewritten its order, so that its reports are ignored.
    rewrote: bool,
    /// Reports beyond a gap, or without room.
    held: BTreeMap<u64, Report>,
    asked_ns: Option<Ns>,
    /// Number up to which entries were last confirmed to the reporter.
    confirmed_to: u64,
    /// The newest list, and for how many rounds it has counted.
    list: Option<(Report, u32)>,
}

/// The leader's state.
#[derive(Clone, Debug)]
pub struct Leader {
    rule: FairRule,
    report_ns: Ns,
    machine: Order,
    reporters: Vec<Reporter>,
    /// Content without a place, and since when.
    waiting: BTreeMap<MessageId, (Envelope, Ns)>,
    /// Places without content, or behind such, and since when.
    places: VecDeque<(MessageId, Ns)>,
    /// Messages whose place was skipped.
    passed: SeenCache,
    /// Messages that the leader itself has refused.
    refused: SeenCache,
    /// Evidence of the order since the last block.
    evidence: Vec<Evidence>,
    pub(super) tally: Tally,
}

/// The rules use no random draws.
struct NoDraws;

impl Draws for NoDraws {
    fn next_u64(&mut self) -> u64 {
        0
    }
}

fn machine_of(rule: &FairRule) -> Order {
    match rule {
        FairRule::Themis(config) => Order::Themis(Box::new(FairOrder::new(*config))),
        FairRule::Median(config) => Order::Median(Box::new(MedianOrder::new(*config))),
    }
}

impl Leader {
    pub(super) fn new(rule: FairRule, report_ns: Ns, nodes: u32) -> Leader {
        let head = Some(Digest::default());
        let start = Reporter { next: Some(0), head, ..Reporter::default() };
        Leader {
            machine: machine_of(&rule),
            rule,
            report_ns,
            reporters: vec![start; nodes as usize],
            waiting: BTreeMap::new(),
            places: VecDeque::new(),
            passed: SeenCache::default(),
            refused: SeenCache::default(),
            evidence: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Discards the state that was in memory.
    pub(super) fn crash(&mut self) {
        self.machine = machine_of(&self.rule);
        self.reporters.fill(Reporter::default());
        self.waiting.clear();
        self.places.clear();
        self.evidence = vec![Evidence::Restarted];
    }

    /// Evidence of the order since the last call.
    pub(super) fn evidence(&mut self) -> Vec<Evidence> {
        std::mem::take(&mut self.evidence)
    }

    /// Places assigned since the last call, for a node that only verifies.
    pub(super) fn places(&mut self) -> impl Iterator<Item = MessageId> {
        self.evidence.clear();
        std::mem::take(&mut self.places).into_iter().map(|(message, _)| message)
    }

    /// Number of messages that wait for their place.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn holds(&self, message: MessageId) -> bool {
        self.waiting.contains_key(&message)
    }

    /// Records that the leader has refused a message, so that its place need not wait.
    pub(super) fn refuse(&mut self, message: MessageId) {
        self.refused.insert(message);
    }

    /// Records the content of a message.
    pub(super) fn put(&mut self, now: Ns, envelope: Envelope) {
        self.refused.remove(envelope.id);
        if self.passed.contains(envelope.id) {
            self.places.push_back((envelope.id, now));
            self.evidence.push(Evidence::ContentArrived(envelope.id));
        }
        self.waiting.insert(envelope.id, (envelope, now));
    }

    /// Processes a node's report of its order.
    pub(super) fn report(&mut self, from: NodeId, report: Report) {
        let Some(reporter) = self.reporters.get_mut(from as usize) else { return };
        if report.author != from || !report.is_signed() {
            self.tally.unsigned += 1;
            return;
        }
        if report.timed {
            if reporter.list.as_ref().is_none_or(|(old, _)| old.clock_ns < report.clock_ns) {
                reporter.list = Some((report, 0));
            }
            return;
        }
        if reporter.rewrote {
            return;
        }
        let next = reporter.next.get_or_insert(report.oldest);
        if report.oldest > *next {
            // The node has lost the entries that it had not reported.
            (*next, reporter.head) = (report.oldest, None);
        }
        if !report.seen.is_empty() {
            self.evidence.push(Evidence::Report(report.clone()));
        }
        if reporter.held.len() < HELD_MAX {
            match reporter.held.entry(report.first) {
                Entry::Vacant(place) => _ = place.insert(report),
                Entry::Occupied(mut held) if held.get().seen.len() < report.seen.len() => {
                    held.insert(report);
                }
                Entry::Occupied(_) => {}
            }
        }
        self.take(from);
    }

    /// Passes a reporter's next entries to the rule, as far as there is room.
    fn take(&mut self, from: NodeId) {
        let Order::Themis(machine) = &mut self.machine else { return };
        let reporter = &mut self.reporters[from as usize];
        let Some(next) = &mut reporter.next else { return };
        while let Some(entry) = reporter.held.first_entry() {
            if *entry.key() > *next {
                return;
            }
            let (first, mut report) = entry.remove_entry();
            let known = (*next - first) as usize;
            if known > report.seen.len() {
                continue;
            }
            let digest = report.digest_at(known);
            if reporter.head.is_some_and(|head| head != digest) {
                self.tally.rewritten += 1;
                reporter.rewrote = true;
                reporter.held.clear();
                return;
            }
            let fresh: Vec<ReceivedEntry> = report.seen.drain(known..).collect();
            let messages: Vec<MessageId> = fresh.iter().map(|sight| sight.message).collect();
            let mut outbox = Vec::new();
            machine.step(0, order::Input::Report { from, messages }, &mut NoDraws, &mut outbox);
            let left = match outbox.pop() {
                Some(order::Output::Refused { messages, .. }) => messages.len(),
                _ => 0,
            };
            let (taken, rest) = fresh.split_at(fresh.len() - left);
            let head = taken.iter().fold(digest, |digest, sight| chained(digest, sight.message));
            *next += taken.len() as u64;
            reporter.head = Some(head);
            if left > 0 {
                // They wait here until there is room.
                let rest = Report { first: *next, before: head, seen: rest.to_vec(), ..report };
                reporter.held.insert(*next, rest);
                return;
            }
        }
    }

    /// The round ends.
    pub(super) fn close(&mut self, now: Ns) {
        (0..self.reporters.len() as NodeId).for_each(|from| self.take(from));
        self.evidence.push(Evidence::RoundClosed);
        self.tally.rounds += 1;
        match self.rule {
            FairRule::Themis(_) => self.close_themis(now),
            FairRule::Median(_) => self.close_median(now),
        }
    }

    fn close_themis(&mut self, now: Ns) {
        let Order::Themis(machine) = &mut self.machine else { return };
        let mut outbox = Vec::new();
        machine.step(now, order::Input::Close, &mut NoDraws, &mut outbox);
        for output in outbox {
            match output {
                order::Output::Ordered(ordered) => {
                    self.tally.count(&ordered);
                    self.places.extend(ordered.batches.into_iter().flatten().map(|m| (m, now)));
                }
                order::Output::Deferred { messages } => {
                    self.tally.deferred += messages.len() as u64;
                }
                order::Output::Dropped { messages } => {
                    self.tally.dropped += messages.len() as u64;
                    self.places.extend(messages.into_iter().map(|message| (message, now)));
                }
                order::Output::Closed(census) => {
                    self.tally.overdue += u64::from(census.overdue);
                }
                order::Output::Refused { .. } => {}
            }
        }
    }

    fn close_median(&mut self, now: Ns) {
        let Order::Median(machine) = &mut self.machine else { return };
        let mut outbox = Vec::new();
        for (from, reporter) in (0..).zip(&mut self.reporters) {
            let Some((report, rounds)) = &mut reporter.list else { continue };
            *rounds += 1;
            let (clock_ns, seen) = (report.clock_ns, report.seen.iter().map(listed).collect());
            let input = median::Input::Report { from, clock_ns, seen };
            machine.step(now, input, &mut NoDraws, &mut outbox);
            reporter.list.take_if(|(_, rounds)| *rounds >= LIST_AGE);
        }
        machine.step(now, median::Input::Close, &mut NoDraws, &mut outbox);
        for output in outbox {
            match output {
                median::Output::Ordered(ordered) => {
                    self.tally.ordered += ordered.messages.len() as u64;
                    self.tally.deferred += u64::from(ordered.too_few);
                    self.places.extend(ordered.messages.into_iter().map(|message| (message, now)));
                }
                median::Output::Failed { .. } => self.tally.failed += 1,
                median::Output::Refused { .. } => {}
            }
        }
        let old = |&(_, since): &(Envelope, Ns)| now >= since + LIST_ROUNDS * self.report_ns;
        let waiting = self.waiting.iter();
        let overdue: Vec<(MessageId, Ns)> =
            waiting.filter(|(_, own)| old(own)).map(|(&message, _)| (message, now)).collect();
        self.tally.dropped += overdue.len() as u64;
        self.places.extend(overdue);
    }

    /// Messages with place and content, in order, each with the time since which it waited.
    pub(super) fn ready(&mut self, now: Ns, known: &SeenCache) -> Vec<(Envelope, Ns)> {
        let mut found = Vec::new();
        while let Some(&(message, since)) = self.places.front() {
            if let Some(content) = self.waiting.remove(&message) {
                found.push(content);
            } else if !known.contains(message) {
                let late = now >= since + PATIENCE_ROUNDS * self.report_ns;
                if !late && !self.refused.contains(message) && !self.passed.contains(message) {
                    break;
                }
                self.passed.insert(message);
                self.evidence.push(Evidence::ContentMissing(message));
                self.tally.passed_over += 1;
            }
            self.places.pop_front();
        }
        found
    }

    /// Confirmations to send: (node, next entry, whether to send again).
    pub(super) fn answers(&mut self, now: Ns) -> Vec<(NodeId, u64, bool)> {
        let mut found = Vec::new();
        for (node, reporter) in (0..).zip(&mut self.reporters) {
            let Some(next) = reporter.next else { continue };
            let gap = reporter.held.first_key_value().is_some_and(|(&first, _)| first > next);
            if !gap {
                reporter.asked_ns = None;
            }
            let again_ns = ASK_ROUNDS * self.report_ns;
            let again = gap && reporter.asked_ns.is_none_or(|at| now >= at + again_ns);
            if again {
                reporter.asked_ns = Some(now);
            }
            if again || reporter.confirmed_to < next {
                reporter.confirmed_to = next;
                found.push((node, next, again));
            }
        }
        found
    }
}

/// An entry for the median rule. Content breaks ties.
fn listed(sight: &ReceivedEntry) -> median::ListedMessage {
    let content = Digest(*blake3::hash(&sight.message.to_le_bytes()).as_bytes());
    let ReceivedEntry { message, seen_ns } = *sight;
    median::ListedMessage { message, seen_ns, content }
}
