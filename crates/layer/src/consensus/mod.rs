//! How nodes agree on one order: two choices behind the same words (height, value, `Decide`).
//!
//! - [`tendermint`]: Byzantine fault tolerant agreement among weighted validators.
//! - [`single`]: one node orders and the others follow; fast, and stops when that node stops.
//!
//! Both agree on [`Digest`](crate::units::Digest)s only. The node keeps the blocks behind them.

pub mod single;
pub mod tendermint;
