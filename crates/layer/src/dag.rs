//! Messages of the protocols that order a graph of vertices, Tusk and Bullshark: Narwhal's headers,
//! votes and certificates.

use crate::signed::{STATEMENT_BYTES, certificate_bytes};
use crate::units::{Digest, Height, Round};

/// Bytes of a reference to a vertex: its author and its hash.
const REFERENCE_BYTES: u32 = 36;
/// A share of the coin: a point of BLS12-381 and its proof, as of a key of sealed blocks.
const SHARE_BYTES: u32 = 200;

/// A vertex: what its author wants to be ordered, on a quorum of the vertices of the round before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vertex {
    /// r: from 1.
    pub round: Round,
    /// Hash of its block, which follows [`Vertex::base`].
    pub value: Digest,
    /// Authors and hashes of vertices of round r − 1, by author; none in round 1.
    pub parents: Vec<(u32, Digest)>,
    /// Whether it has its author's share of a coin.
    pub has_share: bool,
    /// Height up to which the author has decided.
    pub decided: Height,
    /// Index of the author.
    pub validator: u32,
}

impl Vertex {
    /// What its block follows.
    pub fn base(&self) -> Digest {
        Vertex::base_of(self.round, self.validator, &self.parents)
    }

    /// What the block of such a vertex follows: BLAKE3 over domain tag ‖ round ‖ author ‖ parents,
    /// little-endian. So the hash of the block names the vertex.
    pub fn base_of(round: Round, author: u32, parents: &[(u32, Digest)]) -> Digest {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"surgetank vertex 1");
        hasher.update(&round.to_le_bytes());
        hasher.update(&author.to_le_bytes());
        for (parent, value) in parents {
            hasher.update(&parent.to_le_bytes());
            hasher.update(&value.0);
        }
        Digest(*hasher.finalize().as_bytes())
    }

    /// Whether it refers to a vertex of this author in the round before.
    pub fn refers_to(&self, author: u32) -> bool {
        self.parents.binary_search_by_key(&author, |(who, _)| *who).is_ok()
    }

    /// Its size beside the block.
    pub fn size_bytes(&self) -> u32 {
        REFERENCE_BYTES * self.parents.len() as u32 + if self.has_share { SHARE_BYTES } else { 0 }
    }
}

/// A vote for the first valid vertex of an author in a round, to the author only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VertexVote {
    /// Round of the vertex.
    pub round: Round,
    /// Author of the vertex.
    pub author: u32,
    /// Hash of its block.
    pub value: Digest,
    /// Index of the validator that votes.
    pub validator: u32,
}

/// A quorum has voted for a vertex: it is the only one of its author in its round, and honest nodes
/// have it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VertexCertificate {
    /// Round of the vertex.
    pub round: Round,
    /// Author of the vertex.
    pub author: u32,
    /// Hash of its block.
    pub value: Digest,
    /// Who voted, in ascending order.
    pub voters: Vec<u32>,
}

impl VertexCertificate {
    /// Its size on the wire.
    pub fn size_bytes(&self) -> u32 {
        STATEMENT_BYTES + certificate_bytes(self.voters.len())
    }
}

/// What one decided block is made of: the anchor and all of its history that no earlier one has
/// ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubDag {
    /// Round of the anchor.
    pub round: Round,
    /// Author of the anchor.
    pub author: u32,
    /// Rounds and authors of its vertices in their order, by round and author.
    pub vertices: Vec<(Round, u32)>,
}
