//! What the network does to packets: who is linked to whom, how long it takes, what goes wrong.

mod delay;
mod fault;
mod topology;

pub use delay::Delays;
pub use fault::{Fate, FaultReport, Faults};
pub use topology::Graph;
