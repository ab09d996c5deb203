//! Lies under Simplex.

use std::sync::Arc;

use surgetank_layer::chained::{
    BlockProposal, ChainMessage, ChainView, DummyVote, NotarizedChain, QuorumCertificate,
};
use surgetank_layer::consensus::chain::Chained;
use surgetank_layer::consensus::simplex::Simplex;
use surgetank_layer::machine::Draws;
use surgetank_layer::units::Round;

use super::Protocol;
use super::liars::{Faces, Signed};
use crate::tendermint_world::{SplitMix, fresh_value};

impl Protocol for Simplex {
    const ANY_WEIGHTS: bool = true;

    fn lies(&self, liars: &Faces<'_>, signed: &Signed, draws: &mut SplitMix) -> Vec<ChainMessage> {
        let mut lies = Vec::new();
        let qcs = signed.certificates(liars.who);
        let now = self.round();
        for round in now..=now + 1 {
            let leader = self.leader(round);
            if liars.who.contains(&leader) && draws.below(3) > 0 {
                lies.extend(proposal(liars, leader, round, &qcs, signed, draws));
            }
        }
        lies.extend(signed.votes_for_all(now, liars.who));
        if draws.below(2) == 0 {
            let height = self.high().height + 1;
            let vote = |&validator: &u32| {
                ChainMessage::DummyVote(DummyVote { round: now, height, decided: 0, validator })
            };
            lies.extend(liars.who.iter().map(vote));
        }
        lies.extend(views(liars, now, &qcs, signed, draws));
        lies
    }

    fn votes_to(&self, _round: Round) -> Option<u32> {
        None
    }
}

/// Every notarized chain of a length that can be formed, that on the oldest block first.
fn chains(
    length: Round,
    liars: &Faces<'_>,
    qcs: &[Arc<QuorumCertificate>],
    signed: &Signed,
) -> Vec<NotarizedChain> {
    let mut chains = Vec::new();
    for qc in qcs.iter().filter(|qc| qc.round <= length) {
        let dummies = (qc.round + 1..=length).map(|round| signed.dummy(round, liars.who));
        if let Some(dummies) = dummies.collect() {
            chains.push(NotarizedChain { qc: Arc::clone(qc), dummies });
        }
    }
    chains.sort_by_key(|chain| chain.qc.round);
    chains
}

fn proposal(
    liars: &Faces<'_>,
    leader: u32,
    round: Round,
    qcs: &[Arc<QuorumCertificate>],
    signed: &Signed,
    draws: &mut SplitMix,
) -> Option<ChainMessage> {
    let mut fitting = chains(round.checked_sub(1)?, liars, qcs, signed);
    if !liars.holds_back || draws.below(3) == 0 {
        fitting.reverse();
    }
    // Each face is shown another parent where there are two, and another block in any case.
    let parent = fitting.get(liars.face as usize).or(fitting.first())?;
    let NotarizedChain { qc, dummies } = parent.clone();
    let height = qc.height + 1;
    let mut made_up = SplitMix(u64::from(round) * 1_000 + liars.face + u64::from(qc.round) * 7);
    let value = fresh_value(&mut made_up, height, draws.below(20) > 0);
    Some(ChainMessage::Proposal(BlockProposal {
        round,
        height,
        value,
        qc,
        tc: None,
        dummies,
        decided: 0,
        validator: leader,
    }))
}

/// They show the victim the end of an iteration, to each face another, and finalize whatever block
/// is notarized.
fn views(
    liars: &Faces<'_>,
    now: Round,
    qcs: &[Arc<QuorumCertificate>],
    signed: &Signed,
    draws: &mut SplitMix,
) -> Vec<ChainMessage> {
    let length = now.saturating_sub(draws.below(3) as Round);
    let fitting = chains(length, liars, qcs, signed);
    let shown = if liars.face == 0 { fitting.last() } else { fitting.first() };
    let Some(chain) = shown.filter(|chain| chain.round() > 0) else { return Vec::new() };
    let say = |&validator: &u32| {
        let (chain, finalizes) = (chain.clone(), chain.dummies.is_empty());
        ChainMessage::View(ChainView { chain, finalizes, decided: 0, validator })
    };
    liars.who.iter().map(say).collect()
}
