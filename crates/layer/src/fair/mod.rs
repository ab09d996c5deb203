//! Fair ordering: one order aggregated from the receive orders of many replicas.
//!
//! [`order`] is the machine after Themis: a message that a share γ of the replicas received before
//! another is put into no later batch. [`median`] is the machine after the decentralised Timeboost:
//! a message is included when enough replicas list it; the order is drawn by lot, or by median
//! time. [`themis`] and [`graph`] are the pure parts of the first. [`crate::order_report`] is
//! the signed report of a replica. `docs/fairness.md` states the guarantees of each.

pub mod graph;
pub mod median;
pub mod order;
pub mod themis;
