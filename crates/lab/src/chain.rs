//! Decided and executed blocks, and the run's journal: the venue's ordered, hash-chained log, in
//! the format of `docs/journal.md`.
//!
//! # Rules
//! 1. One batch per executed block, sealed when the block was made; its beacon is the block's hash.
//! 2. Under the disciplines `fifo`, `priority`, `fee` and `class`, and under `lanes` where blocks are
//!    voted on and no controller sets weights, the inputs are in the order in which the proposer
//!    queued them and the terms name the rule, so that a verifier can derive each block's order.
//! 3. Other disciplines keep state between blocks. Their blocks are sealed as published, under
//!    `fifo`; so are those ordered elsewhere (by an express lane, a draw, an auction, a fair
//!    order), and those made of what several nodes proposed.
//!
//! # Departures
//! - The secret derives from the run's seed, so that a run has one journal: it is no commitment.
//! - Messages that still waited at the proposer are not in the journal, so omissions cannot be
//!   detected.

use std::collections::BTreeSet;
use std::sync::Arc;

use surgetank_layer::audit::batch::{OpenBatch, Ticket};
use surgetank_layer::audit::journal::Ledger;
use surgetank_layer::codec;
use surgetank_layer::message::{Block, Entry, Message};
use surgetank_layer::node::{Engine, Equivocation};
use surgetank_layer::pipe::terms::Ordering;
use surgetank_layer::units::{MessageId, NEVER, NodeId, Ns};

use surgetank_venue::genesis::Matching;

use crate::scenario::{self, BlockOrder, Scenario};
use crate::seed::Seed;
use crate::trace::BlockRow;

/// Decided and executed blocks.
pub struct Chain {
    /// (decided, executed) per node and height.
    executions: Vec<Vec<(Ns, Ns)>>,
    rows: Vec<BlockRow>,
    /// Whether nodes agree, and no orderer's chain broke.
    safe: bool,
    equivocations: BTreeSet<Equivocation>,
    /// Executed blocks, each in the order in which it took effect.
    blocks: Vec<Arc<Block>>,
    /// The rule that can be verified block by block, if there is one.
    rule: Option<Ordering>,
    /// Secret of the journal's hash chain.
    secret: [u8; 32],
}

/// The rule that can be checked block by block, if the scenario's is one.
fn checkable(scenario: &Scenario, engine: &dyn Engine) -> Option<Ordering> {
    let queue = &scenario.layer.queue;
    let calls = scenario.market.as_ref().is_some_and(|m| m.matching == Matching::Auction);
    let parts = !engine.spreads();
    if queue.order != BlockOrder::AsProposed || queue.express.enabled || calls || parts {
        return None;
    }
    let layer = &scenario.layer;
    let tuned = layer.tuning.controller != scenario::Controller::None;
    let censors = scenario.attack.what.kind() == "censor";
    let passes_over = layer.admission.node.is_some() || censors || engine.overlaps();
    Ordering::of(queue.discipline.as_ref()?).filter(|rule| match rule {
        // A sequencer goes on with the turns of its last block; a voted block begins the turns anew.
        // A message that its proposer passes over takes a turn that the block does not show.
        Ordering::Lanes { .. } => engine.peeks() && !tuned && !passes_over,
        // An account keeps its turn from block to block while a message of it waits.
        Ordering::Drr { .. } => false,
        _ => true,
    })
}

impl Chain {
    /// A chain without blocks, which this engine orders.
    pub fn new(scenario: &Scenario, engine: &dyn Engine, seed: &Seed) -> Chain {
        Chain {
            executions: vec![Vec::new(); scenario.network.nodes as usize],
            rows: Vec::new(),
            safe: true,
            equivocations: BTreeSet::new(),
            blocks: Vec::new(),
            rule: checkable(scenario, engine),
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

    /// Whether no two nodes have decided different blocks of one height, and every block that an
    /// orderer sent followed the one before it.
    pub fn is_safe(&self) -> bool {
        self.safe
    }

    /// Number of equivocations (by validator, height and round) that some node has detected.
    pub fn equivocations(&self) -> usize {
        self.equivocations.len()
    }

    /// Records an equivocation that a node has detected.
    pub fn equivocation(&mut self, found: Equivocation) {
        self.equivocations.insert(found);
    }

    /// Records that a node was sent a block that does not follow the one before it.
    pub fn broken(&mut self) {
        self.safe = false;
    }

    /// Records that a node knows a block as decided.
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

    /// Records that a node has executed a block.
    pub fn executed(&mut self, now: Ns, node: NodeId, block: &Arc<Block>) {
        self.executions[node as usize][block.height as usize - 1].1 = now;
        if block.height == self.blocks.len() as u64 + 1 {
            self.blocks.push(Arc::clone(block));
        }
    }

    /// The journal of the blocks that were executed so far, with the content of their messages.
    pub fn journal(&self, message: impl Fn(MessageId) -> Message) -> Vec<u8> {
        let checked = self.rule.is_some();
        let terms = self.rule.unwrap_or(Ordering::Fifo).terms(u32::MAX, u64::MAX);
        let (mut ledger, mut out) = Ledger::new(&self.secret, self.blocks.len(), &terms);
        let mut open = OpenBatch::default();
        for block in &self.blocks {
            // Sealed in order of arrival; at equal times, in published order.
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
