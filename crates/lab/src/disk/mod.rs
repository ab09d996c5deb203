//! A simulated disk for the venue's storage machine, and runs of that machine on it.
//!
//! 1. this file: files with a page cache, sectors that tear, crashes
//! 2. [`faults`]: what a disk does wrong besides losing what was not synced
//! 3. [`world`]: lives of the machine between crashes, and the model that judges them
//!
//! # Theory of operation
//! A write goes to the page cache and waits there for a sync. When the power fails, each sector of
//! each waiting write is on the disk or not, independently: writes of one sync tear and change
//! places. When only the process is killed, the cache stays. A failed sync marks its pages clean
//! without writing them, as Linux does: they can be read until the power fails.

pub mod faults;
pub mod world;

use std::collections::BTreeMap;

use surgetank_layer::machine::Draws;
use surgetank_venue::storage::effect::FileName;

/// Size of a sector, in bytes: what a disk writes whole or not at all.
pub const SECTOR: usize = 512;

/// A file of the data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum File {
    /// The file with all copies of the superblock.
    Superblock,
    /// A segment or snapshot.
    Data(FileName),
}

/// Bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The file.
    pub file: File,
    /// Offset of the first byte.
    pub from: u64,
    /// Offset after the last byte.
    pub to: u64,
}

impl Range {
    /// Whether the ranges share a byte.
    pub fn overlaps(&self, other: &Range) -> bool {
        self.file == other.file && self.from < other.to && other.from < self.to
    }
}

#[derive(Clone, Debug, Default)]
struct Content {
    /// As processes read it.
    cache: Vec<u8>,
    /// As it is after a power failure.
    disk: Vec<u8>,
}

/// The disk.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    files: BTreeMap<File, Content>,
    /// Writes that wait for a sync of the first file, and where they go: the disk may err.
    dirty: Vec<(File, Range, Vec<u8>)>,
}

fn put(bytes: &mut [u8], at: u64, data: &[u8]) {
    let room = bytes.get_mut(at as usize..).unwrap_or_default();
    let length = room.len().min(data.len());
    room[..length].copy_from_slice(&data[..length]);
}

impl Disk {
    /// Files with their sizes.
    pub fn files(&self) -> impl Iterator<Item = (File, u64)> {
        self.files.iter().map(|(file, content)| (*file, content.disk.len() as u64))
    }

    /// The last segment that is not empty, with its size.
    pub fn last_written(&self) -> Option<(File, u64)> {
        let is_written = |(file, content): &(&File, &Content)| {
            matches!(file, File::Data(FileName::Segment(_)))
                && content.cache.iter().any(|byte| *byte != 0)
        };
        let last = self.files.iter().rev().find(is_written);
        last.map(|(file, content)| (*file, content.disk.len() as u64))
    }

    /// Creates a file with this content, durably.
    pub fn create(&mut self, file: File, bytes: &[u8]) {
        self.files.insert(file, Content { cache: bytes.to_vec(), disk: bytes.to_vec() });
    }

    /// Removes a file, durably.
    pub fn remove(&mut self, file: File) {
        self.files.remove(&file);
        self.dirty.retain(|(of, range, _)| *of != file && range.file != file);
    }

    /// Bytes of a file; fewer where it ends.
    pub fn read(&self, file: File, offset: u64, length: u64) -> Vec<u8> {
        let content = self.files.get(&file).map_or(&[][..], |content| &content.cache);
        let rest = content.get(offset as usize..).unwrap_or(&[]);
        rest[..rest.len().min(length as usize)].to_vec()
    }

    /// Writes to the cache; `to` is where the disk will write it: elsewhere if it is misdirected,
    /// nowhere if it is lost.
    pub fn write(&mut self, at: Range, bytes: &[u8], to: Option<Range>) {
        if let Some(content) = self.files.get_mut(&at.file) {
            put(&mut content.cache, at.from, bytes);
        }
        self.dirty.extend(to.map(|to| (at.file, to, bytes.to_vec())));
    }

    /// Makes the finished writes of a file durable.
    pub fn sync(&mut self, file: File) {
        for (_, to, bytes) in self.dirty.extract_if(.., |(of, ..)| *of == file) {
            if let Some(content) = self.files.get_mut(&to.file) {
                put(&mut content.disk, to.from, &bytes);
            }
        }
    }

    /// A sync that fails: the pages count as clean, and are not on the disk.
    pub fn fail_sync(&mut self, file: File) {
        self.dirty.retain(|(of, ..)| *of != file);
    }

    /// The power fails.
    pub fn lose_power(&mut self, draws: &mut dyn Draws) {
        for (_, to, bytes) in std::mem::take(&mut self.dirty) {
            let Some(content) = self.files.get_mut(&to.file) else { continue };
            for (sector, at) in bytes.chunks(SECTOR).zip((to.from..).step_by(SECTOR)) {
                if draws.below(2) == 0 {
                    put(&mut content.disk, at, sector);
                }
            }
        }
        for content in self.files.values_mut() {
            content.cache.clone_from(&content.disk);
        }
    }

    /// Flips one bit, on the disk and in the cache.
    pub fn flip(&mut self, file: File, offset: u64, bit: u32) {
        if let Some(content) = self.files.get_mut(&file) {
            for bytes in [&mut content.cache, &mut content.disk] {
                if let Some(byte) = bytes.get_mut(offset as usize) {
                    *byte ^= 1 << (bit & 7);
                }
            }
        }
    }
}
