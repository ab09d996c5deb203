//! The journal: a head, and then batches, each chained to the one before.
//!
//! # Layout, little-endian
//! ```text
//! "SGTJRNL\n" | version u16 | anchor (32 bytes) | terms (length u16 | bytes)
//!   | version 2 only: height u64 | first_sequence u64 | previous (32 bytes)
//!   | hash (32 bytes)
//! | frames of batches
//! ```
//! `hash = BLAKE3("surgetank journal 1" ‖ the bytes before it)`. The anchor is that of the chain of
//! secrets ([`super::seed`]); `terms` are those of the first batch.
//!
//! A head of version 2 goes on with a journal whose secrets are used up, or were lost with the
//! process: it may stand between batches. `height` and `first_sequence` are those of the next
//! batch, `previous` is the hash of the batch before (zeros if there is none), and the next batch
//! names the head's hash as its `previous`.
//!
//! [`Ledger`] produces the bytes to append; the caller writes them to a file. [`Reader`] reads them
//! back and checks all that does not depend on the ordering rule.

use std::fmt;
use std::io::{self, Read};

use super::batch::{self, Batch, Header, OpenBatch, Ticket};
use super::merkle::{Blake3, Hash, root};
use super::seed::{self, RevealChain};
use super::tagged;
use crate::units::{Digest, Height, Ns};

/// First bytes of a journal.
pub const MAGIC: &[u8; 8] = b"SGTJRNL\n";
/// Version of a head that goes on with a journal.
pub const CONTINUING: u16 = 2;
/// Domain separation tag of the hash of heads.
const HEAD_TAG: &[u8] = b"surgetank journal 1";

/// The writer's state: what the next batch must continue.
#[derive(Clone, Debug)]
pub struct Ledger {
    height: Height,
    next_sequence: u64,
    previous: Digest,
    terms: String,
    reveals: RevealChain,
}

/// The end of a journal, with which a further head goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// Height of the last batch; 0 if there is none.
    pub height: Height,
    /// Sequence number of the last published message; 0 if there is none.
    pub sequence: u64,
    /// Hash of the last batch; zeros if there is none.
    pub hash: Digest,
}

/// Error: no secret is left for another batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("every secret of this journal is revealed; begin a new journal")
    }
}

/// Result of sealing a batch: its secret and seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Time at which the inputs were sealed.
    pub sealed_ns: Ns,
    /// Merkle root over the inputs.
    pub inputs_root: Hash,
    /// Secret revealed with this batch.
    pub reveal: Hash,
    /// Randomness contributed by others after the sealing.
    pub beacon: Vec<u8>,
    /// Random seed of the ordering rule.
    pub seed: Hash,
}

impl Ledger {
    /// A new journal for at most `batches_max` batches, and its head.
    ///
    /// # Panics
    /// If `terms` is longer than 65,535 bytes.
    pub fn new(secret: &Hash, batches_max: usize, terms: &str) -> (Ledger, Vec<u8>) {
        Ledger::begin(RevealChain::new(secret, batches_max), terms, None)
    }

    /// A further head of a journal that ends here, with secrets of its own.
    ///
    /// # Panics
    /// If `terms` is longer than 65,535 bytes.
    pub fn after(end: &End, reveals: RevealChain, terms: &str) -> (Ledger, Vec<u8>) {
        Ledger::begin(reveals, terms, Some(end))
    }

    fn begin(reveals: RevealChain, terms: &str, end: Option<&End>) -> (Ledger, Vec<u8>) {
        let mut head = MAGIC.to_vec();
        head.extend(end.map_or(batch::VERSION, |_| CONTINUING).to_le_bytes());
        head.extend(reveals.anchor());
        head.extend(u16::try_from(terms.len()).expect("terms under 64 KiB").to_le_bytes());
        head.extend(terms.as_bytes());
        if let Some(end) = end {
            head.extend((end.height + 1).to_le_bytes());
            head.extend((end.sequence + 1).to_le_bytes());
            head.extend(end.hash.0);
        }
        let previous = tagged(HEAD_TAG, &[&head]);
        head.extend(previous.0);
        let (terms, end) = (terms.to_owned(), end.copied().unwrap_or_default());
        let (height, next_sequence) = (end.height, end.sequence + 1);
        (Ledger { height, next_sequence, previous, terms, reveals }, head)
    }

    /// Hash of the last batch: the trust anchor, which a verifier must obtain elsewhere.
    pub fn last_hash(&self) -> Digest {
        self.previous
    }

    /// The height of the last batch.
    pub fn height(&self) -> Height {
        self.height
    }

    /// The sequence number that the next published message gets.
    pub fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// Number of further batches that this journal can hold.
    pub fn batches_left(&self) -> usize {
        self.reveals.left()
    }

    /// Seals the inputs: from here on they are fixed, and the seed is known.
    ///
    /// # Errors
    /// If every secret is revealed.
    pub fn seal(
        &mut self,
        now: Ns,
        open: &mut OpenBatch,
        beacon: &[u8],
    ) -> Result<Sealed, Exhausted> {
        let reveal = self.reveals.next().ok_or(Exhausted)?;
        let inputs_root = open.inputs_root();
        let seed = seed::seed(&reveal, &inputs_root, beacon);
        Ok(Sealed { sealed_ns: now, inputs_root, reveal, beacon: beacon.to_vec(), seed })
    }

    /// Publishes an order of sealed inputs: appends the batch to `out`, and begins the next one
    /// with the inputs that are not in the order. `terms_next` are the terms of the next batch.
    pub fn publish(
        &mut self,
        open: &mut OpenBatch,
        sealed: Sealed,
        order: &[u32],
        terms_next: &str,
        out: &mut Vec<u8>,
    ) -> Header {
        let carried = open.left_by(order);
        let header = Header {
            height: self.height + 1,
            first_sequence: self.next_sequence,
            sealed_ns: sealed.sealed_ns,
            inputs: open.len() as u32,
            carried_in: open.carried_in(),
            ordered: order.len() as u32,
            carried_out: carried.len() as u32,
            reveal: sealed.reveal,
            seed: sealed.seed,
            inputs_root: sealed.inputs_root,
            order_root: open.order_root(order),
            previous: self.previous,
            terms: std::mem::replace(&mut self.terms, terms_next.to_owned()),
            terms_next: terms_next.to_owned(),
            beacon: sealed.beacon,
        };
        self.previous = open.encode(&header, order, &carried, out);
        self.height += 1;
        self.next_sequence += order.len() as u64;
        open.begin_next(&carried);
        header
    }
}

/// Error that ends the reading of a journal.
#[derive(Debug)]
pub struct ReadError {
    /// Offset of the byte at which the error was detected.
    pub byte: u64,
    /// Number of the batch in the file, from 1; 0 is the head.
    pub batch: u64,
    /// Description of the error.
    pub what: String,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ReadError { byte, batch, what } = self;
        match batch {
            0 => write!(f, "byte {byte}, the journal's head: {what}"),
            _ => write!(f, "byte {byte}, batch {batch}: {what}"),
        }
    }
}

impl std::error::Error for ReadError {}

/// A reader that checks each batch's hash, chain and roots.
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    byte: u64,
    batch: u64,
    previous: Digest,
    /// Hash of the last batch, whatever heads stand after it.
    batch_hash: Digest,
    /// The last head's anchor.
    pub anchor: Hash,
    /// The last head's terms: those of the batch after it.
    pub terms: String,
    frame: Vec<u8>,
}

impl<R: Read> Reader<R> {
    /// Reads the head.
    ///
    /// # Errors
    /// Names the byte at which this is not a journal's head.
    pub fn new(source: R) -> Result<Reader<R>, ReadError> {
        let (anchor, terms, frame) = ([0; 32], String::new(), Vec::new());
        let previous = Digest([0; 32]);
        let batch_hash = previous;
        let mut reader =
            Reader { source, byte: 0, batch: 0, previous, batch_hash, anchor, terms, frame };
        let magic = reader.take(8)?;
        if magic != MAGIC {
            return Err(reader.wrong(0, "does not begin as a journal does"));
        }
        reader.head(None)?;
        Ok(reader)
    }

    /// Reads a head after its first 8 bytes; `before` is the hash of the batch before it.
    fn head(&mut self, before: Option<Digest>) -> Result<(), ReadError> {
        let start = self.byte;
        let mut head = MAGIC.to_vec();
        head.extend(self.take(36)?);
        let version = u16::from_le_bytes([head[8], head[9]]);
        let is_known = version == CONTINUING || version == batch::VERSION && before.is_none();
        if !is_known {
            return Err(self.wrong(start, &format!("version {version} is not known here")));
        }
        self.anchor.copy_from_slice(&head[10..42]);
        let length = usize::from(u16::from_le_bytes([head[42], head[43]]));
        head.extend(self.take(length as u64)?);
        let terms = head[44..].to_vec();
        if version == CONTINUING {
            head.extend(self.take(48)?);
            if before.is_some_and(|before| !head.ends_with(&before.0)) {
                let what = "the chain is broken: the head does not go on with the batch before";
                return Err(self.wrong(start, what));
            }
        }
        let stored = self.take(32)?;
        self.previous = tagged(HEAD_TAG, &[&head]);
        if stored != self.previous.0 {
            return Err(self.wrong(start + 2, "its hash is not that of its bytes"));
        }
        self.terms =
            String::from_utf8(terms).map_err(|_| self.wrong(start + 36, "`terms` is not text"))?;
        Ok(())
    }

    /// Hash of the head or batch that was read last.
    pub fn last_hash(&self) -> Digest {
        self.previous
    }

    /// The next batch, or `None` at the end of the file.
    ///
    /// # Errors
    /// Names the byte and the batch at which the file is torn or altered.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, ReadError> {
        self.batch += 1;
        let mut prefix = [0; 8];
        let got = self.fill(&mut prefix)?;
        if got == 0 {
            return Ok(None);
        }
        if prefix == *MAGIC {
            self.byte += 8;
            self.batch -= 1;
            self.head(Some(self.batch_hash))?;
            return self.next_batch();
        }
        if got < 8 || &prefix[..4] != batch::MAGIC {
            return Err(self.wrong(self.byte, "no frame of a batch begins here"));
        }
        let start = self.byte + 8;
        self.byte = start;
        let [.., a, b, c, d] = prefix;
        let size = u64::from(u32::from_le_bytes([a, b, c, d]));
        self.frame = self.take(size)?;
        let batch = Fields { frame: &self.frame, at: 0 }
            .batch()
            .map_err(|(at, what)| self.wrong(start + at as u64, what))?;
        self.check(&batch, start)?;
        self.previous = batch.hash;
        self.batch_hash = batch.hash;
        Ok(Some(batch))
    }

    fn check(&self, batch: &Batch, start: u64) -> Result<(), ReadError> {
        let header = &batch.header;
        let wrong = |what: &str| Err(self.wrong(start, what));
        if header.hash() != batch.hash {
            return wrong("the header's hash is not that of its bytes");
        }
        if header.previous != self.previous {
            return wrong("the chain is broken: `previous` is not the hash of what stands before");
        }
        let leaves: Vec<Hash> = (0..batch.inputs.len()).map(|at| batch.leaf(at)).collect();
        if root::<Blake3>(&leaves) != header.inputs_root {
            return wrong("the inputs' root is not that of the inputs");
        }
        let ordered: Option<Vec<Hash>> =
            batch.order.iter().map(|at| leaves.get(*at as usize).copied()).collect();
        if ordered.is_none_or(|ordered| root::<Blake3>(&ordered) != header.order_root) {
            return wrong("the order's root is not that of the order");
        }
        Ok(())
    }

    /// Reads into `room` until it is full or the file ends; returns the number of bytes.
    fn fill(&mut self, room: &mut [u8]) -> Result<usize, ReadError> {
        let mut got = 0;
        while got < room.len() {
            match self.source.read(&mut room[got..]) {
                Ok(0) => break,
                Ok(n) => got += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.wrong(self.byte, &error.to_string())),
            }
        }
        Ok(got)
    }

    /// The next `size` bytes; memory is allocated only as bytes are read, whatever the length field
    /// says.
    fn take(&mut self, size: u64) -> Result<Vec<u8>, ReadError> {
        let mut bytes = Vec::new();
        let got = self.source.by_ref().take(size).read_to_end(&mut bytes);
        got.map_err(|error| self.wrong(self.byte, &error.to_string()))?;
        if (bytes.len() as u64) < size {
            let end = self.byte + bytes.len() as u64;
            return Err(self.wrong(end, "the file is torn off here"));
        }
        self.byte += size;
        Ok(bytes)
    }

    fn wrong(&self, byte: u64, what: &str) -> ReadError {
        ReadError { byte, batch: self.batch, what: what.to_owned() }
    }
}

/// The batch whose frame these bytes are, without its chain and roots checked.
///
/// # Errors
/// The offset at which they are no frame of a batch, and why.
pub fn read_batch(frame: &[u8]) -> Result<Batch, (usize, &'static str)> {
    let (prefix, rest) = frame.split_at_checked(8).ok_or((0, "no frame of a batch"))?;
    let is_whole = prefix.strip_prefix(batch::MAGIC).is_some_and(|size| {
        size.first_chunk().map(|size| u32::from_le_bytes(*size) as usize) == Some(rest.len())
    });
    if !is_whole {
        return Err((0, "no frame of a batch, or not all of it"));
    }
    Fields { frame: rest, at: 0 }.batch().map_err(|(at, what)| (at + 8, what))
}

type Field<T> = Result<T, (usize, &'static str)>;

/// Reads the fields of a frame in sequence.
struct Fields<'a> {
    frame: &'a [u8],
    at: usize,
}

impl Fields<'_> {
    fn slice(&mut self, size: usize) -> Field<&[u8]> {
        let end = self.at.checked_add(size).filter(|end| *end <= self.frame.len());
        let end = end.ok_or((self.at, "a field runs over the end of its frame"))?;
        let slice = &self.frame[self.at..end];
        self.at = end;
        Ok(slice)
    }

    fn array<const N: usize>(&mut self) -> Field<[u8; N]> {
        self.slice(N).map(|slice| *slice.first_chunk().expect("a slice of N bytes"))
    }

    fn u32(&mut self) -> Field<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Field<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A count, followed by as many items.
    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Field<T>) -> Field<Vec<T>> {
        let count = self.u32()?;
        (0..count).map(|_| item(self)).collect()
    }

    fn short(&mut self) -> Field<Vec<u8>> {
        let size = self.array().map(u16::from_le_bytes)?;
        self.slice(size.into()).map(<[u8]>::to_vec)
    }

    fn text(&mut self) -> Field<String> {
        let at = self.at;
        String::from_utf8(self.short()?).map_err(|_| (at, "`terms` is not text"))
    }

    fn header(&mut self) -> Field<Header> {
        if self.array().map(u16::from_le_bytes)? != batch::VERSION {
            return Err((self.at - 2, "the batch's version is not known"));
        }
        Ok(Header {
            height: self.u64()?,
            first_sequence: self.u64()?,
            sealed_ns: self.u64()?,
            inputs: self.u32()?,
            carried_in: self.u32()?,
            ordered: self.u32()?,
            carried_out: self.u32()?,
            reveal: self.array()?,
            seed: self.array()?,
            inputs_root: self.array()?,
            order_root: self.array()?,
            previous: Digest(self.array()?),
            terms: self.text()?,
            terms_next: self.text()?,
            beacon: self.short()?,
        })
    }

    fn batch(&mut self) -> Field<Batch> {
        let header_size = self.u32()? as usize;
        let header_start = self.at;
        let header = self.header()?;
        if self.at - header_start != header_size {
            return Err((header_start - 4, "the header is not as long as it says"));
        }
        let inputs = self.list(|fields| {
            let ticket = Ticket::from_bytes(&fields.array()?);
            let size = fields.u32()? as usize;
            Ok((ticket, fields.slice(size)?.to_vec()))
        })?;
        let checks = self.list(Self::array)?;
        let order = self.list(Self::u32)?;
        let carried = self.list(Self::u32)?;
        let hash = Digest(self.array()?);
        if self.at != self.frame.len() {
            return Err((self.at, "the frame is longer than its batch"));
        }
        Ok(Batch { header, inputs, checks, order, carried, hash })
    }
}
