//! One batch of a journal: its header, its sealed inputs, its published order, and their encoding.
//!
//! # Layout, version 1, little-endian
//! ```text
//! frame   "SGTB" | length u32 of what follows | header length u32 | header
//!         | inputs u32, each: ticket (18 bytes) | length u32 | message
//!         | checks u32, each: the first 8 bytes of an input's leaf
//!         | order u32, each: index u32 of an input | carried u32, each: index u32 of an input
//!         | hash (32 bytes)
//! ticket  account u32 | class u8 | flags u8 | fee u32 | arrival_ns u64
//! header  version u16 | height u64 | first_sequence u64 | sealed_ns u64
//!         | inputs u32 | carried_in u32 | ordered u32 | carried_out u32
//!         | reveal | seed | inputs_root | order_root | previous (32 bytes each)
//!         | terms | terms_next | beacon (each: length u16 | bytes)
//! ```
//!
//! # Rules
//! 1. A leaf is `H(0x00 ‖ input)`, the input with its length as it stands here; H and the trees are
//!    those of [`super::merkle`]. `inputs_root` is over the inputs in order of arrival,
//!    `order_root` over those that are published, in published order.
//! 2. `hash = BLAKE3("surgetank batch 1" ‖ header)`; `previous` is the hash of the batch before, of
//!    the journal's head for the first.
//! 3. Inputs that exceed the batch's limits are *carried*: they are the first `carried_in` inputs
//!    of the next one, in the same order.
//! 4. `terms` is the rule with its parameters and limits; the batch before announced it as
//!    `terms_next`, so that it cannot be chosen after the inputs are known.
//!
//! The checks prove nothing. They only let a reader identify the message that was altered.

use super::merkle::{Blake3, Hash, TreeHash};
use super::{many, tagged};
use crate::units::{Digest, Height, Ns};

/// Version of the format that is written.
pub const VERSION: u16 = 1;
/// First bytes of a frame.
pub const MAGIC: &[u8; 4] = b"SGTB";
/// Size of a ticket, in bytes.
pub const TICKET_BYTES: usize = 18;
/// Domain separation tag of the hash of headers.
const BATCH_TAG: &[u8] = b"surgetank batch 1";

/// Attributes of a message that an ordering rule may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The sending account.
    pub account: u32,
    /// Number of its class; see [`crate::message::Class`].
    pub class: u8,
    /// Bits of [`crate::message::flags`].
    pub flags: u8,
    /// Fee that was bid, in millionths of a USD.
    pub fee: u32,
    /// Time of arrival at the venue, in ns.
    pub arrival_ns: Ns,
}

impl Ticket {
    /// Encoding of the ticket.
    pub fn to_bytes(&self) -> [u8; TICKET_BYTES] {
        let mut bytes = [0; TICKET_BYTES];
        bytes[..4].copy_from_slice(&self.account.to_le_bytes());
        bytes[4] = self.class;
        bytes[5] = self.flags;
        bytes[6..10].copy_from_slice(&self.fee.to_le_bytes());
        bytes[10..].copy_from_slice(&self.arrival_ns.to_le_bytes());
        bytes
    }

    /// Decodes a ticket; any 18 bytes are valid.
    pub fn from_bytes(bytes: &[u8; TICKET_BYTES]) -> Ticket {
        let [a, b, c, d, class, flags, e, f, g, h, arrival @ ..] = *bytes;
        Ticket {
            account: u32::from_le_bytes([a, b, c, d]),
            class,
            flags,
            fee: u32::from_le_bytes([e, f, g, h]),
            arrival_ns: u64::from_le_bytes(arrival),
        }
    }
}

/// Leaf hash of a sealed input.
pub fn leaf(ticket: &Ticket, message: &[u8]) -> Hash {
    let mut input = Vec::with_capacity(TICKET_BYTES + 4 + message.len());
    write_input(ticket, message, &mut input);
    Blake3::leaf(&input)
}

/// Header of a batch, which is hashed into the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Number of the batch, from 1.
    pub height: Height,
    /// Sequence number of its first published message, from 1 in the journal.
    pub first_sequence: u64,
    /// Time at which its inputs were sealed.
    pub sealed_ns: Ns,
    /// Number of sealed inputs.
    pub inputs: u32,
    /// Number of inputs, at the front, that are carried over from the previous batch.
    pub carried_in: u32,
    /// Number of published messages.
    pub ordered: u32,
    /// Number of inputs carried to the next batch.
    pub carried_out: u32,
    /// Secret revealed with this batch; see [`super::seed`].
    pub reveal: Hash,
    /// Random seed of the ordering rule.
    pub seed: Hash,
    /// Root over the sealed inputs.
    pub inputs_root: Hash,
    /// Root over the published order.
    pub order_root: Hash,
    /// Hash of the batch before.
    pub previous: Digest,
    /// Rule, parameters and limits.
    pub terms: String,
    /// Terms of the next batch.
    pub terms_next: String,
    /// Randomness contributed by others after the sealing of `inputs_root`; may be empty.
    pub beacon: Vec<u8>,
}

impl Header {
    /// Encoding of the header.
    ///
    /// # Panics
    /// If a text or the beacon is longer than 65,535 bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend(VERSION.to_le_bytes());
        for field in [self.height, self.first_sequence, self.sealed_ns] {
            bytes.extend(field.to_le_bytes());
        }
        for field in [self.inputs, self.carried_in, self.ordered, self.carried_out] {
            bytes.extend(field.to_le_bytes());
        }
        for field in [self.reveal, self.seed, self.inputs_root, self.order_root, self.previous.0] {
            bytes.extend(field);
        }
        for field in [self.terms.as_bytes(), self.terms_next.as_bytes(), &self.beacon] {
            let length = u16::try_from(field.len()).expect("terms and beacon under 64 KiB");
            bytes.extend(length.to_le_bytes());
            bytes.extend(field);
        }
        bytes
    }

    /// Hash of the header, which chains the next batch to this one.
    pub fn hash(&self) -> Digest {
        header_hash(&self.to_bytes())
    }
}

/// The hash of a header's bytes.
pub fn header_hash(header: &[u8]) -> Digest {
    tagged(BATCH_TAG, &[header])
}

/// A batch as read from a file, not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Header of the batch.
    pub header: Header,
    /// Inputs in order of arrival.
    pub inputs: Vec<(Ticket, Vec<u8>)>,
    /// The first 8 bytes of each input's leaf.
    pub checks: Vec<[u8; 8]>,
    /// Published order: indices of inputs.
    pub order: Vec<u32>,
    /// Indices of the inputs carried, ascending.
    pub carried: Vec<u32>,
    /// Hash of the header.
    pub hash: Digest,
}

impl Batch {
    /// Appends its frame, unverified.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut inputs = Vec::new();
        for (ticket, message) in &self.inputs {
            write_input(ticket, message, &mut inputs);
        }
        let parts = Parts {
            header: &self.header.to_bytes(),
            inputs: (self.inputs.len(), &inputs),
            order: &self.order,
            carried: &self.carried,
            hash: &self.hash,
        };
        parts.write(self.checks.iter().copied(), out);
    }

    /// The leaf of input `index`.
    pub fn leaf(&self, index: usize) -> Hash {
        let (ticket, message) = &self.inputs[index];
        leaf(ticket, message)
    }
}

fn write_input(ticket: &Ticket, message: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&ticket.to_bytes());
    out.extend_from_slice(&length(message.len()).to_le_bytes());
    out.extend_from_slice(message);
}

fn length(n: usize) -> u32 {
    u32::try_from(n).expect("a batch is under 4 GiB")
}

/// Parts of a frame, in the order of writing.
struct Parts<'a> {
    header: &'a [u8],
    inputs: (usize, &'a [u8]),
    order: &'a [u32],
    carried: &'a [u32],
    hash: &'a Digest,
}

impl Parts<'_> {
    fn write(&self, checks: impl ExactSizeIterator<Item = [u8; 8]>, out: &mut Vec<u8>) {
        let (count, inputs) = self.inputs;
        let numbers = 4 * (self.order.len() + self.carried.len() + 5);
        let size = self.header.len() + inputs.len() + 8 * checks.len() + numbers + 32;
        out.reserve(8 + size);
        out.extend_from_slice(MAGIC);
        let number = |n: usize, out: &mut Vec<u8>| out.extend(length(n).to_le_bytes());
        number(size, out);
        number(self.header.len(), out);
        out.extend_from_slice(self.header);
        number(count, out);
        out.extend_from_slice(inputs);
        number(checks.len(), out);
        checks.for_each(|check| out.extend_from_slice(&check));
        for indices in [self.order, self.carried] {
            number(indices.len(), out);
            indices.iter().for_each(|index| out.extend_from_slice(&index.to_le_bytes()));
        }
        out.extend_from_slice(&self.hash.0);
    }
}

/// A batch that accepts inputs. Its buffers are reused for the next one.
#[derive(Clone, Debug, Default)]
pub struct OpenBatch {
    bytes: Vec<u8>,
    /// Offset in `bytes` at which each input ends.
    ends: Vec<usize>,
    /// Leaf hashes of the first inputs; the others are computed when needed.
    leaves: Vec<Hash>,
    carried_in: u32,
    /// Scratch buffer for trees.
    level: Vec<Hash>,
}

impl OpenBatch {
    /// Adds an input and returns its index.
    #[inline]
    pub fn push(&mut self, ticket: &Ticket, message: &[u8]) -> u32 {
        write_input(ticket, message, &mut self.bytes);
        self.ends.push(self.bytes.len());
        self.ends.len() as u32 - 1
    }

    /// Number of inputs so far.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no input.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Number of inputs carried from the batch before.
    pub fn carried_in(&self) -> u32 {
        self.carried_in
    }

    /// Computes the missing leaf hashes and returns all.
    fn leaves(&mut self) -> &[Hash] {
        many::leaves(&self.bytes, &self.ends, self.leaves.len(), &mut self.leaves);
        &self.leaves
    }

    /// Root over the inputs so far.
    pub fn inputs_root(&mut self) -> Hash {
        self.leaves();
        self.level.clone_from(&self.leaves);
        many::root(&mut self.level)
    }

    /// Ticket and message of input `index`.
    #[inline]
    pub fn input(&self, index: u32) -> (Ticket, &[u8]) {
        let at = index as usize;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        let bytes = &self.bytes[start..self.ends[at]];
        let (ticket, message) = bytes.split_first_chunk().expect("an input begins with a ticket");
        (Ticket::from_bytes(ticket), &message[4..])
    }

    /// Bytes of the message of input `index`.
    #[inline]
    pub fn size_bytes(&self, index: u32) -> u64 {
        let at = index as usize;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        (self.ends[at] - start - TICKET_BYTES - 4) as u64
    }

    /// Root over the inputs in this order.
    pub fn order_root(&mut self, order: &[u32]) -> Hash {
        self.leaves();
        self.level.clear();
        self.level.extend(order.iter().map(|index| self.leaves[*index as usize]));
        many::root(&mut self.level)
    }

    /// Indices of the inputs that are not in `order`, ascending.
    pub fn left_by(&self, order: &[u32]) -> Vec<u32> {
        if order.len() == self.len() {
            return Vec::new();
        }
        let mut served = vec![false; self.len()];
        order.iter().for_each(|index| served[*index as usize] = true);
        (0..self.len() as u32).filter(|index| !served[*index as usize]).collect()
    }

    /// Appends the frame of the sealed batch and returns its hash.
    pub fn encode(
        &mut self,
        header: &Header,
        order: &[u32],
        carried: &[u32],
        out: &mut Vec<u8>,
    ) -> Digest {
        self.leaves();
        let bytes = header.to_bytes();
        let hash = header_hash(&bytes);
        let inputs = (self.len(), &self.bytes[..]);
        let parts = Parts { header: &bytes, inputs, order, carried, hash: &hash };
        let check = |leaf: &Hash| *leaf.first_chunk().expect("a hash has 32 bytes");
        parts.write(self.leaves.iter().map(check), out);
        hash
    }

    /// Begins the next batch with the carried inputs.
    pub fn begin_next(&mut self, carried: &[u32]) {
        let mut kept = Vec::new();
        for index in carried {
            let (ticket, message) = self.input(*index);
            kept.push((ticket, message.to_vec()));
        }
        self.bytes.clear();
        self.ends.clear();
        self.leaves.clear();
        kept.iter().for_each(|(ticket, message)| _ = self.push(ticket, message));
        self.carried_in = carried.len() as u32;
    }
}
