//! What a node repeats, lacks, and asks for. The papers assume that messages arrive; over a lossy
//! network that requires it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Dag, Output};
use crate::chained::ChainMessage;
use crate::units::Round;

/// Vertices asked for at once of one validator.
const ASKED_MAX: usize = 64;

impl Dag {
    /// This validator's vertices that are not ordered, with their certificates.
    pub fn own_messages(&self) -> Vec<Arc<ChainMessage>> {
        let own = self.graph.iter().filter(|((_, who), slot)| *who == self.me && !slot.is_ordered);
        own.flat_map(|(_, slot)| {
            let vertex = slot.vertex.iter().map(|it| ChainMessage::Vertex((**it).clone()));
            let certificate = slot.certificate.iter();
            vertex.chain(certificate.map(|it| ChainMessage::Certificate((**it).clone())))
        })
        .map(Arc::new)
        .collect()
    }

    /// Vertices and certificates that another asks for, as far as they are here.
    pub fn vertices(&self, asked: &[(Round, u32)]) -> Vec<Arc<ChainMessage>> {
        let slots = asked.iter().take(ASKED_MAX);
        let slots = slots.filter_map(|(round, author)| self.graph.get(*round, *author));
        let certified =
            slots.filter_map(|slot| Some((slot.certified()?, slot.certificate.as_ref()?)));
        certified
            .flat_map(|(vertex, certificate)| {
                [
                    ChainMessage::Vertex((**vertex).clone()),
                    ChainMessage::Certificate((**certificate).clone()),
                ]
            })
            .map(Arc::new)
            .collect()
    }

    /// Whether a message is unknown here and would be used.
    pub fn lacks(&self, message: &ChainMessage) -> bool {
        if !self.keeps(message.round()) {
            return false;
        }
        match message {
            ChainMessage::Vertex(vertex) => {
                let slot = self.graph.get(vertex.round, vertex.validator);
                slot.is_none_or(|slot| match (&slot.vertex, &slot.certificate) {
                    (None, None) => true,
                    (None, Some(certificate)) => certificate.value == vertex.value,
                    (Some(_), _) => false,
                })
            }
            ChainMessage::Certificate(certificate) => {
                let slot = self.graph.get(certificate.round, certificate.author);
                slot.is_none_or(|slot| slot.certificate.is_none())
            }
            _ => false,
        }
    }

    /// What is missing in the history of known vertices, each with the validators that say they have
    /// it: who refers to it, and who has voted for it or for what refers to it.
    fn holes(&self) -> BTreeMap<(Round, u32), Vec<u32>> {
        let mut holes: BTreeMap<(Round, u32), Vec<u32>> = BTreeMap::new();
        for (&(round, author), slot) in self.graph.iter().filter(|(_, slot)| !slot.is_whole) {
            if let (None, Some(certificate)) = (&slot.vertex, &slot.certificate) {
                holes.entry((round, author)).or_default().extend(&certificate.voters);
            }
            let Some(vertex) = &slot.vertex else { continue };
            for &(parent, _) in vertex.parents.iter().filter(|_| round - 1 > self.graph.floor) {
                let known = self.graph.get(round - 1, parent);
                if known.is_none_or(|slot| !slot.is_ordered && slot.certified().is_none()) {
                    let holders = holes.entry((round - 1, parent)).or_default();
                    holders.push(author);
                    holders.extend(slot.certificate.iter().flat_map(|it| &it.voters));
                }
            }
        }
        let is_ordered = |(round, author): &(Round, u32)| {
            self.graph.get(*round, *author).is_some_and(|slot| slot.is_ordered)
        };
        holes.retain(|hole, _| !is_ordered(hole));
        holes
    }

    /// Its vertices that had no certificate at the last tick, either, to those whose votes are not here:
    /// they, or their votes, are lost. Who has voted, votes again.
    fn send_again(&self, outbox: &mut Vec<Output>) {
        for (&(round, author), slot) in self.graph.iter() {
            let (Some(vertex), None) = (&slot.vertex, &slot.certificate) else { continue };
            if author != self.me || round > self.made_before {
                continue;
            }
            let message = Arc::new(ChainMessage::Vertex((**vertex).clone()));
            let has_voted = |who: &u32| self.votes.get(&round).is_some_and(|it| it.contains(who));
            let all = (0..self.electorate.len() as u32).filter(|who| *who != self.me);
            for to in all.filter(|who| self.electorate.weight(*who) > 0 && !has_voted(who)) {
                outbox.push(Output::Send { to, message: Arc::clone(&message) });
            }
        }
    }

    /// Asks for what was missing at the last tick, too: what is missing only now may be on its way.
    pub(super) fn tick(&mut self, outbox: &mut Vec<Output>) {
        self.ticks += 1;
        self.send_again(outbox);
        self.made_before = self.made;
        let holes = self.holes();
        let mut by_holder: BTreeMap<u32, Vec<(Round, u32)>> = BTreeMap::new();
        for (hole, holders) in &holes {
            // Each in turn, as some may not answer.
            let holder = holders[self.ticks as usize % holders.len()];
            if self.missing.contains(hole) && holder != self.me {
                by_holder.entry(holder).or_default().push(*hole);
            }
        }
        for (to, mut vertices) in by_holder {
            vertices.truncate(ASKED_MAX);
            outbox.push(Output::Ask { to, vertices });
        }
        self.missing = holes.into_keys().collect::<BTreeSet<_>>();
    }
}
