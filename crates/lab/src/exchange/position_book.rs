//! A user's position book: the accounts with which the market opens, instead of drawn ones.
//!
//! # Rules
//! 1. Account i of the book is account i of the trace. It opens in cross mode with the equity given:
//!    a margin account is a collateral unit, so an isolated position is an account of its own.
//! 2. Every position opens at the outside price at the start, so that equity does not depend on the
//!    rounding of quantities. Its entry price ranks it for deleveraging only.
//! 3. The hedgers hold the other side of each market without leverage.
//! 4. Collateral in assets is part of the equity: an asset opens with the value given, in whole lots
//!    of the market that prices it, and the rest of the equity is cash, which may be negative.

use surgetank_layer::units::{AccountId, Money, Price, Qty};
use surgetank_market::{AssetPrice, MONEY_MAX, MarginMode, PRICE_MAX, QTY_MAX};
use surgetank_venue::genesis::Genesis;

use crate::actors::Accounts;

/// Accounts, their positions and assets. The `position_*` have equal lengths, and so have the
/// `asset_*`.
#[derive(Clone, Debug, Default)]
pub struct PositionBook {
    /// Equity of each account at the mark prices, in USD; negative if it is bankrupt.
    pub equity_usd: Vec<f64>,
    /// Account of each position: an index of `equity_usd`.
    pub position_account: Vec<AccountId>,
    /// Market of each position.
    pub position_market: Vec<u16>,
    /// Signed size of each position, in coins: positive is long.
    pub position_size: Vec<f64>,
    /// Entry price of each position, in USD.
    pub position_entry_usd: Vec<f64>,
    /// Account of each amount of an asset held as collateral: an index of `equity_usd`.
    pub asset_account: Vec<AccountId>,
    /// The asset: an index of the assets that the venue accepts.
    pub asset_index: Vec<u16>,
    /// Its value at the start, in USD; part of the account's equity.
    pub asset_usd: Vec<f64>,
}

impl PositionBook {
    /// Checks that columns have equal lengths, accounts exist and numbers are finite.
    ///
    /// # Errors
    /// Names the column and the index.
    pub fn check(&self) -> Result<(), String> {
        let (positions, assets) = (self.position_account.len(), self.asset_account.len());
        let lengths = [
            ("position_market", self.position_market.len(), positions),
            ("position_size", self.position_size.len(), positions),
            ("position_entry_usd", self.position_entry_usd.len(), positions),
            ("asset_index", self.asset_index.len(), assets),
            ("asset_usd", self.asset_usd.len(), assets),
        ];
        for (name, length, due) in lengths {
            if length != due {
                return Err(format!(
                    "positions: `{name}` has {length} entries where {due} are due"
                ));
            }
        }
        let accounts = self.equity_usd.len();
        let named =
            [("position_account", &self.position_account), ("asset_account", &self.asset_account)];
        for (name, of) in named {
            if let Some(at) = of.iter().position(|&account| account as usize >= accounts) {
                return Err(format!("positions: `{name}` names no account at entry {at}"));
            }
        }
        let finite = [
            ("equity_usd", &self.equity_usd),
            ("position_size", &self.position_size),
            ("position_entry_usd", &self.position_entry_usd),
            ("asset_usd", &self.asset_usd),
        ];
        for (name, values) in finite {
            if let Some(at) = values.iter().position(|value| !value.is_finite()) {
                return Err(format!("positions: `{name}` is no number at entry {at}"));
            }
        }
        if let Some(at) = self.asset_usd.iter().position(|&usd| usd < 0.0) {
            return Err(format!("positions: `asset_usd` is negative at entry {at}"));
        }
        if let Some(at) = self.position_entry_usd.iter().position(|&usd| usd <= 0.0) {
            return Err(format!("positions: `position_entry_usd` is not positive at entry {at}"));
        }
        Ok(())
    }

    /// Opens the accounts of the book and their counterparties.
    ///
    /// # Errors
    /// Names a position, an asset or an account that the market's integers cannot hold.
    pub fn open(&self, genesis: &mut Genesis, accounts: &Accounts) -> Result<(), String> {
        if self.equity_usd.len() != accounts.leveraged as usize {
            let (given, counted) = (self.equity_usd.len(), accounts.leveraged);
            return Err(format!(
                "market.positions.count: {counted}, and the book has {given} accounts"
            ));
        }
        let quantum_usd = quantum_usd(genesis);
        let sum_usd: f64 = self.equity_usd.iter().chain(&self.asset_usd).map(|usd| usd.abs()).sum();
        if sum_usd / quantum_usd > MONEY_MAX as f64 / 4.0 {
            return Err(format!(
                "positions: the accounts have {sum_usd:e} USD, and the market counts {:.3e}; make \
                 market.lot larger",
                MONEY_MAX as f64 / 4.0 * quantum_usd
            ));
        }
        for (&usd, account) in self.equity_usd.iter().zip(0..) {
            let quanta = (usd / quantum_usd).round() as Money;
            genesis.deposit(account, quanta.max(0), MarginMode::Cross);
            if quanta < 0 {
                genesis.withdraw(account, -quanta);
            }
        }
        self.deposit_assets(genesis)?;
        let mut nets = vec![0; genesis.perpetuals.len()];
        for i in 0..self.position_account.len() {
            let (account, symbol) = (self.position_account[i], self.position_market[i]);
            let perpetual = genesis.perpetuals.get(usize::from(symbol)).ok_or_else(|| {
                format!("positions: entry {i} is in market {symbol}, which the venue does not have")
            })?;
            let lots = (self.position_size[i] / perpetual.lot).round();
            if lots.abs() > QTY_MAX as f64 / 4.0 {
                return Err(format!(
                    "positions: entry {i} is of {lots:.3e} lots, and the market counts {:.3e}; \
                     make market.lot larger",
                    QTY_MAX as f64 / 4.0
                ));
            }
            let ticks = self.position_entry_usd[i] / perpetual.tick_usd;
            let entry = ticks.round().clamp(1.0, PRICE_MAX as f64) as Price;
            if lots != 0.0 {
                let start = perpetual.price;
                genesis.open(account, symbol, lots as Qty, start);
                nets[usize::from(symbol)] += lots as Qty;
            }
            genesis.set_entry_price(account, symbol, entry);
        }
        for (net, symbol) in nets.into_iter().zip(0..) {
            let start = genesis.perpetuals[usize::from(symbol)].price;
            hedge(genesis, accounts, (symbol, start), MarginMode::Cross, -net);
        }
        Ok(())
    }

    /// Replaces cash by the assets that accounts hold.
    fn deposit_assets(&self, genesis: &mut Genesis) -> Result<(), String> {
        let quantum_usd = quantum_usd(genesis);
        for (i, &usd) in self.asset_usd.iter().enumerate() {
            let (account, index) = (self.asset_account[i], self.asset_index[i]);
            let asset = genesis.collateral.get(usize::from(index)).ok_or_else(|| {
                format!("positions: asset {index} at entry {i} is not in market.collateral")
            })?;
            let (price, most) = match asset.price {
                AssetPrice::Mark { symbol } => {
                    let perpetual = &genesis.perpetuals[usize::from(symbol)];
                    (Money::from(perpetual.price), Money::from(QTY_MAX) / 4)
                }
                AssetPrice::Constant {} => (1, MONEY_MAX / 4),
            };
            let amount = (usd / quantum_usd).round() as Money / price;
            if amount > most {
                return Err(format!(
                    "positions: the asset at entry {i} is of {amount} lots, and the market counts \
                     {most}; make market.lot larger"
                ));
            }
            genesis.deposit_asset(account, index, amount);
            genesis.withdraw(account, amount * price);
        }
        Ok(())
    }
}

/// Value of one quantum of money, in USD.
fn quantum_usd(genesis: &Genesis) -> f64 {
    genesis.perpetuals.first().map_or(1.0, |first| first.tick_usd * first.lot)
}

/// Gives the hedgers this position in a market at its price, in equal parts, with twice its notional
/// as cash; the remainder goes to the last one.
pub(super) fn hedge(
    genesis: &mut Genesis,
    accounts: &Accounts,
    (symbol, start): (u16, Price),
    mode: MarginMode,
    position: Qty,
) {
    let hedgers = Qty::from(accounts.hedgers);
    for hedger in 0..accounts.hedgers {
        let rest = if hedger + 1 == accounts.hedgers { position % hedgers } else { 0 };
        let lots = position / hedgers + rest;
        let account = accounts.judged() + hedger;
        let cash = 2 * Money::from(lots.abs().max(1)) * Money::from(start);
        genesis.deposit(account, cash, mode);
        if lots != 0 {
            genesis.open(account, symbol, lots, start);
        }
    }
}
