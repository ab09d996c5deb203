//! Seeds that are fixed only after the inputs are sealed.
//!
//! Rules. Before the first batch the sequencer draws a secret s and publishes the anchor
//! A = H^n(s). Batch i reveals r_i with H(r_i) = r_{i−1}, r_0 = A. Its seed is
//! `BLAKE3(tag ‖ r_i ‖ inputs root_i ‖ beacon_i)`.
//!
//! Theory of operation. The anchor leaves the sequencer no choice of r_i, and nobody else knows r_i
//! before batch i is published, so clients cannot aim their messages at the seed. The inputs' root
//! is in it, so the seed exists only once the inputs are sealed. The beacon is what others (keypers)
//! say about that root after the sealing.
//!
//! What this does not stop: with an empty beacon the sequencer itself, who knows r_i, can try one
//! set of inputs after another until the seed suits it. With a beacon that it cannot foresee it
//! cannot; that the beacon is genuine (its signatures) is for those who know the keypers' keys.
//!
//! Source: Lamport, "Password authentication with insecure communication", CACM 24(11), 1981.
//!
//! Departures: of the n links only about 2·√n are kept at once.

use super::merkle::Hash;
use super::tagged;

/// Sets the hash of the secrets' chain apart.
const REVEAL_TAG: &[u8] = b"surgetank reveal 1";
/// Sets the hash that makes a seed apart.
const SEED_TAG: &[u8] = b"surgetank seed 1";

/// One step of the chain: H(r).
pub fn step(reveal: &Hash) -> Hash {
    tagged(REVEAL_TAG, &[reveal]).0
}

/// The seed of a batch.
pub fn seed(reveal: &Hash, inputs_root: &Hash, beacon: &[u8]) -> Hash {
    tagged(SEED_TAG, &[reveal, inputs_root, beacon]).0
}

/// The sequencer's secrets, revealed one a batch.
#[derive(Clone)]
pub struct RevealChain {
    /// `marks[k]` is H^{k·stride}(s).
    marks: Vec<Hash>,
    stride: usize,
    /// The secrets between two marks, the next to be revealed last.
    ready: Vec<Hash>,
    anchor: Hash,
}

impl RevealChain {
    /// A chain of `count` secrets after the anchor; takes `count` hashes.
    pub fn new(secret: &Hash, count: usize) -> RevealChain {
        let stride = count.isqrt().max(1);
        let (mut marks, mut link) = (Vec::new(), *secret);
        for k in 0..count {
            if k % stride == 0 {
                marks.push(link);
            }
            link = step(&link);
        }
        let mut reveals = RevealChain { marks, stride, ready: Vec::new(), anchor: link };
        if let Some(mark) = reveals.marks.pop() {
            reveals.refill(mark, count - reveals.marks.len() * stride);
        }
        reveals
    }

    fn refill(&mut self, mark: Hash, links: usize) {
        self.ready.extend(std::iter::successors(Some(mark), |link| Some(step(link))).take(links));
    }

    /// A = H^n(s), to be published before the first batch.
    pub fn anchor(&self) -> Hash {
        self.anchor
    }

    /// Secrets not yet revealed.
    pub fn left(&self) -> usize {
        self.marks.len() * self.stride + self.ready.len()
    }
}

impl Iterator for RevealChain {
    type Item = Hash;

    fn next(&mut self) -> Option<Hash> {
        if self.ready.is_empty() {
            let mark = self.marks.pop()?;
            self.refill(mark, self.stride);
        }
        self.ready.pop()
    }
}

impl std::fmt::Debug for RevealChain {
    /// Says no secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RevealChain {{ left: {} }}", self.left())
    }
}
