//! Records: a header of 160 bytes, a payload, and zeros up to a multiple of 4,096.
//!
//! # Layout, version 1, little-endian
//! ```text
//!   0 "SGTR" | 4 version u16 | 6 kind u8 | 7 flags u8 (bit 0: last of its group)
//!   8 journal [16] | 24 epoch u32 | 28 term u32 | 32 number u64 | 40 segment u64 | 48 offset u64
//!  56 length u32 | 60 CRC-32C of the payload u32 | 64 durable u64 | 72 first_sequence u64
//!  80 sealed_ns u64 | 88 ordered u32 | 92 previous [32] | 124 hash [32] | 156 CRC-32C u32
//! ```
//! Segment and offset say where the record belongs, so that a misdirected write is recognised.
//! `durable` is the highest number that was durable when the record was written: the last of the
//! group before.

use surgetank_layer::units::{Digest, Ns};

use super::bytes::{Fields, is_sealed, seal};

/// Unit of allocation, in bytes: records begin at its multiples.
pub const BLOCK: u64 = 4096;
/// Size of a record's header.
pub const HEADER_BYTES: usize = 160;
/// Version of the format that is written.
pub const VERSION: u16 = 1;
const MAGIC: &[u8; 4] = b"SGTR";

/// Identifier of a journal.
pub type JournalId = [u8; 16];

/// Kinds of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// Units, markets and accounts of the venue at its beginning.
    Genesis = 1,
    /// Head of a chain of batches.
    Head = 2,
    /// A sealed batch.
    Batch = 3,
    /// A note of the operator's.
    Operator = 4,
}

impl RecordKind {
    fn of(number: u8) -> Option<RecordKind> {
        use RecordKind::{Batch, Genesis, Head, Operator};
        [Genesis, Head, Batch, Operator].into_iter().find(|kind| *kind as u8 == number)
    }
}

/// Header of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// Kind of the record.
    pub kind: RecordKind,
    /// Whether it is the last of its group. A record that is proved durable and is not, proves the
    /// next one durable.
    pub ends_group: bool,
    /// Journal to which it belongs.
    pub journal: JournalId,
    /// History in which it was written.
    pub epoch: u32,
    /// Writer that wrote it.
    pub term: u32,
    /// Number of the record, from 1 without holes over all segments.
    pub number: u64,
    /// Segment to which it belongs.
    pub segment: u64,
    /// Offset in the segment at which it belongs.
    pub offset: u64,
    /// Size of the payload.
    pub length: u32,
    /// CRC-32C of the payload.
    pub payload_crc: u32,
    /// Highest number that was durable when it was written.
    pub durable: u64,
    /// Sequence number of its first message.
    pub first_sequence: u64,
    /// Time at which it was sealed.
    pub sealed_ns: Ns,
    /// Number of its messages.
    pub ordered: u32,
    /// Hash of the record before.
    pub previous: Digest,
    /// Hash of its content.
    pub hash: Digest,
}

impl RecordHeader {
    /// Size on the disk of a record with a payload of this size.
    pub fn size_of(payload: u64) -> u64 {
        payload.saturating_add(HEADER_BYTES as u64).next_multiple_of(BLOCK)
    }

    /// Size on the disk, padding included.
    pub fn size(&self) -> u64 {
        RecordHeader::size_of(self.length.into())
    }

    /// Encoding of the header.
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend([self.kind as u8, u8::from(self.ends_group)]);
        bytes.extend(self.journal);
        bytes.extend(self.epoch.to_le_bytes());
        bytes.extend(self.term.to_le_bytes());
        for field in [self.number, self.segment, self.offset] {
            bytes.extend(field.to_le_bytes());
        }
        bytes.extend(self.length.to_le_bytes());
        bytes.extend(self.payload_crc.to_le_bytes());
        for field in [self.durable, self.first_sequence, self.sealed_ns] {
            bytes.extend(field.to_le_bytes());
        }
        bytes.extend(self.ordered.to_le_bytes());
        bytes.extend(self.previous.0);
        bytes.extend(self.hash.0);
        let mut header = [0; HEADER_BYTES];
        header[..bytes.len()].copy_from_slice(&bytes);
        seal(&mut header);
        header
    }

    /// Decodes the header at the front of these bytes, if a whole one stands there.
    pub fn from_bytes(bytes: &[u8]) -> Option<RecordHeader> {
        let bytes = bytes.get(..HEADER_BYTES)?;
        let mut fields = Fields(bytes);
        if fields.array()? != *MAGIC || !is_sealed(bytes) || fields.u16()? != VERSION {
            return None;
        }
        let [kind, flags] = fields.array()?;
        Some(RecordHeader {
            kind: RecordKind::of(kind)?,
            ends_group: flags & 1 == 1,
            journal: fields.array()?,
            epoch: fields.u32()?,
            term: fields.u32()?,
            number: fields.u64()?,
            segment: fields.u64()?,
            offset: fields.u64()?,
            length: fields.u32()?,
            payload_crc: fields.u32()?,
            durable: fields.u64()?,
            first_sequence: fields.u64()?,
            sealed_ns: fields.u64()?,
            ordered: fields.u32()?,
            previous: Digest(fields.array()?),
            hash: Digest(fields.array()?),
        })
    }

    /// The highest number that is durable if this record is.
    pub fn proves(&self) -> u64 {
        self.number.saturating_add(u64::from(!self.ends_group))
    }

    /// The payload of the record that begins at the front of these bytes, if it is whole.
    pub fn payload<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let payload = bytes.get(HEADER_BYTES..)?.get(..self.length as usize)?;
        (crc32c::crc32c(payload) == self.payload_crc).then_some(payload)
    }
}
