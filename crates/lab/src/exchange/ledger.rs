//! The ledger of gains and losses by group and cause, in whole quanta.
//!
//! # Rules
//! 1. An account's *total* is its equity at the end less that at the start, both at the outside
//!    prices of the time, less payments outside the market: fees of messages, forfeited bonds, the
//!    express lane.
//! 2. The total has five parts. *Edge*: each trade against the outside price of its market at its
//!    time. *Fees*: of trades, liquidations and messages. *Relief*: its debts that others bore; for
//!    a deleveraged account, its loss by that, which is booked under `socialised` instead.
//!    *Funding*: payments between longs and shorts; the venue keeps what rounding leaves. *Held*:
//!    the rest, the gain of its positions as the outside prices moved.
//! 3. Collateral in assets counts at its price of the start: its own gain has no counterparty.
//! 4. The insurance fund, socialised losses (of deleveraged accounts, and uncovered debt) and the
//!    venue are groups like the others. So every column sums to zero, to the last quantum.
//!
//! The groups of accounts: `attacker`, `makers`, `takers` (background traders), `liquidated` (were
//! liquidated at least once), `holders` (positions at the start, never liquidated), `operators`
//! (keepers and oracles) and `backstop` (the vault and the liquidator).

use serde_json::{Value, json};
use surgetank_layer::units::{AccountId, Money, Price};
use surgetank_market::{Bearer, Fact, Market};

use super::{Recorder, saturated};
use crate::actors::Accounts;
use crate::trace::{LaneRow, Messages, Source};

/// Groups of accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    Attacker,
    Makers,
    Takers,
    Holders,
    Liquidated,
    Operators,
    Backstop,
    Insurance,
    Socialised,
    Venue,
}

/// Their names in the trace, by number.
const NAMES: [&str; 10] = [
    "attacker",
    "makers",
    "takers",
    "holders",
    "liquidated",
    "operators",
    "backstop",
    "insurance",
    "socialised",
    "venue",
];

/// One line of the ledger, in quanta; a gain is positive.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    edge: Money,
    fees: Money,
    relief: Money,
    funding: Money,
    total: Money,
}

/// Sums kept during the run.
pub struct Ledger {
    accounts: Accounts,
    /// Outside prices at the start.
    start: Vec<Price>,
    /// Equity at the start, by account.
    worth_at_start: Vec<Money>,
    edge: Vec<Money>,
    relief: Vec<Money>,
    liquidation_fees: Vec<Money>,
    liquidated: Vec<bool>,
    insurance: Money,
    /// Bad debt that the insurance fund paid.
    insured: Money,
    /// Losses of deleveraged accounts.
    haircuts: Vec<Money>,
}

impl Ledger {
    pub(super) fn new(market: &Market, ticks: &[Price], accounts: &Accounts) -> Ledger {
        let count = accounts.end() as usize;
        let worth = |account| market.worth(account, ticks);
        Ledger {
            accounts: *accounts,
            start: ticks.to_vec(),
            worth_at_start: (0..accounts.end()).map(worth).collect(),
            edge: vec![0; count],
            relief: vec![0; count],
            liquidation_fees: vec![0; count],
            liquidated: vec![false; count],
            insurance: market.insurance(),
            insured: 0,
            haircuts: vec![0; count],
        }
    }

    /// Books a fact, with the outside price of its market at `ticks`.
    pub(super) fn note(&mut self, fact: &Fact, ticks: Price) {
        match *fact {
            Fact::Trade { price, qty, maker_account, taker_account, taker_side, .. } => {
                let signed = Money::from(qty * taker_side.sign());
                let edge = signed * (Money::from(ticks) - Money::from(price));
                self.edge[taker_account as usize] += edge;
                self.edge[maker_account as usize] -= edge;
            }
            Fact::Liquidated { account, fee, .. } => {
                self.liquidation_fees[account as usize] += fee;
                self.liquidated[account as usize] = true;
            }
            Fact::Auctioned { account, .. } => self.liquidated[account as usize] = true,
            Fact::Deleveraged { against, haircut, .. } => {
                self.haircuts[against as usize] += haircut;
            }
            Fact::BadDebt { account, amount, borne_by, .. } => match borne_by {
                Bearer::Insurance => {
                    self.relief[account as usize] += amount;
                    self.insured += amount;
                }
                Bearer::Venue => self.relief[account as usize] += amount,
                // Deleveraged accounts are booked one by one; the vault's loss is in the positions
                // that it took over.
                Bearer::Deleveraged | Bearer::Vault => {}
            },
            _ => {}
        }
    }

    fn group(&self, account: AccountId) -> Group {
        let a = &self.accounts;
        if a.attacking().contains(&account) || account == a.spammer() {
            Group::Attacker
        } else if a.maker(account).is_some() {
            Group::Makers
        } else if account < a.background_from() || account == a.writer() {
            let liquidated = self.liquidated[account as usize];
            if liquidated { Group::Liquidated } else { Group::Holders }
        } else if account < a.makers_from() {
            Group::Takers
        } else if account < a.spammer() {
            Group::Operators
        } else {
            Group::Backstop
        }
    }

    /// The lines by group, without payments outside the market.
    fn lines(&self, market: &Market, ticks: &[Price]) -> [Line; NAMES.len()] {
        let mut lines = [Line::default(); NAMES.len()];
        for account in 0..self.accounts.end() {
            let i = account as usize;
            let line = &mut lines[self.group(account) as usize];
            line.edge += self.edge[i];
            line.fees -= market.fees_paid(account) + self.liquidation_fees[i];
            line.relief += self.relief[i] + self.haircuts[i];
            line.funding -= market.funding_paid(account);
            line.total += market.worth(account, ticks) - self.worth_at_start[i] + self.haircuts[i];
            line.total -= market.assets_value(account, ticks);
            line.total += market.assets_value(account, &self.start);
        }
        let liquidation_fees: Money = self.liquidation_fees.iter().sum();
        let insurance = &mut lines[Group::Insurance as usize];
        insurance.fees = liquidation_fees;
        insurance.relief = -self.insured;
        insurance.total = market.insurance() - self.insurance;
        let socialised = &mut lines[Group::Socialised as usize];
        socialised.relief = -market.deficit() - self.haircuts.iter().sum::<Money>();
        socialised.total = socialised.relief;
        let venue = &mut lines[Group::Venue as usize];
        venue.fees = market.fees();
        venue.funding = market.funding_remainder();
        venue.total = venue.fees + venue.funding;
        lines
    }
}

impl Recorder {
    /// The ledger by group, in quanta: edge, fees, relief, funding, held and total. Every column sums to
    /// zero. Payments outside the market are fees of messages, rounds of the express lane and the
    /// attacker's bonds. Second: whether all of them fit 64 bits.
    pub fn ledger(
        &self,
        venue: &Market,
        messages: &Messages,
        rounds: &[LaneRow],
        bonds_usd: f64,
    ) -> (Value, bool) {
        let mut lines = self.ledger.lines(venue, &self.outside_ticks());
        let micros_per_quantum = self.quantum_usd * 1e6;
        for (group, micros) in self.paid_outside_market(messages, rounds, bonds_usd) {
            let paid = (micros as f64 / micros_per_quantum).round() as Money;
            for (group, sign) in [(group, -1), (Group::Venue, 1)] {
                let line = &mut lines[group as usize];
                line.fees += sign * paid;
                line.total += sign * paid;
            }
        }
        let mut all_fit = true;
        let mut whole = |money| {
            let (amount, fits) = saturated(money);
            all_fit &= fits;
            amount
        };
        let row = |(name, line): (&str, &Line)| {
            let held = line.total - line.edge - line.fees - line.relief - line.funding;
            json!({
                "group": name,
                "edge": whole(line.edge),
                "fees": whole(line.fees),
                "relief": whole(line.relief),
                "funding": whole(line.funding),
                "held": whole(held),
                "total": whole(line.total),
            })
        };
        let rows = NAMES.into_iter().zip(&lines).map(row).collect();
        (rows, all_fit)
    }

    /// Payments outside the market by account, in millionths of a USD.
    fn paid_outside_market(
        &self,
        messages: &Messages,
        rounds: &[LaneRow],
        bonds_usd: f64,
    ) -> [(Group, u64); 4] {
        let (mut attacker, mut makers, mut takers, mut operators) = (0, 0, 0, 0);
        for (source, paid) in messages.paid() {
            let paid = u64::from(paid);
            match source {
                Source::Attacker | Source::Spam => attacker += paid,
                Source::Maker => makers += paid,
                Source::Keeper | Source::Oracle => operators += paid,
                Source::Background | Source::Panic | Source::Tape => takers += paid,
            }
        }
        for row in rounds {
            let bidder = if self.accounts.attacking().contains(&row.controller) {
                &mut attacker
            } else {
                &mut makers
            };
            *bidder += row.price_micros;
        }
        attacker += (bonds_usd * 1e6).round() as u64;
        [
            (Group::Attacker, attacker),
            (Group::Makers, makers),
            (Group::Takers, takers),
            (Group::Operators, operators),
        ]
    }
}
