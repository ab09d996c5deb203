//! Step 4, "Next iteration and finalize votes", and step 5, "Finalized outputs".

use std::sync::Arc;

use super::{Chained, Due, Output, ROUNDS_AHEAD, Simplex, SimplexClause};
use crate::chained::{BlockProposal, ChainMessage, ChainView, NotarizedChain};
use crate::units::{Height, Round};

impl Simplex {
    /// Upon a notarized chain of length h: enter iteration h + 1 and forward the chain to all. If it
    /// ends in a block and the timer of h has not fired, which it then never does: ⟨finalize, h⟩.
    pub(super) fn follow(&mut self, chain: NotarizedChain, outbox: &mut Vec<Output>) {
        let last = chain.round();
        if last < self.round || last <= self.chain.round() {
            return;
        }
        let ends_in_block = chain.dummies.is_empty();
        let finalizes = ends_in_block && self.gave_up < last;
        self.chain = chain.clone();
        if !self.started {
            return;
        }
        self.fire(match (finalizes, ends_in_block) {
            (true, _) => SimplexClause::EnterAndFinalize,
            (false, true) => SimplexClause::EnterByBlock,
            (false, false) => SimplexClause::EnterByDummy,
        });
        self.enter(last + 1, outbox);
        if self.has_voice() {
            let decided = self.decided();
            let view = ChainView { chain, finalizes, decided, validator: self.me };
            let message = ChainMessage::View(view);
            self.view = Some(Arc::new(message.clone()));
            self.broadcast(message, outbox);
        }
        // Votes for it may have come before.
        self.extend_by_dummy(outbox);
    }

    /// Enters an iteration: its timer starts, and its leader is to propose.
    pub(super) fn enter(&mut self, round: Round, outbox: &mut Vec<Output>) {
        self.round = round;
        let oldest = round.saturating_sub(ROUNDS_AHEAD);
        self.tallies = self.tallies.split_off(&oldest);
        self.accused = self.accused.split_off(&oldest);
        (self.is_due, self.asked) = (false, false);
        self.electorate.reach(Height::from(round) + 1, 0);
        outbox.push(Output::Schedule { due: Due::Round, round, after_ns: self.span_ns(round) });
        if self.leader(round) == self.me {
            let after_ns = self.times.wait_ns;
            outbox.push(Output::Schedule { due: Due::Propose, round, after_ns });
        }
    }

    /// Upon another's chain: follow it, if it is longer; and count its finalize vote. Those of a
    /// quorum make the block final.
    pub(super) fn view(&mut self, view: &ChainView, outbox: &mut Vec<Output>) {
        let chain = &view.chain;
        let round = chain.round();
        if round == 0 || !self.is_notarized(chain) {
            return;
        }
        self.follow(chain.clone(), outbox);
        let counts = view.finalizes && chain.dummies.is_empty() && self.is_undecided(round);
        if !counts {
            return;
        }
        let tally = self.tallies.entry(round).or_default();
        tally.finals.insert(view.validator);
        let (is_final, contradicts) = (
            self.electorate.is_quorum_of(tally.finals.iter().copied()),
            tally.dummies.contains_key(&view.validator),
        );
        if contradicts {
            self.accuse(view.validator, chain.qc.height, round, outbox);
        }
        if is_final {
            self.fire(SimplexClause::Finalize);
            self.last_final = Arc::clone(&chain.qc);
        }
    }

    /// Whether finalize votes of this iteration are of use.
    pub(super) fn is_undecided(&self, round: Round) -> bool {
        round > self.last_final.round && round >= self.round.saturating_sub(ROUNDS_AHEAD)
    }

    /// The final block and its undecided ancestors are decided, once all of them are here.
    pub(super) fn output(&mut self, outbox: &mut Vec<Output>) {
        if self.last_final.height <= self.decided() {
            return;
        }
        let Some(branch) = self.tree.branch(&self.last_final) else { return };
        self.fire(SimplexClause::Output);
        for block in branch {
            let BlockProposal { height, round, value, .. } = *block;
            let failed = round - block.qc.round - 1;
            outbox.push(Output::Decide { height, failed, value });
            self.tree.decide(height, value);
        }
    }
}
