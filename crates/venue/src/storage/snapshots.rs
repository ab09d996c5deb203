//! Snapshots: the venue's state after a record, with checksums and the state's own hash.
//!
//! # Layout, little-endian
//! ```text
//!   0 "SGTSNAP\n" | version u16 | zero u16 | journal [16] | epoch u32 | number u64 | sequence u64
//!     | hash [32] of that record | genesis [32] | build [32] | state [32] | length u64 | zero
//! 252 CRC-32C of the header u32
//! 256 the state | CRC-32C u32 of each MiB of it
//! ```

use std::sync::Arc;

use surgetank_layer::units::Digest;

use super::bytes::{Fields, is_sealed, seal};
use super::record::JournalId;

/// Size of a snapshot's header.
pub const HEADER_BYTES: usize = 256;
/// Bytes of the state that share a checksum.
const CHUNK_BYTES: usize = 1 << 20;
/// Version of the format that is written.
const VERSION: u16 = 1;
const MAGIC: &[u8; 8] = b"SGTSNAP\n";

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Journal to which it belongs.
    pub journal: JournalId,
    /// History in which it was made.
    pub epoch: u32,
    /// Number of the last record that the state contains.
    pub number: u64,
    /// Sequence number of the last message that the state contains.
    pub sequence: u64,
    /// Hash of that record.
    pub hash: Digest,
    /// Hash of the genesis.
    pub genesis: Digest,
    /// Identifier of the build that made it.
    pub build: Digest,
    /// Hash of the state.
    pub state_hash: Digest,
    /// The state.
    pub state: Arc<[u8]>,
}

impl Snapshot {
    /// Encoding of the whole file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut header = MAGIC.to_vec();
        header.extend(VERSION.to_le_bytes());
        header.extend([0; 2]);
        header.extend(self.journal);
        header.extend(self.epoch.to_le_bytes());
        header.extend(self.number.to_le_bytes());
        header.extend(self.sequence.to_le_bytes());
        for digest in [self.hash, self.genesis, self.build, self.state_hash] {
            header.extend(digest.0);
        }
        header.extend((self.state.len() as u64).to_le_bytes());
        header.resize(HEADER_BYTES, 0);
        seal(&mut header);
        let chunks = self.state.chunks(CHUNK_BYTES);
        let crcs = chunks.flat_map(|chunk| crc32c::crc32c(chunk).to_le_bytes());
        header.into_iter().chain(self.state.iter().copied()).chain(crcs).collect()
    }

    /// Decodes a file without its state, if its header is whole.
    pub fn header(bytes: &[u8]) -> Option<Snapshot> {
        Snapshot::parse(bytes).map(|(snapshot, _)| snapshot)
    }

    /// Decodes a file, if it is whole.
    pub fn from_bytes(bytes: &[u8]) -> Option<Snapshot> {
        let (snapshot, length) = Snapshot::parse(bytes)?;
        let (state, crcs) = bytes.get(HEADER_BYTES..)?.split_at_checked(length)?;
        let found = state.chunks(CHUNK_BYTES).flat_map(|chunk| crc32c::crc32c(chunk).to_le_bytes());
        found.eq(crcs.iter().copied()).then(|| Snapshot { state: state.into(), ..snapshot })
    }

    fn parse(bytes: &[u8]) -> Option<(Snapshot, usize)> {
        let bytes = bytes.get(..HEADER_BYTES)?;
        let mut fields = Fields(bytes);
        if fields.array()? != *MAGIC || !is_sealed(bytes) || fields.u16()? != VERSION {
            return None;
        }
        fields.u16()?;
        let snapshot = Snapshot {
            journal: fields.array()?,
            epoch: fields.u32()?,
            number: fields.u64()?,
            sequence: fields.u64()?,
            hash: Digest(fields.array()?),
            genesis: Digest(fields.array()?),
            build: Digest(fields.array()?),
            state_hash: Digest(fields.array()?),
            state: Arc::new([]),
        };
        Some((snapshot, usize::try_from(fields.u64()?).ok()?))
    }
}
