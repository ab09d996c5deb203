//! The state of an execution, as bytes and as a hash.
//!
//! # Layout
//! ```text
//! postcard of: height | market
//! ```
//! Rules: the bytes are canonical: equal executions have equal bytes, however they came about. What
//! follows from the market at the end of a batch, or from the genesis, is no part of them.

use std::fmt;

use surgetank_layer::units::{Digest, Height};
use surgetank_market::{Market, StateMismatch};

use super::Execution;
use crate::genesis::{Genesis, InvalidGenesis};

const DOMAIN: &[u8] = b"surgetank state 1\n";

/// Bytes that are no state of a venue of this genesis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidState {
    /// Not the layout of this version.
    Malformed,
    /// The state of a venue with other rules.
    Mismatch(StateMismatch),
    /// No venue opens with the genesis.
    Genesis(InvalidGenesis),
}

impl fmt::Display for InvalidState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidState::Malformed => f.write_str("not a state of version 1"),
            InvalidState::Mismatch(error) => error.fmt(f),
            InvalidState::Genesis(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for InvalidState {}

/// Hash of the state of a venue: BLAKE3 of `"surgetank state 1\n"`, the hash of its genesis, and the
/// bytes of [`Execution::state`].
pub fn state_hash(genesis: &Digest, state: &[u8]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(DOMAIN).update(&genesis.0).update(state);
    Digest(*hasher.finalize().as_bytes())
}

impl Execution {
    /// The state after the last batch.
    pub fn state(&self) -> Vec<u8> {
        postcard::to_allocvec(&(self.height, &self.market)).expect("memory takes all bytes")
    }

    /// The execution with this state, of a venue that opened with this genesis. It executes every
    /// further batch as the one whose state it is would have.
    ///
    /// The bytes are checked for their form, and not for damage: compare [`state_hash`].
    ///
    /// # Errors
    /// Says why they are no state of this venue.
    pub fn restore(genesis: &Genesis, state: &[u8]) -> Result<Execution, InvalidState> {
        let read = postcard::take_from_bytes::<(Height, Market)>(state);
        let ((height, stored), rest) = read.map_err(|_| InvalidState::Malformed)?;
        if !rest.is_empty() {
            return Err(InvalidState::Malformed);
        }
        let rules = genesis.empty_market().map_err(InvalidState::Genesis)?;
        let market = rules.restore(stored).map_err(InvalidState::Mismatch)?;
        Ok(Execution { height, ..Execution::of(market, genesis.matching) })
    }
}
