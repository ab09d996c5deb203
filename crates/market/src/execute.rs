//! Execution of one message. A price update moves the marks and issues margin calls.

use surgetank_layer::message::{Body, Message, PriceUpdate};
use surgetank_layer::units::{AccountId, Ns, Price};

use crate::config::PRICE_MAX;
use crate::facts::{Fact, Reject};
use crate::market::Market;

impl Market {
    /// Executes one message and appends what it did. Total: every message is accepted, at worst
    /// with a [`Fact::Rejected`]; execution reports and consensus messages have no effect.
    pub fn execute(&mut self, now: Ns, message: &Message, facts: &mut Vec<Fact>) {
        let account = message.account;
        match &message.body {
            Body::NewOrderSingle(order) => self.new_order(now, account, order, facts),
            Body::OrderCancelRequest(cancel) => self.cancel(account, cancel, facts),
            Body::OrderCancelReplaceRequest(replace) => self.replace(now, account, replace, facts),
            Body::PriceUpdate(update) => self.price_update(now, account, update, facts),
            Body::LiquidationOrder(order) if self.ledger.is_portfolio(order.target) => {
                self.sell_portfolio(now, account, order, facts);
            }
            Body::LiquidationOrder(order) => self.liquidate(now, account, order, facts),
            Body::ExecutionReport(_) | Body::Proposal(_) | Body::Vote(_) => {}
        }
    }

    /// Applies an oracle price that the block itself carries, without a message of its own, as with
    /// dYdX v4's vote extensions.
    pub fn block_price(&mut self, now: Ns, update: &PriceUpdate, facts: &mut Vec<Fact>) {
        self.price_update(now, AccountId::MAX, update, facts);
    }

    fn price_update(
        &mut self,
        now: Ns,
        account: AccountId,
        u: &PriceUpdate,
        facts: &mut Vec<Fact>,
    ) {
        let PriceUpdate { symbol, price, observed_ns } = *u;
        let s = usize::from(symbol);
        let refused = |reason| Fact::Rejected { account, cl_ord_id: 0, symbol, reason };
        if s >= self.books.len() {
            return facts.push(refused(Reject::UnknownSymbol));
        }
        if !(1..=PRICE_MAX).contains(&price) {
            return facts.push(refused(Reject::PriceOutOfBand));
        }
        let (bid, ask) = self.best(symbol);
        let top = (bid.map(|b| b.0), ask.map(|a| a.0));
        if !self.mark_prices[s].update(now, price, observed_ns, top, self.last[s]) {
            return facts.push(refused(Reject::StalePrice));
        }
        facts.push(Fact::OraclePrice { symbol, price, observed_ns });
        let mark = self.mark_prices[s].mark();
        let was = self.ledger.mark(s);
        self.ledger.set_mark(s, mark);
        facts.push(Fact::Mark { symbol, price: mark });
        if symbol == 0 {
            self.ledger.mark_options(now, price);
            self.settle_expired(price, facts);
        }
        if mark != was {
            self.margin_calls(symbol, Some(was), mark, facts);
        }
    }

    /// Issues a margin call to every account that is below maintenance at this mark and was not when
    /// last looked at. `was` is the mark of then; `None`: the mark has not moved since. An account in
    /// cross mode is called in one of its markets.
    pub(crate) fn margin_calls(
        &mut self,
        symbol: u16,
        was: Option<Price>,
        mark_price: Price,
        facts: &mut Vec<Fact>,
    ) {
        let s = usize::from(symbol);
        let mut below = Vec::new();
        self.ledger.below_maintenance(s, mark_price, &mut below);
        below.retain(|&account| !self.is_venue_account(account, s));
        self.forget_recovered();
        let called = |account: &AccountId| {
            let in_market = |called: &Vec<AccountId>| called.binary_search(account).is_ok();
            in_market(&self.margin_called[s])
                || self.ledger.is_cross(*account) && self.margin_called.iter().any(in_market)
        };
        let fresh = below.iter().filter(|account| !called(account));
        facts.extend(fresh.map(|&account| {
            let long = self.position(account, symbol) > 0;
            let (trigger_price, falling) =
                was.map_or((None, long), |was| self.trigger(account, symbol, was, mark_price));
            Fact::MarginCall { account, symbol, mark_price, trigger_price, falling }
        }));
        // An account in cross mode may have closed its position here and be called still.
        let called = &mut self.margin_called[s];
        let several = self.books.len() > 1;
        called.retain(|&account| several && self.ledger.is_cross(account));
        called.extend(below);
        called.sort_unstable();
        called.dedup();
    }

    /// Forgets the calls of accounts in cross mode that are above maintenance margin again.
    fn forget_recovered(&mut self) {
        let (ledger, markets) = (&self.ledger, self.books.len());
        if markets == 1 {
            return;
        }
        let below = |account, s| ledger.liquidatable(account, s, ledger.mark(s));
        for called in &mut self.margin_called {
            called.retain(|&account| {
                !ledger.is_cross(account) || (0..markets).any(|s| below(account, s))
            });
        }
    }

    /// The price between two marks at which an account crossed below maintenance margin, and the
    /// direction.
    fn trigger(
        &self,
        account: AccountId,
        symbol: u16,
        was: Price,
        is: Price,
    ) -> (Option<Price>, bool) {
        if let Some(price) = self.liquidation_price(account, symbol) {
            return (Some(price), self.position(account, symbol) > 0);
        }
        // A portfolio may have several such prices: bisect for one that this move crossed.
        if self.liquidatable(account, symbol, was) {
            return (None, is < was);
        }
        let (mut sound, mut below) = (was, is);
        while (sound - below).abs() > 1 {
            let middle = below + (sound - below) / 2;
            if self.liquidatable(account, symbol, middle) {
                below = middle;
            } else {
                sound = middle;
            }
        }
        (Some(below), is < was)
    }
}
