//! Arrivals of messages: [`arrivals`] by a process, [`tape`] from a recording.

mod arrivals;
mod profile;
mod tape;

pub use arrivals::ArrivalProcess;
pub use tape::Tape;
