//! Vertices and certificates by round and author, and which of them are in the graph.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::dag::{Vertex, VertexCertificate};
use crate::units::{Digest, Round};

/// What is known of an author's vertex in a round.
#[derive(Clone, Debug, Default)]
pub(super) struct Slot {
    /// The first valid one, or the certified one.
    pub vertex: Option<Arc<Vertex>>,
    pub certificate: Option<Arc<VertexCertificate>>,
    /// What this validator has voted for.
    pub voted: Option<Digest>,
    /// It is in the graph: it, its certificate and all of its history are here.
    pub is_whole: bool,
    /// It is in a decided block.
    pub is_ordered: bool,
}

impl Slot {
    /// The certified vertex.
    pub fn certified(&self) -> Option<&Arc<Vertex>> {
        let vertex = self.vertex.as_ref()?;
        let certificate = self.certificate.as_ref()?;
        (certificate.value == vertex.value).then_some(vertex)
    }
}

/// The vertices above `floor`.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    slots: BTreeMap<(Round, u32), Slot>,
    /// The last round that is forgotten.
    pub floor: Round,
}

impl Graph {
    pub fn get(&self, round: Round, author: u32) -> Option<&Slot> {
        self.slots.get(&(round, author))
    }

    /// The slot of a round above the floor.
    pub fn slot(&mut self, round: Round, author: u32) -> Option<&mut Slot> {
        (round > self.floor).then(|| self.slots.entry((round, author)).or_default())
    }

    /// What is known of a round, by author.
    pub fn of_round(&self, round: Round) -> impl Iterator<Item = (u32, &Slot)> {
        self.slots.range((round, 0)..=(round, u32::MAX)).map(|((_, who), slot)| (*who, slot))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&(Round, u32), &Slot)> {
        self.slots.iter()
    }

    pub fn held(&self) -> usize {
        self.slots.len()
    }

    /// The last round of which anything is known.
    pub fn last_round(&self) -> Round {
        self.slots.last_key_value().map_or(0, |((round, _), _)| *round)
    }

    /// Vertices of a round that are in the graph.
    pub fn whole(&self, round: Round) -> impl Iterator<Item = (u32, &Arc<Vertex>)> {
        let whole = self.of_round(round).filter(|(_, slot)| slot.is_whole);
        whole.filter_map(|(who, slot)| Some((who, slot.vertex.as_ref()?)))
    }

    /// Authors whose vertices of this round, with a share, are here.
    pub fn shares(&self, round: Round) -> impl Iterator<Item = u32> {
        let here = self.of_round(round);
        here.filter(|(_, slot)| slot.vertex.as_ref().is_some_and(|vertex| vertex.has_share))
            .map(|(who, _)| who)
    }

    /// Whether all parents of a vertex are in the graph, or need not be.
    pub fn has_history(&self, vertex: &Vertex) -> bool {
        let before = vertex.round - 1;
        before <= self.floor
            || vertex.parents.iter().all(|(author, value)| {
                self.get(before, *author).is_some_and(|slot| {
                    let is_it = || slot.vertex.as_ref().is_some_and(|it| it.value == *value);
                    slot.is_ordered || slot.is_whole && is_it()
                })
            })
    }

    /// Authors whose vertices of the next round, in the graph, refer to this one.
    pub fn supporters(&self, round: Round, author: u32) -> impl Iterator<Item = u32> {
        let next = self.whole(round + 1).filter(move |(_, vertex)| vertex.refers_to(author));
        next.map(|(who, _)| who)
    }

    /// Whether references lead from one vertex to an earlier one.
    pub fn has_path(&self, from: (Round, u32), to: (Round, u32)) -> bool {
        let mut reached = BTreeSet::from([from.1]);
        for round in (to.0 + 1..=from.0).rev() {
            let vertices = reached.iter().filter_map(|who| self.get(round, *who)?.vertex.as_ref());
            let parents = vertices.flat_map(|vertex| vertex.parents.iter().map(|(who, _)| *who));
            reached = parents.collect();
        }
        reached.contains(&to.1)
    }

    /// The history of a vertex that is not ordered and above `floor`, by round and author.
    pub fn history(&self, from: (Round, u32), floor: Round) -> Vec<(Round, u32)> {
        let mut found = BTreeSet::from([from]);
        let mut open = vec![from];
        while let Some((round, author)) = open.pop() {
            let Some(vertex) = self.get(round, author).and_then(|slot| slot.vertex.as_ref()) else {
                continue;
            };
            for (parent, _) in vertex.parents.iter().filter(|_| round - 1 > floor) {
                let parent = (round - 1, *parent);
                let is_new = self.get(parent.0, parent.1).is_some_and(|slot| !slot.is_ordered);
                if is_new && found.insert(parent) {
                    open.push(parent);
                }
            }
        }
        found.into_iter().collect()
    }

    /// Forgets all up to a round, and says which blocks that were.
    pub fn forget(&mut self, floor: Round) -> Vec<Digest> {
        self.floor = self.floor.max(floor);
        let kept = self.slots.split_off(&(self.floor + 1, 0));
        let gone = std::mem::replace(&mut self.slots, kept);
        gone.into_values().filter_map(|slot| Some(slot.vertex?.value)).collect()
    }
}
