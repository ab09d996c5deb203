//! The verdict on one place of a record: a pure function of its slot, of what stands there, and of
//! what is known to have been durable. One arm, one row of the table in `docs/storage.md`.

use surgetank_layer::units::Digest;

use super::damage::DamageKind;
use super::record::{JournalId, RecordHeader};
use super::slot::Slot;

/// What stands at the place of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A record, whole with its payload.
    Whole(RecordHeader),
    /// Zeros in the first block.
    Zero,
    /// Something that is no whole record.
    Bad,
    /// A record's whole header, but of another segment or offset.
    Elsewhere,
}

/// What the superblock, snapshots and all segments say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Identifier of the journal.
    pub journal: JournalId,
    /// Current history.
    pub epoch: u32,
    /// Number of the first record of the current history.
    pub epoch_first: u64,
    /// Highest writer that may have written.
    pub term: u32,
    /// Highest number that is proved to have been durable.
    pub durable: u64,
    /// The least that the last writer's start has found and kept. A record of an earlier writer with
    /// a higher number was cut then.
    pub kept: u64,
}

/// What the next record must continue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// Number of the last record.
    pub number: u64,
    /// Its hash; `None` if the record before the first one is not known.
    pub hash: Option<Digest>,
    /// Its history.
    pub epoch: u32,
    /// Its writer.
    pub term: u32,
}

/// The verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Whole and proved durable.
    Whole,
    /// Whole and proved durable, but its slot is absent or bad.
    SlotDamaged,
    /// Whole, but not proved durable: of the last group.
    Kept,
    /// No record, and nothing proves that one was durable here.
    Torn,
    /// No record here, although its number was durable: it stands in the next segment, or is lost.
    End,
    /// Damage with which the venue does not serve.
    Damage(DamageKind),
}

/// The verdict on the place of record `chain.number + 1`. `later` is the `durable` of a whole
/// record that stands further on in the segment.
pub fn verdict(
    bounds: &Bounds,
    chain: &Chain,
    slot: &Slot,
    found: &Found,
    later: Option<u64>,
) -> Verdict {
    let number = chain.number.saturating_add(1);
    let durable = number <= bounds.durable;
    match (slot, found) {
        (_, Found::Elsewhere) => Verdict::Damage(DamageKind::Misdirected), // row 7
        (_, Found::Whole(record)) if !belongs(bounds, chain, record) => {
            Verdict::Damage(DamageKind::Foreign) // row 11
        }
        (_, Found::Whole(record)) if !continues(chain, record) => {
            Verdict::Damage(DamageKind::Altered) // row 9
        }
        (Slot::Whole(slot), Found::Whole(record)) if slot == record => Verdict::Whole, // row 1
        (Slot::Whole(_), Found::Whole(_)) => Verdict::Damage(DamageKind::Altered),
        (_, Found::Whole(_)) if durable => Verdict::SlotDamaged, // row 2
        (_, Found::Whole(record)) if record.durable == bounds.durable => Verdict::Kept, // row 3
        (_, Found::Whole(_)) => Verdict::Damage(DamageKind::Rotten), // row 10
        (Slot::Whole(_), Found::Bad) => Verdict::Damage(DamageKind::Rotten), // row 5
        (Slot::Whole(_), Found::Zero) => Verdict::Damage(DamageKind::Lost), // row 6
        (_, Found::Bad | Found::Zero) => match (durable, later) {
            (true, Some(_)) if *found == Found::Zero => Verdict::Damage(DamageKind::Lost),
            (true, Some(_)) => Verdict::Damage(DamageKind::Rotten), // row 8
            (true, None) => Verdict::End,
            // Of one group all records say the same; another one was written after a sync.
            (false, Some(later)) if later != bounds.durable => {
                Verdict::Damage(DamageKind::Rotten) // row 10
            }
            (false, _) => Verdict::Torn, // row 4
        },
    }
}

/// Whether a record is of this journal, of the history that its number has, and of a known writer.
fn belongs(bounds: &Bounds, chain: &Chain, record: &RecordHeader) -> bool {
    let epoch = if record.number >= bounds.epoch_first {
        record.epoch == bounds.epoch
    } else {
        (chain.epoch..bounds.epoch).contains(&record.epoch)
    };
    let term = (chain.term..=bounds.term).contains(&record.term);
    record.journal == bounds.journal && epoch && term
}

/// Whether a record is the next one.
fn continues(chain: &Chain, record: &RecordHeader) -> bool {
    record.number == chain.number.saturating_add(1)
        && chain.hash.is_none_or(|hash| hash == record.previous)
}
