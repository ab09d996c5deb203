//! What a disk does wrong besides losing what was not synced.

use surgetank_layer::machine::Draws;

use surgetank_venue::storage::effect::FileName;
use surgetank_venue::storage::segment::Geometry;

use super::{Disk, File, Range, SECTOR, world};

/// The faults of one run. A disk lies when it reports success, or keeps silent: a write is lost or
/// made at another place, a bit flips at rest, a block becomes unreadable.
#[derive(Clone, Debug, Default)]
pub struct DiskFaults {
    /// Lies that are still to come.
    pub lies_left: u32,
    /// Places that a lie has touched.
    pub touched: Vec<Range>,
    /// Blocks that cannot be read.
    unreadable: Vec<Range>,
    /// Whether syncs, writes and allocations fail at times, and say so.
    pub fails: bool,
    /// What was done so far.
    pub counts: FaultCounts,
}

/// Faults, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultCounts {
    /// Writes that were reported and not made.
    pub lost: u64,
    /// Writes made at another place.
    pub misdirected: u64,
    /// Bits that flipped in headers and slots of segments.
    pub flipped_slots: u64,
    /// Bits that flipped in records, or in room for them.
    pub flipped_records: u64,
    /// Bits that flipped in snapshots.
    pub flipped_snapshots: u64,
    /// Bits that flipped in the superblock.
    pub flipped_superblocks: u64,
    /// Blocks that became unreadable.
    pub unreadable: u64,
    /// Reads of segments that failed once.
    pub failed_reads: u64,
    /// Writes and syncs that failed.
    pub failed_writes: u64,
    /// Of these, syncs.
    pub failed_syncs: u64,
    /// Segments and snapshots that found no space.
    pub no_space: u64,
}

impl FaultCounts {
    /// All counts, with their names.
    pub fn named(self) -> [(&'static str, u64); 11] {
        [
            ("lost", self.lost),
            ("misdirected", self.misdirected),
            ("flipped_slots", self.flipped_slots),
            ("flipped_records", self.flipped_records),
            ("flipped_snapshots", self.flipped_snapshots),
            ("flipped_superblocks", self.flipped_superblocks),
            ("unreadable", self.unreadable),
            ("failed_reads", self.failed_reads),
            ("failed_writes", self.failed_writes),
            ("failed_syncs", self.failed_syncs),
            ("no_space", self.no_space),
        ]
    }

    /// Adds those of another run.
    pub fn add(&mut self, other: FaultCounts) {
        self.lost += other.lost;
        self.misdirected += other.misdirected;
        self.flipped_slots += other.flipped_slots;
        self.flipped_records += other.flipped_records;
        self.flipped_snapshots += other.flipped_snapshots;
        self.flipped_superblocks += other.flipped_superblocks;
        self.unreadable += other.unreadable;
        self.failed_reads += other.failed_reads;
        self.failed_writes += other.failed_writes;
        self.failed_syncs += other.failed_syncs;
        self.no_space += other.no_space;
    }

    fn flipped(&mut self, place: Range, records: u64) {
        match place.file {
            File::Superblock => self.flipped_superblocks += 1,
            File::Data(FileName::Snapshot(_)) => self.flipped_snapshots += 1,
            File::Data(FileName::Segment(_)) if place.from < records => self.flipped_slots += 1,
            File::Data(FileName::Segment(_)) => self.flipped_records += 1,
        }
    }
}

impl DiskFaults {
    /// A disk that lies this many times, and may also fail openly.
    pub fn new(lies: u32, fails: bool) -> DiskFaults {
        DiskFaults { lies_left: lies, fails, ..DiskFaults::default() }
    }

    /// Whether something that happens once in `n` times happens now.
    fn now(&mut self, n: u64, draws: &mut dyn Draws) -> bool {
        self.lies_left > 0 && draws.below(n) == 0
    }

    /// Where a write really goes.
    pub fn target(&mut self, disk: &Disk, at: Range, draws: &mut dyn Draws) -> Option<Range> {
        if !self.now(40, draws) {
            return Some(at);
        }
        self.lies_left -= 1;
        self.touched.push(at);
        if draws.below(2) == 0 {
            self.counts.lost += 1;
            return None;
        }
        let to = Range { to: 0, ..self.place(disk, draws)? };
        let to = Range { to: to.from + (at.to - at.from), ..to };
        self.touched.push(to);
        self.counts.misdirected += 1;
        Some(to)
    }

    /// A sector of some file.
    fn place(&self, disk: &Disk, draws: &mut dyn Draws) -> Option<Range> {
        let files: Vec<(File, u64)> = disk.files().filter(|(_, bytes)| *bytes > 0).collect();
        let any = *files.get(draws.below(files.len().max(1) as u64) as usize)?;
        // Often in the segment that is being written, or near the beginning: more stands there.
        let (file, bytes) = match draws.below(2) {
            0 => disk.last_written().unwrap_or(any),
            _ => any,
        };
        let reach = if draws.below(3) > 0 { bytes } else { bytes.min(32 * SECTOR as u64) };
        let from = draws.below(reach.div_ceil(SECTOR as u64)) * SECTOR as u64;
        Some(Range { file, from, to: (from + SECTOR as u64).min(bytes) })
    }

    /// Decay at rest: a bit flips, or a block becomes unreadable.
    pub fn decay(&mut self, disk: &mut Disk, draws: &mut dyn Draws) {
        if !self.now(3, draws) {
            return;
        }
        let Some(place) = self.place(disk, draws) else { return };
        self.lies_left -= 1;
        if draws.below(3) == 0 {
            let from = place.from / 4096 * 4096;
            let block = Range { from, to: from + 4096, ..place };
            self.touched.push(block);
            self.unreadable.push(block);
            self.counts.unreadable += 1;
        } else {
            let offset = place.from + draws.below(place.to - place.from);
            self.touched.push(Range { from: offset, to: offset + 1, ..place });
            let geometry = Geometry { bytes: world::SEGMENT_BYTES };
            self.counts.flipped(place, geometry.records_start());
            disk.flip(place.file, offset, draws.below(8) as u32);
        }
    }

    /// Whether these bytes can be read.
    pub fn can_read(&self, range: &Range) -> bool {
        !self.unreadable.iter().any(|block| block.overlaps(range))
    }

    /// Whether an effect fails now, and says so.
    pub fn fail(&self, once_in: u64, draws: &mut dyn Draws) -> bool {
        self.fails && draws.below(once_in) == 0
    }
}
