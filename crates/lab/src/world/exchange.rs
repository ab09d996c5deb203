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

use surgetank_layer::message::{Block, Class, PriceUpdate, Side};
use surgetank_layer::units::{AccountId, Height, Money, NEVER, NodeId, Ns, Price, Qty};
use surgetank_market::{CancelReason, Deferral, Fact, Market};

use super::{Event, World};
use crate::price::OutsidePrice;
use crate::scenario::{Feed, ms};
use crate::seed::Stream;
use crate::trace::{MarketKind, MarketRow};

/// The market, the outside price, and what is written down of both.
pub struct Exchange {
    pub(super) market: Market,
    pub(super) outside: OutsidePrice,
    draws: Stream,
    /// Outside price in ticks.
    pub(super) ticks: Price,
    tick_usd: f64,
    lot: f64,
    step_ns: Ns,
    pub(super) impact_bp_per_musd: f64,
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
    /// Accounts with a position at the start: 0..watched are judged.
    pub(super) watched: AccountId,
    /// Side on which each was opened: liquidations and deleveraging only ever reduce.
    signs: Vec<i64>,
    /// When each became due; `NEVER` = is not.
    pub(super) due: Vec<Ns>,
    /// Prices, both ends included, at which the same accounts are due as now; `None` = unknown.
    unmoved: Option<(Price, Price)>,
    /// Due portfolios that are worth less than nothing at the outside price.
    pub(super) underwater: BTreeSet<AccountId>,
    /// Portfolios begin here among the judged.
    pub(super) portfolios_from: AccountId,
    insurance: Money,
    money: Money,
    pub(super) conserved: bool,
    pub(super) rows: Vec<MarketRow>,
    facts: Vec<Fact>,
}

/// What [`Exchange::new`] needs.
pub(super) struct Opening {
    pub market: Market,
    pub outside: OutsidePrice,
    pub draws: Stream,
    pub ticks: Price,
    pub watched: AccountId,
    pub portfolios_from: AccountId,
}

impl Exchange {
    pub(super) fn new(opening: Opening, config: &crate::scenario::Market) -> Exchange {
        let (insurance, money) = (opening.market.insurance(), opening.market.total_money());
        let signs = (0..opening.watched).map(|a| opening.market.position(a, 0).signum()).collect();
        Exchange {
            signs,
            market: opening.market,
            outside: opening.outside,
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
            cut: vec![0; opening.watched as usize],
            watched: opening.watched,
            due: vec![NEVER; opening.watched as usize],
            unmoved: None,
            underwater: BTreeSet::new(),
            portfolios_from: opening.portfolios_from,
            insurance,
            money,
            conserved: true,
            rows: Vec::new(),
            facts: Vec::new(),
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
        let sum: Money = (0..self.watched).map(short).sum();
        sum as f64 * self.quantum_usd()
    }

    /// What one quantum of money is worth.
    pub fn quantum_usd(&self) -> f64 {
        self.tick_usd * self.lot
    }

    /// A recorded price and quantity in ticks and lots.
    pub fn ticks_and_lots(&self, usd: f64, coins: f64) -> (Price, Qty) {
        let (price, qty) = (usd / self.tick_usd, coins / self.lot);
        ((price.round() as Price).max(1), (qty.round() as Qty).max(1))
    }

    /// Outside price move over the last `window`, in percent.
    pub fn move_pct(&self, window: Ns) -> f64 {
        self.outside.move_pct(window)
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
        (0..self.watched).filter(|&account| self.due[account as usize] != NEVER)
    }

    /// Judged accounts below maintenance margin at this mark.
    pub fn below_maintenance(&self, mark: Price) -> Vec<AccountId> {
        let mut below = Vec::new();
        self.market.below_maintenance(0, mark, &mut below);
        below.retain(|&account| account < self.watched);
        below
    }

    pub(super) fn row(&mut self, row: MarketRow) {
        self.rows.push(row);
    }

    /// The outside price moves one step; who is due now?
    fn step(&mut self, now: Ns) {
        let usd = self.outside.advance(now, &mut self.draws);
        let ticks = ((usd / self.tick_usd).round() as Price).max(1);
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
        for account in 0..self.watched {
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
        for account in 0..self.watched {
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

    fn fact(&mut self, now: Ns, message: u32, fact: Fact) {
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
        let row = |kind| MarketRow { message, ..MarketRow::new(now, kind) };
        match fact {
            Fact::OraclePrice { price, observed_ns, .. } => {
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
                    let sign = taker_side.sign() as f64;
                    self.outside.shock(sign * musd * self.impact_bp_per_musd);
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
            Fact::MarginCall { account, mark_price, .. } => {
                self.row(MarketRow { account, price: mark_price, ..row(MarketKind::MarginCall) });
            }
            Fact::Liquidated { .. } => self.liquidated(now, message, fact),
            Fact::Auctioned { .. } => self.auctioned(now, message, fact),
            _ => {}
        }
    }

    fn liquidated(&mut self, now: Ns, message: u32, fact: Fact) {
        let Fact::Liquidated {
            account,
            keeper,
            book_qty,
            book_notional,
            deleveraged_qty,
            taken_over_qty,
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
            qty: -self.signs.get(account as usize).copied().unwrap_or(1)
                * (book_qty + deleveraged_qty + taken_over_qty),
            amount: clamp(fee),
            ref_ns,
            ..MarketRow::new(now, MarketKind::Liquidated)
        });
        if remaining == 0 && account < self.watched {
            self.due[account as usize] = NEVER;
        }
    }
}

impl World {
    /// The outside price steps, and everybody who watches it reacts.
    pub(super) fn price_step(&mut self) {
        let now = self.now;
        let Some(exchange) = &mut self.exchange else { return };
        exchange.step(now);
        let step_ns = exchange.step_ns;
        if now + step_ns < self.scenario.end_ns() {
            self.agenda.push(now + step_ns, Event::Price);
        }
        self.alert_makers();
        self.alert_keepers();
        self.race();
        self.spread_panic(step_ns);
    }

    /// Before a block is executed for the first time: who keeps silent?
    pub(super) fn find_unrevealed(&mut self, block: &Block) {
        let first = |exchange: &Exchange| block.height == exchange.height + 1;
        if self.exchange.as_ref().is_some_and(first) {
            let mut silent = self.unrevealed(block);
            self.silent.append(&mut silent);
        }
    }

    /// A node has executed a block: the market follows if it is the first, and clients there hear.
    pub(super) fn settle(&mut self, node: NodeId, block: &Block) {
        let Some(exchange) = &self.exchange else { return };
        let in_block = exchange.feed == Feed::Block;
        if block.height == exchange.height + 1 {
            self.execute_market(block);
        }
        let has_price =
            in_block || block.entries.iter().any(|e| e.envelope.class == Class::PriceUpdate);
        if self.leader.is_some_and(|leader| leader != node) {
            return;
        }
        let height = block.height as u32;
        let cut = self.exchange.as_ref().is_some_and(|exchange| exchange.cuts[height as usize]);
        // One executing node serves every gateway.
        let served =
            if self.leader.is_some() { 0..self.nodes.len() as u32 } else { node..node + 1 };
        for gateway in served {
            if has_price {
                self.tell_keepers(gateway, height);
            }
            if cut {
                self.tell_cut_off(gateway, height);
            }
        }
    }

    fn execute_market(&mut self, block: &Block) {
        let now = self.now;
        let Some(exchange) = &mut self.exchange else { return };
        exchange.height = block.height;
        exchange.cuts.push(false);
        exchange.market.begin_block();
        let mut gone: Vec<(AccountId, u64)> = Vec::new();
        let mut futile: Vec<AccountId> = Vec::new();
        if exchange.feed == Feed::Block {
            exchange.take_block_price(now);
        }
        for entry in &block.entries {
            if self.silent.contains(&entry.envelope.id) {
                continue;
            }
            let slot = self.carried[entry.envelope.id as usize].slot;
            let message = self.records[slot as usize].message;
            let mut facts = std::mem::take(&mut exchange.facts);
            exchange.market.execute(now, &message, &mut facts);
            for fact in facts.drain(..) {
                if let Some((account, cl_ord_id)) = order_gone(&fact) {
                    gone.push((account, cl_ord_id));
                }
                if let Fact::NotLiquidatable { account, .. } = fact {
                    futile.push(account);
                }
                exchange.note_cut(&fact);
                exchange.fact(now, message.id, fact);
            }
            exchange.facts = facts;
        }
        let insurance = exchange.market.insurance();
        if insurance != exchange.insurance {
            exchange.insurance = insurance;
            let amount = clamp(insurance);
            exchange.row(MarketRow { amount, ..MarketRow::new(now, MarketKind::Insurance) });
        }
        exchange.conserved &= exchange.market.total_money() == exchange.money;
        let mark = exchange.market.mark(0);
        exchange.marks.push(mark);
        let link = ms(self.scenario.flow.client_link.fixed_ms);
        self.forget_orders(&futile);
        for (account, cl_ord_id) in gone {
            self.tell_maker(account, cl_ord_id, now + link);
        }
    }
}

/// Whether a fact says that an order no longer rests.
fn order_gone(fact: &Fact) -> Option<(AccountId, u64)> {
    match *fact {
        Fact::Trade { maker_account, maker_cl_ord_id, maker_leaves: 0, .. } => {
            Some((maker_account, maker_cl_ord_id))
        }
        Fact::Trade { taker_account, taker_cl_ord_id, taker_leaves: 0, .. } => {
            Some((taker_account, taker_cl_ord_id))
        }
        Fact::Rejected { account, cl_ord_id, .. } => Some((account, cl_ord_id)),
        Fact::Canceled { account, cl_ord_id, reason, .. } if reason != CancelReason::Requested => {
            Some((account, cl_ord_id))
        }
        _ => None,
    }
}

/// As far as 64 bits go.
pub(super) fn clamp(money: Money) -> i64 {
    money.clamp(Money::from(i64::MIN), Money::from(i64::MAX)) as i64
}
