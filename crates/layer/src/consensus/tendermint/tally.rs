//! Votes of one kind in one round, counted as they come.

use std::collections::{BTreeMap, BTreeSet};

use crate::consensus::electorate::Electorate;
use crate::units::{Digest, Weight};

/// Effect of a vote on the tally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// It is new and counts.
    New,
    /// It was known before.
    Known,
    /// It contradicts the validator's first vote; `counts`: whether it is counted now.
    Contradicts { counts: bool },
}

/// Running sums of the votes, so that no query rescans them.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    /// First vote of each validator.
    first: Vec<Option<Option<Digest>>>,
    /// Later conflicting votes that count.
    later: BTreeSet<(u32, Option<Digest>)>,
    /// Weight of all who voted.
    any: Weight,
    by_value: BTreeMap<Option<Digest>, Weight>,
    quorum: Option<Option<Digest>>,
}

impl Tally {
    pub(super) fn new(validators: usize) -> Tally {
        Tally {
            first: vec![None; validators],
            later: BTreeSet::new(),
            any: 0,
            by_value: BTreeMap::new(),
            quorum: None,
        }
    }

    pub(super) fn count(
        &mut self,
        electorate: &Electorate,
        validator: u32,
        value: Option<Digest>,
    ) -> Counted {
        let counted = match self.first[validator as usize] {
            None => {
                self.first[validator as usize] = Some(value);
                self.any += electorate.weight(validator);
                Counted::New
            }
            Some(first) if first == value => return Counted::Known,
            Some(_) if self.later.contains(&(validator, value)) => return Counted::Known,
            Some(_) => {
                let counts = electorate.is_third(self.weight_for(value));
                if !counts {
                    return Counted::Contradicts { counts };
                }
                self.later.insert((validator, value));
                Counted::Contradicts { counts }
            }
        };
        let weight = self.by_value.entry(value).or_insert(0);
        *weight += electorate.weight(validator);
        if self.quorum.is_none() && electorate.is_quorum(*weight) {
            self.quorum = Some(value);
        }
        counted
    }

    /// Whether `count` would count it.
    pub(super) fn lacks(
        &self,
        electorate: &Electorate,
        validator: u32,
        value: Option<Digest>,
    ) -> bool {
        match self.first[validator as usize] {
            None => true,
            Some(first) if first == value => false,
            Some(_) => {
                !self.later.contains(&(validator, value))
                    && electorate.is_third(self.weight_for(value))
            }
        }
    }

    /// Weight of all validators that voted.
    pub(super) fn any(&self) -> Weight {
        self.any
    }

    /// Weight behind one value.
    pub(super) fn weight_for(&self, value: Option<Digest>) -> Weight {
        self.by_value.get(&value).copied().unwrap_or(0)
    }

    /// What a quorum voted for, if one did; the inner `None` is nil.
    pub(super) fn quorum(&self) -> Option<Option<Digest>> {
        self.quorum
    }

    /// A validator's first vote.
    pub(super) fn first(&self, validator: u32) -> Option<Option<Digest>> {
        self.first[validator as usize]
    }

    /// Every vote that counts: the first ones by validator, then the later ones.
    pub(super) fn votes(&self) -> impl Iterator<Item = (u32, Option<Digest>)> + '_ {
        let first = (0u32..).zip(&self.first).filter_map(|(who, vote)| vote.map(|v| (who, v)));
        first.chain(self.later.iter().copied())
    }
}
