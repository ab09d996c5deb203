//! Choices of a validator: which waiting messages its block contains, in which order, and which of
//! others' blocks it votes for. The queue's rule suggests the first two; no protocol here lets others
//! verify that it was followed.

use std::fmt;

use crate::message::{Block, Entry, Envelope};

/// A proposer's policy.
pub trait BlockBuilder: fmt::Debug + Send + Sync {
    /// Whether a waiting message may go into a block. One that may not is skipped under consensus,
    /// and dropped silently by a sequencer, as no other node would propose it.
    fn takes(&self, waiting: &Envelope) -> bool;

    /// Whether another's block is valid to it: it votes for no other. Honest nodes accept what the
    /// protocol does.
    fn accepts(&self, _block: &Block) -> bool {
        true
    }

    /// Orders a block's messages, which are given in the queue's order.
    fn arrange(&self, entries: &mut [Entry]);
}

/// The honest policy: follows the queue's rule.
#[derive(Clone, Copy, Debug, Default)]
pub struct Honest;

impl BlockBuilder for Honest {
    #[inline]
    fn takes(&self, _waiting: &Envelope) -> bool {
        true
    }

    fn arrange(&self, _entries: &mut [Entry]) {}
}
