//! The leader's side: reports come in, and messages leave in the order that the rule makes of them.
//!
//! A message is content, which the leader has once it has validated it, and a place, which it has
//! once the rule has put it out. It goes on when it has both, in the order of places. A place whose
//! content does not come is passed over after [`PATIENCE_ROUNDS`], at once if the leader itself has
//! refused it; should the content come later, it goes as it comes.
//!
//! Reports that their author has not signed are thrown away, and an author who rewrites what it has
//! stated is heard no more. What the order rests on is kept for those who check it (`check`).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};

use super::{Rule, Tally};
use crate::fair::median::{self, MedianOrder};
use crate::fair::order::{self, FairOrder};
use crate::gossip::SeenCache;
use crate::machine::{Draws, Machine};
use crate::message::Envelope;
use crate::order_report::{Evidence, ReceivedEntry, Report, chained};
use crate::units::{Digest, MS, MessageId, NodeId, Ns};

/// Rounds for which a place waits for its content.
const PATIENCE_ROUNDS: Ns = 16;
/// Rounds after which a message that too few list goes nevertheless (median; Themis has its own).
const LIST_ROUNDS: Ns = 64;
/// Rounds for which a list of the median rule counts, if no newer one has come.
const LIST_AGE: u32 = 2;
/// Reports that are kept beyond a gap.
const HELD_MAX: usize = 64;
/// What is missing is asked for again after this long.
const ASK_NS: Ns = 500 * MS;

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
    /// Whether it has rewritten its order: what it says counts no more.
    rewrote: bool,
    /// Reports beyond a gap, or for which there was no room.
    held: BTreeMap<u64, Report>,
    asked_ns: Option<Ns>,
    /// Last confirmed.
    told: u64,
    /// The newest list, and for how many rounds it has counted.
    list: Option<(Report, u32)>,
}

/// The leader's part.
#[derive(Clone, Debug)]
pub struct Judge {
    rule: Rule,
    report_ns: Ns,
    machine: Order,
    reporters: Vec<Reporter>,
    /// Content without a place, and since when.
    waiting: BTreeMap<MessageId, (Envelope, Ns)>,
    /// Places without content, or behind such, and since when.
    places: VecDeque<(MessageId, Ns)>,
    /// Places that were passed over.
    passed: SeenCache,
    /// Turned away by the leader itself.
    refused: SeenCache,
    /// What the order rests on, since it was last handed out.
    evidence: Vec<Evidence>,
    pub(super) tally: Tally,
}

/// The rules draw nothing.
struct NoDraws;

impl Draws for NoDraws {
    fn next_u64(&mut self) -> u64 {
        0
    }
}

fn machine_of(rule: &Rule) -> Order {
    match rule {
        Rule::Themis(config) => Order::Themis(Box::new(FairOrder::new(*config))),
        Rule::Median(config) => match MedianOrder::new(*config) {
            Ok(machine) => Order::Median(Box::new(machine)),
            Err(error) => panic!("{error}"),
        },
    }
}

impl Judge {
    pub(super) fn new(rule: Rule, report_ns: Ns, nodes: u32) -> Judge {
        let head = Some(Digest::default());
        let start = Reporter { next: Some(0), head, ..Reporter::default() };
        Judge {
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

    /// What was in memory is lost.
    pub(super) fn crash(&mut self) {
        self.machine = machine_of(&self.rule);
        self.reporters.fill(Reporter::default());
        self.waiting.clear();
        self.places.clear();
        self.evidence = vec![Evidence::Restarted];
    }

    /// What the order rests on, since this was last asked.
    pub(super) fn evidence(&mut self) -> Vec<Evidence> {
        std::mem::take(&mut self.evidence)
    }

    /// Places given out since this was last asked, for one who has no content to give them to.
    pub(super) fn places(&mut self) -> impl Iterator<Item = MessageId> {
        self.evidence.clear();
        std::mem::take(&mut self.places).into_iter().map(|(message, _)| message)
    }

    /// Messages that wait for their place.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn holds(&self, message: MessageId) -> bool {
        self.waiting.contains_key(&message)
    }

    /// The leader has refused a message: its place need not wait for it.
    pub(super) fn refuse(&mut self, message: MessageId) {
        self.refused.insert(message);
    }

    /// The content of a message is here.
    pub(super) fn put(&mut self, now: Ns, envelope: Envelope) {
        self.refused.remove(envelope.id);
        if self.passed.contains(envelope.id) {
            self.places.push_back((envelope.id, now));
            self.evidence.push(Evidence::ContentArrived(envelope.id));
        }
        self.waiting.insert(envelope.id, (envelope, now));
    }

    /// What a node tells about its order.
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
            // It has lost what it had not told.
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

    /// Hands on what is due of a reporter's entries, as far as there is room.
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
    pub(super) fn close(&mut self, now: Ns, seed: Digest) {
        (0..self.reporters.len() as NodeId).for_each(|from| self.take(from));
        self.evidence.push(Evidence::RoundClosed);
        self.tally.rounds += 1;
        match self.rule {
            Rule::Themis(_) => self.close_themis(now),
            Rule::Median(_) => self.close_median(now, seed),
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

    fn close_median(&mut self, now: Ns, seed: Digest) {
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
        machine.step(now, median::Input::Close { seed }, &mut NoDraws, &mut outbox);
        for output in outbox {
            match output {
                median::Output::Ordered(ordered) => {
                    self.tally.ordered += ordered.rest.len() as u64;
                    self.tally.deferred += u64::from(ordered.too_few);
                    self.places.extend(ordered.rest.into_iter().map(|message| (message, now)));
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

    /// What has place and content by now, in order, and since when it has waited.
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

    /// To whom it is to be said what has been heard: (node, next, whether again).
    pub(super) fn answers(&mut self, now: Ns) -> Vec<(NodeId, u64, bool)> {
        let mut found = Vec::new();
        for (node, reporter) in (0..).zip(&mut self.reporters) {
            let Some(next) = reporter.next else { continue };
            let gap = reporter.held.first_key_value().is_some_and(|(&first, _)| first > next);
            if !gap {
                reporter.asked_ns = None;
            }
            let again = gap && reporter.asked_ns.is_none_or(|at| now >= at + ASK_NS);
            if again {
                reporter.asked_ns = Some(now);
            }
            if again || reporter.told < next {
                reporter.told = next;
                found.push((node, next, again));
            }
        }
        found
    }
}

/// As the median rule wants it. Accounts matter to the lot only, content to ties.
fn listed(sight: &ReceivedEntry) -> median::ListedMessage {
    let content = Digest(*blake3::hash(&sight.message.to_le_bytes()).as_bytes());
    let ReceivedEntry { message, seen_ns } = *sight;
    median::ListedMessage { message, seen_ns, account: 0, nonce: 0, content, express: None }
}
