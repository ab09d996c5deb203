//! All tests of the crate, in one binary: it is linked once.

mod execution;
mod genesis;
mod memory_disk;
mod small_venue;
mod state;
mod storage_bytes;
mod storage_space;
mod storage_table;
