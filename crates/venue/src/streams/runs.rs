//! Runs: the events of one stream that one record has caused, which lie one behind the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use surgetank_layer::units::Ns;

use super::published::{self, Published};
use crate::event::{Event, Stamped, StreamKey};

/// Events by stream, each stream's in the order in which they happened.
#[derive(Clone, Debug, Default)]
pub struct EventsByStream(BTreeMap<StreamKey, Vec<Event>>);

impl EventsByStream {
    /// Adds an event behind all others of its stream.
    pub fn push(&mut self, key: StreamKey, event: Event) {
        // Most streams have one event of a batch.
        self.0.entry(key).or_insert_with(|| Vec::with_capacity(1)).push(event);
    }
}

impl IntoIterator for EventsByStream {
    type Item = (StreamKey, Vec<Event>);
    type IntoIter = std::collections::btree_map::IntoIter<StreamKey, Vec<Event>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Events of a stream with consecutive numbers; at least one.
#[derive(Clone, Debug)]
pub struct Run {
    /// The stream.
    pub key: StreamKey,
    /// History to which the numbers belong.
    pub epoch: u32,
    /// Number of the first event.
    pub first: u64,
    /// Place in the journal of the last request of the batch that caused them.
    pub sequence: u64,
    /// Time at which that batch was sealed.
    pub time_ns: Ns,
    /// The events.
    pub events: Vec<Event>,
}

impl Run {
    /// Number of the last event.
    pub fn last(&self) -> u64 {
        self.first + self.events.len() as u64 - 1
    }

    /// The events above a number, as readers share them.
    pub fn after(&self, number: u64) -> impl Iterator<Item = Arc<Published>> + '_ {
        let Run { key, epoch, first, sequence, time_ns, ref events } = *self;
        let numbered = (first..).zip(events).filter(move |(at, _)| *at > number);
        numbered.map(move |(number, event)| {
            let (previous, event) = (number - 1, event.clone());
            let stamped = Stamped { key, epoch, number, previous, sequence, time_ns, event };
            Arc::new(Published::new(stamped))
        })
    }

    /// Memory that the run takes, roughly.
    pub fn bytes(&self) -> usize {
        let beside: usize = self.events.iter().map(Event::bytes).sum();
        // Places in a queue that may be half empty, and those of its stream.
        let places = 2 * size_of::<Run>() + 2 * size_of::<StreamKey>() + 100;
        places + self.events.capacity() * size_of::<Event>() + beside
    }

    /// Memory that the events take as readers share them, roughly.
    pub fn shared_bytes(&self) -> usize {
        self.events.iter().map(published::bytes).sum()
    }
}
