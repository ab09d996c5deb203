//! Parsing of a journal.

use std::io::{self, Read};

use crate::Hash;

/// A value, or an error with its offset in bytes.
type Torn<T> = Result<T, (usize, &'static str)>;

/// A head of the journal.
pub struct Head {
    pub anchor: Hash,
    pub terms: Vec<u8>,
    /// Height and sequence number of the next batch, and the hash of the batch before: of a head
    /// that goes on with a journal (version 2).
    pub continues: Option<([u64; 2], Hash)>,
    /// The hashed bytes.
    pub bytes: Vec<u8>,
    pub hash: Hash,
}

/// Cuts a file into heads and the frames of batches.
pub struct Frames<R> {
    source: R,
    /// Number of bytes read so far.
    pub byte: u64,
    /// The last frame.
    pub frame: Vec<u8>,
}

/// What stands next in a journal.
pub enum Part {
    /// A head, or what is wrong with it.
    Head(Result<Head, (u64, &'static str)>),
    /// A frame, which may be cut off.
    Frame,
    End,
}

const MAGIC: &[u8; 8] = b"SGTJRNL\n";

impl<R: Read> Frames<R> {
    pub fn new(source: R) -> Frames<R> {
        Frames { source, byte: 0, frame: Vec::new() }
    }

    /// Reads the first head; the inner error says what is wrong with it.
    pub fn head(&mut self) -> io::Result<Result<Head, (u64, &'static str)>> {
        let mut bytes = Vec::new();
        if !self.append(8, &mut bytes)? {
            return Ok(Err((self.byte, "the file ends inside the journal's head")));
        }
        if bytes != MAGIC {
            return Ok(Err((0, "does not begin as a journal does")));
        }
        self.rest_of_head(bytes)
    }

    fn rest_of_head(
        &mut self,
        mut bytes: Vec<u8>,
    ) -> io::Result<Result<Head, (u64, &'static str)>> {
        let start = self.byte;
        if !self.append(36, &mut bytes)? {
            return Ok(Err((self.byte, "the file ends inside the journal's head")));
        }
        let continues = match bytes[8..10] {
            [1, 0] => 0,
            [2, 0] => 48,
            _ => return Ok(Err((start, "the journal's version is not known"))),
        };
        let terms = usize::from(u16::from_le_bytes([bytes[42], bytes[43]]));
        let mut hash = Vec::new();
        if !self.append(terms as u64 + continues, &mut bytes)? || !self.append(32, &mut hash)? {
            return Ok(Err((self.byte, "the file ends inside the journal's head")));
        }
        let anchor = *bytes[10..].first_chunk().unwrap();
        let hash = *hash.first_chunk().unwrap();
        let (terms, rest) = (bytes[44..44 + terms].to_vec(), &bytes[44 + terms..]);
        let continues = (!rest.is_empty()).then(|| {
            let number = |at: usize| u64::from_le_bytes(*rest[at..].first_chunk().unwrap());
            ([number(0), number(8)], *rest[16..].first_chunk().unwrap())
        });
        Ok(Ok(Head { anchor, terms, continues, bytes, hash }))
    }

    /// Reads the next frame, prefix included, or the next head. A frame that is cut off is returned
    /// as far as it goes.
    pub fn next(&mut self) -> io::Result<Part> {
        let mut frame = std::mem::take(&mut self.frame);
        frame.clear();
        if self.append(8, &mut frame)? {
            if frame == MAGIC {
                return self.rest_of_head(frame).map(Part::Head);
            }
            let size = u32::from_le_bytes(*frame[4..].first_chunk().unwrap());
            self.append(u64::from(size), &mut frame)?;
        }
        self.frame = frame;
        Ok(if self.frame.is_empty() { Part::End } else { Part::Frame })
    }

    /// Appends up to `size` bytes; returns whether all were present.
    fn append(&mut self, size: u64, to: &mut Vec<u8>) -> io::Result<bool> {
        let got = self.source.by_ref().take(size).read_to_end(to)? as u64;
        self.byte += got;
        Ok(got == size)
    }
}

/// A sealed input.
pub struct Input<'a> {
    /// All of its bytes, as stored in the file and hashed.
    bytes: &'a [u8],
    pub account: u32,
    pub class: u8,
    pub flags: u8,
    pub fee: u32,
    pub arrival_ns: u64,
    pub message: &'a [u8],
}

impl Input<'_> {
    /// H(0x00 ‖ input).
    pub fn leaf(&self) -> Hash {
        padded(0, self.bytes)
    }
}

/// The hash of trees: BLAKE3 of a byte and the data, filled up with zeros to whole blocks.
pub fn padded(prefix: u8, data: &[u8]) -> Hash {
    let (end, whole) = (1 + data.len(), (1 + data.len()).next_multiple_of(64));
    let (mut short, mut long) = ([0; 512], Vec::new());
    let bytes = match short.get_mut(..whole) {
        Some(bytes) => bytes,
        None => {
            long.resize(whole, 0);
            &mut long[..]
        }
    };
    bytes[0] = prefix;
    bytes[1..end].copy_from_slice(data);
    *blake3::hash(bytes).as_bytes()
}

/// The fields of a header that are checked.
pub struct Header<'a> {
    pub height: u64,
    pub first_sequence: u64,
    pub sealed_ns: u64,
    pub inputs: u32,
    pub carried_in: u32,
    pub ordered: u32,
    pub carried_out: u32,
    pub reveal: Hash,
    pub seed: Hash,
    pub inputs_root: Hash,
    pub order_root: Hash,
    pub previous: Hash,
    pub terms: &'a [u8],
    pub terms_next: &'a [u8],
    pub beacon: &'a [u8],
}

/// A batch as parsed, not verified.
pub struct Batch<'a> {
    pub header_bytes: &'a [u8],
    pub header: Header<'a>,
    pub inputs: Vec<Input<'a>>,
    pub checks: &'a [u8],
    pub order: Vec<u32>,
    pub carried: Vec<u32>,
    pub hash: Hash,
}

/// Reads a frame.
pub fn batch(frame: &[u8]) -> Torn<Batch<'_>> {
    let mut fields = Fields { bytes: frame, at: 0 };
    if fields.take(4)? != b"SGTB" {
        return Err((0, "no batch begins here"));
    }
    if fields.count()? != frame.len() - 8 {
        return Err((frame.len(), "the file ends inside this batch"));
    }
    let size = fields.count()?;
    let header_start = fields.at;
    let header_bytes = fields.take(size)?;
    let header = header(header_bytes).map_err(|(at, what)| (header_start + at, what))?;
    let inputs = fields.count()?;
    let inputs = (0..inputs).map(|_| input(&mut fields)).collect::<Torn<_>>()?;
    let checks = fields.count()?;
    let checks = fields.take(checks.saturating_mul(8))?;
    let order = fields.indices()?;
    let carried = fields.indices()?;
    let hash = fields.array()?;
    fields.end(Batch { header_bytes, header, inputs, checks, order, carried, hash })
}

fn header(bytes: &[u8]) -> Torn<Header<'_>> {
    let mut fields = Fields { bytes, at: 0 };
    if fields.take(2)? != [1, 0] {
        return Err((0, "the batch's version is not known"));
    }
    let (height, first_sequence) = (fields.u64()?, fields.u64()?);
    let sealed_ns = fields.u64()?;
    let header = Header {
        height,
        first_sequence,
        sealed_ns,
        inputs: fields.u32()?,
        carried_in: fields.u32()?,
        ordered: fields.u32()?,
        carried_out: fields.u32()?,
        reveal: fields.array()?,
        seed: fields.array()?,
        inputs_root: fields.array()?,
        order_root: fields.array()?,
        previous: fields.array()?,
        terms: fields.short()?,
        terms_next: fields.short()?,
        beacon: fields.short()?,
    };
    fields.end(header)
}

fn input<'a>(fields: &mut Fields<'a>) -> Torn<Input<'a>> {
    let start = fields.at;
    let (account, [class, flags]) = (fields.u32()?, fields.array()?);
    let (fee, arrival_ns) = (fields.u32()?, fields.u64()?);
    let size = fields.count()?;
    let message = fields.take(size)?;
    let bytes = &fields.bytes[start..fields.at];
    Ok(Input { bytes, account, class, flags, fee, arrival_ns, message })
}

/// Reads fields in sequence.
struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    fn take(&mut self, size: usize) -> Torn<&'a [u8]> {
        let end = self.at.checked_add(size).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or((self.at, "a field runs over the end of its batch"))?;
        let field = &self.bytes[self.at..end];
        self.at = end;
        Ok(field)
    }

    fn array<const N: usize>(&mut self) -> Torn<[u8; N]> {
        self.take(N).map(|field| *field.first_chunk().unwrap())
    }

    fn u32(&mut self) -> Torn<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Torn<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn count(&mut self) -> Torn<usize> {
        self.u32().map(|count| count as usize)
    }

    fn short(&mut self) -> Torn<&'a [u8]> {
        let size = self.array().map(u16::from_le_bytes)?;
        self.take(size.into())
    }

    fn indices(&mut self) -> Torn<Vec<u32>> {
        let count = self.count()?;
        (0..count).map(|_| self.u32()).collect()
    }

    fn end<T>(&self, whole: T) -> Torn<T> {
        if self.at == self.bytes.len() { Ok(whole) } else { Err((self.at, "bytes left over")) }
    }
}
