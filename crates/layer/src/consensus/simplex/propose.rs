//! Step 1, "Leader proposal".

use std::sync::Arc;

use super::{Chained, Output, Simplex, SimplexClause};
use crate::chained::{BlockProposal, ChainMessage, NotarizedChain};
use crate::units::{Digest, Height, Round};

impl Simplex {
    /// Upon entering iteration h, L_h extends a notarized chain of length h − 1. It asks for the
    /// block's content once it has all of the chain, as it must not contain a message twice.
    pub(super) fn ask(&mut self, outbox: &mut Vec<Output>) {
        if !self.is_due || self.asked {
            return;
        }
        let Some(branch) = self.tree.branch(&self.chain.qc) else { return };
        self.asked = true;
        let after = branch.iter().map(|block| block.value).collect();
        let height = self.chain.qc.height + 1;
        outbox.push(Output::GetValue { height, round: self.round, after });
    }

    /// L_h multicasts ⟨propose, h, b_0, …, b_h, S⟩: b_h, and of the rest the notarizations.
    pub(super) fn answer(&mut self, round: Round, value: Digest, outbox: &mut Vec<Output>) {
        if round != self.round || !self.is_due || !self.asked {
            return;
        }
        (self.is_due, self.asked) = (false, false);
        self.proposed = round;
        let NotarizedChain { qc, dummies } = self.chain.clone();
        let on_block = dummies.is_empty();
        self.fire(if on_block { SimplexClause::Propose } else { SimplexClause::ProposeOnDummies });
        let proposal = BlockProposal {
            round,
            height: qc.height + 1,
            value,
            qc,
            tc: None,
            dummies,
            decided: self.decided(),
            validator: self.me,
        };
        self.broadcast(ChainMessage::Proposal(proposal), outbox);
    }

    /// Upon a proposal: its chain may be longer than this one's. The vote follows in `settle`.
    pub(super) fn proposal(
        &mut self,
        proposal: &BlockProposal,
        valid: bool,
        outbox: &mut Vec<Output>,
    ) {
        let &BlockProposal { round, height, validator, .. } = proposal;
        let parent = proposal.parent();
        let well_formed = round.checked_sub(1) == Some(parent.round())
            && height == parent.qc.height + 1
            && self.is_notarized(&parent);
        if !well_formed {
            return;
        }
        self.electorate.reach(Height::from(round), 0);
        if validator != self.leader(round) {
            return;
        }
        if self.tree.of_round(round).any(|other| other.value != proposal.value) {
            self.accuse(validator, height, round, outbox);
        }
        if valid {
            let is_certified = self.is_certified(proposal);
            self.tree.add(Arc::new(proposal.clone()), is_certified);
        }
        self.follow(parent, outbox);
    }

    /// Whether this block is known to be notarized.
    pub(super) fn is_certified(&self, block: &BlockProposal) -> bool {
        let is = |(round, value)| (round, value) == (block.round, block.value);
        is((self.chain.qc.round, self.chain.qc.value))
            || is((self.last_final.round, self.last_final.value))
    }
}
