//! The versioned binary form of a [`Message`].
//!
//! # Layout, version 1, little-endian
//! ```text
//! version u8 = 1 | class u8 | id u32 | account u32 | sent_ns u64 | body, fixed by its class
//! ```
//! Fields are in the order of their structs. Enumerations are their FIX numbers in a byte, flags a
//! byte of 0 or 1, `Option` a byte of 0 or 1 and then the value (zeros where there is none).
//!
//! # Rules
//! 1. One message has one encoding: bytes that decode are those that the message encodes to. Journals
//!    contain it, and its length is the size on the wire.
//! 2. Decoding is total: bytes that are not a message are refused with the field and its offset.

mod read;
mod reader;
mod write;

use std::fmt;

use crate::message::{Body, Message};

pub use read::decode;
pub use reader::{FieldReader, Read};

/// Version of the format that is written.
pub const VERSION: u8 = 1;
/// Size of the part before the body, in bytes.
const HEADER: usize = 18;

/// These bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// Offset of the field, in bytes.
    pub offset: usize,
    /// Name of the field.
    pub field: &'static str,
    /// What is wrong with it.
    pub kind: Malformed,
}

/// What can be wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The bytes end inside the field.
    Truncated,
    /// A version other than [`VERSION`].
    UnknownVersion(u8),
    /// The byte stands for no value of the field.
    UnknownValue(u8),
    /// A length or number beyond what the field allows.
    TooLarge(u64),
    /// Bytes are left after the last field.
    Surplus,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DecodeError { offset, field, kind } = self;
        match kind {
            Malformed::Truncated => write!(f, "byte {offset}: `{field}` is cut off"),
            Malformed::UnknownVersion(version) => {
                write!(f, "byte {offset}: version {version} is not known; this reads {VERSION}")
            }
            Malformed::UnknownValue(value) => {
                write!(f, "byte {offset}: `{field}` has no value {value}")
            }
            Malformed::TooLarge(value) => {
                write!(f, "byte {offset}: `{field}` cannot be {value}")
            }
            Malformed::Surplus => write!(f, "byte {offset}: bytes are left after the last field"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// Appends a message's encoding.
pub fn encode(message: &Message, out: &mut Vec<u8>) {
    write::message(message, out);
}

/// Length of the encoding of a message with this body.
pub fn encoded_len(body: &Body) -> usize {
    HEADER
        + match body {
            Body::PriceUpdate(_) => 2 + 8 + 8,
            Body::LiquidationOrder(_) => 2 + 4 + 8 + 8,
            Body::OrderCancelRequest(_) => 8 + 8 + 2,
            Body::OrderCancelReplaceRequest(_) => 8 + 8 + 2 + 8 + 8,
            Body::NewOrderSingle(_) => 8 + 2 + 5 + 8 + 8,
            Body::ExecutionReport(_) => 8 + 2 + 2 + 8 + 8 + 8 + 1,
            Body::Proposal(_) => 8 + 4 + 32 + 5 + 4,
            Body::Vote(_) => 1 + 8 + 4 + 33 + 4,
        }
}
