//! A proposer controlled by the attacker: it censors, or puts the attacker's orders before a
//! victim's.
//!
//! A queue's rule binds only an honest proposer: omission and reordering are not visible in the
//! block itself. Omission cannot be proved. Where the order is drawn after the decision, or checked
//! against sealed inputs (`surgetank_layer::audit`), reordering has no effect or is detected.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use surgetank_layer::message::{Entry, Envelope};
use surgetank_layer::node::BlockBuilder;
use surgetank_layer::units::{MessageId, NodeId};

use crate::scenario::{AttackKind, Scenario};

/// Greatest number of pairs kept: older ones are dropped.
const PAIRS_MAX: usize = 256;

/// Builds blocks as the attacker instructs. The attacker and the node share it.
#[derive(Debug, Default)]
pub struct Proposer {
    /// Bit mask of the classes that it omits.
    censored: AtomicU8,
    /// Two messages of the attacker, and the message that they are to precede.
    before: Mutex<VecDeque<([MessageId; 2], MessageId)>>,
}

impl Proposer {
    /// The node whose proposer the attacker controls, if the attack has one.
    pub fn of(scenario: &Scenario) -> Option<(NodeId, Arc<Proposer>)> {
        match &scenario.attack.what {
            AttackKind::Censor { node, .. } => Some((*node, Arc::default())),
            AttackKind::Insider(reader) => Some((reader.node, Arc::default())),
            _ => None,
        }
    }

    /// Omits these classes from now on: bit c = class c.
    pub fn censor(&self, classes: u8) {
        self.censored.store(classes, Relaxed);
    }

    /// In a block with all three, `own` are placed in this order right before `message`.
    pub fn put_before(&self, own: [MessageId; 2], message: MessageId) {
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        if before.len() == PAIRS_MAX {
            before.pop_front();
        }
        before.push_back((own, message));
    }
}

impl BlockBuilder for Proposer {
    fn takes(&self, waiting: &Envelope) -> bool {
        self.censored.load(Relaxed) >> waiting.class as u8 & 1 == 0
    }

    fn arrange(&self, entries: &mut [Entry]) {
        let before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        for &(own, message) in before.iter() {
            let place = |entries: &[Entry], id| entries.iter().position(|e| e.envelope.id == id);
            if [own[0], own[1], message].iter().any(|&id| place(entries, id).is_none()) {
                continue;
            }
            for id in own {
                let (Some(from), Some(to)) = (place(entries, id), place(entries, message)) else {
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
