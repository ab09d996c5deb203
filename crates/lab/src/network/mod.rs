//! What the network does to packets: who is linked to whom, how long it takes.

mod delay;
mod links;
mod topology;

pub use delay::Delays;
pub use links::{Counts, Dropped, Flight, Links, Options, Sent};
pub use topology::Graph;
