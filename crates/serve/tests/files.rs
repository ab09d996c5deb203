//! Effects of the storage on real files.

use std::fs;

use surgetank_serve::files::{Files, Lock};
use surgetank_venue::storage::effect::{Done, Effect, Errno, FileName};

fn write(segment: u64, offset: u64, bytes: &[u8]) -> Effect {
    Effect::Write { segment, offset, bytes: bytes.into() }
}

#[test]
fn effects_do_what_they_say() {
    let directory = tempfile::tempdir().expect("a directory");
    let _lock = Lock::take(directory.path()).expect("it is ours");
    let mut files = Files::new(directory.path());
    let mut perform = |effect: Effect| files.perform(&effect);
    assert_eq!(perform(Effect::List), Ok(Done::Files(vec![])));
    assert_eq!(perform(Effect::ReadSuperblock { copy: 3 }), Ok(Done::Bytes(vec![])));
    for segment in 1..=3 {
        assert_eq!(perform(Effect::Allocate { segment, bytes: 3 << 19 }), Ok(Done::Finished));
    }
    assert_eq!(perform(write(1, 10, b"abc")), Ok(Done::Finished));
    assert_eq!(perform(write(2, 0, b"x")), Ok(Done::Finished));
    assert_eq!(perform(write(3, 0, b"y")), Ok(Done::Finished));
    for segment in 1..=3 {
        assert_eq!(perform(Effect::Sync { segment }), Ok(Done::Finished));
    }
    let read = |offset, length| Effect::Read { segment: 1, offset, length };
    assert_eq!(perform(read(9, 5)), Ok(Done::Bytes(b"\0abc\0".to_vec())));
    assert_eq!(perform(read((3 << 19) - 2, 9)), Ok(Done::Bytes(vec![0, 0])), "to the end");
    for copy in 0..4 {
        let bytes = vec![copy; 4096].into();
        assert_eq!(perform(Effect::WriteSuperblock { copy, bytes }), Ok(Done::Finished));
    }
    assert_eq!(perform(Effect::ReadSuperblock { copy: 2 }), Ok(Done::Bytes(vec![2; 4096])));
    let bytes = b"state".to_vec();
    assert_eq!(
        perform(Effect::WriteSnapshot { number: 5, bytes: bytes.clone().into() }),
        Ok(Done::Finished)
    );
    assert_eq!(perform(Effect::ReadSnapshot { number: 5 }), Ok(Done::Bytes(bytes)));
    assert_eq!(perform(Effect::Archive(FileName::Segment(1))), Ok(Done::Finished));
    let left = vec![
        (FileName::Segment(2), 3 << 19),
        (FileName::Segment(3), 3 << 19),
        (FileName::Snapshot(5), 5),
    ];
    assert_eq!(perform(Effect::List), Ok(Done::Files(left)));
    assert!(directory.path().join("archive/00000000000000000001.segment").exists());
}

#[test]
fn failures_have_their_causes() {
    let directory = tempfile::tempdir().expect("a directory");
    let _lock = Lock::take(directory.path()).expect("it is ours");
    let mut files = Files::new(directory.path());
    let no_entry = Errno::Other(rustix::io::Errno::NOENT.raw_os_error());
    assert_eq!(files.perform(&write(1, 0, b"x")), Err(no_entry));
    assert_eq!(files.perform(&Effect::Sync { segment: 1 }), Err(no_entry));
    let allocate = Effect::Allocate { segment: 1, bytes: 1 << 20 };
    fs::remove_dir(directory.path().join("journal")).expect("it is empty");
    assert_eq!(files.perform(&allocate), Err(no_entry));
}

#[test]
fn unfinished_files_are_removed_and_others_are_not_listed() {
    let directory = tempfile::tempdir().expect("a directory");
    drop(Lock::take(directory.path()).expect("it is ours"));
    let journal = directory.path().join("journal");
    for name in ["00000000000000000001.new", "1.segment", "notes.txt"] {
        fs::write(journal.join(name), "x").expect("it is written");
    }
    let _lock = Lock::take(directory.path()).expect("it is ours");
    assert!(!journal.join("00000000000000000001.new").exists());
    assert_eq!(Files::new(directory.path()).perform(&Effect::List), Ok(Done::Files(vec![])));
}
