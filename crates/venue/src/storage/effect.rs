//! What the storage machine asks of its host, and what the host reports.

use std::sync::Arc;

use surgetank_layer::units::{Digest, Ns};

use super::damage::{Damage, FileReport};
use super::record::{JournalId, RecordKind};
use super::snapshots::Snapshot;

/// A file of the data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileName {
    /// A segment of the journal, by its number from 1.
    Segment(u64),
    /// A snapshot, by the number of the last record that it contains.
    Snapshot(u64),
}

/// An effect. Its result is an [`Input::Done`] or [`Input::Failed`] of the same number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Lists segments and snapshots, archived ones excepted.
    List,
    /// Creates a segment of this size, filled with zeros, and makes file and name durable.
    Allocate {
        /// Number of the segment.
        segment: u64,
        /// Its size.
        bytes: u64,
    },
    /// Writes into a segment; durable only after a later [`Effect::Sync`].
    Write {
        /// Number of the segment.
        segment: u64,
        /// Offset of the first byte.
        offset: u64,
        /// The bytes.
        bytes: Arc<[u8]>,
    },
    /// Makes all finished writes of a segment durable.
    Sync {
        /// Number of the segment.
        segment: u64,
    },
    /// Reads from a segment; fewer bytes are returned only where the file ends.
    Read {
        /// Number of the segment.
        segment: u64,
        /// Offset of the first byte.
        offset: u64,
        /// Number of bytes.
        length: u64,
    },
    /// Reads one of the four copies of the superblock; no bytes if there is no file.
    ReadSuperblock {
        /// Number of the copy, below 4.
        copy: u8,
    },
    /// Writes one of the four copies of the superblock, durably.
    WriteSuperblock {
        /// Number of the copy, below 4.
        copy: u8,
        /// Its content.
        bytes: Arc<[u8]>,
    },
    /// Reads a whole snapshot.
    ReadSnapshot {
        /// Number of its last record.
        number: u64,
    },
    /// Writes a snapshot under a temporary name, syncs and renames it, durably.
    WriteSnapshot {
        /// Number of its last record.
        number: u64,
        /// The whole file.
        bytes: Arc<[u8]>,
    },
    /// Moves a file into the archive.
    Archive(FileName),
}

/// A cause of failure, as far as the machine distinguishes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errno {
    /// No space is left on the device, or none for this user.
    NoSpace,
    /// Input or output error.
    Io,
    /// The filesystem is read-only.
    ReadOnly,
    /// Any other, by its number.
    Other(i32),
}

/// The result of an effect that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// Of an allocation, write, sync or move.
    Finished,
    /// Of a read.
    Bytes(Vec<u8>),
    /// Of a list: each file with its size in bytes.
    Files(Vec<(FileName, u64)>),
}

/// A record to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// Kind of the record.
    pub kind: RecordKind,
    /// Content; at most [`super::segment::Geometry::payload_max`] bytes.
    pub payload: Arc<[u8]>,
    /// The content's own hash, which the next record names as `previous`.
    pub hash: Digest,
    /// Sequence number of its first message.
    pub first_sequence: u64,
    /// Number of its messages.
    pub ordered: u32,
    /// Time at which it was sealed.
    pub sealed_ns: Ns,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The beginning: reads the data directory.
    Start,
    /// A record to append.
    Append(Append),
    /// A snapshot to write, made by [`super::snapshots::Snapshot::to_bytes`]; its number must be
    /// durable. Ignored while another one is being written.
    Snapshot {
        /// Number of its last record.
        number: u64,
        /// The whole file.
        bytes: Arc<[u8]>,
    },
    /// Answer to [`Output::Restore`]: whether the state is the one that the snapshot claims.
    Restored(bool),
    /// Answer to [`Output::Claim`]: whether the replayed state is the claimed one.
    Claimed {
        /// Number of the snapshot.
        number: u64,
        /// Whether the states are equal.
        holds: bool,
    },
    /// Nothing was appended for some milliseconds since the last record became durable.
    Idle,
    /// A second has passed.
    Second,
    /// An effect succeeded.
    Done(u64, Done),
    /// An effect failed.
    Failed(u64, Errno),
}

/// A record of the journal, handed over at a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// Its number.
    pub number: u64,
    /// The rest, as it was appended.
    pub append: Append,
}

/// How much room for records is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// As many segments as wanted are allocated.
    Ample,
    /// No further segment could be allocated; what is allocated is the reserve.
    Reserve,
    /// The reserve is used up; records wait.
    Full,
}

/// What a start has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Identifier of the journal.
    pub journal: JournalId,
    /// Number of the last record; 0 in an empty journal.
    pub number: u64,
    /// Its hash; zeros in an empty journal.
    pub hash: Digest,
    /// Number of the history; changes when an operator accepts a loss.
    pub epoch: u32,
    /// Number of this writer: one more with every start.
    pub term: u32,
    /// Every file that was read.
    pub files: Vec<FileReport>,
    /// Damage that was repaired, or does not matter.
    pub damage: Vec<Damage>,
}

/// An effect, or a statement to the venue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A numbered effect for the host.
    Effect(u64, Effect),
    /// The newest whole snapshot: to be restored and answered by [`Input::Restored`]. If none is
    /// left, the replay begins at the first record.
    Restore(Snapshot),
    /// A record after the restored snapshot, in sequence. Provisional until [`Output::Recovered`].
    Replay(Replayed),
    /// The last record replayed is that of a snapshot that was not restored: what it says of the
    /// state, to be answered by [`Input::Claimed`].
    Claim {
        /// Number of the snapshot.
        number: u64,
        /// The state's hash that it claims.
        state: Digest,
    },
    /// Recovery is complete; records can be appended.
    Recovered(Recovered),
    /// The journal is damaged: nothing was changed, and the machine has stopped.
    Refused {
        /// Every file that was read.
        files: Vec<FileReport>,
        /// Every damage, minor ones included.
        damage: Vec<Damage>,
    },
    /// All records up to this number are durable.
    Durable {
        /// Number of the last durable record.
        number: u64,
    },
    /// The room left has changed.
    Space(Space),
    /// A snapshot is durable, or could not be written (with the cause).
    SnapshotWritten {
        /// Its number.
        number: u64,
        /// The cause if it was not written.
        failed: Option<Errno>,
    },
    /// The machine has stopped: what was not said to be durable is not.
    Halted(Halt),
}

/// Why the machine stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// A write, sync or superblock failed.
    Storage(Errno),
    /// A record is too large for a segment.
    TooLarge,
}
