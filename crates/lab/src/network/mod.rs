//! The network: topology, delays and links.

mod delay;
mod links;
mod paths;
mod topology;

pub use delay::Delays;
pub use links::{Counts, Dropped, Flight, LinkConfig, Links, Sent};
pub use paths::Paths;
pub use topology::Graph;
