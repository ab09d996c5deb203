//! The running storage: groups, commit slots, segments ahead, snapshots and the archive.
//!
//! # Theory of operation
//! One group at a time: what waits is written behind the last record, together with the slots of
//! the groups before, and one sync covers both. So slots cost no sync of their own unless nothing
//! follows ([`Input::Idle`]) or a segment is full; then the slots are synced before the next
//! segment is begun, and the next segment's header proves the whole one before it durable.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use surgetank_layer::units::{Digest, Ns};

use super::effect::{Append, Effect, Errno, FileName, Halt, Input, Output, Space};
use super::record::{BLOCK, RecordHeader};
use super::segment::{Geometry, SegmentHeader};
use super::slot::{self, SLOT_BYTES};
use super::superblock::{COPIES, Superblock};
use super::{Asked, Config, Next};

/// Snapshots that stay beside the journal; older ones are archived.
const SNAPSHOTS_KEPT: usize = 2;

/// Where a writer goes on.
#[derive(Debug)]
pub(super) struct Position {
    pub superblock: Superblock,
    /// Number and hash of the last record.
    pub number: u64,
    pub hash: Digest,
    /// Highest number that is durable.
    pub durable: u64,
    /// Current segment and its size.
    pub segment: u64,
    pub bytes: u64,
    /// Where the next record begins, and the index of its slot.
    pub offset: u64,
    pub index: u64,
    /// Whether the segment has a header.
    pub is_begun: bool,
    /// Slots that are still to be written; the last one has index `index` − 1.
    pub slots: Vec<[u8; SLOT_BYTES]>,
    /// Begun segments and the numbers of their first records, ascending.
    pub segments: VecDeque<(u64, u64)>,
    /// Allocated segments and their sizes.
    pub ahead: VecDeque<(u64, u64)>,
    /// The highest segment that was asked for.
    pub last_segment: u64,
    /// Snapshots, ascending.
    pub snapshots: Vec<u64>,
}

/// Writes that one sync covers.
#[derive(Debug)]
struct Job {
    segment: u64,
    writes: BTreeSet<u64>,
    sync: Option<u64>,
    /// The last number of the group, if there is one, and its slots.
    group: Option<(u64, Vec<[u8; SLOT_BYTES]>)>,
}

/// A snapshot that is being written.
#[derive(Debug)]
struct SnapshotJob {
    number: u64,
    effect: u64,
    /// The copy of the superblock that is being written; `None`: the snapshot itself.
    copy: Option<u8>,
}

/// The machine of a running storage.
#[derive(Debug)]
pub struct Writer {
    segment_bytes: u64,
    segments_ahead: usize,
    segments_kept: usize,
    at: Position,
    waiting: VecDeque<Append>,
    job: Option<Job>,
    allocating: Option<u64>,
    /// An allocation failed and was not tried again yet.
    is_short: bool,
    space: Space,
    snapshot: Option<SnapshotJob>,
    /// Files to archive. One after the other, segments ascending: a crash must leave no hole.
    archive: VecDeque<FileName>,
    archiving: Option<(u64, FileName)>,
}

impl Writer {
    pub(super) fn new(position: Position, config: &Config) -> Writer {
        Writer {
            segment_bytes: config.segment_bytes,
            segments_ahead: config.segments_ahead.max(1),
            segments_kept: config.segments_kept,
            at: position,
            waiting: VecDeque::new(),
            job: None,
            allocating: None,
            is_short: false,
            space: Space::Ample,
            snapshot: None,
            archive: VecDeque::new(),
            archiving: None,
        }
    }

    pub(super) fn step(
        &mut self,
        now: Ns,
        input: Input,
        asked: &mut Asked,
        out: &mut Vec<Output>,
    ) -> Next {
        match input {
            Input::Append(append) => {
                let payload_max = Geometry { bytes: self.segment_bytes }.payload_max();
                if append.payload.len() as u64 > payload_max {
                    out.push(Output::Halted(Halt::TooLarge));
                    return Next::Stop;
                }
                self.waiting.push_back(append);
                self.begin(now, asked, out);
            }
            Input::Idle if self.job.is_none() && !self.at.slots.is_empty() => {
                self.job = Some(self.write_slots(asked, out));
            }
            Input::Second if self.is_short => {
                self.is_short = false;
                self.allocate(asked, out);
            }
            Input::Snapshot { number, bytes } => self.write_snapshot(number, bytes, asked, out),
            Input::Done(effect, _) => return self.finished(now, effect, asked, out),
            Input::Failed(effect, errno) => return self.failed(effect, errno, out),
            _ => {}
        }
        Next::Same
    }

    /// Begins a group with what waits, if none is in progress.
    fn begin(&mut self, now: Ns, asked: &mut Asked, out: &mut Vec<Output>) {
        while self.job.is_none() && !self.waiting.is_empty() {
            if self.has_room() {
                self.job = Some(self.write_group(now, asked, out));
            } else if !self.at.slots.is_empty() {
                self.job = Some(self.write_slots(asked, out));
            } else if let Some((segment, bytes)) = self.at.ahead.pop_front() {
                let offset = Geometry { bytes }.records_start();
                let position = &mut self.at;
                (position.segment, position.bytes) = (segment, bytes);
                (position.offset, position.index, position.is_begun) = (offset, 0, false);
                self.allocate(asked, out);
            } else {
                return self.say(Space::Full, out);
            }
        }
    }

    fn has_room(&self) -> bool {
        let geometry = Geometry { bytes: self.at.bytes };
        self.waiting.front().is_some_and(|append| {
            geometry.fits(self.at.index, self.at.offset, append.payload.len() as u64)
        })
    }

    /// Writes the waiting records that fit the segment, and the slots of those before.
    fn write_group(&mut self, now: Ns, asked: &mut Asked, out: &mut Vec<Output>) -> Job {
        let mut job = self.write_slots(asked, out);
        let segment = self.at.segment;
        let mut write = |offset: u64, bytes: Arc<[u8]>, out: &mut Vec<Output>| {
            job.writes.insert(asked.ask(Effect::Write { segment, offset, bytes }, out));
        };
        if !self.at.is_begun {
            let header: Arc<[u8]> = self.begin_segment(now).to_bytes().into();
            // Two writes, so that no single lost one takes both copies.
            write(0, header.clone(), out);
            write(BLOCK, header, out);
        }
        let (start, mut records, mut slots) = (self.at.offset, Vec::new(), Vec::new());
        while self.has_room() {
            let Some(append) = self.waiting.pop_front() else { break };
            let ends_group = !self.fits_after(&append);
            let header = self.header(&append, ends_group);
            records.extend(header.to_bytes());
            records.extend_from_slice(&append.payload);
            records.resize(records.len().next_multiple_of(BLOCK as usize), 0);
            self.at.number = header.number;
            self.at.hash = header.hash;
            self.at.offset += header.size();
            self.at.index += 1;
            slots.push(slot::to_bytes(&header));
        }
        write(start, records.into(), out);
        job.group = Some((self.at.number, slots));
        job
    }

    /// Whether the next waiting record goes into the same group as this one.
    fn fits_after(&self, append: &Append) -> bool {
        let geometry = Geometry { bytes: self.at.bytes };
        let offset = self.at.offset + RecordHeader::size_of(append.payload.len() as u64);
        self.waiting
            .front()
            .is_some_and(|next| geometry.fits(self.at.index + 1, offset, next.payload.len() as u64))
    }

    fn header(&self, append: &Append, ends_group: bool) -> RecordHeader {
        RecordHeader {
            kind: append.kind,
            ends_group,
            journal: self.at.superblock.journal,
            epoch: self.at.superblock.epoch,
            term: self.at.superblock.term,
            number: self.at.number + 1,
            segment: self.at.segment,
            offset: self.at.offset,
            length: append.payload.len() as u32,
            payload_crc: crc32c::crc32c(&append.payload),
            durable: self.at.durable,
            first_sequence: append.first_sequence,
            sealed_ns: append.sealed_ns,
            ordered: append.ordered,
            previous: self.at.hash,
            hash: append.hash,
        }
    }

    fn begin_segment(&mut self, now: Ns) -> SegmentHeader {
        self.at.is_begun = true;
        self.at.segments.push_back((self.at.segment, self.at.number + 1));
        SegmentHeader {
            journal: self.at.superblock.journal,
            epoch: self.at.superblock.epoch,
            segment: self.at.segment,
            first_number: self.at.number + 1,
            bytes: self.at.bytes,
            previous: self.at.hash,
            created_ns: now,
        }
    }

    /// Writes the slots of durable records.
    fn write_slots(&mut self, asked: &mut Asked, out: &mut Vec<Output>) -> Job {
        let slots = std::mem::take(&mut self.at.slots);
        let (segment, geometry) = (self.at.segment, Geometry { bytes: self.at.bytes });
        let mut writes = BTreeSet::new();
        if !slots.is_empty() {
            let first = self.at.index.saturating_sub(slots.len() as u64);
            let bytes = slots.concat().into();
            let offset = geometry.slot_offset(first);
            writes.insert(asked.ask(Effect::Write { segment, offset, bytes }, out));
        }
        Job { segment, writes, sync: None, group: None }
    }

    fn finished(&mut self, now: Ns, effect: u64, asked: &mut Asked, out: &mut Vec<Output>) -> Next {
        if self.allocating == Some(effect) {
            self.allocating = None;
            self.at.ahead.push_back((self.at.last_segment, self.segment_bytes));
            self.allocate(asked, out);
            self.begin(now, asked, out);
            if self.at.ahead.len() >= self.segments_ahead {
                self.say(Space::Ample, out);
            } else if self.job.is_some() {
                self.say(Space::Reserve, out);
            }
        } else if self.archiving.take_if(|(archiving, _)| *archiving == effect).is_some() {
            self.archive_next(asked, out);
        } else if self.snapshot.as_ref().is_some_and(|job| job.effect == effect) {
            self.snapshot_finished(asked, out);
        } else if let Some(job) = &mut self.job {
            if job.writes.remove(&effect) && job.writes.is_empty() {
                job.sync = Some(asked.ask(Effect::Sync { segment: job.segment }, out));
            } else if job.sync == Some(effect) {
                let group = self.job.take().and_then(|job| job.group);
                if let Some((number, slots)) = group {
                    self.at.durable = number;
                    self.at.slots = slots;
                    out.push(Output::Durable { number });
                }
                self.begin(now, asked, out);
            }
        }
        Next::Same
    }

    fn failed(&mut self, effect: u64, errno: Errno, out: &mut Vec<Output>) -> Next {
        if self.allocating == Some(effect) {
            self.allocating = None;
            self.at.last_segment -= 1;
            self.is_short = true;
            if self.space == Space::Ample {
                self.say(Space::Reserve, out);
            }
            return Next::Same;
        }
        if let Some(job) = self.snapshot.take_if(|job| job.effect == effect && job.copy.is_none()) {
            out.push(Output::SnapshotWritten { number: job.number, failed: Some(errno) });
            return Next::Same;
        }
        let is_superblock = self.snapshot.as_ref().is_some_and(|job| job.effect == effect);
        let is_journal = self
            .job
            .as_ref()
            .is_some_and(|job| job.writes.contains(&effect) || job.sync == Some(effect));
        if is_superblock || is_journal {
            out.push(Output::Halted(Halt::Storage(errno)));
            return Next::Stop;
        }
        if let Some((_, file)) = self.archiving.take_if(|(archiving, _)| *archiving == effect) {
            // Tried again after the next snapshot, before any later file: no hole may come to be.
            self.archive.push_front(file);
        }
        Next::Same
    }

    /// Asks for a segment if fewer are allocated than wanted.
    pub(super) fn allocate(&mut self, asked: &mut Asked, out: &mut Vec<Output>) {
        let wanted = self.at.ahead.len() < self.segments_ahead;
        if wanted && self.allocating.is_none() && !self.is_short {
            self.at.last_segment += 1;
            let (segment, bytes) = (self.at.last_segment, self.segment_bytes);
            self.allocating = Some(asked.ask(Effect::Allocate { segment, bytes }, out));
        }
    }

    fn say(&mut self, space: Space, out: &mut Vec<Output>) {
        if space != self.space {
            self.space = space;
            out.push(Output::Space(space));
        }
    }

    fn write_snapshot(
        &mut self,
        number: u64,
        bytes: Arc<[u8]>,
        asked: &mut Asked,
        out: &mut Vec<Output>,
    ) {
        let is_newer = self.at.snapshots.last().is_none_or(|last| *last < number);
        if self.snapshot.is_none() && is_newer && number <= self.at.durable {
            let effect = asked.ask(Effect::WriteSnapshot { number, bytes }, out);
            self.snapshot = Some(SnapshotJob { number, effect, copy: None });
        }
    }

    /// After the snapshot, the copies of the superblock one after the other; then the archive.
    fn snapshot_finished(&mut self, asked: &mut Asked, out: &mut Vec<Output>) {
        let Some(mut job) = self.snapshot.take() else { return };
        let copy = job.copy.map_or(0, |copy| copy + 1);
        if copy == 0 {
            self.at.superblock.update += 1;
            self.at.superblock.durable = self.at.superblock.durable.max(job.number);
        }
        if copy < COPIES {
            let bytes = self.at.superblock.to_bytes().into();
            job.effect = asked.ask(Effect::WriteSuperblock { copy, bytes }, out);
            job.copy = Some(copy);
            self.snapshot = Some(job);
            return;
        }
        self.at.snapshots.push(job.number);
        out.push(Output::SnapshotWritten { number: job.number, failed: None });
        self.archive(asked, out);
    }

    /// Archives what neither the kept snapshots nor the operator's wish needs.
    fn archive(&mut self, asked: &mut Asked, out: &mut Vec<Output>) {
        let Some(surplus) = self.at.snapshots.len().checked_sub(SNAPSHOTS_KEPT) else { return };
        self.archive.extend(self.at.snapshots.drain(..surplus).map(FileName::Snapshot));
        let oldest = self.at.snapshots.first().copied().unwrap_or(0);
        while self.at.segments.len() > self.segments_kept + 1
            && self.at.segments.get(1).is_some_and(|(_, first)| *first <= oldest.saturating_add(1))
        {
            let segment = self.at.segments.pop_front();
            self.archive.extend(segment.map(|(segment, _)| FileName::Segment(segment)));
        }
        self.archive_next(asked, out);
    }

    fn archive_next(&mut self, asked: &mut Asked, out: &mut Vec<Output>) {
        if self.archiving.is_none() {
            let file = self.archive.pop_front();
            self.archiving = file.map(|file| (asked.ask(Effect::Archive(file), out), file));
        }
    }
}
