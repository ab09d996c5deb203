//! What a maker of blocks can do that its protocol does not forbid (or that nobody checks).
//!
//! A queue's rule binds an honest maker only: leaving out and putting in front leave no trace in the
//! block itself. Nobody can show that something was left out. Where order is drawn after the decision (`opening`), or checked against sealed
//! inputs (`audit`), putting in front is in vain or found out.

use crate::message::{Entry, Envelope};
use crate::units::MessageId;

/// Kept at most: older ones are forgotten.
const KEPT: usize = 256;

/// What this node does.
#[derive(Clone, Debug, Default)]
pub struct Misdeeds {
    /// Classes that it leaves out.
    pub(super) censored: u8,
    /// Its own, and the message that they are to precede.
    before: Vec<([MessageId; 2], MessageId)>,
}

impl Misdeeds {
    pub(super) fn leaves_out(&self, envelope: &Envelope) -> bool {
        self.censored >> envelope.class as u8 & 1 == 1
    }

    pub(super) fn put_before(&mut self, own: [MessageId; 2], message: MessageId) {
        if self.before.len() == KEPT {
            self.before.remove(0);
        }
        self.before.push((own, message));
    }

    /// Puts its own before the others', where all three are in the block.
    pub(super) fn rearrange(&self, entries: &mut Vec<Entry>) {
        for &(own, message) in &self.before {
            let at = |entries: &[Entry], id| entries.iter().position(|e| e.envelope.id == id);
            if [own[0], own[1], message].iter().any(|&id| at(entries, id).is_none()) {
                continue;
            }
            for id in own {
                let Some(from) = at(entries, id) else { continue };
                let entry = entries.remove(from);
                let Some(to) = at(entries, message) else { continue };
                entries.insert(to, entry);
            }
        }
    }
}
