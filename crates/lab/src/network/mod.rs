//! What the network does to packets: who is linked to whom, how long it takes, what goes wrong.

mod delay;
mod fault;
mod links;
mod topology;

pub use delay::Delays;
pub use fault::{Fate, FaultReport, Faults};
pub use links::{Counts, Dropped, Flight, Links, Options, Sent};
pub use topology::Graph;
