//! Validators that lie: two vertices in a round, each to some, votes for everything, and certificates
//! that some do not receive.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use surgetank_layer::chained::ChainMessage;
use surgetank_layer::dag::{Vertex, VertexCertificate, VertexVote};
use surgetank_layer::machine::Draws;
use surgetank_layer::units::{Digest, Height, MS, Round, Weight};

use super::{Event, World};
use crate::chained_world::{Seeded, choose_liars};
use crate::tendermint_world::{SplitMix, fresh_value};

pub struct Liars {
    are: BTreeSet<u32>,
    /// Vertices with a certificate, by round: what a vertex of the next may refer to.
    certified: BTreeMap<Round, BTreeMap<u32, Digest>>,
    /// Votes of honest validators for vertices of liars.
    votes: BTreeMap<(Round, u32, Digest), BTreeSet<u32>>,
    weights: Vec<Weight>,
}

impl Liars {
    pub fn choose(draws: &mut SplitMix, weights: &[Weight], seeded: Seeded) -> Liars {
        let are = choose_liars(draws, weights, seeded);
        let (certified, votes) = (BTreeMap::new(), BTreeMap::new());
        Liars { are, certified, votes, weights: weights.to_vec() }
    }

    pub fn are(&self, validator: u32) -> bool {
        self.are.contains(&validator)
    }

    fn is_quorum(&self, who: impl Iterator<Item = u32>) -> bool {
        let weight: Weight = who.map(|who| self.weights[who as usize]).sum();
        3 * weight > 2 * self.weights.iter().sum::<Weight>()
    }
}

impl World {
    /// What liars make of a message to one of them.
    pub(super) fn liars_hear(&mut self, liar: usize, message: &Arc<ChainMessage>) {
        match &**message {
            ChainMessage::Vertex(vertex) => {
                let author = vertex.validator as usize;
                if self.places[author].is_some() && self.draws.below(4) > 0 {
                    let Vertex { round, value, validator: author, .. } = *vertex;
                    let vote = VertexVote { round, author, value, validator: liar as u32 };
                    let vote = Arc::new(ChainMessage::VertexVote(vote));
                    self.send(liar, author as usize, &vote);
                }
            }
            ChainMessage::VertexVote(vote) => {
                let VertexVote { round, author, value, validator } = *vote;
                let votes = self.liars.votes.entry((round, author, value)).or_default();
                votes.insert(validator);
                let all: BTreeSet<u32> = votes.union(&self.liars.are).copied().collect();
                if self.liars.is_quorum(all.iter().copied()) {
                    let voters = all.into_iter().collect();
                    self.spread(VertexCertificate { round, author, value, voters });
                }
            }
            ChainMessage::Certificate(certificate) => {
                let round = self.liars.certified.entry(certificate.round).or_default();
                round.entry(certificate.author).or_insert(certificate.value);
            }
            _ => {}
        }
    }

    /// A liar's certificate, to some.
    fn spread(&mut self, certificate: VertexCertificate) {
        let VertexCertificate { round, author, value, .. } = certificate;
        self.liars.certified.entry(round).or_default().entry(author).or_insert(value);
        let message = Arc::new(ChainMessage::Certificate(certificate));
        for to in 0..self.places.len() {
            if self.places[to].is_some() && self.draws.below(3) > 0 {
                self.send(author as usize, to, &message);
            }
        }
    }

    /// Each liar makes two vertices of some round, one for each half of the others.
    pub(super) fn attack(&mut self) {
        let rounds = self.places.iter().flatten().map(|place| place.machine.round());
        let last = rounds.max().unwrap_or(0);
        for liar in self.liars.are.clone() {
            let round = (last + 1).saturating_sub(self.draws.below(3) as Round).max(1);
            let known = self.liars.certified.get(&(round - 1)).cloned().unwrap_or_default();
            let has_quorum = self.liars.is_quorum(known.keys().copied());
            if round > 1 && !has_quorum {
                continue;
            }
            let parents: Vec<(u32, Digest)> =
                if round > 1 { known.into_iter().collect() } else { Vec::new() };
            let has_share = self.draws.below(2) == 0;
            let split = self.draws.below(1 << self.places.len());
            for half in 0..2 {
                let value = fresh_value(&mut self.draws, Height::from(round), true);
                let (parents, validator) = (parents.clone(), liar);
                let vertex = Vertex { round, value, parents, has_share, decided: 0, validator };
                let message = Arc::new(ChainMessage::Vertex(vertex));
                for to in 0..self.places.len() {
                    if self.places[to].is_some()
                        && (split >> to & 1 == half || half == 0 && self.draws.below(4) == 0)
                    {
                        self.send(liar as usize, to, &message);
                    }
                }
            }
        }
        let at = self.now + (2 + self.draws.below(30)) * MS;
        self.plan(at, Event::Attack);
    }
}
