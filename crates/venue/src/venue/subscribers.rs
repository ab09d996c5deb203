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
        let (sequence, market) = (self.decided.end.sequence, self.execution.market());
        match self.streams.state_of(account, key, sequence, market) {
            Ok(state) => {
                let state = Output::StreamState(connection, state);
                out.extend(self.views.show(self.record, self.durable, connection, state));
            }
            Err(reason) => {
                self.streams.gone(connection);
                out.push(Output::Cut(connection, reason));
            }
        }
    }

    /// What was left out for clients that little waits for again.
    pub(super) fn relieve(&mut self, out: &mut Vec<Output>) {
        for (connection, Relief { gaps, events }) in self.streams.reliefs(self.execution.market()) {
            out.extend(gaps.into_iter().map(|gap| Output::Gap(connection, gap)));
            if !events.is_empty() {
                out.push(Output::Events(connection, events));
            }
        }
    }
}
