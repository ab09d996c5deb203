//! Numbers of events: how many each stream has had.

use std::collections::BTreeMap;

use crate::encoding::fields;
use crate::event::StreamKey;

/// Number of the last event of each stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters(BTreeMap<StreamKey, u64>);

/// Number of the last event of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    key: StreamKey,
    last: u64,
}

fields!(Counter { key, last });

impl Counters {
    /// Number of the last event of a stream; 0: it has had none.
    pub fn last(&self, key: StreamKey) -> u64 {
        self.0.get(&key).copied().unwrap_or(0)
    }

    /// Numbers the next events of a stream, so many. Returns the number of the first.
    pub fn take(&mut self, key: StreamKey, count: u64) -> u64 {
        let last = self.0.entry(key).or_default();
        *last += count;
        *last - count + 1
    }

    /// All counters.
    pub fn state(&self) -> Vec<Counter> {
        self.0.iter().map(|(&key, &last)| Counter { key, last }).collect()
    }

    /// The counters of [`Counters::state`].
    pub fn restore(state: Vec<Counter>) -> Counters {
        Counters(state.into_iter().map(|counter| (counter.key, counter.last)).collect())
    }
}
