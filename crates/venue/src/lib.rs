//! surgetank-venue: what a venue is, as machines without clock, socket, disk or thread.
//!
//! A venue opens with a [`genesis`], and [`execution`] executes sealed batches of messages and
//! [`request`]s on its market. The lab's world and a venue's process are two hosts of the same code:
//! what a simulation executes is what the venue would have executed. [`storage`] is the journal on
//! a disk: group commit, snapshots and recovery.

pub mod execution;
pub mod genesis;
pub mod request;
pub mod storage;
