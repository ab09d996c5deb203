//! The layouts to the byte, and recovery on any bytes.

use proptest::prelude::*;
use surgetank_layer::units::Digest;
use surgetank_venue::storage::record::{BLOCK, HEADER_BYTES, RecordHeader, RecordKind};
use surgetank_venue::storage::segment::{Geometry, SegmentHeader};
use surgetank_venue::storage::slot::{self, SLOT_BYTES, Slot};
use surgetank_venue::storage::snapshots::Snapshot;
use surgetank_venue::storage::superblock::Superblock;
use surgetank_venue::storage::{Mode, effect::FileName};

use crate::memory_disk::{Disk, JOURNAL, Running, Start};

fn header() -> RecordHeader {
    RecordHeader {
        kind: RecordKind::Batch,
        ends_group: true,
        journal: JOURNAL,
        epoch: 1,
        term: 2,
        number: 3,
        segment: 4,
        offset: 5 * BLOCK,
        length: 6,
        payload_crc: 7,
        durable: 8,
        first_sequence: 9,
        sealed_ns: 10,
        ordered: 11,
        previous: Digest([12; 32]),
        hash: Digest([13; 32]),
    }
}

#[test]
fn fields_stand_where_the_layout_says() {
    let bytes = header().to_bytes();
    let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    assert_eq!(&bytes[..24], [&b"SGTR"[..], &[1, 0, 3, 1], &JOURNAL].concat());
    assert_eq!([24, 28, 56, 60, 88].map(u32_at), [1, 2, 6, 7, 11]);
    assert_eq!([32, 40, 48, 64, 72, 80].map(u64_at), [3, 4, 5 * BLOCK, 8, 9, 10]);
    assert_eq!((bytes[92..124].to_vec(), bytes[124..156].to_vec()), (vec![12; 32], vec![13; 32]));
}

#[test]
fn a_slot_for_each_block_fits_a_segment() {
    let geometry = Geometry { bytes: 64 << 20 };
    assert_eq!((geometry.slots(), geometry.records_start()), (14_561, 7_467_008));
    assert!(geometry.records_start() + geometry.slots() * BLOCK <= geometry.bytes + BLOCK);
    assert!(geometry.fits(0, geometry.records_start(), geometry.payload_max()));
    assert!(!geometry.fits(0, geometry.records_start(), geometry.payload_max() + 1));
}

/// Whether a change of one bit is noticed, of any of these bytes.
fn every_bit_counts(bytes: &[u8], is_whole: impl Fn(&[u8]) -> bool) {
    assert!(is_whole(bytes));
    for at in 0..bytes.len() {
        let mut flipped = bytes.to_vec();
        flipped[at] ^= 1 << (at % 8);
        assert!(!is_whole(&flipped), "byte {at}");
        assert!(!is_whole(&bytes[..at]), "cut at {at}");
    }
}

#[test]
fn every_bit_of_every_structure_is_under_a_checksum() {
    every_bit_counts(&header().to_bytes(), |bytes| RecordHeader::from_bytes(bytes).is_some());
    every_bit_counts(&slot::to_bytes(&header()), |bytes| {
        matches!(slot::from_bytes(bytes), Slot::Whole(_))
    });
    let segment = SegmentHeader {
        journal: JOURNAL,
        epoch: 1,
        segment: 2,
        first_number: 3,
        bytes: 4,
        previous: Digest([5; 32]),
        created_ns: 6,
    };
    every_bit_counts(&segment.to_bytes(), |bytes| SegmentHeader::from_bytes(bytes).is_some());
    let superblock = Superblock::new(JOURNAL, 7).to_bytes();
    every_bit_counts(&superblock, |bytes| Superblock::from_bytes(bytes).is_some());
    let snapshot = Snapshot {
        journal: JOURNAL,
        epoch: 1,
        number: 2,
        sequence: 3,
        hash: Digest([4; 32]),
        genesis: Digest([5; 32]),
        build: Digest([6; 32]),
        state_hash: Digest([7; 32]),
        state: vec![8; 500].into(),
    };
    every_bit_counts(&snapshot.to_bytes(), |bytes| Snapshot::from_bytes(bytes).is_some());
    assert_eq!(Snapshot::from_bytes(&snapshot.to_bytes()), Some(snapshot));
    assert_eq!(RecordHeader::from_bytes(&header().to_bytes()), Some(header()));
    assert_eq!(slot::from_bytes(&[0; SLOT_BYTES]), Slot::Empty);
}

/// A disk with records in three segments and two snapshots.
fn disk() -> Disk {
    let mut running = Running::new(Disk::default(), Mode::Serve);
    running.start();
    (0..20).for_each(|_| running.append());
    running.snapshot(5);
    running.snapshot(15);
    (0..10).for_each(|_| running.append());
    running.disk
}

/// Headers with checksums that hold, and any numbers in them.
fn forged() -> impl Strategy<Value = Vec<u8>> {
    let number = || prop_oneof![0..40u64, (u64::MAX - 3)..=u64::MAX, any::<u64>()];
    let record = (number(), number(), number(), number(), any::<u32>()).prop_map(
        |(number, segment, offset, durable, length)| {
            let header = RecordHeader { number, segment, offset, durable, length, ..header() };
            header.to_bytes().to_vec()
        },
    );
    let segment = (number(), number(), number()).prop_map(|(segment, first_number, bytes)| {
        let (journal, epoch, previous) = (JOURNAL, 1, Digest([0; 32]));
        let created_ns = 0;
        SegmentHeader { journal, epoch, segment, first_number, bytes, previous, created_ns }
            .to_bytes()
            .to_vec()
    });
    let superblock = (number(), number(), any::<u32>()).prop_map(|(epoch_first, durable, term)| {
        let superblock = Superblock::new(JOURNAL, 0);
        let superblock = Superblock { begun: true, epoch_first, durable, term, ..superblock };
        superblock.to_bytes().to_vec()
    });
    let slot = (number(), number()).prop_map(|(number, segment)| {
        slot::to_bytes(&RecordHeader { number, segment, ..header() }).to_vec()
    });
    prop_oneof![record, segment, superblock, slot, prop::collection::vec(any::<u8>(), 0..600)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever stands in the files, a start ends in service or in a refusal, and so does the next.
    #[test]
    fn any_bytes_lead_to_service_or_refusal(
        writes in prop::collection::vec((0..6usize, 0..140u64, forged()), 1..6),
        cut in prop::option::of((0..6usize, 0..70_000usize)),
    ) {
        let mut disk = disk();
        let names: Vec<FileName> = disk.files.keys().copied().collect();
        for (file, sector, bytes) in writes {
            let content = match names.get(file) {
                Some(name) => disk.files.get_mut(name).expect("a file"),
                None => &mut disk.superblock,
            };
            let at = (sector * 512) as usize % content.len();
            let length = bytes.len().min(content.len() - at);
            content[at..at + length].copy_from_slice(&bytes[..length]);
        }
        if let Some((file, length)) = cut
            && let Some(name) = names.get(file)
        {
            disk.files.get_mut(name).expect("a file").truncate(length);
        }
        let mut first = Running::new(disk, Mode::Serve);
        if let Start::Served(recovered) = first.start() {
            let mut second = Running::new(first.disk, Mode::Serve);
            let again = second.start();
            let Start::Served(again) = again else { panic!("{again:?}") };
            prop_assert_eq!(again.number, recovered.number);
        }
    }
}

/// A segment of which only a stray record stands in its file is made empty by the first start. What
/// the segment before it proves counts for that start, and not only for the next one.
#[test]
fn a_segment_without_a_header_does_not_hide_what_an_earlier_one_proves() {
    let mut disk = disk();
    let segments = disk.files.iter().filter_map(|(name, bytes)| match name {
        FileName::Segment(segment) if bytes.iter().any(|byte| *byte > 0) => Some(*segment),
        _ => None,
    });
    let last = segments.max().expect("a segment");
    let stray = RecordHeader { segment: last + 1, offset: 0, durable: 0, length: 0, ..header() };
    let claim = RecordHeader { segment: last + 1, number: u64::MAX, ..header() };
    let slots_end = Geometry { bytes: disk.files[&FileName::Segment(last)].len() as u64 }
        .records_start() as usize;
    let mut put = |segment, at: usize, bytes: &[u8]| {
        let file = disk.files.get_mut(&FileName::Segment(segment)).expect("a segment");
        file[at..at + bytes.len()].copy_from_slice(bytes);
    };
    put(last + 1, 0, &stray.to_bytes());
    put(last, slots_end - SLOT_BYTES, &slot::to_bytes(&claim));
    let start = Running::new(disk, Mode::Serve).start();
    assert!(matches!(start, Start::Refused(_)), "{start:?}");
}

#[test]
fn a_header_is_as_long_as_it_says() {
    assert_eq!(header().to_bytes().len(), HEADER_BYTES);
}
