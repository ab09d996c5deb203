//! # surgetank-layer: how messages travel and are ordered
//!
//! Sans-IO machines. Nothing here owns a clock, a socket, a thread, a log or a source of chance:
//! `now` and the random draws are handed in, outputs are appended to an outbox, and the caller
//! (the lab's world, or a live driver) does what they ask.
//!
//! Read in this order; imports only go down the list's other way:
//!
//! 1. [`units`]: time, identifiers, hashes
//! 2. [`message`]: the messages, under their FIX names
//! 3. [`codec`]: their versioned binary form
//! 4. [`audit`]: Merkle trees, seeds and the journal of batches
//! 5. [`machine`]: the shape that every machine has
//! 6. the machines, which do not import each other: [`gossip`], [`admission`], [`queue`],
//!    [`sealed`], [`fair`], [`sequencer`], [`consensus`]
//! 7. [`tuning`]: controllers of their settings
//! 8. their compositions: [`node`], and [`pipe`] for a buffer of records

pub mod admission;
pub mod audit;
pub mod codec;
pub mod consensus;
pub mod fair;
pub mod gossip;
pub mod machine;
pub mod message;
pub mod node;
pub mod pipe;
pub mod queue;
pub mod sealed;
pub mod sequencer;
pub mod tuning;
pub mod units;
