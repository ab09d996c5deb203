//! Binary encoding of what crosses a connection: fields in the order of their structs.
//!
//! # Layout, little-endian
//! ```text
//! numbers        as they are; money i128
//! bool           u8, 0 or 1
//! enumeration    u8, its number
//! Option         u8, 0 or 1, and the value if 1
//! list           count u32, and the values
//! text           length u16, and UTF-8
//! message        as crates/layer/src/codec has it
//! ```
//!
//! # Rules
//! 1. One value has one encoding: bytes that decode are those that the value encodes to.
//! 2. Decoding is total, and needs memory in proportion to the bytes that are there.

use std::sync::Arc;

use surgetank_layer::codec::{DecodeError, FieldReader, Malformed, Read};
use surgetank_layer::message::{ExecType, Side};

/// A value with one binary encoding.
pub trait Encoded: Sized {
    /// Appends the encoding.
    fn write(&self, out: &mut Vec<u8>);

    /// Reads a value; `field` is its name in an error.
    ///
    /// # Errors
    /// Names the field at which the bytes are not such a value, and its offset.
    fn read(reader: &mut FieldReader<'_>, field: &'static str) -> Read<Self>;

    /// The encoding.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    /// Decodes all of `bytes`.
    ///
    /// # Errors
    /// As [`Encoded::read`], or bytes are left.
    fn from_bytes(bytes: &[u8]) -> Read<Self> {
        let mut reader = FieldReader::new(bytes);
        let value = Self::read(&mut reader, "value")?;
        reader.end()?;
        Ok(value)
    }
}

/// Encodes a struct as these fields, in this order.
macro_rules! fields {
    ($name:ident { $($field:ident),+ $(,)? }) => {
        impl $crate::encoding::Encoded for $name {
            fn write(&self, out: &mut Vec<u8>) {
                $($crate::encoding::Encoded::write(&self.$field, out);)+
            }

            fn read(
                reader: &mut surgetank_layer::codec::FieldReader<'_>,
                _: &'static str,
            ) -> surgetank_layer::codec::Read<$name> {
                $(let $field = $crate::encoding::Encoded::read(reader, stringify!($field))?;)+
                Ok($name { $($field),+ })
            }
        }
    };
}

/// Encodes an enum of variants with one value each as its number and the value.
macro_rules! variants {
    ($name:ident { $($number:literal => $variant:ident),+ $(,)? }) => {
        impl $crate::encoding::Encoded for $name {
            fn write(&self, out: &mut Vec<u8>) {
                match self {
                    $($name::$variant(value) => {
                        out.push($number);
                        $crate::encoding::Encoded::write(value, out);
                    })+
                }
            }

            fn read(
                reader: &mut surgetank_layer::codec::FieldReader<'_>,
                field: &'static str,
            ) -> surgetank_layer::codec::Read<$name> {
                let start = reader.at();
                Ok(match reader.byte(field)? {
                    $($number => $name::$variant(
                        $crate::encoding::Encoded::read(reader, stringify!($variant))?,
                    ),)+
                    _ => return Err(reader.unknown_at(start, field)),
                })
            }
        }
    };
}

/// Encodes an enumeration as its number; also gives it `ALL`.
macro_rules! numbered {
    ($name:ident { $($variant:ident),+ $(,)? }) => {
        impl $name {
            /// Every value, in the order of its number.
            pub const ALL: &[$name] = &[$($name::$variant),+];
        }

        impl $crate::encoding::Encoded for $name {
            fn write(&self, out: &mut Vec<u8>) {
                out.push(*self as u8);
            }

            fn read(
                reader: &mut surgetank_layer::codec::FieldReader<'_>,
                field: &'static str,
            ) -> surgetank_layer::codec::Read<$name> {
                reader.one_of(field, $name::ALL.iter().copied(), |one| one as u8)
            }
        }
    };
}

pub(crate) use {fields, numbered, variants};

macro_rules! numbers {
    ($($name:ty),+) => {
        $(impl Encoded for $name {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            fn read(reader: &mut FieldReader<'_>, field: &'static str) -> Read<$name> {
                reader.array(field).map(<$name>::from_le_bytes)
            }
        })+
    };
}

numbers!(u8, u16, u32, u64, i64, i128);

/// The value of a variant that has none.
impl Encoded for () {
    fn write(&self, _: &mut Vec<u8>) {}

    fn read(_: &mut FieldReader<'_>, _: &'static str) -> Read<()> {
        Ok(())
    }
}

impl Encoded for bool {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn read(reader: &mut FieldReader<'_>, field: &'static str) -> Read<bool> {
        reader.flag(field)
    }
}

impl<const N: usize> Encoded for [u8; N] {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn read(reader: &mut FieldReader<'_>, field: &'static str) -> Read<[u8; N]> {
        reader.array(field)
    }
}

impl<T: Encoded> Encoded for Option<T> {
    fn write(&self, out: &mut Vec<u8>) {
        self.is_some().write(out);
        if let Some(value) = self {
            value.write(out);
        }
    }

    fn read(reader: &mut FieldReader<'_>, field: &'static str) -> Read<Option<T>> {
        reader.flag(field)?.then(|| T::read(reader, field)).transpose()
    }
}

impl<T: Encoded> Encoded for Vec<T> {
    fn write(&self, out: &mut Vec<u8>) {
        length(self.len()).write(out);
        self.iter().for_each(|value| value.write(out));
    }

    fn read(reader: &mut FieldReader<'_>, field: &'static str) -> Read<Vec<T>> {
        // The count is a claim: memory is taken for values that are there.
        (0..reader.u32(field)?).map(|_| T::read(reader, field)).collect()
    }
}

impl Encoded for Arc<[u8]> {
    fn write(&self, out: &mut Vec<u8>) {
        length(self.len()).write(out);
        out.extend_from_slice(self);
    }

    fn read(reader: &mut FieldReader<'_>, field: &'static str) -> Read<Arc<[u8]>> {
        let length = reader.u32(field)?;
        reader.slice(field, length as usize).map(Arc::from)
    }
}

impl Encoded for String {
    /// # Panics
    /// If the text is longer than 65,535 bytes.
    fn write(&self, out: &mut Vec<u8>) {
        u16::try_from(self.len()).expect("a text under 64 KiB").write(out);
        out.extend_from_slice(self.as_bytes());
    }

    fn read(reader: &mut FieldReader<'_>, field: &'static str) -> Read<String> {
        let length = reader.u16(field)?;
        let start = reader.at();
        let text = str::from_utf8(reader.slice(field, usize::from(length))?);
        let wrong = |e: std::str::Utf8Error| reader.unknown_at(start + e.valid_up_to(), field);
        text.map(str::to_owned).map_err(wrong)
    }
}

impl Encoded for Side {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(*self as u8);
    }

    fn read(reader: &mut FieldReader<'_>, field: &'static str) -> Read<Side> {
        reader.one_of(field, [Side::Buy, Side::Sell], |side| side as u8)
    }
}

impl Encoded for ExecType {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(*self as u8);
    }

    fn read(reader: &mut FieldReader<'_>, field: &'static str) -> Read<ExecType> {
        use ExecType::{Canceled, New, Rejected, Replaced, Trade};
        reader.one_of(field, [New, Trade, Canceled, Replaced, Rejected], |one| one as u8)
    }
}

/// # Panics
/// If a list is longer than 2³² − 1.
fn length(n: usize) -> u32 {
    u32::try_from(n).expect("a list under 4 Gi")
}

/// An error at the field that begins at `offset`: its value is beyond what it allows.
pub(crate) fn too_large(offset: usize, field: &'static str, value: u64) -> DecodeError {
    DecodeError { offset, field, kind: Malformed::TooLarge(value) }
}
