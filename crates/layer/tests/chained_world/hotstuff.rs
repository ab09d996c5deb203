//! Lies under chained HotStuff.

use std::sync::Arc;

use surgetank_layer::chained::{BlockProposal, ChainMessage, QuorumCertificate, RoundTimeout};
use surgetank_layer::consensus::chain::Chained;
use surgetank_layer::consensus::hotstuff::HotStuff;
use surgetank_layer::machine::Draws;
use surgetank_layer::units::Round;

use super::Protocol;
use super::liars::{Faces, Signed};
use crate::tendermint_world::{SplitMix, fresh_value};

impl Protocol for HotStuff {
    const ANY_WEIGHTS: bool = false;

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
        if self.leader(now + 1) == liars.to {
            lies.extend(signed.votes_for_all(now, liars.who));
        }
        if draws.below(4) == 0 {
            lies.extend(timeouts(liars, now, &qcs, signed, draws));
        }
        lies
    }

    fn votes_to(&self, round: Round) -> Option<u32> {
        Some(self.leader(round + 1))
    }
}

fn proposal(
    liars: &Faces<'_>,
    leader: u32,
    round: Round,
    qcs: &[Arc<QuorumCertificate>],
    signed: &Signed,
    draws: &mut SplitMix,
) -> Option<ChainMessage> {
    let tc = round.checked_sub(1).and_then(|before| signed.timeout(before, liars.who));
    let fits = |qc: &&Arc<QuorumCertificate>| {
        let by_tc = tc.as_ref().is_some_and(|tc| qc.round >= tc.high_round());
        qc.round < round && (qc.round + 1 == round || by_tc)
    };
    let mut fitting: Vec<_> = qcs.iter().filter(fits).collect();
    fitting.sort_by_key(|qc| qc.round);
    if !liars.holds_back || draws.below(3) == 0 {
        fitting.reverse();
    }
    // Each face is shown another parent where there are two, and another block in any case.
    let qc = fitting.get(liars.face as usize).or(fitting.first()).copied()?;
    let height = qc.height + 1;
    let mut made_up = SplitMix(u64::from(round) * 1_000 + liars.face + u64::from(qc.round) * 7);
    let value = fresh_value(&mut made_up, height, draws.below(20) > 0);
    let tc = tc.filter(|tc| qc.round + 1 != round && qc.round >= tc.high_round());
    let qc = Arc::clone(qc);
    let proposal = BlockProposal {
        round,
        height,
        value,
        qc,
        tc,
        dummies: Vec::new(),
        decided: 0,
        validator: leader,
    };
    Some(ChainMessage::Proposal(proposal))
}

/// They give the victim's round up, and claim to know little.
fn timeouts(
    liars: &Faces<'_>,
    round: Round,
    qcs: &[Arc<QuorumCertificate>],
    signed: &Signed,
    draws: &mut SplitMix,
) -> Vec<ChainMessage> {
    let tc = round.checked_sub(1).and_then(|before| signed.timeout(before, liars.who));
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
    liars.who.iter().map(say).collect()
}
