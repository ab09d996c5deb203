//! What the process counts beside the machine: connections, effects on the disk; and whether the
//! venue's thread goes on.
//!
//! # Rules
//! 1. A connection is counted once when it is opened, and once when it ends: by the reason for which
//!    it was cut, or as lost. So opened = cut + lost + open.
//! 2. Every lock is held for some additions, so that no thread waits for one that reads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use surgetank_layer::units::Ns;
use surgetank_venue::buckets::Buckets;
use surgetank_venue::storage::effect::{Done, Effect, Errno};
use surgetank_venue::wire::Notice;

use crate::edge::ends::End;

/// Connections since the start.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ConnectionCounts {
    /// Those that were accepted.
    pub opened: u64,
    /// Those that are open, logged on or not.
    pub open: u64,
    /// Those that ended without a word: by the client or the network.
    pub lost: u64,
    /// Those that the venue has ended, by the name of the reason.
    pub cut: BTreeMap<&'static str, u64>,
}

/// The newest snapshot.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SnapshotTaken {
    /// Number of its last record.
    pub record: u64,
    /// Its size.
    pub bytes: usize,
    /// Time in which it was written and synced.
    pub took_ns: Ns,
    /// For how long the venue's thread made it, and did nothing else.
    pub pause_ns: Ns,
}

/// The disk, since the start.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Disk {
    /// Bytes written into the journal, slots and headers included.
    pub journal_bytes: u64,
    /// Syncs of the journal.
    pub sync_ns: Buckets,
    /// Segments allocated.
    pub segments: u64,
    /// Files moved into the archive.
    pub archived: u64,
    /// Snapshots written.
    pub snapshots: u64,
    /// Effects that failed, by their kind.
    pub failed: BTreeMap<&'static str, u64>,
    /// The newest snapshot of this process.
    pub last_snapshot: Option<SnapshotTaken>,
    /// See [`SnapshotTaken::pause_ns`]; of the snapshot that is being written.
    pause_ns: Ns,
}

/// Counted by the threads, and read by who asks.
#[derive(Debug, Default)]
pub struct Telemetry {
    connections: Mutex<ConnectionCounts>,
    disk: Mutex<Disk>,
    /// The newest [`Notice`] of room on the disk.
    space: AtomicU8,
    /// When the venue's thread last looked at the clock; 0: not yet.
    alive_ns: AtomicU64,
}

impl Telemetry {
    /// A connection was accepted.
    pub fn opened(&self) {
        let mut connections = lock(&self.connections);
        connections.opened += 1;
        connections.open += 1;
    }

    /// A connection has ended.
    pub fn ended(&self, end: End) {
        let mut connections = lock(&self.connections);
        connections.open = connections.open.saturating_sub(1);
        match end.cut() {
            Some(reason) => *connections.cut.entry(reason).or_default() += 1,
            None => connections.lost += 1,
        }
    }

    /// An effect on the disk has taken so long.
    pub fn performed(&self, effect: &Effect, result: &Result<Done, Errno>, took_ns: Ns) {
        let mut disk = lock(&self.disk);
        if result.is_err() {
            *disk.failed.entry(kind(effect)).or_default() += 1;
            return;
        }
        match effect {
            Effect::Write { bytes, .. } => disk.journal_bytes += bytes.len() as u64,
            Effect::Sync { .. } => disk.sync_ns.note(took_ns),
            Effect::Allocate { .. } => disk.segments += 1,
            Effect::Archive(_) => disk.archived += 1,
            Effect::WriteSnapshot { number, bytes } => {
                let (record, bytes, pause_ns) = (*number, bytes.len(), disk.pause_ns);
                disk.snapshots += 1;
                disk.last_snapshot = Some(SnapshotTaken { record, bytes, took_ns, pause_ns });
            }
            _ => {}
        }
    }

    /// The venue's thread has made a snapshot in this time.
    pub fn paused(&self, pause_ns: Ns) {
        lock(&self.disk).pause_ns = pause_ns;
    }

    /// The venue has said this to all clients.
    pub fn noticed(&self, notice: Notice) {
        if notice != Notice::Draining {
            self.space.store(notice as u8, Ordering::Relaxed);
        }
    }

    /// The venue's thread goes on.
    pub fn alive(&self, now: Ns) {
        self.alive_ns.store(now, Ordering::Relaxed);
    }

    /// Connections so far.
    pub fn connections(&self) -> ConnectionCounts {
        lock(&self.connections).clone()
    }

    /// The disk so far.
    pub fn disk(&self) -> Disk {
        lock(&self.disk).clone()
    }

    /// Room on the disk: `ample`, `reserve` or `full`.
    pub fn space(&self) -> &'static str {
        match self.space.load(Ordering::Relaxed) {
            of if of == Notice::DiskReserve as u8 => "reserve",
            of if of == Notice::DiskFull as u8 => "full",
            _ => "ample",
        }
    }

    /// When the venue's thread last went on; 0: it has not begun.
    pub fn alive_ns(&self) -> Ns {
        self.alive_ns.load(Ordering::Relaxed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn kind(effect: &Effect) -> &'static str {
    match effect {
        Effect::List
        | Effect::Read { .. }
        | Effect::ReadSuperblock { .. }
        | Effect::ReadSnapshot { .. } => "read",
        Effect::Allocate { .. } => "allocate",
        Effect::Write { .. } => "write",
        Effect::Sync { .. } => "sync",
        Effect::WriteSuperblock { .. } => "superblock",
        Effect::WriteSnapshot { .. } => "snapshot",
        Effect::Archive(_) => "archive",
    }
}
