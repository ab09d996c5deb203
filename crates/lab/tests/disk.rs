//! The storage machine on simulated disks, and defects that these runs must find.
//!
//! `SURGETANK_DISKS=n` runs more or fewer of them, from seed `SURGETANK_DISKS_FIRST` on;
//! `SURGETANK_SEED=n` runs one.

use std::collections::BTreeSet;

use surgetank_lab::disk::world::{DiskHost, Outcome, SEGMENT_BYTES, Violation, crash_after, run};
use surgetank_layer::machine::{Draws, Machine};
use surgetank_venue::storage::effect::{Done, Effect, Input, Output};
use surgetank_venue::storage::record::{BLOCK, HEADER_BYTES, RecordHeader};
use surgetank_venue::storage::segment::{Geometry, SegmentHeader};
use surgetank_venue::storage::snapshots::Snapshot;
use surgetank_venue::storage::superblock::Superblock;
use surgetank_venue::storage::{Config, Storage, slot};

const SEEDS: u64 = 300;
/// Crashes after each number of effects below this.
const CRASHES: u64 = 120;

fn storage(config: Config) -> Box<DiskHost> {
    Box::new(Storage::new(config))
}

fn runs(seeds: std::ops::Range<u64>) -> Outcome {
    let mut sum = Outcome::default();
    let mut broken = Vec::new();
    for seed in seeds {
        let outcome = match run(seed, &storage) {
            Ok(outcome) => outcome,
            Err(violation) => {
                eprintln!("seed {seed}: {violation:?}");
                broken.push(seed);
                continue;
            }
        };
        sum.recovered += outcome.recovered;
        sum.refused += outcome.refused;
        sum.torn += outcome.torn;
        sum.records += outcome.records;
        sum.full += outcome.full;
        sum.restored += outcome.restored;
        sum.faults.add(outcome.faults);
    }
    assert!(broken.is_empty(), "{} of these runs: {broken:?}", broken.len());
    sum
}

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a whole number"))
}

#[test]
fn nothing_durable_is_lost_and_nothing_whole_is_refused() {
    if let Some(seed) = number("SURGETANK_SEED") {
        println!("{:?}", runs(seed..seed + 1));
        return;
    }
    let first = number("SURGETANK_DISKS_FIRST").unwrap_or(0);
    let count = number("SURGETANK_DISKS").unwrap_or(SEEDS);
    let sum = runs(first..first + count);
    println!("{count} disks from seed {first}: {sum:?}");
    // The runs must have been through what they are for.
    let Outcome { recovered, refused, torn, records, full, restored, faults } = sum;
    assert!(recovered > 300 && records > 3000, "{sum:?}");
    assert!(refused > 5 && torn > 20 && full > 20 && restored > 50, "{sum:?}");
    let never: Vec<_> = faults.named().into_iter().filter(|(_, count)| *count == 0).collect();
    assert!(never.is_empty(), "{sum:?}");
}

#[test]
fn a_crash_after_any_effect_loses_nothing_durable() {
    // The second half of a long first life begins segments, takes snapshots and archives.
    for effects in (0..CRASHES).chain((CRASHES..8 * CRASHES).step_by(7)) {
        for seed in number("SURGETANK_SEED").map_or(0..4, |seed| seed..seed + 1) {
            let outcome = crash_after(Some(effects), seed, &storage);
            outcome.unwrap_or_else(|broken| panic!("{effects} effects, seed {seed}: {broken:?}"));
        }
    }
}

/// Seeds in which a machine of an earlier commit has lost a durable record.
const RARE: [u64; 2] = [49_770, 49_959];

#[test]
fn a_slot_that_was_written_over_its_own_record_proves_it() {
    RARE.into_iter().for_each(|seed| _ = runs(seed..seed + 1));
}

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

impl Defective {
    fn input(&mut self, input: Input) -> Input {
        match input {
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
    let found = (0..SEEDS).filter_map(|seed| run(seed, &machine).err());
    let found: Vec<Violation> = found.collect();
    assert!(found.iter().any(is_right), "{defect:?}: {found:?}");
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
