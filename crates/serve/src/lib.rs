//! surgetank-serve: a venue's process. Clock, threads, files and sockets around the machines of
//! `surgetank-venue`, which decide everything.
//!
//! Threads: *edge* serves all connections, *venue* steps the machine, *journal* writes and syncs,
//! *background* does what no client waits for. They share nothing but bounded queues.
//!
//! In reading order:
//!
//! 1. [`config`], [`clock`], [`telemetry`] (what operators see)
//! 2. [`files`], [`storage`]: the data directory and the threads that work on it
//! 3. connections: [`edge`]
//! 4. [`host`], [`progress`]: the venue's thread, and what it says of itself
//! 5. [`running`]: all of it
//! 6. [`check`]: a data directory without a venue

pub mod check;
pub mod clock;
pub mod config;
pub mod edge;
pub mod files;
pub mod host;
pub mod progress;
pub mod running;
pub mod storage;
pub mod telemetry;
