//! The market executes ordered messages; the outside price moves whether or not the venue keeps up.
//!
//! # Rules
//! 1. Blocks are executed as a venue's batches ([`surgetank_venue::execution`]), once, when the first
//!    node executes a block: every other node would compute the same.
//! 2. The reference of liquidations is the outside price: an account is due when it is below
//!    maintenance margin at the outside prices, whatever the venue's marks.
//! 3. Where blocks carry the price (`market.price.feed`), the outside price at execution comes
//!    first in every block, as an oracle price observed then.
//! 4. Liquidations move the outside price of their market by its `impact_bp_per_musd`, which can
//!    start cascades.

mod benchmark;
mod bounds;
mod deferrals;
mod due;
mod ledger;
mod market_rows;
mod open;
mod outside;
mod perpetual;
mod portfolios;
mod position_book;
mod pressure;
mod public;
mod quotas;
mod recorder;

use serde_json::Value;
use surgetank_layer::message::{Body, Message, PriceUpdate};
use surgetank_layer::units::{AccountId, Digest, Height, MessageId, Money, Ns, Price};
use surgetank_market::{Fact, Market};
use surgetank_venue::execution::{Batch, Execution, Observer, Phase};

use crate::actors::Accounts;
use crate::scenario::Feed;
use crate::trace::{LaneRow, MarketRow, Messages};
use outside::OutsidePath;
use perpetual::Perpetual;
use quotas::Quotas;

pub use deferrals::Deferrals;
pub use open::{genesis_of, open};
pub use position_book::PositionBook;
pub use public::Public;
pub use recorder::Recorder;

/// The market, the outside prices, and the rows recorded of both.
pub struct Exchange {
    execution: Execution,
    /// Outside prices, by market index.
    outside: Vec<OutsidePath>,
    step_ns: Ns,
    feed: Feed,
    /// Mark prices after each block, by height and market.
    marks: Vec<Price>,
    recorder: Recorder,
    deferrals: Deferrals,
    conserved: bool,
    quotas: Option<Quotas>,
    collateral: Vec<i64>,
    /// Whether the collateral fits the trace.
    fits: bool,
    /// Time from the venue's opening to the run's time 0.
    opened_before_ns: Ns,
}

/// Parameters of [`Exchange::new`].
struct Opening {
    execution: Execution,
    outside: Vec<OutsidePath>,
    perpetuals: Vec<Perpetual>,
    accounts: Accounts,
    quotas: Option<Quotas>,
}

impl Exchange {
    fn new(opening: Opening, config: &crate::scenario::Market) -> Exchange {
        let Opening { execution, outside, perpetuals, accounts, quotas } = opening;
        let market = execution.market();
        let held = |asset| -> Money {
            market.accounts().map(|account| market.asset(account, asset)).sum()
        };
        let collateral: Vec<_> =
            (0..config.collateral.len() as u16).map(|asset| saturated(held(asset))).collect();
        let in_parts = config.per_block.is_some() || config.symbol.partial.is_some();
        let marks = perpetuals.iter().map(|perpetual| perpetual.ticks).collect();
        Exchange {
            outside,
            step_ns: config.price.step_ns,
            feed: config.price.feed,
            marks,
            deferrals: Deferrals::new(accounts.end() as usize, in_parts),
            recorder: Recorder::new(market, perpetuals, accounts, config.quantum_usd()),
            execution,
            conserved: true,
            quotas,
            fits: collateral.iter().all(|&(_, fits)| fits),
            collateral: collateral.into_iter().map(|(amount, _)| amount).collect(),
            opened_before_ns: 0,
        }
    }

    /// The venue opened this long before the run's time 0: its own time is later by that.
    pub fn opened_before(&mut self, ns: Ns) {
        self.opened_before_ns = ns;
    }

    /// Rows of the market's table.
    pub fn rows(&self) -> &[MarketRow] {
        self.recorder.rows()
    }

    /// Whether total money equals deposits.
    pub fn is_conserved(&self) -> bool {
        self.conserved
    }

    /// Whether every price was at most [`PRICE_MAX`](surgetank_market::PRICE_MAX), and every amount
    /// fits the trace.
    pub fn numbers_fit(&self) -> bool {
        self.fits && self.recorder.numbers_fit()
    }

    /// Whether the block of this height is the next to be executed.
    pub fn is_next(&self, height: Height) -> bool {
        height == self.execution.height() + 1
    }

    /// Whether every block carries the outside price.
    pub fn feeds_in_block(&self) -> bool {
        self.feed == Feed::Block
    }

    /// Watched accounts of negative equity at the outside prices, each with what it lacks, in quanta.
    pub fn uncovered(&self) -> Vec<(AccountId, i64)> {
        self.recorder.uncovered(self.execution.market())
    }

    /// Amounts of the collateral assets that all accounts held at the start: in lots of the market
    /// that prices an asset, or in quanta where its price is constant.
    pub fn collateral(&self) -> &[i64] {
        &self.collateral
    }

    /// The ledger by group, as [`Recorder::ledger`] has it.
    pub fn ledger(&self, messages: &Messages, rounds: &[LaneRow], bonds_usd: f64) -> (Value, bool) {
        self.recorder.ledger(self.execution.market(), messages, rounds, bonds_usd)
    }

    /// Requests that accounts have earned by trades since the last call.
    pub fn earned(&mut self) -> Vec<(AccountId, u64)> {
        let (recorder, quotas) = (&self.recorder, self.quotas.as_mut());
        quotas.map_or_else(Vec::new, |quotas| quotas.earned(recorder.rows(), recorder.quantum_usd))
    }

    /// Whether a limit deferred liquidations in the block of this height.
    pub fn deferred_in(&self, height: Height) -> bool {
        self.deferrals.any_in(height)
    }

    /// Mark prices as of a height, by market.
    pub fn marks_at(&self, height: u32) -> &[Price] {
        let markets = self.outside.len();
        let at = (height as usize * markets).min(self.marks.len() - markets);
        &self.marks[at..at + markets]
    }

    /// A client sends a message.
    pub fn note_sent(&mut self, message: &Message) {
        if let Body::LiquidationOrder(order) = &message.body {
            self.deferrals.sent_again(order.target);
        }
        self.recorder.note_sent(self.execution.market(), message);
    }

    /// Moves the outside prices one step; returns the time of the next step.
    pub fn step(&mut self, now: Ns) -> Ns {
        let prices_usd = self.advance(now);
        self.stepped(now, &prices_usd);
        now + self.step_ns
    }

    /// Draws the next outside prices, in USD by market. [`Exchange::stepped`] must follow.
    pub fn advance(&mut self, now: Ns) -> Vec<f64> {
        outside::advance(&mut self.outside, now)
    }

    /// The outside prices have stepped to these, in USD by market.
    pub fn stepped(&mut self, now: Ns, prices_usd: &[f64]) {
        self.recorder.step(now, self.execution.market(), prices_usd);
    }

    /// What executes the blocks, as the last one has left it.
    pub fn execution(&self) -> &Execution {
        &self.execution
    }

    /// Executes the block of this height with these messages; returns the resulting facts. `seed`
    /// is that of a call auction.
    pub fn execute(
        &mut self,
        now: Ns,
        (height, seed): (Height, Digest),
        messages: &[Message],
    ) -> Vec<Fact> {
        let ticks = if self.feeds_in_block() { self.recorder.outside_ticks() } else { Vec::new() };
        let prices: Vec<_> = (0..)
            .zip(ticks)
            .map(|(symbol, price)| PriceUpdate { symbol, price, observed_ns: now })
            .collect();
        let venue_ns = now + self.opened_before_ns;
        let batch = Batch { now: venue_ns, height, prices: &prices, messages, accounts: &[], seed };
        self.deferrals.begin_block();
        let mut heard = Heard {
            recorder: &mut self.recorder,
            deferrals: &mut self.deferrals,
            facts: Vec::new(),
            now,
        };
        let closing = self.execution.execute(&batch, &mut heard);
        let facts = heard.facts;
        self.recorder.close_block(now, &closing);
        for (symbol, bp) in self.recorder.shocks.drain(..) {
            self.outside[usize::from(symbol)].shock(bp);
        }
        self.conserved &= closing.conserved;
        let market = self.execution.market();
        self.marks.extend((0..market.symbols()).map(|symbol| market.mark(symbol)));
        facts
    }
}

/// What is noted of a block while it is executed.
struct Heard<'a> {
    recorder: &'a mut Recorder,
    deferrals: &'a mut Deferrals,
    /// Facts of the messages.
    facts: Vec<Fact>,
    /// Time of the run.
    now: Ns,
}

impl Observer for Heard<'_> {
    fn facts(&mut self, _: Ns, phase: Phase, market: &Market, facts: &[(MessageId, Fact)]) {
        if phase == Phase::Messages {
            self.facts = facts.iter().map(|(_, fact)| *fact).collect();
            self.facts.iter().for_each(|fact| self.deferrals.note(fact));
        }
        self.recorder.facts(self.now, phase, market, facts);
    }
}

/// Money in 64 bits, and whether it fits.
fn saturated(money: Money) -> (i64, bool) {
    let within = money.clamp(Money::from(i64::MIN), Money::from(i64::MAX));
    (within as i64, within == money)
}
