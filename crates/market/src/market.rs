//! A venue's books, accounts and funds: its state, and read access to it.
//!
//! Rules: state is what execution changes. Configuration, listed options, accepted assets and limits
//! are those of the opening and no part of it; nor is what follows from state and rules: margin
//! requirements, the grid of portfolio margin, links and indices of the books. A market that was
//! stored and restored executes every message as the stored one would have.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use surgetank_layer::message::Side;
use surgetank_layer::units::{AccountId, Money, Ns, Price, Qty};

use crate::book::{Book, BookChange, Resting};
use crate::config::{Config, PRICE_MAX};
use crate::limits::Limits;
use crate::margin::{Ledger, Position, StateMismatch};
use crate::mark::MarkPrice;
use crate::options::{Chain, OptionsDesk, Requirement};
use crate::premium::Premiums;

/// Best bid and best ask: price and the quantity resting there.
pub type Best = (Option<(Price, Qty)>, Option<(Price, Qty)>);

/// A venue's books, accounts and insurance fund.
///
/// Its serialized form is its state. A market that was read has no rules, and can only be given to
/// [`Market::restore`].
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Market {
    #[serde(skip)]
    pub(crate) config: Config,
    pub(crate) books: Vec<Book>,
    pub(crate) ledger: Ledger,
    pub(crate) mark_prices: Vec<MarkPrice>,
    /// Price of the last trade.
    pub(crate) last: Vec<Option<Price>>,
    pub(crate) insurance: Money,
    pub(crate) fees: Money,
    /// Premiums since the last funding payment, by market.
    pub(crate) premiums: Vec<Option<Premiums>>,
    /// Funding paid by account, less what it received.
    pub(crate) funding_paid: Vec<Money>,
    pub(crate) funding_remainder: Money,
    /// Trading fees by account.
    pub(crate) paid: Vec<Money>,
    /// Bad debt that neither the insurance fund nor deleveraged accounts covered.
    pub(crate) deficit: Money,
    pub(crate) bad_debt: Money,
    pub(crate) deposits: Money,
    /// Account that buys collateral.
    #[serde(skip)]
    pub(crate) collateral_buyer: AccountId,
    pub(crate) limits: Limits,
    /// Accounts below maintenance at the mark, by market.
    pub(crate) margin_called: Vec<Vec<AccountId>>,
    #[serde(skip)]
    pub(crate) desk: Option<OptionsDesk>,
    /// Time at which the auction of a portfolio was opened.
    pub(crate) auctions: BTreeMap<AccountId, Ns>,
}

impl Market {
    /// Begins or ends the recording of the books' changes; by default there is none.
    pub fn record_book_changes(&mut self, on: bool) {
        self.books.iter_mut().for_each(|book| book.record_changes(on));
    }

    /// The changes of a market's book since the last call, in the order in which they happened;
    /// applied to a copy of the book of then, they give the book.
    pub fn take_book_changes(&mut self, symbol: u16) -> Vec<BookChange> {
        self.books[usize::from(symbol)].take_changes()
    }

    /// A stored market under the rules of this one. Its books do not record their changes.
    ///
    /// # Errors
    /// Names the part that is not of a venue with these rules.
    pub fn restore(&self, stored: Market) -> Result<Market, StateMismatch> {
        let markets = self.books.len();
        let counts = [
            stored.books.len(),
            stored.mark_prices.len(),
            stored.last.len(),
            stored.premiums.len(),
        ];
        if counts != [markets; 4] || stored.margin_called.len() != markets {
            return Err(StateMismatch("markets"));
        }
        let funded = |premiums: &[Option<Premiums>]| -> Vec<bool> {
            premiums.iter().map(Option::is_some).collect()
        };
        if funded(&self.premiums) != funded(&stored.premiums) {
            return Err(StateMismatch("funding premiums"));
        }
        let rules = self.mark_prices.iter().zip(stored.mark_prices);
        let mark_prices: Vec<_> = rules.map(|(mark, stored)| mark.restore(stored)).collect();
        if mark_prices.iter().any(|mark| !(1..=PRICE_MAX).contains(&mark.oracle().0)) {
            return Err(StateMismatch("oracle prices"));
        }
        let ledger = self.ledger.restore(stored.ledger, mark_prices[0].oracle().0)?;
        let is_open = |order: Resting| ledger.has_account(order.account);
        if !stored.books.iter().flat_map(Book::iter).all(is_open) {
            return Err(StateMismatch("owners of resting orders"));
        }
        Ok(Market {
            config: self.config.clone(),
            ledger,
            mark_prices,
            collateral_buyer: self.collateral_buyer,
            limits: self.limits.restore(stored.limits),
            desk: self.desk,
            ..stored
        })
    }

    /// Begins a new block: resets the limits per block.
    pub fn begin_block(&mut self) {
        self.limits.begin_block();
    }
}

/// Read access. A market's index must be below the number of markets.
impl Market {
    /// Number of markets.
    pub fn symbols(&self) -> u16 {
        self.books.len() as u16
    }

    /// Mark price of a market, in ticks.
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

    /// Long positions of a market, in lots; as many are short.
    pub fn open_interest(&self, symbol: u16) -> Money {
        self.ledger.open_interest(usize::from(symbol))
    }

    /// Resting orders of a market.
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

    /// Cash of an account that is not allocated to an isolated position, in quanta; with cross and
    /// portfolio margin, less what its positions have cost.
    pub fn cash(&self, account: AccountId) -> Money {
        self.ledger.cash(account)
    }

    /// Equity of an account at the mark prices, in quanta.
    pub fn equity(&self, account: AccountId) -> Money {
        self.ledger.equity(account)
    }

    /// Whether the account is open.
    pub fn has_account(&self, account: AccountId) -> bool {
        self.ledger.has_account(account)
    }

    /// The options listed; the number of the first among the markets is [`Market::symbols`].
    pub fn options(&self) -> Option<&Chain> {
        self.ledger.chain()
    }

    /// Equity of an account with each market at its price (one price per market), in quanta.
    /// Options are priced on market 0.
    pub fn worth(&self, account: AccountId, prices: &[Price]) -> Money {
        self.ledger.worth(account, prices)
    }

    /// Whether all positions of the account share its collateral (cross and portfolio margin).
    pub fn is_cross(&self, account: AccountId) -> bool {
        self.ledger.is_cross(account)
    }

    /// Whether the account holds nothing but cash.
    pub fn is_flat(&self, account: AccountId) -> bool {
        self.ledger.is_flat(account)
    }

    /// Margin requirement of a portfolio at the marks by the grid, in quanta, not rounded.
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

    /// Appends every account liquidatable with the market marked at this price, by number: the view
    /// of a keeper that has received that price. One pass over all accounts.
    pub fn below_maintenance(&self, symbol: u16, at_mark: Price, out: &mut Vec<AccountId>) {
        self.ledger.below_maintenance(usize::from(symbol), at_mark, out);
    }

    /// Appends every liquidatable collateral unit with each market at its price (one price per
    /// market), as (account, market) in ascending order. In cross mode the account is one unit, and
    /// the market is that of its position with the largest maintenance requirement.
    pub fn below_maintenance_at(&self, prices: &[Price], out: &mut Vec<(AccountId, u16)>) {
        self.ledger.below_maintenance_at(prices, out);
    }

    /// The first whole price, on the way down for a long and up for a short, at which the position
    /// is liquidatable. `None`: never, or no position.
    pub fn liquidation_price(&self, account: AccountId, symbol: u16) -> Option<Price> {
        self.ledger.liquidation_price(account, usize::from(symbol))
    }

    /// The last whole price, on the way down for a long and up for a short, at which the equity
    /// behind the position is not negative, other marks held constant: the account's equity in
    /// proportion to maintenance requirement (dYdX v4's bankruptcy price). `None`: no position, or a
    /// portfolio.
    pub fn bankruptcy_price(&self, account: AccountId, symbol: u16) -> Option<Price> {
        let s = usize::from(symbol);
        let qty = Money::from(self.ledger.position(account, s).qty);
        if qty == 0 || self.ledger.is_portfolio(account) || self.ledger.has_assets(account) {
            return None;
        }
        let own = self.ledger.own_quote(account, s);
        let price = if qty > 0 { -own.div_euclid(qty) } else { own.div_euclid(-qty) };
        Some(price.clamp(0, Money::from(2 * PRICE_MAX)) as Price)
    }

    /// Margin of a position of this size at the mark, by itself: initial, not grown with open
    /// interest, and maintenance, in millionths of a quantum.
    pub fn margin_of(&self, symbol: u16, qty: Qty) -> (Money, Money) {
        self.ledger.margin_of(usize::from(symbol), qty)
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

    /// Bad debt so far that neither the insurance fund nor deleveraged accounts covered.
    pub fn deficit(&self) -> Money {
        self.deficit
    }

    /// All losses beyond collateral so far.
    pub fn bad_debt_total(&self) -> Money {
        self.bad_debt
    }

    /// All deposits and the initial insurance fund; [`Market::total_money`] must equal it.
    pub fn paid_in(&self) -> Money {
        self.deposits + self.config.insurance
    }

    /// Amount of an asset that an account holds.
    pub fn asset(&self, account: AccountId, asset: u16) -> Money {
        self.ledger.asset(account, usize::from(asset))
    }

    /// Whether the venue accepts assets as collateral.
    pub fn accepts_collateral(&self) -> bool {
        !self.ledger.assets.accepted.is_empty()
    }

    /// Whether the account holds collateral in assets.
    pub fn has_assets(&self, account: AccountId) -> bool {
        self.ledger.has_assets(account)
    }

    /// Value of an account's collateral assets with each market at its price, in quanta.
    pub fn assets_value(&self, account: AccountId, prices: &[Price]) -> Money {
        self.ledger.assets_value(account, |s| prices[s])
    }

    /// Total money: equity of all accounts, insurance fund, fees and the remainder of funding, less
    /// the deficit.
    pub fn total_money(&self) -> Money {
        self.ledger.total() + self.insurance + self.fees + self.funding_remainder - self.deficit
    }
}
