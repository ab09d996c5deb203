//! The time between the sending of a packet and its leaving, in parts.

use surgetank_layer::units::{NodeId, Ns};

use crate::network::{Stall, Stalled};
use crate::trace::{Place, Resource};

/// A part of it.
pub struct Departing {
    pub resource: Resource,
    pub place: Place,
    pub begin: Ns,
    pub end: Ns,
}

/// Its parts in order: waiting for a window (round trips, so distance), for what was lost by chance or
/// by a fault to be sent again, and the rest for the uplink and the rate of the path.
pub fn departure(from: NodeId, way: Place, span: (Ns, Ns), held: &Stalled) -> [Departing; 4] {
    let (mut begin, last) = span;
    let mut part = |resource, place, length: Ns| {
        let end = (begin + length).min(last);
        Departing { resource, place, begin: std::mem::replace(&mut begin, end), end }
    };
    [
        part(Resource::Distance, way, held.get(Stall::Window)),
        part(Resource::Loss, way, held.get(Stall::Loss)),
        part(Resource::Faults, way, held.get(Stall::Fault)),
        part(Resource::Bandwidth, Place::at(from), last - span.0),
    ]
}
