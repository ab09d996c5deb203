//! Conflation: a congested connection is sent the newest state instead of every event.
//!
//! # Rules
//! 1. Only [`StreamKey::Book`] and [`StreamKey::Prices`] are conflated, and only where the
//!    subscription asks for it. All else waits, and ends the connection if it waits in excess.
//! 2. While a connection is congested, nothing of such a stream is sent. When it is not any more, one
//!    event follows with all levels that have changed, or one with the prices and one with the last
//!    funding payment. They name, as `previous`, the last number that was sent.
//! 3. What is remembered is bounded: at most [`PRICES_MAX`] prices per connection. Beyond that, the
//!    events that were left out are a gap, and the reader asks for the stream's state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use surgetank_layer::message::Side;
use surgetank_layer::units::Price;
use surgetank_market::Market;

use super::published::{CatchUp, Published};
use crate::event::{Event, PriceLevel, Stamped, StreamKey};
use crate::wire::{ConnectionId, Gap, GapReason};

/// Prices whose levels are remembered for a congested connection.
pub const PRICES_MAX: usize = 10_000;

/// Whether events of this stream can be merged.
pub fn is_conflatable(key: StreamKey) -> bool {
    matches!(key, StreamKey::Book(_) | StreamKey::Prices(_))
}

/// Congested connections, and what was left out for each.
#[derive(Clone, Debug, Default)]
pub struct Conflation(BTreeMap<ConnectionId, LeftOut>);

#[derive(Clone, Debug, Default)]
struct LeftOut {
    streams: BTreeMap<StreamKey, Merged>,
    prices: usize,
}

#[derive(Clone, Debug)]
struct Merged {
    /// Number of the last event that was sent.
    sent: u64,
    last: Arc<Published>,
    levels: BTreeSet<(Side, Price)>,
    /// Whether more levels have changed than are remembered.
    is_full: bool,
    /// The last event of prices, and that of a funding payment.
    prices: [Option<Arc<Published>>; 2],
}

impl Conflation {
    /// A connection is congested from now on.
    pub fn congested(&mut self, connection: ConnectionId) {
        self.0.entry(connection).or_default();
    }

    /// Whether events of the stream were left out, and are still due to the connection.
    pub fn has_left_out(&self, connection: ConnectionId, key: StreamKey) -> bool {
        self.0.get(&connection).is_some_and(|left_out| left_out.streams.contains_key(&key))
    }

    /// Whether the connection is congested: then the event is merged, and not sent.
    pub fn merges(&mut self, connection: ConnectionId, event: &Arc<Published>) -> bool {
        let Some(LeftOut { streams, prices }) = self.0.get_mut(&connection) else { return false };
        let merged = streams.entry(event.key).or_insert_with(|| Merged {
            sent: event.previous,
            last: Arc::clone(event),
            levels: BTreeSet::new(),
            is_full: false,
            prices: [None, None],
        });
        merged.last = Arc::clone(event);
        match &event.event {
            Event::Levels(levels) => {
                for level in levels {
                    merged.is_full |= *prices >= PRICES_MAX;
                    if merged.is_full {
                        *prices -= std::mem::take(&mut merged.levels).len();
                        break;
                    }
                    *prices += usize::from(merged.levels.insert((level.side, level.price)));
                }
            }
            Event::Funding(_) => merged.prices[1] = Some(Arc::clone(event)),
            _ => merged.prices[0] = Some(Arc::clone(event)),
        }
        true
    }

    /// A connection is no longer congested; `market` is as the published events have it.
    pub fn relieved(&mut self, connection: ConnectionId, market: &Market) -> CatchUp {
        let mut relief = CatchUp::default();
        for (key, merged) in self.0.remove(&connection).unwrap_or_default().streams {
            let (mut previous, last) = (merged.sent, Stamped::clone(&merged.last));
            if merged.is_full {
                let (epoch, reason) = (last.epoch, GapReason::NotKept);
                relief.gaps.push(Gap { key, epoch, from: previous + 1, to: last.number, reason });
                continue;
            }
            let mut events: Vec<Stamped> =
                merged.prices.iter().flatten().map(|event| Stamped::clone(event)).collect();
            if let StreamKey::Book(symbol) = key {
                let level = |(side, price)| {
                    let qty = market.book(symbol).level(side, price);
                    PriceLevel { side, price, qty }
                };
                let levels = merged.levels.into_iter().map(level).collect();
                events = vec![Stamped { event: Event::Levels(levels), ..last }];
            }
            events.sort_by_key(|event| event.number);
            for event in events {
                let number = event.number;
                relief.events.push(Arc::new(Published::new(Stamped { previous, ..event })));
                previous = number;
            }
        }
        relief
    }

    /// What was left out of a stream is not sent any more.
    pub fn forget(&mut self, connection: ConnectionId, key: StreamKey) {
        if let Some(LeftOut { streams, prices }) = self.0.get_mut(&connection) {
            *prices -= streams.remove(&key).map_or(0, |merged| merged.levels.len());
        }
    }

    /// A connection has ended.
    pub fn gone(&mut self, connection: ConnectionId) {
        self.0.remove(&connection);
    }
}
