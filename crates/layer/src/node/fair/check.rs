//! Verification by a follower: whether the leader's blocks are in the order that follows from the
//! signed reports.
//!
//! # Rules
//! 1. A block carries the evidence of its order ([`Evidence`]): the reports in the order of
//!    receipt, and the ends of rounds. Repeating the computation gives every message's place.
//! 2. In a block and from block to block places must rise. A message executed before one with an
//!    earlier place, or one without a place, is a *violation*, provable from the signed reports and
//!    the leader's chain of blocks.
//! 3. A report that its author has not signed, or that contradicts what it signed before, is a forgery.
//!
//! # Theory of operation
//! The leader cannot forge or change reports. It can ignore a node (then fewer lists count, and the
//! rule's bounds hold for any number), choose when rounds end, and claim that it lacks a message,
//! which is visible and counted.

use std::collections::BTreeMap;

use super::FairRule;
use super::leader::Leader;
use crate::message::Block;
use crate::order_report::Evidence;
use crate::units::{MessageId, Ns};

/// Recomputes the order and compares.
#[derive(Clone, Debug)]
pub struct Check {
    judge: Leader,
    rounds: Ns,
    /// Places of messages not yet executed.
    places: BTreeMap<MessageId, u64>,
    next: u64,
    /// Greatest place executed.
    executed: Option<u64>,
    /// Messages executed against the order.
    pub(super) breaks: u64,
}

impl Check {
    pub(super) fn new(rule: FairRule, report_ns: Ns, nodes: u32) -> Check {
        Check {
            judge: Leader::new(rule, report_ns, nodes),
            rounds: 0,
            places: BTreeMap::new(),
            next: 0,
            executed: None,
            breaks: 0,
        }
    }

    /// Number of forged reports in blocks.
    pub(super) fn forged(&self) -> u64 {
        self.judge.tally.unsigned + self.judge.tally.rewritten
    }

    /// The next block is decided.
    pub(super) fn block(&mut self, block: &Block) {
        block.evidence.iter().for_each(|ground| self.repeat(ground));
        for entry in &block.entries {
            let place = self.places.remove(&entry.envelope.id);
            if place.is_none() || place < self.executed {
                self.breaks += 1;
            }
            self.executed = self.executed.max(place);
        }
    }

    fn repeat(&mut self, ground: &Evidence) {
        match ground {
            Evidence::Report(report) => self.judge.report(report.author, report.clone()),
            Evidence::RoundClosed => {
                self.rounds += 1;
                self.judge.close(self.rounds);
            }
            Evidence::ContentMissing(message) => _ = self.places.remove(message),
            Evidence::ContentArrived(message) => self.place(*message),
            Evidence::Restarted => self.judge.crash(),
        }
        let placed: Vec<MessageId> = self.judge.places().collect();
        placed.into_iter().for_each(|message| self.place(message));
    }

    fn place(&mut self, message: MessageId) {
        self.places.insert(message, self.next);
        self.next += 1;
    }
}
