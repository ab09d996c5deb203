//! Journal storage: records in, durable records out, and recovery of what a crash has left.
//!
//! In reading order:
//!
//! 1. [`effect`]: what the machine asks of its host, and what the host reports
//! 2. [`record`], [`segment`], [`slot`], [`superblock`]: the bytes on the disk
//! 3. [`snapshots`]: files with the venue's state
//! 4. [`damage`]: the kinds of damage, and where it is
//! 5. [`table`]: the verdict on one record's place
//! 6. [`walk`]: the verdicts on one segment
//! 7. [`recovery`]: the start, from nothing to a whole journal or a refusal
//! 8. [`writer`]: groups, commit slots, space
//! 9. [`Storage`]: their composition
//!
//! # Rules
//! 1. A record is durable when a sync that was begun after its write has succeeded, and is said to
//!    be durable only then. One sync serves all records that waited: a *group*. There is one group
//!    at a time, and a group lies in one segment.
//! 2. A failed write or sync of the journal ends the machine; a sync is never repeated, since the
//!    kernel may call pages clean that it has lost.
//! 3. A 4,096-byte block that holds durable records is never written again.
//! 4. A record's *commit slot* is written only after the sync of its record. A whole slot therefore
//!    proves that its record was durable, so that a bad record there is damage, and one without
//!    that proof, at the end, is a torn tail.
//! 5. Recovery changes nothing on the disk before it knows that it will serve.
//! 6. Records that are whole but not proved durable are written again and synced before they are
//!    handed over.
//!
//! # Source
//! Alagappan et al., "Protocol-Aware Recovery for Consensus-Based Storage", FAST 2018, for rule 4;
//! Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020, for rules 2
//! and 6.
//!
//! # Departures
//! One copy of the journal: what is damaged is reported and not repaired from a peer. If the disk
//! lies about the last group's sync, or that group decays before its slot is written, it is taken
//! for a torn tail. So is what one misdirected write covers together with the slots that prove it.

mod bytes;
pub mod damage;
pub mod effect;
pub mod record;
pub mod recovery;
pub mod segment;
pub mod slot;
pub mod snapshots;
pub mod superblock;
pub mod table;
pub mod walk;
pub mod writer;

use surgetank_layer::machine::{Draws, Machine};
use surgetank_layer::units::Ns;

use effect::{Effect, Input, Output};
use record::JournalId;
use recovery::Recovery;
use writer::Writer;

/// Parameters of the storage.
#[derive(Clone, Debug)]
pub struct Config {
    /// Size of a new segment, in bytes: a multiple of 4,096, at least four blocks.
    pub segment_bytes: u64,
    /// Segments that are allocated ahead of need, at least 1.
    pub segments_ahead: usize,
    /// Full segments that stay in the journal although a snapshot covers them.
    pub segments_kept: usize,
    /// Whether a start restores the snapshot before the newest, or none if that is the first, and
    /// replays the journal from there: so that events of before the start can be sent to late readers.
    pub replays_for_readers: bool,
    /// Identifier of a journal that is created now; drawn at random and not shown to clients, so
    /// that no client can send a payload that passes for a record.
    pub new_journal: JournalId,
    /// What is to be done.
    pub mode: Mode,
}

/// What is done with a data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Recover and go on writing.
    Serve,
    /// Read and report; change nothing.
    Check,
    /// Repair what can be repaired without loss of a durable record, then stop.
    Repair,
}

/// The machine. It begins with [`Input::Start`].
#[derive(Debug)]
pub struct Storage {
    config: Config,
    asked: Asked,
    state: State,
}

#[derive(Debug)]
enum State {
    Recovering(Box<Recovery>),
    Running(Box<Writer>),
    Stopped,
}

/// Numbers effects as they are appended to the outbox.
#[derive(Debug, Default)]
struct Asked(u64);

impl Asked {
    fn ask(&mut self, effect: Effect, out: &mut Vec<Output>) -> u64 {
        self.0 += 1;
        out.push(Output::Effect(self.0, effect));
        self.0
    }
}

impl Storage {
    /// A machine that has not read anything yet.
    pub fn new(config: Config) -> Storage {
        let state = State::Recovering(Box::new(Recovery::new(&config)));
        Storage { config, asked: Asked::default(), state }
    }
}

impl Machine for Storage {
    type Input = Input;
    type Output = Output;

    fn step(&mut self, now: Ns, input: Input, _: &mut dyn Draws, out: &mut Vec<Output>) {
        let next = match &mut self.state {
            State::Recovering(recovery) => {
                recovery.step(now, input, &self.config, &mut self.asked, out)
            }
            State::Running(writer) => writer.step(now, input, &mut self.asked, out),
            State::Stopped => return,
        };
        match next {
            Next::Same => {}
            Next::Run(writer) => self.state = State::Running(writer),
            Next::Stop => self.state = State::Stopped,
        }
    }
}

/// What follows a step.
#[derive(Debug)]
enum Next {
    Same,
    Run(Box<Writer>),
    Stop,
}
