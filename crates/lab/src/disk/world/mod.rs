//! Lives of the storage machine between crashes, and the model that judges them.
//!
//! # Rules
//! The model is the list of all appended records. After each recovery:
//! 1. what is replayed is a prefix of the list, and contains every record that was said to be
//!    durable;
//! 2. a refusal names a file that a lie has touched;
//! 3. the machine halts only after an effect that failed.
//!
//! Two losses are excused, both of them stated in `docs/storage.md`. Nothing else on the disk tells
//! them from a crash before the sync:
//! 1. A lie has touched a record of the last group, and neither its slot nor a snapshot was durable.
//! 2. One misdirected write has covered a record and its slot, and no record elsewhere says that it
//!    was durable.
//!
//! Then that record and those after it may be missing. After more than one lie only the content of
//! the prefix is judged.

mod judge;

use std::collections::BTreeMap;
use std::sync::Arc;

use surgetank_layer::machine::{Draws, Machine};
use surgetank_layer::units::Digest;
use surgetank_venue::storage::damage::Damage;
use surgetank_venue::storage::effect::{
    Append, Done, Effect, Errno, FileName, Input, Output, Space,
};
use surgetank_venue::storage::record::{BLOCK, RecordHeader, RecordKind};
use surgetank_venue::storage::segment::{Geometry, SLOTS_START};
use surgetank_venue::storage::slot::{self, SLOT_BYTES, Slot};
use surgetank_venue::storage::snapshots::Snapshot;
use surgetank_venue::storage::{Config, Mode};

use super::faults::{DiskFaults, FaultCounts};
use super::{Disk, File, Range};
use crate::seed::{Seed, Stream};

/// The interface of a storage machine, or of one with a defect around it.
pub type DiskHost = dyn Machine<Input = Input, Output = Output>;

/// Size of the segments: 12 slots, so that segments are often full.
pub const SEGMENT_BYTES: u64 = 2 * BLOCK + 2 * BLOCK + 12 * BLOCK;

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A durable record is missing after a recovery.
    Lost {
        /// Highest number that was said to be durable.
        durable: u64,
        /// Number of the last record that was recovered.
        recovered: u64,
    },
    /// A record was replayed that was not appended at this place.
    Altered {
        /// Its number.
        number: u64,
    },
    /// The machine refused an honest disk, or named other files.
    Refused(Vec<Damage>),
    /// The machine halted although no effect failed.
    Halted,
    /// The machine asks for nothing and says nothing.
    Stuck,
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Recoveries that served.
    pub recovered: u32,
    /// Starts that were refused.
    pub refused: u32,
    /// Torn tails that were cut.
    pub torn: u32,
    /// Records that were appended.
    pub records: u64,
    /// Full disks that were seen.
    pub full: u32,
    /// Snapshots that were restored.
    pub restored: u32,
    /// What the disk did wrong.
    pub faults: FaultCounts,
}

/// How a life ends.
enum End {
    Crash,
    Refused,
}

struct World {
    disk: Disk,
    faults: DiskFaults,
    draws: Stream,
    /// Hash of every record, and what was written.
    appended: Vec<(Digest, Option<RecordHeader>)>,
    durable: u64,
    /// Highest number that a durable slot, a later group or a snapshot proves.
    proved: u64,
    /// Slots that were written, by segment: the highest number.
    slots: BTreeMap<u64, u64>,
    /// Highest number of a snapshot.
    snapshot: u64,
    /// What a misdirected write has covered that reached from slots into records, and the number
    /// of the last record then.
    covered: Option<(Range, u64)>,
    is_judged: bool,
    /// Effects that are performed before this life ends; `None`: that is drawn.
    effects_left: Option<u64>,
    outcome: Outcome,
}

/// One life: what is in progress, and what recovery has said so far.
struct Life {
    machine: Box<DiskHost>,
    asked: Vec<(u64, Effect)>,
    serves: bool,
    replayed: u64,
    failed: bool,
    is_full: bool,
}

/// Runs a machine through several lives on a disk of this seed.
///
/// # Errors
/// The first rule that it breaks.
pub fn run(seed: u64, machine: &dyn Fn(Config) -> Box<DiskHost>) -> Result<Outcome, Violation> {
    crash_after(None, seed, machine)
}

/// The same; the first life ends after so many effects, if that is given.
///
/// # Errors
/// The first rule that it breaks.
pub fn crash_after(
    effects: Option<u64>,
    seed: u64,
    machine: &dyn Fn(Config) -> Box<DiskHost>,
) -> Result<Outcome, Violation> {
    let mut draws = Seed::new(seed).stream("disk", 0);
    // Half of the disks are honest; most others lie once.
    let lies = [0, 0, 0, 1, 1, 4][draws.below(6) as usize];
    let faults = DiskFaults::new(lies, draws.below(2) == 0);
    let mut world = World {
        disk: Disk::default(),
        faults,
        draws,
        appended: Vec::new(),
        durable: 0,
        proved: 0,
        slots: BTreeMap::new(),
        snapshot: 0,
        covered: None,
        is_judged: lies <= 1,
        effects_left: effects,
        outcome: Outcome::default(),
    };
    world.disk.create(File::Superblock, &[0; 4 * BLOCK as usize]);
    for _ in 0..2 + world.draws.below(5) {
        if let End::Refused = world.live(machine)? {
            break;
        }
        if world.draws.below(4) > 0 {
            world.disk.lose_power(&mut world.draws);
        }
        world.faults.decay(&mut world.disk, &mut world.draws);
    }
    world.outcome.records = world.appended.len() as u64;
    world.outcome.faults = world.faults.counts;
    Ok(world.outcome)
}

impl World {
    fn live(&mut self, machine: &dyn Fn(Config) -> Box<DiskHost>) -> Result<End, Violation> {
        let config = Config {
            segment_bytes: SEGMENT_BYTES,
            segments_ahead: 2,
            segments_kept: 1,
            replays_for_readers: self.draws.below(2) == 0,
            new_journal: *b"a journal's name",
            mode: Mode::Serve,
        };
        let mut life = Life {
            machine: machine(config),
            asked: Vec::new(),
            serves: false,
            replayed: 0,
            failed: false,
            is_full: self.faults.fail(4, &mut self.draws),
        };
        self.slots.clear();
        let mut steps = self.effects_left.map_or_else(|| self.draws.below(400), |_| u64::MAX);
        if let Some(end) = self.step(&mut life, Input::Start)? {
            return Ok(end);
        }
        while steps > 0 || (!life.serves && !life.asked.is_empty() && self.draws.below(8) > 0) {
            steps = steps.saturating_sub(1);
            if self.effects_left == Some(0) {
                break;
            }
            let is_busy = !life.asked.is_empty() && (!life.serves || self.draws.below(4) > 0);
            let input = if is_busy { self.perform(&mut life) } else { self.happen(&mut life)? };
            if let Some(end) = input.map_or(Ok(None), |input| self.step(&mut life, input))? {
                return Ok(end);
            }
        }
        self.effects_left = None;
        // What is in progress at the crash has happened in part.
        for (_, effect) in std::mem::take(&mut life.asked) {
            if self.draws.below(2) == 0 {
                _ = self.execute(&effect, true);
            }
        }
        Ok(End::Crash)
    }

    /// An effect that is performed, and what the machine hears of it.
    fn perform(&mut self, life: &mut Life) -> Option<Input> {
        let index = self.draws.below(life.asked.len() as u64) as usize;
        let (number, effect) = life.asked.swap_remove(index);
        self.effects_left = self.effects_left.map(|left| left.saturating_sub(1));
        let result = match &effect {
            Effect::Allocate { .. } if life.is_full => {
                life.is_full = self.draws.below(3) > 0;
                self.faults.counts.no_space += 1;
                Err(Errno::NoSpace)
            }
            // Once; what is then read block by block can be read.
            Effect::Read { length, .. }
                if *length > BLOCK && self.faults.fail(40, &mut self.draws) =>
            {
                self.faults.counts.failed_reads += 1;
                Err(Errno::Io)
            }
            Effect::Archive(_) if self.faults.fail(20, &mut self.draws) => Err(Errno::Io),
            Effect::Write { .. } | Effect::Sync { .. } | Effect::WriteSuperblock { .. }
                if self.faults.fail(150, &mut self.draws) =>
            {
                life.failed = true;
                self.faults.counts.failed_writes += 1;
                if let Effect::Sync { segment } = effect {
                    self.faults.counts.failed_syncs += 1;
                    self.disk.fail_sync(File::Data(FileName::Segment(segment)));
                }
                Err(Errno::Io)
            }
            Effect::WriteSnapshot { .. } if self.faults.fail(4, &mut self.draws) => {
                self.faults.counts.no_space += 1;
                Err(Errno::NoSpace)
            }
            _ => self.execute(&effect, false),
        };
        if let (Effect::Allocate { .. }, Err(_)) = (&effect, &result) {
            // While a journal is created there is nothing to go on with.
            life.failed |= !life.serves;
        }
        if let (Effect::Sync { segment }, Ok(_)) = (&effect, &result) {
            self.proved = self.proved.max(self.slots.remove(segment).unwrap_or(0));
        }
        Some(match result {
            Ok(done) => Input::Done(number, done),
            Err(errno) => Input::Failed(number, errno),
        })
    }

    fn execute(&mut self, effect: &Effect, is_cut_off: bool) -> Result<Done, Errno> {
        let segment = |segment| File::Data(FileName::Segment(segment));
        match effect {
            Effect::List => {
                let files = self.disk.files().filter_map(|(file, bytes)| match file {
                    File::Data(name) => Some((name, bytes)),
                    File::Superblock => None,
                });
                return Ok(Done::Files(files.collect()));
            }
            Effect::Allocate { segment: number, bytes } => {
                self.disk.create(segment(*number), &vec![0; *bytes as usize]);
            }
            Effect::Write { segment: number, offset, bytes } => {
                self.write(segment(*number), *offset, bytes);
            }
            Effect::Sync { segment: number } if !is_cut_off => self.disk.sync(segment(*number)),
            Effect::Read { segment: number, offset, length } => {
                return self.read(segment(*number), *offset, *length);
            }
            Effect::ReadSuperblock { copy } => {
                return self.read(File::Superblock, u64::from(*copy) * BLOCK, BLOCK);
            }
            Effect::WriteSuperblock { copy, bytes } => {
                self.write(File::Superblock, u64::from(*copy) * BLOCK, bytes);
                if !is_cut_off {
                    self.disk.sync(File::Superblock);
                }
            }
            Effect::ReadSnapshot { number } => {
                return self.read(File::Data(FileName::Snapshot(*number)), 0, u64::from(u32::MAX));
            }
            Effect::WriteSnapshot { number, bytes } => {
                self.disk.create(File::Data(FileName::Snapshot(*number)), bytes);
            }
            Effect::Archive(name) => self.disk.remove(File::Data(*name)),
            _ => {}
        }
        Ok(Done::Finished)
    }

    fn write(&mut self, file: File, offset: u64, bytes: &Arc<[u8]>) {
        let at = Range { file, from: offset, to: offset + bytes.len() as u64 };
        let to = self.faults.target(&self.disk, at, &mut self.draws);
        let records = Geometry { bytes: SEGMENT_BYTES }.records_start();
        if let Some(to) = to.filter(|to| *to != at && to.from < records && records < to.to) {
            self.covered = Some((to, self.appended.len() as u64));
        }
        self.disk.write(at, bytes, to);
    }

    fn read(&self, file: File, offset: u64, length: u64) -> Result<Done, Errno> {
        let range = Range { file, from: offset, to: offset.saturating_add(length) };
        if !self.faults.can_read(&range) {
            return Err(Errno::Io);
        }
        Ok(Done::Bytes(self.disk.read(file, offset, length)))
    }

    /// Something that the venue or its clock does.
    fn happen(&mut self, life: &mut Life) -> Result<Option<Input>, Violation> {
        if !life.serves {
            return Err(Violation::Stuck);
        }
        Ok(match self.draws.below(12) {
            0 => Some(Input::Second),
            1 | 2 => Some(Input::Idle),
            3 if self.durable > 0 => {
                let bytes = self.snapshot(self.durable).to_bytes().into();
                Some(Input::Snapshot { number: self.durable, bytes })
            }
            _ if self.appended.len() as u64 - self.durable > 8 => None,
            _ => Some(Input::Append(self.append())),
        })
    }

    fn append(&mut self) -> Append {
        let number = self.appended.len() as u64 + 1;
        let size = [8, 3000, 5000, 14_000][self.draws.below(4) as usize];
        let payload = self.draws.next_u64().to_le_bytes().repeat(size / 8);
        let hash = Digest(*blake3::hash(&payload).as_bytes());
        self.appended.push((hash, None));
        let sealed_ns = self.draws.below(1 << 40);
        let kind = if number == 1 { RecordKind::Genesis } else { RecordKind::Batch };
        let payload = payload.into();
        Append { kind, payload, hash, first_sequence: number, ordered: 1, sealed_ns }
    }

    fn snapshot(&self, number: u64) -> Snapshot {
        let hash = self.hash(number);
        Snapshot {
            journal: *b"a journal's name",
            epoch: 1,
            number,
            sequence: number,
            hash,
            genesis: self.hash(1),
            build: Digest::default(),
            state_hash: hash,
            state: number.to_le_bytes().into(),
        }
    }

    fn hash(&self, number: u64) -> Digest {
        let record = number.checked_sub(1).and_then(|index| self.appended.get(index as usize));
        record.map(|(hash, _)| *hash).unwrap_or_default()
    }

    /// A step of the machine, and of the venue's answers; `Some` at the end of the life.
    fn step(&mut self, life: &mut Life, input: Input) -> Result<Option<End>, Violation> {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let (mut out, now) = (Vec::new(), self.draws.below(1 << 40));
            life.machine.step(now, input, &mut self.draws, &mut out);
            for output in out {
                match output {
                    Output::Effect(number, effect) => {
                        self.note(&effect);
                        life.asked.push((number, effect));
                    }
                    Output::Restore(snapshot) => {
                        let holds = snapshot == self.snapshot(snapshot.number);
                        self.outcome.restored += 1;
                        life.replayed = if holds { snapshot.number } else { life.replayed };
                        inputs.push(Input::Restored(holds));
                    }
                    Output::Replay(replayed) => self.replay(life, &replayed)?,
                    Output::Claim { number, state } => {
                        let holds = state == self.hash(number);
                        inputs.push(Input::Claimed { number, holds });
                    }
                    Output::Recovered(recovered) => self.recovered(life, &recovered)?,
                    Output::Refused { damage, .. } => return self.refused(damage),
                    Output::Durable { number } => {
                        self.proved = self.durable;
                        self.durable = number;
                    }
                    Output::Space(space) => {
                        self.outcome.full += u32::from(space != Space::Ample);
                    }
                    Output::SnapshotWritten { number, failed: None } => {
                        self.snapshot = self.snapshot.max(number);
                        self.proved = self.proved.max(number);
                    }
                    Output::SnapshotWritten { .. } => {}
                    Output::Halted(_) if life.failed => return Ok(Some(End::Crash)),
                    Output::Halted(_) => return Err(Violation::Halted),
                }
            }
        }
        Ok(None)
    }

    /// Notes where records stand, and which slots are written.
    fn note(&mut self, effect: &Effect) {
        let Effect::Write { segment, offset, bytes } = effect else { return };
        let records = Geometry { bytes: SEGMENT_BYTES }.records_start();
        if (SLOTS_START..records).contains(offset) {
            for slot in bytes.chunks(SLOT_BYTES) {
                if let Slot::Whole(header) = slot::from_bytes(slot) {
                    let highest = self.slots.entry(*segment).or_default();
                    *highest = header.number.max(*highest);
                }
            }
            return;
        }
        let mut at = 0;
        while let Some(header) = bytes.get(at..).and_then(RecordHeader::from_bytes) {
            if header.offset != offset + at as u64 {
                break;
            }
            at += header.size() as usize;
            if let Some(record) = self.appended.get_mut(header.number as usize - 1) {
                record.1 = Some(header);
            }
        }
    }
}
