//! Reports of a node's receive order, which it cannot revise: signed, and chained to its former
//! reports.
//!
//! # Rules
//! 1. The digest after an entry is H(digest before it ‖ message): it commits to all entries so far.
//! 2. A report is signed over its author, its numbers, its clock and the digest after its last entry.
//! 3. Two signed reports of one author whose digests differ at one number prove that it rewrote its
//!    order.
//!
//! # Theory of operation
//! A signature proves authorship, the chain that former statements are unchanged. Neither proves
//! *when* a message was received: an author may place a message anywhere among the entries that it
//! has not yet reported. So a faulty node can misorder once, within the interval between two
//! reports, and the rule tolerates f such nodes.
//!
//! # Source
//! Signed local orderings: Kelkar et al., "Themis", CCS 2023, §5. The chain is an addition: it
//! replaces sending each list whole.
//!
//! # Departures
//! A keyed BLAKE3 hash under a key derived from the author's number replaces Ed25519, as all
//! machines run in one process. The 64 bytes are counted on the wire; the time of signing is not.

use crate::units::{Digest, MessageId, NodeId, Ns};

/// Domain separation tag of the chain of entries.
const CHAIN_TAG: &[u8] = b"surgetank stated 1";
const KEY_CONTEXT: &str = "surgetank 2026 report key 1";
/// Size of a report without its entries: header, numbers, clock; signature; digest before the first
/// entry.
const REPORT_BYTES: u32 = 40 + 64;
const DIGEST_BYTES: u32 = 32;

/// A received message with its receive time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceivedEntry {
    /// Number of the message.
    pub message: MessageId,
    /// Time at which this node had validated it.
    pub seen_ns: Ns,
}

/// A node's signed statement of the order in which it received messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Node that reports.
    pub author: NodeId,
    /// Clock of the node.
    pub clock_ns: Ns,
    /// Number of the oldest entry that the node still has; older ones cannot be requested.
    pub oldest: u64,
    /// Number of the first entry here.
    pub first: u64,
    /// Chain digest before that entry.
    pub before: Digest,
    /// Received messages, in receive order.
    pub seen: Vec<ReceivedEntry>,
    /// Whether receive times are included; then the list is complete, and not chained.
    pub timed: bool,
    /// Signature of the author over the report.
    pub signature: Digest,
}

impl Report {
    /// The same report, signed by its author.
    pub fn signed(mut self) -> Report {
        self.signature = self.signature();
        self
    }

    /// Whether the signature is valid for this content.
    pub fn is_signed(&self) -> bool {
        self.signature == self.signature()
    }

    fn signature(&self) -> Digest {
        let key = blake3::derive_key(KEY_CONTEXT, &self.author.to_le_bytes());
        let mut hasher = blake3::Hasher::new_keyed(&key);
        hasher.update(&self.author.to_le_bytes());
        for number in [self.clock_ns, self.oldest, self.first, self.seen.len() as u64] {
            hasher.update(&number.to_le_bytes());
        }
        hasher.update(&[u8::from(self.timed)]).update(&self.after().0);
        if self.timed {
            self.seen.iter().for_each(|sight| _ = hasher.update(&sight.seen_ns.to_le_bytes()));
        }
        Digest(*hasher.finalize().as_bytes())
    }

    /// The digest after the last entry.
    pub fn after(&self) -> Digest {
        self.digest_at(self.seen.len())
    }

    /// The digest before its entry of this index (its own numbering, from 0).
    pub fn digest_at(&self, index: usize) -> Digest {
        self.seen[..index].iter().fold(self.before, |digest, sight| chained(digest, sight.message))
    }

    /// Size on the wire: 104 bytes and 16 per message with times; 136 bytes and 8 per message
    /// without.
    pub fn size_bytes(&self) -> u32 {
        let entries = self.seen.len() as u32;
        REPORT_BYTES + if self.timed { 16 * entries } else { DIGEST_BYTES + 8 * entries }
    }
}

/// The digest after one more entry.
pub fn chained(before: Digest, message: MessageId) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(CHAIN_TAG).update(&before.0).update(&message.to_le_bytes());
    Digest(*hasher.finalize().as_bytes())
}

/// Evidence for a leader's order, in the order in which it took effect: with all of it anyone can
/// compute the same order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The leader received this report.
    Report(Report),
    /// The leader closed a round.
    RoundClosed,
    /// The leader states that it did not have this message when it was due.
    ContentMissing(MessageId),
    /// The leader has received the message meanwhile.
    ContentArrived(MessageId),
    /// The leader restarted and lost its memory.
    Restarted,
}

impl Evidence {
    /// Size on the wire, in bytes.
    pub fn size_bytes(&self) -> u32 {
        match self {
            Evidence::Report(report) => report.size_bytes(),
            Evidence::RoundClosed | Evidence::Restarted => 1,
            Evidence::ContentMissing(_) | Evidence::ContentArrived(_) => 9,
        }
    }
}
