//! The fixed record that clients send, and its authentication.
//!
//! # Layout, 128 bytes, little-endian
//! ```text
//! account u32 | class u8 | flags u8 | zero u16 | fee u32 | number u32 | body (96 bytes) | MAC (16)
//! ```
//! The MAC is the first 16 bytes of keyed BLAKE3 over the 112 bytes before it. The key of an
//! account is keyed BLAKE3 of the tag and the account's number under the venue's key; a session
//! obtains it when it is established. `number` must grow within an account, so that no record
//! counts twice.

use std::array::from_fn;

use crate::audit::batch::Ticket;
use crate::units::Ns;

/// Size of a record, in bytes.
pub const RECORD_BYTES: usize = 128;
/// Size of the MAC, in bytes.
pub const MAC_BYTES: usize = 16;
/// Offset of the MAC.
const SIGNED: usize = RECORD_BYTES - MAC_BYTES;
/// Domain separation tag of the derivation of account keys.
const KEY_TAG: &[u8; 19] = b"surgetank session 1";

/// A key of keyed BLAKE3.
pub type Key = [u8; 32];

/// The key of an account, under the venue's key.
pub fn account_key(venue: &Key, account: u32) -> Key {
    let mut input = [0; KEY_TAG.len() + 4];
    input[..KEY_TAG.len()].copy_from_slice(KEY_TAG);
    input[KEY_TAG.len()..].copy_from_slice(&account.to_le_bytes());
    *blake3::keyed_hash(venue, &input).as_bytes()
}

/// A record, borrowed from a buffer.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a>(&'a [u8; RECORD_BYTES]);

impl<'a> Record<'a> {
    /// The records of a buffer, and the remaining bytes at its end.
    pub fn split(buffer: &'a [u8]) -> (impl ExactSizeIterator<Item = Record<'a>>, &'a [u8]) {
        let (records, rest) = buffer.as_chunks::<RECORD_BYTES>();
        (records.iter().map(Record), rest)
    }

    /// All bytes of the record.
    pub fn bytes(&self) -> &'a [u8; RECORD_BYTES] {
        self.0
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(from_fn(|i| self.0[at + i]))
    }

    /// Account that the record claims as its sender.
    #[inline]
    pub fn account(&self) -> u32 {
        self.u32(0)
    }

    /// Number of the record within the account.
    #[inline]
    pub fn number(&self) -> u32 {
        self.u32(12)
    }

    /// Ticket of the record, for ordering rules.
    #[inline]
    pub fn ticket(&self, arrival_ns: Ns) -> Ticket {
        let [_, _, _, _, class, flags, ..] = *self.0;
        Ticket { account: self.account(), class, flags, fee: self.u32(8), arrival_ns }
    }

    /// Whether its MAC is valid under this key.
    #[inline]
    pub fn is_from(&self, key: &Key) -> bool {
        let expected = mac(key, self.0);
        // Compares every byte, in constant time.
        let pairs = self.0[SIGNED..].iter().zip(&expected);
        pairs.fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
    }
}

#[inline]
fn mac(key: &Key, record: &[u8; RECORD_BYTES]) -> [u8; MAC_BYTES] {
    let hash = blake3::keyed_hash(key, &record[..SIGNED]);
    from_fn(|i| hash.as_bytes()[i])
}

/// Creates an authenticated record, as a client does.
pub fn write(key: &Key, ticket: &Ticket, number: u32, body: &[u8; 96]) -> [u8; RECORD_BYTES] {
    let mut record = [0; RECORD_BYTES];
    record[..4].copy_from_slice(&ticket.account.to_le_bytes());
    (record[4], record[5]) = (ticket.class, ticket.flags);
    record[8..12].copy_from_slice(&ticket.fee.to_le_bytes());
    record[12..16].copy_from_slice(&number.to_le_bytes());
    record[16..SIGNED].copy_from_slice(body);
    let mac = mac(key, &record);
    record[SIGNED..].copy_from_slice(&mac);
    record
}
