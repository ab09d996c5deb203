//! The network: topology, delays, links, and the connections over them.

mod delay;
mod links;
mod paths;
mod topology;
mod transport;

pub use delay::Delays;
pub use links::{Counts, Dropped, Flight, LinkConfig, Links, Sent};
pub use paths::Paths;
pub use topology::Graph;
pub use transport::{Arrived, Channel, ConnectionSet, Handed, News, Rules, Stall, Stalled};
