//! Validators that lie: they see every machine's state, and tell each victim something else.

use std::collections::BTreeMap;

use surgetank_layer::consensus::tendermint::Tendermint;
use surgetank_layer::machine::Draws;
use surgetank_layer::message::{Proposal, Vote, VoteType};
use surgetank_layer::units::{Digest, Height, Round};

use super::{Msg, SplitMix, fresh_value};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// Says nothing at all (a crash).
    Silent,
    /// Says anything to anyone.
    Wild,
    /// Tells half of the nodes one value and the other half another.
    TwoFaced,
}

pub struct Byzantine {
    style: Style,
    /// Which face each victim sees.
    faces: Vec<u64>,
    /// Makes up one value for both faces, so that only votes differ.
    one_value: bool,
    /// Claims that the round before prevoted what it proposes.
    claims: bool,
}

type Values = BTreeMap<Height, Vec<Digest>>;

impl Byzantine {
    pub fn new(draws: &mut SplitMix, nodes: usize) -> Byzantine {
        let style = match draws.below(8) {
            0 => Style::Silent,
            1..4 => Style::Wild,
            _ => Style::TwoFaced,
        };
        // Liars that split the nodes alike do the most harm: most use the same faces.
        let alike = draws.below(4) > 0;
        let faces = (0..nodes as u64).map(|i| if alike { i % 2 } else { draws.below(2) });
        Byzantine {
            style,
            faces: faces.collect(),
            one_value: draws.below(2) == 0,
            claims: draws.below(2) == 0,
        }
    }

    /// What the Byzantine validator `me` sends to `to`.
    pub fn lies(
        &mut self,
        me: u32,
        to: usize,
        victim: &Tendermint,
        values: &Values,
        draws: &mut SplitMix,
    ) -> Vec<Msg> {
        match self.style {
            Style::Silent => Vec::new(),
            Style::Wild => wild(me, victim, values, draws),
            Style::TwoFaced => self.two_faced(me, self.faces[to], victim, values),
        }
    }
}

fn vote(me: u32, height: Height, round: Round, of: VoteType, value: Option<Digest>) -> Msg {
    Msg::Vote(Vote { vote_type: of, height, round, value, validator: me })
}

fn wild(me: u32, victim: &Tendermint, values: &Values, draws: &mut SplitMix) -> Vec<Msg> {
    let height = victim.height() + u64::from(draws.below(12) == 0);
    let now = victim.round();
    let round = match draws.below(6) {
        0 => now + 1 + draws.below(3) as Round,
        1 => now.saturating_sub(1),
        2 => draws.below(u64::from(now) + 1) as Round,
        _ => now,
    };
    let known = values.get(&height).map_or(&[][..], Vec::as_slice);
    let pick = |draws: &mut SplitMix| match draws.below(10) {
        0 | 1 => None,
        2 => Some(fresh_value(draws, height, true)),
        _ if known.is_empty() => None,
        3 => Some(known[draws.below(known.len() as u64) as usize]),
        _ => known.last().copied(),
    };
    let mut lies = Vec::new();
    if victim.proposer(height, round) == me {
        let invalid = draws.below(5) == 0;
        let fresh = fresh_value(draws, height, !invalid);
        let value = pick(draws).filter(|_| !invalid).unwrap_or(fresh);
        let valid_round = match draws.below(2) {
            0 => None,
            _ => (round > 0).then(|| draws.below(u64::from(round)) as Round),
        };
        lies.push(Msg::Proposal(Proposal { height, round, value, valid_round, validator: me }));
    }
    lies.push(vote(me, height, round, VoteType::Prevote, pick(draws)));
    if draws.below(2) == 0 {
        lies.push(vote(me, height, round, VoteType::Precommit, pick(draws)));
    }
    lies
}

impl Byzantine {
    /// Each face sees a well-behaved validator that favours its own value: the face's own made-up
    /// value where a Byzantine validator proposes, else what the honest proposer said to one face and nil to the other.
    fn two_faced(&self, me: u32, face: u64, victim: &Tendermint, values: &Values) -> Vec<Msg> {
        let (height, round) = (victim.height(), victim.round());
        let shown = if self.one_value { 2 } else { face };
        let mut made_up = SplitMix(height.wrapping_mul(1000) + shown);
        let mine = fresh_value(&mut made_up, height, true);
        let mut lies = Vec::new();
        let honest = values.get(&height).and_then(|known| known.iter().rfind(|&&v| v != mine));
        let value = if victim.proposer(height, round) == me {
            let valid_round = round.checked_sub(1).filter(|_| self.claims);
            let proposal = Proposal { height, round, value: mine, valid_round, validator: me };
            lies.push(Msg::Proposal(proposal));
            Some(mine)
        } else if values.get(&height).is_some_and(|known| known.contains(&mine)) {
            Some(mine)
        } else if face == 0 {
            honest.copied()
        } else {
            None
        };
        lies.push(vote(me, height, round, VoteType::Prevote, value));
        lies.push(vote(me, height, round, VoteType::Precommit, value));
        lies
    }
}
