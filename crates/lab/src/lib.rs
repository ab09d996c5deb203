//! # surgetank-lab: what happens to messages
//!
//! A deterministic discrete-event world around the machines of `surgetank-layer`.
//! Start at [`scenario`] (what is asked), then `world` (what happens), then `trace` (what is told).

pub mod agenda;
pub mod scenario;
