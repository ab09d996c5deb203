//! Validators with their weights, quorums and proposer rotation.

use crate::chained::QuorumCertificate;
use crate::units::{Digest, Height, Round, Weight};

/// The validators and their thresholds.
#[derive(Clone, Debug)]
pub(super) struct Electorate {
    weights: Vec<Weight>,
    rotation: Rotation,
    /// Proposers of the first turns, as far as they were needed.
    turns: Vec<u32>,
    /// Least weight strictly above 2/3 of the total ("2f+1").
    quorum_min: Weight,
    /// Least weight strictly above 1/3 of the total ("f+1").
    third_min: Weight,
}

impl Electorate {
    pub(super) fn new(weights: Vec<Weight>) -> Electorate {
        let total = weights.iter().try_fold(0u64, |sum, &weight| sum.checked_add(weight));
        let total = total.expect("consensus: the weights overflow 64 bits; scale them down");
        assert!(total > 0, "consensus: no validator has weight; give at least one");
        Electorate {
            rotation: Rotation::new(&weights),
            turns: Vec::new(),
            weights,
            quorum_min: (u128::from(total) * 2 / 3) as Weight + 1,
            third_min: total / 3 + 1,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.weights.len()
    }

    pub(super) fn weight(&self, validator: u32) -> Weight {
        self.weights[validator as usize]
    }

    /// Strictly more than 2/3.
    pub(super) fn is_quorum(&self, weight: Weight) -> bool {
        weight >= self.quorum_min
    }

    /// Strictly more than 1/3: at least one honest validator.
    pub(super) fn is_third(&self, weight: Weight) -> bool {
        weight >= self.third_min
    }

    /// Whether these are different validators, in ascending order, and a quorum.
    pub(super) fn is_quorum_of(&self, mut signers: impl Iterator<Item = u32>) -> bool {
        let mut last = None;
        let weight = signers.try_fold(0, |sum, who| {
            let ascends = last.replace(who).is_none_or(|before| before < who);
            let known = (who as usize) < self.len();
            (ascends && known).then(|| sum + self.weight(who))
        });
        weight.is_some_and(|weight| self.is_quorum(weight))
    }

    /// A quorum of different validators voted; the beginning of the chain needs none.
    pub(super) fn certifies(&self, qc: &QuorumCertificate) -> bool {
        if qc.round == 0 {
            return (qc.height, qc.value) == (0, Digest::default());
        }
        self.is_quorum_of(qc.voters.iter().copied())
    }

    /// The proposer of a round: that of turn `height + round` of the [`Rotation`].
    pub(super) fn proposer(&self, height: Height, round: Round) -> u32 {
        let turn = self.rotation.turn(height, round);
        self.turns.get(turn).copied().unwrap_or_else(|| {
            let mut ahead = self.rotation.clone();
            (self.turns.len()..=turn).map(|_| ahead.next()).last().expect("turns are ahead")
        })
    }

    /// Computes the turns up to this round's, so that [`Electorate::proposer`] only looks them up.
    pub(super) fn reach(&mut self, height: Height, round: Round) {
        while self.turns.len() <= self.rotation.turn(height, round) {
            self.turns.push(self.rotation.next());
        }
    }
}

/// Weighted round robin. Each turn every validator's priority grows by its weight; the highest
/// priority (at equal ones the lowest index) proposes, and is lowered by the total weight. After
/// as many turns as the total weight over the weights' greatest common divisor all priorities are
/// zero again; in these each validator has proposed exactly its share.
///
/// Source: CometBFT, "Proposer Selection Procedure" (specification v0.38), for a set of validators
/// that does not change; there the lowest address wins, and height 1 has the first turn.
#[derive(Clone, Debug)]
struct Rotation {
    shares: Vec<i128>,
    priorities: Vec<i128>,
    /// Sum of the shares: the period.
    total: i128,
}

impl Rotation {
    fn new(weights: &[Weight]) -> Rotation {
        let divisor = weights.iter().fold(0, |a, &b| gcd(a, b));
        let shares: Vec<i128> = weights.iter().map(|&w| i128::from(w / divisor)).collect();
        let (priorities, total) = (vec![0; shares.len()], shares.iter().sum());
        Rotation { shares, priorities, total }
    }

    /// The number of a round's turn within the period.
    fn turn(&self, height: Height, round: Round) -> usize {
        ((i128::from(height) + i128::from(round)) % self.total) as usize
    }

    /// The next turn's proposer.
    fn next(&mut self) -> u32 {
        let mut first = 0;
        for (index, share) in self.shares.iter().enumerate() {
            self.priorities[index] += share;
            if self.priorities[index] > self.priorities[first] {
                first = index;
            }
        }
        self.priorities[first] -= self.total;
        first as u32
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
