//! A host of the storage machine that keeps files in memory and performs every effect at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use surgetank_layer::machine::{Draws, Machine};
use surgetank_layer::units::Digest;
use surgetank_venue::storage::damage::Damage;
use surgetank_venue::storage::effect::{
    Append, Done, Effect, Errno, FileName, Input, Output, Recovered,
};
use surgetank_venue::storage::record::{BLOCK, RecordKind};
use surgetank_venue::storage::snapshots::Snapshot;
use surgetank_venue::storage::{Config, Mode, Storage};

/// Size of the segments: 12 slots.
pub const SEGMENT_BYTES: u64 = 16 * BLOCK;
/// Identifier of the journal.
pub const JOURNAL: [u8; 16] = *b"a journal's name";

/// Draws that no storage machine makes.
pub struct NoDraws;

impl Draws for NoDraws {
    fn next_u64(&mut self) -> u64 {
        0
    }
}

/// Files, and the room that is left for further segments.
#[derive(Clone)]
pub struct Disk {
    pub superblock: Vec<u8>,
    pub files: BTreeMap<FileName, Vec<u8>>,
    pub archived: Vec<FileName>,
    pub segments_left: u32,
    /// Writes of the superblock until one is torn and fails.
    pub superblock_writes_left: Option<u32>,
}

impl Default for Disk {
    fn default() -> Disk {
        let superblock = vec![0; 4 * BLOCK as usize];
        Disk {
            superblock,
            files: BTreeMap::new(),
            archived: Vec::new(),
            segments_left: 1000,
            superblock_writes_left: None,
        }
    }
}

impl Disk {
    pub fn segment(&mut self, number: u64) -> &mut Vec<u8> {
        self.files.get_mut(&FileName::Segment(number)).expect("a segment of this number")
    }

    pub fn perform(&mut self, effect: &Effect) -> Result<Done, Errno> {
        let read = |bytes: &[u8], offset: u64, length: u64| {
            let rest = bytes.get(offset as usize..).unwrap_or(&[]);
            Ok(Done::Bytes(rest[..rest.len().min(length as usize)].to_vec()))
        };
        match effect {
            Effect::List => {
                let files = self.files.iter().map(|(name, bytes)| (*name, bytes.len() as u64));
                return Ok(Done::Files(files.collect()));
            }
            Effect::Read { segment, offset, length } => {
                return read(self.segment(*segment), *offset, *length);
            }
            Effect::ReadSuperblock { copy } => {
                return read(&self.superblock, u64::from(*copy) * BLOCK, BLOCK);
            }
            Effect::ReadSnapshot { number } => {
                let bytes = self.files.get(&FileName::Snapshot(*number));
                return Ok(Done::Bytes(bytes.cloned().unwrap_or_default()));
            }
            Effect::Allocate { segment, bytes } => {
                self.segments_left = self.segments_left.checked_sub(1).ok_or(Errno::NoSpace)?;
                self.files.insert(FileName::Segment(*segment), vec![0; *bytes as usize]);
            }
            Effect::Write { segment, offset, bytes } => {
                let (content, at) = (self.segment(*segment), *offset as usize);
                content.resize(content.len().max(at + bytes.len()), 0);
                content[at..][..bytes.len()].copy_from_slice(bytes);
            }
            Effect::WriteSuperblock { copy, bytes } => {
                let at = usize::from(*copy) * BLOCK as usize;
                if let Some(left) = &mut self.superblock_writes_left {
                    let Some(less) = left.checked_sub(1) else {
                        self.superblock[at..][..64].fill(7);
                        return Err(Errno::Io);
                    };
                    *left = less;
                }
                self.superblock[at..][..bytes.len()].copy_from_slice(bytes);
            }
            Effect::WriteSnapshot { number, bytes } => {
                self.files.insert(FileName::Snapshot(*number), bytes.to_vec());
            }
            Effect::Archive(name) => {
                self.files.remove(name);
                self.archived.push(*name);
            }
            Effect::Sync { .. } => {}
        }
        Ok(Done::Finished)
    }
}

/// What a start says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    Served(Recovered),
    Refused(Vec<Damage>),
}

/// A machine on a disk.
pub struct Running {
    machine: Storage,
    pub disk: Disk,
    pub said: Vec<Output>,
    /// Effects that change something.
    pub changes: u32,
    next: u64,
    /// Whether restored states are what snapshots claim, and replayed ones.
    pub states_hold: bool,
}

impl Running {
    pub fn new(disk: Disk, mode: Mode) -> Running {
        let config = Config {
            segment_bytes: SEGMENT_BYTES,
            segments_ahead: 1,
            segments_kept: 0,
            replays_for_readers: false,
            new_journal: JOURNAL,
            mode,
        };
        let machine = Storage::new(config);
        let (said, changes, next, states_hold) = (Vec::new(), 0, 1, true);
        Running { machine, disk, said, changes, next, states_hold }
    }

    /// Starts, and serves or refuses.
    pub fn start(&mut self) -> Start {
        self.input(Input::Start);
        let start = self.said.iter().find_map(|output| match output {
            Output::Recovered(recovered) => Some(Start::Served(recovered.clone())),
            Output::Refused { damage, .. } => Some(Start::Refused(damage.clone())),
            _ => None,
        });
        let start = start.expect("a start ends");
        if let Start::Served(recovered) = &start {
            self.next = recovered.number + 1;
        }
        start
    }

    /// A start that an effect's failure ends.
    pub fn start_and_crash(&mut self) {
        self.input(Input::Start);
        assert!(self.said.iter().any(|output| matches!(output, Output::Halted(_))));
    }

    pub fn input(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let mut out = Vec::new();
            self.machine.step(0, input, &mut NoDraws, &mut out);
            let mut answers = Vec::new();
            for output in out {
                match output {
                    Output::Effect(number, effect) => {
                        let is_read = matches!(
                            effect,
                            Effect::List
                                | Effect::Read { .. }
                                | Effect::ReadSuperblock { .. }
                                | Effect::ReadSnapshot { .. }
                        );
                        self.changes += u32::from(!is_read);
                        answers.push(match self.disk.perform(&effect) {
                            Ok(done) => Input::Done(number, done),
                            Err(errno) => Input::Failed(number, errno),
                        });
                    }
                    Output::Restore(_) => answers.push(Input::Restored(self.states_hold)),
                    Output::Claim { number, .. } => {
                        answers.push(Input::Claimed { number, holds: self.states_hold });
                    }
                    output => self.said.push(output),
                }
            }
            inputs.extend(answers.into_iter().rev());
        }
    }

    /// Appends a record of one block.
    pub fn append(&mut self) {
        let payload: Arc<[u8]> = vec![self.next as u8; 100].into();
        let hash = Digest([self.next as u8; 32]);
        let (kind, first_sequence) = (RecordKind::Batch, self.next);
        self.next += 1;
        let (ordered, sealed_ns) = (1, 0);
        self.input(Input::Append(Append {
            kind,
            payload,
            hash,
            first_sequence,
            ordered,
            sealed_ns,
        }));
    }

    /// A snapshot of the first `number` records.
    pub fn snapshot(&mut self, number: u64) {
        let hash = Digest([number as u8; 32]);
        let snapshot = Snapshot {
            journal: JOURNAL,
            epoch: 1,
            number,
            sequence: number,
            hash,
            genesis: Digest::default(),
            build: Digest::default(),
            state_hash: hash,
            state: vec![number as u8; 3000].into(),
        };
        self.input(Input::Snapshot { number, bytes: snapshot.to_bytes().into() });
    }

    /// Numbers that were replayed, in their sequence.
    pub fn replayed(&self) -> Vec<u64> {
        let numbers = self.said.iter().filter_map(|output| match output {
            Output::Replay(replayed) => Some(replayed.number),
            _ => None,
        });
        numbers.collect()
    }
}
