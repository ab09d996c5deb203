//! What subscribers ask of the streams.

use super::{Output, Venue};
use crate::event::StreamKey;
use crate::streams::Beginning;
use crate::streams::conflation::Relief;
use crate::wire::{ConnectionId, Subscription};

impl Venue {
    /// Begins subscriptions of a connection that is logged on.
    pub(super) fn subscribe(
        &mut self,
        connection: ConnectionId,
        wanted: &[Subscription],
        out: &mut Vec<Output>,
    ) {
        let Some(account) = self.intake.session(connection).map(|session| session.account) else {
            return;
        };
        for subscription in wanted {
            match self.streams.subscribe(connection, account, subscription) {
                Ok(Beginning { gaps, events }) => {
                    out.extend(gaps.into_iter().map(|gap| Output::Gap(connection, gap)));
                    if !events.is_empty() {
                        out.push(Output::Events(connection, events));
                    }
                }
                Err(reason) => {
                    self.streams.gone(connection);
                    return out.push(Output::Cut(connection, reason));
                }
            }
        }
    }

    /// Answers a client that asks for the state of a stream.
    pub(super) fn stream_state(
        &mut self,
        connection: ConnectionId,
        key: StreamKey,
        out: &mut Vec<Output>,
    ) {
        let Some(account) = self.intake.session(connection).map(|session| session.account) else {
            return;
        };
        out.push(match self.streams.state_of(account, key, self.durable_sequence) {
            Ok(state) => Output::StreamState(connection, state),
            Err(reason) => {
                self.streams.gone(connection);
                Output::Cut(connection, reason)
            }
        });
    }

    /// Little waits for a client again.
    pub(super) fn relieved(&mut self, connection: ConnectionId, out: &mut Vec<Output>) {
        let Relief { gaps, events } = self.streams.relieved(connection);
        out.extend(gaps.into_iter().map(|gap| Output::Gap(connection, gap)));
        if !events.is_empty() {
            out.push(Output::Events(connection, events));
        }
    }
}
