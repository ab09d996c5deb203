//! The steady state: Propose, Vote, Lock and Commit.

use std::sync::Arc;

use super::{Chained, Clause, HotStuff, Output, ROUNDS_AHEAD};
use crate::chained::{BlockProposal, BlockVote, ChainMessage, QuorumCertificate};
use crate::units::{Digest, Height, Round};

impl HotStuff {
    /// A message of any validator, this one included.
    pub(super) fn receive(
        &mut self,
        message: &Arc<ChainMessage>,
        valid: bool,
        outbox: &mut Vec<Output>,
    ) {
        if message.validator() as usize >= self.electorate.len() {
            return;
        }
        match &**message {
            ChainMessage::Proposal(proposal) => self.proposal(proposal, valid, outbox),
            ChainMessage::Vote(vote) => self.count(*vote, outbox),
            ChainMessage::Timeout(timeout) => self.timeout(timeout, message, outbox),
            _ => {}
        }
    }

    /// What is left to do after an input: what waited for a block that is here now.
    pub(super) fn settle(&mut self, outbox: &mut Vec<Output>) {
        if self.started {
            self.commit(&Arc::clone(&self.high), outbox);
            self.vote(outbox);
            self.ask(outbox);
        }
    }

    /// Propose: upon entering round r, L_r extends qc_high. It asks for the block's content once it
    /// has all of the branch, as it must not contain a message twice.
    fn ask(&mut self, outbox: &mut Vec<Output>) {
        if !self.is_due || self.asked.is_some() {
            return;
        }
        let Some(branch) = self.tree.branch(&self.high) else { return };
        self.asked = Some(Arc::clone(&self.high));
        let after = branch.iter().map(|block| block.value).collect();
        outbox.push(Output::GetValue { height: self.high.height + 1, round: self.round, after });
    }

    /// Propose: L_r multicasts B = [id, qc_high, tc, r, v, txn].
    pub(super) fn answer(&mut self, round: Round, value: Digest, outbox: &mut Vec<Output>) {
        if round != self.round || !self.is_due {
            return;
        }
        let Some(qc) = self.asked.take() else { return };
        self.is_due = false;
        self.proposed = round;
        self.fire(Clause::Propose);
        let proposal = BlockProposal {
            round,
            height: qc.height + 1,
            value,
            qc,
            tc: self.entered_by.clone(),
            dummies: Vec::new(),
            decided: self.decided(),
            validator: self.me,
        };
        self.broadcast(ChainMessage::Proposal(proposal), outbox);
    }

    pub(super) fn broadcast(&mut self, message: ChainMessage, outbox: &mut Vec<Output>) {
        let message = Arc::new(message);
        outbox.push(Output::Broadcast(Arc::clone(&message)));
        self.receive(&message, true, outbox);
    }

    /// Upon a proposal: Advance Round, Lock, Commit; the vote follows in `settle`.
    fn proposal(&mut self, proposal: &BlockProposal, valid: bool, outbox: &mut Vec<Output>) {
        let &BlockProposal { round, height, validator, .. } = proposal;
        let by_qc = round.checked_sub(1) == Some(proposal.qc.round);
        let by_tc = proposal.tc.as_ref().is_some_and(|tc| {
            self.is_timeout(tc) && tc.round + 1 == round && proposal.qc.round >= tc.high_round()
        });
        let well_formed = (by_qc || by_tc)
            && proposal.qc.round < round
            && height == proposal.qc.height + 1
            && self.electorate.certifies(&proposal.qc);
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
        self.see(&proposal.qc, outbox);
        if let Some(tc) = &proposal.tc {
            self.advance_by_tc(tc, outbox);
        }
    }

    /// Whether qc_high is of this block.
    pub(super) fn is_certified(&self, block: &BlockProposal) -> bool {
        (self.high.round, self.high.value) == (block.round, block.value)
    }

    /// Vote: upon the first valid proposal of L_r with r = r_cur and r > r_vote and (r = qc.r + 1,
    /// or r = tc.r + 1 and qc.r ≥ max{qc_high.r | qc_high ∈ tc}), which `proposal` has checked:
    /// send ⟨id, r, v⟩ to L_{r+1} and set r_vote ← r.
    fn vote(&mut self, outbox: &mut Vec<Output>) {
        if self.round <= self.voted {
            return;
        }
        let whole = |block: &&Arc<BlockProposal>| self.tree.branch(&block.qc).is_some();
        let Some(block) = self.tree.of_round(self.round).find(whole).cloned() else { return };
        self.voted = self.round;
        let by_qc = block.qc.round + 1 == block.round;
        self.fire(if by_qc { Clause::VoteAfterQc } else { Clause::VoteAfterTc });
        if self.electorate.weight(self.me) == 0 {
            return;
        }
        let BlockProposal { round, height, value, .. } = *block;
        let vote = BlockVote { round, height, value, validator: self.me };
        self.electorate.reach(Height::from(round) + 1, 0);
        match self.leader(round + 1) {
            to if to == self.me => self.count(vote, outbox),
            to => outbox.push(Output::Send { to, message: Arc::new(ChainMessage::Vote(vote)) }),
        }
    }

    /// A vote at the leader of the next round. With a quorum of them it has a QC.
    fn count(&mut self, vote: BlockVote, outbox: &mut Vec<Output>) {
        let BlockVote { round, height, value, validator } = vote;
        if round < self.round || round > self.round.saturating_add(ROUNDS_AHEAD) {
            return;
        }
        self.electorate.reach(Height::from(round) + 1, 0);
        if self.leader(round + 1) != self.me {
            return;
        }
        let votes = &mut self.votes.entry(round).or_default().votes;
        let first = *votes.entry(validator).or_insert((height, value));
        if first != (height, value) {
            return self.accuse(validator, height, round, outbox);
        }
        let voters = votes.iter().filter(|(_, vote)| **vote == (height, value));
        let voters: Vec<u32> = voters.map(|(who, _)| *who).collect();
        let qc = QuorumCertificate { round, height, value, voters };
        if self.electorate.certifies(&qc) {
            self.votes.remove(&round);
            self.fire(Clause::FormQc);
            self.see(&Arc::new(qc), outbox);
        }
    }

    /// Upon a valid QC: Advance Round, Lock, Commit.
    pub(super) fn see(&mut self, qc: &Arc<QuorumCertificate>, outbox: &mut Vec<Output>) {
        self.lock(qc);
        self.commit(qc, outbox);
        self.advance_by_qc(qc, outbox);
    }

    /// Lock: qc_high ← max(qc_high, qc), by round.
    fn lock(&mut self, qc: &Arc<QuorumCertificate>) {
        if qc.round > self.high.round {
            self.high = Arc::clone(qc);
            self.fire(Clause::Lock);
        }
    }

    /// Commit: whenever two adjacent blocks B, B′ of the chain are certified and B′.r = B.r + 1, B
    /// and all its ancestors are decided. `qc` is that of B′, whose own QC is that of B.
    fn commit(&mut self, qc: &QuorumCertificate, outbox: &mut Vec<Output>) {
        let Some(child) = self.tree.get(qc.round, qc.value) else { return };
        let parent = Arc::clone(&child.qc);
        if child.round != parent.round + 1 || parent.height <= self.decided() {
            return;
        }
        let Some(branch) = self.tree.branch(&parent) else { return };
        self.fire(Clause::Commit);
        for block in branch {
            let BlockProposal { height, round, value, .. } = *block;
            let failed = round - block.qc.round - 1;
            self.committed = self.committed.max(round);
            outbox.push(Output::Decide { height, failed, value });
            self.tree.decide(height, value);
        }
    }

    /// The node's own knowledge of a decision.
    pub(super) fn catch_up(&mut self, height: Height, value: Digest) {
        if height > self.decided() {
            self.tree.decide(height, value);
        }
    }

    pub(super) fn accuse(
        &mut self,
        validator: u32,
        height: Height,
        round: Round,
        outbox: &mut Vec<Output>,
    ) {
        let accused = self.accused.entry(round).or_default();
        if !accused.contains(&validator) {
            accused.push(validator);
            outbox.push(Output::Equivocation { validator, height, round });
        }
    }
}
