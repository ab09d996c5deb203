//! Re-broadcast. The paper assumes that messages arrive; over a lossy network that requires it.

use std::sync::Arc;

use super::HotStuff;
use crate::chained::ChainMessage;

impl HotStuff {
    /// This validator's timeout of the current round, and its proposals that are not decided.
    pub fn own_messages(&self) -> Vec<Arc<ChainMessage>> {
        self.known().filter(|message| message.validator() == self.me).collect()
    }

    /// All timeouts of the current round and all undecided proposals: with these a node that has
    /// the decided blocks can do all that this one can.
    pub fn known_messages(&self) -> Vec<Arc<ChainMessage>> {
        self.known().collect()
    }

    fn known(&self) -> impl Iterator<Item = Arc<ChainMessage>> {
        let proposals =
            self.tree.iter().map(|block| Arc::new(ChainMessage::Proposal((**block).clone())));
        proposals.chain(self.timeouts.values().cloned())
    }

    /// Whether a message is unknown here and would be used.
    pub fn lacks(&self, message: &ChainMessage) -> bool {
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
        }
    }
}
