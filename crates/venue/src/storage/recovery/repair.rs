//! What a start writes, once it is known that nothing refuses.
//!
//! In this order: slots and header copies of durable records; zeros over a torn tail; the records
//! that are whole but not proved durable, again; a sync of each segment concerned; the superblock
//! with the next writer's number. A crash in between leaves what the next start repairs alike.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use surgetank_layer::units::Digest;

use super::super::writer::Writer;
use super::*;
use crate::storage::slot;

/// Zeros are written in pieces of this size.
const PIECE_BYTES: u64 = 1 << 20;

impl Recovery {
    /// Plans the repair of what was found in a segment.
    pub(super) fn plan(&mut self, walk: Walk, segment: Segment<'_>) {
        let number = segment.number;
        let Some(header) = &walk.header else {
            // Not begun, or torn while it was begun: all of it becomes zero again.
            if walk.end.written_to > 0 && walk.damage.is_empty() {
                self.torn(number, 0, self.chain.number);
                self.zero(number, 0, walk.end.written_to);
            }
            return;
        };
        let geometry = Geometry { bytes: header.bytes };
        let kept = walk.records.iter().filter(|record| !record.durable);
        let mut kept: Vec<_> = kept.map(|record| record.header.clone()).collect();
        // Both copies, unless a durable record says that they were synced with it: what is read may
        // stand in the system's cache only, since a sync of an earlier process has failed.
        let is_synced = kept.is_empty() && !walk.records.is_empty();
        let copies = if is_synced { walk.bad_copies } else { vec![0, 1] };
        for copy in copies {
            let offset = u64::from(copy) * BLOCK;
            self.write(number, offset, header.to_bytes().into());
        }
        for (record, index) in walk.records.iter().zip(0..) {
            if record.durable && !record.has_slot {
                let bytes = slot::to_bytes(&record.header);
                self.write(number, geometry.slot_offset(index), bytes.into());
            }
        }
        if let (Some(first), Some(last)) = (kept.first().cloned(), kept.last_mut()) {
            let (from, to) = (first.offset, walk.end.offset);
            let mut bytes = segment.from(from).to_vec();
            bytes.truncate((to - from) as usize);
            // A group of which the end was torn ends here: what follows is another group.
            last.ends_group = true;
            let at = (last.offset - from) as usize;
            bytes[at..at + HEADER_BYTES].copy_from_slice(&last.to_bytes());
            self.write(number, from, bytes.into());
        }
        let torn = segment.headers_here(&self.bounds.journal, walk.end.offset);
        self.tail = Tail {
            segment: number,
            bytes: header.bytes.min(segment.bytes.len() as u64),
            end: walk.end,
            torn_last: torn.max().unwrap_or(0),
            slots: kept.iter().map(slot::to_bytes).collect(),
            begun: true,
        };
    }

    fn torn(&mut self, segment: u64, offset: u64, last: u64) {
        let place = Place::File(FileName::Segment(segment));
        let first = self.chain.number.saturating_add(1);
        let (kind, last) = (DamageKind::TornTail, last.max(first));
        self.damage.push(Damage { kind, place, offset, first, last });
    }

    fn write(&mut self, segment: u64, offset: u64, bytes: Arc<[u8]>) {
        self.repairs.push_back(Effect::Write { segment, offset, bytes });
    }

    fn zero(&mut self, segment: u64, from: u64, to: u64) {
        for offset in (from..to).step_by(PIECE_BYTES as usize) {
            let bytes = vec![0; PIECE_BYTES.min(to - offset) as usize];
            self.write(segment, offset, bytes.into());
        }
    }

    /// Begins the repair, or ends the check.
    pub(super) fn repair(&mut self, host: &mut Host<'_>) -> Next {
        let Tail { segment, end, torn_last, .. } = self.tail;
        if end.written_to > end.offset {
            self.torn(segment, end.offset, torn_last);
            self.zero(segment, end.offset, end.written_to);
        }
        if host.config.mode == Mode::Check {
            self.repairs.clear();
            return self.conclude(host);
        }
        let touched: BTreeSet<u64> = self.repairs.iter().filter_map(written).collect();
        self.repairs.extend(touched.into_iter().map(|segment| Effect::Sync { segment }));
        if let Some(superblock) = &mut self.superblock {
            superblock.update += 1;
            // All that is kept is synced before.
            superblock.durable = self.bounds.durable.max(self.chain.number);
            superblock.term += u32::from(host.config.mode == Mode::Serve);
            self.repairs.extend(writes(superblock, &self.copies));
        }
        self.next_repair(host)
    }

    /// Begins a journal: superblock, first segments, and the superblock that says that they exist.
    pub(super) fn create(&mut self, superblock: Superblock, host: &mut Host<'_>) -> Next {
        let mut superblock = Superblock { update: superblock.update + 1, ..superblock };
        self.repairs.extend(writes(&superblock, &self.copies));
        let bytes = host.config.segment_bytes;
        for segment in 1..=host.config.segments_ahead.max(1) as u64 {
            if self.segments.iter().all(|(exists, _)| *exists != segment) {
                self.repairs.push_back(Effect::Allocate { segment, bytes });
                self.segments.push((segment, bytes));
            }
        }
        self.segments.sort_unstable();
        superblock.update += 1;
        superblock.begun = true;
        superblock.term += 1;
        self.repairs.extend(writes(&superblock, &self.copies));
        self.superblock = Some(superblock);
        self.next_repair(host)
    }

    fn next_repair(&mut self, host: &mut Host<'_>) -> Next {
        self.stage = Stage::Repair;
        match self.repairs.pop_front() {
            Some(effect) => self.ask(effect, host),
            None => self.conclude(host),
        }
    }

    pub(super) fn repaired(&mut self, result: Result<Done, Errno>, host: &mut Host<'_>) -> Next {
        match result {
            Ok(_) => self.next_repair(host),
            Err(errno) => host.halt(errno),
        }
    }

    fn conclude(&mut self, host: &mut Host<'_>) -> Next {
        let Some(superblock) = self.superblock.take() else { return Next::Stop };
        let (number, hash) = (self.chain.number, self.chain.hash.unwrap_or_default());
        let damaged: Vec<Place> = self.damage.iter().map(|damage| damage.place).collect();
        let bad = |number: &u64| damaged.contains(&Place::File(FileName::Snapshot(*number)));
        self.snapshots.retain(|number| !bad(number));
        host.out.extend(std::mem::take(&mut self.kept).into_iter().map(Output::Replay));
        host.out.push(Output::Recovered(Recovered {
            journal: superblock.journal,
            number,
            hash,
            epoch: superblock.epoch,
            term: superblock.term,
            files: self.files.clone(),
            damage: std::mem::take(&mut self.damage),
        }));
        if host.config.mode != Mode::Serve {
            return Next::Stop;
        }
        let position = self.position(superblock, number, hash);
        let mut writer = Writer::new(position, host.config);
        writer.allocate(host.asked, host.out);
        Next::Run(Box::new(writer))
    }

    /// Where the writer goes on.
    fn position(&mut self, superblock: Superblock, number: u64, hash: Digest) -> Position {
        let segments = self.files.iter().filter_map(|report| match report.file {
            FileName::Segment(segment) if segment <= self.tail.segment => {
                Some((segment, report.first))
            }
            _ => None,
        });
        let segments = segments.collect();
        let tail = std::mem::take(&mut self.tail);
        let unused = self.segments.iter().filter(|(segment, _)| *segment > tail.segment);
        let mut ahead: VecDeque<(u64, u64)> = unused.copied().collect();
        let last_segment = self.segments.last().map_or(0, |(segment, _)| *segment);
        let (segment, bytes, offset, index) = if tail.begun {
            (tail.segment, tail.bytes, tail.end.offset, tail.end.index)
        } else {
            let (segment, bytes) = ahead.pop_front().unwrap_or_default();
            (segment, bytes, Geometry { bytes }.records_start(), 0)
        };
        let is_begun = tail.begun;
        let (slots, snapshots) = (tail.slots, std::mem::take(&mut self.snapshots));
        Position {
            superblock,
            number,
            hash,
            durable: number,
            segment,
            bytes,
            offset,
            index,
            is_begun,
            slots,
            segments,
            ahead,
            last_segment,
            snapshots,
        }
    }
}

/// The segment into which an effect writes.
fn written(effect: &Effect) -> Option<u64> {
    match effect {
        Effect::Write { segment, .. } => Some(*segment),
        _ => None,
    }
}

/// The effects that write all copies of the superblock: first those that do not agree now. Else a
/// crash during a write could tear the one pair that still agrees.
fn writes(superblock: &Superblock, copies: &[Option<Superblock>]) -> Vec<Effect> {
    let bytes: Arc<[u8]> = superblock.to_bytes().into();
    let agreed = agreed(copies);
    let mut order: Vec<u8> = (0..COPIES).collect();
    order.sort_by_key(|copy| agreed.is_some() && copies.get(usize::from(*copy)) == Some(&agreed));
    let write = |copy| Effect::WriteSuperblock { copy, bytes: bytes.clone() };
    order.into_iter().map(write).collect()
}
