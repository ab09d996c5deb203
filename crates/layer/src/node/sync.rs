//! A node that fell behind catches up; a node without progress says its last words again.

use super::{Node, Orderer, Output, Packet, Timer};
use crate::consensus::tendermint::{self, Timeout};
use crate::machine::Draws;
use crate::message::Payload;
use crate::sequencer::chain;
use crate::units::{Height, MS, NodeId, Ns};

/// Blocks sent in one answer.
const BLOCKS_PER_ANSWER: usize = 16;
/// Looks without progress after which everything known is said again.
const STUCK: u32 = 4;
/// A request without an answer is repeated after this long.
const PATIENCE_NS: Ns = 500 * MS;

/// What a node knows of others' progress and its own.
#[derive(Default)]
pub struct State {
    /// Highest height heard of in consensus, and from whom.
    heard: Height,
    from: NodeId,
    asked_ns: Option<Ns>,
    /// Decided blocks at the last look, and looks without progress since.
    last_look: Height,
    stuck: u32,
    /// A commit timeout that waits for execution.
    pub(super) held_commit: Option<(Ns, Timeout)>,
}

impl State {
    /// Somebody works on `height`: it has decided everything below.
    pub(super) fn seen(&mut self, height: Height, from: NodeId) {
        if height > self.heard {
            (self.heard, self.from) = (height, from);
        }
    }

    /// Whether somebody has decided more than `decided` blocks.
    pub(super) fn behind(&self, decided: Height) -> bool {
        self.heard > decided + 1
    }
}

impl Node {
    pub(super) fn heard_of(
        &mut self,
        now: Ns,
        height: Height,
        from: NodeId,
        out: &mut Vec<Output>,
    ) {
        self.sync.seen(height, from);
        // One height behind is ordinary: the last votes may be under way.
        if height > self.chain.len() as u64 + 2 {
            self.ask_for_blocks(now, out);
        }
    }

    pub(super) fn ask_for_blocks(&mut self, now: Ns, out: &mut Vec<Output>) {
        let decided = self.chain.len() as u64;
        let waiting = self.sync.asked_ns.is_some_and(|asked| now < asked + PATIENCE_NS);
        if self.sync.behind(decided) && !waiting {
            self.sync.asked_ns = Some(now);
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
                self.offer(now, super::intake::Work::gateway(envelope), draws, out);
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
            Packet::Share(height) => self.share(now, height, from, draws, out),
            Packet::ShareWanted(height) => self.share_wanted(height, from, out),
            Packet::Ordering(report) => self.reported(from, report),
            Packet::OrderingHeard { next, again } => self.ordering_heard(next, again),
        }
    }

    fn synced(
        &mut self,
        now: Ns,
        blocks: Vec<std::sync::Arc<crate::message::Block>>,
        draws: &mut dyn Draws,
        out: &mut Vec<Output>,
    ) {
        self.sync.asked_ns = None;
        for block in blocks {
            let (height, value) = (block.height, block.hash);
            let prev = self.last_hash();
            if height != self.chain.len() as u64 + 1
                || chain(&prev, height, &block.entries) != value
            {
                continue;
            }
            if let Orderer::Single { .. } = self.orderer {
                self.batch(now, prev, block, draws, out);
            } else {
                self.decide(now, block, 0, draws, out);
                let input = tendermint::Input::CatchUp { height, value };
                self.consensus_step(now, input, draws, out);
            }
        }
        self.ask_for_blocks(now, out);
    }

    pub(super) fn rebroadcast(&mut self, now: Ns, out: &mut Vec<Output>) {
        let Orderer::Tendermint { machine, rebroadcast_ns, .. } = &self.orderer else { return };
        out.push(Output::After(*rebroadcast_ns, Timer::Rebroadcast));
        let decided = self.chain.len() as u64;
        self.sync.stuck = if decided == self.sync.last_look { self.sync.stuck + 1 } else { 0 };
        if self.sync.stuck > 0 {
            // Own words mostly suffice; after a while, also what those say who may be gone.
            let (proposals, votes) = if self.sync.stuck.is_multiple_of(STUCK) {
                machine.known_messages()
            } else {
                let (proposal, votes) = machine.own_messages();
                (Vec::from_iter(proposal), votes)
            };
            proposals.into_iter().for_each(|proposal| self.propose(proposal, out));
            out.extend(votes.into_iter().map(|vote| Output::Publish(Payload::Vote(vote))));
        }
        self.sync.last_look = decided;
        self.ask_for_blocks(now, out);
    }
}
