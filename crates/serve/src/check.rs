//! A data directory without a venue: what a start would find in it, and the repair that a start
//! would make. The machine is the same storage as a venue's; effects are performed one by one.

use std::fs;
use std::io;
use std::path::Path;

use surgetank_layer::machine::{Draws, Machine};
use surgetank_venue::storage::damage::{Damage, FileReport};
use surgetank_venue::storage::effect::{Effect, Errno, Halt, Input, Output};
use surgetank_venue::storage::{Config, Mode, Storage};

use crate::clock::Clock;
use crate::files::{Files, Lock};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Number of the last record with which a venue would start; `None`: it would refuse.
    pub record: Option<u64>,
    /// Every segment that was read, and every snapshot that is whole.
    pub files: Vec<FileReport>,
    /// Every damage. One that is minor was repaired, if that was asked for.
    pub damage: Vec<Damage>,
}

/// Why nothing was checked.
#[derive(Debug)]
pub enum NotChecked {
    /// The directory has no journal of a venue.
    NoVenue,
    /// A process has the directory: its number, if it can be read.
    Locked(Option<u32>),
    /// The directory cannot be used.
    System(io::Error),
    /// An effect has failed. What a failed repair has left, the next one repairs.
    Failed(Errno),
}

/// Reads a data directory, and changes nothing.
///
/// # Errors
/// [`NotChecked`].
pub fn check(directory: &Path) -> Result<Checked, NotChecked> {
    if !exists(directory)? {
        return Err(NotChecked::NoVenue);
    }
    let _lock = Lock::look(directory).map_err(|error| locked(directory, error))?;
    run(directory, Mode::Check)
}

/// Repairs what a start would repair. Where a start would refuse, nothing is changed.
///
/// # Errors
/// [`NotChecked`].
pub fn repair(directory: &Path) -> Result<Checked, NotChecked> {
    if !exists(directory)? {
        return Err(NotChecked::NoVenue);
    }
    let _lock = Lock::take(directory).map_err(|error| locked(directory, error))?;
    run(directory, Mode::Repair)
}

fn exists(directory: &Path) -> Result<bool, NotChecked> {
    // Either may be what is missing; the machine says so.
    let exists = |name| directory.join(name).try_exists();
    let has_segments = match fs::read_dir(directory.join("journal")) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => false,
    };
    Ok(has_segments || exists("venue").map_err(NotChecked::System)?)
}

fn locked(directory: &Path, error: io::Error) -> NotChecked {
    if error.kind() != io::ErrorKind::WouldBlock {
        return NotChecked::System(error);
    }
    let process = fs::read_to_string(directory.join("lock")).ok();
    NotChecked::Locked(process.and_then(|text| text.trim().parse().ok()))
}

fn run(directory: &Path, mode: Mode) -> Result<Checked, NotChecked> {
    let config = Config {
        segment_bytes: 0,
        segments_ahead: 0,
        segments_kept: 0,
        replays_for_readers: false,
        new_journal: [0; 16],
        mode,
    };
    let (mut machine, mut files) = (Storage::new(config), Files::new(directory));
    let (clock, mut inputs) = (Clock::start(), vec![Input::Start]);
    while let Some(input) = inputs.pop() {
        let mut out = Vec::new();
        machine.step(clock.now(), input, &mut NoDraws, &mut out);
        for output in out {
            match output {
                Output::Effect(number, effect) => {
                    let result = match mode {
                        Mode::Check if !reads(&effect) => Err(Errno::ReadOnly),
                        _ => files.perform(&effect),
                    };
                    inputs.push(match result {
                        Ok(done) => Input::Done(number, done),
                        Err(errno) => Input::Failed(number, errno),
                    });
                }
                Output::Recovered(recovered) => {
                    let (files, damage) = (recovered.files, recovered.damage);
                    return Ok(Checked { record: Some(recovered.number), files, damage });
                }
                Output::Refused { files, damage } => {
                    return Ok(Checked { record: None, files, damage });
                }
                Output::Halted(Halt::Storage(errno)) => return Err(NotChecked::Failed(errno)),
                _ => {}
            }
        }
    }
    Err(NotChecked::Failed(Errno::Other(0)))
}

fn reads(effect: &Effect) -> bool {
    use Effect::{List, Read, ReadSnapshot, ReadSuperblock};
    matches!(effect, List | Read { .. } | ReadSnapshot { .. } | ReadSuperblock { .. })
}

/// The storage draws nothing.
struct NoDraws;

impl Draws for NoDraws {
    fn next_u64(&mut self) -> u64 {
        0
    }
}
