//! Files that are lost, cut, exchanged, of another venue, or zero in parts: a start refuses, or has
//! all that was acknowledged, and `check` says which before.

use std::fs;
use std::path::{Path, PathBuf};

use surgetank_serve::check::{check, repair};
use surgetank_serve::progress::Ended;
use surgetank_serve::running::Running;
use surgetank_venue::storage::damage::DamageKind;
use surgetank_venue::storage::segment::SegmentHeader;

use crate::check::{Tree, ignoring_lock, killed, placed, tree};
use crate::started::{LONG, drain, try_start};

/// The durable record up to which a start has come, or how it ended.
fn started(directory: &Path) -> Result<u64, Ended> {
    let running: Running = try_start(directory).expect("it begins");
    running.wait_started(LONG);
    match running.recovery() {
        Some(recovery) => {
            drain(&running);
            Ok(recovery.journal.number)
        }
        None => Err(running.wait(LONG).expect("it ends")),
    }
}

/// A mishap, its name, and whether what is durable is still there.
struct Mishap {
    name: String,
    happen: Box<dyn Fn(&Path)>,
    /// All that is durable is left: only then may a start serve.
    is_harmless: bool,
}

fn mishap(name: String, is_harmless: bool, happen: impl Fn(&Path) + 'static) -> Mishap {
    Mishap { name, happen: Box::new(happen), is_harmless }
}

fn write_at(path: &Path, at: usize, content: &[u8]) {
    let mut bytes = fs::read(path).expect("a file");
    bytes[at..at + content.len()].copy_from_slice(content);
    fs::write(path, bytes).expect("it is written");
}

/// Names of the journal's segments below the directory, and whether they have records.
fn segments(files: &Tree, root: &Path) -> Vec<(PathBuf, bool)> {
    let journal = root.join("journal");
    let mine = files.iter().filter(|(path, _)| path.starts_with(&journal));
    mine.map(|(path, bytes)| {
        let name = path.strip_prefix(root).expect("below it").to_path_buf();
        (name, SegmentHeader::from_bytes(bytes).is_some())
    })
    .collect()
}

fn mishaps(files: &Tree, root: &Path, foreign: &Tree, foreign_root: &Path) -> Vec<Mishap> {
    let segments = segments(files, root);
    let used: Vec<&PathBuf> = segments.iter().filter(|(_, used)| *used).map(|(at, _)| at).collect();
    assert!(used.len() >= 2 && segments.len() > used.len(), "several, and an empty one: {used:?}");
    let mut all = Vec::new();
    for name in used {
        let at = name.display().to_string();
        let file = name.clone();
        all.push(mishap(format!("both headers of {at} are zero"), false, move |root| {
            write_at(&root.join(&file), 0, &[0; 8192]);
        }));
        let file = name.clone();
        all.push(mishap(format!("{at} is lost"), false, move |root| {
            fs::remove_file(root.join(&file)).expect("it was there");
        }));
        let file = name.clone();
        all.push(mishap(format!("{at} has no bytes"), false, move |root| {
            fs::write(root.join(&file), []).expect("it is written");
        }));
    }
    for (index, (one, _)) in segments.iter().enumerate() {
        for (other, _) in &segments[index + 1..] {
            let (one, other) = (one.clone(), other.clone());
            let name = format!("{} and {} are exchanged", one.display(), other.display());
            all.push(mishap(name, false, move |root| {
                let (one, other) = (root.join(&one), root.join(&other));
                let bytes = fs::read(&one).expect("a file");
                fs::copy(&other, &one).expect("it is copied");
                fs::write(&other, bytes).expect("it is written");
            }));
        }
    }
    let superblock = foreign[&foreign_root.join("venue")].clone();
    all.push(mishap("the superblock of another venue".into(), false, move |root| {
        fs::write(root.join("venue"), &superblock).expect("it is written");
    }));
    all.push(mishap("nothing".into(), true, |_| ()));
    all
}

#[test]
fn after_a_mishap_a_start_refuses_or_has_all_that_was_durable() {
    let directory = tempfile::tempdir().expect("a directory");
    let other = tempfile::tempdir().expect("a directory");
    // The other venue has begun and has nothing in it.
    drain(&try_start(other.path()).expect("it starts"));
    let foreign = tree(other.path());
    let (files, _, durable) = killed(directory.path());
    for mishap in mishaps(&files, directory.path(), &foreign, other.path()) {
        let name = &mishap.name;
        let folder = tempfile::tempdir().expect("a directory");
        placed(&files, directory.path(), folder.path());
        (mishap.happen)(folder.path());
        let before = tree(folder.path());
        let found = check(folder.path()).expect("it is checked");
        assert_eq!(tree(folder.path()), before, "{name}: a check changes nothing");
        let started = started(folder.path());
        match (&started, found.record) {
            (Ok(number), Some(record)) => {
                assert_eq!(*number, record, "{name}: {found:?}");
                // Of the last record it may not be known whether it was durable.
                let is_torn = found.damage.iter().any(|one| one.kind == DamageKind::TornTail);
                assert!(record + u64::from(is_torn) >= durable, "{name}: {found:?}");
            }
            (Err(_), None) => {
                let after = ignoring_lock(tree(folder.path()));
                assert!(
                    after == ignoring_lock(before.clone()),
                    "{name}: a refusal changes nothing"
                );
                repair(folder.path()).expect("it is checked");
                let after = ignoring_lock(tree(folder.path()));
                assert!(after == ignoring_lock(before), "{name}: nor does its repair");
            }
            _ => panic!("{name}: {started:?}, but {found:?}"),
        }
        assert!(!mishap.is_harmless || started.is_ok(), "{name}: {started:?}");
    }
}

#[test]
fn the_first_segment_of_a_young_venue_is_missed() {
    let directory = tempfile::tempdir().expect("a directory");
    let running = try_start(directory.path()).expect("it starts");
    assert!(running.wait_started(LONG));
    let mut desk = crate::client::Client::log_on(
        running.address(),
        crate::client::identity("desk", crate::started::DESK),
    );
    for id in 1..20 {
        desk.ask(&mut [crate::client::order(7, id, surgetank_layer::message::Side::Buy)]);
    }
    let files = tree(directory.path());
    drain(&running);
    let folder = tempfile::tempdir().expect("a directory");
    let first = folder.path().join("journal/00000000000000000001.segment");
    placed(&files, directory.path(), folder.path());
    assert!(check(folder.path()).expect("it is checked").record.is_some());
    let bytes = fs::read(&first).expect("it is there");
    for damage in 0..3 {
        match damage {
            0 => write_at(&first, 0, &[0; 8192]),
            1 => fs::write(&first, []).expect("it is written"),
            _ => fs::remove_file(&first).expect("it is there"),
        }
        assert_eq!(check(folder.path()).expect("it is checked").record, None, "{damage}");
        assert!(started(folder.path()).is_err(), "{damage}");
        fs::write(&first, &bytes).expect("it is written");
    }
    assert!(started(folder.path()).is_ok());
}
