//! A fair order under a single leader: all nodes report their receive order, and the leader orders
//! messages by the reports.
//!
//! # Rules
//! 1. Every node records a client's message when it has validated it, and every `report_ns` reports
//!    new entries to the leader in its own order (Themis), or all undecided messages with their
//!    times (median). A report is a packet like any other: it takes uplink and delay, and can be
//!    lost.
//! 2. Every `report_ns` the leader adds its own entries and closes a round of [`crate::fair`]. Only
//!    the messages that the round orders enter the mempool, in that order.
//! 3. Every message is released eventually: one that too few nodes report after the rules'
//!    patience, and counted.
//! 4. Reported entries that the leader has not confirmed are kept and sent again.
//! 5. Reports are signed and chained ([`crate::order_report`]). Under Themis a block carries the
//!    reports that determine its order, and a follower recomputes the order and counts violations.
//!
//! # Theory of operation
//! A node's entries are numbered, so that the leader sees a gap, and counts nothing twice and
//! nothing out of order; it confirms up to where it has received, and requests missing entries. A
//! median list is complete each time and needs no confirmation. Files: [`log`] (a node's own
//! order), [`leader`] (the leader's part), [`check`] (a follower's).
//!
//! # Source
//! `crate::fair`; the transport is a plain go-back-N.
//!
//! # Departures
//! One follower verifies, since all would find the same; violations are counted without
//! consequence, where a deployment would replace the leader. The order by median time is signed and
//! not verified. A leader that crashes loses the waiting messages, as any single sequencer does.

mod check;
mod leader;
mod log;

use super::{Node, Output, Packet, Reason, Timer};
use crate::fair::order::Ordered;
use crate::fair::{median, order};
use crate::machine::Draws;
use crate::message::{Block, Envelope};
use crate::order_report::{Evidence, Report};
use crate::units::{NodeId, Ns};

use super::intake::Work;
use check::Check;
use leader::Leader;
use log::Log;

/// Rule that aggregates local orders.
#[derive(Clone, Copy, Debug)]
pub enum FairRule {
    /// γ-batch-order-fairness after Themis.
    Themis(order::Config),
    /// The median of receive times.
    Median(median::Config),
}

/// Parameters of a fair order.
#[derive(Clone, Copy, Debug)]
pub struct Fair {
    /// Rule of the order.
    pub rule: FairRule,
    /// Interval of a node's reports, and of the leader's rounds, in ns. At least 1.
    pub report_ns: Ns,
}

/// Counters, kept at the leader except those of reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Number of rounds closed.
    pub rounds: u64,
    /// Rounds without enough lists (median rule).
    pub failed: u64,
    /// Messages put in order.
    pub ordered: u64,
    /// Batches of more than one message.
    pub cycles: u64,
    /// Messages in such batches.
    pub in_cycles: u64,
    /// The largest batch.
    pub largest: u64,
    /// Pairs with too few votes, decided by the heavier side.
    pub forced_pairs: u64,
    /// Messages that were held back for a round, counted each round.
    pub deferred: u64,
    /// Messages released because they had waited too long for more reports.
    pub overdue: u64,
    /// Messages released without a place because too few nodes reported them for too long.
    pub dropped: u64,
    /// Places whose message the leader did not have in time.
    pub passed_over: u64,
    /// Reports that this node sent.
    pub reports: u64,
    /// Total size of these reports, in bytes.
    pub report_bytes: u64,
    /// Confirmations that this node sent.
    pub answers: u64,
    /// Reports that their author had not signed.
    pub unsigned: u64,
    /// Nodes that rewrote their order.
    pub rewritten: u64,
    /// At the verifying follower: messages in the leader's blocks that violate the order.
    pub breaks: u64,
    /// At the same: forged reports in blocks.
    pub forged: u64,
}

impl Tally {
    fn count(&mut self, ordered: &Ordered) {
        self.ordered += ordered.batches.iter().map(|batch| batch.len() as u64).sum::<u64>();
        self.forced_pairs += u64::from(ordered.forced_pairs);
        for len in ordered.cycles() {
            self.cycles += 1;
            self.in_cycles += len as u64;
            self.largest = self.largest.max(len as u64);
        }
    }

    fn sent(&mut self, report: &Report) {
        self.reports += 1;
        self.report_bytes += u64::from(report.size_bytes());
    }
}

/// A node's state of the fair order.
pub struct State {
    report_ns: Ns,
    log: Log,
    judge: Option<Leader>,
    check: Option<Box<Check>>,
    sent: Tally,
}

impl State {
    pub(super) fn new(fair: &Fair, nodes: u32, id: NodeId, leader: NodeId) -> State {
        let log = match fair.rule {
            FairRule::Themis(_) => Log::prefix(),
            FairRule::Median(_) => Log::List(Default::default()),
        };
        let judge = (id == leader).then(|| Leader::new(fair.rule, fair.report_ns, nodes));
        let checks = id != leader && id == (leader + 1) % nodes;
        let check = (checks && matches!(fair.rule, FairRule::Themis(_)))
            .then(|| Box::new(Check::new(fair.rule, fair.report_ns, nodes)));
        State { report_ns: fair.report_ns, log, judge, check, sent: Tally::default() }
    }

    /// Evidence of the leader's order since the last block.
    pub(super) fn evidence(&mut self) -> Vec<Evidence> {
        let evidence = self.judge.as_mut().map_or_else(Vec::new, Leader::evidence);
        // Only Themis is checked.
        if matches!(self.log, Log::Prefix { .. }) { evidence } else { Vec::new() }
    }

    /// A block is decided, in the order of heights: what is in it need not be reported any more.
    pub(super) fn decided(&mut self, block: &Block) {
        if let Some(check) = &mut self.check {
            check.block(block);
        }
        block.entries.iter().for_each(|entry| self.log.decided(entry.envelope.id));
    }

    pub(super) fn crash(&mut self) {
        self.log.crash();
        if let Some(judge) = &mut self.judge {
            judge.crash();
        }
    }

    /// The leader has refused a message.
    pub(super) fn refuse(&mut self, work: &Work) {
        if let Some(judge) = &mut self.judge {
            judge.refuse(work.envelope.id);
        }
    }

    /// Messages that wait for their place.
    pub(super) fn len(&self) -> usize {
        self.judge.as_ref().map_or(0, Leader::len)
    }

    pub(super) fn arm(&self, out: &mut Vec<Output>) {
        out.push(Output::After(self.report_ns, Timer::Report));
    }
}

impl Node {
    fn leader(&self) -> NodeId {
        self.engine.leader().unwrap_or(self.id)
    }

    /// Counters of the fair order at this node; `None` if there is none.
    pub fn fair_tally(&self) -> Option<Tally> {
        let fair = self.fair.as_ref()?;
        let Tally { reports, report_bytes, answers, .. } = fair.sent;
        let judged = fair.judge.as_ref().map_or(Tally::default(), |judge| judge.tally);
        let (breaks, forged) =
            fair.check.as_ref().map_or((0, 0), |check| (check.breaks, check.forged()));
        Some(Tally { reports, report_bytes, answers, breaks, forged, ..judged })
    }

    /// Records a valid client's message; at the leader it waits for its place.
    pub(super) fn note(
        &mut self,
        now: Ns,
        work: Work,
        draws: &mut dyn Draws,
        out: &mut Vec<Output>,
    ) {
        let envelope = work.envelope;
        let full = self.is_full();
        let Some(fair) = &mut self.fair else { return };
        if let Some(judge) = &mut fair.judge {
            if self.known.contains(envelope.id) || judge.holds(envelope.id) {
                return;
            }
            if full {
                return self.refuse(work, Reason::MempoolFull, out);
            }
            judge.put(now, envelope);
        }
        if !self.included.contains(envelope.id) || matches!(fair.log, Log::Prefix { .. }) {
            fair.log.note(envelope.id, now);
        }
        self.go_on(now, draws, out);
    }

    /// Time to report; at the leader, to close a round.
    pub(super) fn report(&mut self, now: Ns, draws: &mut dyn Draws, out: &mut Vec<Output>) {
        let (id, leader) = (self.id, self.leader());
        let Some(fair) = &mut self.fair else { return };
        fair.arm(out);
        let report = fair.log.report(id, now);
        let Some(judge) = &mut fair.judge else {
            fair.sent.sent(&report);
            return out.push(Output::Packet { to: leader, packet: Packet::OrderReport(report) });
        };
        judge.report(id, report);
        judge.close(now);
        for (to, next, again) in judge.answers(now) {
            if to == id {
                fair.log.confirmed(next, again);
            } else {
                fair.sent.answers += 1;
                out.push(Output::Packet { to, packet: Packet::OrderConfirmed { next, again } });
            }
        }
        self.go_on(now, draws, out);
    }

    /// Processes another node's report.
    pub(super) fn reported(&mut self, from: NodeId, report: Report) {
        if let Some(judge) = self.fair.as_mut().and_then(|fair| fair.judge.as_mut()) {
            judge.report(from, report);
        }
    }

    /// Processes the leader's confirmation.
    pub(super) fn order_confirmed(&mut self, next: u64, again: bool) {
        if let Some(fair) = &mut self.fair {
            fair.log.confirmed(next, again);
        }
    }

    /// Moves messages with a place into the mempool.
    fn go_on(&mut self, now: Ns, draws: &mut dyn Draws, out: &mut Vec<Output>) {
        let Some(judge) = self.fair.as_mut().and_then(|fair| fair.judge.as_mut()) else { return };
        let ready: Vec<(Envelope, Ns)> = judge.ready(now, &self.known);
        if ready.is_empty() {
            return;
        }
        for (envelope, since) in ready {
            match self.mempool.push(since, &envelope, envelope) {
                Ok(displaced) => {
                    self.known.insert(envelope.id);
                    self.mempool_bytes += u64::from(envelope.size_bytes);
                    displaced
                        .into_iter()
                        .for_each(|shed| self.forget(shed, Reason::MempoolShed, out));
                }
                Err(envelope) => {
                    let (message, reason) = (envelope.id, Reason::MempoolFull);
                    out.push(Output::Refused { message, reason, retry_after_ns: 0 });
                }
            }
        }
        self.notify_engine(now, draws, out);
    }
}
