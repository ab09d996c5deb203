//! The opening of a venue: its markets, and what accounts have before the first message.
//!
//! Rules: positions open as if bought or sold at a given price. Per market they must sum to zero, in
//! lots and in money ([`Market::check_genesis`]): the other side of every position is an account's.
//! An entry that is refused changes nothing.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use surgetank_layer::units::{AccountId, Money, Price, Qty};

use crate::book::Book;
use crate::config::{
    ACCOUNTS_MAX, AssetPrice, BlockLimits, CollateralAsset, Config, MONEY_MAX, MarginMode,
    PRICE_MAX, QTY_MAX,
};
use crate::limits::Limits;
use crate::margin::Ledger;
use crate::mark::MarkPrice;
use crate::market::Market;
use crate::options::{Chain, Listing, OptionsDesk};
use crate::premium::Premiums;

/// The positions opened at the start do not sum to zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnbalancedGenesis {
    /// Index of the market in [`Config::symbols`].
    pub symbol: u16,
    /// Sum of its opening positions, in lots.
    pub qty: Money,
    /// Sum of their signed entry notionals, in quanta.
    pub notional: Money,
}

impl fmt::Display for UnbalancedGenesis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UnbalancedGenesis { symbol, qty, notional } = self;
        write!(
            f,
            "market {symbol}: opened positions sum to {qty} lots and {notional} quanta, not to 0; \
             open the opposite at the same prices"
        )
    }
}

impl std::error::Error for UnbalancedGenesis {}

/// What an account has at the start, or a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum OpeningEntry {
    /// Cash of each of several accounts; the first deposit opens an account and fixes its mode.
    Deposit {
        /// Number of the first account.
        account: AccountId,
        /// Number of accounts, from it on.
        count: u32,
        /// Cash of each, in quanta; not negative.
        cash: Money,
        /// Margin mode.
        mode: MarginMode,
    },
    /// Cash that an account lacks, also more than it has: it then opens bankrupt.
    Withdraw {
        /// Number of the account.
        account: AccountId,
        /// Cash taken, in quanta; not negative.
        cash: Money,
    },
    /// An amount of an accepted asset, of an account in cross mode.
    DepositAsset {
        /// Number of the account.
        account: AccountId,
        /// Index of the asset among those accepted.
        asset: u16,
        /// Amount, in lots of the market that prices it (constant price: in quanta).
        amount: Money,
    },
    /// A position, as if bought (sold, if negative) at a price. Isolated: all cash that the account
    /// has at this point backs it, so that leverage = notional / deposit.
    Open {
        /// Number of the account.
        account: AccountId,
        /// Index of the market or option.
        symbol: u16,
        /// Signed quantity, in lots.
        qty: Qty,
        /// Price, in ticks.
        price: Price,
    },
    /// The entry price of a position. It ranks positions for deleveraging, and is not money; set it
    /// after [`Market::check_genesis`].
    SetEntryPrice {
        /// Number of the account.
        account: AccountId,
        /// Index of the market or option.
        symbol: u16,
        /// Price, in ticks.
        price: Price,
    },
}

/// An entry that the venue cannot open with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidEntry {
    /// Number of its account.
    pub account: AccountId,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl fmt::Display for InvalidEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "account {}: {}", self.account, self.problem)
    }
}

impl std::error::Error for InvalidEntry {}

impl Market {
    /// A venue with empty books, one market per entry of `config.symbols`, each at its price.
    ///
    /// # Panics
    /// If [`Config::check`] refuses them.
    pub fn new(config: Config, initial_price: &[Price]) -> Market {
        config.check(initial_price).unwrap_or_else(|error| panic!("{error}"));
        let marks = config.symbols.iter().zip(initial_price);
        Market {
            books: vec![Book::default(); config.symbols.len()],
            ledger: Ledger::new(&config.symbols, initial_price),
            mark_prices: marks.map(|(s, &price)| MarkPrice::new(s.mark, price)).collect(),
            last: vec![None; config.symbols.len()],
            insurance: config.insurance,
            fees: 0,
            premiums: config.symbols.iter().map(Premiums::new).collect(),
            funding_paid: Vec::new(),
            funding_remainder: 0,
            paid: Vec::new(),
            deficit: 0,
            bad_debt: 0,
            deposits: 0,
            collateral_buyer: AccountId::MAX,
            limits: Limits::default(),
            margin_called: vec![Vec::new(); config.symbols.len()],
            desk: None,
            auctions: BTreeMap::new(),
            config,
        }
    }

    /// Lists options on market 0 at its mark. They are numbered after the markets, in order.
    /// The liquidator needs a deposit of its own, in cross mode.
    ///
    /// # Panics
    /// If [`Listing::check`] refuses them, or options are listed already.
    pub fn list(&mut self, listing: Listing) {
        listing.check().unwrap_or_else(|error| panic!("{error}"));
        let Listing { contracts, vol, rule, auction, liquidator } = listing;
        assert!(self.desk.is_none(), "options are listed already");
        self.ledger.list(Chain::new(rule, vol, contracts, self.ledger.mark(0)));
        self.desk = Some(OptionsDesk { auction, liquidator });
    }

    /// Accepts these assets as collateral, in the order in which they are sold; the buyer needs a
    /// deposit of its own, in cross mode.
    ///
    /// # Panics
    /// If [`CollateralAsset::check`] refuses one.
    pub fn accept_collateral(&mut self, assets: Vec<CollateralAsset>, buyer: AccountId) {
        for asset in &assets {
            asset.check(self.symbols()).unwrap_or_else(|error| panic!("{error}"));
        }
        self.ledger.assets.accepted = assets;
        self.collateral_buyer = buyer;
    }

    /// Sets the liquidation limits per block; the default is no limit.
    ///
    /// # Panics
    /// If [`BlockLimits::check`] refuses them.
    pub fn limit(&mut self, rules: BlockLimits) {
        rules.check().unwrap_or_else(|error| panic!("{error}"));
        self.limits.set(rules);
    }

    /// Applies an entry, before the first message.
    ///
    /// # Errors
    /// Says why the venue cannot open with it.
    pub fn apply(&mut self, entry: &OpeningEntry) -> Result<(), InvalidEntry> {
        let account = match *entry {
            OpeningEntry::Deposit { account, .. }
            | OpeningEntry::Withdraw { account, .. }
            | OpeningEntry::DepositAsset { account, .. }
            | OpeningEntry::Open { account, .. }
            | OpeningEntry::SetEntryPrice { account, .. } => account,
        };
        let entered = match *entry {
            OpeningEntry::Deposit { account, count, cash, mode } => {
                self.enter_deposits(account, count, cash, mode)
            }
            _ if !self.ledger.has_account(account) => Err("it has no deposit before this entry"),
            OpeningEntry::Withdraw { account, cash } => self.enter_withdrawal(account, cash),
            OpeningEntry::DepositAsset { account, asset, amount } => {
                self.enter_asset(account, asset, amount)
            }
            OpeningEntry::Open { account, symbol, qty, price } => {
                self.enter_position(account, symbol, qty, price)
            }
            OpeningEntry::SetEntryPrice { symbol, .. }
                if usize::from(symbol) >= self.ledger.symbols() =>
            {
                Err("no such market")
            }
            OpeningEntry::SetEntryPrice { price, .. } if !(1..=PRICE_MAX).contains(&price) => {
                Err("price out of bounds")
            }
            OpeningEntry::SetEntryPrice { account, symbol, price } => {
                self.ledger.set_entry(account, usize::from(symbol), price);
                Ok(())
            }
        };
        entered.map_err(|problem| InvalidEntry { account, problem })
    }

    fn enter_deposits(
        &mut self,
        first: AccountId,
        count: u32,
        cash: Money,
        mode: MarginMode,
    ) -> Result<(), &'static str> {
        if first >= ACCOUNTS_MAX || count > ACCOUNTS_MAX - first {
            return Err("its number is too large");
        }
        if mode == MarginMode::Portfolio && self.desk.is_none() {
            return Err("options are listed before a portfolio account is opened");
        }
        let room = MONEY_MAX - self.config.insurance - self.deposits;
        if cash < 0 || cash > room / Money::from(count.max(1)) {
            return Err("the deposit is negative, or all deposits are more than can be counted");
        }
        self.deposits += cash * Money::from(count);
        // From the last one down, so that the ledger grows once.
        for account in (first..first + count).rev() {
            self.ledger.deposit(account, cash, mode);
        }
        Ok(())
    }

    fn enter_withdrawal(&mut self, account: AccountId, cash: Money) -> Result<(), &'static str> {
        if !(0..=MONEY_MAX).contains(&cash) || self.deposits - cash < -MONEY_MAX {
            return Err("the amount withdrawn is out of bounds");
        }
        let mode = self.ledger.mode(account).unwrap_or(MarginMode::Cross);
        self.deposits -= cash;
        self.ledger.deposit(account, -cash, mode);
        Ok(())
    }

    fn enter_asset(
        &mut self,
        account: AccountId,
        asset: u16,
        amount: Money,
    ) -> Result<(), &'static str> {
        if self.ledger.mode(account) != Some(MarginMode::Cross) {
            return Err("assets need cross mode");
        }
        let asset = usize::from(asset);
        let accepted = self.ledger.assets.accepted.get(asset).ok_or("no such collateral asset")?;
        let most = match accepted.price {
            AssetPrice::Mark { .. } => Money::from(QTY_MAX),
            AssetPrice::Constant {} => MONEY_MAX,
        };
        let held = self.ledger.asset(account, asset);
        if amount < 0 || amount > most - held {
            return Err("the amount of the asset is out of bounds");
        }
        self.ledger.add_asset(account, asset, amount);
        Ok(())
    }

    fn enter_position(
        &mut self,
        account: AccountId,
        symbol: u16,
        qty: Qty,
        price: Price,
    ) -> Result<(), &'static str> {
        let s = usize::from(symbol);
        if s >= self.ledger.symbols() {
            return Err("no such market");
        }
        let has_book = s < self.books.len();
        if !has_book && !self.ledger.is_cross(account) {
            return Err("options need cross margin");
        }
        if !(i64::from(has_book)..=PRICE_MAX).contains(&price) {
            return Err("price out of bounds");
        }
        let held = self.ledger.position(account, s).qty;
        if held.checked_add(qty).is_none_or(|after| !(-QTY_MAX..=QTY_MAX).contains(&after)) {
            return Err("quantity out of bounds");
        }
        self.ledger.trade(account, s, qty, price);
        if self.ledger.position(account, s).qty == 0 {
            self.ledger.release_margin(account, s);
        } else {
            self.ledger.allocate_margin(account, s, MONEY_MAX);
        }
        Ok(())
    }

    /// Whether the positions opened in each market sum to zero, in quantity and in money, which
    /// conservation of money requires before the first message.
    pub fn check_genesis(&self) -> Result<(), UnbalancedGenesis> {
        for (symbol, s) in (0..self.ledger.symbols()).zip(0..) {
            let positions = self.accounts().map(|account| self.ledger.position(account, symbol));
            let qty = positions.clone().map(|p| Money::from(p.qty)).sum();
            let notional = positions.map(|p| p.cost).sum();
            if (qty, notional) != (0, 0) {
                return Err(UnbalancedGenesis { symbol: s, qty, notional });
            }
        }
        Ok(())
    }
}

/// Single entries.
impl Market {
    /// Opens an account or adds to its cash; see [`OpeningEntry::Deposit`].
    ///
    /// # Panics
    /// If [`Market::apply`] refuses it.
    pub fn deposit(&mut self, account: AccountId, cash: Money, mode: MarginMode) {
        self.apply_or_panic(&OpeningEntry::Deposit { account, count: 1, cash, mode });
    }

    /// Adds an amount of an asset to an account's collateral; see [`OpeningEntry::DepositAsset`].
    ///
    /// # Panics
    /// If [`Market::apply`] refuses it.
    pub fn deposit_asset(&mut self, account: AccountId, asset: u16, amount: Money) {
        self.apply_or_panic(&OpeningEntry::DepositAsset { account, asset, amount });
    }

    /// Gives an account a position; see [`OpeningEntry::Open`].
    ///
    /// # Panics
    /// If [`Market::apply`] refuses it.
    pub fn open(&mut self, account: AccountId, symbol: u16, qty: Qty, price: Price) {
        self.apply_or_panic(&OpeningEntry::Open { account, symbol, qty, price });
    }

    fn apply_or_panic(&mut self, entry: &OpeningEntry) {
        self.apply(entry).unwrap_or_else(|error| panic!("{error}"));
    }
}
