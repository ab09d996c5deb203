//! Subscriptions that begin in the past. It is sent in pages, the oldest events first, each page once
//! the client has taken the one before: a reader that was away for long has everything that is kept,
//! and what waits for it stays bounded.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{Position, StreamKey};
use crate::wire::ConnectionId;

/// Who still reads the past.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// By connection and stream, the last event that was sent.
    sent: BTreeMap<ConnectionId, BTreeMap<StreamKey, Position>>,
    /// Connections that have a page and have not taken it yet.
    reading: BTreeSet<ConnectionId>,
}

impl Past {
    /// A subscription goes on after an event.
    pub fn goes_on(&mut self, connection: ConnectionId, key: StreamKey, after: Position) {
        self.sent.entry(connection).or_default().insert(key, after);
    }

    /// A subscription follows what is published now, or has ended.
    pub fn end(&mut self, connection: ConnectionId, key: StreamKey) {
        if let Some(streams) = self.sent.get_mut(&connection) {
            streams.remove(&key);
            if streams.is_empty() {
                self.sent.remove(&connection);
            }
        }
    }

    /// Whether a subscription still is in the past: what is published now comes in a later page.
    pub fn has(&self, connection: ConnectionId, key: StreamKey) -> bool {
        self.sent.get(&connection).is_some_and(|streams| streams.contains_key(&key))
    }

    /// The client has taken its page.
    pub fn taken(&mut self, connection: ConnectionId) {
        self.reading.remove(&connection);
    }

    /// The streams of which a connection is due a page, each with the last event that was sent; if
    /// there are any, the connection has its page from now on.
    pub fn due(&mut self, connection: ConnectionId) -> Vec<(StreamKey, Position)> {
        let Some(streams) = self.sent.get(&connection) else { return Vec::new() };
        if !self.reading.insert(connection) {
            return Vec::new();
        }
        streams.iter().map(|(&key, &after)| (key, after)).collect()
    }

    /// A connection has ended.
    pub fn gone(&mut self, connection: ConnectionId) {
        self.sent.remove(&connection);
        self.reading.remove(&connection);
    }
}
