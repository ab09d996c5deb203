//! All tests of the crate, in one binary: it is linked once.

mod execution;
mod genesis;
mod small_venue;
mod state;
