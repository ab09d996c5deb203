//! The newest events of all streams together, in memory of bounded size.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::published::Published;
use crate::event::{Stamped, StreamKey};

/// Published events; the oldest ones go first.
#[derive(Clone, Debug)]
pub struct History {
    events: BTreeMap<StreamKey, VecDeque<Arc<Published>>>,
    /// Streams of the events, in the order in which they were published.
    order: VecDeque<StreamKey>,
    bytes: usize,
    bytes_max: usize,
}

impl History {
    /// No events yet, and never more than `bytes_max` of them.
    pub fn new(bytes_max: usize) -> History {
        History { events: BTreeMap::new(), order: VecDeque::new(), bytes: 0, bytes_max }
    }

    /// Keeps an event, whose number is one more than that of its stream's last one.
    pub fn push(&mut self, event: Arc<Published>) {
        self.bytes += event.bytes();
        self.order.push_back(event.key);
        self.events.entry(event.key).or_default().push_back(event);
        while self.bytes > self.bytes_max {
            let Some(key) = self.order.pop_front() else { return };
            let Some(events) = self.events.get_mut(&key) else { continue };
            self.bytes -= events.pop_front().map_or(0, |event| event.bytes());
            if events.is_empty() {
                self.events.remove(&key);
            }
        }
    }

    /// Sets the epoch of all events, which no reader shares yet.
    pub fn set_epoch(&mut self, epoch: u32) {
        for event in self.events.values_mut().flatten() {
            *event = Arc::new(Published::new(Stamped { epoch, ..Stamped::clone(event) }));
        }
    }

    /// Size of what is kept, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The kept events of a stream above a number, in their order.
    pub fn after(&self, key: StreamKey, number: u64) -> impl Iterator<Item = &Arc<Published>> {
        let events = self.events.get(&key).into_iter().flatten();
        events.skip_while(move |event| event.number <= number)
    }
}
