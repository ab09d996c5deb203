//! The journal in a venue's data directory: heads and batches out of the records of segment files.
//!
//! The layout is in `docs/storage.md`. A record that is not whole ends the reading; what follows
//! from that is the storage's affair, and `surgetank check` says it.

use std::fmt;
use std::io::{self, Read};

use crate::Hash;

const BLOCK: u64 = 4096;
const HEADER_BYTES: usize = 160;
/// Kinds of records that hold parts of a journal.
const JOURNAL_KINDS: [u8; 2] = [2, 3];

/// Where and why the records end, if not by an empty place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    segment: u64,
    offset: u64,
    /// Number of the last whole record.
    number: u64,
    what: &'static str,
    /// Whether no further segment has records.
    pub is_last: bool,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stop { segment, offset, number, what, .. } = self;
        write!(f, "segment {segment}, byte {offset}, after record {number}: {what}")
    }
}

/// Reads the payloads of all heads and batches, one behind the other.
pub struct Segments<I, R> {
    files: I,
    file: Option<File<R>>,
    /// Number and hash of the last record; no hash before the first.
    number: u64,
    hash: Option<Hash>,
    payload: Vec<u8>,
    read: usize,
    pub stop: Option<Stop>,
}

struct File<R> {
    segment: u64,
    source: R,
    offset: u64,
    bytes: u64,
}

impl<R: Read> File<R> {
    /// Up to `length` bytes.
    fn take(&mut self, length: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.source.by_ref().take(length).read_to_end(&mut bytes)?;
        self.offset += bytes.len() as u64;
        Ok(bytes)
    }

    /// Skips to `offset`, holding a block at a time.
    fn skip(&mut self, offset: u64) -> io::Result<()> {
        while self.offset < offset {
            if self.take((offset - self.offset).min(BLOCK))?.is_empty() {
                break;
            }
        }
        Ok(())
    }
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*bytes[at..].first_chunk().unwrap())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(*bytes[at..].first_chunk().unwrap())
}

fn hash_at(bytes: &[u8], at: usize) -> Hash {
    *bytes[at..].first_chunk().unwrap()
}

impl<R: Read, I: Iterator<Item = (u64, R)>> Segments<I, R> {
    pub fn new(files: I) -> Segments<I, R> {
        let (payload, read) = (Vec::new(), 0);
        Segments { files, file: None, number: 0, hash: None, payload, read, stop: None }
    }

    /// Opens the next segment that is begun; false if there is none.
    fn open(&mut self) -> io::Result<bool> {
        for (segment, source) in self.files.by_ref() {
            let mut file = File { segment, source, offset: 0, bytes: 0 };
            let copies = file.take(2 * BLOCK)?;
            let copies = [0, BLOCK as usize].map(|at| copies.get(at..at + 128).unwrap_or(&[]));
            let whole = |copy: &&[u8]| {
                copy.len() == 128
                    && copy.starts_with(b"SGTSEG1\n")
                    && crc32c(&copy[..124]) == u32_at(copy, 124)
                    && u64_at(copy, 28) == segment
            };
            let Some(header) = copies.into_iter().find(whole) else { continue };
            file.bytes = u64_at(header, 44);
            let slots = file.bytes.saturating_sub(2 * BLOCK) / (512 + BLOCK);
            file.skip((2 * BLOCK + slots * 512).next_multiple_of(BLOCK))?;
            let (first, previous) = (u64_at(header, 36), hash_at(header, 52));
            let what = "records are missing before the next segment";
            if let Some(stop) = self.stop.take().filter(|_| first > self.number + 1) {
                self.stop = Some(Stop { is_last: false, ..stop });
                return Ok(false);
            }
            if self.hash.is_some_and(|hash| hash != previous || first != self.number + 1) {
                let number = self.number;
                self.stop = Some(Stop { segment, offset: 0, number, what, is_last: false });
                return Ok(false);
            }
            (self.number, self.hash) = (first.saturating_sub(1), Some(previous));
            self.file = Some(file);
            return Ok(true);
        }
        Ok(false)
    }

    /// Reads the next record; false at the end.
    fn next(&mut self) -> io::Result<bool> {
        loop {
            if self.file.is_none() && !self.open()? {
                return Ok(false);
            }
            let Some(file) = &mut self.file else { return Ok(false) };
            let start = file.offset;
            if start + BLOCK > file.bytes {
                self.file = None;
                continue;
            }
            let block = file.take(BLOCK)?;
            if block.iter().all(|byte| *byte == 0) {
                self.file = None;
                continue;
            }
            let record = record(file, start, block, self.number + 1, self.hash)?;
            match record {
                Ok((header, payload)) => {
                    (self.number, self.hash) = (self.number + 1, Some(hash_at(&header, 124)));
                    if JOURNAL_KINDS.contains(&header[6]) {
                        (self.payload, self.read) = (payload, 0);
                        return Ok(true);
                    }
                }
                Err(what) => {
                    let (segment, number) = (file.segment, self.number);
                    self.file = None;
                    let stop = Stop { segment, offset: start, number, what, is_last: true };
                    self.stop = Some(stop);
                    // Behind the end of a full segment anything may stand: the next one decides.
                }
            }
        }
    }
}

/// The record that begins with this block: its header and its payload.
type Whole = Result<(Vec<u8>, Vec<u8>), &'static str>;

fn record<R: Read>(
    file: &mut File<R>,
    start: u64,
    block: Vec<u8>,
    number: u64,
    previous: Option<Hash>,
) -> io::Result<Whole> {
    let Some(header) = block.get(..HEADER_BYTES) else {
        return Ok(Err("the file ends inside a record"));
    };
    if !header.starts_with(b"SGTR") || crc32c(&header[..156]) != u32_at(header, 156) {
        return Ok(Err("a record's header is not whole"));
    }
    if [u64_at(header, 40), u64_at(header, 48)] != [file.segment, start] {
        return Ok(Err("a record of another place stands here"));
    }
    let length = u32_at(header, 56) as usize;
    let mut payload = block[HEADER_BYTES..].to_vec();
    let size = (HEADER_BYTES as u64 + length as u64).next_multiple_of(BLOCK);
    payload.extend(file.take(size - BLOCK)?);
    payload.truncate(length);
    if payload.len() < length || crc32c(&payload) != u32_at(header, 60) {
        return Ok(Err("a record's content is not whole"));
    }
    let continues = u64_at(header, 32) == number
        && previous.is_none_or(|previous| previous == hash_at(header, 92));
    if !continues {
        return Ok(Err("a record does not continue the one before"));
    }
    Ok(Ok((header.to_vec(), payload)))
}

impl<R: Read, I: Iterator<Item = (u64, R)>> Read for Segments<I, R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        while self.read == self.payload.len() {
            if !self.next()? {
                return Ok(0);
            }
        }
        let rest = &self.payload[self.read..];
        let length = rest.len().min(room.len());
        room[..length].copy_from_slice(&rest[..length]);
        self.read += length;
        Ok(length)
    }
}

/// CRC-32C (Castagnoli): RFC 3720, section 12.1, reflected, by a table of one byte.
fn crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            let (mut rest, mut bit) = (byte as u32, 0);
            while bit < 8 {
                rest = if rest & 1 == 1 { rest >> 1 ^ 0x82F6_3B78 } else { rest >> 1 };
                bit += 1;
            }
            table[byte] = rest;
            byte += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |crc, byte| crc >> 8 ^ TABLE[usize::from(crc as u8 ^ byte)])
}

#[cfg(test)]
mod tests {
    use super::crc32c;

    /// The examples of RFC 3720, section B.4.
    #[test]
    fn the_checksum_is_that_of_the_rfc() {
        let ascending: Vec<u8> = (0..32).collect();
        let descending: Vec<u8> = (0..32).rev().collect();
        let examples = [
            (vec![0; 32], 0x8A91_36AA),
            (vec![0xFF; 32], 0x62A8_AB43),
            (ascending, 0x46DD_794E),
            (descending, 0x113F_DB5C),
        ];
        examples.iter().for_each(|(bytes, crc)| assert_eq!(crc32c(bytes), *crc));
    }
}
