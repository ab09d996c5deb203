//! The segments of a venue's data directory, archived ones included.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::{Report, verify_segments};

/// Bytes of a segment's header; zeros until the segment is begun.
const HEADER_BYTES: u64 = 128;

/// Verifies the journal of a venue's data directory, also while a venue writes it (`is_written`).
///
/// # Errors
/// Only if a file cannot be read.
pub fn verify_directory(
    directory: &Path,
    is_written: bool,
    goes_on: impl FnMut(u64) -> bool,
) -> io::Result<Report> {
    let segments = begun(directory)?.into_iter();
    // A segment that cannot be opened any more is missing before the next one, which says so.
    let opened = segments.filter_map(|(number, names)| {
        let file = names.iter().find_map(|name| File::open(name).ok())?;
        Some((number, io::BufReader::with_capacity(1 << 16, file)))
    });
    verify_segments(opened, is_written, goes_on)
}

/// Whether this is a data directory, and no file.
pub fn is_directory(path: &Path) -> bool {
    path.join("journal").is_dir()
}

/// Segments that are begun now, with the names they may have: one may be archived meanwhile. A
/// segment that is begun later is left out: the one before it was not full when this one was read.
fn begun(directory: &Path) -> io::Result<Vec<(u64, [PathBuf; 2])>> {
    let folders = ["journal", "archive"].map(|name| directory.join(name));
    let mut found: Vec<(u64, [PathBuf; 2])> = Vec::new();
    for folder in &folders {
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            result => result?,
        };
        for entry in entries {
            let entry = entry?;
            let (path, name) = (entry.path(), entry.file_name());
            let stem = name.to_str().and_then(|name| name.strip_suffix(".segment"));
            let number = stem.filter(|stem| stem.len() == 20).and_then(|stem| stem.parse().ok());
            let Some(number) = number else { continue };
            let mut header = Vec::new();
            if let Ok(file) = File::open(path) {
                file.take(HEADER_BYTES).read_to_end(&mut header)?;
            }
            if header.iter().any(|byte| *byte != 0) {
                let names = folders.each_ref().map(|folder| folder.join(&name));
                found.push((number, names));
            }
        }
    }
    found.sort_unstable();
    found.dedup_by_key(|(number, _)| *number);
    Ok(found)
}
