//! `surgetank check` on folders of real venues, with bits flipped at random places.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use surgetank_layer::message::Side;
use surgetank_layer::units::Digest;
use surgetank_serve::check::{Checked, NotChecked, check, repair};
use surgetank_serve::files::path;
use surgetank_venue::storage::damage::{DamageKind, Place};
use surgetank_venue::storage::record::{BLOCK, HEADER_BYTES, RecordHeader};
use surgetank_venue::storage::segment::{self, Geometry, SegmentHeader};
use surgetank_venue::storage::slot::SLOT_BYTES;

use crate::client::{Client, identity, order};
use crate::started::{DESK, OTHER, drain, start};

/// Places at which a bit is flipped; `SURGETANK_FLIPS=n` flips more.
const FLIPS: u64 = 16;

pub type Tree = BTreeMap<PathBuf, Vec<u8>>;

pub fn tree(directory: &Path) -> Tree {
    let mut found = Tree::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(tree(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).expect("a file"));
        }
    }
    found
}

/// The files of a directory, at another place.
pub fn placed(files: &Tree, from: &Path, to: &Path) {
    for (path, bytes) in files {
        let path = to.join(path.strip_prefix(from).expect("below it"));
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, bytes).expect("it is written");
    }
}

/// Files of a venue as a kill would leave them, and the hash of its state.
pub fn killed(directory: &Path) -> (Tree, Digest, u64) {
    let (running, _) = start(directory);
    let mut desk = Client::log_on(running.address(), identity("desk", DESK));
    let mut other = Client::log_on(running.address(), identity("other", OTHER));
    for id in 1..150 {
        desk.ask(&mut [order(7, id, Side::Buy)]);
        other.ask(&mut [order(8, id, Side::Sell)]);
    }
    let status = running.status().expect("it serves");
    let state_hash = running.state_hash().expect("it serves");
    // Its snapshots and the archive are another thread's work.
    let files = loop {
        let (first, second) = (tree(directory), tree(directory));
        if first == second {
            break first;
        }
    };
    drain(&running);
    (files, state_hash, status.progress.durable)
}

/// Whether nothing depends on this byte, by the layouts in `docs/storage.md`.
fn is_padding(name: &str, bytes: &[u8], at: usize) -> bool {
    if !name.ends_with("segment") {
        return false;
    }
    let (block, geometry) = (BLOCK as usize, Geometry { bytes: bytes.len() as u64 });
    let (slots, records) = (segment::SLOTS_START as usize, geometry.records_start() as usize);
    if SegmentHeader::from_bytes(bytes).is_none() {
        return false; // Not begun: all of it is zero.
    }
    if at < slots {
        return at % block >= segment::HEADER_BYTES;
    }
    if at < records {
        let start = slots + (at - slots) / SLOT_BYTES * SLOT_BYTES;
        return bytes[start..start + SLOT_BYTES].iter().all(|byte| *byte == 0);
    }
    let mut start = records;
    while let Some(header) = RecordHeader::from_bytes(&bytes[start..]) {
        let end = start + header.size() as usize;
        if (start..end).contains(&at) {
            return at >= start + HEADER_BYTES + header.length as usize;
        }
        start = end;
    }
    // Behind the last record of a segment: of a full one, nothing reads it.
    start + block > bytes.len()
}

fn named(checked: &Checked, directory: &Path) -> Vec<PathBuf> {
    let place = |place| match place {
        Place::Superblock => directory.join("venue"),
        Place::File(name) => path(directory, name),
    };
    checked.damage.iter().map(|damage| place(damage.place)).collect()
}

#[test]
fn every_flipped_bit_is_found_and_named_or_is_harmless() {
    let directory = tempfile::tempdir().expect("a directory");
    let (files, state_hash, durable) = killed(directory.path());
    let seed = std::env::var("SURGETANK_SEED").ok().and_then(|seed| seed.parse().ok());
    let mut draws = seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
    println!("SURGETANK_SEED={}", draws.get_seed());
    let candidates: Vec<&PathBuf> = files.keys().filter(|path| is_journal(path)).collect();
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let flips = std::env::var("SURGETANK_FLIPS").map_or(FLIPS, |n| n.parse().expect("a number"));
    for _ in 0..flips {
        let file = candidates[draws.usize(..candidates.len())];
        let length = files[file].len();
        // Half of them near the beginning, where headers and slots are.
        let reach = if draws.bool() { length } else { length.min(3 << 16) };
        let at = draws.usize(..reach);
        let folder = tempfile::tempdir().expect("a directory");
        placed(&files, directory.path(), folder.path());
        let flipped = folder.path().join(file.strip_prefix(directory.path()).expect("below it"));
        let mut bytes = files[file].clone();
        bytes[at] ^= 1 << draws.u32(..8);
        fs::write(&flipped, &bytes).expect("it is written");
        let before = tree(folder.path());

        let found = check(folder.path()).expect("it is checked");
        let what = format!("byte {at} of {}: {found:?}", flipped.display());
        assert_eq!(tree(folder.path()), before, "a check changes nothing: {what}");
        let is_named = named(&found, folder.path()).contains(&flipped);
        let name = file.to_str().expect("a name");
        assert!(is_named || is_padding(name, &files[file], at), "{what}");
        if found.record.is_none() {
            *counts.entry("refused").or_default() += 1;
            let repaired = repair(folder.path()).expect("it is checked");
            let after = tree(folder.path());
            assert_eq!((repaired.record, ignoring_lock(after)), (None, ignoring_lock(before)));
            continue;
        }
        *counts.entry(if is_named { "repaired" } else { "harmless" }).or_default() += 1;
        repair(folder.path()).expect("it is repaired");
        let left = check(folder.path()).expect("it is checked");
        let is_left = |kind| kind == DamageKind::Snapshot;
        assert!(left.damage.iter().all(|damage| is_left(damage.kind)), "{what}, then {left:?}");
        let (running, recovery) = start(folder.path());
        // The last record has no slot yet: whether it decayed or was torn cannot be distinguished.
        if recovery.journal.number == durable {
            assert_eq!(recovery.state_hash, state_hash, "{what}");
        } else {
            let torn = found.damage.iter().find(|damage| damage.kind == DamageKind::TornTail);
            assert_eq!(torn.map(|damage| damage.first), Some(durable), "{what}");
        }
        drain(&running);
    }
    println!("{counts:?}");
    assert!(flips < 100 || counts.len() == 3, "{counts:?}");
}

fn is_journal(path: &Path) -> bool {
    let is_kind = |extension| path.extension().is_some_and(|found| found == extension);
    let is_archived = path.components().any(|part| part.as_os_str() == "archive");
    !is_archived && (is_kind("segment") || is_kind("snapshot") || path.ends_with("venue"))
}

pub fn ignoring_lock(mut tree: Tree) -> Tree {
    tree.retain(|path, _| !path.ends_with("lock"));
    tree
}

#[test]
fn a_folder_that_a_venue_has_is_not_checked() {
    let directory = tempfile::tempdir().expect("a directory");
    assert!(matches!(check(directory.path()), Err(NotChecked::NoVenue)));
    assert!(matches!(repair(directory.path()), Err(NotChecked::NoVenue)));
    assert_eq!(tree(directory.path()), Tree::new());
    let (running, _) = start(directory.path());
    for run in [check, repair] {
        let error = run(directory.path()).expect_err("it is locked");
        let NotChecked::Locked(process) = error else { panic!("{error:?}") };
        assert_eq!(process, Some(std::process::id()));
    }
    drain(&running);
    let found = check(directory.path()).expect("it is free");
    assert_eq!((found.damage, found.record.is_some()), (vec![], true));
}

#[test]
fn what_is_missing_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    killed(directory.path());
    fs::remove_file(directory.path().join("venue")).expect("it is there");
    let found = check(directory.path()).expect("it is checked");
    assert_eq!(found.record, None);
    let superblock = found.damage.iter().map(|damage| (damage.kind, damage.place));
    assert!(superblock.eq([(DamageKind::Superblock, Place::Superblock)]));
}
