//! # surgetank-lab: what happens to messages
//!
//! A deterministic discrete-event world around the machines of `surgetank-layer`. Start at
//! [`scenario`] (the input), then [`host`] (servers of a node), [`world`] (agenda and routing) and
//! [`trace`] (output tables).

pub mod actors;
pub mod adversary;
pub mod agenda;
pub mod chain;
pub mod clients;
pub mod disk;
pub mod exchange;
pub mod faults;
pub mod flow;
pub mod gauges;
pub mod host;
pub mod lane;
pub mod network;
pub mod price;
pub mod scenario;
pub mod seed;
pub mod slab;
pub mod trace;
pub mod waits;
pub mod wire;
pub mod world;
