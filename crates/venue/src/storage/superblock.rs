//! The superblock: four copies of 4,096 bytes that say which journal, history and writer is current.
//!
//! # Layout, little-endian
//! ```text
//! "SGTVENU\n" | version u16 | begun u8 | zero u8 | journal [16] | epoch u32 | epoch_first u64
//!   | term u32 | update u64 | durable u64 | created_ns u64 | zero | 4,092 CRC-32C u32
//! ```
//!
//! # Theory of operation
//! Copies are written one after the other, each durably. Whatever copy a crash has torn, two of the
//! old ones or two of the new ones agree; the newest update that two whole copies agree on counts.

use surgetank_layer::units::Ns;

use super::bytes::{Fields, is_sealed, seal};
use super::record::{BLOCK, JournalId};

/// Number of copies.
pub const COPIES: u8 = 4;
/// Version of the format that is written.
const VERSION: u16 = 1;
const MAGIC: &[u8; 8] = b"SGTVENU\n";

/// What the superblock says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// Identifier of the journal.
    pub journal: JournalId,
    /// Whether segments exist.
    pub begun: bool,
    /// Current history.
    pub epoch: u32,
    /// Number of the first record of the current history.
    pub epoch_first: u64,
    /// Current writer; 0 before the first start.
    pub term: u32,
    /// Number of the update, from 1.
    pub update: u64,
    /// A number that was durable at the last update: of a start, the last record that it kept.
    pub durable: u64,
    /// Time at which the journal was created.
    pub created_ns: Ns,
}

impl Superblock {
    /// That of a new journal.
    pub fn new(journal: JournalId, now: Ns) -> Superblock {
        Superblock {
            journal,
            begun: false,
            epoch: 1,
            epoch_first: 1,
            term: 0,
            update: 1,
            durable: 0,
            created_ns: now,
        }
    }

    /// Encoding of a copy.
    pub fn to_bytes(&self) -> [u8; BLOCK as usize] {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend([u8::from(self.begun), 0]);
        bytes.extend(self.journal);
        bytes.extend(self.epoch.to_le_bytes());
        bytes.extend(self.epoch_first.to_le_bytes());
        bytes.extend(self.term.to_le_bytes());
        for field in [self.update, self.durable, self.created_ns] {
            bytes.extend(field.to_le_bytes());
        }
        let mut copy = [0; BLOCK as usize];
        copy[..bytes.len()].copy_from_slice(&bytes);
        seal(&mut copy);
        copy
    }

    /// Decodes a copy, if it is whole.
    pub fn from_bytes(bytes: &[u8]) -> Option<Superblock> {
        let bytes = bytes.get(..BLOCK as usize)?;
        let mut fields = Fields(bytes);
        if fields.array()? != *MAGIC || !is_sealed(bytes) || fields.u16()? != VERSION {
            return None;
        }
        let [begun, _] = fields.array()?;
        Some(Superblock {
            begun: begun == 1,
            journal: fields.array()?,
            epoch: fields.u32()?,
            epoch_first: fields.u64()?,
            term: fields.u32()?,
            update: fields.u64()?,
            durable: fields.u64()?,
            created_ns: fields.u64()?,
        })
    }
}

/// The newest superblock on which at least two copies agree.
pub fn agreed(copies: &[Option<Superblock>]) -> Option<Superblock> {
    let whole = || copies.iter().flatten();
    whole()
        .filter(|copy| whole().filter(|other| other == copy).count() >= 2)
        .max_by_key(|copy| copy.update)
        .cloned()
}
