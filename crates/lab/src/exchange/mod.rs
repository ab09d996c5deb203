//! The market executes ordered messages; the outside price moves whether or not the venue keeps up.
//!
//! # Rules
//! 1. The market is executed once, when the first node executes a block: it is a pure function of
//!    the ordered messages, so every other node would find the same.
//! 2. What accounts *should* experience is judged by the outside price: an account is due when the
//!    outside price crosses its liquidation price, whatever the venue believes.
//! 3. Where the price travels in the block (`market.price.feed`), the outside price of the moment of
//!    execution comes first in every block, as an oracle price observed then.
//! 4. Liquidations press on the outside price by `impact_bp_per_musd`; this is where cascades begin.

mod benchmark;
mod bounds;
mod ledger;
mod noted;
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

/// The market, the outside price, and what is written down of both.
pub struct Exchange {
    market: Market,
    outside: OutsidePrice,
    /// Best bid and ask as last written down; 0 = none.
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
    /// Whether a limit cut a liquidation off in each block.
    cuts: Vec<bool>,
    /// The block in which an account's last liquidation was cut off; 0 = none since it was sent.
    cut: Vec<u32>,
    /// Whose accounts are whose.
    accounts: Accounts,
    /// Accounts that are watched and may be liquidated, rising.
    watched: Vec<AccountId>,
    /// When each account became due; `NEVER` = is not.
    due: Vec<Ns>,
    /// Prices, both ends included, at which the same accounts are due as now; `None` = unknown.
    unmoved: Option<(Price, Price)>,
    /// Due portfolios that are worth less than nothing at the outside price.
    underwater: BTreeSet<AccountId>,
    /// Where money went.
    ledger: Ledger,
    insurance: Money,
    money: Money,
    conserved: bool,
    rows: Vec<MarketRow>,
    facts: Vec<Fact>,
    /// Whether a block is one call auction.
    calls: bool,
    quotas: Option<Quotas>,
}

/// What [`Exchange::new`] needs.
struct Unsealing {
    market: Market,
    outside: OutsidePrice,
    draws: Stream,
    ticks: Price,
    accounts: Accounts,
    calls: bool,
    quotas: Option<Quotas>,
}

impl Exchange {
    fn new(unsealing: Unsealing, config: &crate::scenario::Market) -> Exchange {
        let (insurance, money) = (unsealing.market.insurance(), unsealing.market.total_money());
        let every = unsealing.accounts.end() as usize;
        Exchange {
            ledger: Ledger::new(&unsealing.market, unsealing.ticks, &unsealing.accounts),
            market: unsealing.market,
            outside: unsealing.outside,
            touched: (0, 0),
            pressure: Pressure::default(),
            draws: unsealing.draws,
            ticks: unsealing.ticks,
            tick_usd: config.tick_usd,
            lot: config.lot,
            step_ns: config.price.step_ns,
            impact_bp_per_musd: config.price.impact_bp_per_musd,
            feed: config.price.feed,
            in_parts: config.per_block.is_some() || config.symbol.partial.is_some(),
            height: 0,
            marks: vec![unsealing.ticks],
            cuts: vec![false],
            cut: vec![0; every],
            watched: unsealing.accounts.watched().collect(),
            accounts: unsealing.accounts,
            due: vec![NEVER; every],
            unmoved: None,
            underwater: BTreeSet::new(),
            insurance,
            money,
            conserved: true,
            rows: Vec::new(),
            facts: Vec::new(),
            calls: unsealing.calls,
            quotas: unsealing.quotas,
        }
    }

    /// What was written down.
    pub fn rows(&self) -> &[MarketRow] {
        &self.rows
    }

    /// Whether no money came from nowhere or went there.
    pub fn is_conserved(&self) -> bool {
        self.conserved
    }

    /// Whether the block of this height is the next to be executed.
    pub fn is_next(&self, height: Height) -> bool {
        height == self.height + 1
    }

    /// Whether the outside price travels in every block.
    pub fn feeds_in_block(&self) -> bool {
        self.feed == Feed::Block
    }

    /// What watched accounts are worth less than nothing at the outside price.
    pub fn uncovered_usd(&self) -> f64 {
        let short = |account| (-self.market.worth(account, self.ticks)).max(0);
        let sum: Money = self.watched.iter().copied().map(short).sum();
        sum as f64 * self.quantum_usd()
    }

    /// What one quantum of money is worth.
    fn quantum_usd(&self) -> f64 {
        self.tick_usd * self.lot
    }

    /// What trades have earned their accounts in requests since it was last asked.
    pub fn earned(&mut self) -> Vec<(AccountId, u64)> {
        let quantum_usd = self.quantum_usd();
        let quotas = self.quotas.as_mut();
        quotas.map_or_else(Vec::new, |quotas| quotas.earned(&self.rows, quantum_usd))
    }

    /// Whether a limit cut liquidations off in the block of this height.
    pub fn cut_in(&self, height: u32) -> bool {
        self.cuts[height as usize]
    }

    /// The mark price as of a height.
    pub fn mark_at(&self, height: u32) -> Price {
        self.marks[(height as usize).min(self.marks.len() - 1)]
    }

    /// When an account became due; `NEVER` = it is not.
    fn due_ns(&self, account: AccountId) -> Ns {
        self.due.get(account as usize).copied().unwrap_or(NEVER)
    }

    /// Whether a limit cut the account's last liquidation off, in a block up to this height.
    fn liquidation_deferred(&self, account: AccountId, height: u32) -> bool {
        self.cut.get(account as usize).is_some_and(|&at| at != 0 && at <= height)
    }

    /// A keeper has sent again for the account.
    fn sent_again(&mut self, account: AccountId) {
        self.cut[account as usize] = 0;
    }

    /// Notes accounts whose liquidation a limit cut off in this block.
    fn note_cut(&mut self, fact: &Fact) {
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
            self.cuts[self.height as usize] = true;
        }
    }

    /// Accounts that are due at the outside price of the last step.
    fn due_accounts(&self) -> impl Iterator<Item = AccountId> + '_ {
        let due = |account: &AccountId| self.due[*account as usize] != NEVER;
        self.watched.iter().copied().filter(due)
    }

    /// Judged accounts below maintenance margin at this mark.
    fn below_maintenance(&self, mark: Price) -> Vec<AccountId> {
        let mut below = Vec::new();
        self.market.below_maintenance(0, mark, &mut below);
        below.retain(|account| self.watched.binary_search(account).is_ok());
        below
    }

    fn row(&mut self, row: MarketRow) {
        self.rows.push(row);
    }

    /// The outside price moves one step; when does it move again?
    pub fn step(&mut self, now: Ns) -> Ns {
        self.move_outside(now);
        now + self.step_ns
    }

    /// The outside price moves; who is due now?
    fn move_outside(&mut self, now: Ns) {
        let usd = self.outside.advance(now, &mut self.draws);
        self.pressure.stepped(now);
        let ticks = ((usd / self.tick_usd).round() as Price).clamp(1, PRICE_MAX);
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
            self.row(MarketRow { account, price, ..MarketRow::new(now, kind) });
        }
        self.sound_portfolios(now);
    }

    /// The prices around this one between the liquidation prices of watched accounts. Portfolios of
    /// options have none.
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

    /// The market executes a block with these messages: what follows from them.
    pub fn execute(&mut self, now: Ns, block: &Block, messages: &[Message]) -> Vec<Fact> {
        self.height = block.height;
        self.cuts.push(false);
        self.market.begin_block();
        if self.feed == Feed::Block {
            self.take_block_price(now);
        }
        let traded = self.trade(now, messages, block.hash);
        let mut facts = Vec::with_capacity(traded.len());
        for (message, fact) in traded {
            facts.push(fact);
            self.note_cut(&fact);
            self.fact(now, message, fact);
        }
        let insurance = self.market.insurance();
        if insurance != self.insurance {
            self.insurance = insurance;
            let amount = clamp(insurance);
            self.row(MarketRow { amount, ..MarketRow::new(now, MarketKind::Insurance) });
        }
        self.note_touch(now);
        self.conserved &= self.market.total_money() == self.money;
        self.marks.push(self.market.mark(0));
        facts
    }

    /// The market executes a block's messages: what follows from each.
    fn trade(&mut self, now: Ns, messages: &[Message], block: Digest) -> Vec<(MessageId, Fact)> {
        let mut told = Vec::new();
        if self.calls {
            // Who makes the block could grind this seed; what it decides is the last lot.
            let call = Call { seed: block, rationing: Rationing::Random };
            self.market.execute_batch(now, messages, call, &mut told);
            return told;
        }
        for message in messages {
            self.market.execute(now, message, &mut self.facts);
            told.extend(self.facts.drain(..).map(|fact| (message.id, fact)));
        }
        told
    }

    /// The block about to be executed brings the outside price of this moment.
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

/// As far as 64 bits go.
fn clamp(money: Money) -> i64 {
    money.clamp(Money::from(i64::MIN), Money::from(i64::MAX)) as i64
}
