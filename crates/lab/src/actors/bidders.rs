//! Bidders for rounds of the express lane (`layer.queue.express`): makers, with a value drawn for
//! each round, and a racing attacker, with its own value. Bidding one's value is dominant in a
//! second-price auction.

use surgetank_layer::machine::Draws;
use surgetank_layer::units::{AccountId, Money, Ns};

use super::{Accounts, Action, Timer};
use crate::scenario::{AttackKind, Scenario};
use crate::seed::{Seed, Stream};

/// All bidders of a run.
pub struct Bidders {
    draws: Stream,
    round_ns: Ns,
    flow_end_ns: Ns,
    accounts: Accounts,
    maker_value_usd: f64,
    /// Value of a round to a racing attacker, in USD; `None` without one.
    racer_value_usd: Option<f64>,
}

impl Bidders {
    pub(super) fn new(scenario: &Scenario, accounts: Accounts, seed: &Seed) -> Option<Bidders> {
        let express = &scenario.layer.queue.express;
        if !express.enabled {
            return None;
        }
        let racer_value_usd = match &scenario.attack.what {
            AttackKind::LatencyRace(racer) | AttackKind::FeeJump(racer) => Some(racer.lane_usd),
            _ => None,
        };
        Some(Bidders {
            draws: seed.stream("layer.lane", 0),
            round_ns: express.round_ns,
            flow_end_ns: scenario.flow_end_ns(),
            accounts,
            maker_value_usd: express.maker_value_usd,
            racer_value_usd,
        })
    }

    pub(super) fn start(&self, now: Ns, out: &mut Vec<Action>) {
        out.push(Action::Wake { at: now, timer: Timer::Auction });
    }

    /// A round begins: bids for the next one are sent.
    pub(super) fn bid(&mut self, now: Ns, out: &mut Vec<Action>) {
        let round = now / self.round_ns + 1;
        let mut bid = |bidder: AccountId, usd: f64| {
            if usd > 0.0 {
                // Millionths of a USD. A bid is not limited to the 32 bits of a message's fee.
                let amount = (usd * 1e6).round() as Money;
                out.push(Action::Bid { round, bidder, amount });
            }
        };
        for maker in 0..self.accounts.makers {
            let value_usd = self.draws.exponential() * self.maker_value_usd;
            bid(self.accounts.makers_from() + maker, value_usd);
        }
        if let Some(value_usd) = self.racer_value_usd {
            bid(self.accounts.attackers_from(), value_usd);
        }
        let next = now + self.round_ns;
        if next < self.flow_end_ns {
            out.push(Action::Wake { at: next, timer: Timer::Auction });
        }
    }
}
