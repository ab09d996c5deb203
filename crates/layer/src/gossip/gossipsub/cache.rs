//! The message cache: recent messages by heartbeat windows, and how often each was sent on request.

use std::collections::{BTreeMap, VecDeque};

use crate::message::Envelope;
use crate::units::{MessageId, Peer};

/// Recent messages, newest window first.
#[derive(Clone, Debug)]
pub struct MessageCache {
    windows: VecDeque<Vec<Envelope>>,
    by_id: BTreeMap<MessageId, Envelope>,
    sent: BTreeMap<(MessageId, Peer), u32>,
}

impl Default for MessageCache {
    fn default() -> MessageCache {
        let windows = VecDeque::from([Vec::new()]);
        MessageCache { windows, by_id: BTreeMap::new(), sent: BTreeMap::new() }
    }
}

impl MessageCache {
    /// Keeps a message in the newest window.
    pub fn put(&mut self, envelope: Envelope) {
        self.windows[0].push(envelope);
        self.by_id.insert(envelope.id, envelope);
    }

    /// A message that a peer requests, unless it was sent to it `most` times.
    pub fn requested(&mut self, id: MessageId, by: Peer, most: u32) -> Option<Envelope> {
        let envelope = *self.by_id.get(&id)?;
        let times = self.sent.entry((id, by)).or_default();
        *times += 1;
        (*times <= most).then_some(envelope)
    }

    /// Numbers of the messages of the newest `windows`.
    pub fn announced(&self, windows: u32) -> Vec<MessageId> {
        self.windows.iter().take(windows as usize).flatten().map(|envelope| envelope.id).collect()
    }

    /// A heartbeat: a new window begins, and those beyond `length` are forgotten.
    pub fn shift(&mut self, length: u32) {
        self.windows.push_front(Vec::new());
        while self.windows.len() > length.max(1) as usize {
            for envelope in self.windows.pop_back().into_iter().flatten() {
                self.by_id.remove(&envelope.id);
                let of = (envelope.id, 0)..=(envelope.id, Peer::MAX);
                let peers: Vec<Peer> = self.sent.range(of).map(|(&(_, peer), _)| peer).collect();
                peers.into_iter().for_each(|peer| {
                    self.sent.remove(&(envelope.id, peer));
                });
            }
        }
    }
}
