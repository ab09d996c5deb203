//! Block synchronisation of a node that fell behind, and re-broadcast by a node without progress.
//!
//! A request is repeated when no answer came within what answers take (RFC 6298's timeout, with its
//! back-off; an answer to a repeated request is no sample: Karn & Partridge 1987). So a venue with
//! slow links or disks does not answer the same request many times.
//!
//! Every span follows from the engine's configured times. Before an answer was timed, one may take as
//! long as [`Engine::answer_ns`](super::Engine::answer_ns).

use std::sync::Arc;

use super::smoothed::Smoothed;
use super::{Node, Output, Packet, Timer, Wait, ordering};
use crate::chained::ChainMessage;
use crate::machine::Draws;
use crate::message::{Payload, Proposal, Statement};
use crate::sequencer::chain;
use crate::units::{Height, NodeId, Ns};

/// Blocks sent in one answer.
const BLOCKS_PER_ANSWER: usize = 16;
/// Re-broadcasts without progress after which all known statements are re-broadcast.
const STUCK: u32 = 4;
/// Doublings of the patience, at most.
const DOUBLINGS_MAX: u32 = 6;

/// A node's knowledge of others' progress and its own.
pub struct State {
    /// Highest height seen in consensus messages, and the sender.
    heard: Height,
    from: NodeId,
    asked_ns: Option<Ns>,
    /// Height of the first requested block.
    asked: Height,
    /// Smoothed answer time, the present timeout, and its doublings.
    answers: Smoothed,
    patience_ns: f64,
    doublings: u32,
    /// Whether the present request is a repetition.
    repeated: bool,
    /// Number of decided blocks at the last check.
    last_look: Height,
    /// Number of re-broadcasts without progress.
    stuck: u32,
    /// The wait for the next height, which begins when everything decided is executed.
    pub(super) held_commit: Option<(Ns, Wait)>,
}

impl State {
    /// Nothing is known yet; an answer may take `answer_ns`.
    pub(super) fn new(answer_ns: Ns) -> State {
        State {
            heard: 0,
            from: 0,
            asked_ns: None,
            asked: 0,
            answers: Smoothed::default(),
            patience_ns: answer_ns as f64,
            doublings: 0,
            repeated: false,
            last_look: 0,
            stuck: 0,
            held_commit: None,
        }
    }

    /// Whether to send a request (again) now.
    fn asks(&mut self, now: Ns) -> bool {
        if let Some(asked_ns) = self.asked_ns {
            if ((now - asked_ns) as f64) < self.patience_ns * f64::from(1 << self.doublings) {
                return false;
            }
            self.doublings = (self.doublings + 1).min(DOUBLINGS_MAX);
        }
        self.repeated = self.asked_ns.replace(now).is_some();
        true
    }

    /// An answer is here.
    fn answered(&mut self, now: Ns) {
        if let (Some(asked_ns), false) = (self.asked_ns.take(), self.repeated) {
            self.patience_ns = self.answers.sample(now - asked_ns);
            self.doublings = 0;
        }
    }

    /// Records that a node works on `height`, so that it has decided all below.
    pub(super) fn seen(&mut self, height: Height, from: NodeId) {
        if height > self.heard {
            (self.heard, self.from) = (height, from);
        }
    }

    /// Whether another node has decided more than `decided` blocks.
    pub(super) fn behind(&self, decided: Height) -> bool {
        self.heard > decided + 1
    }
}

impl Node {
    pub(super) fn note_height(
        &mut self,
        now: Ns,
        height: Height,
        from: NodeId,
        out: &mut Vec<Output>,
    ) {
        self.sync.seen(height, from);
        // One height behind is normal: the last votes may be in flight.
        if height > self.chain.len() as u64 + 2 {
            self.ask_for_blocks(now, out);
        }
    }

    pub(super) fn ask_for_blocks(&mut self, now: Ns, out: &mut Vec<Output>) {
        let decided = self.chain.len() as u64;
        if self.sync.behind(decided) && self.sync.asks(now) {
            self.sync.asked = decided + 1;
            let packet = Packet::BlocksWanted(decided + 1);
            out.push(Output::Packet { to: self.sync.from, packet });
        }
    }

    /// A packet from any node.
    pub(super) fn packet(
        &mut self,
        now: Ns,
        from: NodeId,
        packet: Packet,
        draws: &mut dyn Draws,
        out: &mut Vec<Output>,
    ) {
        match packet {
            Packet::Forward(envelope) => {
                self.offer(now, super::intake::Work::gateway(envelope), out);
            }
            Packet::Batch(prev, block) => self.batch(now, prev, block, draws, out),
            Packet::BlocksWanted(height) => {
                let start = (height.max(1) - 1) as usize;
                let blocks: Vec<_> =
                    self.chain.iter().skip(start).take(BLOCKS_PER_ANSWER).cloned().collect();
                if !blocks.is_empty() {
                    out.push(Output::Packet { to: from, packet: Packet::Blocks(blocks) });
                }
            }
            Packet::Blocks(blocks) => self.synced(now, blocks, draws, out),
            Packet::Chained(message, block) => self.hear_chained(from, message, block, out),
            Packet::VerticesWanted(asked) => self.send_vertices(from, &asked, out),
            Packet::Share(height) => self.share(now, height, from, draws, out),
            Packet::ShareWanted(height) => self.share_wanted(height, from, out),
            Packet::OrderReport(report) => self.reported(from, report),
            Packet::OrderConfirmed { next, again } => self.order_confirmed(next, again),
        }
    }

    fn synced(
        &mut self,
        now: Ns,
        blocks: Vec<Arc<crate::message::Block>>,
        draws: &mut dyn Draws,
        out: &mut Vec<Output>,
    ) {
        // Answers to a request that was repeated, and answered before, begin lower.
        if blocks.first().is_none_or(|first| first.height != self.sync.asked) {
            return;
        }
        self.sync.answered(now);
        for block in blocks {
            let (height, value) = (block.height, block.hash);
            let prev = self.last_hash();
            if height != self.chain.len() as u64 + 1
                || chain(&prev, height, &block.entries) != value
            {
                continue;
            }
            let graph = block.graph.clone();
            self.proposed.insert(value, block);
            let input = ordering::Input::Fetched { height, prev, hash: value, graph };
            self.engine_step(now, input, draws, out);
        }
        self.ask_for_blocks(now, out);
    }

    fn propose_again(&self, proposal: Proposal, out: &mut Vec<Output>) {
        if let Some(block) = self.proposed.get(&proposal.value) {
            out.push(Output::PublishAgain(Payload::Proposal(proposal, Arc::clone(block))));
        }
    }

    fn send_again(&self, message: Arc<ChainMessage>, out: &mut Vec<Output>) {
        if let Some(block) = self.block_of(&message) {
            out.push(Output::PublishAgain(Payload::Chained(message, block)));
        }
    }

    /// Whether a statement is unknown here: neither known nor waiting for verification.
    pub fn lacks(&self, statement: &Statement) -> bool {
        let waits =
            || self.hearing.iter().any(|(_, said, _)| said.statement().as_ref() == Some(statement));
        self.engine.lacks(statement) && !waits()
    }

    pub(super) fn rebroadcast(&mut self, now: Ns, draws: &mut dyn Draws, out: &mut Vec<Output>) {
        let Some(rebroadcast_ns) = self.engine.rebroadcast_ns() else { return };
        out.push(Output::After(rebroadcast_ns, Timer::Rebroadcast));
        let decided = self.chain.len() as u64;
        self.sync.stuck = if decided == self.sync.last_look { self.sync.stuck + 1 } else { 0 };
        if self.sync.stuck > 0 {
            // Own statements mostly suffice; after a while, also those of nodes that may have
            // failed.
            for statement in self.engine.repeats(self.sync.stuck.is_multiple_of(STUCK)) {
                match statement {
                    Statement::Proposal(proposal) => self.propose_again(proposal, out),
                    Statement::Chained(message) => self.send_again(message, out),
                    Statement::Vote(vote) => out.push(Output::PublishAgain(Payload::Vote(vote))),
                }
            }
        }
        self.sync.last_look = decided;
        self.ask_for_blocks(now, out);
        self.engine_step(now, ordering::Input::Tick, draws, out);
    }
}
