//! The market executes ordered messages; the outside price moves whether or not the venue keeps up.
//!
//! # Rules
//! 1. The market is executed once, when the first node executes a block: it is a pure function of
//!    the ordered messages, so every other node would compute the same.
//! 2. The reference of liquidations is the outside price: an account is due when it is below
//!    maintenance margin at the outside prices, whatever the venue's marks.
//! 3. Where blocks carry the price (`market.price.feed`), the outside price at execution comes
//!    first in every block, as an oracle price observed then.
//! 4. Funding payments come before a block's messages, at its prices.
//! 5. Liquidations move the outside price of their market by its `impact_bp_per_musd`, which can
//!    start cascades.

mod benchmark;
mod bounds;
mod due;
mod ledger;
mod market_rows;
mod open;
mod perpetual;
mod portfolios;
mod position_book;
mod pressure;
mod public;
mod quotas;

use surgetank_layer::message::{Block, Message, PriceUpdate};
use surgetank_layer::units::{AccountId, Digest, Height, MessageId, Money, Ns, Price};
use surgetank_market::auction::{Call, Rationing};
use surgetank_market::{Fact, Market};

use crate::actors::Accounts;
use crate::scenario::Feed;
use crate::trace::{MarketKind, MarketRow};
use due::Due;
use ledger::Ledger;
use perpetual::Perpetual;
use quotas::Quotas;

pub use open::open;
pub use position_book::{PositionBook, Units};
pub use public::Public;

/// The market, the outside prices, and the rows recorded of both.
pub struct Exchange {
    market: Market,
    /// The perpetuals, by market index.
    perpetuals: Vec<Perpetual>,
    quantum_usd: f64,
    step_ns: Ns,
    feed: Feed,
    /// Whether the venue closes positions out in parts.
    in_parts: bool,
    /// Height of the last block executed.
    height: Height,
    /// Mark prices after each block, by height and market.
    marks: Vec<Price>,
    /// Whether a limit deferred a liquidation, by block.
    deferrals: Vec<bool>,
    /// Height at which an account's last liquidation was deferred; 0 = not since it was last sent.
    cut: Vec<u32>,
    /// Ranges of accounts by owner.
    accounts: Accounts,
    /// Accounts that keepers watch, in ascending order.
    watched: Vec<AccountId>,
    due: Due,
    /// Gains and losses by group.
    ledger: Ledger,
    insurance: Money,
    conserved: bool,
    /// Whether no price and no amount was beyond what the trace can hold.
    fits: bool,
    rows: Vec<MarketRow>,
    facts: Vec<Fact>,
    /// Whether each block is matched as a call auction.
    calls: bool,
    quotas: Option<Quotas>,
    collateral: Vec<i64>,
}

/// Parameters of [`Exchange::new`].
struct Opening {
    market: Market,
    perpetuals: Vec<Perpetual>,
    accounts: Accounts,
    calls: bool,
    quotas: Option<Quotas>,
}

impl Exchange {
    fn new(opening: Opening, config: &crate::scenario::Market) -> Exchange {
        let insurance = opening.market.insurance();
        let every = opening.accounts.end() as usize;
        let ticks: Vec<Price> = opening.perpetuals.iter().map(|p| p.ticks).collect();
        let held = |asset| -> Money {
            opening.market.accounts().map(|account| opening.market.asset(account, asset)).sum()
        };
        let collateral: Vec<_> =
            (0..config.collateral.len() as u16).map(|asset| saturated(held(asset))).collect();
        Exchange {
            ledger: Ledger::new(&opening.market, &ticks, &opening.accounts),
            market: opening.market,
            quantum_usd: config.quantum_usd(),
            step_ns: config.price.step_ns,
            feed: config.price.feed,
            in_parts: config.per_block.is_some() || config.symbol.partial.is_some(),
            height: 0,
            due: Due::new(every, opening.perpetuals.len()),
            perpetuals: opening.perpetuals,
            marks: ticks,
            deferrals: vec![false],
            cut: vec![0; every],
            watched: opening.accounts.watched().collect(),
            accounts: opening.accounts,
            insurance,
            conserved: true,
            fits: collateral.iter().all(|&(_, fits)| fits),
            collateral: collateral.into_iter().map(|(amount, _)| amount).collect(),
            rows: Vec::new(),
            facts: Vec::new(),
            calls: opening.calls,
            quotas: opening.quotas,
        }
    }

    /// Rows of the market's table.
    pub fn rows(&self) -> &[MarketRow] {
        &self.rows
    }

    /// Whether total money equals deposits.
    pub fn is_conserved(&self) -> bool {
        self.conserved
    }

    /// Whether every price was at most [`PRICE_MAX`], and every amount fits the trace.
    pub fn numbers_fit(&self) -> bool {
        self.fits
    }

    /// Whether the block of this height is the next to be executed.
    pub fn is_next(&self, height: Height) -> bool {
        height == self.height + 1
    }

    /// Whether every block carries the outside price.
    pub fn feeds_in_block(&self) -> bool {
        self.feed == Feed::Block
    }

    /// Outside prices in ticks, by market.
    fn outside_ticks(&self) -> Vec<Price> {
        self.perpetuals.iter().map(|perpetual| perpetual.ticks).collect()
    }

    /// Watched accounts of negative equity at the outside prices, each with what it lacks, in quanta.
    pub fn uncovered(&self) -> Vec<(AccountId, i64)> {
        let prices = self.outside_ticks();
        let short = |&account: &AccountId| (account, -self.market.worth(account, &prices));
        let below = self.watched.iter().map(short).filter(|&(_, short)| short > 0);
        below.map(|(account, short)| (account, saturated(short).0)).collect()
    }

    /// Amounts of the collateral assets that all accounts held at the start: in lots of the market
    /// that prices an asset, or in quanta where its price is constant.
    pub fn collateral(&self) -> &[i64] {
        &self.collateral
    }

    /// Requests that accounts have earned by trades since the last call.
    pub fn earned(&mut self) -> Vec<(AccountId, u64)> {
        let quotas = self.quotas.as_mut();
        quotas.map_or_else(Vec::new, |quotas| quotas.earned(&self.rows, self.quantum_usd))
    }

    /// Whether a limit deferred liquidations in the block of this height.
    pub fn deferred_in(&self, height: u32) -> bool {
        self.deferrals[height as usize]
    }

    /// Mark prices as of a height, by market.
    pub fn marks_at(&self, height: u32) -> &[Price] {
        let markets = self.perpetuals.len();
        let at = (height as usize * markets).min(self.marks.len() - markets);
        &self.marks[at..at + markets]
    }

    /// Whether a limit deferred the account's last liquidation, in a block up to this height.
    fn liquidation_deferred(&self, account: AccountId, height: u32) -> bool {
        self.cut.get(account as usize).is_some_and(|&at| at != 0 && at <= height)
    }

    /// Records that a keeper has sent again for the account.
    fn sent_again(&mut self, account: AccountId) {
        self.cut[account as usize] = 0;
    }

    /// Records an account whose liquidation a limit deferred in this block.
    fn note_deferral(&mut self, fact: &Fact) {
        let account = match *fact {
            Fact::LiquidationDeferred { account, .. } => account,
            Fact::Liquidated { account, book_qty, deleveraged_qty, remaining, .. }
                if self.in_parts && remaining != 0 && book_qty + deleveraged_qty > 0 =>
            {
                account
            }
            _ => return,
        };
        if let Some(cut) = self.cut.get_mut(account as usize) {
            *cut = self.height as u32;
            self.deferrals[self.height as usize] = true;
        }
    }

    /// An amount of a row. One that does not fit makes the run invalid.
    fn fitting(&mut self, money: Money) -> i64 {
        let (amount, fits) = saturated(money);
        self.fits &= fits;
        amount
    }

    fn row(&mut self, row: MarketRow) {
        self.rows.push(row);
    }

    /// Moves the outside prices one step; returns the time of the next step.
    pub fn step(&mut self, now: Ns) -> Ns {
        let (mut led, mut any) = (0.0, false);
        for (market, perpetual) in (0..).zip(&mut self.perpetuals) {
            let (moved, fits) = perpetual.advance(now, led);
            self.fits &= fits;
            if market == 0 {
                led = perpetual.free_return();
            }
            if moved || now == 0 {
                any = true;
                let row = MarketRow::new(now, MarketKind::Index);
                self.rows.push(MarketRow { market, price: perpetual.ticks, ..row });
            }
        }
        if any {
            self.update_due(now);
        }
        now + self.step_ns
    }

    /// Executes a block with these messages; returns the resulting facts.
    pub fn execute(&mut self, now: Ns, block: &Block, messages: &[Message]) -> Vec<Fact> {
        self.height = block.height;
        self.deferrals.push(false);
        self.market.begin_block();
        if self.feed == Feed::Block {
            self.take_block_prices(now);
        }
        if self.market.has_funding() {
            self.fund(now);
        }
        let traded = self.trade(now, messages, block.hash);
        let mut facts = Vec::with_capacity(traded.len());
        for (message, fact) in traded {
            facts.push(fact);
            self.note_deferral(&fact);
            self.fact(now, message, fact);
        }
        let insurance = self.market.insurance();
        if insurance != self.insurance {
            self.insurance = insurance;
            let amount = self.fitting(insurance);
            self.row(MarketRow { amount, ..MarketRow::new(now, MarketKind::Insurance) });
        }
        (0..self.market.symbols()).for_each(|market| self.note_touch(now, market));
        self.conserved &= self.market.total_money() == self.market.paid_in();
        self.marks.extend((0..self.market.symbols()).map(|market| self.market.mark(market)));
        facts
    }

    /// Makes the funding payments that are due. They can make accounts due at once.
    fn fund(&mut self, now: Ns) {
        let mut facts = std::mem::take(&mut self.facts);
        self.market.fund(now, &mut facts);
        let any = !facts.is_empty();
        for fact in facts.drain(..) {
            self.fact(now, u32::MAX, fact);
        }
        self.facts = facts;
        if any {
            self.update_due(now);
        }
    }

    /// Executes a block's messages; returns the facts of each.
    fn trade(&mut self, now: Ns, messages: &[Message], block: Digest) -> Vec<(MessageId, Fact)> {
        let mut facts = Vec::new();
        if self.calls {
            // The proposer could grind this seed, which only decides indivisible lots.
            let call = Call { seed: block, rationing: Rationing::Random };
            self.market.execute_batch(now, messages, call, &mut facts);
            return facts;
        }
        for message in messages {
            self.market.execute(now, message, &mut self.facts);
            facts.extend(self.facts.drain(..).map(|fact| (message.id, fact)));
        }
        facts
    }

    /// Applies the outside prices that the block carries.
    fn take_block_prices(&mut self, now: Ns) {
        let mut facts = std::mem::take(&mut self.facts);
        for (symbol, perpetual) in (0..).zip(&self.perpetuals) {
            let update = PriceUpdate { symbol, price: perpetual.ticks, observed_ns: now };
            self.market.block_price(now, &update, &mut facts);
        }
        for fact in facts.drain(..) {
            self.fact(now, u32::MAX, fact);
        }
        self.facts = facts;
    }
}

/// Money in 64 bits, and whether it fits.
fn saturated(money: Money) -> (i64, bool) {
    let within = money.clamp(Money::from(i64::MIN), Money::from(i64::MAX));
    (within as i64, within == money)
}
