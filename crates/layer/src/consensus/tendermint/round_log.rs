//! Messages received of one round.

use std::collections::BTreeSet;

use super::tally::{Counted, Tally};
use crate::consensus::electorate::Electorate;
use crate::message::{Proposal, Vote, VoteType};
use crate::units::{Digest, Height, Round, Weight};

/// Different proposals of one round kept without asking; further ones only if f+1 voted for them.
const PROPOSALS_MAX: usize = 4;

/// A message from a validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// A proposal, with valid(v).
    Proposal(Proposal, bool),
    /// A prevote or precommit.
    Vote(Vote),
}

impl Received {
    pub(super) fn place(&self) -> (Height, Round, u32) {
        match self {
            Received::Proposal(p, _) => (p.height, p.round, p.validator),
            Received::Vote(v) => (v.height, v.round, v.validator),
        }
    }
}

impl Received {
    /// Whether both make the same statement, regardless of validity.
    pub(super) fn same_as(&self, other: &Received) -> bool {
        match (self, other) {
            (Received::Proposal(one, _), Received::Proposal(two, _)) => one == two,
            (Received::Vote(one), Received::Vote(two)) => one == two,
            _ => false,
        }
    }
}

/// Effect of a message on the log.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct News {
    /// Whether a rule may fire now that could not before.
    pub(super) changed: bool,
    /// Whether the sender equivocated, for the first time in this round.
    pub(super) equivocation: bool,
}

#[derive(Clone, Debug)]
pub(super) struct RoundLog {
    /// In order of arrival; the first is what lines 22 and 28 answer.
    proposals: Vec<(Proposal, bool)>,
    pub(super) prevotes: Tally,
    pub(super) precommits: Tally,
    /// Validators with a message in this round, and their weight.
    senders: Vec<bool>,
    senders_weight: Weight,
    accused: BTreeSet<u32>,
    /// "For the first time" of lines 34, 36 and 47.
    pub(super) once_34: bool,
    pub(super) once_36: bool,
    pub(super) once_47: bool,
}

impl RoundLog {
    pub(super) fn new(validators: usize) -> RoundLog {
        RoundLog {
            proposals: Vec::new(),
            prevotes: Tally::new(validators),
            precommits: Tally::new(validators),
            senders: vec![false; validators],
            senders_weight: 0,
            accused: BTreeSet::new(),
            once_34: false,
            once_36: false,
            once_47: false,
        }
    }

    pub(super) fn receive(&mut self, electorate: &Electorate, received: Received) -> News {
        let (_, _, validator) = received.place();
        if !self.senders[validator as usize] {
            self.senders[validator as usize] = true;
            self.senders_weight += electorate.weight(validator);
        }
        let mut news = match received {
            Received::Proposal(proposal, valid) => {
                self.receive_proposal(electorate, proposal, valid)
            }
            Received::Vote(vote) => {
                match self.tally_mut(vote.vote_type).count(electorate, validator, vote.value) {
                    Counted::New => News { changed: true, equivocation: false },
                    Counted::Known => News::default(),
                    Counted::Contradicts { counts } => News { changed: counts, equivocation: true },
                }
            }
        };
        news.equivocation = news.equivocation && self.accused.insert(validator);
        news
    }

    fn receive_proposal(&mut self, electorate: &Electorate, new: Proposal, valid: bool) -> News {
        if let Some((_, known)) = self.proposals.iter_mut().find(|(old, _)| *old == new) {
            let changed = valid && !*known;
            *known |= valid;
            return News { changed, equivocation: false };
        }
        let equivocation = !self.proposals.is_empty();
        let keep = self.keeps(electorate, &new);
        if keep {
            self.proposals.push((new, valid));
        }
        News { changed: keep, equivocation }
    }

    /// Whether `receive` would keep it.
    pub(super) fn lacks(&self, electorate: &Electorate, received: &Received) -> bool {
        match received {
            Received::Proposal(proposal, _) => {
                !self.proposals.iter().any(|(old, _)| old == proposal)
                    && self.keeps(electorate, proposal)
            }
            Received::Vote(vote) => {
                self.tally(vote.vote_type).lacks(electorate, vote.validator, vote.value)
            }
        }
    }

    fn keeps(&self, electorate: &Electorate, new: &Proposal) -> bool {
        let backed = |tally: &Tally| electorate.is_third(tally.weight_for(Some(new.value)));
        self.proposals.len() < PROPOSALS_MAX
            || (!self.proposals.iter().any(|(old, _)| old.value == new.value)
                && (backed(&self.prevotes) || backed(&self.precommits)))
    }

    pub(super) fn tally(&self, vote_type: VoteType) -> &Tally {
        match vote_type {
            VoteType::Prevote => &self.prevotes,
            VoteType::Precommit => &self.precommits,
        }
    }

    fn tally_mut(&mut self, vote_type: VoteType) -> &mut Tally {
        match vote_type {
            VoteType::Prevote => &mut self.prevotes,
            VoteType::Precommit => &mut self.precommits,
        }
    }

    /// The proposal that the round's prevote answers.
    pub(super) fn proposal(&self) -> Option<(Proposal, bool)> {
        self.proposals.first().copied()
    }

    pub(super) fn proposals(&self) -> impl Iterator<Item = Proposal> + '_ {
        self.proposals.iter().map(|(proposal, _)| *proposal)
    }

    /// Whether the value was proposed in this round and is valid.
    pub(super) fn has_valid(&self, value: Digest) -> bool {
        self.proposals.iter().any(|(proposal, valid)| *valid && proposal.value == value)
    }

    /// Whether the value was proposed in this round.
    pub(super) fn has(&self, value: Digest) -> bool {
        self.proposals.iter().any(|(proposal, _)| proposal.value == value)
    }

    /// Weight of the validators with a message in this round.
    pub(super) fn senders_weight(&self) -> Weight {
        self.senders_weight
    }

    pub(super) fn held(&self) -> usize {
        self.proposals.len() + self.prevotes.votes().count() + self.precommits.votes().count()
    }
}
