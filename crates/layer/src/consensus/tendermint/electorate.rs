//! Validators with their weights, quorums and proposer rotation.

use crate::units::{Height, Round, Weight};

/// The validators and their thresholds.
#[derive(Clone, Debug)]
pub(super) struct Electorate {
    weights: Vec<Weight>,
    /// Running sums of the weights over their greatest common divisor.
    turns: Vec<u64>,
    /// How far the turn moves per round, coprime to the number of turns.
    stride: u64,
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
        let divisor = weights.iter().fold(0, |a, &b| gcd(a, b));
        let turns: Vec<u64> = weights
            .iter()
            .scan(0, |sum, &weight| {
                *sum += weight / divisor;
                Some(*sum)
            })
            .collect();
        let equal = weights.iter().all(|&weight| weight == weights[0]);
        let stride = if equal { 1 } else { golden_stride(total / divisor) };
        Electorate {
            weights,
            turns,
            stride,
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

    /// Weighted round robin without state. Of W turns (W = total weight / gcd) each validator
    /// owns as many as its share, side by side; the turn moves by a stride coprime to W, so in W
    /// rounds each validator proposes exactly its share. The stride is 1 for equal weights, else
    /// about W/φ, which spreads a heavy validator's turns: below 38 % it never has two in a row.
    pub(super) fn proposer(&self, height: Height, round: Round) -> u32 {
        let turns = u128::from(*self.turns.last().expect("validators"));
        let slot = (u128::from(height) + u128::from(round)) % turns;
        let turn = (slot * u128::from(self.stride) % turns) as u64;
        self.turns.partition_point(|&end| end <= turn) as u32
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The first number at or above n/φ that is coprime to n.
fn golden_stride(n: u64) -> u64 {
    let near = (u128::from(n) * 618_033_988_749 / 1_000_000_000_000) as u64;
    (near.max(1)..).find(|&stride| gcd(stride, n) == 1).expect("n + 1 is coprime to n")
}
