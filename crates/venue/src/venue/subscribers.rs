//! What subscribers ask of the streams.

use super::{Output, Venue};
use crate::event::StreamKey;
use crate::streams::published::CatchUp;
use crate::wire::{ConnectionId, CutReason, Subscription};

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
        match self.streams.subscribe(connection, account, wanted) {
            Ok(()) => self.turn_page(connection, out),
            Err(reason) => self.cut(connection, reason, out),
        }
    }

    /// A client has taken the last page of the past.
    pub(super) fn taken(&mut self, connection: ConnectionId, out: &mut Vec<Output>) {
        self.streams.taken(connection);
        self.turn_page(connection, out);
    }

    fn turn_page(&mut self, connection: ConnectionId, out: &mut Vec<Output>) {
        if let Some(page) = self.streams.page(connection) {
            catch_up(connection, page, out);
            out.push(Output::PageEnd(connection));
        }
    }

    /// A client asks for the state of a stream.
    pub(super) fn ask_state(
        &mut self,
        connection: ConnectionId,
        key: StreamKey,
        out: &mut Vec<Output>,
    ) {
        let Some(account) = self.intake.session(connection).map(|session| session.account) else {
            return;
        };
        match self.streams.ask_state(connection, account, key) {
            Ok(()) => self.inform(out),
            Err(reason) => self.cut(connection, reason, out),
        }
    }

    /// States that were asked for, and what was left out for clients that little waits for again,
    /// unless a batch waits for the disk.
    pub(super) fn inform(&mut self, out: &mut Vec<Output>) {
        let market = self.execution.market();
        for (connection, missed) in self.streams.reliefs(market) {
            catch_up(connection, missed, out);
        }
        let states = self.streams.states(self.durable_sequence, market).into_iter();
        out.extend(states.map(|(connection, state)| Output::StreamState(connection, state)));
    }

    fn cut(&mut self, connection: ConnectionId, reason: CutReason, out: &mut Vec<Output>) {
        self.gone(connection, false);
        out.push(Output::Cut(connection, reason));
    }
}

fn catch_up(connection: ConnectionId, missed: CatchUp, out: &mut Vec<Output>) {
    let CatchUp { gaps, events } = missed;
    out.extend(gaps.into_iter().map(|gap| Output::Gap(connection, gap)));
    if !events.is_empty() {
        out.push(Output::Events(connection, events));
    }
}
