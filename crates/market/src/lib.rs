//! surgetank-market: what messages mean: the execution environment of a venue of linear perpetuals.
//!
//! A [`Market`] is a pure function of the ordered messages it executes: no clock, no randomness, no
//! hash order, no floats outside [`options`]. It sees messages, not how they were transported.
//! Prices are ticks, quantities lots, money quanta (tick × lot), so price × quantity is exact.
//!
//! | module | holds |
//! |---|---|
//! | `bounds` | bounds of prices, quantities and money |
//! | [`facts`] | what executing a message did |
//! | [`book`] | resting orders in price–time order |
//! | [`mark`] | the price at which margin is measured |
//! | [`options`] | option contracts, their value, the grid of portfolio margin |
//! | [`config`] | a venue's settings |
//! | `rules` | whether a venue can open with its settings |
//! | `limits` | liquidation limits per block |
//! | `premium` | premiums over the oracle price, funding rates |
//! | [`margin`] | accounts, positions, equity, requirements |
//! | `market` | a venue's state and its read access |
//! | `opening` | its markets and accounts before the first message |
//! | `settlement` | booking of trades, bad debt, cancels of resting orders |
//! | `orders` | admission and matching of orders |
//! | `accounts` | requests that open accounts, move cash, cancel all orders |
//! | `liquidation` | close-out, insurance fund, auto-deleveraging |
//! | `execute` | execution of one message; marks and margin calls |
//! | `funding` | funding payments |
//! | [`auction`] | a batch of orders at one price |
//!
//! Each imports only modules above it in this table.
//!
//! Money is conserved: [`Market::total_money`] changes by deposits and withdrawals only.

mod accounts;
pub mod auction;
pub mod book;
mod bounds;
pub mod config;
mod execute;
pub mod facts;
mod funding;
mod limits;
mod liquidation;
pub mod margin;
pub mod mark;
mod market;
mod opening;
pub mod options;
mod orders;
mod premium;
mod rules;
mod settlement;

pub use crate::config::{
    ACCOUNTS_MAX, AssetPrice, Average, Backstop, BlockLimits, CloseOut, CollateralAsset, Config,
    Fillable, Formula, Funding, MONEY_MAX, MarginMode, OpenInterestCap, PPM, PRICE_MAX, Partial,
    Protection, QTY_MAX, SymbolConfig, Tier,
};
pub use crate::facts::{Bearer, CancelReason, Deferral, Fact, Reject};
pub use crate::margin::StateMismatch;
pub use crate::mark::{HYPERLIQUID_EMA_NS, Mark};
pub use crate::market::{Best, Market};
pub use crate::opening::{InvalidEntry, OpeningEntry, UnbalancedGenesis};
pub use crate::rules::InvalidRules;
