//! What a proposer decides by itself: which of the waiting messages stand in its block, and in which
//! order. The queue's rule proposes both; no protocol here lets others check that it was followed.

use std::fmt;

use crate::message::{Entry, Envelope};

/// A proposer's choice.
pub trait BlockBuilder: fmt::Debug + Send + Sync {
    /// Whether a waiting message may go into a block. One that may not is passed over where blocks
    /// are agreed on, and forgotten by a sequencer: nobody else proposes it, and nobody hears of it.
    fn takes(&self, waiting: &Envelope) -> bool;

    /// Puts a block's messages in order; they come in that of the queue.
    fn arrange(&self, entries: &mut [Entry]);
}

/// Follows the queue's rule.
#[derive(Clone, Copy, Debug, Default)]
pub struct Honest;

impl BlockBuilder for Honest {
    #[inline]
    fn takes(&self, _waiting: &Envelope) -> bool {
        true
    }

    fn arrange(&self, _entries: &mut [Entry]) {}
}
