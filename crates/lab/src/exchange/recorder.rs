//! The recorder: from what a market did, and from the outside prices, the rows of its table.
//!
//! # Theory of operation
//! It decides nothing: everything that it needs are the facts in their order, the market as it
//! stands after them, and the steps of the outside prices. So the rows of a run whose blocks were
//! executed elsewhere can be made afterwards, by the same code. The impact of liquidations on the
//! outside prices is computed here and applied by whoever moves these prices.

use surgetank_layer::units::{AccountId, MessageId, Money, Ns, Price};
use surgetank_market::{Fact, Market};
use surgetank_venue::execution::{Closing, Observer, Phase};

use super::due::Due;
use super::ledger::Ledger;
use super::perpetual::Perpetual;
use super::saturated;
use crate::actors::Accounts;
use crate::trace::{MarketKind, MarketRow};

/// Rows of the market's table, and what they are made from.
pub struct Recorder {
    /// The perpetuals, by market index.
    pub(super) perpetuals: Vec<Perpetual>,
    pub(super) quantum_usd: f64,
    /// Ranges of accounts by owner.
    pub(super) accounts: Accounts,
    /// Accounts that keepers watch, in ascending order.
    pub(super) watched: Vec<AccountId>,
    pub(super) due: Due,
    /// Gains and losses by group.
    pub(super) ledger: Ledger,
    /// Whether no price and no amount was beyond what the trace can hold.
    fits: bool,
    rows: Vec<MarketRow>,
    /// Impacts since they were last taken: market and basis points.
    pub(super) shocks: Vec<(u16, f64)>,
}

impl Recorder {
    /// Of a venue at its start.
    pub(super) fn new(
        venue: &Market,
        perpetuals: Vec<Perpetual>,
        accounts: Accounts,
        quantum_usd: f64,
    ) -> Recorder {
        let ticks: Vec<Price> = perpetuals.iter().map(|perpetual| perpetual.ticks).collect();
        Recorder {
            due: Due::new(accounts.end() as usize, perpetuals.len()),
            ledger: Ledger::new(venue, &ticks, &accounts),
            perpetuals,
            quantum_usd,
            watched: accounts.watched().collect(),
            accounts,
            fits: true,
            rows: Vec::new(),
            shocks: Vec::new(),
        }
    }

    /// The rows so far.
    pub fn rows(&self) -> &[MarketRow] {
        &self.rows
    }

    /// Whether every price was at most [`surgetank_market::PRICE_MAX`], and every amount fits the
    /// trace.
    pub fn numbers_fit(&self) -> bool {
        self.fits
    }

    /// Outside prices in ticks, by market.
    pub(super) fn outside_ticks(&self) -> Vec<Price> {
        self.perpetuals.iter().map(|perpetual| perpetual.ticks).collect()
    }

    /// Watched accounts of negative equity at the outside prices, each with what it lacks, in quanta.
    pub fn uncovered(&self, venue: &Market) -> Vec<(AccountId, i64)> {
        let prices = self.outside_ticks();
        let short = |&account: &AccountId| (account, -venue.worth(account, &prices));
        let below = self.watched.iter().map(short).filter(|&(_, short)| short > 0);
        below.map(|(account, short)| (account, saturated(short).0)).collect()
    }

    /// An amount of a row. One that does not fit makes the run invalid.
    pub(super) fn fitting(&mut self, money: Money) -> i64 {
        let (amount, fits) = saturated(money);
        self.fits &= fits;
        amount
    }

    pub(super) fn row(&mut self, row: MarketRow) {
        self.rows.push(row);
    }

    /// The outside prices have stepped to these, in USD by market.
    pub fn step(&mut self, now: Ns, venue: &Market, prices_usd: &[f64]) {
        let mut any = false;
        for ((market, perpetual), &usd) in (0..).zip(&mut self.perpetuals).zip(prices_usd) {
            let (moved, fits) = perpetual.step(now, usd);
            self.fits &= fits;
            if moved || now == 0 {
                any = true;
                let row = MarketRow::new(now, MarketKind::Index);
                self.rows.push(MarketRow { market, price: perpetual.ticks, ..row });
            }
        }
        if any {
            self.update_due(now, venue);
        }
    }

    /// Records what a block left behind.
    pub fn close_block(&mut self, now: Ns, closing: &Closing) {
        if let Some(insurance) = closing.insurance {
            let amount = self.fitting(insurance);
            self.row(MarketRow { amount, ..MarketRow::new(now, MarketKind::Insurance) });
        }
        for &(market, touch) in &closing.touches {
            self.note_touch(now, market, touch);
        }
    }
}

impl Observer for Recorder {
    /// Records the facts. Funding payments can make accounts due at once.
    fn facts(&mut self, now: Ns, phase: Phase, market: &Market, facts: &[(MessageId, Fact)]) {
        for &(message, fact) in facts {
            self.fact(now, market, message, fact);
        }
        if phase == Phase::Funding {
            self.update_due(now, market);
        }
    }
}
