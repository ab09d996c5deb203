//! Causal segments: a span of time, its resource and place, and the preceding segment.

use surgetank_layer::units::Ns;

use super::places::Part;
use crate::trace::{Charges, Place, Resource};

/// Number of a segment; [`NONE`] is before everything.
pub type Id = u32;

/// The segment before all others.
pub const NONE: Id = 0;

/// A span of time that had to pass before its effect could begin.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// Number of the preceding segment.
    pub parent: Id,
    /// Resource to which the time is charged.
    pub resource: Resource,
    /// Place of the resource.
    pub place: Place,
    /// Begin of the span.
    pub begin: Ns,
    /// End of the span.
    pub end: Ns,
}

/// Attribution of a path.
#[derive(Debug, Default)]
pub struct Charged {
    /// Time charged to each resource.
    pub charges: Charges,
    /// The charges, part by part, without the time of unknown use.
    pub parts: Vec<Part>,
    /// The time before the path begins, which is not charged.
    pub unknown: Ns,
}

/// All segments of a run. A segment's parent has a smaller number.
#[derive(Debug)]
pub struct Segments(Vec<Segment>);

impl Segments {
    /// None but the one before everything.
    pub fn new() -> Segments {
        let place = Place::NOWHERE;
        Segments(vec![Segment { parent: NONE, resource: Resource::Other, place, begin: 0, end: 0 }])
    }

    /// Adds a segment; one without length is its parent.
    pub fn add(&mut self, segment: Segment) -> Id {
        if segment.end <= segment.begin {
            return segment.parent;
        }
        self.0.push(segment);
        self.0.len() as Id - 1
    }

    /// When a segment ended; 0 for none.
    pub fn end(&self, id: Id) -> Ns {
        self.0[id as usize].end
    }

    /// The segment of this number.
    pub fn get(&self, id: Id) -> Segment {
        self.0[id as usize]
    }

    /// Charges the time from `since` to `until` along the way that ends with this segment.
    pub fn charge(&self, mut id: Id, since: Ns, until: Ns) -> Charged {
        let (mut charges, mut parts) = (Charges::default(), Vec::new());
        let (mut left, last) = (until, id);
        while id != NONE && left > since {
            let segment = &self.0[id as usize];
            let end = segment.end.clamp(since, left);
            charges.add(Resource::Other, left - end);
            parts.push(Part { resource: Resource::Other, place: Place::NOWHERE, span: left - end });
            let begin = segment.begin.clamp(since, end);
            // Of executions only the last is that of the block itself.
            let resource = match segment.resource {
                Resource::ExecutionOwn if id != last => Resource::ExecutionOthers,
                resource => resource,
            };
            charges.add(resource, end - begin);
            parts.push(Part { resource, place: segment.place, span: end - begin });
            (left, id) = (begin, segment.parent);
        }
        Charged { charges, parts, unknown: left - since }
    }
}
