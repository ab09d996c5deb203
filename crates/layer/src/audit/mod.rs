//! Verifiable order: what a sequencer must publish so that others can check it.
//!
//! Pure functions and small state, no IO of their own:
//!
//! 1. [`merkle`]: RFC 6962's tree, its inclusion and consistency proofs
//! 2. [`seed`]: a chain of secrets committed to in advance, and the seed of a batch
//! 3. [`batch`]: sealed inputs, published order and header of one batch, and their encoding
//! 4. [`journal`]: the file that batches are appended to
//! 5. [`many`]: the same trees, a batch at a time
//!
//! The format to the byte, what it proves and what it cannot prove are in `docs/journal.md`. The
//! crate `surgetank-verifier` checks a journal and shares no code with this folder.

pub mod batch;
pub mod journal;
pub mod many;
pub mod merkle;
pub mod seed;

use crate::units::Digest;

/// BLAKE3 of `tag` and then `parts`; the tag separates the domains of the hash's uses.
pub fn tagged(tag: &[u8], parts: &[&[u8]]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(tag);
    for part in parts {
        hasher.update(part);
    }
    Digest(*hasher.finalize().as_bytes())
}
