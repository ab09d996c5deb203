//! Merkle trees with inclusion and consistency proofs.
//!
//! Rules. A leaf is `H(0x00 ‖ data)`, a node `H(0x01 ‖ left ‖ right)`; a tree of n > 1 leaves splits
//! at the largest power of two below n; the tree of nothing is `H()`.
//!
//! Theory of operation. The two prefixes prevent a node from being taken for a leaf. Because every
//! left part is a full tree, a growing tree never changes a full part again, so [`Tree`] needs only
//! one hash per bit of its size, and an older root can be proved to be a prefix of a newer one.
//!
//! Source: RFC 6962, section 2.1; the checks follow RFC 9162, sections 2.1.3.2 and 2.1.4.2.
//!
//! Departures: the hash is a parameter. [`Sha256`] gives the RFC's own values. Journals use
//! [`Blake3`]: H is BLAKE3 of the input, filled up with zeros to whole blocks of 64 bytes, so that
//! many can be hashed side by side ([`super::many`]). Inputs that differ in trailing zeros only
//! have equal hashes: the data of a leaf must contain its own length, as a journal's does.

use std::marker::PhantomData;

use sha2::Digest as _;

/// A hash of 32 bytes.
pub type Hash = [u8; 32];

/// The hash function of a tree.
pub trait TreeHash {
    /// The hash H of these bytes.
    fn hash(data: &[u8]) -> Hash;

    /// H(0x00 ‖ data).
    fn leaf(data: &[u8]) -> Hash {
        let mut short = [0; 256];
        if let Some(room) = short.get_mut(1..=data.len()) {
            room.copy_from_slice(data);
            return Self::hash(&short[..=data.len()]);
        }
        Self::hash(&[&[0], data].concat())
    }

    /// H(0x01 ‖ left ‖ right).
    #[inline]
    fn node(left: &Hash, right: &Hash) -> Hash {
        let mut bytes = [1; 65];
        bytes[1..33].copy_from_slice(left);
        bytes[33..].copy_from_slice(right);
        Self::hash(&bytes)
    }
}

/// SHA-256, the hash of RFC 6962.
#[derive(Clone, Copy, Debug)]
pub enum Sha256 {}

impl TreeHash for Sha256 {
    fn hash(data: &[u8]) -> Hash {
        sha2::Sha256::digest(data).into()
    }
}

/// The hash of journals: BLAKE3 of the input, filled up with zeros to whole blocks of 64 bytes.
#[derive(Clone, Copy, Debug)]
pub enum Blake3 {}

impl TreeHash for Blake3 {
    #[inline]
    fn hash(data: &[u8]) -> Hash {
        let whole = data.len().next_multiple_of(64);
        let mut short = [0; 256];
        if let Some(blocks) = short.get_mut(..whole) {
            blocks[..data.len()].copy_from_slice(data);
            return *blake3::hash(blocks).as_bytes();
        }
        let mut long = data.to_vec();
        long.resize(whole, 0);
        *blake3::hash(&long).as_bytes()
    }
}

/// A growing tree that keeps one hash per bit of its size.
#[derive(Clone, Debug)]
pub struct Tree<H> {
    /// `full[b]` is the full part of 2^b leaves, where bit b of `size` is set.
    full: [Hash; 64],
    size: u64,
    hash: PhantomData<H>,
}

impl<H: TreeHash> Default for Tree<H> {
    fn default() -> Self {
        Tree { full: [[0; 32]; 64], size: 0, hash: PhantomData }
    }
}

impl<H: TreeHash> Tree<H> {
    /// Appends a leaf's hash.
    #[inline]
    pub fn push(&mut self, leaf: Hash) {
        let mut part = leaf;
        let full_parts = self.size.trailing_ones() as usize;
        for left in &self.full[..full_parts] {
            part = H::node(left, &part);
        }
        self.full[full_parts] = part;
        self.size += 1;
    }

    /// Number of leaves so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the leaves so far.
    pub fn root(&self) -> Hash {
        let parts = (0..64).filter(|bit| self.size >> bit & 1 == 1).map(|bit| &self.full[bit]);
        parts
            .fold(None, |right, left| {
                Some(right.map_or(*left, |right: Hash| H::node(left, &right)))
            })
            .unwrap_or_else(|| H::hash(&[]))
    }
}

/// The root of these leaves' hashes.
pub fn root<H: TreeHash>(leaves: &[Hash]) -> Hash {
    let mut tree = Tree::<H>::default();
    leaves.iter().for_each(|leaf| tree.push(*leaf));
    tree.root()
}

/// The largest power of two below `size` (> 1).
fn split(size: usize) -> usize {
    1 << (size - 1).ilog2()
}

/// The audit path of leaf `index`, from the leaf's neighbour up: PATH(m, D\[n\]) of the RFC. `None`
/// if there is no such leaf.
pub fn inclusion<H: TreeHash>(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
    if index >= leaves.len() {
        return None;
    }
    let (mut part, mut at, mut path) = (leaves, index, Vec::new());
    while part.len() > 1 {
        let (left, right) = part.split_at(split(part.len()));
        if at < left.len() {
            path.push(root::<H>(right));
            part = left;
        } else {
            path.push(root::<H>(left));
            at -= left.len();
            part = right;
        }
    }
    path.reverse();
    Some(path)
}

/// Whether `leaf` is number `index` of the `size` leaves under `root`.
pub fn includes<H: TreeHash>(
    leaf: &Hash,
    index: u64,
    size: u64,
    path: &[Hash],
    root: &Hash,
) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for step in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = H::node(step, &hash);
            // The right edge of a tree that is not full has no neighbour on some levels.
            let up = if at & 1 == 1 { 0 } else { at.trailing_zeros().min(63) };
            (at, last) = (at >> up, last >> up);
        } else {
            hash = H::node(&hash, step);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

/// PROOF(m, D\[n\]) of the RFC: that the tree of the first `old` leaves is a prefix of this one. `None`
/// unless 0 < `old` ≤ n; empty if both are the same.
pub fn consistency<H: TreeHash>(leaves: &[Hash], old: usize) -> Option<Vec<Hash>> {
    if old == 0 || old > leaves.len() {
        return None;
    }
    let (mut part, mut at, mut whole, mut path) = (leaves, old, true, Vec::new());
    while at < part.len() {
        let (left, right) = part.split_at(split(part.len()));
        if at <= left.len() {
            path.push(root::<H>(right));
            part = left;
        } else {
            path.push(root::<H>(left));
            at -= left.len();
            part = right;
            whole = false;
        }
    }
    if !whole {
        path.push(root::<H>(part));
    }
    path.reverse();
    Some(path)
}

/// Whether the tree of `new` leaves under `new_root` begins with that of `old` under `old_root`.
pub fn extends<H: TreeHash>(
    old: u64,
    new: u64,
    old_root: &Hash,
    new_root: &Hash,
    path: &[Hash],
) -> bool {
    if old == 0 || old > new {
        return false;
    }
    if old == new {
        return path.is_empty() && old_root == new_root;
    }
    // A full old tree is itself the proof's first hash.
    let (first, path) = match (old.is_power_of_two(), path) {
        (true, path) => (old_root, path),
        (false, [first, path @ ..]) => (first, path),
        (false, []) => return false,
    };
    let odd = (old - 1).trailing_ones();
    let (mut at, mut last) = ((old - 1) >> odd, (new - 1) >> odd);
    let (mut older, mut newer) = (*first, *first);
    for step in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            older = H::node(step, &older);
            newer = H::node(step, &newer);
            let up = if at & 1 == 1 { 0 } else { at.trailing_zeros().min(63) };
            (at, last) = (at >> up, last >> up);
        } else {
            newer = H::node(&newer, step);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && older == *old_root && newer == *new_root
}
