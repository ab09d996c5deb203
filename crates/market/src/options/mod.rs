//! European options on the perpetual's oracle price: their value, their margin, their accounts.
//!
//! | module | holds |
//! |---|---|
//! | [`auction`] | the price at which portfolios are sold |
//! | [`black76`] | price and Greeks on a forward |
//! | [`chain`] | what is listed, and its marks |
//! | [`contract`] | a contract, and what it pays |
//! | [`grid`] | portfolio margin: the worst of many scenarios |
//!
//! Floats are confined to this folder. All transcendental functions are those of `libm`, which is
//! Rust and the same everywhere, so that the same bytes come out on any machine. A mark is rounded
//! to a tick once and a requirement to a quantum once; what is done with them after is exact.

pub mod auction;
pub mod black76;
pub mod chain;
pub mod contract;
pub mod grid;

use std::collections::BTreeMap;

use surgetank_layer::units::{AccountId, Ns};

pub use auction::Auction;
pub use black76::{Greeks, Terms};
pub use chain::{Chain, ImpliedVol};
pub use contract::Contract;
pub use grid::{Requirement, Rule};

/// What a venue sets for its options.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing {
    /// The contracts; the venue puts them in order of expiry, strike and kind.
    pub contracts: Vec<Contract>,
    /// Implied volatility.
    pub vol: ImpliedVol,
    /// What is required of portfolios.
    pub rule: Rule,
    /// How they are sold.
    pub auction: Auction,
    /// Who buys them.
    pub liquidator: AccountId,
}

/// Auctions that are open.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub auction: Auction,
    pub liquidator: AccountId,
    /// When the auction of an account was opened.
    pub auctions: BTreeMap<AccountId, Ns>,
}
