//! Lines 10 to 56: starting rounds, and the `upon` rules. Timeouts (57 to 67) are in `expiry`.

use super::round_log::{Received, RoundLog};
use super::{Line, Output, Step, Tendermint, Timeout};
use crate::message::{Proposal, Vote, VoteType};
use crate::units::{Digest, Height, Round};

impl Tendermint {
    /// 10: upon start do StartRound(0).
    pub(super) fn line_10(&mut self, outbox: &mut Vec<Output>) {
        if !self.started {
            self.started = true;
            self.fire(Line::L10);
            self.start_round(0, outbox);
        }
    }

    /// 11–21: Function StartRound(round).
    pub(super) fn start_round(&mut self, round: Round, outbox: &mut Vec<Output>) {
        self.fire(Line::L11);
        self.round = round;
        self.step = Step::Propose;
        self.forget_old_rounds();
        self.electorate.reach(self.height, round);
        if self.proposer(self.height, round) != self.me {
            self.fire(Line::L21);
            self.schedule(Step::Propose, outbox);
        } else if let Some((valid_round, value)) = self.valid {
            self.fire(Line::L16);
            self.propose(value, Some(valid_round), outbox);
        } else {
            self.fire(Line::L18);
            outbox.push(Output::GetValue { height: self.height, round });
            self.schedule(Step::Propose, outbox);
        }
    }

    /// The node's answer to line 18.
    pub(super) fn answer(
        &mut self,
        height: Height,
        round: Round,
        value: Digest,
        outbox: &mut Vec<Output>,
    ) {
        let asked = self.started && (height, round) == (self.height, self.round);
        let waiting = self.step == Step::Propose && self.proposer(height, round) == self.me;
        let proposed = self.rounds.get(&round).is_some_and(|log| log.proposal().is_some());
        if asked && waiting && !proposed {
            self.propose(value, None, outbox);
        }
    }

    /// 19: broadcast ⟨PROPOSAL, h_p, round_p, proposal, validRound_p⟩.
    fn propose(&mut self, value: Digest, valid_round: Option<Round>, outbox: &mut Vec<Output>) {
        self.fire(Line::L19);
        let (height, round, validator) = (self.height, self.round, self.me);
        let proposal = Proposal { height, round, value, valid_round, validator };
        outbox.push(Output::Propose(proposal));
        self.receive(Received::Proposal(proposal, true), outbox);
    }

    /// Broadcasts a vote. A node without weight follows the algorithm and does not vote.
    fn vote(&mut self, vote_type: VoteType, value: Option<Digest>, outbox: &mut Vec<Output>) {
        let validator = self.me;
        if self.electorate.weight(validator) == 0 {
            return;
        }
        let vote = Vote { vote_type, height: self.height, round: self.round, value, validator };
        outbox.push(Output::Vote(vote));
        self.receive(Received::Vote(vote), outbox);
    }

    /// 24, 26, 30, 32, 59, and the step that follows each.
    pub(super) fn prevote(&mut self, value: Option<Digest>, outbox: &mut Vec<Output>) {
        self.step = Step::Prevote;
        self.vote(VoteType::Prevote, value, outbox);
    }

    /// 40, 45, 63, and the step that follows each.
    pub(super) fn precommit(&mut self, value: Option<Digest>, outbox: &mut Vec<Output>) {
        self.step = Step::Precommit;
        self.vote(VoteType::Precommit, value, outbox);
    }

    pub(super) fn schedule(&self, step: Step, outbox: &mut Vec<Output>) {
        let timeout = Timeout { step, height: self.height, round: self.round };
        outbox
            .push(Output::Schedule { timeout, after_ns: self.timeouts.span_ns(step, self.round) });
    }

    /// Applies the rules until none fires and nothing is left to replay.
    pub(super) fn settle(&mut self, outbox: &mut Vec<Output>) {
        while self.started {
            if let Some(round) = self.touched.pop_first() {
                if !self.line_49(round, outbox) {
                    self.line_55(round, outbox);
                }
            } else if self.round_rules(outbox) {
            } else if let Some(received) = self.replay.pop_front() {
                self.receive(received, outbox);
            } else {
                return;
            }
        }
    }

    /// The rules about the current round, in the paper's order; whether one fired.
    fn round_rules(&mut self, outbox: &mut Vec<Output>) -> bool {
        self.step != Step::Commit
            && self.rounds.contains_key(&self.round)
            && (self.line_22(outbox)
                || self.line_28(outbox)
                || self.line_34(outbox)
                || self.line_36(outbox)
                || self.line_44(outbox)
                || self.line_47(outbox))
    }

    fn now_log(&mut self) -> &mut RoundLog {
        self.rounds.get_mut(&self.round).expect("checked by round_rules")
    }

    /// 22: upon ⟨PROPOSAL, h_p, round_p, v, −1⟩ from the proposer while step_p = propose.
    fn line_22(&mut self, outbox: &mut Vec<Output>) -> bool {
        let Some((proposal, valid)) = self.now_log().proposal() else {
            return false;
        };
        if self.step != Step::Propose || proposal.valid_round.is_some() {
            return false;
        }
        self.fire(Line::L22);
        // 23: valid(v) ∧ (lockedRound_p = −1 ∨ lockedValue_p = v)
        if valid && self.locked.is_none_or(|(_, locked)| locked == proposal.value) {
            self.fire(Line::L24);
            self.prevote(Some(proposal.value), outbox);
        } else {
            self.fire(Line::L26);
            self.prevote(None, outbox);
        }
        true
    }

    /// 28: upon ⟨PROPOSAL, h_p, round_p, v, vr⟩ and a quorum of ⟨PREVOTE, h_p, vr, id(v)⟩ while
    /// step_p = propose. That vr < round_p was checked on receipt.
    fn line_28(&mut self, outbox: &mut Vec<Output>) -> bool {
        let Some((proposal, valid)) = self.now_log().proposal() else {
            return false;
        };
        let Some(valid_round) = proposal.valid_round else {
            return false;
        };
        let value = Some(proposal.value);
        let prevoted = |log: &RoundLog| self.electorate.is_quorum(log.prevotes.weight_for(value));
        if self.step != Step::Propose || !self.rounds.get(&valid_round).is_some_and(prevoted) {
            return false;
        }
        self.fire(Line::L28);
        // 29: valid(v) ∧ (lockedRound_p ≤ vr ∨ lockedValue_p = v)
        let free =
            |(round, locked): (Round, Digest)| round <= valid_round || locked == proposal.value;
        if valid && self.locked.is_none_or(free) {
            self.fire(Line::L30);
            self.prevote(value, outbox);
        } else {
            self.fire(Line::L32);
            self.prevote(None, outbox);
        }
        true
    }

    /// 34: upon a quorum of ⟨PREVOTE, h_p, round_p, ∗⟩ while step_p = prevote, the first time.
    fn line_34(&mut self, outbox: &mut Vec<Output>) -> bool {
        let any = self.now_log().prevotes.any();
        if self.step != Step::Prevote
            || !self.electorate.is_quorum(any)
            || std::mem::replace(&mut self.now_log().once_34, true)
        {
            return false;
        }
        self.fire(Line::L34);
        self.schedule(Step::Prevote, outbox);
        true
    }

    /// 36: upon ⟨PROPOSAL, h_p, round_p, v, ∗⟩ and a quorum of ⟨PREVOTE, h_p, round_p, id(v)⟩
    /// while valid(v) ∧ step_p ≥ prevote, the first time.
    fn line_36(&mut self, outbox: &mut Vec<Output>) -> bool {
        let step = self.step;
        let log = self.now_log();
        let Some(Some(value)) = log.prevotes.quorum() else {
            return false;
        };
        if step < Step::Prevote || log.once_36 || !log.has_valid(value) {
            return false;
        }
        log.once_36 = true;
        self.fire(Line::L36);
        // 42, 43
        self.fire(Line::L42);
        self.valid = Some((self.round, value));
        if step == Step::Prevote {
            // 38–41
            self.fire(Line::L38);
            self.locked = Some((self.round, value));
            self.precommit(Some(value), outbox);
        }
        true
    }

    /// 44: upon a quorum of ⟨PREVOTE, h_p, round_p, nil⟩ while step_p = prevote.
    fn line_44(&mut self, outbox: &mut Vec<Output>) -> bool {
        if self.step != Step::Prevote || self.now_log().prevotes.quorum() != Some(None) {
            return false;
        }
        self.fire(Line::L44);
        self.precommit(None, outbox);
        true
    }

    /// 47: upon a quorum of ⟨PRECOMMIT, h_p, round_p, ∗⟩, the first time.
    fn line_47(&mut self, outbox: &mut Vec<Output>) -> bool {
        let any = self.now_log().precommits.any();
        if !self.electorate.is_quorum(any) || std::mem::replace(&mut self.now_log().once_47, true) {
            return false;
        }
        self.fire(Line::L47);
        self.schedule(Step::Precommit, outbox);
        true
    }

    /// 49: upon ⟨PROPOSAL, h_p, r, v, ∗⟩ and a quorum of ⟨PRECOMMIT, h_p, r, id(v)⟩, in any round.
    fn line_49(&mut self, round: Round, outbox: &mut Vec<Output>) -> bool {
        let Some(log) = self.rounds.get(&round) else {
            return false;
        };
        let Some(Some(value)) = log.precommits.quorum() else {
            return false;
        };
        if !log.has(value) {
            return false;
        }
        let valid = log.has_valid(value);
        self.fire(Line::L49);
        if !valid {
            return false;
        }
        // 51–54
        self.fire(Line::L51);
        outbox.push(Output::Decide { height: self.height, round, value });
        self.begin_height(self.height, value, outbox);
        true
    }

    /// 55: upon f+1 ⟨∗, h_p, round, ∗, ∗⟩ with round > round_p.
    fn line_55(&mut self, round: Round, outbox: &mut Vec<Output>) -> bool {
        let senders = self.rounds.get(&round).map_or(0, RoundLog::senders_weight);
        if round <= self.round || !self.electorate.is_third(senders) {
            return false;
        }
        self.fire(Line::L55);
        self.start_round(round, outbox);
        true
    }

    /// The node's own knowledge of a decision.
    pub(super) fn catch_up(&mut self, height: Height, value: Digest, outbox: &mut Vec<Output>) {
        if height >= self.height {
            self.begin_height(height, value, outbox);
        }
    }

    /// 52–54, with the commit timeout before StartRound(0).
    fn begin_height(&mut self, decided: Height, value: Digest, outbox: &mut Vec<Output>) {
        let in_order = decided == self.height;
        self.decided = Some((decided, value));
        self.height = decided + 1;
        self.round = 0;
        self.step = Step::Commit;
        self.locked = None;
        self.valid = None;
        self.rounds.clear();
        self.touched.clear();
        self.far.clear();
        let next = std::mem::take(&mut self.next);
        self.replay = match in_order {
            true => next.into_values().flatten().collect(),
            false => Default::default(),
        };
        if self.started {
            self.schedule(Step::Commit, outbox);
        }
    }
}
