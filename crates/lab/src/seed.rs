//! Named random streams: one seed, a stream for every part that draws.
//!
//! A stream is ChaCha8 keyed by BLAKE3 of (seed, name, index), so streams are independent and adding
//! one leaves the others alone. Packets draw by hashing their own number instead ([`packet_bits`]).

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use surgetank_layer::machine::Draws;

/// The seed of a run.
#[derive(Clone, Copy, Debug)]
pub struct Seed(u64);

/// A stream of draws.
#[derive(Clone)]
pub struct Stream(ChaCha8Rng);

impl Seed {
    /// The seed of a run.
    pub fn new(seed: u64) -> Seed {
        Seed(seed)
    }

    /// The stream of this name and index.
    pub fn stream(&self, name: &str, index: u64) -> Stream {
        Stream(ChaCha8Rng::from_seed(self.digest(name, index)))
    }

    /// A key for [`packet_bits`].
    pub fn key(&self, name: &str) -> u64 {
        let digest = self.digest(name, 0);
        digest.iter().take(8).fold(0, |key, &byte| key << 8 | u64::from(byte))
    }

    /// 32 bytes of this name and index.
    pub fn digest(&self, name: &str, index: u64) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"surgetank stream");
        hasher.update(&self.0.to_le_bytes());
        hasher.update(&index.to_le_bytes());
        hasher.update(name.as_bytes());
        *hasher.finalize().as_bytes()
    }
}

impl Draws for Stream {
    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }
}

/// 64 bits for the packet (or other thing) of this number: SplitMix64's finaliser (Steele, Lea,
/// Flood, OOPSLA 2014) over a Weyl sequence that starts at the key.
#[inline]
pub fn packet_bits(key: u64, number: u64) -> u64 {
    let mut z = key.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A uniform number on [0, 1) of 53 of these bits.
pub fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}
