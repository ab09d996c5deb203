//! Recovery: from an unknown data directory to a whole journal, or to a refusal.
//!
//! # Theory of operation
//! One effect at a time, in this order: the superblock and the list of files; the newest whole
//! snapshot or the one before it, which the venue restores; the last segment that proves anything, for the highest
//! number D that was durable; then every segment from the first, with a verdict per record
//! ([`super::table`]). D must be known before the first verdict, because a bad record is a torn
//! tail above D and damage up to D. Only then, if nothing refuses, [`repair`] writes.

mod reading;
mod repair;
mod restoring;

use std::collections::{BTreeMap, VecDeque};

use surgetank_layer::units::{Digest, Ns};

use super::damage::{Damage, DamageKind, FileReport, Place};
use super::effect::{
    Append, Done, Effect, Errno, FileName, Halt, Input, Output, Recovered, Replayed,
};
use super::record::{BLOCK, HEADER_BYTES};
use super::segment::Geometry;
use super::slot::SLOT_BYTES;
use super::snapshots::Snapshot;
use super::superblock::{COPIES, Superblock, agreed};
use super::table::{Bounds, Chain};
use super::walk::{End, Record, Segment, Walk, walk};
use super::writer::Position;
use super::{Asked, Config, Mode, Next};
use reading::Reading;

/// The machine of a start.
#[derive(Debug)]
pub struct Recovery {
    stage: Stage,
    /// Number of the effect whose result is awaited.
    awaited: u64,
    copies: Vec<Option<Superblock>>,
    superblock: Option<Superblock>,
    /// Segments with their sizes, ascending.
    segments: Vec<(u64, u64)>,
    /// Snapshots, ascending.
    snapshots: Vec<u64>,
    /// The restored snapshot's number and its record's hash.
    restored: Option<(u64, Digest)>,
    /// The newest whole snapshot and its index, while an older one is tried.
    passed: Option<(Box<Snapshot>, usize)>,
    /// States that snapshots claim which were not restored.
    claims: BTreeMap<u64, Digest>,
    claims_open: usize,
    bounds: Bounds,
    chain: Chain,
    files: Vec<FileReport>,
    damage: Vec<Damage>,
    tail: Tail,
    /// Effects of the repair that are still to be asked for.
    repairs: VecDeque<Effect>,
    /// Records to hand over after the repair.
    kept: Vec<Replayed>,
}

/// The last segment with a record or a header.
#[derive(Debug, Default)]
struct Tail {
    segment: u64,
    bytes: u64,
    end: End,
    /// The highest number whose header stands behind the end; 0 if none does.
    torn_last: u64,
    /// Slots of its last records, to be written after the repair.
    slots: Vec<[u8; SLOT_BYTES]>,
    /// Whether there is such a segment.
    begun: bool,
}

#[derive(Debug)]
enum Stage {
    Superblock,
    List,
    Snapshot(usize),
    Restoring(Box<Snapshot>, usize),
    Survey(usize, Reading),
    Walk(usize, Reading),
    Claims,
    Repair,
}

impl Recovery {
    pub(super) fn new(config: &Config) -> Recovery {
        let (epoch, epoch_first, term, durable) = (0, 0, 0, 0);
        let journal = config.new_journal;
        Recovery {
            stage: Stage::Superblock,
            awaited: 0,
            copies: Vec::new(),
            superblock: None,
            segments: Vec::new(),
            snapshots: Vec::new(),
            restored: None,
            passed: None,
            claims: BTreeMap::new(),
            claims_open: 0,
            bounds: Bounds { journal, epoch, epoch_first, term, durable, kept: durable },
            chain: Chain::default(),
            files: Vec::new(),
            damage: Vec::new(),
            tail: Tail::default(),
            repairs: VecDeque::new(),
            kept: Vec::new(),
        }
    }

    pub(super) fn step(
        &mut self,
        now: Ns,
        input: Input,
        config: &Config,
        asked: &mut Asked,
        out: &mut Vec<Output>,
    ) -> Next {
        let mut host = Host { now, config, asked, out };
        match input {
            Input::Start => self.ask(Effect::ReadSuperblock { copy: 0 }, &mut host),
            Input::Done(effect, done) if effect == self.awaited => self.take(Ok(done), &mut host),
            Input::Failed(effect, errno) if effect == self.awaited => {
                self.take(Err(errno), &mut host)
            }
            Input::Restored(holds) => self.restored(holds, &mut host),
            Input::Claimed { number, holds } => self.claimed(number, holds, &mut host),
            _ => Next::Same,
        }
    }

    fn ask(&mut self, effect: Effect, host: &mut Host<'_>) -> Next {
        self.awaited = host.asked.ask(effect, host.out);
        Next::Same
    }

    fn take(&mut self, result: Result<Done, Errno>, host: &mut Host<'_>) -> Next {
        // Whatever is awaited, a result counts once.
        self.awaited = 0;
        match std::mem::replace(&mut self.stage, Stage::Claims) {
            Stage::Superblock => self.superblock(result, host),
            Stage::List => self.list(result, host),
            Stage::Snapshot(index) => self.snapshot(index, result, host),
            Stage::Survey(index, mut reading) => match reading.take(result) {
                None => {
                    let effect = reading.effect();
                    self.stage = Stage::Survey(index, reading);
                    self.ask(effect, host)
                }
                Some(bytes) => {
                    let segment = Segment { number: reading.segment, bytes: &bytes };
                    let proved = segment.proved(&self.bounds.journal);
                    self.bounds.durable = self.bounds.durable.max(proved.durable);
                    if proved.is_begun { self.walk_from(0, host) } else { self.survey(index, host) }
                }
            },
            Stage::Walk(index, mut reading) => match reading.take(result) {
                None => {
                    let effect = reading.effect();
                    self.stage = Stage::Walk(index, reading);
                    self.ask(effect, host)
                }
                Some(bytes) => self.walked(index, &bytes, host),
            },
            Stage::Repair => self.repaired(result, host),
            stage @ (Stage::Restoring(..) | Stage::Claims) => {
                self.stage = stage;
                Next::Same
            }
        }
    }

    fn superblock(&mut self, result: Result<Done, Errno>, host: &mut Host<'_>) -> Next {
        let copy = match result {
            Ok(Done::Bytes(bytes)) => Superblock::from_bytes(&bytes),
            _ => None,
        };
        self.copies.push(copy);
        let copy = self.copies.len() as u8;
        if copy < COPIES {
            self.stage = Stage::Superblock;
            return self.ask(Effect::ReadSuperblock { copy }, host);
        }
        self.stage = Stage::List;
        self.ask(Effect::List, host)
    }

    fn list(&mut self, result: Result<Done, Errno>, host: &mut Host<'_>) -> Next {
        let files = match result {
            Ok(Done::Files(files)) => files,
            Ok(_) => Vec::new(),
            Err(errno) => return host.halt(errno),
        };
        for (file, bytes) in files {
            match file {
                FileName::Segment(segment) => self.segments.push((segment, bytes)),
                FileName::Snapshot(number) => self.snapshots.push(number),
            }
        }
        self.segments.sort_unstable();
        self.segments.dedup_by_key(|(segment, _)| *segment);
        self.snapshots.sort_unstable();
        self.superblock = agreed(&self.copies);
        let is_empty = self.segments.is_empty() && self.snapshots.is_empty();
        let Some(superblock) = self.superblock.clone() else {
            let is_begun = self.copies.iter().flatten().any(|copy| copy.begun);
            if is_empty && !is_begun && host.config.mode == Mode::Serve {
                return self.create(Superblock::new(host.config.new_journal, host.now), host);
            }
            self.note(DamageKind::Superblock, Place::Superblock, 0);
            return self.finish(host);
        };
        for copy in 0..COPIES {
            if self.copies.get(usize::from(copy)).is_none_or(Option::is_none) {
                let offset = u64::from(copy) * BLOCK;
                self.note(DamageKind::SuperblockCopy, Place::Superblock, offset);
            }
        }
        let Superblock { journal, epoch, epoch_first, term, durable, begun, .. } = superblock;
        self.bounds = Bounds { journal, epoch, epoch_first, term, durable, kept: durable };
        if !begun && is_empty && host.config.mode == Mode::Serve {
            return self.create(superblock, host);
        }
        if begun && self.segments.is_empty() {
            self.note(DamageKind::Missing, Place::File(FileName::Segment(1)), 0);
        }
        for (segment, bytes) in self.segments.clone() {
            // A file gets its name when it has its size.
            if (Geometry { bytes }).records_start() >= bytes {
                self.note(DamageKind::Missing, Place::File(FileName::Segment(segment)), bytes);
            }
        }
        self.next_snapshot(self.snapshots.len(), host)
    }

    fn note(&mut self, kind: DamageKind, place: Place, offset: u64) {
        self.damage.push(Damage { kind, place, offset, first: 0, last: 0 });
    }

    fn claimed(&mut self, number: u64, holds: bool, host: &mut Host<'_>) -> Next {
        if !holds {
            let place = Place::File(FileName::Snapshot(number));
            let kind = DamageKind::OtherExecution;
            self.damage.push(Damage { kind, place, offset: 0, first: number, last: number });
        }
        self.claims_open = self.claims_open.saturating_sub(1);
        match self.stage {
            Stage::Claims if self.claims_open == 0 => self.finish(host),
            _ => Next::Same,
        }
    }

    /// Reads the segment before `index`: does anything of it stand in it? All of it is read, since
    /// a header that has become zero says nothing about what is behind it.
    fn survey(&mut self, index: usize, host: &mut Host<'_>) -> Next {
        let Some(index) = index.checked_sub(1) else { return self.walk_from(0, host) };
        let (segment, bytes) = self.segments[index];
        let reading = Reading::new(segment, bytes);
        let effect = reading.effect();
        self.stage = Stage::Survey(index, reading);
        self.ask(effect, host)
    }

    fn walk_from(&mut self, index: usize, host: &mut Host<'_>) -> Next {
        let Some((segment, bytes)) = self.segments.get(index).copied() else {
            self.stage = Stage::Claims;
            return if self.claims_open == 0 { self.finish(host) } else { Next::Same };
        };
        if index > 0 && self.segments[index - 1].0 + 1 < segment {
            let missing = FileName::Segment(self.segments[index - 1].0 + 1);
            self.note(DamageKind::Missing, Place::File(missing), 0);
        }
        let reading = Reading::new(segment, bytes);
        let effect = reading.effect();
        self.stage = Stage::Walk(index, reading);
        self.ask(effect, host)
    }

    fn walked(&mut self, index: usize, bytes: &[u8], host: &mut Host<'_>) -> Next {
        let (number, _) = self.segments[index];
        let segment = Segment { number, bytes };
        let restored = self.restored.map_or(0, |(number, _)| number);
        let is_first = self.chain.hash.is_none();
        let next = self.chain.number.saturating_add(1);
        let walk = walk(&mut self.bounds, &mut self.chain, segment);
        let is_known = self.tail.segment.saturating_add(1) == number;
        if let Some((first, last)) = walk.gap
            && !self.lacks_header(first, last)
        {
            let Tail { segment, end, .. } = self.tail;
            let (kind, segment, offset) = match (is_known, end.is_zero) {
                (false, _) => (DamageKind::Lost, segment.saturating_add(1), 0),
                (true, true) => (DamageKind::Lost, segment, end.offset),
                (true, false) => (DamageKind::Rotten, segment, end.offset),
            };
            let place = Place::File(FileName::Segment(segment));
            self.damage.push(Damage { kind, place, offset, first, last });
        }
        let first = walk.header.as_ref().map_or(next, |header| header.first_number);
        if is_first
            && walk.header.is_some()
            && first > restored.saturating_add(1)
            && !self.lacks_header(restored + 1, first - 1)
        {
            let place = Place::File(FileName::Segment(number.saturating_sub(1)));
            let (kind, first, last) = (DamageKind::Missing, restored + 1, first - 1);
            self.damage.push(Damage { kind, place, offset: 0, first, last });
        }
        let records = walk.records.len() as u64;
        self.files.push(FileReport { file: FileName::Segment(number), first, records });
        let is_whole_so_far = !self.refuses();
        self.damage.extend(&walk.damage);
        if is_whole_so_far {
            self.hand_over(&walk.records, segment, host);
        }
        self.plan(walk, segment);
        self.walk_from(index + 1, host)
    }

    /// Hands over records after the restored snapshot; those not proved durable are kept back.
    fn hand_over(&mut self, records: &[Record], segment: Segment<'_>, host: &mut Host<'_>) {
        for record in records {
            let header = &record.header;
            if let Some((number, hash)) = self.restored
                && header.number <= number
            {
                if header.number == number && header.hash != hash {
                    let place = Place::File(FileName::Snapshot(number));
                    let kind = DamageKind::Altered;
                    self.damage.push(Damage {
                        kind,
                        place,
                        offset: 0,
                        first: number,
                        last: number,
                    });
                }
                continue;
            }
            if host.config.mode != Mode::Serve {
                continue;
            }
            let bytes = segment.from(header.offset.saturating_add(HEADER_BYTES as u64));
            let append = Append {
                kind: header.kind,
                payload: bytes.get(..header.length as usize).unwrap_or(&[]).into(),
                hash: header.hash,
                first_sequence: header.first_sequence,
                ordered: header.ordered,
                sealed_ns: header.sealed_ns,
            };
            let replayed = Replayed { number: header.number, append };
            if record.durable {
                // Of a segment before this one, which proves them.
                host.out.extend(self.kept.drain(..).map(Output::Replay));
                host.out.push(Output::Replay(replayed));
                if let Some(state) = self.claims.remove(&header.number) {
                    self.claims_open += 1;
                    host.out.push(Output::Claim { number: header.number, state });
                }
            } else {
                self.kept.push(replayed);
            }
        }
    }

    /// Whether a segment that seemed torn when it was begun stands where these durable records are
    /// missing: then it was whole once, and its header is damaged.
    fn lacks_header(&mut self, first: u64, last: u64) -> bool {
        let (kind, mut found) = (DamageKind::Header, false);
        for damage in &mut self.damage {
            if damage.kind == DamageKind::TornTail && damage.offset == 0 {
                *damage = Damage { kind, first, last, ..*damage };
                found = true;
            }
        }
        found
    }

    fn refuses(&self) -> bool {
        self.damage.iter().any(|damage| damage.kind.refuses())
    }

    /// Decides: refuse, or repair and go on.
    fn finish(&mut self, host: &mut Host<'_>) -> Next {
        let (first, last) = (self.chain.number.saturating_add(1), self.bounds.durable);
        if first <= last && self.superblock.is_some() {
            // Without a later header it is not certain in which of the two the records were.
            self.lacks_header(first, last);
            let Tail { segment, bytes, end, .. } = self.tail;
            let (kind, segment, offset) = match (end.is_zero, end.offset < bytes) {
                (_, false) => (DamageKind::Missing, segment + 1, 0),
                (true, _) => (DamageKind::Lost, segment, end.offset),
                (false, _) => (DamageKind::Rotten, segment, end.offset),
            };
            let place = Place::File(FileName::Segment(segment));
            self.damage.push(Damage { kind, place, offset, first, last });
        }
        if let Some((first, _)) = self.segments.first().filter(|(first, _)| *first > 1)
            && !self.tail.begun
        {
            // The segment that was written last is never archived.
            self.note(DamageKind::Missing, Place::File(FileName::Segment(first - 1)), 0);
        }
        let unbegun = self.superblock.clone().filter(|superblock| !superblock.begun);
        if unbegun.is_some() && (self.tail.begun || !self.snapshots.is_empty()) {
            // It is another folder's, or of a time before all that stands here.
            self.note(DamageKind::Superblock, Place::Superblock, 0);
        }
        if self.refuses() {
            let files = std::mem::take(&mut self.files);
            let damage = std::mem::take(&mut self.damage);
            host.out.push(Output::Refused { files, damage });
            return Next::Stop;
        }
        match unbegun {
            Some(superblock) if host.config.mode == Mode::Serve => self.create(superblock, host),
            _ => self.repair(host),
        }
    }
}

/// The host's side of a step.
struct Host<'a> {
    now: Ns,
    config: &'a Config,
    asked: &'a mut Asked,
    out: &'a mut Vec<Output>,
}

impl Host<'_> {
    fn halt(&mut self, errno: Errno) -> Next {
        self.out.push(Output::Halted(Halt::Storage(errno)));
        Next::Stop
    }
}
