//! # surgetank-layer: how messages travel and are ordered
//!
//! Sans-IO machines. No machine owns a clock, a socket, a thread, a log or a source of randomness:
//! `now` and the random draws are arguments, outputs are appended to an outbox, and the caller
//! performs them. Work that takes time or can fail (validation, execution) is an output whose
//! completion is an input: no machine knows how long it takes, or who runs it.
//!
//! Read in this order; a module imports only modules above it in this list (checked by
//! `tests/house/test_floors.py`):
//!
//! 1. [`units`]: time, identifiers, hashes
//! 2. [`machine`]: the interface of every machine
//! 3. [`audit`]: Merkle trees, seeds and the journal of batches
//! 4. [`order_report`]: in which order a node received messages; a block carries such reports
//! 5. [`message`]: the messages, under their FIX names
//! 6. [`codec`]: their versioned binary form
//! 7. the other machines, which do not import each other: [`gossip`], [`admission`], [`queue`],
//!    [`sealed`], [`fair`], [`sequencer`], [`consensus`]
//! 8. [`tuning`]: controllers that adjust their settings
//! 9. their compositions: [`node`], and [`pipe`] for a buffer of records

pub mod admission;
pub mod audit;
pub mod chained;
pub mod codec;
pub mod consensus;
pub mod dag;
pub mod fair;
pub mod gossip;
pub mod machine;
pub mod message;
pub mod node;
pub mod order_report;
pub mod pipe;
pub mod queue;
pub mod sealed;
pub mod sequencer;
pub mod signed;
pub mod tuning;
pub mod units;
