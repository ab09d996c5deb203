//! The pacemaker: Advance Round, and Timer and Timeout, with DiemBFT's rule of f+1 timeouts.

use std::sync::Arc;

use super::{Chained, Clause, Due, HotStuff, Output, ROUNDS_AHEAD};
use crate::chained::{ChainMessage, QuorumCertificate, RoundTimeout, TimeoutCertificate};
use crate::units::{Height, Ns, Round};

impl HotStuff {
    /// Advance Round: upon a QC of round r − 1 ≥ r_cur enter round r.
    pub(super) fn advance_by_qc(&mut self, qc: &QuorumCertificate, outbox: &mut Vec<Output>) {
        if qc.round >= self.round && self.started {
            self.fire(Clause::AdvanceByQc);
            self.enter(qc.round + 1, None, outbox);
        }
    }

    /// Advance Round: upon a TC of round r − 1 ≥ r_cur enter round r.
    pub(super) fn advance_by_tc(&mut self, tc: &Arc<TimeoutCertificate>, outbox: &mut Vec<Output>) {
        if tc.round >= self.round && self.started {
            self.fire(Clause::AdvanceByTc);
            self.enter(tc.round + 1, Some(Arc::clone(tc)), outbox);
        }
    }

    /// Enters a round: its timer starts, and its leader is to propose.
    pub(super) fn enter(
        &mut self,
        round: Round,
        by: Option<Arc<TimeoutCertificate>>,
        outbox: &mut Vec<Output>,
    ) {
        self.round = round;
        self.entered_by = by;
        self.timeouts.clear();
        self.votes = self.votes.split_off(&round);
        self.accused = self.accused.split_off(&round.saturating_sub(ROUNDS_AHEAD));
        self.is_due = false;
        self.asked = None;
        self.electorate.reach(Height::from(round) + 1, 0);
        outbox.push(Output::Schedule { due: Due::Round, round, after_ns: self.span_ns(round) });
        if self.leader(round) == self.me {
            let after_ns = self.times.wait_ns;
            outbox.push(Output::Schedule { due: Due::Propose, round, after_ns });
        }
    }

    /// The longest duration of a round. With blocks decided, the last one is two rounds back.
    fn span_ns(&self, round: Round) -> Ns {
        let gap = round.saturating_sub(self.committed.saturating_add(2));
        let grown = self.times.delta_ns.saturating_mul(Ns::from(gap));
        self.times.wait_ns.saturating_add(self.times.timeout_ns).saturating_add(grown)
    }

    /// Timer: upon its expiry in round r, give it up.
    pub(super) fn expire(&mut self, round: Round, outbox: &mut Vec<Output>) {
        if self.started && round == self.round && !self.timeouts.contains_key(&self.me) {
            self.fire(Clause::TimeoutByTimer);
            self.give_up(outbox);
        }
    }

    /// Timeout: stop voting for round r and multicast ⟨r, qc_high⟩.
    fn give_up(&mut self, outbox: &mut Vec<Output>) {
        self.voted = self.voted.max(self.round);
        if self.electorate.weight(self.me) == 0 {
            return;
        }
        let timeout = RoundTimeout {
            round: self.round,
            qc: Arc::clone(&self.high),
            tc: self.entered_by.clone(),
            decided: self.decided(),
            validator: self.me,
        };
        self.broadcast(ChainMessage::Timeout(timeout), outbox);
    }

    /// Upon a timeout: Advance Round, Lock, Commit by what it carries; with f+1 of the round give it
    /// up, too (Pacemaker.process_remote_timeout); with a quorum the round is over.
    pub(super) fn timeout(
        &mut self,
        timeout: &RoundTimeout,
        message: &Arc<ChainMessage>,
        outbox: &mut Vec<Output>,
    ) {
        let &RoundTimeout { round, validator, .. } = timeout;
        let by_qc = round.checked_sub(1) == Some(timeout.qc.round);
        let by_tc = timeout.tc.as_ref().is_some_and(|tc| {
            self.is_timeout(tc) && tc.round + 1 == round && timeout.qc.round >= tc.high_round()
        });
        let well_formed = timeout.qc.round < round && self.electorate.certifies(&timeout.qc);
        if !well_formed || !(by_qc || by_tc) {
            return;
        }
        self.see(&timeout.qc, outbox);
        if let Some(tc) = &timeout.tc {
            self.advance_by_tc(tc, outbox);
        }
        if round != self.round || !self.started || self.timeouts.contains_key(&validator) {
            return;
        }
        self.timeouts.insert(validator, Arc::clone(message));
        let weight = self.timeouts.keys().map(|&who| self.electorate.weight(who)).sum();
        if self.electorate.is_quorum(weight) {
            let tc = Arc::new(TimeoutCertificate { round, timeouts: self.timed_out() });
            self.fire(Clause::FormTc);
            self.advance_by_tc(&tc, outbox);
        } else if self.electorate.is_third(weight) && !self.timeouts.contains_key(&self.me) {
            self.fire(Clause::TimeoutByOthers);
            self.give_up(outbox);
        }
    }

    fn timed_out(&self) -> Vec<(u32, Round)> {
        let high = |message: &ChainMessage| match message {
            ChainMessage::Timeout(timeout) => timeout.qc.round,
            _ => 0,
        };
        self.timeouts.iter().map(|(&who, message)| (who, high(message))).collect()
    }

    /// Whether a TC has a quorum, and no claim above its own round.
    pub(super) fn is_timeout(&self, tc: &TimeoutCertificate) -> bool {
        let signers = tc.timeouts.iter().map(|(who, _)| *who);
        tc.high_round() < tc.round && self.electorate.is_quorum_of(signers)
    }
}
