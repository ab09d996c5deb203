//! Segments: files of fixed size with two copies of a header, commit slots, and records.
//!
//! # Layout, little-endian
//! ```text
//!      0 header: "SGTSEG1\n" | journal [16] | epoch u32 | segment u64 | first_number u64 | bytes u64
//!                | previous [32] | created_ns u64 | zero | 124 CRC-32C u32 | zero
//!  4,096 the same again
//!  8,192 commit slots of 512 bytes, (bytes − 8,192) / 4,608 of them: one per record at most
//!        records, from the next multiple of 4,096
//! ```
//! `first_number` is that of its first record, `previous` the hash of the record before that. The
//! header is written with the first group, after the sync of the segment before; until then a
//! segment is zero.

use surgetank_layer::units::{Digest, Ns};

use super::bytes::{Fields, is_sealed, seal};
use super::record::{BLOCK, JournalId, RecordHeader};
use super::slot::SLOT_BYTES;

/// Size of a segment's header.
pub const HEADER_BYTES: usize = 128;
/// Offset of the first slot.
pub const SLOTS_START: u64 = 2 * BLOCK;
const MAGIC: &[u8; 8] = b"SGTSEG1\n";

/// Header of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Journal to which it belongs.
    pub journal: JournalId,
    /// History in which it was begun.
    pub epoch: u32,
    /// Number of the segment, from 1.
    pub segment: u64,
    /// Number of its first record.
    pub first_number: u64,
    /// Size of the file.
    pub bytes: u64,
    /// Hash of the record before its first one.
    pub previous: Digest,
    /// Time at which it was begun.
    pub created_ns: Ns,
}

impl SegmentHeader {
    /// Encoding of the header.
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.journal);
        bytes.extend(self.epoch.to_le_bytes());
        for field in [self.segment, self.first_number, self.bytes] {
            bytes.extend(field.to_le_bytes());
        }
        bytes.extend(self.previous.0);
        bytes.extend(self.created_ns.to_le_bytes());
        let mut header = [0; HEADER_BYTES];
        header[..bytes.len()].copy_from_slice(&bytes);
        seal(&mut header);
        header
    }

    /// Decodes the header at the front of these bytes, if a whole one stands there.
    pub fn from_bytes(bytes: &[u8]) -> Option<SegmentHeader> {
        let bytes = bytes.get(..HEADER_BYTES)?;
        let mut fields = Fields(bytes);
        if fields.array()? != *MAGIC || !is_sealed(bytes) {
            return None;
        }
        Some(SegmentHeader {
            journal: fields.array()?,
            epoch: fields.u32()?,
            segment: fields.u64()?,
            first_number: fields.u64()?,
            bytes: fields.u64()?,
            previous: Digest(fields.array()?),
            created_ns: fields.u64()?,
        })
    }
}

/// Where things stand in a segment of a given size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Size of the segment.
    pub bytes: u64,
}

impl Geometry {
    /// Number of commit slots.
    pub fn slots(self) -> u64 {
        self.bytes.saturating_sub(SLOTS_START) / (SLOT_BYTES as u64 + BLOCK)
    }

    /// Offset of slot `index`.
    pub fn slot_offset(self, index: u64) -> u64 {
        SLOTS_START + index * SLOT_BYTES as u64
    }

    /// Offset of the first record.
    pub fn records_start(self) -> u64 {
        self.slot_offset(self.slots()).next_multiple_of(BLOCK)
    }

    /// Greatest size of a payload.
    pub fn payload_max(self) -> u64 {
        let room = self.bytes.saturating_sub(self.records_start()) / BLOCK * BLOCK;
        room.saturating_sub(super::record::HEADER_BYTES as u64).min(u32::MAX.into())
    }

    /// Whether a record with this payload, the `index`-th at `offset`, fits.
    pub fn fits(self, index: u64, offset: u64, payload: u64) -> bool {
        let end = offset.saturating_add(RecordHeader::size_of(payload));
        index < self.slots() && end <= self.bytes
    }
}
