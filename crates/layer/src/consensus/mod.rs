//! Agreement on one order: two protocols with the same terms (height, value, `Decide`).
//!
//! - [`tendermint`]: Byzantine fault tolerant agreement among weighted validators.
//! - [`single`]: one node orders and the others follow; fast, and unavailable while that node is
//!   down.
//!
//! Both agree on [`Digest`](crate::units::Digest)s only. The node stores the blocks.

pub mod single;
pub mod tendermint;
