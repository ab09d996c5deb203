//! The data directory: performs the effects of the storage on files.
//!
//! # Layout
//! ```text
//! lock                              held by the one writer, with its process number
//! venue                             the four copies of the superblock
//! journal/<20 digits>.segment       segments, made as .new and renamed once they are durable
//! snapshots/<20 digits>.snapshot    likewise
//! archive/                          what neither replay nor snapshots need any more
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use surgetank_venue::storage::effect::{Done, Effect, Errno, FileName};
use surgetank_venue::storage::record::BLOCK;

/// Zeros that are written and synced at once into a new segment. A flush of a whole segment would make
/// the journal's own syncs, for which clients wait, tens of milliseconds late.
const CHUNK_BYTES: usize = 256 << 10;
/// Rest after each of them while the journal is written, as a multiple of the time that it took; and
/// the longest one.
const REST: u32 = 2;
const REST_MAX: Duration = Duration::from_millis(50);
/// Without rest, a segment is filled this many times as fast as the journal is written: there must be
/// a next one in time.
const LEAD: u64 = 2;
/// Segments whose files stay open: the current one, and the one before while its slots are written.
const OPEN_MAX: usize = 2;

/// The right to write into a data directory, until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Creates the directory if there is none, and locks it.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if another process holds it; else the system's.
    pub fn take(directory: &Path) -> io::Result<Lock> {
        for name in ["journal", "snapshots", "archive"] {
            fs::create_dir_all(directory.join(name))?;
        }
        sync_directory(directory)?;
        let path = directory.join("lock");
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        file.set_len(0)?;
        writeln!(file, "{}", std::process::id())?;
        remove_unfinished(directory)?;
        Ok(Lock { _file: file })
    }

    /// Keeps writers out of a directory that is only read, and changes nothing in it. Others may
    /// look at the same time. Without the file that is locked there is no writer.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if another process writes; else the system's.
    pub fn look(directory: &Path) -> io::Result<Option<Lock>> {
        let file = match File::open(directory.join("lock")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            result => result?,
        };
        flock(&file, FlockOperation::NonBlockingLockShared)?;
        Ok(Some(Lock { _file: file }))
    }
}

/// Removes files that a crash has left before they had their names.
fn remove_unfinished(directory: &Path) -> io::Result<()> {
    for name in ["journal", "snapshots"] {
        for entry in fs::read_dir(directory.join(name))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "new") {
                fs::remove_file(path)?;
            }
        }
    }
    Ok(())
}

/// Performs effects, on one thread. Two of them may work on one directory if they share no file.
#[derive(Debug)]
pub struct Files {
    directory: PathBuf,
    /// Segments that were used last, the latest one at the end.
    open: Vec<(u64, File)>,
    /// Bytes of the journal that were written, by all that work on the directory.
    written: Arc<AtomicU64>,
}

impl Files {
    /// Of a directory, which is only read until an effect writes.
    pub fn new(directory: &Path) -> Files {
        Files { directory: directory.to_owned(), open: Vec::new(), written: Arc::default() }
    }

    /// For another thread that works on the same directory.
    pub fn beside(&self) -> Files {
        let (directory, written) = (self.directory.clone(), Arc::clone(&self.written));
        Files { directory, open: Vec::new(), written }
    }

    /// Performs an effect.
    ///
    /// # Errors
    /// The cause of its failure. What a failed write has left is not known.
    pub fn perform(&mut self, effect: &Effect) -> Result<Done, Errno> {
        self.attempt(effect).map_err(|error| errno(&error))
    }

    fn attempt(&mut self, effect: &Effect) -> io::Result<Done> {
        match effect {
            Effect::List => return self.list().map(Done::Files),
            Effect::Read { segment, offset, length } => {
                return read_at(self.segment(*segment)?, *offset, *length).map(Done::Bytes);
            }
            Effect::ReadSuperblock { copy } => {
                return match File::open(self.directory.join("venue")) {
                    Ok(file) => read_at(&file, u64::from(*copy) * BLOCK, BLOCK).map(Done::Bytes),
                    Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Done::Bytes(Vec::new())),
                    Err(error) => Err(error),
                };
            }
            Effect::ReadSnapshot { number } => {
                let path = self.path(FileName::Snapshot(*number));
                return fs::read(path).map(Done::Bytes);
            }
            Effect::Allocate { segment, bytes } => {
                self.create(FileName::Segment(*segment), |file| fill(file, *bytes, &self.written))?;
            }
            Effect::Write { segment, offset, bytes } => {
                self.segment(*segment)?.write_all_at(bytes, *offset)?;
                self.written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            }
            Effect::Sync { segment } => self.segment(*segment)?.sync_data()?,
            Effect::WriteSuperblock { copy, bytes } => self.write_superblock(*copy, bytes)?,
            Effect::WriteSnapshot { number, bytes } => {
                self.create(FileName::Snapshot(*number), |file| file.write_all(bytes))?;
            }
            Effect::Archive(name) => self.archive(*name)?,
        }
        Ok(Done::Finished)
    }

    fn list(&self) -> io::Result<Vec<(FileName, u64)>> {
        let mut files = Vec::new();
        for (directory, extension) in [("journal", "segment"), ("snapshots", "snapshot")] {
            let entries = match fs::read_dir(self.directory.join(directory)) {
                // Of a directory that is only read; a writer has made it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                result => result?,
            };
            for entry in entries {
                let entry = entry?;
                let name = entry.file_name();
                let stem = name.to_str().and_then(|name| name.strip_suffix(extension));
                let digits = stem.and_then(|stem| stem.strip_suffix('.'));
                let number = digits.filter(|digits| digits.len() == 20).map(str::parse::<u64>);
                if let Some(Ok(number)) = number {
                    let file = match directory {
                        "journal" => FileName::Segment(number),
                        _ => FileName::Snapshot(number),
                    };
                    files.push((file, entry.metadata()?.len()));
                }
            }
        }
        files.sort_unstable();
        Ok(files)
    }

    fn path(&self, name: FileName) -> PathBuf {
        path(&self.directory, name)
    }

    /// A segment, open for reading and, if the directory's files can be written, for writing.
    fn segment(&mut self, number: u64) -> io::Result<&File> {
        if let Some(index) = self.open.iter().position(|(open, _)| *open == number) {
            let latest = self.open.remove(index);
            self.open.push(latest);
        } else {
            let path = self.path(FileName::Segment(number));
            let file = match OpenOptions::new().read(true).write(true).open(&path) {
                Err(error) if is_read_only(&error) => File::open(&path),
                result => result,
            }?;
            if self.open.len() == OPEN_MAX {
                self.open.remove(0);
            }
            self.open.push((number, file));
        }
        self.open.last().map(|(_, file)| file).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Writes a file under a temporary name, makes it durable, and then gives it its name.
    fn create(
        &self,
        name: FileName,
        fill: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<()> {
        let path = self.path(name);
        let unfinished = path.with_extension("new");
        let written = File::create(&unfinished).and_then(|mut file| {
            fill(&mut file)?;
            file.sync_all()
        });
        if let Err(error) = written.and_then(|()| fs::rename(&unfinished, &path)) {
            // Of a full filesystem: the next attempt needs the room.
            let _ = fs::remove_file(&unfinished);
            return Err(error);
        }
        path.parent().map_or(Ok(()), sync_directory)
    }

    fn write_superblock(&self, copy: u8, bytes: &[u8]) -> io::Result<()> {
        let path = self.directory.join("venue");
        let is_new = !path.try_exists()?;
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        file.write_all_at(bytes, u64::from(copy) * BLOCK)?;
        file.sync_all()?;
        if is_new { sync_directory(&self.directory) } else { Ok(()) }
    }

    fn archive(&mut self, name: FileName) -> io::Result<()> {
        let from = self.path(name);
        let archive = self.directory.join("archive");
        if let Some(file) = from.file_name() {
            let to = archive.join(file);
            match fs::rename(&from, &to) {
                // A second attempt, after the first could not make the names durable.
                Err(error) if error.kind() == io::ErrorKind::NotFound && to.try_exists()? => {}
                result => result?,
            }
        }
        sync_directory(&archive)?;
        from.parent().map_or(Ok(()), sync_directory)
    }
}

/// Fills a new file with zeros, chunk by chunk, and leaves the disk to the journal in between.
fn fill(file: &mut File, bytes: u64, written: &AtomicU64) -> io::Result<()> {
    let zeros = vec![0; CHUNK_BYTES];
    let at_first = written.load(Ordering::Relaxed);
    let (mut filled, mut before) = (0, at_first);
    while filled < bytes {
        let began = Instant::now();
        let chunk = (bytes - filled).min(CHUNK_BYTES as u64);
        file.write_all(&zeros[..chunk as usize])?;
        file.sync_data()?;
        filled += chunk;
        let now = written.load(Ordering::Relaxed);
        let is_written = std::mem::replace(&mut before, now) != now;
        if is_written && filled >= LEAD * (now - at_first) {
            thread::sleep((began.elapsed() * REST).min(REST_MAX));
        }
    }
    Ok(())
}

/// Path of a file of the data directory.
pub fn path(directory: &Path, name: FileName) -> PathBuf {
    match name {
        FileName::Segment(number) => directory.join(format!("journal/{number:020}.segment")),
        FileName::Snapshot(number) => directory.join(format!("snapshots/{number:020}.snapshot")),
    }
}

/// Up to `length` bytes; fewer where the file ends.
fn read_at(file: &File, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    At { file, offset }.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

struct At<'a> {
    file: &'a File,
    offset: u64,
}

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

/// Makes the names in a directory durable.
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn is_read_only(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

fn errno(error: &io::Error) -> Errno {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Errno::NoSpace,
        io::ErrorKind::ReadOnlyFilesystem => Errno::ReadOnly,
        _ => match error.raw_os_error() {
            Some(number) if number == rustix::io::Errno::IO.raw_os_error() => Errno::Io,
            number => Errno::Other(number.unwrap_or(0)),
        },
    }
}
