//! Agreement on one order: protocols with the same terms (height, value, `Decide`).
//!
//! - [`tendermint`]: Byzantine fault tolerant agreement among weighted validators, height by height.
//! - [`hotstuff`]: the same guarantee in a pipeline, with votes to one node only.
//! - [`simplex`]: the same guarantee with a block in every iteration, the next of which begins before
//!   it is decided.
//! - [`chain`]: what these two have in common.
//! - [`dag`]: the same guarantee over a graph of vertices that all validators make at the same time,
//!   ordered by a common coin (Tusk), or by anchors in turn (Bullshark).
//! - [`single`]: one node orders and the others follow; fast, and unavailable while that node is
//!   down.
//!
//! All agree on [`Digest`](crate::units::Digest)s only. The node stores the blocks.

pub mod chain;
pub mod dag;
mod electorate;
pub mod hotstuff;
pub mod simplex;
pub mod single;
pub mod tendermint;
