//! The network: topology, delays and links.

mod delay;
mod links;
mod topology;

pub use delay::Delays;
pub use links::{Counts, Dropped, Flight, LinkConfig, Links, Sent};
pub use topology::Graph;
