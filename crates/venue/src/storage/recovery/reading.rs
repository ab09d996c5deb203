//! Reading of a whole segment, around blocks that cannot be read.

use super::super::effect::{Done, Effect, Errno};
use super::super::record::BLOCK;

/// What an unreadable block is taken to contain: neither zeros nor anything whole.
const UNREADABLE: u8 = 0xA5;
/// Bytes that are read of one file at most.
const BYTES_MAX: u64 = 1 << 30;

/// A segment that is being read.
#[derive(Debug)]
pub struct Reading {
    pub segment: u64,
    length: u64,
    bytes: Vec<u8>,
    by_block: bool,
}

impl Reading {
    pub fn new(segment: u64, length: u64) -> Reading {
        Reading { segment, length: length.min(BYTES_MAX), bytes: Vec::new(), by_block: false }
    }

    /// The next effect.
    pub fn effect(&self) -> Effect {
        let offset = self.bytes.len() as u64;
        let rest = self.length.saturating_sub(offset);
        let length = if self.by_block { rest.min(BLOCK) } else { rest };
        Effect::Read { segment: self.segment, offset, length }
    }

    /// Takes a result; returns the bytes when all are read.
    pub fn take(&mut self, result: Result<Done, Errno>) -> Option<Vec<u8>> {
        let Effect::Read { length, .. } = self.effect() else { return None };
        match result {
            Ok(Done::Bytes(mut bytes)) => {
                bytes.truncate(usize::try_from(length).unwrap_or(usize::MAX));
                let ends = (bytes.len() as u64) < length;
                if self.bytes.is_empty() {
                    self.bytes = bytes;
                } else {
                    self.bytes.extend(bytes);
                }
                if ends {
                    self.length = self.bytes.len() as u64;
                }
            }
            _ if self.by_block => {
                let end = self.bytes.len() + usize::try_from(length).unwrap_or(0);
                self.bytes.resize(end, UNREADABLE);
            }
            _ => self.by_block = true,
        }
        (self.bytes.len() as u64 >= self.length).then(|| std::mem::take(&mut self.bytes))
    }
}
