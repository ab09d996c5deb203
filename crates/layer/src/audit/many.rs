//! Leaves and trees of a whole batch at once, 16 hashes in parallel where the processor supports
//! it.
//!
//! Rules. The same values as [`super::merkle`] gives one by one; tests compare them.
//!
//! Theory of operation. One BLAKE3 compression is a chain of dependent instructions; 16 in parallel
//! use the vector units and are about eight times faster. That requires inputs of the same number
//! of whole blocks, which is why [`super::merkle::Blake3`] fills its inputs up to whole blocks.
//! Pairing neighbours level by level, with an odd last one promoted unchanged, gives RFC 6962's
//! tree.
//!
//! Source: the BLAKE3 paper, section 5.3 (hashing multiple inputs).
//!
//! Departures: uses `blake3::platform`, which the crate exports without a stability guarantee; only
//! this file depends on it.

use blake3::IncrementCounter;
use blake3::platform::Platform;

use super::merkle::{Blake3, Hash, TreeHash};

/// Number of hashes in parallel.
const LANES: usize = 16;
const BLOCK: usize = 64;
/// Section 2.2 of the paper: the initial value, and the flags of an input that is one chunk.
const IV: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];
const CHUNK_START: u8 = 1;
const CHUNK_END: u8 = 1 << 1;
const ROOT: u8 = 1 << 3;

/// BLAKE3 of up to 16 inputs of N bytes (whole blocks, at most 1,024 bytes) each.
fn hash<const N: usize>(inputs: &[[u8; N]], out: &mut [Hash]) {
    let mut lanes = [&inputs[0]; LANES];
    lanes.iter_mut().zip(inputs).for_each(|(lane, input)| *lane = input);
    Platform::detect().hash_many(
        &lanes[..inputs.len()],
        &IV,
        0,
        IncrementCounter::No,
        0,
        CHUNK_START,
        CHUNK_END | ROOT,
        out.as_flattened_mut(),
    );
}

/// Appends the leaves of the inputs `from..ends.len()`; input i ends at `ends[i]` in `bytes`.
pub fn leaves(bytes: &[u8], ends: &[usize], from: usize, out: &mut Vec<Hash>) {
    let input = |i: usize| &bytes[if i == 0 { 0 } else { ends[i - 1] }..ends[i]];
    let blocks = |i: usize| (1 + input(i).len()).div_ceil(BLOCK);
    let mut at = from;
    while at < ends.len() {
        let size = blocks(at);
        let alike = (at..ends.len().min(at + LANES)).take_while(|i| blocks(*i) == size).count();
        let lanes = || (at..at + alike).map(input);
        match size {
            1 => padded::<BLOCK>(lanes(), out),
            2 => padded::<{ 2 * BLOCK }>(lanes(), out),
            3 => padded::<{ 3 * BLOCK }>(lanes(), out),
            4 => padded::<{ 4 * BLOCK }>(lanes(), out),
            _ => out.extend(lanes().map(Blake3::leaf)),
        }
        at += alike;
    }
}

fn padded<'a, const N: usize>(inputs: impl Iterator<Item = &'a [u8]>, out: &mut Vec<Hash>) {
    let mut lanes = [[0; N]; LANES];
    let mut count = 0;
    for (lane, input) in lanes.iter_mut().zip(inputs) {
        lane[1..=input.len()].copy_from_slice(input);
        count += 1;
    }
    let start = out.len();
    out.resize(start + count, [0; 32]);
    hash(&lanes[..count], &mut out[start..]);
}

/// The root over `level`, which is used up.
pub fn root(level: &mut Vec<Hash>) -> Hash {
    // A node is 0x01 ‖ left ‖ right, and zeros to the end of its second block.
    let mut nodes = [[0; 2 * BLOCK]; LANES];
    nodes.iter_mut().for_each(|node| node[0] = 1);
    while level.len() > 1 {
        let pairs = level.len() / 2;
        for start in (0..pairs).step_by(LANES) {
            let count = LANES.min(pairs - start);
            let children = level[2 * start..2 * (start + count)].as_flattened();
            for (node, pair) in nodes.iter_mut().zip(children.as_chunks::<64>().0) {
                node[1..=64].copy_from_slice(pair);
            }
            hash(&nodes[..count], &mut level[start..start + count]);
        }
        let odd = level.len() % 2;
        if odd == 1 {
            level[pairs] = level[2 * pairs];
        }
        level.truncate(pairs + odd);
    }
    level.first().copied().unwrap_or_else(|| Blake3::hash(&[]))
}
