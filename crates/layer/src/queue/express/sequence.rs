//! The controller's messages by number: in order, each once, not too far ahead.

use std::collections::BTreeMap;

use super::ExpressRefusal;
use crate::units::MessageId;

#[derive(Clone, Debug, Default)]
pub(super) struct Sequence {
    /// The next number in order.
    next: u64,
    /// Messages that wait for a predecessor, by sequence number.
    early: BTreeMap<u64, MessageId>,
    /// Messages that were released: the last `future_max` of them.
    left: BTreeMap<u64, MessageId>,
}

impl Sequence {
    pub fn waiting(&self) -> usize {
        self.early.len()
    }

    /// Accepts a message; messages released by it are appended to `ready`.
    pub fn put(
        &mut self,
        sequence: u64,
        id: MessageId,
        future_max: u64,
        mut ready: impl FnMut(MessageId),
    ) -> Result<(), ExpressRefusal> {
        if sequence >= self.next.saturating_add(future_max) {
            return Err(ExpressRefusal::TooFarAhead);
        }
        let known = self.left.get(&sequence).or_else(|| self.early.get(&sequence));
        if known == Some(&id) {
            return Ok(());
        }
        if known.is_some() || sequence < self.next {
            return Err(ExpressRefusal::SequenceTaken);
        }
        self.early.insert(sequence, id);
        while let Some(id) = self.early.remove(&self.next) {
            self.left.insert(self.next, id);
            self.next += 1;
            ready(id);
        }
        while self.left.len() as u64 > future_max {
            self.left.pop_first();
        }
        Ok(())
    }

    /// Restarts at 0; returns the messages that still waited, in order.
    pub fn restart(&mut self) -> impl Iterator<Item = MessageId> + use<> {
        std::mem::take(self).early.into_values()
    }
}
