//! Accounts, positions and the margin behind them.
//!
//! Rules: all money is integer quanta and a trade moves exactly price × quantity. Rounding neither
//! creates nor destroys money: every division below either moves collateral within an account or
//! splits an amount whose remainder stays where it was. Requirements are kept in millionths of a
//! quantum and compared without rounding; collateral moved and fees are rounded up.
//!
//! Theory of operation: as in dYdX v4, an account's deposits and the cost of its trades are one
//! number, its *quote*; equity = quote + position × mark. A buy of q at p adds q to the position
//! and takes p·q from the quote, a sell the reverse, so the sum of all quotes does not change and,
//! positions summing to zero, neither does the sum of all equity, whatever the mark. Cross: the
//! account's cash is the quote of all its positions. Isolated: each position has its own quote,
//! filled from cash with the initial margin of what a trade adds (and its loss against the mark),
//! and returned to cash when the position is flat, not before.
//!
//! An account (isolated: a position) is liquidatable iff maintenance requirement > equity,
//! strictly. Orders need initial margin (`admission`).
//!
//! Requirements are functions of a position's notional (`tiers`). Portfolio: as cross, with a
//! requirement from a grid of scenarios (`portfolio`).
//!
//! Source: dYdX v4 `protocol/lib/margin/risk.go` (strict inequality, quote balance).

mod admission;
mod below;
mod collateral;
mod portfolio;
mod stored;
mod tiers;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use surgetank_layer::message::Side;
use surgetank_layer::units::{AccountId, Money, Price, Qty};

use crate::config::{MarginMode, PPM, PRICE_MAX, SymbolConfig};
use crate::options::chain::Chain;
use collateral::Assets;
pub use stored::StateMismatch;
use tiers::{Line, Requirements};

/// An account's position and open orders in one market.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Position {
    /// Signed position, in lots: positive is long.
    pub qty: Qty,
    /// Signed entry notional of `qty`, in quanta; used to rank accounts for deleveraging, not
    /// money.
    pub cost: Money,
    /// Quote balance of an isolated position, in quanta; 0 in cross mode.
    pub quote: Money,
    /// Open quantity of the account's resting buys, in lots.
    pub open_buy: Qty,
    /// Open quantity of the account's resting sells, in lots.
    pub open_sell: Qty,
}

impl Position {
    /// The larger of the two positions reached if all buys, or all sells, are filled.
    pub(crate) fn exposure(&self) -> Qty {
        (self.qty + self.open_buy).abs().max((self.qty - self.open_sell).abs())
    }

    pub(crate) fn value(&self, price: Price) -> Money {
        Money::from(self.qty) * Money::from(price)
    }

    /// Quantity by which an order of this side can reduce the position, in lots.
    pub fn reducible(&self, side: Side) -> Qty {
        (-self.qty.saturating_mul(side.sign())).max(0)
    }
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Account {
    mode: MarginMode,
    cash: Money,
}

/// All accounts and positions, and the marks at which they are valued.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Ledger {
    accounts: Vec<Option<Account>>,
    /// Positions by market, then by account.
    pub(crate) positions: Vec<Vec<Position>>,
    #[serde(skip)]
    requirements: Vec<Requirements>,
    /// Sum of the long positions of each market, in lots.
    open_interest: Vec<Money>,
    /// Mark prices of the markets, then of the options.
    pub(crate) marks: Vec<Price>,
    /// Option positions by account, each list in ascending order of the option's index.
    pub(crate) held: BTreeMap<AccountId, Vec<(usize, Position)>>,
    pub(crate) chain: Option<Chain>,
    pub(crate) assets: Assets,
}

impl Ledger {
    /// A ledger without accounts, for these markets at these marks.
    pub fn new(symbols: &[SymbolConfig], marks: &[Price]) -> Ledger {
        Ledger {
            accounts: Vec::new(),
            positions: vec![Vec::new(); symbols.len()],
            requirements: symbols.iter().map(Requirements::new).collect(),
            open_interest: vec![0; symbols.len()],
            marks: marks.to_vec(),
            held: BTreeMap::new(),
            chain: None,
            assets: Assets::default(),
        }
    }

    /// Adds cash; the first deposit opens the account and fixes its mode.
    pub fn deposit(&mut self, account: AccountId, cash: Money, mode: MarginMode) {
        let index = account as usize;
        if index >= self.accounts.len() {
            self.accounts.resize(index + 1, None);
            for positions in &mut self.positions {
                positions.resize(index + 1, Position::default());
            }
        }
        self.accounts[index].get_or_insert(Account { mode, cash: 0 }).cash += cash;
    }

    /// Whether the account has been opened.
    pub fn has_account(&self, account: AccountId) -> bool {
        self.account(account).is_some()
    }

    /// Every open account, by number.
    pub fn accounts(&self) -> impl Iterator<Item = AccountId> + Clone + '_ {
        (0..self.accounts.len() as u32).filter(|&account| self.has_account(account))
    }

    /// A position; flat if there is none.
    pub fn position(&self, account: AccountId, symbol: usize) -> Position {
        let Some(of_symbol) = self.positions.get(symbol) else {
            let found = self.held(account).iter().find(|(option, _)| *option == symbol);
            return found.map_or_else(Position::default, |(_, p)| *p);
        };
        of_symbol.get(account as usize).copied().unwrap_or_default()
    }

    fn position_mut(&mut self, account: AccountId, symbol: usize) -> &mut Position {
        if symbol < self.positions.len() {
            return &mut self.positions[symbol][account as usize];
        }
        let held = self.held.entry(account).or_default();
        let at = held.binary_search_by_key(&symbol, |(option, _)| *option).unwrap_or_else(|at| {
            held.insert(at, (symbol, Position::default()));
            at
        });
        &mut held[at].1
    }

    /// Every account's position in a market, by account.
    pub fn positions(&self, symbol: usize) -> &[Position] {
        &self.positions[symbol]
    }

    /// The mark price in use.
    pub fn mark(&self, symbol: usize) -> Price {
        self.marks[symbol]
    }

    /// Sets the mark price.
    pub fn set_mark(&mut self, symbol: usize, price: Price) {
        self.marks[symbol] = price;
    }

    /// Cash that is not allocated to an isolated position; the whole quote in cross mode.
    pub fn cash(&self, account: AccountId) -> Money {
        self.account(account).map_or(0, |a| a.cash)
    }

    /// Equity of an account at the marks, in quanta.
    pub fn equity(&self, account: AccountId) -> Money {
        let markets = (0..self.positions.len()).map(|s| (s, self.position(account, s)));
        let worth = |(s, p): (usize, Position)| p.quote + p.value(self.marks[s]);
        self.cash(account)
            + markets.map(worth).sum::<Money>()
            + self.options_value(account)
            + self.assets_value(account, |s| self.marks[s])
    }

    /// Sum of all accounts' equity, in quanta.
    pub fn total(&self) -> Money {
        let cash = self.accounts.iter().flatten().map(|a| a.cash).sum::<Money>();
        let of = |(positions, &mark): (&Vec<Position>, &Price)| -> Money {
            positions.iter().map(|p| p.quote + p.value(mark)).sum()
        };
        let options = self.held.keys().map(|&account| self.options_value(account));
        cash + options.sum::<Money>()
            + self.positions.iter().zip(&self.marks).map(of).sum::<Money>()
    }

    /// Equity, and maintenance requirement in millionths, of the collateral unit of this position
    /// (isolated: the position; cross: the account), with this market at the price `at`.
    pub fn risk(&self, account: AccountId, symbol: usize, at: Price) -> (Money, Money) {
        if self.is_portfolio(account) {
            let spot = if symbol == 0 { at } else { self.marks[0] };
            return self.portfolio_risk(account, spot, self.grid_at(spot).as_ref());
        }
        self.risk_at(account, symbol, |s| if s == symbol { at } else { self.marks[s] })
    }

    /// The same with each market at its price, of accounts that are no portfolios.
    fn risk_at(
        &self,
        account: AccountId,
        symbol: usize,
        price: impl Fn(usize) -> Price,
    ) -> (Money, Money) {
        let own = self.position(account, symbol);
        let mut equity = own.quote + own.value(price(symbol));
        let mut required = self.maintenance(symbol, own.qty, price(symbol));
        if self.is_cross(account) {
            equity += self.cash(account) + self.options_value(account);
            equity += self.assets_margin(account, &price);
            for other in (0..self.positions.len()).filter(|&s| s != symbol) {
                let p = self.position(account, other);
                equity += p.value(price(other));
                required += self.maintenance(other, p.qty, price(other));
            }
        }
        (equity, required)
    }

    /// Whether the position can be liquidated with its market at the price `at`.
    pub fn liquidatable(&self, account: AccountId, symbol: usize, at: Price) -> bool {
        let portfolio = self.is_portfolio(account) && !self.is_flat(account);
        if self.position(account, symbol).qty == 0 && !portfolio {
            return false;
        }
        let (equity, required) = self.risk(account, symbol, at);
        required > equity * Money::from(PPM)
    }

    /// The first whole price, on the way down for a long and up for a short, at which the position
    /// is liquidatable, the other markets' marks held constant. `None`: never, or no position, or a
    /// portfolio or an account with collateral in assets, which can have several such prices.
    pub fn liquidation_price(&self, account: AccountId, symbol: usize) -> Option<Price> {
        let qty = self.position(account, symbol).qty;
        if self.is_portfolio(account) || self.has_assets(account) {
            return None;
        }
        let (equity, required) = self.risk(account, symbol, 0);
        // At price p: liquidatable iff, for the line of one tier,
        // free + qty·p·10^6 < |qty|·p·maintenance_ppm − deduction.
        let free = equity * Money::from(PPM) - required;
        let size = Money::from(qty.abs());
        let of = |line: &Line| {
            let (room, rate) = (free + line.maintenance_deduction, line.maintenance_ppm);
            if qty > 0 {
                let slope = size * (Money::from(PPM) - rate);
                (-(room.div_euclid(slope)) - 1).min(Money::from(PRICE_MAX))
            } else {
                room.div_euclid(size * (Money::from(PPM) + rate)) + 1
            }
        };
        let prices = self.requirements[symbol].lines().map(of);
        let price = match qty.signum() {
            1 => prices.max()?,
            -1 => prices.min()?,
            _ => return None,
        };
        if qty > 0 {
            (price >= 1).then_some(price as Price)
        } else {
            (price <= Money::from(PRICE_MAX)).then_some(price.max(1) as Price)
        }
    }

    /// Equity with collateral assets as they count for margin.
    pub(crate) fn margin_equity(&self, account: AccountId) -> Money {
        let marks = |s: usize| self.marks[s];
        self.equity(account) - self.assets_value(account, marks)
            + self.assets_margin(account, marks)
    }

    /// The quote at which this position's value is exactly its share of equity: the account's
    /// equity in proportion to maintenance requirement (dYdX v4's bankruptcy price), all of it if
    /// isolated. A close at the bankruptcy price settles the position for minus this amount.
    pub fn own_quote(&self, account: AccountId, symbol: usize) -> Money {
        let own = self.position(account, symbol);
        if !self.is_cross(account) {
            return own.quote;
        }
        let mut weights = (0, 0);
        for (s, &mark) in self.marks[..self.positions.len()].iter().enumerate() {
            let qty = self.position(account, s).qty;
            let weight = self.maintenance(s, qty, mark);
            weights.1 += weight;
            if s == symbol {
                weights.0 = weight;
            }
        }
        let bits = 128 - weights.1.leading_zeros();
        let shift = bits.saturating_sub(60);
        let share = split(self.margin_equity(account), weights.0 >> shift, weights.1 >> shift);
        share - own.value(self.marks[symbol])
    }

    /// Books a trade of signed quantity. Does not return a flat position's quote to cash.
    pub fn trade(&mut self, account: AccountId, symbol: usize, qty: Qty, price: Price) {
        let held = self.position(account, symbol).qty;
        if held.signum() * qty.signum() < 0 && qty.abs() > held.abs() {
            self.trade(account, symbol, -held, price);
            self.release_margin(account, symbol);
            return self.trade(account, symbol, qty + held, price);
        }
        let value = Money::from(qty) * Money::from(price);
        if held.signum() * qty.signum() < 0 {
            return self.close(account, symbol, qty, value);
        }
        self.pay(account, symbol, value);
        self.position_mut(account, symbol).cost += value;
        self.add_qty(account, symbol, qty);
        if !self.is_cross(account) {
            let mark = self.marks[symbol];
            let loss = value - Money::from(qty) * Money::from(mark);
            let need = self.initial(symbol, held + qty, mark) - self.initial(symbol, held, mark);
            let need = (need + Money::from(PPM - 1)) / Money::from(PPM) + loss.max(0);
            self.allocate_margin(account, symbol, need);
        }
    }

    /// Sets the entry notional of a position to that of this price.
    pub fn set_entry(&mut self, account: AccountId, symbol: usize, price: Price) {
        let p = self.position_mut(account, symbol);
        p.cost = p.value(price);
    }

    /// Closes part or all of a position, paying `value` (negative: receiving) for it.
    pub fn close(&mut self, account: AccountId, symbol: usize, qty: Qty, value: Money) {
        self.pay(account, symbol, value);
        let p = self.position_mut(account, symbol);
        p.cost -= p.cost * Money::from(qty.abs()) / Money::from(p.qty.abs().max(1));
        self.add_qty(account, symbol, qty);
    }

    fn add_qty(&mut self, account: AccountId, symbol: usize, qty: Qty) {
        let p = self.position_mut(account, symbol);
        let was = p.qty.max(0);
        p.qty += qty;
        let more = p.qty.max(0) - was;
        if let Some(open) = self.open_interest.get_mut(symbol) {
            *open += Money::from(more);
        }
    }

    /// Sum of long positions, in lots.
    pub fn open_interest(&self, symbol: usize) -> Money {
        self.open_interest[symbol]
    }

    /// Debits the quote behind a position (a negative amount: credits it).
    pub fn pay(&mut self, account: AccountId, symbol: usize, amount: Money) {
        match &mut self.accounts[account as usize] {
            Some(a) if a.mode != MarginMode::Isolated => a.cash -= amount,
            _ => self.position_mut(account, symbol).quote -= amount,
        }
    }

    /// Moves up to `amount` of cash to the quote of an isolated position.
    pub fn allocate_margin(&mut self, account: AccountId, symbol: usize, amount: Money) {
        if let Some(a) = &mut self.accounts[account as usize]
            && a.mode == MarginMode::Isolated
        {
            let moved = amount.min(a.cash).max(0);
            a.cash -= moved;
            self.position_mut(account, symbol).quote += moved;
        }
    }

    /// Returns a flat position's quote to cash.
    pub fn release_margin(&mut self, account: AccountId, symbol: usize) {
        let p = self.position_mut(account, symbol);
        if p.qty == 0 {
            let quote = std::mem::take(&mut p.quote);
            if let Some(a) = &mut self.accounts[account as usize] {
                a.cash += quote;
            }
        }
    }

    /// Writes off and returns the debt of an account without positions (isolated: without cash);
    /// the caller must allocate it.
    pub fn write_off_debt(&mut self, account: AccountId) -> Money {
        if self.is_cross(account) && !self.is_flat(account) {
            return 0;
        }
        match &mut self.accounts[account as usize] {
            Some(a) if a.cash < 0 => -std::mem::take(&mut a.cash),
            _ => 0,
        }
    }

    /// Adds a resting order's quantity to the open orders (negative: removes it).
    pub fn add_open(&mut self, account: AccountId, symbol: usize, side: Side, qty: Qty) {
        let p = self.position_mut(account, symbol);
        match side {
            Side::Buy => p.open_buy += qty,
            Side::Sell => p.open_sell += qty,
        }
    }

    /// Whether all positions of the account share its collateral.
    pub fn is_cross(&self, account: AccountId) -> bool {
        self.mode(account).is_some_and(|mode| mode != MarginMode::Isolated)
    }

    pub(crate) fn mode(&self, account: AccountId) -> Option<MarginMode> {
        self.account(account).map(|a| a.mode)
    }

    fn account(&self, account: AccountId) -> Option<&Account> {
        self.accounts.get(account as usize).and_then(Option::as_ref)
    }

    /// Initial margin in millionths.
    pub(crate) fn initial(&self, symbol: usize, qty: Qty, at: Price) -> Money {
        self.requirements[symbol].initial(qty, at, self.open_interest[symbol])
    }

    /// Initial margin without its growth with open interest, and maintenance margin, in millionths.
    pub(crate) fn margin_of(&self, symbol: usize, qty: Qty) -> (Money, Money) {
        let (rules, at) = (&self.requirements[symbol], self.marks[symbol]);
        (rules.initial(qty, at, 0), rules.maintenance(qty, at))
    }

    /// Maintenance margin in millionths.
    pub(crate) fn maintenance(&self, symbol: usize, qty: Qty, at: Price) -> Money {
        self.requirements[symbol].maintenance(qty, at)
    }
}

/// amount × ppm / 10^6, rounded up; amount ≥ 0.
pub fn fraction_up(amount: Money, ppm: u32) -> Money {
    if ppm == 0 {
        return 0;
    }
    (amount * Money::from(ppm) + Money::from(PPM - 1)) / Money::from(PPM)
}

/// ⌊amount × part / whole⌋ for 0 ≤ part ≤ whole, without overflow.
pub fn split(amount: Money, part: Money, whole: Money) -> Money {
    if whole <= 0 {
        return 0;
    }
    let (high, low) = (amount.div_euclid(whole), amount.rem_euclid(whole));
    high * part + low * part / whole
}
