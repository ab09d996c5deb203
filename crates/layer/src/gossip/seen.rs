//! The cache of seen messages: one bit each.
//!
//! Message numbers are dense in the lab, so a growing bit set is both the smallest and the fastest
//! cache. A live node would keep an LRU of digests instead (CometBFT's has 10,000 entries).

use crate::units::MessageId;

/// A set of message numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenCache {
    words: Vec<u64>,
}

impl SeenCache {
    /// Adds a message; false if it was there.
    #[inline]
    pub fn insert(&mut self, id: MessageId) -> bool {
        let (word, bit) = (id as usize / 64, 1 << (id % 64));
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let is_new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        is_new
    }

    /// Removes a message.
    pub fn remove(&mut self, id: MessageId) {
        if let Some(word) = self.words.get_mut(id as usize / 64) {
            *word &= !(1 << (id % 64));
        }
    }

    /// Whether a message was seen.
    #[inline]
    pub fn contains(&self, id: MessageId) -> bool {
        self.words.get(id as usize / 64).is_some_and(|word| word >> (id % 64) & 1 == 1)
    }
}
