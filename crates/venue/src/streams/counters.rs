//! Numbers of events: how many each stream has had.

use std::collections::BTreeMap;

use surgetank_layer::codec::Read;

use crate::encoding::{Encoded, fields};
use crate::event::StreamKey;

/// Number of the last event of each stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters(BTreeMap<StreamKey, u64>);

struct Counter {
    key: StreamKey,
    last: u64,
}

fields!(Counter { key, last });

impl Counters {
    /// Number of the last event of a stream; 0: it has had none.
    pub fn last(&self, key: StreamKey) -> u64 {
        self.0.get(&key).copied().unwrap_or(0)
    }

    /// Number of the stream's next event, which is its last one from now on.
    pub fn next(&mut self, key: StreamKey) -> u64 {
        let last = self.0.entry(key).or_default();
        *last += 1;
        *last
    }

    /// The counters as bytes.
    pub fn state(&self) -> Vec<u8> {
        let counters = self.0.iter().map(|(&key, &last)| Counter { key, last });
        counters.collect::<Vec<_>>().to_bytes()
    }

    /// The counters of [`Counters::state`].
    ///
    /// # Errors
    /// The bytes are not such a state.
    pub fn restore(state: &[u8]) -> Read<Counters> {
        let counters = Vec::<Counter>::from_bytes(state)?;
        Ok(Counters(counters.into_iter().map(|counter| (counter.key, counter.last)).collect()))
    }
}
