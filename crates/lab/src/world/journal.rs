//! A run's journal: the venue's ordered, chained log, in the format of `docs/journal.md`.
//!
//! # Rules
//! 1. One batch per executed block, sealed when the block was made; its beacon is the block's hash.
//! 2. Under the disciplines `fifo`, `priority`, `fee` and `class` the inputs stand in the order in which
//!    the proposer queued them and the terms name the rule: whoever verifies derives each block's order
//!    again.
//! 3. Other disciplines keep state between blocks. Theirs are sealed as they were published, under
//!    `fifo`; so is what gets its order elsewhere (by an express lane, a draw, an auction, many nodes).
//!
//! # Departures
//! - The secret follows from the run's seed, so that a run has one journal: it binds a run, nobody.
//! - What still waited at the proposer is not in the journal, so that a block left nothing out is
//!   not proved.

use std::sync::Arc;

use surgetank_layer::audit::batch::{Open, Ticket};
use surgetank_layer::audit::journal::Ledger;
use surgetank_layer::codec;
use surgetank_layer::message::{Block, Entry};
use surgetank_layer::pipe::terms::Ordering;
use surgetank_layer::units::Ns;

use super::World;
use crate::scenario::{BlockOrder, Discipline, Matching, Scenario, class_of};

/// Executed blocks, each in the order in which it took effect.
pub struct Executed {
    blocks: Vec<Arc<Block>>,
    /// Of the chain of secrets.
    secret: [u8; 32],
}

impl Executed {
    /// None yet.
    pub(super) fn new(secret: [u8; 32]) -> Executed {
        Executed { blocks: Vec::new(), secret }
    }

    /// A node has executed a block, perhaps as the first.
    pub(super) fn note(&mut self, block: &Arc<Block>) {
        if block.height == self.blocks.len() as u64 + 1 {
            self.blocks.push(Arc::clone(block));
        }
    }
}

/// The rule that can be checked block by block, if the scenario's is one.
fn checkable(scenario: &Scenario) -> Option<Ordering> {
    let queue = &scenario.layer.queue;
    let calls = scenario.market.as_ref().is_some_and(|m| m.matching == Matching::Auction);
    if queue.order != BlockOrder::AsProposed || queue.express.enabled || calls {
        return None;
    }
    match queue.discipline {
        Discipline::Fifo => Some(Ordering::Fifo),
        Discipline::Priority => {
            let high = queue.high.iter().fold(0, |mask, &name| mask | 1 << class_of(name) as u8);
            Some(Ordering::Priority { high })
        }
        Discipline::Fee => Some(Ordering::Fee),
        Discipline::Class => Some(Ordering::Class),
        _ => None,
    }
}

impl World {
    /// The journal of the blocks that were executed so far.
    pub fn journal(&self) -> Vec<u8> {
        let rule = checkable(&self.scenario);
        let terms = rule.unwrap_or(Ordering::Fifo).terms(u32::MAX, u64::MAX);
        let blocks = &self.executed_blocks.blocks;
        let (mut ledger, mut out) = Ledger::new(&self.executed_blocks.secret, blocks.len(), &terms);
        let mut open = Open::default();
        for block in blocks {
            // Sealed in order of arrival: where two arrived at once, as they were published.
            let mut sealed: Vec<u32> = (0..block.entries.len() as u32).collect();
            if rule.is_some() {
                sealed.sort_by_key(|&at| block.entries[at as usize].queued_ns);
            }
            let mut order = vec![0; sealed.len()];
            for (index, &at) in (0u32..).zip(&sealed) {
                let entry = &block.entries[at as usize];
                let arrival_ns = if rule.is_some() { entry.queued_ns } else { block.proposed_ns };
                self.seal_entry(&mut open, entry, arrival_ns);
                order[at as usize] = index;
            }
            let Ok(batch) = ledger.seal(block.proposed_ns, &mut open, &block.hash.0) else { break };
            ledger.publish(&mut open, batch, &order, &terms, &mut out);
        }
        out
    }

    fn seal_entry(&self, open: &mut Open, entry: &Entry, arrival_ns: Ns) {
        let envelope = &entry.envelope;
        let slot = self.carried[envelope.id as usize].slot;
        let mut message = Vec::new();
        codec::encode(&self.records[slot as usize].message, &mut message);
        let ticket = Ticket {
            account: envelope.account,
            class: envelope.class as u8,
            flags: envelope.flags,
            fee: envelope.fee_micros,
            arrival_ns,
        };
        open.push(&ticket, &message);
    }
}
