//! Which snapshot the venue restores.

use super::{Host, Recovery, Stage};
use crate::storage::damage::{DamageKind, FileReport, Place};
use crate::storage::effect::{Done, Effect, Errno, FileName, Output};
use crate::storage::snapshots::Snapshot;
use crate::storage::{Mode, Next};

impl Recovery {
    /// Reads the snapshot before `index`, or goes on to the segments.
    pub(super) fn next_snapshot(&mut self, index: usize, host: &mut Host<'_>) -> Next {
        let is_done = self.restored.is_some() && host.config.mode == Mode::Serve;
        if !is_done && let Some((snapshot, _)) = self.passed.take_if(|(_, at)| index < *at) {
            // The one before it is not whole.
            self.claims.remove(&snapshot.number);
            host.out.push(Output::Restore((*snapshot).clone()));
            self.stage = Stage::Restoring(snapshot, index);
            return Next::Same;
        }
        match index.checked_sub(1).filter(|_| !is_done) {
            Some(index) => {
                self.stage = Stage::Snapshot(index);
                self.ask(Effect::ReadSnapshot { number: self.snapshots[index] }, host)
            }
            None => self.survey(self.segments.len(), host),
        }
    }

    pub(super) fn snapshot(
        &mut self,
        index: usize,
        result: Result<Done, Errno>,
        host: &mut Host<'_>,
    ) -> Next {
        let number = self.snapshots[index];
        let bytes = match result {
            Ok(Done::Bytes(bytes)) => bytes,
            _ => Vec::new(),
        };
        let belongs = |snapshot: &Snapshot| {
            snapshot.journal == self.bounds.journal
                && snapshot.number == number
                && snapshot.epoch <= self.bounds.epoch
        };
        if let Some(snapshot) = Snapshot::from_bytes(&bytes).filter(belongs) {
            self.bounds.durable = self.bounds.durable.max(number);
            self.files.push(FileReport {
                file: FileName::Snapshot(number),
                first: number,
                records: 0,
            });
            // Of a first snapshot, what is before it is the whole journal.
            let has_before = index > 0 || self.segments.first().is_some_and(|(at, _)| *at == 1);
            if host.config.mode == Mode::Serve
                && host.config.replays_for_readers
                && has_before
                && self.claims.is_empty()
            {
                self.claims.insert(number, snapshot.state_hash);
                self.passed = Some((Box::new(snapshot), index));
                return self.next_snapshot(index, host);
            }
            if host.config.mode == Mode::Serve {
                host.out.push(Output::Restore(snapshot.clone()));
                self.stage = Stage::Restoring(Box::new(snapshot), index);
                return Next::Same;
            }
            self.restored = self.restored.or(Some((number, snapshot.hash)));
            return self.next_snapshot(index, host);
        }
        if let Some(snapshot) = Snapshot::header(&bytes).filter(belongs) {
            // A snapshot is made of durable records only.
            self.bounds.durable = self.bounds.durable.max(number);
            self.claims.insert(number, snapshot.state_hash);
        }
        self.note(DamageKind::Snapshot, Place::File(FileName::Snapshot(number)), 0);
        self.next_snapshot(index, host)
    }

    pub(super) fn restored(&mut self, holds: bool, host: &mut Host<'_>) -> Next {
        match std::mem::replace(&mut self.stage, Stage::Claims) {
            Stage::Restoring(snapshot, index) => {
                if holds {
                    self.restored = Some((snapshot.number, snapshot.hash));
                } else {
                    self.claims.insert(snapshot.number, snapshot.state_hash);
                    let file = FileName::Snapshot(snapshot.number);
                    self.note(DamageKind::Snapshot, Place::File(file), 0);
                }
                self.next_snapshot(index, host)
            }
            stage => {
                self.stage = stage;
                Next::Same
            }
        }
    }
}
