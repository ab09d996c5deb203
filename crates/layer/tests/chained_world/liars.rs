//! Validators that lie, together: they see every machine's state and all that was signed, and form
//! every certificate that signatures allow, theirs included, of which they show each victim another.
//! What they say is the protocol's (`hotstuff.rs`, `simplex.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use surgetank_layer::chained::{
    BlockVote, ChainMessage, DummyCertificate, QuorumCertificate, TimeoutCertificate,
};
use surgetank_layer::machine::Draws;
use surgetank_layer::units::{Digest, Height, Round, Weight};

use crate::tendermint_world::SplitMix;

/// All that honest validators have signed.
pub struct Signed {
    weights: Vec<Weight>,
    votes: BTreeMap<(Round, Height, Digest), BTreeSet<u32>>,
    /// Of each round: who gave it up, and the round of its qc_high then.
    timeouts: BTreeMap<Round, BTreeMap<u32, Round>>,
    blocks: BTreeMap<Round, BTreeSet<(Height, Digest)>>,
    dummies: BTreeMap<Round, BTreeSet<u32>>,
}

impl Signed {
    pub fn new(weights: &[Weight]) -> Signed {
        Signed {
            weights: weights.to_vec(),
            votes: BTreeMap::new(),
            timeouts: BTreeMap::new(),
            blocks: BTreeMap::new(),
            dummies: BTreeMap::new(),
        }
    }

    pub fn add(&mut self, message: &ChainMessage) {
        match message {
            ChainMessage::Proposal(p) => {
                self.blocks.entry(p.round).or_default().insert((p.height, p.value));
            }
            ChainMessage::Vote(vote) => {
                let of = (vote.round, vote.height, vote.value);
                self.votes.entry(of).or_default().insert(vote.validator);
            }
            ChainMessage::Timeout(timeout) => {
                let of = self.timeouts.entry(timeout.round).or_default();
                of.entry(timeout.validator).or_insert(timeout.qc.round);
            }
            ChainMessage::DummyVote(vote) => {
                self.dummies.entry(vote.round).or_default().insert(vote.validator);
            }
            _ => {}
        }
    }

    fn is_quorum(&self, signers: &BTreeSet<u32>) -> bool {
        let weight: Weight = signers.iter().map(|&who| self.weights[who as usize]).sum();
        3 * weight > 2 * self.weights.iter().sum::<Weight>()
    }

    /// Every QC that can be formed with the liars' votes, the beginning's first.
    pub fn certificates(&self, liars: &BTreeSet<u32>) -> Vec<Arc<QuorumCertificate>> {
        let of = |round, height, value, voters| {
            Arc::new(QuorumCertificate { round, height, value, voters })
        };
        let mut all = vec![of(0, 0, Digest::default(), Vec::new())];
        for (&(round, height, value), voters) in &self.votes {
            let voters: BTreeSet<u32> = voters.union(liars).copied().collect();
            if self.is_quorum(&voters) {
                all.push(of(round, height, value, voters.into_iter().collect()));
            }
        }
        all
    }

    /// The dummy block's certificate of a round, if one can be formed with the liars' votes.
    pub fn dummy(&self, round: Round, liars: &BTreeSet<u32>) -> Option<Arc<DummyCertificate>> {
        let voters = self.dummies.get(&round).into_iter().flatten().chain(liars);
        let voters: BTreeSet<u32> = voters.copied().collect();
        let formed = self.is_quorum(&voters);
        formed.then(|| Arc::new(DummyCertificate { round, voters: voters.into_iter().collect() }))
    }

    /// The liars' votes for all blocks that are proposed in a round.
    pub fn votes_for_all(&self, round: Round, liars: &BTreeSet<u32>) -> Vec<ChainMessage> {
        let mut votes = Vec::new();
        for &(height, value) in self.blocks.get(&round).into_iter().flatten() {
            let vote = |&who: &u32| BlockVote { round, height, value, validator: who };
            votes.extend(liars.iter().map(vote).map(ChainMessage::Vote));
        }
        votes
    }

    /// The TC of a round whose signers knew as little as possible.
    pub fn timeout(&self, round: Round, liars: &BTreeSet<u32>) -> Option<Arc<TimeoutCertificate>> {
        let mut claims: Vec<(Round, u32)> = liars.iter().map(|&who| (0, who)).collect();
        let honest = self.timeouts.get(&round).into_iter().flatten();
        claims.extend(
            honest.filter(|(who, _)| !liars.contains(who)).map(|(&who, &high)| (high, who)),
        );
        claims.sort_unstable();
        let mut signers = BTreeSet::new();
        let mut timeouts = Vec::new();
        for (high, who) in claims {
            signers.insert(who);
            timeouts.push((who, high));
            if self.is_quorum(&signers) {
                timeouts.sort_unstable();
                return Some(Arc::new(TimeoutCertificate { round, timeouts }));
            }
        }
        None
    }
}

/// The liars, as one victim sees them.
pub struct Faces<'a> {
    pub who: &'a BTreeSet<u32>,
    /// Number of the victim.
    pub to: u32,
    /// Which face it sees.
    pub face: u64,
    /// Whether they propose on an older certificate than they could.
    pub holds_back: bool,
}

pub struct Liars {
    who: BTreeSet<u32>,
    silent: bool,
    /// Which face each victim sees.
    faces: Vec<u64>,
    /// Propose on an older certificate than they could.
    holds_back: bool,
}

impl Liars {
    pub fn new(draws: &mut SplitMix, who: BTreeSet<u32>, nodes: usize) -> Liars {
        let alike = draws.below(4) > 0;
        let faces = (0..nodes as u64).map(|i| if alike { i % 2 } else { draws.below(2) }).collect();
        let (silent, holds_back) = (draws.below(8) == 0, draws.below(2) == 0);
        Liars { who, silent, faces, holds_back }
    }

    pub fn are(&self, validator: u32) -> bool {
        self.who.contains(&validator)
    }

    /// What the liars are to a victim; `None`: they say nothing.
    pub fn faces(&self, to: usize) -> Option<Faces<'_>> {
        let Liars { who, holds_back, .. } = self;
        let speaks = !self.silent && !who.is_empty();
        let face = self.faces[to];
        speaks.then_some(Faces { who, to: to as u32, face, holds_back: *holds_back })
    }
}
