//! Policies of a proposer that the attacker controls: it censors, or puts the attacker's orders
//! before a victim's.
//!
//! A queue's rule binds only an honest proposer: omission and reordering are not visible in the
//! block itself. Omission cannot be proved. Where the order is drawn after the decision, or checked
//! against sealed inputs (`surgetank_layer::audit`), reordering has no effect or is detected.

use std::collections::VecDeque;

use surgetank_layer::message::{Block, Class, Entry, Envelope, flags};
use surgetank_layer::node::BlockBuilder;
use surgetank_layer::units::{AccountId, MessageId};

/// Greatest number of victims kept: older ones are dropped.
const VICTIMS_MAX: usize = 256;

/// A new order of the attacker, as a proposer recognises it in its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnOrder {
    /// Account that sends it.
    pub account: AccountId,
    /// Its ClOrdID.
    pub cl_ord_id: u64,
}

impl OwnOrder {
    fn is(&self, envelope: &Envelope) -> bool {
        envelope.class == Class::NewOrderSingle
            && (envelope.account, envelope.order) == (self.account, self.cl_ord_id as u32)
    }
}

/// Builds blocks as the attacker instructs.
#[derive(Clone, Debug, Default)]
pub struct Proposer {
    /// Class that it omits.
    omitted: Option<Class>,
    /// Whether others' blocks that have it are invalid to it.
    refuses: bool,
    /// Two orders of the attacker, and the message that they are to precede.
    before: VecDeque<([OwnOrder; 2], MessageId)>,
}

impl Proposer {
    /// One that omits the messages of a class and, if it `refuses`, votes for no block with them.
    pub fn without(class: Class, refuses: bool) -> Proposer {
        Proposer { omitted: Some(class), refuses, before: VecDeque::new() }
    }

    /// In a block with all three, the two orders of the attacker are placed right before the
    /// victim, in this order.
    pub fn put_before(&mut self, own: [OwnOrder; 2], victim: MessageId) {
        if self.before.len() == VICTIMS_MAX {
            self.before.pop_front();
        }
        self.before.push_back((own, victim));
    }
}

impl BlockBuilder for Proposer {
    fn takes(&self, waiting: &Envelope) -> bool {
        waiting.has(flags::SEALED) || self.omitted != Some(waiting.class)
    }

    fn accepts(&self, block: &Block) -> bool {
        !self.refuses || block.entries.iter().all(|entry| self.takes(&entry.envelope))
    }

    fn arrange(&self, entries: &mut [Entry]) {
        for (own, victim) in &self.before {
            let own_at = |entries: &[Entry], order: &OwnOrder| {
                entries.iter().position(|entry| order.is(&entry.envelope))
            };
            let victim_at =
                |entries: &[Entry]| entries.iter().position(|entry| entry.envelope.id == *victim);
            if own.iter().any(|order| own_at(entries, order).is_none()) {
                continue;
            }
            for order in own {
                let (Some(from), Some(to)) = (own_at(entries, order), victim_at(entries)) else {
                    continue;
                };
                if from < to {
                    entries[from..to].rotate_left(1);
                } else {
                    entries[to..=from].rotate_right(1);
                }
            }
        }
    }
}
