//! Making blocks at the engine's request.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Node, Output, Packet, Reason, admit, ordering};
use crate::chained::ChainMessage;
use crate::consensus::single;
use crate::dag::SubDag;
use crate::machine::Draws;
use crate::message::{Block, Entry, Envelope, Payload, Proposal, Statement};
use crate::sequencer::chain;
use crate::units::{Digest, Height, MessageId, NodeId, Ns, Round};

/// How far ahead of the decided blocks a batch is kept: others are requested when it is their turn.
const BATCHES_AHEAD: Height = single::HELD_MAX as Height;

/// A block that is being made.
struct Draft {
    height: Height,
    /// Number of messages, and of bytes, for which there is still room.
    messages: u32,
    bytes: u64,
    /// Orders whose cancels are in it.
    cancelled: admit::Cancelled,
    /// Messages of undecided blocks below it.
    below: BTreeSet<MessageId>,
}

impl Draft {
    fn new(height: Height, messages: u32, bytes: u64) -> Draft {
        let (cancelled, below) = (admit::Cancelled::default(), BTreeSet::new());
        Draft { height, messages, bytes, cancelled, below }
    }
}

/// Decision about a waiting message in the block that is being made.
enum Choice {
    Take,
    /// The proposer omits it.
    LeaveOut,
    /// It may be in no block, for this reason.
    Void(Reason),
    /// There is no room for it: the block is complete.
    Full,
}

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
                self.note_height(now, vote.height, vote.validator, out);
                self.engine_step(now, ordering::Input::Vote(vote), draws, out);
            }
            Payload::Proposal(proposal, block) => {
                self.note_height(now, proposal.height, proposal.validator, out);
                if proposal.height <= self.chain.len() as u64 {
                    return;
                }
                let valid = self.is_valid(&proposal, &block);
                // The block of a proposal that the engine does not keep is of no use.
                if self.engine.lacks(&Statement::Proposal(proposal)) {
                    self.proposed.insert(block.hash, block);
                }
                let input = ordering::Input::Proposal { proposal, valid };
                self.engine_step(now, input, draws, out);
            }
            Payload::Chained(message, block) => {
                self.note_height(now, message.decided() + 1, message.validator(), out);
                self.consider_chained(now, message, block, draws, out);
            }
        }
    }

    /// A message of a chained protocol, or of one on a graph. Its block is valid if it is the one named
    /// and follows what it says, which need not be decided, nor known here.
    fn consider_chained(
        &mut self,
        now: Ns,
        message: Arc<ChainMessage>,
        block: Option<Arc<Block>>,
        draws: &mut dyn Draws,
        out: &mut Vec<Output>,
    ) {
        let valid = match (message.brings(), &block) {
            (Some(brought), Some(block)) => {
                block.height == brought.height
                    && block.hash == brought.value
                    && chain(&brought.follows, block.height, &block.entries) == block.hash
                    && self.builder.accepts(block)
            }
            _ => false,
        };
        let said = Statement::Chained(Arc::clone(&message));
        let is_new = |block: &Arc<Block>| !self.proposed.contains_key(&block.hash);
        let block = block.filter(|block| valid && is_new(block) && self.engine.lacks(&said));
        let hash = block.as_ref().map(|block| block.hash);
        self.proposed.extend(block.map(|block| (block.hash, block)));
        self.engine_step(now, ordering::Input::Chained { message, valid }, draws, out);
        // The block of a proposal that the engine does not keep is of no use.
        if let Some(hash) = hash.filter(|_| self.engine.lacks(&said)) {
            self.proposed.remove(&hash);
        }
    }

    /// Sends a message of a chained protocol with its block, to one node or to all.
    fn send_chained(
        &mut self,
        to: Option<NodeId>,
        message: Arc<ChainMessage>,
        out: &mut Vec<Output>,
    ) {
        let Some(block) = self.block_of(&message) else { return };
        out.push(match to {
            Some(to) => Output::Packet { to, packet: Packet::Chained(message, block) },
            None => Output::Publish(Payload::Chained(message, block)),
        });
    }

    /// The block that goes with a message; `None` if it is not here.
    pub(super) fn block_of(&self, message: &ChainMessage) -> Option<Option<Arc<Block>>> {
        match message.brings() {
            Some(brought) => self.proposed.get(&brought.value).map(|block| Some(Arc::clone(block))),
            None => Some(None),
        }
    }

    /// A message of a chained protocol for this node alone: it is verified in turn.
    pub(super) fn hear_chained(
        &mut self,
        from: NodeId,
        message: Arc<ChainMessage>,
        block: Option<Arc<Block>>,
        out: &mut Vec<Output>,
    ) {
        if message.validator() == from || message.is_for_all() {
            let size_bytes = message.size_bytes();
            let payload = Payload::Chained(message, block);
            let envelope = Envelope::plain(0, payload.class(), size_bytes, from);
            self.queue_consensus(envelope, payload, None, out);
        }
    }

    /// Sends vertices and their certificates to a node that asks for them.
    pub(super) fn send_vertices(&self, to: NodeId, asked: &[(Round, u32)], out: &mut Vec<Output>) {
        for message in self.engine.vertices(asked) {
            if let Some(block) = self.block_of(&message) {
                out.push(Output::Packet { to, packet: Packet::Chained(message, block) });
            }
        }
    }

    /// The messages of these blocks of vertices, each once, are the next block.
    fn assemble(
        &mut self,
        now: Ns,
        values: &[Digest],
        graph: Arc<SubDag>,
        round: Round,
        draws: &mut dyn Draws,
        out: &mut Vec<Output>,
    ) {
        let parts: Vec<Arc<Block>> =
            values.iter().filter_map(|value| self.proposed.get(value).cloned()).collect();
        debug_assert_eq!(parts.len(), values.len(), "an ordered vertex is not here");
        let mut entries = Vec::with_capacity(parts.iter().map(|part| part.entries.len()).sum());
        let all = parts.iter().flat_map(|part| &part.entries);
        entries.extend(all.filter(|entry| self.included.insert(entry.envelope.id)).copied());
        let height = self.next_height();
        let hash = chain(&self.last_hash(), height, &entries);
        let anchor = parts.iter().rfind(|part| part.proposer == graph.author);
        let proposed_ns = anchor.map_or(now, |part| part.proposed_ns);
        let (proposer, evidence, graph) = (graph.author, Vec::new(), Some(graph));
        let block = Block { height, proposer, proposed_ns, entries, hash, evidence, graph };
        self.decide(now, Arc::new(block), round, draws, out);
    }

    /// valid(v): the block is the one named, and follows the chain as far as this node knows it.
    fn is_valid(&self, proposal: &Proposal, block: &Block) -> bool {
        let names = block.height == proposal.height && block.hash == proposal.value;
        let follows = proposal.height > self.next_height()
            || chain(&self.last_hash(), block.height, &block.entries) == block.hash;
        names && follows && self.builder.accepts(block)
    }

    pub(super) fn next_height(&self) -> Height {
        self.chain.len() as u64 + 1
    }

    /// Hash of the last decided block; zero before the first.
    pub fn last_hash(&self) -> Digest {
        self.chain.last().map_or(Digest::default(), |block| block.hash)
    }

    pub(super) fn engine_step(
        &mut self,
        now: Ns,
        input: ordering::Input,
        draws: &mut dyn Draws,
        out: &mut Vec<Output>,
    ) {
        let mut asked = std::mem::take(&mut self.engine_out);
        self.engine.step(now, input, draws, &mut asked);
        for output in asked.drain(..) {
            self.answer(now, output, draws, out);
        }
        self.engine_out = asked;
    }

    /// Performs the engine's requests.
    fn answer(
        &mut self,
        now: Ns,
        asked: ordering::Output,
        draws: &mut dyn Draws,
        out: &mut Vec<Output>,
    ) {
        match asked {
            ordering::Output::Peek { height, round, base, after, messages_max, bytes_max } => {
                let draft = Draft::new(height, messages_max, bytes_max.into());
                let block = self.make_block(now, draft, base, &after);
                let value = block.hash;
                self.proposed.entry(value).or_insert(block);
                let input = ordering::Input::Made { height, round, value };
                self.engine_step(now, input, draws, out);
            }
            ordering::Output::Take { messages_max, bytes_max } => {
                let entries = self.drain(now, messages_max, bytes_max, out);
                // An empty batch now would be empty again at once.
                let gave = !entries.is_empty();
                self.engine_step(now, ordering::Input::Taken(entries), draws, out);
                if gave && !self.mempool.is_empty() {
                    self.notify_engine(now, draws, out);
                }
            }
            ordering::Output::Seal(block) => self.sealed(block, out),
            ordering::Output::Propose(proposal) => self.propose(proposal, out),
            ordering::Output::Vote(vote) => out.push(Output::Publish(Payload::Vote(vote))),
            ordering::Output::Chained { to, message } => self.send_chained(to, message, out),
            ordering::Output::Schedule { wait, after_ns } => {
                self.schedule(now, wait, after_ns, out)
            }
            ordering::Output::Decide { hash, round } => {
                if let Some(block) = self.proposed.remove(&hash) {
                    self.decide(now, block, round, draws, out);
                }
            }
            ordering::Output::Assemble { values, graph, round } => {
                self.assemble(now, &values, graph, round, draws, out);
            }
            ordering::Output::Forget(values) => {
                values.iter().for_each(|value| drop(self.proposed.remove(value)));
            }
            ordering::Output::Ask { to, vertices } => {
                out.push(Output::Packet { to, packet: Packet::VerticesWanted(vertices) });
            }
            ordering::Output::Missing { to_height, at } => self.sync.seen(to_height + 1, at),
            ordering::Output::Equivocation(found) => out.push(Output::Equivocation(found)),
            ordering::Output::Broken(height) => out.push(Output::Broken(height)),
        }
    }

    pub(super) fn propose(&self, proposal: Proposal, out: &mut Vec<Output>) {
        if let Some(block) = self.proposed.get(&proposal.value) {
            out.push(Output::Publish(Payload::Proposal(proposal, Arc::clone(block))));
        }
    }

    /// A block of waiting messages, under the queue's rule, which stay in the queue; on top of these
    /// undecided blocks, or of `base`.
    fn make_block(
        &mut self,
        now: Ns,
        mut draft: Draft,
        base: Option<Digest>,
        after: &[Digest],
    ) -> Arc<Block> {
        let height = draft.height;
        self.below = [0; 8];
        for entry in
            after.iter().filter_map(|hash| self.proposed.get(hash)).flat_map(|b| &b.entries)
        {
            draft.below.insert(entry.envelope.id);
            self.below[entry.envelope.class as usize] += 1;
        }
        let mut entries = Vec::new();
        for waiting in self.mempool.iter() {
            match self.choose(&mut draft, &waiting.item) {
                Choice::Take => {
                    entries.push(Entry { envelope: waiting.item, queued_ns: waiting.queued_ns });
                }
                Choice::LeaveOut | Choice::Void(_) => {}
                Choice::Full => break,
            }
        }
        self.builder.arrange(&mut entries);
        let parent = base.or(after.last().copied()).unwrap_or(self.last_hash());
        let hash = chain(&parent, height, &entries);
        let (proposer, evidence, graph) = (self.id, Vec::new(), None);
        Arc::new(Block { height, proposer, proposed_ns: now, entries, hash, evidence, graph })
    }

    /// Decides about the waiting message that is served next.
    fn choose(&self, draft: &mut Draft, waiting: &Envelope) -> Choice {
        let size = u64::from(waiting.size_bytes);
        if draft.messages == 0 {
            return Choice::Full;
        }
        if draft.below.contains(&waiting.id) {
            return Choice::LeaveOut;
        }
        if !self.builder.takes(&self.readable(waiting)) {
            return Choice::LeaveOut;
        }
        if let Some(reason) = self.is_void(draft.height, waiting, &mut draft.cancelled) {
            return Choice::Void(reason);
        }
        if draft.bytes < size {
            return Choice::Full;
        }
        draft.messages -= 1;
        draft.bytes -= size;
        Choice::Take
    }

    /// The engine learns that messages wait.
    pub(super) fn notify_engine(&mut self, now: Ns, draws: &mut dyn Draws, out: &mut Vec<Output>) {
        let messages = self.mempool.len() as u32;
        let input = ordering::Input::Waiting { messages, bytes: self.mempool_bytes };
        self.engine_step(now, input, draws, out);
    }

    /// Takes the messages of the next block out of the queue.
    fn drain(
        &mut self,
        now: Ns,
        messages_max: u32,
        bytes_max: u64,
        out: &mut Vec<Output>,
    ) -> Vec<Entry> {
        let mut draft = Draft::new(self.next_height(), messages_max, bytes_max);
        let mut entries = Vec::new();
        // A message that was looked at is the next one for good: none is, for a full block.
        while draft.messages > 0
            && let Some(next) = self.mempool.peek(now).cloned()
        {
            let (envelope, queued_ns) = (next.item, next.queued_ns);
            let choice = self.choose(&mut draft, &envelope);
            if matches!(choice, Choice::Full) {
                break;
            }
            self.mempool.pop(now);
            if let Choice::Void(reason) = choice {
                self.forget(envelope, reason, out);
                continue;
            }
            self.mempool_bytes -= u64::from(envelope.size_bytes);
            if matches!(choice, Choice::Take) {
                entries.push(Entry { envelope, queued_ns });
            }
        }
        self.builder.arrange(&mut entries);
        for shed in self.mempool.shed() {
            self.forget(shed, Reason::MempoolShed, out);
        }
        entries
    }

    /// This node has sealed a block.
    fn sealed(&mut self, block: Arc<Block>, out: &mut Vec<Output>) {
        let prev = self.last_hash();
        let evidence = self.fair.as_mut().map_or_else(Vec::new, |fair| fair.evidence());
        let block = Arc::new(Block { evidence, ..Arc::unwrap_or_clone(block) });
        for to in (0..self.nodes).filter(|&to| to != self.id) {
            out.push(Output::Packet { to, packet: Packet::Batch(prev, Arc::clone(&block)) });
        }
        self.proposed.insert(block.hash, block);
    }

    /// A block that another node has sealed is here.
    pub(super) fn batch(
        &mut self,
        now: Ns,
        prev: Digest,
        block: Arc<Block>,
        draws: &mut dyn Draws,
        out: &mut Vec<Output>,
    ) {
        let (height, hash) = (block.height, block.hash);
        let decided = self.chain.len() as u64;
        if height > decided + BATCHES_AHEAD {
            self.sync.seen(height, block.proposer);
            return self.ask_for_blocks(now, out);
        }
        if height > decided {
            self.proposed.insert(hash, block);
        }
        self.engine_step(now, ordering::Input::Sealed { height, prev, hash }, draws, out);
        // The engine requests missing blocks once; repetition is decided here.
        self.ask_for_blocks(now, out);
    }
}
