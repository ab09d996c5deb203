//! surgetank-venue: what a venue is, as machines without clock, socket, disk or thread.
//!
//! A venue opens with a [`genesis`], and [`execution`] executes sealed batches on its market. The
//! lab's world and a venue's process are two hosts of the same code: what a simulation executes is
//! what the venue would have executed. What a venue's process hosts besides, in reading order:
//!
//! 1. [`encoding`]; [`request`], [`answer`], [`event`], [`query`]: what crosses a connection
//! 2. [`wire`]: frames of the binary protocol
//! 3. [`session`]: logon, signatures, MACs; the client's side too
//! 4. [`storage`]: the journal on a disk, group commit, snapshots, recovery
//! 5. [`intake`]: which requests are accepted, and in what order they are sealed
//! 6. [`streams`]: events of the batches for subscribers, numbered
//! 7. [`venue`]: their composition; [`buckets`]: distributions for operators

pub mod answer;
pub mod buckets;
pub mod encoding;
pub mod event;
pub mod execution;
pub mod genesis;
pub mod intake;
pub mod query;
pub mod request;
pub mod session;
pub mod storage;
pub mod streams;
pub mod venue;
pub mod wire;
