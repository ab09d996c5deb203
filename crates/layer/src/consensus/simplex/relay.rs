//! Re-broadcast. The paper assumes that messages arrive; over a lossy network that requires it.

use std::sync::Arc;

use super::Simplex;
use crate::chained::ChainMessage;

impl Simplex {
    /// Votes in this iteration, the chain by which it was entered, and all undecided proposals.
    pub(super) fn known(&self) -> impl Iterator<Item = Arc<ChainMessage>> {
        let proposals =
            self.tree.iter().map(|block| Arc::new(ChainMessage::Proposal((**block).clone())));
        let tally = self.tallies.get(&self.round);
        let votes = tally.into_iter().flat_map(|tally| {
            let votes = tally.votes.values().map(|vote| ChainMessage::Vote(*vote));
            let dummies = tally.dummies.values().map(|vote| ChainMessage::DummyVote(*vote));
            votes.chain(dummies).map(Arc::new)
        });
        proposals.chain(self.view.iter().cloned()).chain(votes)
    }

    /// Whether a message is unknown here and would be used.
    pub(super) fn is_lacked(&self, message: &ChainMessage) -> bool {
        let validator = message.validator();
        let tally = self.tallies.get(&message.round());
        match message {
            ChainMessage::Proposal(block) => {
                self.tree.get(block.round, block.value).is_none()
                    && self.tree.wants(block, self.is_certified(block))
            }
            ChainMessage::Vote(vote) => {
                self.counts_in(vote.round)
                    && tally.is_none_or(|tally| !tally.votes.contains_key(&validator))
            }
            ChainMessage::DummyVote(vote) => {
                self.counts_in(vote.round)
                    && tally.is_none_or(|tally| !tally.dummies.contains_key(&validator))
            }
            ChainMessage::View(view) => {
                let round = view.chain.round();
                let is_new = || tally.is_none_or(|tally| !tally.finals.contains(&validator));
                round >= self.round || view.finalizes && self.is_undecided(round) && is_new()
            }
            _ => false,
        }
    }
}
