//! Tests of a venue's process: real files, sockets and threads.

mod check;
mod client;
mod configuration;
mod files;
mod full;
mod mishaps;
mod outbound;
mod restart;
mod slow_reader;
mod started;
mod verified;
