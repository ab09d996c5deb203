//! Fair order: one order made of the orders in which many replicas saw the messages.
//!
//! [`order`] is the machine after Themis: a message that a share γ of the replicas saw before
//! another is put into no later batch. [`median`] is the machine after the decentralised Timeboost:
//! a message is in when enough replicas list it; who is first is drawn by lot, or by median time.
//! [`themis`] and [`graph`] are the pure parts of the first. [`report`] is what replicas state. `docs/fairness.md` says what each
//! promises, and what not.

pub mod graph;
pub mod median;
pub mod order;
pub mod report;
pub mod themis;
