//! Streams: what a venue tells of its batches, numbered.
//!
//! In reading order: [`counters`] (numbers), [`private`] (events out of facts), [`history`] (what is
//! kept for late readers), [`published`] (events that readers share), [`subscription`] (who follows which stream), and here [`Streams`].
//!
//! # Rules
//! 1. An event's number is given when its batch is executed, new or replayed: numbers are a function
//!    of the journal, and the counters belong to the state that snapshots keep.
//! 2. Events are published when their record is durable: a published number is never taken back.
//! 3. A reader that names the last event that it has is sent everything after it, behind a gap that
//!    names the events that it will not be sent. Nothing is left out silently.
//! 4. The streams of an account are shown to its own sessions only.
//! 5. A subscription to a stream that is not published is refused: a reader never waits in vain.

pub mod counters;
pub mod history;
pub mod private;
pub mod published;
pub mod subscription;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use surgetank_layer::codec::Read;
use surgetank_layer::units::{AccountId, Ns};
use surgetank_market::Fact;
use surgetank_market::book::BookChange;

use crate::event::{Event, Position, Stamped, StreamKey};
use crate::storage::effect::Append;
use crate::storage::record::RecordKind;
use crate::wire::{ConnectionId, CutReason, Gap, GapReason, Subscription};
use counters::Counters;
use history::History;
use private::Sides;
use published::Published;
use subscription::Subscriptions;

/// Bounds of the memory of streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamBounds {
    /// Published events that are kept, all streams together, in bytes.
    pub history_bytes_max: usize,
    /// Subscriptions of one connection.
    pub subscriptions_max: usize,
}

impl Default for StreamBounds {
    fn default() -> StreamBounds {
        StreamBounds { history_bytes_max: 64 << 20, subscriptions_max: 1000 }
    }
}

/// The record from which events follow.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// Its number.
    pub record: u64,
    /// Place in the journal of its last request.
    pub sequence: u64,
    /// Time at which it was sealed.
    pub sealed_ns: Ns,
}

/// The beginning of a subscription: first what is missing, then what is there already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beginning {
    /// Events that will not be sent.
    pub gap: Option<Gap>,
    /// Events between the position that was named, or the gap, and now.
    pub events: Vec<Arc<Published>>,
}

/// The streams of a venue.
#[derive(Clone, Debug)]
pub struct Streams {
    bounds: StreamBounds,
    epoch: u32,
    counters: Counters,
    history: History,
    /// Events of records that are not durable yet, by record.
    held: VecDeque<(u64, Stamped)>,
    subscriptions: Subscriptions,
}

impl Streams {
    /// Streams without events.
    pub fn new(bounds: StreamBounds) -> Streams {
        Streams::with(bounds, Counters::default())
    }

    fn with(bounds: StreamBounds, counters: Counters) -> Streams {
        Streams {
            bounds,
            epoch: 0,
            counters,
            history: History::new(bounds.history_bytes_max),
            held: VecDeque::new(),
            subscriptions: Subscriptions::default(),
        }
    }

    /// The part of the state that is a function of the journal.
    pub fn state(&self) -> Vec<u8> {
        self.counters.state()
    }

    /// Streams that go on with this state.
    ///
    /// # Errors
    /// The bytes are not of [`Streams::state`].
    pub fn restore(bounds: StreamBounds, state: &[u8]) -> Read<Streams> {
        Ok(Streams::with(bounds, Counters::restore(state)?))
    }

    /// Sets the history of the journal to which all numbers belong.
    pub fn set_epoch(&mut self, epoch: u32) {
        self.epoch = epoch;
        self.held.iter_mut().for_each(|(_, stamped)| stamped.epoch = epoch);
        self.history.set_epoch(epoch);
    }

    /// A record of the journal: a head or batch is an event.
    pub fn record(&mut self, record: u64, append: &Append) {
        if matches!(append.kind, RecordKind::Head | RecordKind::Batch) {
            let sequence = (append.first_sequence + u64::from(append.ordered)).saturating_sub(1);
            let source = Source { record, sequence, sealed_ns: append.sealed_ns };
            self.hold(source, StreamKey::Journal(()), Event::Batch(append.payload.clone()));
        }
    }

    /// A batch was executed: its facts, and the changes of the books with the index of their market,
    /// both in the order in which they happened.
    pub fn batch(&mut self, source: Source, facts: &[Fact], changes: &[(u16, BookChange)]) {
        let mut sides = Sides::new(changes);
        let mut events = Vec::new();
        for fact in facts {
            private::reports(fact, &mut sides, &mut events);
        }
        for (key, event) in events {
            self.hold(source, key, event);
        }
    }

    fn hold(&mut self, source: Source, key: StreamKey, event: Event) {
        let number = self.counters.next(key);
        let (sequence, time_ns) = (source.sequence, source.sealed_ns);
        let (epoch, previous) = (self.epoch, number - 1);
        let stamped = Stamped { key, epoch, number, previous, sequence, time_ns, event };
        self.held.push_back((source.record, stamped));
    }

    /// The records up to this one are durable: the events for each connection.
    pub fn durable(&mut self, record: u64) -> BTreeMap<ConnectionId, Vec<Arc<Published>>> {
        let due = self.held.partition_point(|(of, _)| *of <= record);
        let due = self.held.drain(..due);
        let events: Vec<Arc<Published>> =
            due.map(|(_, event)| Arc::new(Published::new(event))).collect();
        let shares = self.subscriptions.share(&events);
        events.into_iter().for_each(|event| self.history.push(event));
        shares
    }

    /// The last published event of a stream.
    pub fn last(&self, key: StreamKey) -> Position {
        let held = self.held.iter().filter(|(_, stamped)| stamped.key == key).count();
        Position { epoch: self.epoch, number: self.counters.last(key) - held as u64 }
    }

    /// Begins a subscription of a connection that is logged on for this account.
    ///
    /// # Errors
    /// Why the connection must end.
    pub fn subscribe(
        &mut self,
        connection: ConnectionId,
        account: AccountId,
        wanted: &Subscription,
    ) -> Result<Beginning, CutReason> {
        let Subscription { key, after, .. } = *wanted;
        if key.owner().is_some_and(|owner| owner != account) {
            return Err(CutReason::NotPermitted);
        }
        if !is_published(key) {
            return Err(CutReason::NoSuchStream);
        }
        if !self.subscriptions.add(connection, key, self.bounds.subscriptions_max) {
            return Err(CutReason::TooManySubscriptions);
        }
        Ok(after.map_or_else(Beginning::default, |after| self.beginning(key, after)))
    }

    fn beginning(&self, key: StreamKey, after: Position) -> Beginning {
        let Position { epoch, number: last } = self.last(key);
        let gap = |from, to, reason| Some(Gap { key, epoch, from, to, reason });
        if after.epoch != epoch || after.number > last {
            return Beginning { gap: gap(1, last, GapReason::OtherEpoch), events: Vec::new() };
        }
        let events: Vec<Arc<Published>> =
            self.history.after(key, after.number).map(Arc::clone).collect();
        let (from, to) = (after.number + 1, events.first().map_or(last, |first| first.number - 1));
        let gap = if from <= to { gap(from, to, GapReason::NotKept) } else { None };
        Beginning { gap, events }
    }

    /// Ends a subscription.
    pub fn unsubscribe(&mut self, connection: ConnectionId, key: StreamKey) {
        self.subscriptions.remove(connection, key);
    }

    /// Ends all subscriptions of a connection.
    pub fn gone(&mut self, connection: ConnectionId) {
        self.subscriptions.gone(connection);
    }
}

/// Whether the venue makes events of this stream.
fn is_published(key: StreamKey) -> bool {
    matches!(key, StreamKey::Executions(_) | StreamKey::Journal(()))
}
