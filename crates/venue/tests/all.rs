//! All tests of the crate, in one binary: it is linked once.

mod accepted;
mod encodings;
mod examples;
mod execution;
mod fuzz;
mod genesis;
mod intake;
mod memory_disk;
mod session;
mod session_json;
mod session_keys;
mod small_venue;
mod state;
mod storage_bytes;
mod storage_space;
mod storage_table;
mod stream_conflation;
mod stream_reader;
mod stream_states;
mod streams;
mod venue;
mod venue_host;
mod view;
