//! The way between both ends of a connection, and what has passed it.

use surgetank_layer::units::Ns;

use super::stalls::Stalled;

/// What became of a burst.
#[derive(Clone, Copy, Debug, Default)]
pub struct Carried {
    /// When its last segment has left the sender's uplink.
    pub leaves: Ns,
    /// When its last segment arrives.
    pub at: Ns,
    /// Delay added by faults, in ns.
    pub extra: Ns,
    /// Number of its first packet, for draws.
    pub number: u64,
    /// Segments that do not arrive: by chance, by a fault, for want of room.
    pub lost: [u64; 3],
}

/// The way between both ends.
pub trait Path {
    /// Sends a burst of segments with so many bytes in total.
    fn carry(&mut self, now: Ns, segments: u32, bytes: u32) -> Carried;

    /// When the acknowledgement of a burst that arrives at `at` arrives; `None` if it does not.
    fn answer(&mut self, at: Ns, number: u64) -> Option<Ns>;

    /// The same where every packet arrives.
    fn sure_answer(&mut self, at: Ns, number: u64) -> Ns;

    /// Whether at present every packet arrives.
    fn is_lossless(&self) -> bool;
}

/// A message has arrived, or will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// Its number.
    pub cargo: u32,
    /// When it was handed to the connection.
    pub since: Ns,
    /// When the packet that completed it had left.
    pub leaves: Ns,
    /// When it arrives.
    pub at: Ns,
    /// Delay added by faults to that packet, in ns.
    pub extra: Ns,
    /// For how long it was held meanwhile.
    pub held: Stalled,
}
