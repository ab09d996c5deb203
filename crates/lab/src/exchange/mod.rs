//! The market executes ordered messages; the outside price moves whether or not the venue keeps up.
//!
//! # Rules
//! 1. The market is executed once, when the first node executes a block: it is a pure function of
//!    the ordered messages, so every other node would compute the same.
//! 2. The reference of liquidations is the outside price: an account is due when the outside price
//!    crosses its liquidation price, whatever the venue's mark.
//! 3. Where blocks carry the price (`market.price.feed`), the outside price at execution comes
//!    first in every block, as an oracle price observed then.
//! 4. Liquidations move the outside price by `impact_bp_per_musd`, which can start cascades.

mod benchmark;
mod bounds;
mod ledger;
mod market_rows;
mod open;
mod portfolios;
mod pressure;
mod public;
mod quotas;

use std::cmp::Ordering;
use std::collections::BTreeSet;

use surgetank_layer::message::{Block, Message, PriceUpdate};
use surgetank_layer::units::{AccountId, Digest, Height, MessageId, Money, NEVER, Ns, Price};
use surgetank_market::auction::{Call, Rationing};
use surgetank_market::{Fact, Market, PRICE_MAX};

use crate::actors::Accounts;
use crate::price::OutsidePrice;
use crate::scenario::Feed;
use crate::seed::Stream;
use crate::trace::{MarketKind, MarketRow};
use ledger::Ledger;
use pressure::Pressure;
use quotas::Quotas;

pub use open::open;
pub use public::Public;

/// The market, the outside price, and the rows recorded of both.
pub struct Exchange {
    market: Market,
    outside: OutsidePrice,
    /// Best bid and ask as last recorded; 0 = none.
    touched: (Price, Price),
    pressure: Pressure,
    draws: Stream,
    /// Outside price in ticks.
    ticks: Price,
    tick_usd: f64,
    lot: f64,
    step_ns: Ns,
    impact_bp_per_musd: f64,
    feed: Feed,
    /// Whether the venue closes positions out in parts.
    in_parts: bool,
    /// Height of the last block executed.
    height: Height,
    /// Mark price after each block.
    marks: Vec<Price>,
    /// Whether a limit deferred a liquidation, by block.
    deferrals: Vec<bool>,
    /// Height at which an account's last liquidation was deferred; 0 = not since it was last sent.
    cut: Vec<u32>,
    /// Ranges of accounts by owner.
    accounts: Accounts,
    /// Accounts that keepers watch, in ascending order.
    watched: Vec<AccountId>,
    /// Time at which each account became due; `NEVER` = it is not due.
    due: Vec<Ns>,
    /// Range of prices, inclusive, in which the set of due accounts does not change; `None` =
    /// unknown.
    unmoved: Option<(Price, Price)>,
    /// Due portfolios with negative equity at the outside price.
    underwater: BTreeSet<AccountId>,
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
}

/// Parameters of [`Exchange::new`].
struct Opening {
    market: Market,
    outside: OutsidePrice,
    draws: Stream,
    ticks: Price,
    accounts: Accounts,
    calls: bool,
    quotas: Option<Quotas>,
}

impl Exchange {
    fn new(opening: Opening, config: &crate::scenario::Market) -> Exchange {
        let insurance = opening.market.insurance();
        let every = opening.accounts.end() as usize;
        Exchange {
            ledger: Ledger::new(&opening.market, opening.ticks, &opening.accounts),
            market: opening.market,
            outside: opening.outside,
            touched: (0, 0),
            pressure: Pressure::default(),
            draws: opening.draws,
            ticks: opening.ticks,
            tick_usd: config.tick_usd,
            lot: config.lot,
            step_ns: config.price.step_ns,
            impact_bp_per_musd: config.price.impact_bp_per_musd,
            feed: config.price.feed,
            in_parts: config.per_block.is_some() || config.symbol.partial.is_some(),
            height: 0,
            marks: vec![opening.ticks],
            deferrals: vec![false],
            cut: vec![0; every],
            watched: opening.accounts.watched().collect(),
            accounts: opening.accounts,
            due: vec![NEVER; every],
            unmoved: None,
            underwater: BTreeSet::new(),
            insurance,
            conserved: true,
            fits: true,
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

    /// Sum of the negative equity of watched accounts at the outside price, in USD.
    pub fn uncovered_usd(&self) -> f64 {
        let short = |account| (-self.market.worth(account, self.ticks)).max(0);
        let sum: Money = self.watched.iter().copied().map(short).sum();
        sum as f64 * self.quantum_usd()
    }

    /// Value of one quantum of money, in USD.
    fn quantum_usd(&self) -> f64 {
        self.tick_usd * self.lot
    }

    /// Requests that accounts have earned by trades since the last call.
    pub fn earned(&mut self) -> Vec<(AccountId, u64)> {
        let quantum_usd = self.quantum_usd();
        let quotas = self.quotas.as_mut();
        quotas.map_or_else(Vec::new, |quotas| quotas.earned(&self.rows, quantum_usd))
    }

    /// Whether a limit deferred liquidations in the block of this height.
    pub fn deferred_in(&self, height: u32) -> bool {
        self.deferrals[height as usize]
    }

    /// The mark price as of a height.
    pub fn mark_at(&self, height: u32) -> Price {
        self.marks[(height as usize).min(self.marks.len() - 1)]
    }

    /// Time at which an account became due; `NEVER` = it is not.
    fn due_ns(&self, account: AccountId) -> Ns {
        self.due.get(account as usize).copied().unwrap_or(NEVER)
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

    /// Accounts that are due at the outside price of the last step.
    fn due_accounts(&self) -> impl Iterator<Item = AccountId> + '_ {
        let due = |account: &AccountId| self.due[*account as usize] != NEVER;
        self.watched.iter().copied().filter(due)
    }

    /// Measured accounts below maintenance margin at this mark.
    fn below_maintenance(&self, mark: Price) -> Vec<AccountId> {
        let mut below = Vec::new();
        self.market.below_maintenance(0, mark, &mut below);
        below.retain(|account| self.watched.binary_search(account).is_ok());
        below
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

    /// Moves the outside price one step; returns the time of the next step.
    pub fn step(&mut self, now: Ns) -> Ns {
        self.move_outside(now);
        now + self.step_ns
    }

    /// Moves the outside price and updates the due accounts.
    fn move_outside(&mut self, now: Ns) {
        let usd = self.outside.advance(now, &mut self.draws);
        self.pressure.stepped(now);
        let ticks = (usd / self.tick_usd).round().max(1.0) as Price;
        self.fits &= ticks <= PRICE_MAX;
        let ticks = ticks.min(PRICE_MAX);
        if ticks == self.ticks && now > 0 {
            return;
        }
        self.ticks = ticks;
        self.row(MarketRow { price: ticks, ..MarketRow::new(now, MarketKind::Index) });
        if self.unmoved.is_some_and(|(low, high)| (low..=high).contains(&ticks)) {
            return;
        }
        self.unmoved = self.unmoved_around(ticks);
        let mut below = self.below_maintenance(ticks).into_iter().peekable();
        for at in 0..self.watched.len() {
            let account = self.watched[at];
            let due = below.next_if_eq(&account).is_some();
            let was = self.due[account as usize] != NEVER;
            if due == was {
                continue;
            }
            self.due[account as usize] = if due { now } else { NEVER };
            let kind = if due { MarketKind::Due } else { MarketKind::Recovered };
            let price = self.market.liquidation_price(account, 0).unwrap_or(0);
            let amount = self.market.bankruptcy_price(account, 0).unwrap_or(0);
            self.row(MarketRow { account, price, amount, ..MarketRow::new(now, kind) });
        }
        self.sound_portfolios(now);
    }

    /// The range of prices around this one without a liquidation price of a watched account.
    /// Options portfolios have no such price.
    fn unmoved_around(&self, ticks: Price) -> Option<(Price, Price)> {
        if self.market.options().is_some() {
            return None;
        }
        let (mut low, mut high) = (Price::MIN, Price::MAX);
        for &account in &self.watched {
            let Some(price) = self.market.liquidation_price(account, 0) else { continue };
            // A long is due at its price and below, a short at its price and above.
            match (self.market.position(account, 0) > 0, ticks.cmp(&price)) {
                (true, Ordering::Greater) => low = low.max(price + 1),
                (true, _) => high = high.min(price),
                (false, Ordering::Less) => high = high.min(price - 1),
                (false, _) => low = low.max(price),
            }
        }
        Some((low, high))
    }

    /// Executes a block with these messages; returns the resulting facts.
    pub fn execute(&mut self, now: Ns, block: &Block, messages: &[Message]) -> Vec<Fact> {
        self.height = block.height;
        self.deferrals.push(false);
        self.market.begin_block();
        if self.feed == Feed::Block {
            self.take_block_price(now);
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
        self.note_touch(now);
        self.conserved &= self.market.total_money() == self.market.paid_in();
        self.marks.push(self.market.mark(0));
        facts
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

    /// Applies the outside price that the block carries.
    fn take_block_price(&mut self, now: Ns) {
        let mut facts = std::mem::take(&mut self.facts);
        let update = PriceUpdate { symbol: 0, price: self.ticks, observed_ns: now };
        self.market.block_price(now, &update, &mut facts);
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
