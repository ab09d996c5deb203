//! Blocks in parts.
//!
//! A part's proof (RFC 6962) has a hash for every level of the tree over the parts. Parts are not
//! announced, as in CometBFT before 1.0: a node knows of those that it sent to the peer or has from it,
//! and that a peer is complete once the announcement of that is there.

use std::collections::BTreeMap;

use surgetank_layer::message::Payload;
use surgetank_layer::units::{MessageId, NEVER, NodeId, Ns};

use super::super::connected::Freight;
use super::super::{Due, Parcel, Wire};
use super::Routine;
use crate::network::{Channel, Flight, Handed, Stalled};
use crate::seed::packet_bits;
use crate::waits::{self, Waits};

/// Number of blocks kept: parts of older ones are not passed on.
const BLOCKS_MAX: usize = 64;
/// A hash of a part's proof, and its header, in bytes.
const HASH_BYTES: u32 = 32;
const PART_HEADER_BYTES: u32 = 60;

/// A set of parts.
#[derive(Clone, Debug, Default)]
struct PartSet(Vec<u64>);

impl PartSet {
    fn all(count: u32) -> PartSet {
        let mut all = PartSet::default();
        (0..count).for_each(|part| all.insert(part));
        all
    }

    fn contains(&self, part: u32) -> bool {
        self.0.get(part as usize / 64).is_some_and(|word| word >> (part % 64) & 1 == 1)
    }

    fn insert(&mut self, part: u32) {
        let word = part as usize / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (part % 64);
    }

    fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }
}

/// A block in parts.
struct Block {
    count: u32,
    /// Bytes of a part, and of the last.
    bytes: [u32; 2],
    /// By node: what it has, and why.
    have: BTreeMap<NodeId, PartSet>,
    why: BTreeMap<(NodeId, u32), waits::Id>,
    /// By link: what its sender knows the peer to have.
    known: BTreeMap<u32, PartSet>,
    /// Parts in flight by receiver.
    flying: BTreeMap<NodeId, u32>,
}

/// All blocks in parts.
pub(super) struct Blocks {
    all: BTreeMap<MessageId, Block>,
    key: u64,
    drawn: u64,
}

impl Blocks {
    pub(super) fn new(key: u64) -> Blocks {
        Blocks { all: BTreeMap::new(), key, drawn: 0 }
    }

    /// A node has lost its parts.
    pub(super) fn forget(&mut self, node: NodeId) {
        for block in self.all.values_mut() {
            block.have.remove(&node);
        }
    }

    /// A part that a node has and does not know its peer to have, drawn at random.
    fn pick(&mut self, message: MessageId, node: NodeId, link: u32) -> Option<u32> {
        let block = self.all.get(&message)?;
        let (have, known) = (block.have.get(&node)?, block.known.get(&link));
        let lacking =
            |part: &u32| have.contains(*part) && !known.is_some_and(|known| known.contains(*part));
        let count = (0..block.count).filter(lacking).count() as u64;
        if count == 0 {
            return None;
        }
        self.drawn += 1;
        let drawn = packet_bits(self.key, self.drawn) % count;
        (0..block.count).filter(lacking).nth(drawn as usize)
    }
}

impl Wire {
    /// Whether a message travels in parts.
    pub(super) fn in_parts(&self, message: MessageId) -> bool {
        let carried = &self.carried[message as usize];
        let in_parts = self.reactor.as_ref().is_some_and(|reactor| reactor.part_bytes > 0);
        in_parts && matches!(self.payloads[carried.slot as usize], Payload::Proposal(..))
    }

    /// Whether parts of a block are in flight to a node.
    pub(in super::super) fn has_parts_in_flight(&self, message: MessageId, to: NodeId) -> bool {
        let block = self.reactor.as_ref().and_then(|reactor| reactor.blocks.all.get(&message));
        block.is_some_and(|block| block.flying.get(&to).is_some_and(|&count| count > 0))
    }

    /// A node has a whole block that a peer may lack. If it is sent again, what the peer lacks is.
    pub(super) fn offer_block(
        &mut self,
        now: Ns,
        (node, to): (NodeId, NodeId),
        link: u32,
        message: MessageId,
        before: waits::Id,
    ) {
        let size = self.envelope(message).size_bytes;
        let again = self.carried[message as usize].again;
        let Some(reactor) = self.reactor.as_mut() else { return };
        let count = size.div_ceil(reactor.part_bytes).max(1);
        let last = size - (count - 1) * reactor.part_bytes;
        let block = reactor.blocks.all.entry(message).or_insert_with(|| Block {
            count,
            bytes: [reactor.part_bytes, last],
            have: BTreeMap::new(),
            why: BTreeMap::new(),
            known: BTreeMap::new(),
            flying: BTreeMap::new(),
        });
        if block.have.get(&node).is_none_or(|have| have.len() < count) {
            block.have.insert(node, PartSet::all(count));
            for part in 0..count {
                block.why.entry((node, part)).or_insert(before);
            }
        }
        if again {
            let has = block.have.get(&to).cloned().unwrap_or_default();
            block.known.insert(link, has);
        }
        if reactor.blocks.all.len() > BLOCKS_MAX {
            reactor.blocks.all.pop_first();
        }
        self.want(now, link, message);
    }

    /// The peer of a link may lack parts of a block.
    fn want(&mut self, now: Ns, link: u32, message: MessageId) {
        let Some(reactor) = self.reactor.as_mut() else { return };
        let wanted = &mut reactor.wanted[link as usize];
        if !wanted.contains(&message) {
            wanted.push(message);
        }
        let routine = &mut reactor.data[link as usize];
        if !routine.is_due {
            routine.is_due = true;
            self.due.push((routine.next(now, reactor.sleep_ns), Due::Parts(link)));
        }
    }

    /// A routine for blocks sends one part that its peer lacks, and looks again once that has left.
    pub fn pass_parts(&mut self, now: Ns, link: u32, mut waits: Option<&mut Waits>) {
        let (node, to) = self.ends(link);
        let Some(reactor) = self.reactor.as_ref() else { return };
        let slept = reactor.data[link as usize].since < now;
        for message in reactor.wanted[link as usize].clone() {
            let known = self.peer_has(now, message, node, to);
            let Some(reactor) = self.reactor.as_mut() else { return };
            let part = if known { None } else { reactor.blocks.pick(message, node, link) };
            let Some(part) = part else {
                // More of it comes as its parts arrive here.
                reactor.wanted[link as usize].retain(|&other| other != message);
                continue;
            };
            if let Some(left) =
                self.send_part(now, link, (message, part), slept, waits.as_deref_mut())
            {
                self.due.push((left, Due::Parts(link)));
            }
            return;
        }
        if let Some(reactor) = self.reactor.as_mut() {
            reactor.data[link as usize] = Routine { since: now, is_due: false };
        }
    }

    /// Sends a part; returns when it has left, if that is known.
    fn send_part(
        &mut self,
        now: Ns,
        link: u32,
        (message, part): (MessageId, u32),
        slept: bool,
        mut waits: Option<&mut Waits>,
    ) -> Option<Ns> {
        let (node, to) = self.ends(link);
        let reactor = self.reactor.as_mut()?;
        let block = reactor.blocks.all.get_mut(&message)?;
        block.known.entry(link).or_default().insert(part);
        *block.flying.entry(to).or_default() += 1;
        let proof = HASH_BYTES * (u32::BITS - block.count.leading_zeros());
        let bytes = block.bytes[usize::from(part + 1 == block.count)] + proof + PART_HEADER_BYTES;
        let why = block.why.get(&(node, part)).copied().unwrap_or_default();
        let before = waits.as_deref_mut().map_or(0, |waits| waits.polled(now, node, why, slept));
        let parcel = Parcel::Part { link, message, part, sent: before };
        let Some(connections) = self.connections.as_mut() else {
            let sent = self.links.send(now, node, link as usize, bytes, NEVER);
            let Ok(flight) = sent else {
                self.part_is_gone(message, to);
                return Some(now);
            };
            self.part_leaves(now, parcel, before, &flight, waits);
            return Some(flight.leaves);
        };
        let id = connections.over(node, link, &self.links);
        match connections.hand(now, id, bytes, &mut self.links) {
            Handed::Sent(flight) => {
                self.wake_if_sparse(now, id);
                self.part_leaves(now, parcel, before, &flight, waits);
                Some(flight.leaves)
            }
            Handed::Waits => {
                let slot = self.parcels.put(parcel);
                self.load(now, id, Channel::Blocks, bytes, Freight::Parcel { slot, before });
                None
            }
            Handed::Refused => {
                self.part_is_gone(message, to);
                Some(now)
            }
        }
    }

    /// A part that will arrive is put on the agenda.
    fn part_leaves(
        &mut self,
        now: Ns,
        parcel: Parcel,
        before: waits::Id,
        flight: &Flight,
        waits: Option<&mut Waits>,
    ) {
        let slot = self.parcels.put(parcel);
        self.parcel_leaves(now, slot, flight, before, waits);
        self.due.push((flight.at, Due::Parcel(slot)));
    }

    /// A part does not arrive.
    pub(in super::super) fn part_is_gone(&mut self, message: MessageId, to: NodeId) {
        let block = self.reactor.as_mut().and_then(|reactor| reactor.blocks.all.get_mut(&message));
        if let Some(flying) = block.and_then(|block| block.flying.get_mut(&to)) {
            *flying = flying.saturating_sub(1);
        }
    }

    /// A part has arrived at a node; returns whether the block is complete with it.
    pub fn part_arrives(
        &mut self,
        now: Ns,
        link: u32,
        (message, part): (MessageId, u32),
        why: waits::Id,
    ) -> bool {
        let (_, to) = self.ends(link);
        self.part_is_gone(message, to);
        let back = self.links.graph.reverse[link as usize];
        let links = self.links.graph.links_of(to);
        let Some(reactor) = self.reactor.as_mut() else { return false };
        let Some(block) = reactor.blocks.all.get_mut(&message) else { return false };
        block.known.entry(back).or_default().insert(part);
        let have = block.have.entry(to).or_default();
        if have.contains(part) {
            self.duplicates += 1;
            return false;
        }
        have.insert(part);
        let complete = have.len() == block.count;
        block.why.insert((to, part), why);
        for other in links.filter(|&other| other != back as usize) {
            self.want(now, other as u32, message);
        }
        let at = &mut self.arrivals[message as usize * self.nodes + to as usize];
        if !complete || *at <= now {
            return false;
        }
        if !self.every_copy {
            *at = now;
        }
        true
    }

    /// A completed block is here: the path of its last part is that of the block.
    pub fn block_is_complete(
        &self,
        now: Ns,
        link: u32,
        message: MessageId,
        why: waits::Id,
        waits: &mut Waits,
    ) {
        let (from, to) = self.ends(link);
        let flight = Flight { leaves: now, at: now, extra: 0, held: Stalled::default() };
        waits.copy_sent(now, from, to, message, &flight, why);
    }
}
