//! Causes of margin calls: which liquidation moved the mark through which trigger price.
//!
//! # Rules
//! 1. Liquidations move the outside price permanently, so a mark contains the impact of all that
//!    the outside price contained when the oracle observed it.
//! 2. A margin call has no cause inside the venue if the same mark without that impact were through
//!    the account's trigger too.
//! 3. Otherwise its cause is the liquidation whose impact moves the mark through the trigger for
//!    good, adding impacts in the order of execution.
//!
//! # Theory of operation
//! Rule 2 is the counterfactual without any impact at the time of the call; the account might still
//! become due later. Rule 3 gives each call one cause, so causes form trees. Without impact there
//! are no causes.
//!
//! # Departures
//! Impact through the venue's own book, which affects a median mark, is not removed: such a call
//! counts as caused outside.

use surgetank_layer::units::{AccountId, Ns, Price};

/// A liquidation's pressure.
#[derive(Clone, Copy, Debug)]
struct Press {
    account: AccountId,
    at_ns: Ns,
    /// ln of the pressure of this liquidation and all before it.
    total: f64,
}

/// The pressure of all liquidations so far.
#[derive(Debug, Default)]
pub struct Pressure {
    presses: Vec<Press>,
    /// Steps of the outside price after which it held the first so many presses.
    held: Vec<(Ns, usize)>,
    /// Presses in the oracle price in force.
    marked: usize,
}

/// The cause of a margin call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Account whose liquidation caused it.
    pub account: AccountId,
    /// Time at which that liquidation was executed.
    pub executed_ns: Ns,
}

impl Pressure {
    /// A liquidation's fill presses on the logarithm of the price.
    pub fn press(&mut self, at_ns: Ns, account: AccountId, log: f64) {
        if log == 0.0 {
            return;
        }
        match self.presses.last_mut() {
            Some(last) if (last.account, last.at_ns) == (account, at_ns) => last.total += log,
            last => {
                let total = last.map_or(0.0, |last| last.total) + log;
                self.presses.push(Press { account, at_ns, total });
            }
        }
    }

    /// The outside price has stepped and holds all pressure so far.
    pub fn stepped(&mut self, now: Ns) {
        if self.held.last().map_or(0, |&(_, count)| count) != self.presses.len() {
            self.held.push((now, self.presses.len()));
        }
    }

    /// An oracle price observed then comes into force.
    pub fn marked(&mut self, observed_ns: Ns) {
        let steps = self.held.partition_point(|&(at, _)| at <= observed_ns);
        self.marked = steps.checked_sub(1).map_or(0, |last| self.held[last].1);
    }

    /// The liquidation that moved the mark through this trigger (`falling`: downwards); `None` if
    /// no liquidation did.
    pub fn cause(&self, mark: Price, trigger: Price, falling: bool) -> Option<Cause> {
        let presses = &self.presses[..self.marked];
        let all = presses.last()?.total;
        // Marks are whole ticks, so half a tick beyond the trigger still rounds to it.
        let edge = trigger as f64 + if falling { 0.5 } else { -0.5 };
        let through = |total: f64| {
            let price = mark as f64 * (total - all).exp();
            if falling { price < edge } else { price > edge }
        };
        if through(0.0) || !through(all) {
            return None;
        }
        let before = |index: usize| index.checked_sub(1).map_or(0.0, |last| presses[last].total);
        let last = (0..presses.len()).rev().find(|&index| !through(before(index)))?;
        let Press { account, at_ns, .. } = presses[last];
        Some(Cause { account, executed_ns: at_ns })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Falls of 1 % each by accounts 1, 2, 3 at 10, 20, 30 ns, all in the outside price at 40.
    fn pressed() -> Pressure {
        let mut pressure = Pressure::default();
        for account in 1..=3 {
            pressure.press(Ns::from(account) * 10, account, -0.005);
            pressure.press(Ns::from(account) * 10, account, -0.005);
        }
        pressure.stepped(40);
        pressure.marked(50);
        pressure
    }

    fn account(cause: Option<Cause>) -> Option<AccountId> {
        cause.map(|cause| cause.account)
    }

    #[test]
    fn the_cause_is_whoever_moved_the_mark_through_the_trigger() {
        // Without pressure the mark were 9,704·e^0.03 = 10,000, after the first 9,900, then 9,802.
        let pressure = pressed();
        let cause = |trigger| account(pressure.cause(9_704, trigger, true));
        assert_eq!(cause(10_000), None, "due at the price without them");
        assert_eq!(cause(9_950), Some(1));
        assert_eq!(cause(9_850), Some(2));
        assert_eq!(cause(9_750), Some(3));
        assert_eq!(cause(9_650), None, "not due at all");
        let short = account(pressure.cause(9_704, 9_950, false));
        assert_eq!(short, None, "a fall makes no short due");
    }

    #[test]
    fn what_the_oracle_did_not_see_is_no_cause() {
        let mut pressure = pressed();
        pressure.press(60, 4, -0.01);
        pressure.marked(70);
        assert_eq!(account(pressure.cause(9_704, 9_750, true)), Some(3), "not yet stepped");
        pressure.stepped(80);
        pressure.marked(79);
        assert_eq!(account(pressure.cause(9_704, 9_750, true)), Some(3), "observed before");
        pressure.marked(80);
        assert_eq!(account(pressure.cause(9_608, 9_650, true)), Some(4));
        pressure.marked(39);
        assert_eq!(pressure.cause(9_704, 9_950, true), None, "before all of them");
    }

    #[test]
    fn a_push_that_was_undone_is_no_cause() {
        let mut pressure = Pressure::default();
        for (at, account, log) in [(1, 1, -0.02), (2, 2, 0.02), (3, 3, -0.015)] {
            pressure.press(at, account, log);
        }
        pressure.stepped(4);
        pressure.marked(4);
        assert_eq!(account(pressure.cause(9_851, 9_900, true)), Some(3));
    }

    #[test]
    fn no_impact_no_cause() {
        let mut pressure = Pressure::default();
        pressure.press(1, 1, 0.0);
        pressure.stepped(2);
        pressure.marked(3);
        assert_eq!(pressure.cause(9_000, 9_500, true), None);
    }
}
