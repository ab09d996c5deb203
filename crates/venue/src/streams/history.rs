//! The newest events of all streams together, in memory of bounded size.

use std::collections::{BTreeMap, VecDeque};

use crate::event::{Event, Order, PriceLevel, Stamped, StreamKey, Trade};

/// Published events; the oldest ones go first.
#[derive(Clone, Debug)]
pub struct History {
    events: BTreeMap<StreamKey, VecDeque<Stamped>>,
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
    pub fn push(&mut self, stamped: Stamped) {
        self.bytes += bytes(&stamped);
        self.order.push_back(stamped.key);
        self.events.entry(stamped.key).or_default().push_back(stamped);
        while self.bytes > self.bytes_max {
            let Some(key) = self.order.pop_front() else { return };
            let Some(events) = self.events.get_mut(&key) else { continue };
            self.bytes -= events.pop_front().as_ref().map_or(0, bytes);
            if events.is_empty() {
                self.events.remove(&key);
            }
        }
    }

    /// Size of what is kept, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The kept events of a stream above a number, in their order.
    pub fn after(&self, key: StreamKey, number: u64) -> impl Iterator<Item = &Stamped> {
        let events = self.events.get(&key).into_iter().flatten();
        events.skip_while(move |stamped| stamped.number <= number)
    }
}

/// Memory that an event takes.
fn bytes(stamped: &Stamped) -> usize {
    let beside = match &stamped.event {
        Event::Batch(frame) => frame.len(),
        Event::Levels(levels) => size_of::<PriceLevel>() * levels.len(),
        Event::Orders(orders) => size_of::<Order>() * orders.len(),
        Event::Trades(trades) => size_of::<Trade>() * trades.len(),
        _ => 0,
    };
    size_of::<Stamped>() + size_of::<StreamKey>() + beside
}
