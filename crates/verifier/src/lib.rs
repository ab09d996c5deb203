//! # surgetank-verifier: does the published order follow from the sealed inputs?
//!
//! Reads a journal (format and guarantees: `docs/journal.md`) and recomputes everything in it:
//! hashes, roots, seeds, and the order that the announced rule gives. It depends on a hash function
//! and nothing else, shares no code with the sequencer, and is meant to be read in one sitting, in
//! this order:
//!
//! 1. [`verify`] and `Verifier::batch`, below: the checks of one batch, step by step
//! 2. `order.rs`: the rules
//! 3. `inputs.rs`: which message was altered, dropped, inserted
//! 4. `report.rs`: the kinds of findings
//! 5. `read.rs`: parsing
//! 6. `segments.rs`, `directory.rs`: the journal of a venue's data directory
//!
//! ```
//! let report = surgetank_verifier::verify(&b"not a journal"[..], |_| true).unwrap();
//! assert_eq!(report.findings[0].kind.name(), "torn-file");
//! ```

mod directory;
mod inputs;
mod order;
mod read;
mod report;
mod segments;

use std::io::{self, Read};

pub use directory::{is_directory, verify_directory};
use read::{Batch, Frames, Head, Part};
use segments::Segments;

pub use report::{Finding, Kind, Report};

/// A BLAKE3 hash.
pub type Hash = [u8; 32];

/// Nanoseconds that no clock has reached: the year 2262, for one that counts from 1970.
const CLOCK_MAX: u64 = i64::MAX as u64;

/// Findings kept; more are only counted.
const FINDINGS_MAX: usize = 1000;

/// Reads a journal to its end and recomputes all of it. `goes_on(bytes)` is called after each batch
/// with the bytes read so far; when it returns false, verification stops.
///
/// # Errors
/// Only if `source` cannot be read; errors in the journal are findings.
pub fn verify(source: impl Read, mut goes_on: impl FnMut(u64) -> bool) -> io::Result<Report> {
    let mut frames = Frames::new(source);
    let mut verifier = Verifier::default();
    match frames.head()? {
        Err((byte, what)) => verifier.torn(byte, what),
        Ok(head) => {
            verifier.head(&head);
            loop {
                verifier.start = frames.byte;
                match frames.next()? {
                    Part::End => break,
                    Part::Head(Ok(head)) => {
                        verifier.head(&head);
                        continue;
                    }
                    Part::Head(Err((byte, what))) => {
                        verifier.torn(byte, what);
                        break;
                    }
                    Part::Frame => verifier.report.batches += 1,
                }
                match read::batch(&frames.frame) {
                    Ok(batch) => verifier.batch(&batch),
                    Err((at, what)) => {
                        verifier.torn(verifier.start + at as u64, what);
                        break;
                    }
                }
                if !goes_on(frames.byte) {
                    verifier.report.stopped = true;
                    break;
                }
            }
        }
    }
    verifier.report.bytes = frames.byte;
    verifier.report.last_hash = verifier.accepted[0];
    verifier.report.waiting = verifier.carried.len() as u64;
    Ok(verifier.report)
}

/// The same for the segments of a data directory, in ascending order with their numbers. A
/// directory that `is_written` by a venue at this time may end inside a record.
///
/// # Errors
/// Only if a file cannot be read.
pub fn verify_segments<R: Read>(
    files: impl Iterator<Item = (u64, R)>,
    is_written: bool,
    goes_on: impl FnMut(u64) -> bool,
) -> io::Result<Report> {
    let mut segments = Segments::new(files);
    let mut first = [0];
    let mut report = match segments.read(&mut first)? {
        // Of a venue that has executed nothing yet.
        0 => Report::default(),
        _ => verify(first.as_slice().chain(&mut segments), goes_on)?,
    };
    if let Some(stop) = segments.stop
        && !(is_written && stop.is_last)
    {
        let (batch, what) = (report.batches, stop.to_string());
        let (kind, byte) = (Kind::TornFile, report.bytes);
        report.findings.push(Finding { kind, batch, position: None, byte, what });
        report.findings_count += 1;
    }
    Ok(report)
}

/// State that the next batch must continue.
#[derive(Default)]
struct Verifier {
    report: Report,
    /// Where the current batch begins.
    start: u64,
    /// Hash of the last batch, as computed and as stored (a difference was reported before).
    accepted: [Hash; 2],
    /// The same of the last batch, whatever heads stand after it; zeros before the first.
    batch_before: [Hash; 2],
    height: u64,
    sequence: u64,
    sealed_ns: u64,
    reveal: Hash,
    terms: Vec<u8>,
    /// Leaf hashes of the inputs that the last batch carried over.
    carried: Vec<Hash>,
}

impl Verifier {
    /// A head: it announces terms and a commitment, and goes on with what stands before.
    fn head(&mut self, head: &Head) {
        let hash = tagged(b"surgetank journal 1", &[&head.bytes]);
        if hash != head.hash {
            self.found(Kind::AlteredHead, None, "a head's hash is not that of its bytes");
        }
        let is_first = self.report.batches == 0 && self.accepted == [[0; 32]; 2];
        match head.continues {
            // What was published before the first head that is here is not checked.
            Some(([height, sequence], previous)) if is_first => {
                self.height = height.wrapping_sub(1);
                self.sequence = sequence.wrapping_sub(1);
                self.batch_before = [previous; 2];
                if [height, sequence] == [1, 1] && previous != [0; 32] {
                    self.found(Kind::BrokenChain, None, "the first head names a batch before it");
                }
            }
            None if is_first => {}
            Some(([height, sequence], previous)) => {
                let due = [self.height, self.sequence].map(|n| n.wrapping_add(1));
                if !self.batch_before.contains(&previous) || [height, sequence] != due {
                    let what = "a head does not go on with the batch before it";
                    self.found(Kind::BrokenChain, None, what);
                }
                (self.height, self.sequence) = (height.wrapping_sub(1), sequence.wrapping_sub(1));
            }
            None => self.found(Kind::BrokenChain, None, "another journal begins here"),
        }
        (self.reveal, self.terms) = (head.anchor, head.terms.clone());
        self.accepted = [hash, head.hash];
    }

    fn batch(&mut self, batch: &Batch<'_>) {
        let head = &batch.header;
        // 1. The chain: this header follows the last one directly.
        let hash = tagged(b"surgetank batch 1", &[batch.header_bytes]);
        if hash != batch.hash {
            self.found(Kind::ForgedHash, None, "the hash is not that of the header");
        }
        if !self.accepted.contains(&head.previous) {
            self.found(Kind::BrokenChain, None, "`previous` is not the hash of what stands before");
        }
        if [head.height, head.first_sequence]
            != [self.height, self.sequence].map(|n| n.wrapping_add(1))
        {
            self.found(Kind::BrokenChain, None, "height or sequence number does not continue");
        }
        // 2. The seed: it follows from the committed secret.
        if tagged(b"surgetank reveal 1", &[&head.reveal]) != self.reveal {
            self.found(Kind::WrongReveal, None, "the secret does not lead to the one before it");
        }
        let parts = [&head.reveal[..], &head.inputs_root, head.beacon];
        if tagged(b"surgetank seed 1", &parts) != head.seed {
            let what = "the seed does not follow from secret, inputs and beacon";
            self.found(Kind::WrongSeed, None, what);
        }
        // 3. The terms: announced one batch ahead.
        if head.terms != self.terms {
            self.found(Kind::ChangedRule, None, "the terms are not those announced before");
        }
        // 4. The time: inputs arrive before they are sealed, and batches follow each other.
        let arrived = batch.inputs.iter().map(|input| input.arrival_ns).max().unwrap_or(0);
        if !(self.sealed_ns.max(arrived)..=CLOCK_MAX).contains(&head.sealed_ns) {
            let what = format!(
                "sealed at {}; the batch before at {}, the last input came at {arrived}",
                head.sealed_ns, self.sealed_ns
            );
            self.found(Kind::WrongTime, None, &what);
        }
        // 5. The inputs: they are those sealed, and begin with those carried over.
        let leaves: Vec<Hash> = batch.inputs.iter().map(read::Input::leaf).collect();
        let sealed = self.inputs(batch, &leaves);
        // 6. The order: each input once, at the place that the rule gives.
        let partition = self.partition(batch);
        if sealed && partition {
            self.order(batch, &leaves);
        }
        self.accepted = [hash, batch.hash];
        self.batch_before = self.accepted;
        self.height = head.height;
        self.sealed_ns = head.sealed_ns.min(CLOCK_MAX);
        self.sequence = head.first_sequence.wrapping_sub(1).wrapping_add(head.ordered.into());
        self.reveal = head.reveal;
        self.terms = head.terms_next.to_vec();
        let carried = batch.carried.iter().filter_map(|index| leaves.get(*index as usize));
        self.carried = carried.copied().collect();
        self.report.messages += batch.order.len() as u64;
    }

    /// Whether every input is either published or carried, exactly once, and no other is.
    fn partition(&mut self, batch: &Batch<'_>) -> bool {
        let before = self.report.findings_count;
        let mut seen = vec![false; batch.inputs.len()];
        for (list, indices) in [("order", &batch.order), ("carried", &batch.carried)] {
            for (position, index) in indices.iter().enumerate() {
                let kind = match seen.get_mut(*index as usize) {
                    None => Kind::InsertedMessage,
                    Some(seen) if *seen => Kind::DuplicatedMessage,
                    Some(seen) => {
                        *seen = true;
                        continue;
                    }
                };
                let what = format!("position in `{list}`: input {index}");
                self.found(kind, Some(position), &what);
            }
        }
        for (index, _) in seen.iter().enumerate().filter(|(_, seen)| !**seen) {
            let what = "position in the inputs: neither published nor carried";
            self.found(Kind::DroppedMessage, Some(index), what);
        }
        let ascending = batch.carried.windows(2).position(|pair| pair[0] > pair[1]);
        if let Some(at) = ascending {
            self.found(Kind::SwappedPair, Some(at), "position in `carried`: not as they arrived");
        }
        let sound = self.report.findings_count == before;
        let counts = [batch.order.len(), batch.carried.len()];
        if sound && counts != [batch.header.ordered as usize, batch.header.carried_out as usize] {
            self.found(
                Kind::WrongCount,
                None,
                "`ordered` or `carried_out` is not what stands here",
            );
        }
        sound
    }

    /// Compares the published order with the one that the rule gives.
    fn order(&mut self, batch: &Batch<'_>, leaves: &[Hash]) {
        let published = batch.order.iter().map(|index| leaves[*index as usize]);
        let root_holds = inputs::root(published) == batch.header.order_root;
        let Some(terms) = order::Terms::parse(batch.header.terms) else {
            let terms = String::from_utf8_lossy(batch.header.terms);
            self.found(Kind::UnknownRule, None, &format!("`{terms}` is no rule known here"));
            if !root_holds {
                self.found(Kind::ForgedRoot, None, "`order_root` is not that of the order");
            }
            return;
        };
        let due = terms.order(&batch.inputs, &batch.header.seed);
        let pairs = batch.order.iter().zip(&due).enumerate();
        let wrong: Vec<usize> =
            pairs.filter(|(_, (is, due))| is != due).map(|(at, _)| at).collect();
        match wrong[..] {
            [] if batch.order.len() != due.len() => {
                let what = format!("{} published, {} due", batch.order.len(), due.len());
                self.found(Kind::WrongCut, Some(batch.order.len().min(due.len())), &what);
            }
            [] if !root_holds => {
                self.found(Kind::ForgedRoot, None, "`order_root` is not that of the order");
            }
            [] => {}
            [a, b] if batch.order[a] == due[b] && batch.order[b] == due[a] => {
                let what =
                    format!("positions in the order: {a} and {b} stand in each other's places");
                self.found(Kind::SwappedPair, Some(a), &what);
            }
            [first, ..] => {
                let what = format!("position in the order: the first of {} wrong", wrong.len());
                self.found(Kind::OutOfOrder, Some(first), &what);
            }
        }
    }

    fn torn(&mut self, byte: u64, what: &str) {
        self.start = byte;
        self.found(Kind::TornFile, None, what);
    }

    fn found(&mut self, kind: Kind, position: Option<usize>, what: &str) {
        self.report.findings_count += 1;
        if self.report.findings.len() < FINDINGS_MAX {
            self.report.findings.push(Finding {
                kind,
                batch: self.report.batches,
                position: position.map(|position| position as u64),
                byte: self.start,
                what: what.to_owned(),
            });
        }
    }
}

/// BLAKE3 of a tag and then the parts.
fn tagged(tag: &[u8], parts: &[&[u8]]) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(tag);
    parts.iter().for_each(|part| {
        hasher.update(part);
    });
    *hasher.finalize().as_bytes()
}
