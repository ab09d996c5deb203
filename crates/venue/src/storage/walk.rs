//! The walk over one segment: a verdict for each place, from the first record to the end.

use super::bytes::is_zero;
use super::damage::{Damage, DamageKind, Place};
use super::effect::FileName;
use super::record::{BLOCK, JournalId, RecordHeader};
use super::segment::{Geometry, SegmentHeader};
use super::slot::{self, SLOT_BYTES, Slot};
use super::table::{Bounds, Chain, Found, Verdict, verdict};

/// A segment as it was read.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// Number of the segment.
    pub number: u64,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// A whole record found on the walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its header.
    pub header: RecordHeader,
    /// Whether it is proved durable.
    pub durable: bool,
    /// Whether its slot is whole.
    pub has_slot: bool,
}

/// Where a segment's records end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// Offset at which the next record would begin.
    pub offset: u64,
    /// Index of the next slot.
    pub index: u64,
    /// Whether the place is zero.
    pub is_zero: bool,
    /// End of the last block after `offset` that is not zero; `offset` if there is none.
    pub written_to: u64,
}

/// What a walk has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// Header of the segment; `None` if neither copy is whole.
    pub header: Option<SegmentHeader>,
    /// Copies of the header that are not whole.
    pub bad_copies: Vec<u8>,
    /// Whole records, in sequence, up to the first damage that refuses.
    pub records: Vec<Record>,
    /// Damage, in the order of offsets.
    pub damage: Vec<Damage>,
    /// Numbers between the chain and the first record here, if any.
    pub gap: Option<(u64, u64)>,
    /// Where the records end.
    pub end: End,
}

impl<'a> Segment<'a> {
    /// The two copies of the header, where they are whole and belong here.
    pub fn copies(self, journal: &JournalId) -> [Option<SegmentHeader>; 2] {
        [0, BLOCK].map(|at| {
            let header = SegmentHeader::from_bytes(self.from(at))?;
            (header.journal == *journal && header.segment == self.number).then_some(header)
        })
    }

    fn geometry(self, header: Option<&SegmentHeader>) -> Geometry {
        Geometry { bytes: header.map_or(self.bytes.len() as u64, |header| header.bytes) }
    }

    /// The bytes from `offset`; none beyond the end.
    pub fn from(self, offset: u64) -> &'a [u8] {
        usize::try_from(offset).ok().and_then(|at| self.bytes.get(at..)).unwrap_or(&[])
    }

    fn header_at(self, offset: u64) -> Option<RecordHeader> {
        RecordHeader::from_bytes(self.from(offset))
    }

    fn is_here(self, journal: &JournalId, record: &RecordHeader, offset: u64) -> bool {
        record.journal == *journal && record.segment == self.number && record.offset == offset
    }

    fn slot(self, geometry: Geometry, index: u64, first_number: u64) -> Slot {
        match slot::from_bytes(self.from(geometry.slot_offset(index))) {
            Slot::Whole(header)
                if header.segment != self.number
                    || header.number != first_number.saturating_add(index) =>
            {
                Slot::Bad
            }
            slot => slot,
        }
    }

    fn found(self, offset: u64, slot: &Slot) -> Found {
        let bytes = self.from(offset);
        match RecordHeader::from_bytes(bytes) {
            Some(header) if header.segment != self.number || header.offset != offset => {
                Found::Elsewhere
            }
            Some(header) if header.payload(bytes).is_some() => Found::Whole(header),
            Some(_) => Found::Bad,
            // Where a record was, its whole room must be zero to be called so.
            None => match (slot, bytes.get(..BLOCK as usize)) {
                (_, Some(block)) if is_zero(block) => Found::Zero,
                _ => Found::Bad,
            },
        }
    }

    /// Offsets and headers of all records of this journal from `offset` on, block by block.
    fn headers_from(
        self,
        journal: &JournalId,
        offset: u64,
    ) -> impl Iterator<Item = (u64, RecordHeader)> {
        let offsets = (offset..self.bytes.len() as u64).step_by(BLOCK as usize);
        let headers = offsets.filter_map(move |at| Some((at, self.header_at(at)?)));
        headers.filter(move |(_, header)| header.journal == *journal)
    }

    /// Numbers of the records in their place from `offset` on.
    pub fn headers_here(self, journal: &JournalId, offset: u64) -> impl Iterator<Item = u64> {
        let records = self.headers_from(journal, offset);
        let here = records.filter(move |(at, record)| self.is_here(journal, record, *at));
        here.map(|(_, record)| record.number)
    }

    /// Of a segment without a header of its own: what says that it is another file, a header of
    /// another segment in its place or anything of another journal. Such a file was renamed or
    /// copied, and nothing of it may be taken for a torn tail.
    fn renamed(self, journal: &JournalId) -> Option<Damage> {
        let place = Place::File(FileName::Segment(self.number));
        let damage =
            |kind, offset, number| Damage { kind, place, offset, first: number, last: number };
        let whole = [0, BLOCK].into_iter().find_map(|at| {
            let header = SegmentHeader::from_bytes(self.from(at))?;
            (header.journal == *journal && header.segment != self.number)
                .then(|| damage(DamageKind::Misdirected, at, header.first_number))
        });
        whole.or_else(|| {
            self.bytes.chunks(SLOT_BYTES).zip(0..).find_map(|(sector, index)| {
                let (of, number) = match RecordHeader::from_bytes(sector) {
                    Some(record) => (record.journal, record.number),
                    None => {
                        let header = SegmentHeader::from_bytes(sector)?;
                        (header.journal, header.first_number)
                    }
                };
                let offset = index * SLOT_BYTES as u64;
                (of != *journal).then(|| damage(DamageKind::Foreign, offset, number))
            })
        })
    }

    /// What this segment proves. Whatever stands in any of its sectors counts, also what a
    /// misdirected write has brought there: a slot, for one, that covers the record which it
    /// certifies.
    pub fn proved(self, journal: &JournalId) -> Proved {
        let sectors = self.bytes.chunks(SLOT_BYTES);
        let durable = sectors.filter_map(|sector| proof(sector, journal)).max().unwrap_or(0);
        let is_begun = self.copies(journal).iter().any(Option::is_some);
        Proved { durable, is_begun }
    }
}

/// What a segment proves of the whole journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proved {
    /// The highest number that was durable; 0 if nothing says so.
    pub durable: u64,
    /// Whether its header stands in it, which proves whatever is in earlier segments. Else what
    /// stands there was misdirected or is a torn tail, and an earlier segment may prove more.
    pub is_begun: bool,
}

/// What a header or slot at the front of a sector proves to have been durable.
fn proof(sector: &[u8], journal: &JournalId) -> Option<u64> {
    if let Some(record) = RecordHeader::from_bytes(sector) {
        let is_slot = matches!(slot::from_bytes(sector), Slot::Whole(_));
        let number = if is_slot { record.proves() } else { record.durable };
        return (record.journal == *journal).then_some(number);
    }
    let header = SegmentHeader::from_bytes(sector).filter(|header| header.journal == *journal)?;
    Some(header.first_number.saturating_sub(1))
}

/// Walks over a segment; `chain` goes on to its last whole record, and `bounds.durable` to the end of
/// the group of which a record is proved durable.
pub fn walk(bounds: &mut Bounds, chain: &mut Chain, segment: Segment<'_>) -> Walk {
    let mut walk = Walk::default();
    let copies = segment.copies(&bounds.journal);
    let header = copies.iter().flatten().find(|header| starts(chain, header));
    walk.header = header.or(copies.iter().flatten().next()).cloned();
    for (copy, number) in copies.iter().zip(0..) {
        if *copy != walk.header {
            walk.bad_copies.push(number);
        }
    }
    let geometry = segment.geometry(walk.header.as_ref());
    walk.end.offset = geometry.records_start();
    let place = Place::File(FileName::Segment(segment.number));
    match &walk.header {
        Some(header) => {
            let (first, next) = (header.first_number, chain.number.saturating_add(1));
            if let [copy] = walk.bad_copies[..] {
                let offset = u64::from(copy) * BLOCK;
                let kind = DamageKind::HeaderCopy;
                walk.damage.push(Damage { kind, place, offset, first: 0, last: 0 });
            }
            if !starts(chain, header) {
                if first > next {
                    walk.gap = Some((next, first - 1));
                } else {
                    let kind = DamageKind::Altered;
                    walk.damage.push(Damage { kind, place, offset: 0, first, last: first });
                }
            }
            if chain.hash.is_none() || !starts(chain, header) {
                *chain = Chain {
                    number: first.saturating_sub(1),
                    hash: Some(header.previous),
                    ..*chain
                };
            }
        }
        None => {
            if let Some(renamed) = segment.renamed(&bounds.journal) {
                walk.damage.push(renamed);
                walk.end = segment.end(0, 0);
                return walk;
            }
            let last = bounds.durable;
            let first = chain.number.saturating_add(1);
            let record = segment.header_at(walk.end.offset);
            let record = record
                .filter(|record| segment.is_here(&bounds.journal, record, walk.end.offset))
                .filter(|record| record.number <= last);
            if last < first || record.is_none() {
                // Nothing here was durable, as far as anything proves: the caller decides.
                walk.end = segment.end(0, 0);
                return walk;
            }
            let kind = DamageKind::Header;
            walk.damage.push(Damage { kind, place, offset: 0, first, last });
        }
    }
    let mut steps = Steps { bounds, segment, geometry, first: chain.number.saturating_add(1) };
    steps.run(chain, &mut walk);
    walk
}

/// Whether the segment of this header continues the chain.
fn starts(chain: &Chain, header: &SegmentHeader) -> bool {
    chain.hash.is_none_or(|hash| {
        hash == header.previous && header.first_number == chain.number.saturating_add(1)
    })
}

impl Segment<'_> {
    fn end(self, offset: u64, index: u64) -> End {
        let rest = self.from(offset);
        let is_block_zero = rest.get(..BLOCK as usize).is_none_or(is_zero);
        let blocks = rest.chunks(BLOCK as usize).zip(1..);
        let written = blocks.filter(|(block, _)| !is_zero(block)).last().map_or(0, |(_, n)| n);
        let written_to = offset + written * BLOCK;
        End { offset, index, is_zero: is_block_zero, written_to }
    }
}

/// The walk over records, with what does not change.
struct Steps<'a> {
    bounds: &'a mut Bounds,
    segment: Segment<'a>,
    geometry: Geometry,
    /// Number of the segment's first record.
    first: u64,
}

impl Steps<'_> {
    fn run(&mut self, chain: &mut Chain, walk: &mut Walk) {
        let place = Place::File(FileName::Segment(self.segment.number));
        let mut offset = self.geometry.records_start();
        let mut index = 0;
        while index < self.geometry.slots() && !self.segment.from(offset).is_empty() {
            let number = chain.number.saturating_add(1);
            let slot = self.segment.slot(self.geometry, index, self.first);
            let found = match self.segment.found(offset, &slot) {
                Found::Whole(record) if self.was_cut(chain, &record) && slot == Slot::Empty => {
                    Found::Bad
                }
                found => found,
            };
            let later = match found {
                Found::Whole(_) => None,
                _ => self.later(offset + BLOCK, number, chain.term),
            };
            let later_durable = later.as_ref().map(|(_, record)| record.durable);
            let verdict = verdict(self.bounds, chain, &slot, &found, later_durable);
            let damage = |kind| Damage { kind, place, offset, first: number, last: number };
            match (verdict, found) {
                (Verdict::Whole | Verdict::SlotDamaged | Verdict::Kept, Found::Whole(header)) => {
                    let durable = verdict != Verdict::Kept;
                    let has_slot = verdict == Verdict::Whole;
                    if verdict == Verdict::SlotDamaged && slot == Slot::Bad {
                        let offset = self.geometry.slot_offset(index);
                        walk.damage.push(Damage { offset, ..damage(DamageKind::Slot) });
                    }
                    if durable {
                        self.bounds.durable = self.bounds.durable.max(header.proves());
                        // What stands before a durable record was durable before it.
                        walk.records.iter_mut().for_each(|record| record.durable = true);
                    }
                    *chain = follow(&header);
                    (offset, index) = (offset + header.size(), index + 1);
                    if walk.damage.iter().all(|damage| !damage.kind.refuses()) {
                        walk.records.push(Record { header, durable, has_slot });
                    }
                }
                (Verdict::Damage(kind), found) => {
                    let next = match (&slot, found, later) {
                        (Slot::Whole(record), ..) if record.offset == offset => {
                            Some((offset + record.size(), follow(record)))
                        }
                        (_, Found::Whole(record), _) => {
                            Some((offset + record.size(), follow(&record)))
                        }
                        (.., later) => later.map(|(at, record)| (at, before(&record))),
                    };
                    let Some((at, continued)) = next else {
                        let last = self.bounds.durable.max(number);
                        walk.damage.push(Damage { last, ..damage(kind) });
                        break;
                    };
                    walk.damage.push(Damage { last: continued.number, ..damage(kind) });
                    index = continued.number.saturating_add(1).saturating_sub(self.first);
                    (offset, *chain) = (at, continued);
                }
                _ => break,
            }
        }
        self.misdirected(offset, walk);
        walk.end = self.segment.end(offset, index);
    }

    /// Whether this is a torn tail whose removal did not reach the disk: behind records of a later
    /// writer, or behind the end that the last writer's start has found.
    fn was_cut(&self, chain: &Chain, record: &RecordHeader) -> bool {
        let is_behind = record.term < self.bounds.term && record.number > self.bounds.kept;
        record.term < chain.term || is_behind
    }

    /// The first record in its place from `offset` on with a number above `number`, of this writer
    /// or a later one.
    fn later(&self, offset: u64, number: u64, term: u32) -> Option<(u64, RecordHeader)> {
        let journal = &self.bounds.journal;
        self.segment.headers_from(journal, offset).find(|(at, record)| {
            self.segment.is_here(journal, record, *at)
                && record.number > number
                && record.term >= term
                && record.payload(self.segment.from(*at)).is_some()
        })
    }

    /// Records of other places behind the end.
    fn misdirected(&self, end: u64, walk: &mut Walk) {
        let journal = &self.bounds.journal;
        let place = Place::File(FileName::Segment(self.segment.number));
        let known: Vec<u64> = walk.damage.iter().map(|damage| damage.offset).collect();
        for (offset, record) in self.segment.headers_from(journal, end) {
            if !self.segment.is_here(journal, &record, offset) && !known.contains(&offset) {
                let (kind, first) = (DamageKind::Misdirected, record.number);
                walk.damage.push(Damage { kind, place, offset, first, last: first });
            }
        }
    }
}

/// The chain after this record.
fn follow(record: &RecordHeader) -> Chain {
    let RecordHeader { number, hash, epoch, term, .. } = *record;
    Chain { number, hash: Some(hash), epoch, term }
}

/// The chain before this record.
fn before(record: &RecordHeader) -> Chain {
    let RecordHeader { number, previous, epoch, term, .. } = *record;
    Chain { number: number.saturating_sub(1), hash: Some(previous), epoch, term }
}
