//! Re-broadcast. The paper assumes that messages arrive; over a lossy network that requires it.

use std::sync::Arc;

use super::HotStuff;
use crate::chained::ChainMessage;

impl HotStuff {
    pub(super) fn known(&self) -> impl Iterator<Item = Arc<ChainMessage>> {
        let proposals =
            self.tree.iter().map(|block| Arc::new(ChainMessage::Proposal((**block).clone())));
        proposals.chain(self.timeouts.values().cloned())
    }

    /// Whether a message is unknown here and would be used.
    pub(super) fn is_lacked(&self, message: &ChainMessage) -> bool {
        match message {
            ChainMessage::Proposal(block) => {
                self.tree.get(block.round, block.value).is_none()
                    && self.tree.wants(block, self.is_certified(block))
            }
            ChainMessage::Timeout(timeout) => {
                timeout.round > self.round
                    || timeout.round == self.round
                        && !self.timeouts.contains_key(&timeout.validator)
            }
            ChainMessage::Vote(vote) => {
                vote.round >= self.round
                    && self
                        .votes
                        .get(&vote.round)
                        .is_none_or(|round| !round.votes.contains_key(&vote.validator))
            }
            _ => false,
        }
    }
}
