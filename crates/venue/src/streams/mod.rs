//! Streams: what a venue tells of its batches, numbered.
//!
//! In reading order: [`counters`] (numbers), [`view`] (the state that events lead to); events out of
//! what was executed: [`private`] (reports), [`public`] (trades, prices, risk), [`order_numbers`]
//! (books), [`holders`] (positions and cash); [`history`] (what is kept for late readers),
//! [`published`] (events that readers share), [`subscription`] (who follows which stream),
//! [`conflation`] (what slow readers are sent), and here [`Streams`].
//!
//! # Rules
//! 1. An event's number is given when its batch is executed, new or replayed: numbers are a function
//!    of the journal, and the counters belong to the state that snapshots keep.
//! 2. Events are published when their record is durable: a published number is never taken back. So
//!    are states: a stream's state is that of its published events.
//! 3. A reader that names the last event that it has is sent everything after it, behind gaps that
//!    name the events that it will not be sent. Nothing is left out silently.
//! 4. The streams of an account are shown to its own sessions only.
//! 5. A subscription to a stream that is not published is refused: a reader never waits in vain.
//!
//! # Theory of operation
//! There are two [`StreamView`]s. A batch's events are the difference between the market after it and the
//! view that all earlier events lead to, and are applied to that view at once. The second view has
//! the published events only, and is what readers are sent as the state of a stream.

pub mod conflation;
pub mod counters;
pub mod history;
pub mod holders;
pub mod order_numbers;
pub mod private;
pub mod public;
pub mod published;
pub mod subscription;
pub mod view;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use surgetank_layer::codec::Read;
use surgetank_layer::units::{AccountId, MessageId, Ns};
use surgetank_market::book::BookChange;
use surgetank_market::{Fact, Market};

use crate::encoding::{Encoded, fields, too_large};
use crate::event::{Event, Funding, Position, Stamped, StreamKey};
use crate::request::AccountRequest;
use crate::storage::effect::Append;
use crate::storage::record::RecordKind;
use crate::wire::{
    ConnectionId, CutReason, Gap, GapReason, StreamPosition, StreamState, Subscription,
};
use conflation::{Conflation, Relief, is_conflatable};
use counters::{Counter, Counters};
use history::History;
use order_numbers::{OrderNumber, OrderNumbers};
use private::Sides;
use published::Published;
use subscription::Subscriptions;
use view::StreamView;

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

/// A batch that was executed, and what that has done.
#[derive(Clone, Copy, Debug)]
pub struct Outcome<'a> {
    /// The record.
    pub source: Source,
    /// Place in the journal of its first request.
    pub first_sequence: u64,
    /// Its facts, each with the index of the request that caused it, in their order.
    pub facts: &'a [(MessageId, Fact)],
    /// Changes of the books with the index of their market, in their order.
    pub changes: &'a [(u16, BookChange)],
    /// Requests of accounts among its requests.
    pub requests: &'a [(u32, AccountRequest)],
    /// The market after it.
    pub market: &'a Market,
}

/// The beginning of a subscription: first what is missing, then what is there already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beginning {
    /// Events that will not be sent.
    pub gaps: Vec<Gap>,
    /// Events between the position that was named, or the gaps, and now.
    pub events: Vec<Arc<Published>>,
}

/// The streams of a venue.
#[derive(Clone, Debug)]
pub struct Streams {
    bounds: StreamBounds,
    epoch: u32,
    /// Numbers of the last events: of all, of those that are published, and of those that happened
    /// before the state with which the start began.
    counters: Counters,
    published: Counters,
    restored: Counters,
    /// The state after all events, and after those that are published.
    executed: StreamView,
    view: StreamView,
    order_numbers: OrderNumbers,
    history: History,
    /// Events of records that are not durable yet, by record.
    held: VecDeque<(u64, Stamped)>,
    subscriptions: Subscriptions,
    conflation: Conflation,
}

/// Version of [`State`]. As a number of counters, with which version 1 began, it is none.
const STATE: u32 = 0xffff_0002;

struct LastFunding {
    symbol: u16,
    funding: Funding,
}

fields!(LastFunding { symbol, funding });

/// The part of the state that is a function of the journal and does not follow from the market.
struct State {
    version: u32,
    counters: Vec<Counter>,
    order_numbers: Vec<OrderNumber>,
    fundings: Vec<LastFunding>,
}

fields!(State { version, counters, order_numbers, fundings });

impl Streams {
    /// Streams without events, of a market that has executed nothing.
    pub fn new(bounds: StreamBounds, market: &Market) -> Streams {
        let (version, counters) = (STATE, Vec::new());
        let (order_numbers, fundings) = (Vec::new(), Vec::new());
        Streams::with(bounds, State { version, counters, order_numbers, fundings }, market)
    }

    fn with(bounds: StreamBounds, state: State, market: &Market) -> Streams {
        let counters = Counters::restore(state.counters);
        let order_numbers = OrderNumbers::restore(state.order_numbers);
        let fundings = state.fundings.iter().map(|last| (last.symbol, last.funding)).collect();
        let view = StreamView::of(market, &order_numbers, &fundings);
        Streams {
            bounds,
            epoch: 0,
            published: counters.clone(),
            restored: counters.clone(),
            counters,
            executed: view.clone(),
            view,
            order_numbers,
            history: History::new(bounds.history_bytes_max),
            held: VecDeque::new(),
            subscriptions: Subscriptions::default(),
            conflation: Conflation::default(),
        }
    }

    /// The part of the state that is a function of the journal and does not follow from the market.
    pub fn state(&self) -> Vec<u8> {
        let fundings = self.executed.fundings();
        let state = State {
            version: STATE,
            counters: self.counters.state(),
            order_numbers: self.order_numbers.state(),
            fundings: fundings.map(|(symbol, funding)| LastFunding { symbol, funding }).collect(),
        };
        state.to_bytes()
    }

    /// Streams that go on with this state, and a market of the same moment.
    ///
    /// # Errors
    /// The bytes are not of [`Streams::state`] in this version.
    pub fn restore(bounds: StreamBounds, state: &[u8], market: &Market) -> Read<Streams> {
        let state = State::from_bytes(state)?;
        if state.version != STATE {
            return Err(too_large(0, "version", state.version.into()));
        }
        Ok(Streams::with(bounds, state, market))
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

    /// A batch was executed.
    pub fn batch(&mut self, batch: &Outcome<'_>) {
        let mut sides = Sides::new(batch.changes);
        let mut events = Vec::new();
        for (_, fact) in batch.facts {
            private::reports(fact, &mut sides, &mut events);
        }
        public::events(batch, &self.executed, &mut events);
        self.order_numbers.events(batch, &self.executed, &mut events);
        holders::events(batch, &self.executed, &mut events);
        for (key, event) in events {
            self.hold(batch.source, key, event);
        }
    }

    fn hold(&mut self, source: Source, key: StreamKey, event: Event) {
        self.executed.apply(key, &event);
        let number = self.counters.next(key);
        let (sequence, time_ns) = (source.sequence, source.sealed_ns);
        let (epoch, previous) = (self.epoch, number - 1);
        let stamped = Stamped { key, epoch, number, previous, sequence, time_ns, event };
        self.held.push_back((source.record, stamped));
    }

    /// The records up to this one are durable: the events for each connection.
    pub fn durable(&mut self, record: u64) -> BTreeMap<ConnectionId, Vec<Arc<Published>>> {
        let due = self.held.partition_point(|(of, _)| *of <= record);
        let mut shares: BTreeMap<ConnectionId, Vec<Arc<Published>>> = BTreeMap::new();
        for (_, stamped) in self.held.drain(..due) {
            let (key, event) = (stamped.key, Arc::new(Published::new(stamped)));
            self.view.apply(key, &event.event);
            self.published.set(key, event.number);
            for (connection, conflate) in self.subscriptions.of(key) {
                let is_merged = is_conflatable(key)
                    && (conflate || self.conflation.has_left_out(connection, key))
                    && self.conflation.merges(connection, &event);
                if !is_merged {
                    shares.entry(connection).or_default().push(Arc::clone(&event));
                }
            }
            self.history.push(event);
        }
        shares
    }

    /// The last published event of a stream.
    pub fn last(&self, key: StreamKey) -> Position {
        Position { epoch: self.epoch, number: self.published.last(key) }
    }

    /// The last published events of an account's own streams.
    pub fn lasts(&self, account: AccountId) -> Vec<StreamPosition> {
        let own = [StreamKey::Executions, StreamKey::Positions, StreamKey::Risk];
        own.map(|key| key(account)).map(|key| StreamPosition { key, last: self.last(key) }).to_vec()
    }

    /// Whether a connection that is logged on for this account may have this stream.
    fn check(&self, account: AccountId, key: StreamKey) -> Result<(), CutReason> {
        if key.owner().is_some_and(|owner| owner != account) {
            return Err(CutReason::NotPermitted);
        }
        let is_published = match key {
            StreamKey::Book(symbol)
            | StreamKey::Orders(symbol)
            | StreamKey::Trades(symbol)
            | StreamKey::Prices(symbol)
            | StreamKey::Liquidations(symbol) => self.view.prices(symbol).is_some(),
            _ => true,
        };
        is_published.then_some(()).ok_or(CutReason::NoSuchStream)
    }

    /// The published state of a stream, for a connection that is logged on for this account;
    /// `sequence` is the place in the journal of the last durable request.
    ///
    /// # Errors
    /// Why the connection must end.
    pub fn state_of(
        &self,
        account: AccountId,
        key: StreamKey,
        sequence: u64,
    ) -> Result<StreamState, CutReason> {
        self.check(account, key)?;
        Ok(StreamState { key, last: self.last(key), sequence, events: self.view.state(key) })
    }

    /// The last event of a stream, of what is executed.
    pub fn executed(&self, key: StreamKey) -> Position {
        Position { epoch: self.epoch, number: self.counters.last(key) }
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
        let Subscription { key, after, conflate } = *wanted;
        self.check(account, key)?;
        let most = self.bounds.subscriptions_max;
        if !self.subscriptions.add(connection, key, conflate, most) {
            return Err(CutReason::TooManySubscriptions);
        }
        // What was left out is in the range that the reader names, and otherwise still due.
        if after.is_some() {
            self.conflation.forget(connection, key);
        }
        Ok(after.map_or_else(Beginning::default, |after| self.beginning(key, after)))
    }

    fn beginning(&self, key: StreamKey, after: Position) -> Beginning {
        let Position { epoch, number: last } = self.last(key);
        if after.epoch != epoch || after.number > last {
            let (from, to, reason) = (1, last, GapReason::OtherEpoch);
            return Beginning { gaps: vec![Gap { key, epoch, from, to, reason }], events: vec![] };
        }
        let events: Vec<Arc<Published>> =
            self.history.after(key, after.number).map(Arc::clone).collect();
        let (from, to) = (after.number + 1, events.first().map_or(last, |first| first.number - 1));
        let restored = self.restored.last(key).min(to);
        let parts = [
            (from, restored, GapReason::Archived),
            (from.max(restored + 1), to, GapReason::NotKept),
        ];
        let parts = parts.into_iter().filter(|(from, to, _)| from <= to);
        let gap = |(from, to, reason)| Gap { key, epoch, from, to, reason };
        Beginning { gaps: parts.map(gap).collect(), events }
    }

    /// Number of streams that a connection follows.
    pub fn followed_by(&self, connection: ConnectionId) -> usize {
        self.subscriptions.followed_by(connection)
    }

    /// Size of the events that are kept for late readers, in bytes.
    pub fn history_bytes(&self) -> usize {
        self.history.bytes()
    }

    /// Ends a subscription.
    pub fn unsubscribe(&mut self, connection: ConnectionId, key: StreamKey) {
        self.subscriptions.remove(connection, key);
        self.conflation.forget(connection, key);
    }

    /// So much waits for a connection that events are merged for it, where it permits that.
    pub fn congested(&mut self, connection: ConnectionId) {
        self.conflation.congested(connection);
    }

    /// A connection is no longer congested: what it is sent for what was left out.
    pub fn relieved(&mut self, connection: ConnectionId) -> Relief {
        self.conflation.relieved(connection, &self.view)
    }

    /// Ends all subscriptions of a connection.
    pub fn gone(&mut self, connection: ConnectionId) {
        self.subscriptions.gone(connection);
        self.conflation.gone(connection);
    }
}
