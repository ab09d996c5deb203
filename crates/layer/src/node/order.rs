//! Messages become blocks: by Tendermint, or by the one sequencer.

use std::sync::Arc;

use super::{Node, Orderer, Output, Packet, Timer, admit};
use crate::consensus::{single, tendermint};
use crate::machine::{Draws, Machine};
use crate::message::{Block, Entry, Payload, Proposal};
use crate::queue::Reason;
use crate::sequencer::{self, chain};
use crate::units::{Digest, Height, Ns};

impl Node {
    /// A message of consensus has been validated.
    pub(super) fn consider(
        &mut self,
        now: Ns,
        payload: Payload,
        draws: &mut dyn Draws,
        out: &mut Vec<Output>,
    ) {
        match payload {
            Payload::Opaque => {}
            Payload::Vote(vote) => {
                self.heard_of(now, vote.height, vote.validator, out);
                self.consensus_step(now, tendermint::Input::Vote(vote), draws, out);
            }
            Payload::Proposal(proposal, block) => {
                self.heard_of(now, proposal.height, proposal.validator, out);
                if proposal.height <= self.chain.len() as u64 {
                    return;
                }
                let valid = self.is_valid(&proposal, &block);
                self.proposed.insert(block.hash, block);
                let input = tendermint::Input::Proposal { proposal, valid };
                self.consensus_step(now, input, draws, out);
            }
        }
    }

    /// valid(v): the block is the one named, and follows the chain as far as this node knows it.
    fn is_valid(&self, proposal: &Proposal, block: &Block) -> bool {
        let names = block.height == proposal.height && block.hash == proposal.value;
        let follows = proposal.height > self.next_height()
            || chain(&self.last_hash(), block.height, &block.entries) == block.hash;
        names && follows
    }

    pub(super) fn next_height(&self) -> Height {
        self.chain.len() as u64 + 1
    }

    /// Hash of the last decided block; zero before the first.
    pub fn last_hash(&self) -> Digest {
        self.chain.last().map_or(Digest::default(), |block| block.hash)
    }

    pub(super) fn consensus_step(
        &mut self,
        now: Ns,
        input: tendermint::Input,
        draws: &mut dyn Draws,
        out: &mut Vec<Output>,
    ) {
        let Orderer::Tendermint { machine, .. } = &mut self.orderer else { return };
        let mut outbox = Vec::new();
        machine.step(now, input, draws, &mut outbox);
        self.follow_up(now, outbox, draws, out);
    }

    pub(super) fn follow_up(
        &mut self,
        now: Ns,
        outbox: Vec<tendermint::Output>,
        draws: &mut dyn Draws,
        out: &mut Vec<Output>,
    ) {
        for output in outbox {
            match output {
                tendermint::Output::GetValue { height, round } => {
                    let block = self.make_block(now, height);
                    let value = block.hash;
                    self.proposed.entry(value).or_insert(block);
                    let input = tendermint::Input::Value { height, round, value };
                    self.consensus_step(now, input, draws, out);
                }
                tendermint::Output::Propose(proposal) => self.propose(proposal, out),
                tendermint::Output::Vote(vote) => out.push(Output::Publish(Payload::Vote(vote))),
                tendermint::Output::Schedule { timeout, after_ns } => {
                    self.schedule(now, timeout, after_ns, out);
                }
                tendermint::Output::Decide { round, value, .. } => {
                    if let Some(block) = self.proposed.remove(&value) {
                        self.decide(now, block, round, draws, out);
                    }
                }
                tendermint::Output::Equivocation { validator, .. } => {
                    out.push(Output::Equivocation(validator));
                }
            }
        }
    }

    pub(super) fn propose(&self, proposal: Proposal, out: &mut Vec<Output>) {
        if let Some(block) = self.proposed.get(&proposal.value) {
            out.push(Output::Publish(Payload::Proposal(proposal, Arc::clone(block))));
        }
    }

    /// getValue(): what waits, under the queue's rule, without taking it out.
    fn make_block(&self, now: Ns, height: Height) -> Arc<Block> {
        let Orderer::Tendermint { block_messages_max, block_bytes_max, .. } = self.orderer else {
            unreachable!("only consensus asks for values")
        };
        let mut bytes = 0;
        let mut cancelled = admit::Cancelled::default();
        let mut entries: Vec<Entry> = self
            .mempool
            .iter()
            .filter(|waiting| self.builder.takes(&waiting.item))
            .filter(|waiting| self.is_void(height, &waiting.item, &mut cancelled).is_none())
            .take(block_messages_max as usize)
            .take_while(|waiting| {
                bytes += waiting.item.size_bytes;
                bytes <= block_bytes_max
            })
            .map(|waiting| Entry { envelope: waiting.item, queued_ns: waiting.queued_ns })
            .collect();
        self.builder.arrange(&mut entries);
        let hash = chain(&self.last_hash(), height, &entries);
        let (proposer, grounds) = (self.id, Vec::new());
        Arc::new(Block { height, proposer, proposed_ns: now, entries, hash, grounds })
    }

    /// The sequencer learns that messages wait.
    pub(super) fn tell_sequencer(&mut self, now: Ns, draws: &mut dyn Draws, out: &mut Vec<Output>) {
        let messages = self.mempool.len() as u32;
        let input = sequencer::Input::Waiting { messages, bytes: self.mempool_bytes };
        self.sequence(now, input, draws, out);
    }

    pub(super) fn sequence(
        &mut self,
        now: Ns,
        input: sequencer::Input,
        draws: &mut dyn Draws,
        out: &mut Vec<Output>,
    ) {
        let Orderer::Single { sequencer: Some(sequencer), .. } = &mut self.orderer else { return };
        let mut outbox = Vec::new();
        sequencer.step(now, input, draws, &mut outbox);
        for output in outbox {
            match output {
                sequencer::Output::Arm { at_ns } => {
                    out.push(Output::After(at_ns.saturating_sub(now), Timer::Sequencer));
                }
                sequencer::Output::Close { messages_max, bytes_max } => {
                    let entries = self.drain(now, messages_max, bytes_max, out);
                    // A rule that gives nothing now gives nothing when asked again at once.
                    let gave = !entries.is_empty();
                    let input = sequencer::Input::Seal { entries, proposer: self.id };
                    self.sequence(now, input, draws, out);
                    if gave && !self.mempool.is_empty() {
                        self.tell_sequencer(now, draws, out);
                    }
                }
                sequencer::Output::Sealed(block) => self.sealed(now, block, draws, out),
            }
        }
    }

    fn drain(
        &mut self,
        now: Ns,
        messages_max: u32,
        bytes_max: u64,
        out: &mut Vec<Output>,
    ) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut bytes = 0;
        let mut cancelled = admit::Cancelled::default();
        while entries.len() < messages_max as usize {
            let Some(next) = self.mempool.peek(now) else { break };
            let size = u64::from(next.item.size_bytes);
            if bytes + size > bytes_max && !entries.is_empty() {
                break;
            }
            bytes += size;
            let Some(taken) = self.mempool.pop(now) else { break };
            if let Some(reason) = self.is_void(self.next_height(), &taken.item, &mut cancelled) {
                bytes -= size;
                self.forget(taken.item, reason, out);
                continue;
            }
            self.mempool_bytes -= size;
            if self.builder.takes(&taken.item) {
                entries.push(Entry { envelope: taken.item, queued_ns: taken.queued_ns });
            }
        }
        self.builder.arrange(&mut entries);
        for shed in self.mempool.shed() {
            self.forget(shed, Reason::Shed, out);
        }
        entries
    }

    fn sealed(&mut self, now: Ns, block: Arc<Block>, draws: &mut dyn Draws, out: &mut Vec<Output>) {
        let prev = self.last_hash();
        let grounds = self.fair.as_mut().map_or_else(Vec::new, |fair| fair.grounds());
        let block = Arc::new(Block { grounds, ..Arc::unwrap_or_clone(block) });
        for to in (0..self.nodes).filter(|&to| to != self.id) {
            out.push(Output::Packet { to, packet: Packet::Batch(prev, Arc::clone(&block)) });
        }
        let (height, hash) = (block.height, block.hash);
        self.proposed.insert(hash, block);
        self.follow(now, single::Input::Sealed { height, hash }, draws, out);
    }

    /// The orderer's batch is here.
    pub(super) fn batch(
        &mut self,
        now: Ns,
        prev: Digest,
        block: Arc<Block>,
        draws: &mut dyn Draws,
        out: &mut Vec<Output>,
    ) {
        let (height, hash) = (block.height, block.hash);
        if height > self.chain.len() as u64 {
            self.proposed.insert(hash, block);
        }
        self.follow(now, single::Input::Batch { height, prev, hash }, draws, out);
        // The follower says once what is missing; whether an answer came is seen here.
        self.ask_for_blocks(now, out);
    }

    /// A batch's turn may have come, or something before it is missing.
    pub(super) fn follow(
        &mut self,
        now: Ns,
        input: single::Input,
        draws: &mut dyn Draws,
        out: &mut Vec<Output>,
    ) {
        let Orderer::Single { follower, leader, .. } = &mut self.orderer else { return };
        let leader = *leader;
        let mut outbox = Vec::new();
        follower.step(now, input, draws, &mut outbox);
        for output in outbox {
            match output {
                single::Output::Decide { hash, .. } => {
                    if let Some(block) = self.proposed.remove(&hash) {
                        self.decide(now, block, 0, draws, out);
                    }
                }
                single::Output::Missing { to_height, .. } => {
                    self.sync.seen(to_height + 1, leader);
                }
                single::Output::Broken { .. } => {}
            }
        }
    }
}
