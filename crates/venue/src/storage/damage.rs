//! Kinds of damage, and where it is.

use super::effect::FileName;

/// Kinds of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DamageKind {
    /// The end of the journal, written but not durable when the writer stopped: cut.
    TornTail,
    /// A commit slot is bad or absent although its record was durable: written again.
    Slot,
    /// One copy of a segment's header is bad: written again.
    HeaderCopy,
    /// Both copies of a segment's header are bad.
    Header,
    /// One copy of the superblock is bad: written again.
    SuperblockCopy,
    /// No two copies of the superblock agree.
    Superblock,
    /// A snapshot is not whole, or its state is not the one that it claims: an older one is used.
    Snapshot,
    /// A durable record has changed.
    Rotten,
    /// A durable record is not there: its place is empty.
    Lost,
    /// A record of another place stands here.
    Misdirected,
    /// A record is whole, but does not continue the one before.
    Altered,
    /// A record or segment of another journal, history or writer.
    Foreign,
    /// A segment is missing.
    Missing,
    /// The state after replay is not that of a later snapshot.
    OtherExecution,
}

impl DamageKind {
    /// Name of the kind, stable across versions.
    pub fn name(self) -> &'static str {
        match self {
            DamageKind::TornTail => "torn-tail",
            DamageKind::Slot => "slot",
            DamageKind::HeaderCopy => "header-copy",
            DamageKind::Header => "header",
            DamageKind::SuperblockCopy => "superblock-copy",
            DamageKind::Superblock => "superblock",
            DamageKind::Snapshot => "snapshot",
            DamageKind::Rotten => "rotten",
            DamageKind::Lost => "lost",
            DamageKind::Misdirected => "misdirected",
            DamageKind::Altered => "altered",
            DamageKind::Foreign => "foreign",
            DamageKind::Missing => "missing",
            DamageKind::OtherExecution => "other-execution",
        }
    }

    /// Whether the venue does not serve with it.
    pub fn refuses(self) -> bool {
        use DamageKind::{HeaderCopy, Slot, Snapshot, SuperblockCopy, TornTail};
        !matches!(self, TornTail | Slot | HeaderCopy | SuperblockCopy | Snapshot)
    }
}

/// Where damage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the superblock's file.
    Superblock,
    /// In a segment or snapshot.
    File(FileName),
}

/// A damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Its kind.
    pub kind: DamageKind,
    /// The file.
    pub place: Place,
    /// Offset in the file.
    pub offset: u64,
    /// Number of the first record concerned; 0 if none is.
    pub first: u64,
    /// Number of the last record concerned, as far as it is known; 0 if none is.
    pub last: u64,
}

/// What was found in a segment or snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileReport {
    /// The file.
    pub file: FileName,
    /// Number of its first record; in a snapshot, of its last one.
    pub first: u64,
    /// Number of whole records.
    pub records: u64,
}
