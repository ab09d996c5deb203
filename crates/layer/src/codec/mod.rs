//! The versioned binary form of a [`Message`].
//!
//! # Layout, version 1, little-endian
//! ```text
//! version u8 = 1 | class u8 | id u32 | account u32 | sent_ns u64 | body, fixed by its class
//! ```
//! Fields are in the order of their structs. Enumerations are their FIX numbers in a byte, flags a
//! byte of 0 or 1, `Option` a byte of 0 or 1 and then the value (zeros where there is none).
//!
//! One message has one encoding. Journals contain it, and its length is the size on the wire.

mod write;

use crate::message::{Body, Message};

/// Version of the format that is written.
pub const VERSION: u8 = 1;
/// Size of the part before the body, in bytes.
const HEADER: usize = 18;

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
