//! Reports of what a node saw first, which it cannot take back: signed, and chained to all that it
//! stated before.
//!
//! # Rules
//! 1. The digest after an entry is H(digest before it ‖ message): it commits to all entries so far.
//! 2. A report is signed over its author, its numbers, its clock and the digest after its last entry.
//! 3. Two signed reports of one author whose digests differ at one number prove that it rewrote its
//!    order.
//!
//! # Theory of operation
//! A signature proves who said it, the chain that nothing said before has been changed. Neither
//! proves *when* a message was seen: an author may place a message anywhere among what it has not
//! yet stated, as one may to whom packets came in that order. So a forger can lie once, within the
//! interval between two reports, and f of them are what the rule of the order allows for.
//!
//! # Source
//! Signed local orderings: Kelkar et al., "Themis", CCS 2023, §5. The chain is ours: it takes the
//! place of sending each list whole.
//!
//! # Departures
//! A keyed BLAKE3 hash under a key made of the author's number stands for Ed25519: here all machines
//! are in one process. The 64 bytes are counted on the wire; the time that signing takes is not.

use crate::units::{Digest, MessageId, NodeId, Ns};

/// Set these uses of BLAKE3 apart from every other.
const CHAIN_TAG: &[u8] = b"surgetank stated 1";
const KEY_CONTEXT: &str = "surgetank 2026 report key 1";
/// A report without its entries: header, numbers, clock; signature; digest of what came before.
const REPORT_BYTES: u32 = 40 + 64;
const DIGEST_BYTES: u32 = 32;

/// A message as a node saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceivedEntry {
    /// The message.
    pub message: MessageId,
    /// When this node had found it valid.
    pub seen_ns: Ns,
}

/// What a node states about the order in which it saw messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Who states it.
    pub author: NodeId,
    /// The node's clock.
    pub clock_ns: Ns,
    /// Number of the oldest entry that the node still has: below it there is nothing to ask for.
    pub oldest: u64,
    /// Number of the first entry here.
    pub first: u64,
    /// Digest before that entry.
    pub before: Digest,
    /// In the order in which it saw them.
    pub seen: Vec<ReceivedEntry>,
    /// Whether the times are sent along; then the list is whole, and not chained.
    pub timed: bool,
    /// The author's.
    pub signature: Digest,
}

impl Report {
    /// The same, signed by its author.
    pub fn signed(mut self) -> Report {
        self.signature = self.signature();
        self
    }

    /// Whether its author has signed just this.
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

    /// Its size on the wire: 104 bytes, and 16 a message with its time; or 32 more, and 8 a message.
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

/// What a leader's order rests on, in the order in which it took effect: whoever has all of it can
/// make the same order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// It heard this.
    Report(Report),
    /// It closed a round.
    RoundClosed,
    /// It says that it lacked this message when its place was due.
    ContentMissing(MessageId),
    /// It has it now.
    ContentArrived(MessageId),
    /// It lost what was in its memory.
    Restarted,
}

impl Evidence {
    /// Its size on the wire.
    pub fn size_bytes(&self) -> u32 {
        match self {
            Evidence::Report(report) => report.size_bytes(),
            Evidence::RoundClosed | Evidence::Restarted => 1,
            Evidence::ContentMissing(_) | Evidence::ContentArrived(_) => 9,
        }
    }
}
