//! Step 3, "Notarizing block proposals".

use std::sync::Arc;

use super::{Output, Simplex, SimplexClause};
use crate::chained::{BlockProposal, BlockVote, ChainMessage, NotarizedChain, QuorumCertificate};

impl Simplex {
    /// Upon the first valid proposal of L_h in iteration h, on a notarized chain of length h − 1, as
    /// `proposal` has checked: multicast ⟨vote, h, b_h⟩.
    pub(super) fn vote(&mut self, outbox: &mut Vec<Output>) {
        if self.round <= self.voted {
            return;
        }
        let whole = |block: &&Arc<BlockProposal>| self.tree.branch(&block.qc).is_some();
        let Some(block) = self.tree.of_round(self.round).find(whole) else { return };
        let BlockProposal { round, height, value, .. } = **block;
        self.voted = self.round;
        let after_dummy = self.gave_up == self.round;
        self.fire(if after_dummy { SimplexClause::VoteAfterDummy } else { SimplexClause::Vote });
        if self.has_voice() {
            let vote = BlockVote { round, height, value, validator: self.me };
            self.broadcast(ChainMessage::Vote(vote), outbox);
        }
    }

    /// A vote for a block. Those of a quorum notarize it.
    pub(super) fn count(&mut self, vote: BlockVote, outbox: &mut Vec<Output>) {
        let BlockVote { round, height, value, validator } = vote;
        if !self.counts_in(round) {
            return;
        }
        let votes = &mut self.tallies.entry(round).or_default().votes;
        if *votes.entry(validator).or_insert(vote) != vote {
            return self.accuse(validator, height, round, outbox);
        }
        let same = votes.values().filter(|other| (other.height, other.value) == (height, value));
        let voters: Vec<u32> = same.map(|other| other.validator).collect();
        if self.electorate.is_quorum_of(voters.iter().copied()) {
            let qc = Arc::new(QuorumCertificate { round, height, value, voters });
            self.fire(SimplexClause::Notarize);
            self.follow(NotarizedChain { qc, dummies: Vec::new() }, outbox);
        }
    }

    /// Whether a chain is notarized: a quorum for its last block, and one for each dummy after it.
    pub(super) fn is_notarized(&self, chain: &NotarizedChain) -> bool {
        let mut last = chain.qc.round;
        let follows = |dummy: &Arc<crate::chained::DummyCertificate>| {
            let next = last.checked_add(1);
            last = dummy.round;
            next == Some(last) && self.electorate.is_quorum_of(dummy.voters.iter().copied())
        };
        self.electorate.certifies(&chain.qc) && chain.dummies.iter().all(follows)
    }
}
