//! Streams: what a venue tells of its batches, numbered.
//!
//! In reading order: [`counters`] (numbers); events out of what was executed: [`private`] (reports),
//! [`public`] (trades, prices, risk), [`order_numbers`] (books), [`holders`] (positions and cash),
//! [`latest`] (with what they compare); [`runs`] (a batch's events of one stream), [`history`] (what
//! is kept for late readers), [`published`] (events that readers share), [`state`] (what a stream's
//! events have led to), [`subscription`] (who follows which stream), [`past`] (who still reads what
//! was published before), [`conflation`] (what slow readers are sent), and here [`Streams`].
//!
//! # Rules
//! 1. An event's number is given when its batch is executed, new or replayed: numbers are a function
//!    of the journal, and the counters belong to the state that snapshots keep.
//! 2. Events are published when their record is durable: a published number is never taken back. So
//!    are states: that of the last batch is shown once the batch is durable.
//! 3. A reader that names the last event that it has is sent everything after it, behind gaps that
//!    name the events that it will not be sent. Nothing is left out silently.
//! 4. The streams of an account are shown to its own sessions only.
//! 5. A subscription to a stream that is not published is refused: a reader never waits in vain.
//!
//! # Theory of operation
//! One batch at a time is executed, and waits for the disk before the next one. So the market is what the
//! published events have led to, except while a batch is held; whoever wants a state in that time
//! waits for the disk as well. A batch's events are the facts and the differences between the market
//! and the [`Latest`] values. Most streams have no reader at most times: what is kept of a batch
//! is a [`Run`] per stream, and events are only made one by one for those who follow them.

pub mod conflation;
pub mod counters;
pub mod history;
pub mod holders;
pub mod latest;
pub mod order_numbers;
pub mod past;
pub mod private;
pub mod public;
pub mod published;
pub mod runs;
pub mod state;
pub mod subscription;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use surgetank_layer::codec::Read;
use surgetank_layer::units::{AccountId, MessageId, Ns};
use surgetank_market::book::BookChange;
use surgetank_market::{Fact, Market};

use crate::encoding::{Encoded, fields, too_large};
use crate::event::{Event, Funding, Position, StreamKey};
use crate::request::AccountRequest;
use crate::storage::effect::Append;
use crate::storage::record::RecordKind;
use crate::wire::{
    ConnectionId, CutReason, Gap, GapReason, StreamPosition, StreamState, Subscription,
};
use conflation::{Conflation, is_conflatable};
use counters::{Counter, Counters};
use history::History;
use latest::Latest;
use order_numbers::{OrderNumber, OrderNumbers};
use past::Past;
use published::{CatchUp, Published};
use runs::{EventsByStream, Run};
use subscription::Subscriptions;

/// Bounds of the memory of streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamBounds {
    /// Published events that are kept, all streams together, in bytes.
    pub history_bytes_max: usize,
    /// Subscriptions of one connection, and of one list of wishes.
    pub subscriptions_max: usize,
    /// Past events that are sent to a connection before it has taken them, in bytes; more only if one
    /// record has caused more.
    pub page_bytes_max: usize,
}

impl Default for StreamBounds {
    fn default() -> StreamBounds {
        StreamBounds {
            history_bytes_max: 64 << 20,
            subscriptions_max: 1000,
            page_bytes_max: 4 << 20,
        }
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

/// The streams of a venue.
#[derive(Clone, Debug)]
pub struct Streams {
    bounds: StreamBounds,
    epoch: u32,
    /// Numbers of the last events: of all, and of those that happened before the state with which
    /// the start began.
    counters: Counters,
    restored: Counters,
    latest: Latest,
    order_numbers: OrderNumbers,
    history: History,
    /// Events of records that are not durable yet, by record.
    held: VecDeque<(u64, BTreeMap<StreamKey, Run>)>,
    subscriptions: Subscriptions,
    past: Past,
    conflation: Conflation,
    /// Connections that are no longer congested, and were not sent yet what was left out.
    relieved: BTreeSet<ConnectionId>,
    /// States that connections have asked for, and that were not sent yet.
    states: BTreeSet<(ConnectionId, StreamKey)>,
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
        Streams {
            bounds,
            epoch: 0,
            restored: counters.clone(),
            counters,
            latest: Latest::of(market, fundings),
            order_numbers,
            history: History::new(bounds.history_bytes_max),
            held: VecDeque::new(),
            subscriptions: Subscriptions::default(),
            past: Past::default(),
            conflation: Conflation::default(),
            relieved: BTreeSet::new(),
            states: BTreeSet::new(),
        }
    }

    /// The part of the state that is a function of the journal and does not follow from the market.
    pub fn state(&self) -> Vec<u8> {
        let fundings = self.latest.fundings();
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
        let held = self.held.iter_mut().flat_map(|(_, runs)| runs.values_mut());
        held.for_each(|run| run.epoch = epoch);
        self.history.set_epoch(epoch);
    }

    /// A record of the journal: a head or batch is an event.
    pub fn record(&mut self, record: u64, append: &Append) {
        if matches!(append.kind, RecordKind::Head | RecordKind::Batch) {
            let sequence = (append.first_sequence + u64::from(append.ordered)).saturating_sub(1);
            let source = Source { record, sequence, sealed_ns: append.sealed_ns };
            self.hold(source, StreamKey::Journal(()), vec![Event::Batch(append.payload.clone())]);
        }
    }

    /// A batch was executed.
    pub fn batch(&mut self, batch: &Outcome<'_>) {
        let mut events = EventsByStream::default();
        batch.facts.iter().for_each(|(_, fact)| private::reports(fact, &mut events));
        public::events(batch, &mut self.latest, &mut events);
        self.order_numbers.events(batch, &mut events);
        holders::events(batch, &mut self.latest, &mut events);
        for (key, events) in events {
            self.hold(batch.source, key, events);
        }
    }

    fn hold(&mut self, source: Source, key: StreamKey, events: Vec<Event>) {
        let first = self.counters.take(key, events.len() as u64);
        let Source { record, sequence, sealed_ns: time_ns } = source;
        let run = Run { key, epoch: self.epoch, first, sequence, time_ns, events };
        match self.held.back_mut() {
            Some((of, runs)) if *of == record => drop(runs.insert(key, run)),
            _ => self.held.push_back((record, BTreeMap::from([(key, run)]))),
        }
    }

    /// The records up to this one are durable: the events for each connection.
    pub fn durable(&mut self, record: u64) -> BTreeMap<ConnectionId, Vec<Arc<Published>>> {
        let due = self.held.partition_point(|(of, _)| *of <= record);
        let mut shares = BTreeMap::new();
        let runs: Vec<_> =
            self.held.drain(..due).flat_map(|(_, runs)| runs.into_values()).collect();
        for run in runs {
            if self.subscriptions.has(run.key) {
                self.share(&run, &mut shares);
            }
            self.history.push(run);
        }
        shares
    }

    /// The last published event of a stream.
    pub fn last(&self, key: StreamKey) -> Position {
        let held = self.held.iter().find_map(|(_, runs)| runs.get(&key));
        let number = held.map_or_else(|| self.counters.last(key), |run| run.first - 1);
        Position { epoch: self.epoch, number }
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
            | StreamKey::Liquidations(symbol) => self.latest.prices(symbol).is_some(),
            _ => true,
        };
        is_published.then_some(()).ok_or(CutReason::NoSuchStream)
    }

    /// A connection that is logged on for this account asks for the state of a stream.
    ///
    /// # Errors
    /// Why the connection must end.
    pub fn ask_state(
        &mut self,
        connection: ConnectionId,
        account: AccountId,
        key: StreamKey,
    ) -> Result<(), CutReason> {
        self.check(account, key)?;
        self.states.insert((connection, key));
        Ok(())
    }

    /// The states that were asked for, except while a batch is held; `sequence` is the place in the
    /// journal of the last request.
    pub fn states(&mut self, sequence: u64, market: &Market) -> Vec<(ConnectionId, StreamState)> {
        if !self.held.is_empty() {
            return Vec::new();
        }
        let asked = std::mem::take(&mut self.states).into_iter();
        let state = |(connection, key)| {
            let events = state::state(key, market, &self.latest, &self.order_numbers);
            (connection, StreamState { key, last: self.last(key), sequence, events })
        };
        asked.map(state).collect()
    }

    /// The last event of a stream, of what is executed.
    pub fn executed(&self, key: StreamKey) -> Position {
        Position { epoch: self.epoch, number: self.counters.last(key) }
    }

    /// Begins subscriptions of a connection that is logged on for this account.
    ///
    /// # Errors
    /// Why the connection must end.
    pub fn subscribe(
        &mut self,
        connection: ConnectionId,
        account: AccountId,
        wanted: &[Subscription],
    ) -> Result<(), CutReason> {
        let most = self.bounds.subscriptions_max;
        let keys: BTreeSet<StreamKey> = wanted.iter().take(most + 1).map(|one| one.key).collect();
        // Each repetition would be sent the past once more.
        if keys.len() < wanted.len() || keys.len() > most {
            return Err(CutReason::TooManySubscriptions);
        }
        for &Subscription { key, after, conflate } in wanted {
            self.check(account, key)?;
            if !self.subscriptions.add(connection, key, conflate, most) {
                return Err(CutReason::TooManySubscriptions);
            }
            if let Some(after) = after {
                // What was left out is in the range that the reader names.
                self.conflation.forget(connection, key);
                self.past.goes_on(connection, key, after);
            } else {
                self.past.end(connection, key);
            }
        }
        Ok(())
    }

    /// A client has taken the last page of the past that it was sent.
    pub fn taken(&mut self, connection: ConnectionId) {
        self.past.taken(connection);
    }

    /// The next page of the past that a connection wants; nothing while it has one already. Another
    /// one may follow [`Streams::taken`].
    pub fn page(&mut self, connection: ConnectionId) -> Option<CatchUp> {
        let due = self.past.due(connection);
        let (mut page, mut bytes_left) = (CatchUp::default(), self.bounds.page_bytes_max);
        for &(key, after) in &due {
            if bytes_left == 0 {
                break;
            }
            let (last, part) = (self.last(key), self.part(key, after, &mut bytes_left));
            let sent = part.events.last().map_or(last.number, |event| event.number);
            if sent < last.number {
                self.past.goes_on(connection, key, Position { number: sent, ..last });
            } else {
                self.past.end(connection, key);
            }
            page.gaps.extend(part.gaps);
            page.events.extend(part.events);
        }
        (!due.is_empty()).then_some(page)
    }

    fn part(&self, key: StreamKey, after: Position, bytes_left: &mut usize) -> CatchUp {
        let Position { epoch, number: last } = self.last(key);
        if after.epoch != epoch || after.number > last {
            let (from, to, reason) = (1, last, GapReason::OtherEpoch);
            return CatchUp { gaps: vec![Gap { key, epoch, from, to, reason }], events: vec![] };
        }
        let events = self.history.after(key, after.number, bytes_left);
        let (from, to) = (after.number + 1, events.first().map_or(last, |first| first.number - 1));
        let restored = self.restored.last(key).min(to);
        let parts = [
            (from, restored, GapReason::Archived),
            (from.max(restored + 1), to, GapReason::NotKept),
        ];
        let parts = parts.into_iter().filter(|(from, to, _)| from <= to);
        let gap = |(from, to, reason)| Gap { key, epoch, from, to, reason };
        CatchUp { gaps: parts.map(gap).collect(), events }
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
        self.past.end(connection, key);
        self.conflation.forget(connection, key);
    }

    /// So much waits for a connection that events are merged for it, where it permits that.
    pub fn congested(&mut self, connection: ConnectionId) {
        self.relieved.remove(&connection);
        self.conflation.congested(connection);
    }

    /// A connection is no longer congested.
    pub fn relieved(&mut self, connection: ConnectionId) {
        self.relieved.insert(connection);
    }

    /// What connections that are no longer congested are sent for what was left out. While a batch is
    /// held, they wait: the market is ahead of the published events.
    pub fn reliefs(&mut self, market: &Market) -> Vec<(ConnectionId, CatchUp)> {
        if !self.held.is_empty() {
            return Vec::new();
        }
        let relieved = std::mem::take(&mut self.relieved).into_iter();
        let conflation = &mut self.conflation;
        relieved.map(|connection| (connection, conflation.relieved(connection, market))).collect()
    }

    /// Ends all subscriptions of a connection.
    pub fn gone(&mut self, connection: ConnectionId) {
        self.subscriptions.gone(connection);
        self.past.gone(connection);
        self.relieved.remove(&connection);
        self.states.retain(|(of, _)| *of != connection);
        self.conflation.gone(connection);
    }

    /// Gives the events of a run to those that follow its stream, and no longer read its past.
    fn share(&mut self, run: &Run, shares: &mut BTreeMap<ConnectionId, Vec<Arc<Published>>>) {
        let (key, conflation) = (run.key, &mut self.conflation);
        for event in run.after(0) {
            for (connection, conflate) in self.subscriptions.of(key) {
                if self.past.has(connection, key) {
                    continue;
                }
                let is_merged = is_conflatable(key)
                    && (conflate || conflation.has_left_out(connection, key))
                    && conflation.merges(connection, &event);
                if !is_merged {
                    shares.entry(connection).or_default().push(Arc::clone(&event));
                }
            }
        }
    }
}
