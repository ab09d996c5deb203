//! What nodes decided and executed, and the run's journal of it: the venue's ordered, chained log, in
//! the format of `docs/journal.md`.
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

use surgetank_layer::audit::batch::{OpenBatch, Ticket};
use surgetank_layer::audit::journal::Ledger;
use surgetank_layer::codec;
use surgetank_layer::message::{Block, Entry, Message};
use surgetank_layer::pipe::terms::Ordering;
use surgetank_layer::queue::Rule;
use surgetank_layer::units::{MessageId, NEVER, NodeId, Ns};

use crate::scenario::{BlockOrder, Matching, Scenario};
use crate::seed::Seed;
use crate::trace::BlockRow;

/// Decided and executed blocks.
pub struct Chain {
    /// (decided, executed) per node and height.
    executions: Vec<Vec<(Ns, Ns)>>,
    rows: Vec<BlockRow>,
    /// Whether nodes agree.
    safe: bool,
    equivocations: u64,
    /// Executed blocks, each in the order in which it took effect.
    blocks: Vec<Arc<Block>>,
    /// The rule that can be checked block by block, if there is one.
    rule: Option<Ordering>,
    /// Of the journal's chain of secrets.
    secret: [u8; 32],
}

/// The rule that can be checked block by block, if the scenario's is one.
fn checkable(scenario: &Scenario) -> Option<Ordering> {
    let queue = &scenario.layer.queue;
    let calls = scenario.market.as_ref().is_some_and(|m| m.matching == Matching::Auction);
    if queue.order != BlockOrder::AsProposed || queue.express.enabled || calls {
        return None;
    }
    match queue.discipline {
        Some(Rule::Fifo) => Some(Ordering::Fifo),
        Some(Rule::Priority { high }) => Some(Ordering::Priority { high }),
        Some(Rule::Fee) => Some(Ordering::Fee),
        Some(Rule::Class) => Some(Ordering::Class),
        _ => None,
    }
}

impl Chain {
    /// Nothing is decided yet.
    pub fn new(scenario: &Scenario, seed: &Seed) -> Chain {
        Chain {
            executions: vec![Vec::new(); scenario.network.nodes as usize],
            rows: Vec::new(),
            safe: true,
            equivocations: 0,
            blocks: Vec::new(),
            rule: checkable(scenario),
            secret: seed.digest("journal", 0),
        }
    }

    /// (decided, executed) per node and height.
    pub fn executions(&self) -> &[Vec<(Ns, Ns)>] {
        &self.executions
    }

    /// Decided blocks, from height 1.
    pub fn rows(&self) -> &[BlockRow] {
        &self.rows
    }

    /// Whether no two nodes have decided different blocks of one height.
    pub fn is_safe(&self) -> bool {
        self.safe
    }

    /// How often a node has seen another say two things.
    pub fn equivocations(&self) -> u64 {
        self.equivocations
    }

    /// A node has seen another say two things.
    pub fn equivocation(&mut self) {
        self.equivocations += 1;
    }

    /// A node knows that a block is decided.
    pub fn decided(&mut self, now: Ns, node: NodeId, block: &Block, round: u32) {
        let index = block.height as usize - 1;
        debug_assert_eq!(self.executions[node as usize].len(), index);
        self.executions[node as usize].push((now, NEVER));
        match self.rows.get(index) {
            Some(row) => self.safe &= row.hash == block.hash.0,
            None => self.rows.push(BlockRow {
                round,
                proposer: block.proposer,
                messages: block.entries.len() as u32,
                size_bytes: block.entries.iter().map(|e| u64::from(e.envelope.size_bytes)).sum(),
                proposed_ns: block.proposed_ns,
                decided_ns: now,
                hash: block.hash.0,
            }),
        }
    }

    /// A node has executed a block, perhaps as the first.
    pub fn executed(&mut self, now: Ns, node: NodeId, block: &Arc<Block>) {
        self.executions[node as usize][block.height as usize - 1].1 = now;
        if block.height == self.blocks.len() as u64 + 1 {
            self.blocks.push(Arc::clone(block));
        }
    }

    /// The journal of the blocks that were executed so far, with what their messages say.
    pub fn journal(&self, message: impl Fn(MessageId) -> Message) -> Vec<u8> {
        let checked = self.rule.is_some();
        let terms = self.rule.unwrap_or(Ordering::Fifo).terms(u32::MAX, u64::MAX);
        let (mut ledger, mut out) = Ledger::new(&self.secret, self.blocks.len(), &terms);
        let mut open = OpenBatch::default();
        for block in &self.blocks {
            // Sealed in order of arrival: where two arrived at once, as they were published.
            let mut sealed: Vec<u32> = (0..block.entries.len() as u32).collect();
            if checked {
                sealed.sort_by_key(|&at| block.entries[at as usize].queued_ns);
            }
            let mut order = vec![0; sealed.len()];
            for (index, &at) in (0u32..).zip(&sealed) {
                let entry = &block.entries[at as usize];
                let arrival_ns = if checked { entry.queued_ns } else { block.proposed_ns };
                seal_entry(&mut open, entry, &message(entry.envelope.id), arrival_ns);
                order[at as usize] = index;
            }
            let Ok(batch) = ledger.seal(block.proposed_ns, &mut open, &block.hash.0) else { break };
            ledger.publish(&mut open, batch, &order, &terms, &mut out);
        }
        out
    }
}

fn seal_entry(open: &mut OpenBatch, entry: &Entry, message: &Message, arrival_ns: Ns) {
    let envelope = &entry.envelope;
    let mut bytes = Vec::new();
    codec::encode(message, &mut bytes);
    let ticket = Ticket {
        account: envelope.account,
        class: envelope.class as u8,
        flags: envelope.flags,
        fee: envelope.fee_micros,
        arrival_ns,
    };
    open.push(&ticket, &bytes);
}
