//! The genesis of a venue: its rules, and what accounts have before the first batch.
//!
//! # Layout
//! ```text
//! "surgetank genesis 1\n" | a JSON object, the fields of Genesis
//! ```
//! Its hash is BLAKE3 of these bytes. Rules name the venue's own accounts nowhere but in
//! [`Genesis::liquidator`] and [`Genesis::vault`].

use std::fmt;

use serde::{Deserialize, Serialize};
use surgetank_layer::units::{AccountId, Digest, Money, Ns, Price, Qty};
use surgetank_market::options::Listing;
use surgetank_market::{
    BlockLimits, CloseOut, CollateralAsset, Config, InvalidEntry, InvalidRules, MarginMode, Market,
    OpeningEntry, SymbolConfig, UnbalancedGenesis,
};

const MAGIC: &[u8] = b"surgetank genesis 1\n";

/// Matching of orders.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Matching {
    /// Continuous matching, one order after the other.
    Continuous,
    /// A call auction per batch, at one price (Budish, Cramton and Shim).
    Auction,
}

/// A perpetual at the start.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Perpetual {
    /// Name of the perpetual.
    pub name: String,
    /// Smallest price step, in USD.
    pub tick_usd: f64,
    /// Smallest quantity, in coins. A tick times a lot is the same money in all perpetuals.
    pub lot: f64,
    /// Price at the start, in ticks.
    pub price: Price,
    /// Its rules.
    pub rules: SymbolConfig,
}

/// Everything that a venue opens with.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// Time 0 of its executions, in nanoseconds since 1970; 0 in simulations.
    pub start_ns: Ns,
    /// Matching of orders.
    pub matching: Matching,
    /// Its perpetuals, by market index.
    pub perpetuals: Vec<Perpetual>,
    /// Options on the first perpetual.
    pub options: Option<Listing>,
    /// Insurance fund, in quanta.
    pub insurance: Money,
    /// Liquidation limits per batch.
    pub limits: Option<BlockLimits>,
    /// Assets accepted as collateral, in the order in which they are sold.
    pub collateral: Vec<CollateralAsset>,
    /// Account that hedges outside: buyer of collateral, of portfolios, and of positions that are
    /// closed out at the oracle price.
    pub liquidator: AccountId,
    /// Account of the backstop vault.
    pub vault: AccountId,
    /// What accounts have, in this order.
    pub entries: Vec<OpeningEntry>,
    /// Entry prices of positions, set once these are balanced.
    pub entry_prices: Vec<OpeningEntry>,
}

/// Bytes that are no genesis, or one with which no venue can open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidGenesis {
    /// Not the layout of this version.
    Malformed(String),
    /// Rules out of bounds or out of order.
    Rules(InvalidRules),
    /// An entry that the venue cannot open with.
    Entry(InvalidEntry),
    /// Positions without another side.
    Unbalanced(UnbalancedGenesis),
}

impl fmt::Display for InvalidGenesis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidGenesis::Malformed(what) => write!(f, "not a genesis of version 1: {what}"),
            InvalidGenesis::Rules(error) => error.fmt(f),
            InvalidGenesis::Entry(error) => error.fmt(f),
            InvalidGenesis::Unbalanced(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for InvalidGenesis {}

impl Genesis {
    /// Its bytes, as a journal has them.
    pub fn to_bytes(&self) -> Vec<u8> {
        let json = serde_json::to_vec(self).expect("a struct without maps is JSON");
        [MAGIC, &json].concat()
    }

    /// Reads a genesis.
    ///
    /// # Errors
    /// [`InvalidGenesis::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Genesis, InvalidGenesis> {
        let other = || InvalidGenesis::Malformed("it begins otherwise".to_owned());
        let json = bytes.strip_prefix(MAGIC).ok_or_else(other)?;
        serde_json::from_slice(json).map_err(|error| InvalidGenesis::Malformed(error.to_string()))
    }

    /// Hash of its bytes.
    pub fn hash(&self) -> Digest {
        Digest(*blake3::hash(&self.to_bytes()).as_bytes())
    }

    /// The venue under its rules, without accounts.
    ///
    /// # Errors
    /// [`InvalidGenesis::Rules`].
    pub fn empty_market(&self) -> Result<Market, InvalidGenesis> {
        let symbols = self.perpetuals.iter().map(|perpetual| self.named(&perpetual.rules));
        let config = Config { symbols: symbols.collect(), insurance: self.insurance };
        let prices: Vec<Price> = self.perpetuals.iter().map(|perpetual| perpetual.price).collect();
        config.check(&prices).map_err(InvalidGenesis::Rules)?;
        let mut market = Market::new(config, &prices);
        if let Some(limits) = self.limits {
            limits.check().map_err(InvalidGenesis::Rules)?;
            market.limit(limits);
        }
        for asset in &self.collateral {
            asset.check(market.symbols()).map_err(InvalidGenesis::Rules)?;
        }
        market.accept_collateral(self.collateral.clone(), self.liquidator);
        if let Some(options) = &self.options {
            options.check().map_err(InvalidGenesis::Rules)?;
            market.list(Listing { liquidator: self.liquidator, ..options.clone() });
        }
        Ok(market)
    }

    /// The venue as it opens.
    ///
    /// # Errors
    /// Says why no venue can open so.
    pub fn market(&self) -> Result<Market, InvalidGenesis> {
        let mut market = self.empty_market()?;
        let enter = |market: &mut Market, entries: &[OpeningEntry]| {
            entries.iter().try_for_each(|entry| market.apply(entry)).map_err(InvalidGenesis::Entry)
        };
        enter(&mut market, &self.entries)?;
        market.check_genesis().map_err(InvalidGenesis::Unbalanced)?;
        enter(&mut market, &self.entry_prices)?;
        Ok(market)
    }

    /// The rules of a perpetual, with the accounts that they name.
    fn named(&self, rules: &SymbolConfig) -> SymbolConfig {
        let mut rules = rules.clone();
        if let CloseOut::Oracle { against, .. } = &mut rules.close_out {
            *against = self.liquidator;
        }
        if let Some(backstop) = &mut rules.backstop {
            backstop.vault = self.vault;
        }
        rules
    }
}

/// Entries, as [`OpeningEntry`] describes them.
impl Genesis {
    /// Adds cash. Neighbouring accounts of equal deposits become one entry.
    pub fn deposit(&mut self, account: AccountId, cash: Money, mode: MarginMode) {
        if let Some(OpeningEntry::Deposit { account: first, count, cash: each, mode: same }) =
            self.entries.last_mut()
            && account.checked_sub(*first) == Some(*count)
            && (*each, *same) == (cash, mode)
        {
            *count += 1;
            return;
        }
        self.entries.push(OpeningEntry::Deposit { account, count: 1, cash, mode });
    }

    /// Takes cash.
    pub fn withdraw(&mut self, account: AccountId, cash: Money) {
        self.entries.push(OpeningEntry::Withdraw { account, cash });
    }

    /// Adds an amount of an asset.
    pub fn deposit_asset(&mut self, account: AccountId, asset: u16, amount: Money) {
        self.entries.push(OpeningEntry::DepositAsset { account, asset, amount });
    }

    /// Adds a position.
    pub fn open(&mut self, account: AccountId, symbol: u16, qty: Qty, price: Price) {
        self.entries.push(OpeningEntry::Open { account, symbol, qty, price });
    }

    /// Sets the entry price of a position.
    pub fn set_entry_price(&mut self, account: AccountId, symbol: u16, price: Price) {
        self.entry_prices.push(OpeningEntry::SetEntryPrice { account, symbol, price });
    }
}
