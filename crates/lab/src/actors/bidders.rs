//! Bids for rounds of the express lane (`layer.queue.express`): makers bid a value that is drawn
//! for each round. Bidding one's value is dominant in a second-price auction.

use surgetank_layer::machine::Draws;
use surgetank_layer::units::{AccountId, Money, Ns};

use super::{Accounts, Action, Timer};
use crate::scenario::Scenario;
use crate::seed::{Seed, Stream};

/// The makers as bidders.
pub struct Bidders {
    draws: Stream,
    round_ns: Ns,
    flow_end_ns: Ns,
    accounts: Accounts,
    maker_value_usd: f64,
}

impl Bidders {
    pub(super) fn new(scenario: &Scenario, accounts: Accounts, seed: &Seed) -> Option<Bidders> {
        let express = &scenario.layer.queue.express;
        if !express.enabled {
            return None;
        }
        Some(Bidders {
            draws: seed.stream("layer.lane", 0),
            round_ns: express.round_ns,
            flow_end_ns: scenario.flow_end_ns(),
            accounts,
            maker_value_usd: express.maker_value_usd,
        })
    }

    pub(super) fn start(&self, now: Ns, out: &mut Vec<Action>) {
        out.push(Action::Wake { at: now, timer: Timer::Auction });
    }

    /// A round begins: bids for the next one are sent.
    pub(super) fn bid(&mut self, now: Ns, out: &mut Vec<Action>) {
        for maker in 0..self.accounts.makers {
            let value_usd = self.draws.exponential() * self.maker_value_usd;
            let bidder = self.accounts.makers_from() + maker;
            out.extend(bid_for_next(now, self.round_ns, bidder, value_usd));
        }
        let next = now + self.round_ns;
        if next < self.flow_end_ns {
            out.push(Action::Wake { at: next, timer: Timer::Auction });
        }
    }
}

/// A bid in USD for the round after the one of `now`; none for nothing.
pub fn bid_for_next(now: Ns, round_ns: Ns, bidder: AccountId, value_usd: f64) -> Option<Action> {
    // Millionths of a USD. A bid is not limited to the 32 bits of a message's fee.
    let amount = (value_usd * 1e6).round() as Money;
    (value_usd > 0.0).then_some(Action::Bid { round: now / round_ns + 1, bidder, amount })
}
