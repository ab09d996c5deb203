//! # surgetank-layer: how messages travel and are ordered
//!
//! Sans-IO machines. Nothing here owns a clock, a socket, a thread, a log or a source of chance:
//! `now` and the random draws are handed in, outputs are appended to an outbox, and the caller does
//! what they ask. What takes time or can fail (to validate, to execute) is asked for and answered
//! like everything else: no machine knows how long it takes, or who runs it.
//!
//! Read in this order; imports only go up this list, which `tests/house/test_floors.py` holds:
//!
//! 1. [`units`]: time, identifiers, hashes
//! 2. [`machine`]: the shape that every machine has
//! 3. [`audit`]: Merkle trees, seeds and the journal of batches
//! 4. [`fair`]: one order out of many; a block carries the reports that it makes
//! 5. [`message`]: the messages, under their FIX names
//! 6. [`codec`]: their versioned binary form
//! 7. the other machines, which do not import each other: [`gossip`], [`admission`], [`queue`],
//!    [`sealed`], [`sequencer`], [`consensus`]
//! 8. [`tuning`]: controllers of their settings
//! 9. their compositions: [`node`], and [`pipe`] for a buffer of records

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
