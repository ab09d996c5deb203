//! Fields of fixed size, read in sequence from bytes of unknown origin.

use super::{DecodeError, Malformed};

/// A field, or where and why it is none.
pub type Read<T> = Result<T, DecodeError>;

/// Reads little-endian fields; every method is total, and names its field where it fails.
#[derive(Clone, Debug)]
pub struct FieldReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> FieldReader<'a> {
    /// At the front of `bytes`.
    pub fn new(bytes: &'a [u8]) -> FieldReader<'a> {
        FieldReader { bytes, at: 0 }
    }

    /// Number of bytes read.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The bytes from `start` to here.
    pub fn since(&self, start: usize) -> &'a [u8] {
        self.bytes.get(start..self.at).unwrap_or_default()
    }

    /// The next `length` bytes.
    ///
    /// # Errors
    /// Fewer are left.
    pub fn slice(&mut self, field: &'static str, length: usize) -> Read<&'a [u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.get(..length).ok_or_else(|| self.error(field, Malformed::Truncated))?;
        self.at += length;
        Ok(taken)
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// Fewer are left.
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Read<[u8; N]> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>());
        let array = *taken.ok_or_else(|| self.error(field, Malformed::Truncated))?;
        self.at += N;
        Ok(array)
    }

    /// The next byte.
    ///
    /// # Errors
    /// None is left.
    pub fn byte(&mut self, field: &'static str) -> Read<u8> {
        self.array::<1>(field).map(|[byte]| byte)
    }

    /// The next 16-bit number.
    ///
    /// # Errors
    /// The bytes end inside it.
    pub fn u16(&mut self, field: &'static str) -> Read<u16> {
        self.array(field).map(u16::from_le_bytes)
    }

    /// The next 32-bit number.
    ///
    /// # Errors
    /// The bytes end inside it.
    pub fn u32(&mut self, field: &'static str) -> Read<u32> {
        self.array(field).map(u32::from_le_bytes)
    }

    /// The next 64-bit number.
    ///
    /// # Errors
    /// The bytes end inside it.
    pub fn u64(&mut self, field: &'static str) -> Read<u64> {
        self.array(field).map(u64::from_le_bytes)
    }

    /// The next signed 64-bit number.
    ///
    /// # Errors
    /// The bytes end inside it.
    pub fn i64(&mut self, field: &'static str) -> Read<i64> {
        self.array(field).map(i64::from_le_bytes)
    }

    /// A byte that is the number of one of these values.
    ///
    /// # Errors
    /// It is the number of none.
    pub fn one_of<T: Copy>(
        &mut self,
        field: &'static str,
        all: impl IntoIterator<Item = T>,
        number: impl Fn(T) -> u8,
    ) -> Read<T> {
        let start = self.at;
        let byte = self.byte(field)?;
        let value = all.into_iter().find(|&one| number(one) == byte);
        value.ok_or_else(|| self.unknown_at(start, field))
    }

    /// A byte of 0 or 1.
    ///
    /// # Errors
    /// It is another.
    pub fn flag(&mut self, field: &'static str) -> Read<bool> {
        self.one_of(field, [false, true], u8::from)
    }

    /// That nothing is left.
    ///
    /// # Errors
    /// Something is.
    pub fn end(&self) -> Read<()> {
        if self.at < self.bytes.len() {
            return Err(self.error("end", Malformed::Surplus));
        }
        Ok(())
    }

    /// An error of a field that would begin here.
    pub fn error(&self, field: &'static str, kind: Malformed) -> DecodeError {
        DecodeError { offset: self.at, field, kind }
    }

    /// The byte at `offset` stands for no value of the field.
    pub fn unknown_at(&self, offset: usize, field: &'static str) -> DecodeError {
        let value = self.bytes.get(offset).copied().unwrap_or_default();
        DecodeError { offset, field, kind: Malformed::UnknownValue(value) }
    }
}
