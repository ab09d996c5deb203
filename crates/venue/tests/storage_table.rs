//! Recovery, row by row of the table in `docs/storage.md`.

use surgetank_layer::units::Digest;
use surgetank_venue::storage::Mode;
use surgetank_venue::storage::damage::{Damage, DamageKind, Place};
use surgetank_venue::storage::effect::FileName;
use surgetank_venue::storage::record::{BLOCK, HEADER_BYTES, RecordHeader};
use surgetank_venue::storage::segment::Geometry;
use surgetank_venue::storage::slot;
use surgetank_venue::storage::superblock::Superblock;

use crate::memory_disk::{Disk, Running, SEGMENT_BYTES, Start};

/// Offset of the record with this number in a segment that begins with number 1.
fn record(number: u64) -> usize {
    (Geometry { bytes: SEGMENT_BYTES }.records_start() + (number - 1) * BLOCK) as usize
}

fn slot_of(number: u64) -> usize {
    Geometry { bytes: SEGMENT_BYTES }.slot_offset(number - 1) as usize
}

/// A disk with this many records of one block, each a group; the last has no slot.
fn disk(records: u64) -> Disk {
    let mut running = Running::new(Disk::default(), Mode::Serve);
    assert!(matches!(running.start(), Start::Served(_)));
    (0..records).for_each(|_| running.append());
    running.disk
}

/// What a start on this disk says, and which numbers it replays.
fn start(disk: &Disk) -> (Start, Vec<u64>) {
    let mut running = Running::new(disk.clone(), Mode::Serve);
    let start = running.start();
    if let Start::Refused(_) = start {
        assert_eq!(running.changes, 0, "a refusal changes nothing");
    }
    (start, running.replayed())
}

#[track_caller]
fn serves(disk: &Disk, records: u64, expected: &[DamageKind]) -> Vec<Damage> {
    let (start, replayed) = start(disk);
    let Start::Served(recovered) = start else { panic!("{start:?}") };
    let kinds: Vec<DamageKind> = recovered.damage.iter().map(|damage| damage.kind).collect();
    assert_eq!((recovered.number, &kinds[..]), (records, expected));
    assert_eq!(replayed, (1..=records).collect::<Vec<_>>());
    recovered.damage
}

#[track_caller]
fn refuses(disk: &Disk, kind: DamageKind, segment: u64, offset: usize, numbers: [u64; 2]) {
    let (start, _) = start(disk);
    let Start::Refused(damage) = start else { panic!("{start:?}") };
    let place = Place::File(FileName::Segment(segment));
    let [first, last] = numbers;
    let expected = Damage { kind, place, offset: offset as u64, first, last };
    assert!(damage.contains(&expected), "{expected:?} is not in {damage:?}");
}

/// Changes a record's header at its place.
fn rewrite(disk: &mut Disk, number: u64, change: impl FnOnce(&mut RecordHeader)) {
    let bytes = &mut disk.segment(1)[record(number)..];
    let mut header = RecordHeader::from_bytes(bytes).expect("a whole header");
    change(&mut header);
    bytes[..HEADER_BYTES].copy_from_slice(&header.to_bytes());
}

fn zero(disk: &mut Disk, from: usize, length: usize) {
    disk.segment(1)[from..from + length].fill(0);
}

#[test]
fn row_1_whole_records_are_replayed() {
    serves(&disk(5), 5, &[]);
}

#[test]
fn row_2_a_bad_slot_of_a_durable_record_is_written_again() {
    let mut disk = disk(5);
    disk.segment(1)[slot_of(3) + 7] ^= 1;
    let mut running = Running::new(disk, Mode::Serve);
    let Start::Served(recovered) = running.start() else { panic!() };
    assert_eq!(recovered.damage[0].kind, DamageKind::Slot);
    assert_eq!(recovered.damage[0].offset, slot_of(3) as u64);
    serves(&running.disk, 5, &[]);
}

#[test]
fn row_3_a_whole_record_without_proof_is_kept_written_again_and_then_handed_over() {
    let disk = disk(5);
    assert!(
        disk.files[&FileName::Segment(1)][slot_of(5)..slot_of(6)].iter().all(|byte| *byte == 0)
    );
    let mut running = Running::new(disk.clone(), Mode::Serve);
    running.start();
    // Two copies of the header, the record, a sync, four of the superblock, a segment ahead or not.
    assert!(running.changes >= 8, "{}", running.changes);
    serves(&disk, 5, &[]);
}

#[test]
fn row_4_a_bad_last_group_is_a_torn_tail_and_is_cut() {
    let mut disk = disk(5);
    disk.segment(1)[record(5) + 170] ^= 1;
    let damage = serves(&disk, 4, &[DamageKind::TornTail]);
    assert_eq!((damage[0].offset, damage[0].first, damage[0].last), (record(5) as u64, 5, 5));
    let mut running = Running::new(disk, Mode::Serve);
    running.start();
    assert!(running.disk.segment(1)[record(5)..].iter().all(|byte| *byte == 0));
}

#[test]
fn row_4_a_torn_tail_that_was_cut_stays_cut_although_the_disk_has_lost_the_zeros() {
    let mut whole = disk(5);
    let bytes = whole.segment(1)[record(5)..record(6)].to_vec();
    let mut torn = whole.clone();
    torn.segment(1)[record(5) + 170] ^= 1;
    let mut running = Running::new(torn, Mode::Serve);
    running.start();
    running.disk.segment(1)[record(5)..record(6)].copy_from_slice(&bytes);
    serves(&running.disk, 4, &[DamageKind::TornTail]);
}

#[test]
fn row_5_a_record_with_a_slot_that_does_not_hold_is_rotten() {
    let mut disk = disk(5);
    disk.segment(1)[record(3) + 170] ^= 1;
    refuses(&disk, DamageKind::Rotten, 1, record(3), [3, 3]);
}

#[test]
fn row_6_a_zero_record_with_a_slot_is_lost() {
    let mut disk = disk(5);
    zero(&mut disk, record(4), BLOCK as usize);
    refuses(&disk, DamageKind::Lost, 1, record(4), [4, 4]);
}

#[test]
fn row_7_a_record_of_another_place_is_misdirected() {
    let mut whole = disk(5);
    let bytes = whole.segment(1)[record(2)..record(3)].to_vec();
    whole.segment(1)[record(4)..record(5)].copy_from_slice(&bytes);
    refuses(&whole, DamageKind::Misdirected, 1, record(4), [4, 4]);
    // Also behind the end, where nothing was yet.
    let mut whole = disk(3);
    whole.segment(1)[record(8)..record(9)].copy_from_slice(&bytes);
    refuses(&whole, DamageKind::Misdirected, 1, record(8), [2, 2]);
}

#[test]
fn row_8_a_bad_record_that_a_later_one_proves_durable_is_rotten() {
    let mut disk = disk(5);
    zero(&mut disk, slot_of(3), 512);
    disk.segment(1)[record(3) + 170] ^= 1;
    refuses(&disk, DamageKind::Rotten, 1, record(3), [3, 3]);
}

#[test]
fn row_8_a_slot_that_covers_its_own_record_proves_it() {
    // Of the last record, whose slot nothing else proves: misdirected to the record's first sector.
    let mut whole = disk(5);
    let header = RecordHeader::from_bytes(&whole.segment(1)[record(5)..]).expect("a whole header");
    let sector = record(5)..record(5) + slot::SLOT_BYTES;
    whole.segment(1)[sector.clone()].copy_from_slice(&slot::to_bytes(&header));
    refuses(&whole, DamageKind::Rotten, 1, record(5), [5, 5]);
    // A slot that stands anywhere else proves it as well.
    let mut elsewhere = disk(5);
    elsewhere.segment(1)[sector].fill(1);
    elsewhere.segment(1)[record(9) + 512..record(9) + 1024]
        .copy_from_slice(&slot::to_bytes(&header));
    refuses(&elsewhere, DamageKind::Rotten, 1, record(5), [5, 5]);
}

#[test]
fn row_8_what_was_misdirected_into_an_unused_segment_hides_no_proof() {
    let mut whole = disk(15);
    let header = RecordHeader::from_bytes(&whole.segment(1)[record(2)..]).expect("a whole header");
    let at = Geometry { bytes: SEGMENT_BYTES }.slot_offset(0) as usize;
    let third = whole.segment(3);
    third[at..at + slot::SLOT_BYTES].copy_from_slice(&slot::to_bytes(&header));
    third[136] = 1;
    // The slot of record 13 was lost: only what else stands in the second segment proves it.
    whole.segment(2)[at..at + slot::SLOT_BYTES].fill(0);
    serves(&whole, 15, &[DamageKind::TornTail]);
}

#[test]
fn row_9_a_record_that_does_not_continue_the_one_before_is_altered() {
    let mut disk = disk(5);
    rewrite(&mut disk, 5, |header| header.previous = Digest([9; 32]));
    refuses(&disk, DamageKind::Altered, 1, record(5), [5, 5]);
}

#[test]
fn row_10_a_record_of_a_later_group_makes_a_bad_one_rotten() {
    let mut disk = disk(3);
    // A record that claims to be two groups further on, but that less was durable.
    let bytes = disk.segment(1)[record(3)..record(4)].to_vec();
    disk.segment(1)[record(4)..record(5)].copy_from_slice(&bytes);
    rewrite(&mut disk, 4, |header| {
        (header.number, header.offset, header.durable) = (4, record(4) as u64, 1);
    });
    disk.segment(1)[record(3) + 170] ^= 1;
    refuses(&disk, DamageKind::Rotten, 1, record(3), [3, 3]);
}

#[test]
fn row_11_a_record_of_another_history_or_writer_is_foreign() {
    for change in [
        (|header| header.epoch = 2) as fn(&mut RecordHeader),
        |header| header.term = 7,
        |header| header.journal = [1; 16],
    ] {
        let mut disk = disk(5);
        rewrite(&mut disk, 5, change);
        let (start, _) = start(&disk);
        let Start::Refused(damage) = start else { panic!("{start:?}") };
        assert_eq!(damage[0].kind, DamageKind::Foreign, "{damage:?}");
    }
}

#[test]
fn row_12_a_segment_that_is_not_there_is_missing() {
    let whole = disk(30);
    serves(&whole, 30, &[]);
    let mut between = whole.clone();
    between.files.remove(&FileName::Segment(2));
    refuses(&between, DamageKind::Missing, 2, 0, [0, 0]);
    let mut first = whole.clone();
    first.files.remove(&FileName::Segment(1));
    refuses(&first, DamageKind::Missing, 1, 0, [1, 12]);
}

#[test]
fn row_13_one_bad_copy_of_a_segment_header_is_repaired() {
    for copy in [0, BLOCK as usize] {
        let mut disk = disk(5);
        disk.segment(1)[copy + 20] ^= 1;
        serves(&disk, 5, &[DamageKind::HeaderCopy]);
        let mut running = Running::new(disk, Mode::Serve);
        running.start();
        serves(&running.disk, 5, &[]);
    }
}

#[test]
fn row_14_two_bad_copies_of_a_segment_header_refuse() {
    let mut disk = disk(5);
    [20, BLOCK as usize + 20].into_iter().for_each(|at| disk.segment(1)[at] ^= 1);
    refuses(&disk, DamageKind::Header, 1, 0, [1, 4]);
}

#[test]
fn row_14_a_segment_without_header_is_named_when_later_ones_miss_its_records() {
    let whole = disk(30);
    let mut later = whole.clone();
    // Of the second segment nothing is left that is whole but slots and later records.
    let to = record(1) + HEADER_BYTES;
    later.segment(2)[..Geometry { bytes: SEGMENT_BYTES }.slot_offset(0) as usize].fill(7);
    later.segment(2)[record(1)..to].fill(7);
    refuses(&later, DamageKind::Header, 2, 0, [13, 24]);
    later.files.remove(&FileName::Segment(1));
    refuses(&later, DamageKind::Header, 2, 0, [1, 24]);
    let mut last = whole.clone();
    last.files.remove(&FileName::Segment(3));
    last.segment(2)[..BLOCK as usize * 2].fill(7);
    last.segment(2)[record(1)..to].fill(7);
    refuses(&last, DamageKind::Header, 2, 0, [13, 24]);
}

#[test]
fn row_16_a_crash_while_the_superblock_is_written_leaves_a_pair_that_agrees() {
    // Whatever two copies agree, no prefix of a start's writes, the last one torn, parts them all.
    for pair in [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]] {
        let mut disk = disk(5);
        for copy in (0..4).filter(|copy| !pair.contains(copy)) {
            disk.superblock[copy * BLOCK as usize + 30] ^= 1;
        }
        for writes in 0..4 {
            let mut running = Running::new(disk.clone(), Mode::Serve);
            running.disk.superblock_writes_left = Some(writes);
            running.start_and_crash();
            running.disk.superblock_writes_left = None;
            let (start, _) = start(&running.disk);
            assert!(matches!(start, Start::Served(_)), "{pair:?}, {writes}: {start:?}");
        }
    }
}

#[test]
fn rows_15_and_16_two_copies_of_the_superblock_must_agree() {
    let mut disk = disk(5);
    for copy in [0, 3] {
        disk.superblock[copy * BLOCK as usize + 30] ^= 1;
    }
    serves(&disk, 5, &[DamageKind::SuperblockCopy; 2]);
    let mut newer = disk.clone();
    let whole = Superblock::from_bytes(&disk.superblock[BLOCK as usize..]).expect("whole");
    let update = Superblock { update: whole.update + 1, ..whole }.to_bytes();
    newer.superblock[BLOCK as usize..2 * BLOCK as usize].copy_from_slice(&update);
    let (start, _) = start(&newer);
    let Start::Refused(damage) = start else { panic!("{start:?}") };
    assert_eq!((damage[0].kind, damage[0].place), (DamageKind::Superblock, Place::Superblock));
}

#[test]
fn row_17_a_bad_snapshot_is_replaced_by_the_one_before() {
    let mut running = Running::new(disk(5), Mode::Serve);
    running.start();
    running.snapshot(2);
    running.snapshot(4);
    let mut disk = running.disk;
    let number = |disk: &Disk| {
        let mut running = Running::new(disk.clone(), Mode::Serve);
        let start = running.start();
        assert!(matches!(start, Start::Served(_)), "{start:?}");
        running.replayed()
    };
    assert_eq!(number(&disk), [5]);
    disk.files.get_mut(&FileName::Snapshot(4)).expect("a snapshot")[300] ^= 1;
    assert_eq!(number(&disk), [3, 4, 5]);
    disk.files.get_mut(&FileName::Snapshot(2)).expect("a snapshot")[300] ^= 1;
    assert_eq!(number(&disk), [1, 2, 3, 4, 5]);
}

#[test]
fn row_18_a_replay_that_leads_to_another_state_refuses() {
    let mut running = Running::new(disk(5), Mode::Serve);
    running.start();
    running.snapshot(4);
    let mut running = Running::new(running.disk, Mode::Serve);
    running.states_hold = false;
    let Start::Refused(damage) = running.start() else { panic!() };
    let other = damage.iter().find(|damage| damage.kind == DamageKind::OtherExecution);
    assert_eq!(other.map(|damage| damage.place), Some(Place::File(FileName::Snapshot(4))));
    assert_eq!(running.changes, 0);
}

#[test]
fn a_check_changes_nothing_and_a_repair_cuts_but_begins_no_writer() {
    let mut disk = disk(5);
    disk.segment(1)[record(5) + 170] ^= 1;
    for (mode, is_changed) in [(Mode::Check, false), (Mode::Repair, true)] {
        let mut running = Running::new(disk.clone(), mode);
        let Start::Served(recovered) = running.start() else { panic!() };
        assert_eq!(recovered.damage[0].kind, DamageKind::TornTail);
        assert_eq!((running.changes > 0, recovered.term), (is_changed, 1));
        serves(&running.disk, 4, if is_changed { &[] } else { &[DamageKind::TornTail] });
    }
}
