//! European options on the perpetual's oracle price: their value and their margin.
//!
//! | module | holds |
//! |---|---|
//! | [`auction`] | the price of a portfolio's Dutch auction |
//! | [`black76`] | price and Greeks on a forward |
//! | [`chain`] | the listed options and their marks |
//! | [`contract`] | a contract and its payoff |
//! | [`grid`] | portfolio margin: the worst of many scenarios |
//!
//! Floats are confined to this folder. All transcendental functions are those of `libm`, which is
//! Rust and the same on all machines, so that results are bit-identical. A mark is rounded to a
//! tick once and a requirement to a quantum once; all later arithmetic is exact.

pub mod auction;
pub mod black76;
pub mod chain;
pub mod contract;
pub mod grid;

use serde::{Deserialize, Serialize};
use surgetank_layer::units::AccountId;

pub use auction::Auction;
pub use black76::{Greeks, Terms};
pub use chain::{Chain, ImpliedVol};
pub use contract::Contract;
pub use grid::{Requirement, Rule};

/// A venue's settings for options.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// The contracts; the venue puts them in order of expiry, strike and kind.
    pub contracts: Vec<Contract>,
    /// Implied volatility as a function of spot.
    pub vol: ImpliedVol,
    /// Portfolio-margin rule.
    pub rule: Rule,
    /// Terms of the auction of portfolios.
    pub auction: Auction,
    /// Account that buys portfolios.
    #[serde(skip)]
    pub liquidator: AccountId,
}

/// Terms of the auctions of portfolios.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OptionsDesk {
    pub auction: Auction,
    pub liquidator: AccountId,
}
