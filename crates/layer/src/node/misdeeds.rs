//! What a maker of blocks can do that its protocol does not forbid (or that nobody checks).
//!
//! A queue's rule binds an honest maker only: leaving out and putting in front leave no trace in the
//! block itself. Where order is drawn after the decision (`opening`), or checked against sealed
//! inputs (`audit`), putting in front is in vain or found out.

use crate::message::{Entry, Envelope};
use crate::units::MessageId;

/// Triples kept at most: older ones are forgotten.
const KEPT: usize = 256;

/// What this node does.
#[derive(Clone, Debug, Default)]
pub struct Misdeeds {
    /// Classes that it leaves out.
    pub(super) censored: u8,
    /// (before, message, after).
    around: Vec<[MessageId; 3]>,
}

impl Misdeeds {
    pub(super) fn leaves_out(&self, envelope: &Envelope) -> bool {
        self.censored >> envelope.class as u8 & 1 == 1
    }

    pub(super) fn surround(&mut self, front: MessageId, message: MessageId, back: MessageId) {
        if self.around.len() == KEPT {
            self.around.remove(0);
        }
        self.around.push([front, message, back]);
    }

    /// Puts its own around the others', where all three are in the block.
    pub(super) fn rearrange(&self, entries: &mut Vec<Entry>) {
        for &[front, message, back] in &self.around {
            let at = |entries: &[Entry], id| entries.iter().position(|e| e.envelope.id == id);
            let (Some(_), Some(from), Some(_)) =
                (at(entries, message), at(entries, front), at(entries, back))
            else {
                continue;
            };
            let first = entries.remove(from);
            let Some(from) = at(entries, back) else { continue };
            let last = entries.remove(from);
            let Some(middle) = at(entries, message) else { continue };
            entries.insert(middle + 1, last);
            entries.insert(middle, first);
        }
    }
}
