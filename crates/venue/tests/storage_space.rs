//! Segments ahead, the reserve, and the archive.

use surgetank_venue::storage::Mode;
use surgetank_venue::storage::effect::{FileName, Input, Output, Space};

use crate::memory_disk::{Disk, Running};

fn spaces(running: &Running) -> Vec<Space> {
    let spaces = running.said.iter().filter_map(|output| match output {
        Output::Space(space) => Some(*space),
        _ => None,
    });
    spaces.collect()
}

fn durable(running: &Running) -> u64 {
    let numbers = running.said.iter().filter_map(|output| match output {
        Output::Durable { number } => Some(*number),
        _ => None,
    });
    numbers.max().unwrap_or(0)
}

#[test]
fn a_full_disk_is_said_and_records_wait_until_there_is_room() {
    let mut running = Running::new(Disk { segments_left: 2, ..Disk::default() }, Mode::Serve);
    running.start();
    (0..12).for_each(|_| running.append());
    assert_eq!((durable(&running), spaces(&running)), (12, vec![]));
    running.append();
    assert_eq!(spaces(&running), [Space::Reserve]);
    (0..13).for_each(|_| running.append());
    assert_eq!(durable(&running), 24);
    assert_eq!(spaces(&running), [Space::Reserve, Space::Full]);
    running.input(Input::Second);
    assert_eq!(durable(&running), 24);
    running.disk.segments_left = 10;
    running.input(Input::Second);
    assert_eq!(durable(&running), 26);
    assert_eq!(spaces(&running).last(), Some(&Space::Ample));
}

#[test]
fn what_two_snapshots_cover_is_archived() {
    let mut running = Running::new(Disk::default(), Mode::Serve);
    running.start();
    (0..30).for_each(|_| running.append());
    running.snapshot(10);
    running.snapshot(24);
    assert_eq!(running.disk.archived, []);
    running.snapshot(30);
    let archived = [FileName::Snapshot(10), FileName::Segment(1), FileName::Segment(2)];
    assert_eq!(running.disk.archived, archived);
    let mut again = Running::new(running.disk, Mode::Serve);
    again.start();
    assert!(again.replayed().is_empty());
}
