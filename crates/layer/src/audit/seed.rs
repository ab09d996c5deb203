//! Seeds that are fixed only after the inputs are sealed.
//!
//! Rules. Before the first batch the sequencer draws a secret s and publishes the anchor
//! A = H^n(s). Batch i reveals r_i with H(r_i) = r_{i−1}, r_0 = A. Its seed is
//! `BLAKE3(tag ‖ r_i ‖ inputs root_i ‖ beacon_i)`.
//!
//! Theory of operation. The anchor leaves the sequencer no choice of r_i, and no other party knows
//! r_i before batch i is published, so clients cannot adapt their messages to the seed. It depends
//! on the inputs' root, so it exists only once the inputs are sealed. The beacon is randomness that
//! others (keypers) derive from that root after the sealing.
//!
//! Limit: with an empty beacon the sequencer itself, which knows r_i, can grind: try sets of inputs
//! until the seed suits it. An unpredictable beacon prevents that; verifying the beacon's
//! signatures requires the keypers' keys.
//!
//! Source: Lamport, "Password authentication with insecure communication", CACM 24(11), 1981.
//!
//! Departures: only about 2·√n of the n links are stored at once.

use super::merkle::Hash;
use super::tagged;

/// Domain separation tag of the chain of secrets.
const REVEAL_TAG: &[u8] = b"surgetank reveal 1";
/// Domain separation tag of the hash that derives seeds.
const SEED_TAG: &[u8] = b"surgetank seed 1";

/// One step of the chain: H(r).
pub fn step(reveal: &Hash) -> Hash {
    tagged(REVEAL_TAG, &[reveal]).0
}

/// The seed of a batch.
pub fn seed(reveal: &Hash, inputs_root: &Hash, beacon: &[u8]) -> Hash {
    tagged(SEED_TAG, &[reveal, inputs_root, beacon]).0
}

/// The sequencer's hash chain of secrets, revealed one per batch.
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

    /// Number of secrets not yet revealed.
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
    /// Prints no secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RevealChain {{ left: {} }}", self.left())
    }
}
