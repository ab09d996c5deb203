//! Re-broadcast. The paper assumes that a message received by one honest node reaches all
//! eventually; over a lossy network that requires re-broadcast.

use std::collections::BTreeSet;

use super::round_log::{Received, RoundLog};
use super::{NEXT_PER_VALIDATOR, ROUNDS_AHEAD, Tendermint};
use crate::message::{Proposal, Statement, Vote, VoteType};
use crate::units::{Digest, Round};

const VOTE_TYPES: [VoteType; 2] = [VoteType::Prevote, VoteType::Precommit];

impl Tendermint {
    /// My proposal of the current round, and my votes that a peer at this height may still need:
    /// both of the current and the previous round, and prevotes for values of older ones (for
    /// line 28). Re-broadcasting these is enough while every validator is honest and alive.
    pub fn own_messages(&self) -> (Option<Proposal>, Vec<Vote>) {
        let me = self.me;
        let now = self.rounds.get(&self.round);
        let proposal = now.and_then(|log| log.proposals().find(|p| p.validator == me));
        let mut votes = Vec::new();
        for (&round, log) in self.rounds.range(..=self.round) {
            for vote_type in VOTE_TYPES {
                let Some(value) = log.tally(vote_type).first(me) else {
                    continue;
                };
                let prevoted_value = vote_type == VoteType::Prevote && value.is_some();
                if round.saturating_add(1) >= self.round || prevoted_value {
                    votes.push(self.vote_of(vote_type, round, me, value));
                }
            }
        }
        (proposal, votes)
    }

    /// All proposals and votes known of the rounds that matter to a peer at this height: the
    /// current, the previous, the valid round and the proposal's valid round. Re-broadcasting these
    /// at intervals guarantees progress when some validators are Byzantine, or crashed after
    /// reaching a few others.
    pub fn known_messages(&self) -> (Vec<Proposal>, Vec<Vote>) {
        let proposal = self.rounds.get(&self.round).and_then(RoundLog::proposal);
        let rounds: BTreeSet<Round> = [
            Some(self.round),
            self.round.checked_sub(1),
            self.valid.map(|(round, _)| round),
            proposal.and_then(|(proposal, _)| proposal.valid_round),
        ]
        .into_iter()
        .flatten()
        .collect();
        let (mut proposals, mut votes) = (Vec::new(), Vec::new());
        for round in rounds {
            let Some(log) = self.rounds.get(&round) else {
                continue;
            };
            proposals.extend(log.proposals());
            for vote_type in VOTE_TYPES {
                for (who, value) in log.tally(vote_type).votes() {
                    votes.push(self.vote_of(vote_type, round, who, value));
                }
            }
        }
        (proposals, votes)
    }

    /// Whether a statement is unknown here and would be kept. A peer need not be sent any other
    /// (CometBFT's peers exchange NewRoundStep and HasVote for that).
    pub fn lacks(&self, statement: &Statement) -> bool {
        let received = match *statement {
            Statement::Vote(vote) => Received::Vote(vote),
            Statement::Proposal(proposal) => Received::Proposal(proposal, true),
            Statement::Chained(_) => return false,
        };
        let (height, round, validator) = received.place();
        if validator as usize >= self.electorate.len() {
            return false;
        }
        if height == self.height + 1 {
            let kept = self.next.get(&validator);
            return kept.is_none_or(|kept| {
                kept.len() < NEXT_PER_VALIDATOR && !kept.iter().any(|old| old.same_as(&received))
            });
        }
        if height != self.height {
            return false;
        }
        if round > self.round.saturating_add(ROUNDS_AHEAD) {
            return self.far.get(&validator).is_none_or(|&highest| highest < round);
        }
        let log = self.rounds.get(&round);
        self.keeps(round) && log.is_none_or(|log| log.lacks(&self.electorate, &received))
    }

    fn vote_of(
        &self,
        vote_type: VoteType,
        round: Round,
        validator: u32,
        value: Option<Digest>,
    ) -> Vote {
        Vote { vote_type, height: self.height, round, value, validator }
    }
}
