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

use std::cmp::Ordering;
use std::collections::BTreeSet;

use surgetank_layer::message::{Block, Message, PriceUpdate, Side};
use surgetank_layer::units::{AccountId, Digest, Height, MessageId, Money, NEVER, Ns, Price, Qty};
use surgetank_market::auction::{Call, Rationing};
use surgetank_market::{Deferral, Fact, Market, PRICE_MAX};

use super::ledger::Ledger;
use super::pressure::Pressure;
use crate::actors::{Accounts, Holding, Outside, View};
use crate::price::OutsidePrice;
use crate::scenario::{Feed, ms};
use crate::seed::Stream;
use crate::trace::{MarketKind, MarketRow};

/// The market, the outside price, and what is written down of both.
pub struct Exchange {
    pub(super) market: Market,
    pub(super) outside: OutsidePrice,
    /// Best bid and ask as last written down; 0 = none.
    pub(super) touched: (Price, Price),
    pressure: Pressure,
    draws: Stream,
    /// Outside price in ticks.
    pub(super) ticks: Price,
    tick_usd: f64,
    lot: f64,
    pub(super) step_ns: Ns,
    pub(super) impact_bp_per_musd: f64,
    pub(super) feed: Feed,
    /// Whether the venue closes positions out in parts.
    in_parts: bool,
    /// Height of the last block executed.
    pub(super) height: Height,
    /// Mark price after each block.
    pub(super) marks: Vec<Price>,
    /// Whether a limit cut a liquidation off in each block.
    pub(super) cuts: Vec<bool>,
    /// The block in which an account's last liquidation was cut off; 0 = none since it was sent.
    cut: Vec<u32>,
    /// Whose accounts are whose.
    pub(super) accounts: Accounts,
    /// Accounts that are watched and may be liquidated, rising.
    watched: Vec<AccountId>,
    /// When each account became due; `NEVER` = is not.
    pub(super) due: Vec<Ns>,
    /// Prices, both ends included, at which the same accounts are due as now; `None` = unknown.
    unmoved: Option<(Price, Price)>,
    /// Due portfolios that are worth less than nothing at the outside price.
    pub(super) underwater: BTreeSet<AccountId>,
    /// Where money went.
    pub(super) ledger: Ledger,
    pub(super) insurance: Money,
    pub(super) money: Money,
    pub(super) conserved: bool,
    pub(super) rows: Vec<MarketRow>,
    facts: Vec<Fact>,
    /// Whether a block is one call auction.
    calls: bool,
}

/// What [`Exchange::new`] needs.
pub(super) struct Opening {
    pub market: Market,
    pub outside: OutsidePrice,
    pub draws: Stream,
    pub ticks: Price,
    pub accounts: Accounts,
    pub calls: bool,
}

impl Exchange {
    pub(super) fn new(opening: Opening, config: &crate::scenario::Market) -> Exchange {
        let (insurance, money) = (opening.market.insurance(), opening.market.total_money());
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
            step_ns: ms(config.price.step_ms).max(1),
            impact_bp_per_musd: config.price.impact_bp_per_musd,
            feed: config.price.feed,
            in_parts: config.margin.per_block.is_some() || config.margin.partial.is_some(),
            height: 0,
            marks: vec![opening.ticks],
            cuts: vec![false],
            cut: vec![0; every],
            watched: opening.accounts.watched().collect(),
            accounts: opening.accounts,
            due: vec![NEVER; every],
            unmoved: None,
            underwater: BTreeSet::new(),
            insurance,
            money,
            conserved: true,
            rows: Vec::new(),
            facts: Vec::new(),
            calls: opening.calls,
        }
    }

    /// The outside price in ticks.
    pub fn outside_ticks(&self) -> Price {
        self.ticks
    }

    /// Best bid and ask of the venue's book.
    pub fn touch(&self) -> (Option<Price>, Option<Price>) {
        let best = |side| self.market.book(0).best(side).map(|(price, _)| price);
        (best(Side::Buy), best(Side::Sell))
    }

    /// What watched accounts are worth less than nothing at the outside price.
    pub fn uncovered_usd(&self) -> f64 {
        let short = |account| (-self.market.worth(account, self.ticks)).max(0);
        let sum: Money = self.watched.iter().copied().map(short).sum();
        sum as f64 * self.quantum_usd()
    }

    /// What one quantum of money is worth.
    pub fn quantum_usd(&self) -> f64 {
        self.tick_usd * self.lot
    }

    /// The mark price as of a height.
    pub fn mark_at(&self, height: u32) -> Price {
        self.marks[(height as usize).min(self.marks.len() - 1)]
    }

    /// When an account became due; `NEVER` = it is not.
    pub fn due_ns(&self, account: AccountId) -> Ns {
        self.due.get(account as usize).copied().unwrap_or(NEVER)
    }

    /// Whether a limit cut the account's last liquidation off, in a block up to this height.
    pub fn cut_off(&self, account: AccountId, height: u32) -> bool {
        self.cut.get(account as usize).is_some_and(|&at| at != 0 && at <= height)
    }

    /// A keeper has sent again for the account.
    pub fn sent_again(&mut self, account: AccountId) {
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
    pub fn due_accounts(&self) -> impl Iterator<Item = AccountId> + '_ {
        let due = |account: &AccountId| self.due[*account as usize] != NEVER;
        self.watched.iter().copied().filter(due)
    }

    /// Judged accounts below maintenance margin at this mark.
    pub fn below_maintenance(&self, mark: Price) -> Vec<AccountId> {
        let mut below = Vec::new();
        self.market.below_maintenance(0, mark, &mut below);
        below.retain(|account| self.watched.binary_search(account).is_ok());
        below
    }

    pub(super) fn row(&mut self, row: MarketRow) {
        self.rows.push(row);
    }

    /// The outside price moves one step; who is due now?
    pub(super) fn step(&mut self, now: Ns) {
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
    pub(super) fn execute(&mut self, now: Ns, block: &Block, messages: &[Message]) -> Vec<Fact> {
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

    pub(super) fn fact(&mut self, now: Ns, message: u32, fact: Fact) {
        let moves_nobody = matches!(
            fact,
            Fact::OraclePrice { .. }
                | Fact::Mark { .. }
                | Fact::Accepted { .. }
                | Fact::Canceled { .. }
                | Fact::Rejected { .. }
                | Fact::NotLiquidatable { .. }
        );
        if !moves_nobody {
            self.unmoved = None;
        }
        self.ledger.note(&fact, self.ticks);
        let row = |kind| MarketRow { message, ..MarketRow::new(now, kind) };
        match fact {
            Fact::OraclePrice { price, observed_ns, .. } => {
                self.pressure.marked(observed_ns);
                self.row(MarketRow { price, ref_ns: observed_ns, ..row(MarketKind::Oracle) });
            }
            Fact::Mark { price, .. } => self.row(MarketRow { price, ..row(MarketKind::Mark) }),
            Fact::Trade {
                price,
                qty,
                maker_account,
                taker_account,
                taker_side,
                liquidation,
                ..
            } => {
                let kind =
                    if liquidation { MarketKind::LiquidationTrade } else { MarketKind::Trade };
                let (_, observed_ns) = self.market.oracle(0);
                self.row(MarketRow {
                    account: taker_account,
                    other: maker_account,
                    price,
                    qty: qty * taker_side.sign(),
                    amount: price.saturating_mul(qty),
                    ref_ns: observed_ns,
                    ..row(kind)
                });
                if liquidation {
                    let musd = price as f64 * qty as f64 * self.quantum_usd() / 1e6;
                    self.press(now, taker_account, taker_side.sign() as f64 * musd);
                }
            }
            Fact::BadDebt { account, amount, borne_by, .. } => {
                let (qty, amount) = (borne_by as Qty, clamp(amount));
                self.row(MarketRow { account, qty, amount, ..row(MarketKind::BadDebt) });
            }
            Fact::Deleveraged { account, against, qty, price, haircut, .. } => {
                let (other, amount) = (against, clamp(haircut));
                let row = row(MarketKind::Deleveraged);
                self.row(MarketRow { account, other, price, qty, amount, ..row });
            }
            Fact::NotLiquidatable { account, .. } => {
                self.row(MarketRow { account, ..row(MarketKind::NotLiquidatable) });
            }
            Fact::LiquidationDeferred { account, keeper, reason, .. } => {
                let (qty, ref_ns) = (reason as Qty, self.due_ns(account));
                let row = row(MarketKind::LiquidationDeferred);
                self.row(MarketRow { account, other: keeper, qty, ref_ns, ..row });
            }
            Fact::AuctionOpen { account, keeper, .. } => {
                let (qty, ref_ns) = (Deferral::Auction as Qty, self.due_ns(account));
                let row = row(MarketKind::LiquidationDeferred);
                self.row(MarketRow { account, other: keeper, qty, ref_ns, ..row });
            }
            Fact::TakenOver { account, vault, price, qty, margin, .. } => {
                let (other, amount) = (vault, clamp(margin));
                let row = row(MarketKind::TakenOver);
                self.row(MarketRow { account, other, price, qty, amount, ..row });
            }
            Fact::MarginCall { account, mark_price, trigger_price, falling, .. } => {
                let cause = trigger_price
                    .and_then(|trigger| self.pressure.cause(mark_price, trigger, falling));
                self.row(MarketRow {
                    account,
                    other: cause.map_or(u32::MAX, |cause| cause.account),
                    price: mark_price,
                    amount: trigger_price.unwrap_or(0),
                    ref_ns: cause.map_or(NEVER, |cause| cause.executed_ns),
                    ..row(MarketKind::MarginCall)
                });
            }
            Fact::Liquidated { .. } => self.liquidated(now, message, fact),
            Fact::Auctioned { .. } => self.auctioned(now, message, fact),
            _ => {}
        }
    }

    /// A liquidation of this account presses on the outside price, by millions of USD bought.
    pub(super) fn press(&mut self, now: Ns, account: AccountId, musd: f64) {
        let bp = musd * self.impact_bp_per_musd;
        self.outside.shock(bp);
        self.pressure.press(now, account, bp / 1e4);
    }

    fn liquidated(&mut self, now: Ns, message: u32, fact: Fact) {
        let Fact::Liquidated {
            account,
            keeper,
            book_qty,
            book_notional,
            deleveraged_qty,
            taken_over_qty,
            held,
            mark_price,
            fee,
            remaining,
            ..
        } = fact
        else {
            return;
        };
        let average =
            if book_qty > 0 { clamp(book_notional / Money::from(book_qty)) } else { mark_price };
        let ref_ns = self.due_ns(account);
        self.row(MarketRow {
            message,
            account,
            other: keeper,
            price: average,
            qty: -held.signum() * (book_qty + deleveraged_qty + taken_over_qty),
            amount: clamp(fee),
            ref_ns,
            ..MarketRow::new(now, MarketKind::Liquidated)
        });
        if remaining == 0 {
            self.closed(now, message, account);
        }
    }

    /// Nothing is left of a position, or of a portfolio, that was liquidated.
    pub(super) fn closed(&mut self, now: Ns, message: u32, account: AccountId) {
        let ref_ns = self.due_ns(account);
        self.row(MarketRow { message, account, ref_ns, ..MarketRow::new(now, MarketKind::Closed) });
        if let Some(due) = self.due.get_mut(account as usize) {
            *due = NEVER;
        }
    }
}

/// What clients can know of the exchange; without one there is no market.
pub(super) struct Public<'a>(pub Option<&'a Exchange>);

impl View for Public<'_> {
    #[inline]
    fn outside(&self) -> Option<Outside> {
        let Exchange { ticks, tick_usd, lot, .. } = *self.0?;
        Some(Outside { ticks, tick_usd, lot })
    }

    fn move_pct(&self, window: Ns) -> f64 {
        self.0.map_or(0.0, |exchange| exchange.outside.move_pct(window))
    }

    fn touch(&self) -> (Option<Price>, Option<Price>) {
        self.0.map_or((None, None), Exchange::touch)
    }

    fn best_levels(&self, side: Side) -> Option<(Price, Qty, Price)> {
        let mut levels = self.0?.market.book(0).levels(side);
        let ((price, qty), (next, _)) = (levels.next()?, levels.next()?);
        Some((price, qty, next))
    }

    fn holding(&self, account: AccountId) -> Holding {
        let Some(Exchange { market, .. }) = self.0 else { return Holding::default() };
        let position = market.position(account, 0);
        let value = Money::from(position) * Money::from(market.mark(0));
        Holding { position, cash: market.equity(account) - value }
    }

    fn below_maintenance(&self, mark: Price) -> Vec<AccountId> {
        self.0.map_or_else(Vec::new, |exchange| exchange.below_maintenance(mark))
    }

    fn due(&self) -> impl Iterator<Item = AccountId> {
        self.0.into_iter().flat_map(Exchange::due_accounts)
    }

    fn cut_off(&self, account: AccountId, height: u32) -> bool {
        self.0.is_some_and(|exchange| exchange.cut_off(account, height))
    }
}

/// As far as 64 bits go.
pub(super) fn clamp(money: Money) -> i64 {
    money.clamp(Money::from(i64::MIN), Money::from(i64::MAX)) as i64
}
