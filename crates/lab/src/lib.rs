//! # surgetank-lab: what happens to messages
//!
//! A deterministic discrete-event world around the machines of `surgetank-layer`.
//! Start at [`scenario`] (what is asked), then [`world`] (what happens), then [`trace`] (what is told).

pub mod actors;
pub mod adversary;
pub mod agenda;
pub mod exchange;
pub mod flow;
pub mod network;
pub mod price;
pub mod scenario;
pub mod seed;
pub mod trace;
pub mod world;
