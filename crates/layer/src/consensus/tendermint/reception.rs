//! Reception of messages into the log: retention, dropping, and detection of equivocation.

use super::round_log::{Received, RoundLog};
use super::{Line, NEXT_PER_VALIDATOR, Output, ROUNDS_AHEAD, ROUNDS_BEHIND, Tendermint};
use crate::units::{Digest, Round, Weight};

impl Tendermint {
    /// Puts a message into the log. The rules follow in `settle`.
    pub(super) fn receive(&mut self, received: Received, outbox: &mut Vec<Output>) {
        let (height, round, validator) = received.place();
        if validator as usize >= self.electorate.len() || height < self.height {
            return;
        }
        if let Received::Proposal(proposal, _) = received {
            // Proposers of rounds beyond the window are not computed: line 55 takes a proposal of
            // such a round as its sender's statement that the round was reached.
            let now = if height == self.height { self.round } else { 0 };
            let forged =
                height <= self.height + 1 && round <= now.saturating_add(ROUNDS_AHEAD) && {
                    self.electorate.reach(height, round);
                    self.proposer(height, round) != validator
                };
            if forged || proposal.valid_round.is_some_and(|valid_round| valid_round >= round) {
                return;
            }
        }
        if height > self.height {
            if height == self.height + 1 {
                let kept = self.next.entry(validator).or_default();
                if kept.len() < NEXT_PER_VALIDATOR && !kept.contains(&received) {
                    kept.push(received);
                }
            }
        } else if round > self.round.saturating_add(ROUNDS_AHEAD) {
            self.receive_far(validator, round, outbox);
        } else if self.keeps(round) {
            let validators = self.electorate.len();
            let log = self.rounds.entry(round).or_insert_with(|| RoundLog::new(validators));
            let news = log.receive(&self.electorate, received);
            if news.equivocation {
                outbox.push(Output::Equivocation { validator, height, round });
            }
            if news.changed {
                self.touched.insert(round);
            }
        }
    }

    pub(super) fn keeps(&self, round: Round) -> bool {
        let held = |place: Option<(Round, Digest)>| place.is_some_and(|(r, _)| r == round);
        round >= self.round.saturating_sub(ROUNDS_BEHIND) || held(self.locked) || held(self.valid)
    }

    pub(super) fn forget_old_rounds(&mut self) {
        let oldest = self.round.saturating_sub(ROUNDS_BEHIND);
        if self.rounds.first_key_value().is_some_and(|(&round, _)| round < oldest) {
            let mut rounds = std::mem::take(&mut self.rounds);
            rounds.retain(|&round, _| self.keeps(round));
            self.rounds = rounds;
        }
    }

    /// 55 for rounds beyond the window.
    fn receive_far(&mut self, validator: u32, round: Round, outbox: &mut Vec<Output>) {
        let highest = self.far.entry(validator).or_insert(round);
        *highest = round.max(*highest);
        if !self.started {
            return;
        }
        let mut reached: Vec<(Round, Weight)> =
            self.far.iter().map(|(&who, &r)| (r, self.electorate.weight(who))).collect();
        reached.sort_unstable_by(|a, b| b.cmp(a));
        let mut weight = 0;
        let target = reached.iter().find(|(_, w)| {
            weight += w;
            self.electorate.is_third(weight)
        });
        if let Some(&(round, _)) = target {
            self.far.clear();
            self.fire(Line::L55);
            self.start_round(round, outbox);
        }
    }
}
