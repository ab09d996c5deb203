//! Agreement on one order: protocols with the same terms (height, value, `Decide`).
//!
//! - [`tendermint`]: Byzantine fault tolerant agreement among weighted validators, height by height.
//! - [`hotstuff`]: the same guarantee in a pipeline, with votes to one node only.
//! - [`single`]: one node orders and the others follow; fast, and unavailable while that node is
//!   down.
//!
//! All agree on [`Digest`](crate::units::Digest)s only. The node stores the blocks.

mod electorate;
pub mod hotstuff;
pub mod single;
pub mod tendermint;
