//! Flood: every valid message goes to every neighbour once, as in CometBFT's mempool.
//!
//! # Rules
//! 1. Only the first copy of a message is passed to the node for validation.
//! 2. A validated message is forwarded to all neighbours but the one it first came from.
//! 3. Nothing is sent back, requested, or sent twice.
//!
//! # Theory of operation
//! With every link working, every node has a message after the delay of the fastest path. Each node
//! receives about as many copies as it has neighbours: redundancy costs bandwidth.
//!
//! # Source
//! CometBFT specification, mempool; `broadcastTxRoutine`.
//!
//! # Departures
//! CometBFT also leaves out peers from which further copies came before it was their turn to be
//! sent to. Here only the first sender is left out, so a few more copies are sent.
//!
//! CometBFT checks for room before it checks its cache, so that a transaction that found the
//! mempool full can be accepted from a later copy. Here only the first copy is considered at a
//! node; the lab relies on it (later copies need no event).

use super::{Frame, Input, Output, SeenCache};
use crate::machine::{Draws, Machine};
use crate::units::{MessageId, Ns};

/// The flooding machine of one node.
#[derive(Clone, Debug, Default)]
pub struct Flood {
    seen: SeenCache,
}

impl Flood {
    pub(super) fn has_seen(&self, id: MessageId) -> bool {
        self.seen.contains(id)
    }
}

impl Machine for Flood {
    type Input = Input;
    type Output = Output;

    #[inline]
    fn step(&mut self, _: Ns, input: Input, _: &mut dyn Draws, outbox: &mut Vec<Output>) {
        match input {
            Input::Receive { from, frame: Frame::Message(envelope) } => {
                if self.seen.insert(envelope.id) {
                    outbox.push(Output::Validate { envelope, from });
                }
            }
            Input::Validated { envelope, from } => {
                outbox.push(Output::Forward { envelope, except: Some(from) });
            }
            Input::Publish(envelope) => {
                self.seen.insert(envelope.id);
                outbox.push(Output::Forward { envelope, except: None });
            }
            Input::Start | Input::Heartbeat | Input::Receive { .. } => {}
        }
    }
}
