//! The opening of a venue: its markets, and what accounts have before the first message.
//!
//! Rules: positions open as if bought or sold at a given price. Per market they must sum to zero, in
//! lots and in money ([`Market::check_genesis`]): the other side of every position is an account's.

use std::collections::BTreeMap;
use std::fmt;

use surgetank_layer::units::{AccountId, Money, Price, Qty};

use crate::book::Book;
use crate::config::{
    AssetPrice, BlockLimits, CloseOut, CollateralAsset, Config, MONEY_MAX, MarginMode,
    OpenInterestCap, PPM, PRICE_MAX, QTY_MAX, SymbolConfig,
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

/// # Panics
/// If a rate or bound of the margin or funding rules is out of bounds or out of order.
fn check_margin(rules: &SymbolConfig) {
    let (mut above, mut rates) = (0, (rules.initial_margin_ppm, rules.maintenance_margin_ppm));
    for tier in &rules.tiers {
        let next = (tier.initial_ppm, tier.maintenance_ppm);
        assert!((above + 1..=MONEY_MAX).contains(&tier.above), "bounds of margin tiers must rise");
        assert!(next.0 >= rates.0 && next.1 >= rates.1, "rates of margin tiers must not fall");
        (above, rates) = (tier.above, next);
    }
    assert!(rates.1 < PPM, "maintenance margin must be below 100 %");
    assert!(rates.0 <= PPM, "initial margin must not exceed 100 %");
    if let Some(funding) = rules.funding {
        assert!(funding.sample_ns > 0 && funding.interval_ns > 0, "funding intervals are positive");
        assert!((1..=MONEY_MAX).contains(&funding.impact), "impact notional out of bounds");
    }
    if let Some(OpenInterestCap { lower, upper }) = rules.open_interest_cap {
        let in_order = 0 <= lower && lower < upper && upper <= MONEY_MAX;
        assert!(in_order, "caps of open interest must rise");
    }
}

impl Market {
    /// A venue with empty books, one market per entry of `config.symbols`, each at its price.
    ///
    /// # Panics
    /// If the numbers of markets and prices differ, or one is out of bounds (see [`config`]).
    pub fn new(config: Config, initial_price: &[Price]) -> Market {
        assert_eq!(config.symbols.len(), initial_price.len(), "one initial price per market");
        for (rules, price) in config.symbols.iter().zip(initial_price) {
            assert!((1..=PRICE_MAX).contains(price), "initial price {price} out of bounds");
            check_margin(rules);
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
    /// If a strike is out of bounds, the auction's price does not fall, or options are listed.
    pub fn list(&mut self, listing: Listing) {
        let Listing { contracts, vol, rule, auction, liquidator } = listing;
        assert!(self.desk.is_none(), "options are listed already");
        let falls = auction.knee_ppm <= auction.start_ppm && auction.start_ppm <= PPM;
        assert!(falls, "an auction must start at most at mark value, and fall");
        self.ledger.list(Chain::new(rule, vol, contracts, self.ledger.mark(0)));
        self.desk = Some(OptionsDesk { auction, liquidator });
    }

    /// Accepts these assets as collateral, in the order in which they are sold; the buyer needs a
    /// deposit of its own, in cross mode.
    ///
    /// # Panics
    /// If a haircut is 100 % or more, or an asset names a market that is not there.
    pub fn accept_collateral(&mut self, assets: Vec<CollateralAsset>, buyer: AccountId) {
        for CollateralAsset { price, haircut_ppm } in &assets {
            assert!(*haircut_ppm < PPM, "a haircut must be below 100 %");
            if let AssetPrice::Mark { symbol } = price {
                assert!(usize::from(*symbol) < self.books.len(), "no market {symbol}");
            }
        }
        self.ledger.assets.accepted = assets;
        self.collateral_buyer = buyer;
    }

    /// Adds an amount of an accepted asset to an account's collateral: in lots of the market that
    /// prices it, or in quanta where its price is constant.
    ///
    /// # Panics
    /// If the account is not open in cross mode, there is no such asset, or the amount is out of
    /// bounds.
    pub fn deposit_asset(&mut self, account: AccountId, asset: u16, amount: Money) {
        let mode = self.ledger.mode(account);
        assert!(mode == Some(MarginMode::Cross), "account {account}: assets need cross mode");
        let asset = usize::from(asset);
        let Some(accepted) = self.ledger.assets.accepted.get(asset) else {
            panic!("no collateral asset {asset}");
        };
        let most = match accepted.price {
            AssetPrice::Mark { .. } => Money::from(QTY_MAX),
            AssetPrice::Constant {} => MONEY_MAX,
        };
        assert!((0..=most).contains(&amount), "account {account}: amount out of bounds");
        self.ledger.add_asset(account, asset, amount);
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
        assert!(self.ledger.has_account(account), "account {account}: deposit before you open");
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
            self.ledger.release_margin(account, s);
        } else {
            self.ledger.allocate_margin(account, s, MONEY_MAX);
        }
    }

    /// Takes cash from an account before the first message, also more than it has: the account then
    /// opens bankrupt.
    ///
    /// # Panics
    /// If the account has no deposit, or the amount is negative or beyond [`MONEY_MAX`].
    pub fn withdraw(&mut self, account: AccountId, cash: Money) {
        assert!(self.ledger.has_account(account), "account {account}: deposit before you withdraw");
        assert!((0..=MONEY_MAX).contains(&cash), "account {account}: {cash} out of bounds");
        let mode = self.ledger.mode(account).unwrap_or(MarginMode::Cross);
        self.deposits -= cash;
        self.ledger.deposit(account, -cash, mode);
    }

    /// Sets the entry price of a position before the first message. It ranks positions for
    /// deleveraging, and is not money.
    ///
    /// # Panics
    /// If the price is out of bounds.
    pub fn set_entry(&mut self, account: AccountId, symbol: u16, price: Price) {
        assert!((1..=PRICE_MAX).contains(&price), "account {account}: price out of bounds");
        self.ledger.set_entry(account, usize::from(symbol), price);
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

    /// Sets the liquidation limits per block; the default is no limit.
    ///
    /// # Panics
    /// If the share is above 100 %.
    pub fn limit(&mut self, rules: BlockLimits) {
        assert!(rules.position_share_ppm <= PPM, "share of a position above 100 %");
        self.limits.set(rules);
    }
}
