//! Commit slots: a record's header a second time, written after the sync of the record.
//!
//! # Layout, little-endian
//! ```text
//!   0 the record's header [160] | 160 "SGTC" | zero | 508 CRC-32C u32
//! ```
//! 512 bytes are a sector of most disks, so that slots, which share a block, tear apart.

use super::bytes::{is_sealed, is_zero, seal};
use super::record::{HEADER_BYTES, RecordHeader};

/// Size of a slot.
pub const SLOT_BYTES: usize = 512;
const MAGIC: &[u8; 4] = b"SGTC";

/// What stands in a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot {
    /// A whole slot: the record of this header was durable.
    Whole(RecordHeader),
    /// Zeros: no slot was written.
    Empty,
    /// Something that is no whole slot.
    Bad,
}

/// Encoding of the slot of the record with this header.
pub fn to_bytes(header: &RecordHeader) -> [u8; SLOT_BYTES] {
    let mut slot = [0; SLOT_BYTES];
    slot[..HEADER_BYTES].copy_from_slice(&header.to_bytes());
    slot[HEADER_BYTES..HEADER_BYTES + 4].copy_from_slice(MAGIC);
    seal(&mut slot);
    slot
}

/// Decodes the slot at the front of these bytes.
pub fn from_bytes(bytes: &[u8]) -> Slot {
    let Some(bytes) = bytes.get(..SLOT_BYTES) else { return Slot::Bad };
    if is_zero(bytes) {
        return Slot::Empty;
    }
    let whole = is_sealed(bytes) && bytes[HEADER_BYTES..].starts_with(MAGIC);
    match RecordHeader::from_bytes(bytes).filter(|_| whole) {
        Some(header) => Slot::Whole(header),
        None => Slot::Bad,
    }
}
