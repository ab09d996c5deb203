//! Charges of messages by class, resource and place.
//!
//! # Rules
//! 1. The messages that measures use count: executed, created in the measured window, not the
//!    attacker's.
//! 2. By class and resource, the spans of all places sum exactly to what is charged to those messages.
//! 3. What waits for a block is charged in the proportions of cycles ([`super::cycles`]); so it is
//!    in the places of those cycles.
//!
//! # Theory of operation
//! A message's own way and the way of its block are known place by place. Of cycles only how much of
//! each was charged is kept, by class, and laid over the cycles' places at the end: a message may
//! wait for thousands of them. That gives reals; they are scaled to the exact sums of rule 2.

use std::collections::BTreeMap;
use std::ops::Range;

use surgetank_layer::units::{NodeId, Ns};

use super::cycles::CLASSES;
use crate::trace::{Charges, Executed, Place, PlaceRow, RESOURCES, Resource, Source};

/// A part of a path: resource, place and time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    pub resource: Resource,
    pub place: Place,
    pub span: Ns,
}

/// Multiples of a cycle's length that messages of a class were charged.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Used {
    /// Multiple in its own proportions.
    pub own: f64,
    /// In the proportions of its crowded spell.
    pub spell: f64,
    /// Nanoseconds of it before the way to the next block is known.
    pub idle: f64,
}

impl Used {
    /// More of it, so many times.
    pub fn add(&mut self, more: Used, times: f64) {
        self.own += more.own * times;
        self.spell += more.spell * times;
        self.idle += more.idle * times;
    }
}

/// Charges by class, resource and place.
#[derive(Clone, Debug)]
pub struct Places {
    window: Range<Ns>,
    nodes: usize,
    totals: [Charges; CLASSES],
    /// Spans by class, resource and node; the last node is nowhere in particular.
    at_nodes: Vec<f64>,
    /// Spans by class, resource and link.
    between: BTreeMap<(u8, u8, Place), f64>,
    /// By class and cycle; and in how many more whole cycles from here on.
    used: [Vec<Used>; CLASSES],
    whole: [Vec<i64>; CLASSES],
}

impl Places {
    /// No charges yet. `window` = when messages that count are created.
    pub fn new(nodes: usize, window: Range<Ns>) -> Places {
        Places {
            window,
            nodes,
            totals: Default::default(),
            at_nodes: vec![0.0; CLASSES * RESOURCES * (nodes + 1)],
            between: BTreeMap::new(),
            used: Default::default(),
            whole: Default::default(),
        }
    }

    /// Number of nodes.
    pub fn nodes(&self) -> usize {
        self.nodes
    }

    /// Whether a message counts.
    pub fn counts(&self, message: &Executed) -> bool {
        message.source != Source::Attacker && self.window.contains(&message.created_ns)
    }

    /// All that a message that counts is charged.
    pub fn total(&mut self, class: u8, charges: &Charges) {
        self.totals[class as usize].join(charges);
    }

    /// Adds a part of it at a place.
    pub fn add(&mut self, class: u8, resource: Resource, place: Place, span: f64) {
        if span <= 0.0 {
            return;
        }
        if place.is_link() {
            *self.between.entry((class, resource as u8, place)).or_default() += span;
        } else {
            let node = (place.node as usize).min(self.nodes);
            let row = class as usize * RESOURCES + resource as usize;
            self.at_nodes[row * (self.nodes + 1) + node] += span;
        }
    }

    /// Adds the path of a block that carried so many messages of each class.
    pub fn carry(&mut self, way: &[Part], messages: [u32; CLASSES]) {
        for (class, count) in messages.into_iter().enumerate().filter(|(_, count)| *count > 0) {
            for Part { resource, place, span } in way {
                self.add(class as u8, *resource, *place, *span as f64 * f64::from(count));
            }
        }
    }

    /// Adds the use of a part of a cycle.
    pub fn uses(&mut self, class: u8, cycle: usize, used: Used) {
        let all = &mut self.used[class as usize];
        if all.len() <= cycle {
            all.resize(cycle + 1, Used::default());
        }
        all[cycle].add(used, 1.0);
    }

    /// Of that, these cycles from begin to end.
    pub fn uses_whole(&mut self, class: u8, cycles: Range<usize>) {
        if cycles.is_empty() {
            return;
        }
        let whole = &mut self.whole[class as usize];
        if whole.len() <= cycles.end {
            whole.resize(cycles.end + 1, 0);
        }
        whole[cycles.start] += 1;
        whole[cycles.end] -= 1;
    }

    /// Number of times that each of so many cycles was charged as a whole.
    pub fn whole(&self, class: u8, cycles: usize) -> Vec<i64> {
        let mut sum = 0;
        let whole = &self.whole[class as usize];
        let steps = (0..cycles).map(|cycle| whole.get(cycle).copied().unwrap_or_default());
        steps
            .map(|step| {
                sum += step;
                sum
            })
            .collect()
    }

    /// The part of a cycle that was charged, without the charges as a whole.
    pub fn used(&self, class: u8, cycle: usize) -> Used {
        self.used[class as usize].get(cycle).copied().unwrap_or_default()
    }

    /// By class, resource and place, whole nanoseconds.
    pub fn rows(&self) -> Vec<PlaceRow> {
        let mut rows = Vec::new();
        for (class, totals) in self.totals.iter().enumerate() {
            for &resource in Resource::ALL {
                let weights = self.weights(class as u8, resource);
                let spans = apportioned(totals.get(resource), &weights);
                rows.extend(
                    spans.into_iter().filter(|(_, span)| *span > 0).map(|(place, span)| PlaceRow {
                        class: class as u8,
                        resource,
                        place,
                        span,
                    }),
                );
            }
        }
        rows
    }

    fn weights(&self, class: u8, resource: Resource) -> Vec<(Place, f64)> {
        let row = class as usize * RESOURCES + resource as usize;
        let width = self.nodes + 1;
        let at_nodes = &self.at_nodes[row * width..(row + 1) * width];
        let named = at_nodes.iter().enumerate().map(|(node, span)| match node {
            node if node < self.nodes => (Place::at(node as NodeId), *span),
            _ => (Place::NOWHERE, *span),
        });
        let (first, last) = (Place { node: 0, peer: 0 }, Place::NOWHERE);
        let key = |place| (class, resource as u8, place);
        let links = self.between.range(key(first)..=key(last));
        let mut all: Vec<_> =
            named.chain(links.map(|((_, _, place), span)| (*place, *span))).collect();
        all.retain(|(_, span)| *span > 0.0);
        all.sort_by_key(|(place, _)| *place);
        all
    }
}

/// A whole sum, shared out in proportion to weights, to the last nanosecond.
fn apportioned(total: Ns, weights: &[(Place, f64)]) -> Vec<(Place, Ns)> {
    let all: f64 = weights.iter().map(|(_, weight)| weight).sum();
    if all <= 0.0 {
        return vec![(Place::NOWHERE, total)];
    }
    let (mut before, mut given) = (0.0, 0);
    let last = weights.len() - 1;
    let share = |(index, (place, weight)): (usize, &(Place, f64))| {
        before += weight;
        let up_to = if index == last { total } else { (total as f64 * (before / all)) as Ns };
        let up_to = up_to.clamp(given, total);
        let span = up_to - given;
        given = up_to;
        (*place, span)
    };
    weights.iter().enumerate().map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_a_resource_sum_to_what_is_charged_to_it() {
        let mut places = Places::new(3, 0..100);
        let mut charges = Charges::default();
        charges.add(Resource::Distance, 1_000_000_007);
        charges.add(Resource::Admission, 5);
        places.total(0, &charges);
        for node in 0..3 {
            places.add(0, Resource::Distance, Place::between(node, 2), 1.0 + f64::from(node));
        }
        let rows = places.rows();
        let of = |resource| rows.iter().filter(move |row| row.resource == resource);
        assert_eq!(of(Resource::Distance).map(|row| row.span).sum::<Ns>(), 1_000_000_007);
        assert_eq!(of(Resource::Distance).count(), 3);
        let most = of(Resource::Distance).max_by_key(|row| row.span).unwrap();
        assert_eq!(
            (most.place, most.span.abs_diff(500_000_003) <= 1),
            (Place::between(2, 2), true)
        );
        assert_eq!(of(Resource::Admission).next().unwrap().place, Place::NOWHERE);
    }

    #[test]
    fn cycles_charged_whole_are_counted() {
        let mut places = Places::new(1, 0..100);
        places.uses_whole(3, 1..4);
        places.uses_whole(3, 2..3);
        places.uses_whole(3, 4..4);
        assert_eq!(places.whole(3, 5), [0, 1, 2, 1, 0]);
        assert_eq!(places.whole(2, 2), [0, 0]);
    }
}
