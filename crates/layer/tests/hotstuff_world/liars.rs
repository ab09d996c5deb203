//! Validators that lie, together: they see every machine's state and all that was signed, and form
//! every certificate that signatures allow, theirs included, of which they show each victim another.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use surgetank_layer::consensus::hotstuff::{
    BlockProposal, BlockVote, ChainMessage, HotStuff, QuorumCertificate, RoundTimeout,
    TimeoutCertificate,
};
use surgetank_layer::machine::Draws;
use surgetank_layer::units::{Digest, Height, Round, Weight};

use crate::tendermint_world::{SplitMix, fresh_value};

/// All that honest validators have signed.
pub struct Signed {
    weights: Vec<Weight>,
    votes: BTreeMap<(Round, Height, Digest), BTreeSet<u32>>,
    /// Of each round: who gave it up, and the round of its qc_high then.
    timeouts: BTreeMap<Round, BTreeMap<u32, Round>>,
    blocks: BTreeMap<Round, BTreeSet<(Height, Digest)>>,
}

impl Signed {
    pub fn new(weights: &[Weight]) -> Signed {
        Signed {
            weights: weights.to_vec(),
            votes: BTreeMap::new(),
            timeouts: BTreeMap::new(),
            blocks: BTreeMap::new(),
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
        }
    }

    fn is_quorum(&self, signers: &BTreeSet<u32>) -> bool {
        let weight: Weight = signers.iter().map(|&who| self.weights[who as usize]).sum();
        3 * weight > 2 * self.weights.iter().sum::<Weight>()
    }

    /// Every QC that can be formed with the liars' votes, the beginning's first.
    fn certificates(&self, liars: &BTreeSet<u32>) -> Vec<Arc<QuorumCertificate>> {
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

    /// The TC of a round whose signers knew as little as possible.
    fn timeout(&self, round: Round, liars: &BTreeSet<u32>) -> Option<Arc<TimeoutCertificate>> {
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

    /// What the liars say to `to`.
    pub fn lies(
        &self,
        to: usize,
        victim: &HotStuff,
        signed: &Signed,
        draws: &mut SplitMix,
    ) -> Vec<ChainMessage> {
        let mut lies = Vec::new();
        if self.silent || self.who.is_empty() {
            return lies;
        }
        let qcs = signed.certificates(&self.who);
        let now = victim.round();
        for round in now..=now + 1 {
            let leader = victim.leader(round);
            if self.are(leader) && draws.below(3) > 0 {
                lies.extend(self.proposal(leader, round, self.faces[to], &qcs, signed, draws));
            }
        }
        if victim.leader(now + 1) as usize == to {
            for &(height, value) in signed.blocks.get(&now).into_iter().flatten() {
                let vote = |&who: &u32| BlockVote { round: now, height, value, validator: who };
                lies.extend(self.who.iter().map(vote).map(ChainMessage::Vote));
            }
        }
        if draws.below(4) == 0 {
            lies.extend(self.timeouts(now, &qcs, signed, draws));
        }
        lies
    }

    fn proposal(
        &self,
        leader: u32,
        round: Round,
        face: u64,
        qcs: &[Arc<QuorumCertificate>],
        signed: &Signed,
        draws: &mut SplitMix,
    ) -> Option<ChainMessage> {
        let tc = round.checked_sub(1).and_then(|before| signed.timeout(before, &self.who));
        let fits = |qc: &&Arc<QuorumCertificate>| {
            let by_tc = tc.as_ref().is_some_and(|tc| qc.round >= tc.high_round());
            qc.round < round && (qc.round + 1 == round || by_tc)
        };
        let mut fitting: Vec<_> = qcs.iter().filter(fits).collect();
        fitting.sort_by_key(|qc| qc.round);
        if !self.holds_back || draws.below(3) == 0 {
            fitting.reverse();
        }
        // Each face is shown another parent where there are two, and another block in any case.
        let qc = fitting.get(face as usize).or(fitting.first()).copied()?;
        let height = qc.height + 1;
        let mut made_up = SplitMix(u64::from(round) * 1_000 + face + u64::from(qc.round) * 7);
        let value = fresh_value(&mut made_up, height, draws.below(20) > 0);
        let tc = tc.filter(|tc| qc.round + 1 != round && qc.round >= tc.high_round());
        let qc = Arc::clone(qc);
        let proposal =
            BlockProposal { round, height, value, qc, tc, decided: 0, validator: leader };
        Some(ChainMessage::Proposal(proposal))
    }

    /// They give the victim's round up, and claim to know little.
    fn timeouts(
        &self,
        round: Round,
        qcs: &[Arc<QuorumCertificate>],
        signed: &Signed,
        draws: &mut SplitMix,
    ) -> Vec<ChainMessage> {
        let tc = round.checked_sub(1).and_then(|before| signed.timeout(before, &self.who));
        let high = tc.as_ref().map_or(0, |tc| tc.high_round());
        let fits = |qc: &&Arc<QuorumCertificate>| {
            qc.round < round && (qc.round + 1 == round || tc.is_some() && qc.round >= high)
        };
        let fitting: Vec<_> = qcs.iter().filter(fits).collect();
        if fitting.is_empty() {
            return Vec::new();
        }
        let qc = fitting[draws.below(fitting.len() as u64) as usize];
        let say = |&validator: &u32| {
            let (qc, tc) = (Arc::clone(qc), tc.clone());
            ChainMessage::Timeout(RoundTimeout { round, qc, tc, decided: 0, validator })
        };
        self.who.iter().map(say).collect()
    }
}
