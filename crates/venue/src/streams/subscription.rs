//! Who follows which stream.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::published::Published;
use crate::event::StreamKey;
use crate::wire::ConnectionId;

/// Subscribers of the streams.
#[derive(Clone, Debug, Default)]
pub struct Subscriptions {
    by_key: BTreeMap<StreamKey, BTreeSet<ConnectionId>>,
    by_connection: BTreeMap<ConnectionId, BTreeSet<StreamKey>>,
}

impl Subscriptions {
    /// Adds a subscription, unless the connection has `most` others. Returns whether it stands.
    pub fn add(&mut self, connection: ConnectionId, key: StreamKey, most: usize) -> bool {
        let keys = self.by_connection.entry(connection).or_default();
        if keys.len() >= most && !keys.contains(&key) {
            return false;
        }
        keys.insert(key);
        self.by_key.entry(key).or_default().insert(connection);
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

    /// The events for each connection, in their order.
    pub fn share(&self, events: &[Arc<Published>]) -> BTreeMap<ConnectionId, Vec<Arc<Published>>> {
        let mut shares: BTreeMap<ConnectionId, Vec<Arc<Published>>> = BTreeMap::new();
        for event in events {
            for connection in self.by_key.get(&event.key).into_iter().flatten() {
                shares.entry(*connection).or_default().push(Arc::clone(event));
            }
        }
        shares
    }
}
