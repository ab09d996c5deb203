//! What a disk does wrong besides losing what was not synced.

use surgetank_layer::machine::Draws;

use super::{Disk, File, Range, SECTOR};

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
            return None;
        }
        let to = Range { to: 0, ..self.place(disk, draws)? };
        let to = Range { to: to.from + (at.to - at.from), ..to };
        self.touched.push(to);
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
        } else {
            let offset = place.from + draws.below(place.to - place.from);
            self.touched.push(Range { from: offset, to: offset + 1, ..place });
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
