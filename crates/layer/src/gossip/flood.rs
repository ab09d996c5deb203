//! Flood: every valid message goes to every neighbour once, as in CometBFT's mempool.
//!
//! # Rules
//! 1. Only the first copy of a message is handed to the node for validation.
//! 2. A validated message is forwarded to all neighbours but the one it first came from.
//! 3. Nothing is sent back, asked for, or sent twice.
//!
//! # Theory of operation
//! With every link working, everybody has a message after the delay of the fastest path. Each node
//! receives about as many copies as it has neighbours: robustness is paid for in bandwidth.
//!
//! # Source
//! CometBFT specification, mempool; `broadcastTxRoutine`.
//!
//! # Departures
//! CometBFT also leaves out peers from which further copies came before it was their turn to be
//! sent to. Here only the first sender is left out, so a few more copies are sent.
//!
//! CometBFT looks for room before it looks whether a transaction was seen, so one that found the
//! mempool full is taken from a later copy if there is room by then. Here the first copy is the only
//! chance at this node; the lab relies on it (later copies need no event).

use super::{Frame, Input, Output, Seen};
use crate::machine::{Draws, Machine};
use crate::units::{MessageId, Ns};

/// Flooding.
#[derive(Clone, Debug, Default)]
pub struct Flood {
    seen: Seen,
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
