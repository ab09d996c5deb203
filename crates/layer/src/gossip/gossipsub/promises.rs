//! IWANT promises: a peer that announced a message and does not send it broke one (P7).

use std::collections::{BTreeMap, BTreeSet};

use crate::units::{MessageId, Ns, Peer};

/// Messages that were promised and have not come.
#[derive(Clone, Debug, Default)]
pub struct Promises {
    /// Message → who promised it, and until when.
    open: BTreeMap<MessageId, BTreeMap<Peer, Ns>>,
    /// The same by the time at which they are due.
    due: BTreeSet<(Ns, MessageId, Peer)>,
}

impl Promises {
    /// A peer was asked for a message that it announced.
    pub fn ask(&mut self, message: MessageId, peer: Peer, until: Ns) {
        self.open.entry(message).or_default().entry(peer).or_insert(until);
        self.due.insert((until, message, peer));
    }

    /// A message has come, from anybody: promises of it are fulfilled.
    pub fn arrives(&mut self, message: MessageId) {
        self.open.remove(&message);
    }

    /// The peers whose promises are broken by now, one entry for each promise.
    pub fn broken(&mut self, now: Ns) -> Vec<Peer> {
        let mut found = Vec::new();
        while let Some(&(until, message, peer)) = self.due.first() {
            if until > now {
                break;
            }
            self.due.pop_first();
            let Some(peers) = self.open.get_mut(&message) else { continue };
            if peers.remove(&peer).is_some() {
                found.push(peer);
            }
            if peers.is_empty() {
                self.open.remove(&message);
            }
        }
        found
    }
}
