//! Who has the anchor of a round: by the common coin, or in turn.

use super::{Anchors, Dag};
use crate::units::{Height, Round, Weight};

impl Dag {
    /// Whether a round has an anchor.
    pub(super) fn has_anchor(round: Round) -> bool {
        !round.is_multiple_of(2)
    }

    /// The author of a round's anchor; `None` while the coin is not revealed.
    pub(super) fn anchor(&self, round: Round) -> Option<u32> {
        match self.anchors {
            Anchors::Turns(_) => Some(self.in_turn(round)),
            Anchors::Coin(seed) => {
                let shares = self.weight_of(self.graph.shares(round + 2));
                self.electorate.is_third(shares).then(|| self.draw(seed, round))
            }
        }
    }

    /// Bullshark: whose anchor it is, in turn by weight.
    fn in_turn(&self, round: Round) -> u32 {
        self.electorate.proposer(Height::from(round / 2), 0)
    }

    /// The leader of a round of Bullshark: who makes the anchor of this round or the next.
    pub fn leader(&self) -> Option<u32> {
        match self.anchors {
            Anchors::Coin(_) => None,
            Anchors::Turns(_) => Some(self.in_turn(self.round | 1)),
        }
    }

    /// Tusk's coin: a validator with a probability proportional to its weight, from BLAKE3 over domain
    /// tag ‖ seed ‖ round.
    fn draw(&self, seed: u64, round: Round) -> u32 {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"surgetank coin 1");
        hasher.update(&seed.to_le_bytes());
        hasher.update(&round.to_le_bytes());
        let bytes = hasher.finalize();
        let (drawn, _) = bytes.as_bytes().split_at(16);
        let drawn = u128::from_le_bytes(drawn.try_into().expect("16 bytes"));
        let all = 0..self.electorate.len() as u32;
        let total: Weight = self.weight_of(all.clone());
        let mut place = (drawn % u128::from(total)) as Weight;
        let mut validators = all.map(|who| (who, self.electorate.weight(who)));
        let found = validators.find(|(_, weight)| {
            let is_here = place < *weight;
            place = place.saturating_sub(*weight);
            is_here
        });
        found.expect("the place is below the total").0
    }
}
