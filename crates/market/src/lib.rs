//! surgetank-market: what messages mean. The execution environment of a venue of linear perpetuals.
//!
//! A [`Market`] is a pure function of the ordered messages it executes: no clock, no chance, no
//! hash order, no floats outside [`options`]. It knows messages, and not how they travelled. Prices are ticks,
//! quantities lots, money quanta (tick × lot), so price × quantity is exact.
//!
//! | module | holds |
//! |---|---|
//! | `bounds` | the bounds of numbers |
//! | [`facts`] | what executing a message did |
//! | [`book`] | resting orders in price–time order |
//! | [`mark`] | the price at which margin is measured |
//! | [`options`] | option contracts, their value, the grid of portfolio margin |
//! | [`config`] | what a venue sets |
//! | `limits` | what a block may liquidate |
//! | [`margin`] | accounts, positions, equity, requirements |
//! | `market` | what a venue holds, and what can be seen of it |
//! | `settlement` | trades are booked, debts borne, orders taken out |
//! | `orders` | admission and matching of orders |
//! | `liquidation` | close-outs, insurance fund, auto-deleveraging |
//! | `execute` | one message; marks and margin calls |
//! | [`auction`] | a batch of orders at one price |
//!
//! Each imports only modules above it in this table.
//!
//! Money is conserved: [`Market::total_money`] changes by deposits and by nothing else.

pub mod auction;
pub mod book;
mod bounds;
pub mod config;
mod execute;
pub mod facts;
mod limits;
mod liquidation;
pub mod margin;
pub mod mark;
mod market;
pub mod options;
mod orders;
mod settlement;

pub use crate::config::{
    Backstop, CloseOut, Config, Fillable, MONEY_MAX, MarginMode, PPM, PRICE_MAX, Partial, PerBlock,
    Protection, QTY_MAX, SymbolConfig,
};
pub use crate::facts::{Bearer, CancelReason, Deferral, Fact, Reject};
pub use crate::mark::{HYPERLIQUID_EMA_NS, Mark};
pub use crate::market::{Best, Imbalance, Market};
