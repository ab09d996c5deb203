//! Step 2, "Dummy blocks".

use std::sync::Arc;

use super::{Output, Simplex, SimplexClause};
use crate::chained::{ChainMessage, DummyCertificate, DummyVote};
use crate::units::{Ns, Round};

impl Simplex {
    /// After how long the timer of an iteration fires: 3Δ. With blocks decided, the last one is two
    /// iterations back.
    pub(super) fn span_ns(&self, round: Round) -> Ns {
        let gap = round.saturating_sub(self.last_final.round.saturating_add(2));
        let grown = self.times.delta_ns.saturating_mul(Ns::from(gap));
        self.times.wait_ns.saturating_add(self.times.timeout_ns).saturating_add(grown)
    }

    /// The timer fires, if the iteration is still the same: vote for the dummy block, to all.
    pub(super) fn expire(&mut self, round: Round, outbox: &mut Vec<Output>) {
        if !self.started || round != self.round || round <= self.gave_up {
            return;
        }
        self.gave_up = round;
        self.fire(SimplexClause::VoteDummy);
        if self.has_voice() {
            let (height, decided) = (self.chain.qc.height + 1, self.tree.decided());
            let vote = DummyVote { round, height, decided, validator: self.me };
            self.broadcast(ChainMessage::DummyVote(vote), outbox);
        }
    }

    /// A vote for the dummy block of an iteration.
    pub(super) fn count_dummy(&mut self, vote: DummyVote, outbox: &mut Vec<Output>) {
        if self.counts_in(vote.round) {
            let tally = self.tallies.entry(vote.round).or_default();
            tally.dummies.entry(vote.validator).or_insert(vote);
            self.extend_by_dummy(outbox);
        }
    }

    /// Votes of a quorum notarize the dummy block on top of this iteration's chain.
    pub(super) fn extend_by_dummy(&mut self, outbox: &mut Vec<Output>) {
        let round = self.round;
        let Some(tally) = self.tallies.get(&round).filter(|_| self.started) else { return };
        if !self.electorate.is_quorum_of(tally.dummies.keys().copied()) {
            return;
        }
        let voters = tally.dummies.keys().copied().collect();
        self.fire(SimplexClause::NotarizeDummy);
        let mut chain = self.chain.clone();
        chain.dummies.push(Arc::new(DummyCertificate { round, voters }));
        self.follow(chain, outbox);
    }
}
