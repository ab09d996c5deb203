//! Who follows which stream.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::StreamKey;
use crate::wire::ConnectionId;

/// Subscribers of the streams.
#[derive(Clone, Debug, Default)]
pub struct Subscriptions {
    /// Subscribers, each with whether it wants events merged when it is slow.
    by_key: BTreeMap<StreamKey, BTreeMap<ConnectionId, bool>>,
    by_connection: BTreeMap<ConnectionId, BTreeSet<StreamKey>>,
}

impl Subscriptions {
    /// Adds a subscription, unless the connection has `most` others. Returns whether it stands.
    pub fn add(
        &mut self,
        connection: ConnectionId,
        key: StreamKey,
        conflate: bool,
        most: usize,
    ) -> bool {
        let keys = self.by_connection.entry(connection).or_default();
        if keys.len() >= most && !keys.contains(&key) {
            return false;
        }
        keys.insert(key);
        self.by_key.entry(key).or_default().insert(connection, conflate);
        true
    }

    /// Ends a subscription.
    pub fn remove(&mut self, connection: ConnectionId, key: StreamKey) {
        if let Some(keys) = self.by_connection.get_mut(&connection) {
            keys.remove(&key);
        }
        if let Some(connections) = self.by_key.get_mut(&key) {
            connections.remove(&connection);
            if connections.is_empty() {
                self.by_key.remove(&key);
            }
        }
    }

    /// Ends all subscriptions of a connection.
    pub fn gone(&mut self, connection: ConnectionId) {
        for key in self.by_connection.get(&connection).cloned().unwrap_or_default() {
            self.remove(connection, key);
        }
        self.by_connection.remove(&connection);
    }

    /// Number of streams that a connection follows.
    pub fn followed_by(&self, connection: ConnectionId) -> usize {
        self.by_connection.get(&connection).map_or(0, BTreeSet::len)
    }

    /// Whether anybody follows a stream.
    pub fn has(&self, key: StreamKey) -> bool {
        self.by_key.contains_key(&key)
    }

    /// The subscribers of a stream, each with whether it wants events merged when it is slow.
    pub fn of(&self, key: StreamKey) -> impl Iterator<Item = (ConnectionId, bool)> + '_ {
        let connections = self.by_key.get(&key).into_iter().flatten();
        connections.map(|(&connection, &conflate)| (connection, conflate))
    }
}
