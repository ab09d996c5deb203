//! European options on the perpetual's oracle price: their value, their margin, their accounts.
//!
//! | module | holds |
//! |---|---|
//! | [`black76`] | price and Greeks on a forward |
//! | [`contract`] | a contract, and what it pays |
//! | [`grid`] | portfolio margin: the worst of many scenarios |
//!
//! Floats are confined to this folder. All transcendental functions are those of `libm`, which is
//! Rust and the same everywhere, so that the same bytes come out on any machine. A mark is rounded
//! to a tick once and a requirement to a quantum once; what is done with them after is exact.

pub mod black76;
pub mod contract;
pub mod grid;
