//! Lines 57 to 67: what an expired timeout does. One that is out of date does nothing.

use super::{Line, Output, Step, Tendermint, Timeout};

impl Tendermint {
    pub(super) fn expire(&mut self, timeout: Timeout, outbox: &mut Vec<Output>) {
        let now = (timeout.height, timeout.round) == (self.height, self.round);
        if !now || !self.started {
            return;
        }
        match timeout.step {
            // 57–60: Function OnTimeoutPropose
            Step::Propose if self.step == Step::Propose => {
                self.fire(Line::L59);
                self.prevote(None, outbox);
            }
            // 61–64: Function OnTimeoutPrevote
            Step::Prevote if self.step == Step::Prevote => {
                self.fire(Line::L63);
                self.precommit(None, outbox);
            }
            // 65–67: Function OnTimeoutPrecommit
            Step::Precommit if self.step != Step::Commit => {
                self.fire(Line::L67);
                self.start_round(self.round.saturating_add(1), outbox);
            }
            // 54, after the commit timeout
            Step::Commit if self.step == Step::Commit => self.start_round(0, outbox),
            _ => {}
        }
    }
}
