//! surgetank-market: what messages mean. The execution environment of a venue of linear perpetuals.
//!
//! A [`Market`] is a pure function of the ordered messages it executes: no clock, no chance, no
//! hash order, no floats outside [`options`]. It knows messages, and not how they travelled. Prices are ticks,
//! quantities lots, money quanta (tick × lot), so price × quantity is exact.
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | what a venue sets, and the bounds of numbers |
//! | [`auction`] | a batch of orders at one price |
//! | [`book`] | resting orders in price–time order |
//! | [`margin`] | accounts, positions, equity, requirements |
//! | [`mark`] | the price at which margin is measured |
//! | [`facts`] | what executing a message did |
//! | [`options`] | option contracts, their value, portfolio margin |
//! | `orders` | admission and matching of orders |
//! | `liquidation` | close-outs, insurance fund, auto-deleveraging |
//!
//! Money is conserved: [`Market::total_money`] changes by deposits and by nothing else.

pub mod auction;
pub mod book;
pub mod config;
pub mod facts;
mod liquidation;
pub mod margin;
pub mod mark;
pub mod options;
mod orders;

use std::collections::BTreeMap;
use std::fmt;

use surgetank_layer::message::{Body, Message, PriceUpdate, Side};
use surgetank_layer::units::{AccountId, Money, Ns, Price, Qty};

use crate::book::{Book, Resting};
pub use crate::config::{
    Backstop, CloseOut, Config, Fillable, MONEY_MAX, MarginMode, PPM, PRICE_MAX, Partial, PerBlock,
    Protection, QTY_MAX, SymbolConfig,
};
pub use crate::facts::{Bearer, CancelReason, Deferral, Fact, Reject};
use crate::liquidation::Limits;
use crate::margin::{Ledger, Position};
use crate::mark::MarkPrice;
pub use crate::mark::{HYPERLIQUID_EMA_NS, Mark};
use crate::options::{Chain, Desk, Listing, Requirement};

/// Best bid and best ask: price and the quantity resting there.
pub type Best = (Option<(Price, Qty)>, Option<(Price, Qty)>);

/// A venue's books, accounts and insurance fund.
#[derive(Clone, Debug)]
pub struct Market {
    config: Config,
    books: Vec<Book>,
    ledger: Ledger,
    mark_prices: Vec<MarkPrice>,
    /// Price of the last trade.
    last: Vec<Option<Price>>,
    insurance: Money,
    fees: Money,
    /// Trading fees by account.
    paid: Vec<Money>,
    /// Debt that nobody could be made to pay.
    deficit: Money,
    bad_debt: Money,
    deposits: Money,
    limits: Limits,
    /// Accounts below maintenance at the mark, by market.
    called: Vec<Vec<AccountId>>,
    desk: Option<Desk>,
}

/// The positions opened at the start do not cancel out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imbalance {
    /// Market.
    pub symbol: u16,
    /// Sum of its positions.
    pub qty: Money,
    /// Sum of their signed entry notionals.
    pub notional: Money,
}

impl fmt::Display for Imbalance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Imbalance { symbol, qty, notional } = self;
        write!(
            f,
            "market {symbol}: opened positions sum to {qty} lots and {notional} quanta, not to 0; \
             open the opposite at the same prices"
        )
    }
}

impl std::error::Error for Imbalance {}

impl Market {
    /// A venue with empty books, one market per entry of `config.symbols`, each at its price.
    ///
    /// # Panics
    /// If the numbers of markets and prices differ, or one is out of bounds (see [`config`]).
    pub fn new(config: Config, initial_price: &[Price]) -> Market {
        assert_eq!(config.symbols.len(), initial_price.len(), "one initial price per market");
        for (rules, price) in config.symbols.iter().zip(initial_price) {
            assert!((1..=PRICE_MAX).contains(price), "initial price {price} out of bounds");
            let SymbolConfig { initial_margin_ppm, maintenance_margin_ppm, .. } = *rules;
            assert!(maintenance_margin_ppm < PPM, "maintenance margin must be below 100 %");
            assert!(initial_margin_ppm <= PPM, "initial margin must not exceed 100 %");
            assert!(rules.taker_fee_ppm.max(rules.maker_fee_ppm) <= PPM, "fee above 100 %");
            assert!(rules.worst_price_ppm.is_none_or(|w| w <= PPM), "worst price above 100 %");
            if let CloseOut::Oracle { worse_ppm, .. } = rules.close_out {
                assert!(worse_ppm <= PPM, "close-out price above 100 % from the mark");
            }
        }
        assert!((0..=MONEY_MAX).contains(&config.insurance), "insurance fund out of bounds");
        let marks = config.symbols.iter().zip(initial_price);
        Market {
            books: vec![Book::default(); config.symbols.len()],
            ledger: Ledger::new(&config.symbols, initial_price),
            mark_prices: marks.map(|(s, &price)| MarkPrice::new(s.mark, price)).collect(),
            last: vec![None; config.symbols.len()],
            insurance: config.insurance,
            fees: 0,
            paid: Vec::new(),
            deficit: 0,
            bad_debt: 0,
            deposits: 0,
            limits: Limits::default(),
            called: vec![Vec::new(); config.symbols.len()],
            desk: None,
            config,
        }
    }

    /// Lists options on market 0 at its mark. They are numbered after the markets, in order.
    /// The liquidator needs a deposit of its own, in cross mode.
    ///
    /// # Panics
    /// If a strike is out of bounds, the auction's price does not fall, or options are listed.
    pub fn list(&mut self, listing: Listing) {
        let Listing { contracts, vol, rule, auction, liquidator } = listing;
        assert!(self.desk.is_none(), "options are listed already");
        let falls = auction.knee_ppm <= auction.start_ppm && auction.start_ppm <= PPM;
        assert!(falls, "an auction must start at most at mark value, and fall");
        self.ledger.list(Chain::new(rule, vol, contracts, self.ledger.mark(0)));
        self.desk = Some(Desk { auction, liquidator, auctions: BTreeMap::new() });
    }

    /// Opens an account or adds to its cash. The mode is fixed by the first deposit.
    ///
    /// # Panics
    /// If cash is negative or all deposits exceed [`MONEY_MAX`], or a portfolio account comes
    /// before the options are listed.
    pub fn deposit(&mut self, account: AccountId, cash: Money, mode: MarginMode) {
        assert!(cash >= 0, "account {account}: a deposit of {cash} is negative");
        let listed = self.desk.is_some() || mode != MarginMode::Portfolio;
        assert!(listed, "account {account}: list options before a portfolio account is opened");
        self.deposits += cash;
        assert!(self.deposits + self.config.insurance <= MONEY_MAX, "deposits exceed MONEY_MAX");
        self.ledger.deposit(account, cash, mode);
    }

    /// Gives an account a position at the start, as if bought (sold, if negative) at this price.
    /// Isolated: all cash that the account has at this point backs it, so that
    /// leverage = notional / deposit.
    ///
    /// # Panics
    /// If the account has no deposit, or quantity or price are out of bounds.
    pub fn open(&mut self, account: AccountId, symbol: u16, qty: Qty, price: Price) {
        let s = usize::from(symbol);
        assert!(self.ledger.knows(account), "account {account}: deposit before you open");
        assert!(s < self.ledger.symbols(), "account {account}: no market {symbol}");
        let isolated = !self.ledger.is_cross(account);
        assert!(s < self.books.len() || !isolated, "account {account}: options need cross margin");
        assert!(
            (i64::from(s < self.books.len())..=PRICE_MAX).contains(&price),
            "account {account}: price out of bounds"
        );
        let held = self.ledger.position(account, s).qty;
        let in_bounds = qty.checked_add(held).is_some_and(|q| q.abs() <= QTY_MAX);
        assert!(in_bounds, "account {account}: quantity out of bounds");
        self.ledger.trade(account, s, qty, price);
        if self.ledger.position(account, s).qty == 0 {
            self.ledger.release(account, s);
        } else {
            self.ledger.back(account, s, MONEY_MAX);
        }
    }

    /// Whether what was opened in each market cancels out, in quantity and in money, as it must
    /// before the first message for money to be conserved.
    pub fn check_genesis(&self) -> Result<(), Imbalance> {
        for (symbol, s) in (0..self.ledger.symbols()).zip(0..) {
            let positions = self.accounts().map(|account| self.ledger.position(account, symbol));
            let qty = positions.clone().map(|p| Money::from(p.qty)).sum();
            let notional = positions.map(|p| p.cost).sum();
            if (qty, notional) != (0, 0) {
                return Err(Imbalance { symbol: s, qty, notional });
            }
        }
        Ok(())
    }

    /// Executes one message and appends what it did. Total: any message is taken, at worst with a
    /// [`Fact::Rejected`]; execution reports and consensus messages mean nothing here.
    pub fn execute(&mut self, now: Ns, message: &Message, facts: &mut Vec<Fact>) {
        let account = message.account;
        match &message.body {
            Body::NewOrderSingle(order) => self.new_order(now, account, order, facts),
            Body::OrderCancelRequest(cancel) => self.cancel(account, cancel, facts),
            Body::OrderCancelReplaceRequest(replace) => self.replace(now, account, replace, facts),
            Body::PriceUpdate(update) => self.price_update(now, account, update, facts),
            Body::LiquidationOrder(order) if self.ledger.is_portfolio(order.target) => {
                self.auction(now, account, order, facts);
            }
            Body::LiquidationOrder(order) => self.liquidate(now, account, order, facts),
            Body::ExecutionReport(_) | Body::Proposal(_) | Body::Vote(_) => {}
        }
    }

    /// Sets what a block may liquidate; without it nothing is limited.
    ///
    /// # Panics
    /// If the share is above 100 %.
    pub fn limit(&mut self, rules: PerBlock) {
        assert!(rules.position_share_ppm <= PPM, "share of a position above 100 %");
        self.limits.set(rules);
    }

    /// A new block begins: what is limited per block is free again.
    pub fn begin_block(&mut self) {
        self.limits.begin_block();
    }

    /// Takes an oracle price that came in the block itself and not by a message of its own, as
    /// dYdX v4's vote extensions bring it.
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
            self.margin_calls(symbol, was, mark, facts);
        }
    }
}

impl Market {
    /// Calls every account that is below maintenance at this mark and was not at the last one.
    fn margin_calls(&mut self, symbol: u16, was: Price, mark_price: Price, facts: &mut Vec<Fact>) {
        let s = usize::from(symbol);
        let mut below = Vec::new();
        self.ledger.below_maintenance(s, mark_price, &mut below);
        below.retain(|&account| !self.is_venues(account, s));
        let called = &self.called[s];
        let fresh = below.iter().filter(|account| called.binary_search(account).is_err());
        facts.extend(fresh.map(|&account| {
            let (trigger_price, falling) = self.trigger(account, symbol, was, mark_price);
            Fact::MarginCall { account, symbol, mark_price, trigger_price, falling }
        }));
        self.called[s] = below;
    }

    /// Where between two marks an account came below maintenance margin, and in which direction.
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

/// Views. A market's index must be below the number of markets.
impl Market {
    /// Number of markets.
    pub fn symbols(&self) -> u16 {
        self.books.len() as u16
    }

    /// The mark price.
    pub fn mark(&self, symbol: u16) -> Price {
        self.ledger.mark(usize::from(symbol))
    }

    /// The oracle price in force and when it was observed.
    pub fn oracle(&self, symbol: u16) -> (Price, Ns) {
        self.mark_prices[usize::from(symbol)].oracle()
    }

    /// Price of the last trade.
    pub fn last(&self, symbol: u16) -> Option<Price> {
        self.last[usize::from(symbol)]
    }

    /// Best bid and ask.
    pub fn best(&self, symbol: u16) -> Best {
        let book = self.book(symbol);
        (book.best(Side::Buy), book.best(Side::Sell))
    }

    /// The book.
    pub fn book(&self, symbol: u16) -> &Book {
        &self.books[usize::from(symbol)]
    }

    /// An account's resting orders, by ClOrdID.
    pub fn open_orders(&self, account: AccountId, symbol: u16) -> impl Iterator<Item = Resting> {
        self.book(symbol).orders(account)
    }

    /// Signed position; 0 for an unknown account.
    pub fn position(&self, account: AccountId, symbol: u16) -> Qty {
        self.position_detail(account, symbol).qty
    }

    /// A position with its entry notional, isolated quote and open orders.
    pub fn position_detail(&self, account: AccountId, symbol: u16) -> Position {
        self.ledger.position(account, usize::from(symbol))
    }

    /// What an account is worth at the mark prices.
    pub fn equity(&self, account: AccountId) -> Money {
        self.ledger.equity(account)
    }

    /// The options listed; the number of the first among the markets is [`Market::symbols`].
    pub fn options(&self) -> Option<&Chain> {
        self.ledger.chain()
    }

    /// What an account is worth with market 0 at this price and its options priced on that.
    pub fn worth(&self, account: AccountId, at: Price) -> Money {
        self.ledger.worth(account, at)
    }

    /// What the grid requires of a portfolio at the marks, in quanta, not rounded.
    pub fn requirement(&self, account: AccountId) -> Requirement {
        let held = self.ledger.position(account, 0).qty;
        self.ledger.portfolio(account, self.ledger.mark(0), None, held).1
    }

    /// Every open account, by number.
    pub fn accounts(&self) -> impl Iterator<Item = AccountId> + Clone {
        self.ledger.accounts()
    }

    /// Whether the position may be liquidated with its market marked at this price: maintenance
    /// requirement > equity, strictly. Other markets at their own marks.
    pub fn liquidatable(&self, account: AccountId, symbol: u16, at_mark: Price) -> bool {
        self.ledger.liquidatable(account, usize::from(symbol), at_mark)
    }

    /// Appends every account liquidatable with the market marked at this price, by number: what a
    /// keeper sees who has received that price. One pass over all accounts.
    pub fn below_maintenance(&self, symbol: u16, at_mark: Price, out: &mut Vec<AccountId>) {
        self.ledger.below_maintenance(usize::from(symbol), at_mark, out);
    }

    /// The first whole price, on the way down for a long and up for a short, at which the position
    /// is liquidatable. `None`: never, or no position.
    pub fn liquidation_price(&self, account: AccountId, symbol: u16) -> Option<Price> {
        self.ledger.liquidation_price(account, usize::from(symbol))
    }

    /// The insurance fund; never negative.
    pub fn insurance(&self) -> Money {
        self.insurance
    }

    /// Trading fees taken so far.
    pub fn fees(&self) -> Money {
        self.fees
    }

    /// Trading fees that an account has paid so far.
    pub fn fees_paid(&self, account: AccountId) -> Money {
        self.paid.get(account as usize).copied().unwrap_or(0)
    }

    /// Debt so far that neither insurance fund nor winners bore.
    pub fn deficit(&self) -> Money {
        self.deficit
    }

    /// All losses beyond collateral so far, whoever bore them.
    pub fn bad_debt_total(&self) -> Money {
        self.bad_debt
    }

    /// All deposits and the insurance fund at the start: what [`Market::total_money`] must equal.
    pub fn paid_in(&self) -> Money {
        self.deposits + self.config.insurance
    }

    /// All money there is: equity of all accounts, insurance fund and fees, less the deficit.
    pub fn total_money(&self) -> Money {
        self.ledger.total() + self.insurance + self.fees - self.deficit
    }
}
