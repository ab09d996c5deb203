//! Positive controls: storage machines with a defect, each of which the runs of `disk.rs` find.

use std::collections::BTreeSet;

use surgetank_lab::disk::world::{DiskHost, SEGMENT_BYTES, Violation, run};
use surgetank_layer::machine::{Draws, Machine};
use surgetank_venue::storage::effect::{Done, Effect, Input, Output};
use surgetank_venue::storage::record::{BLOCK, HEADER_BYTES, RecordHeader};
use surgetank_venue::storage::segment::{Geometry, SegmentHeader};
use surgetank_venue::storage::snapshots::{self, Snapshot};
use surgetank_venue::storage::superblock::Superblock;
use surgetank_venue::storage::{Config, Storage, slot};

/// Runs in which a defect must show.
const SEEDS: u64 = 3000;

/// What is wrong with a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defect {
    /// Syncs are said to be done and are not asked for.
    SkipSync,
    /// Records are said to be durable when they are written.
    DurableBeforeSync,
    /// A failed sync is tried again.
    RetryFailedSync,
    /// Slots are written together with their records.
    SlotBeforeSync,
    /// Recovery knows of no proof, and cuts the last segment at the first bad record.
    CutAtFirstBad,
    /// A snapshot's checksums and the hash of its state are not compared.
    TrustSnapshot,
}

/// A machine with a defect.
struct Defective {
    inner: Storage,
    defect: Defect,
    syncs: BTreeSet<(u64, u64)>,
    segment_reads: BTreeSet<u64>,
    /// Number of the last record written.
    written: u64,
    /// Number of the newest snapshot read.
    snapshot: u64,
}

fn headers(bytes: &[u8]) -> Vec<RecordHeader> {
    bytes.chunks(BLOCK as usize).filter_map(RecordHeader::from_bytes).collect()
}

/// Removes every proof that records were durable, but for the segment's header and the snapshot.
fn without_proofs(bytes: &mut [u8], snapshot: u64) {
    if let Some(superblock) = Superblock::from_bytes(bytes) {
        bytes.copy_from_slice(&Superblock { durable: 0, ..superblock }.to_bytes());
    }
    let is_segment = bytes.len() as u64 == SEGMENT_BYTES;
    let header = SegmentHeader::from_bytes(bytes).filter(|_| is_segment);
    let Some(segment) = header else { return };
    let geometry = Geometry { bytes: bytes.len() as u64 };
    bytes[geometry.slot_offset(0) as usize..geometry.records_start() as usize].fill(0);
    for block in bytes.chunks_mut(BLOCK as usize) {
        if let Some(header) = RecordHeader::from_bytes(block) {
            let durable = snapshot.max(segment.first_number - 1);
            let header = RecordHeader { durable, ends_group: true, ..header };
            block[..HEADER_BYTES].copy_from_slice(&header.to_bytes());
        }
    }
}

/// The snapshot with checksums of what stands there now.
fn resealed(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some((header, rest)) = bytes.split_first_chunk_mut::<{ snapshots::HEADER_BYTES }>() {
        let (fields, crc) = header.split_last_chunk_mut().expect("more than four bytes");
        *crc = crc32c::crc32c(fields).to_le_bytes();
        let state = rest.get(..rest.len().saturating_sub(4)).unwrap_or(&[]).into();
        if let Some(snapshot) = Snapshot::header(header) {
            return Snapshot { state, ..snapshot }.to_bytes();
        }
    }
    bytes
}

impl Defective {
    fn input(&mut self, input: Input) -> Input {
        match input {
            Input::Restored(_) if self.defect == Defect::TrustSnapshot => Input::Restored(true),
            Input::Done(effect, Done::Bytes(bytes)) if self.defect == Defect::TrustSnapshot => {
                let is_other =
                    self.segment_reads.contains(&effect) || bytes.len() == BLOCK as usize;
                Input::Done(effect, Done::Bytes(if is_other { bytes } else { resealed(bytes) }))
            }
            Input::Done(effect, Done::Bytes(mut bytes)) if self.defect == Defect::CutAtFirstBad => {
                let is_segment = self.segment_reads.contains(&effect);
                if bytes.len() as u64 == if is_segment { SEGMENT_BYTES } else { BLOCK } {
                    without_proofs(&mut bytes, self.snapshot);
                }
                let snapshot = Snapshot::header(&bytes);
                self.snapshot = snapshot.map_or(self.snapshot, |snapshot| snapshot.number);
                Input::Done(effect, Done::Bytes(bytes))
            }
            input => input,
        }
    }

    /// What becomes of an output; the result is an input of the machine's that follows at once.
    fn output(&mut self, output: Output, out: &mut Vec<Output>) -> Option<Input> {
        let (effect, sync) = match &output {
            Output::Effect(effect, Effect::Sync { segment }) => (*effect, Some(*segment)),
            Output::Effect(effect, Effect::Read { length: SEGMENT_BYTES, .. }) => {
                self.segment_reads.insert(*effect);
                (*effect, None)
            }
            Output::Effect(effect, Effect::Write { segment, bytes, .. }) => {
                let geometry = Geometry { bytes: SEGMENT_BYTES };
                for header in headers(bytes) {
                    self.written = header.number;
                    // Of a segment's first record, whose slot is known.
                    let is_first = header.offset == geometry.records_start();
                    if self.defect == Defect::SlotBeforeSync && is_first {
                        let offset = geometry.slot_offset(0);
                        let bytes = slot::to_bytes(&header).into();
                        let write = Effect::Write { segment: *segment, offset, bytes };
                        out.push(Output::Effect(1 << 40, write));
                    }
                }
                (*effect, None)
            }
            _ => (0, None),
        };
        let Some(segment) = sync else {
            out.push(output);
            return None;
        };
        self.syncs.insert((effect, segment));
        if self.defect == Defect::DurableBeforeSync && self.written > 0 {
            out.push(Output::Durable { number: self.written });
        }
        if self.defect == Defect::SkipSync && self.written > 0 {
            return Some(Input::Done(effect, Done::Finished));
        }
        out.push(output);
        None
    }
}

impl Machine for Defective {
    type Input = Input;
    type Output = Output;

    fn step(&mut self, now: u64, input: Input, draws: &mut dyn Draws, out: &mut Vec<Output>) {
        if let (Defect::RetryFailedSync, Input::Failed(effect, _)) = (self.defect, &input)
            && let Some((_, segment)) = self.syncs.iter().find(|(sync, _)| sync == effect)
        {
            return out.push(Output::Effect(*effect, Effect::Sync { segment: *segment }));
        }
        let mut inputs = vec![self.input(input)];
        while let Some(input) = inputs.pop() {
            let mut outputs = Vec::new();
            self.inner.step(now, input, draws, &mut outputs);
            inputs.extend(outputs.into_iter().filter_map(|output| self.output(output, out)));
        }
    }
}

/// Asserts that some run of the seeds finds the defect in this way.
#[track_caller]
fn finds(defect: Defect, is_right: impl Fn(&Violation) -> bool) {
    let machine = |config: Config| -> Box<DiskHost> {
        let (syncs, segment_reads) = (BTreeSet::new(), BTreeSet::new());
        let inner = Storage::new(config);
        Box::new(Defective { inner, defect, syncs, segment_reads, written: 0, snapshot: 0 })
    };
    let found = (0..SEEDS).find(|seed| run(*seed, &machine).is_err_and(|broken| is_right(&broken)));
    println!("{defect:?}: found with seed {found:?}");
    assert!(found.is_some(), "{defect:?}");
}

#[test]
fn a_skipped_sync_is_found() {
    finds(Defect::SkipSync, |violation| matches!(violation, Violation::Lost { .. }));
}

#[test]
fn an_acknowledgement_before_the_sync_is_found() {
    finds(Defect::DurableBeforeSync, |violation| matches!(violation, Violation::Lost { .. }));
}

#[test]
fn a_retried_sync_is_found() {
    finds(Defect::RetryFailedSync, |violation| matches!(violation, Violation::Lost { .. }));
}

#[test]
fn a_slot_before_the_sync_is_found() {
    finds(Defect::SlotBeforeSync, |violation| matches!(violation, Violation::Refused(_)));
}

#[test]
fn a_cut_at_the_first_bad_record_is_found() {
    finds(Defect::CutAtFirstBad, |violation| matches!(violation, Violation::Lost { .. }));
}

#[test]
fn a_snapshot_whose_hash_is_not_checked_is_found() {
    finds(Defect::TrustSnapshot, |violation| matches!(violation, Violation::Altered { .. }));
}
