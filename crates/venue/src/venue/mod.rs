//! The venue: intake, execution and storage, composed.
//!
//! # Rules
//! 1. One batch at a time: what waits is sealed, appended to the journal and executed at once; its
//!    answers are held until the storage says that it is durable. What came meanwhile is the next
//!    batch.
//! 2. Every start, and every end of the secrets, begins a new head with a secret of its own, drawn
//!    then: no secret is ever on the disk.
//! 3. The state is a function of the journal: a start restores the newest whole snapshot and
//!    executes the records after it, by the same code that executes new batches.
//! 4. After a failure of the storage, or if money is not conserved, nothing more is answered.
//!
//! # Theory of operation
//! Group commit needs no timer: an idle venue seals the first request that comes, and while the disk
//! is busy requests gather. Time never runs backwards: a batch is sealed at the greatest `now` so
//! far, the last batch of the journal included.

mod executed;
mod heads;
mod start;
mod subscribers;
pub mod view;
mod views;

use std::collections::VecDeque;
use std::sync::Arc;

use serde::Serialize;
use surgetank_layer::audit::batch::Ticket;
use surgetank_layer::audit::journal::End;
use surgetank_layer::machine::{Draws, Machine};
use surgetank_layer::pipe::sealer::Sealer;
use surgetank_layer::pipe::terms::Ordering;
use surgetank_layer::units::{Digest, Ns};

use crate::answer::Refusal;
use crate::event::StreamKey;
use crate::execution::{Execution, state_hash};
use crate::genesis::{Genesis, InvalidGenesis};
use crate::intake::bounds::IntakeBounds;
use crate::intake::{ConnectionId, Executed, Intake, Session};
use crate::query::{Query, View};
use crate::request::Request;
use crate::storage::damage::{Damage, FileReport};
use crate::storage::effect::{self, Append, Effect, Halt, Recovered, Space};
use crate::storage::record::{JournalId, RecordKind};
use crate::storage::{self, Storage};
use crate::streams::published::Published;
use crate::streams::{StreamBounds, Streams};
use crate::wire::{
    Answers, CutReason, Gap, Notice, OrderStatus, StreamPosition, StreamState, Subscription,
};
use view::Recent;
use views::Views;

/// Parameters of a venue.
#[derive(Clone, Debug)]
pub struct Config {
    /// What it opens with.
    pub genesis: Genesis,
    /// Bounds of the intake.
    pub bounds: IntakeBounds,
    /// Bounds of the streams.
    pub stream_bounds: StreamBounds,
    /// Order of requests in a batch.
    pub ordering: Ordering,
    /// Batches per head of the journal, at least 1.
    pub batches_per_head: usize,
    /// Identifier of the build, for snapshots.
    pub build: Digest,
    /// Parameters of the storage.
    pub storage: storage::Config,
}

/// An event.
#[derive(Clone, Debug)]
pub enum Input {
    /// The beginning: reads the data directory.
    Start,
    /// A client has logged on.
    LoggedOn(ConnectionId, Session),
    /// A logged-on connection has ended.
    Gone {
        /// The connection.
        connection: ConnectionId,
        /// Whether the client has said so.
        logged_out: bool,
    },
    /// Authentic requests in their order, each with the reason for which its session refuses it.
    Requests(ConnectionId, Vec<(Request, Option<Refusal>)>),
    /// A client asks what became of a request of its account, by its ClOrdID.
    OrderStatus(ConnectionId, u64),
    /// A client asks about the state, under a number of its own.
    Query(ConnectionId, u32, Query),
    /// Whether orders are cancelled when the connection ends without a logout.
    CancelOnDisconnect(ConnectionId, bool),
    /// A client wants events.
    Subscribe(ConnectionId, Vec<Subscription>),
    /// A client wants no further events of these streams.
    Unsubscribe(ConnectionId, Vec<StreamKey>),
    /// A client has taken everything before [`Output::PageEnd`].
    PageTaken(ConnectionId),
    /// A client asks for the state of a stream.
    StreamState(ConnectionId, StreamKey),
    /// So much waits for a client that subscriptions that permit it are conflated.
    Congested(ConnectionId),
    /// Little waits for the client again.
    Relieved(ConnectionId),
    /// A snapshot is to be taken as soon as nothing waits for the disk.
    Snapshot,
    /// The venue is about to stop: no further requests that add risk.
    Drain,
    /// For the storage: [`effect::Input::Done`], `Failed`, `Idle` or `Second`.
    Storage(effect::Input),
}

/// An effect, or a statement to the host.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A numbered effect of the storage.
    Storage(u64, Effect),
    /// The start is complete: clients can log on.
    Serving(Recovered),
    /// The journal is damaged; nothing was changed.
    Damaged(Vec<FileReport>, Vec<Damage>),
    /// The logon is accepted; with the place of the last durable request, and the last events of the
    /// account's own streams.
    LoggedOn(ConnectionId, u64, Vec<StreamPosition>),
    /// Answers to requests.
    Answers(ConnectionId, Answers),
    /// Answer to [`Input::OrderStatus`].
    OrderStatus(ConnectionId, OrderStatus),
    /// Answer to [`Input::Query`].
    View(ConnectionId, u32, View),
    /// Events for a subscriber.
    Events(ConnectionId, Vec<Arc<Published>>),
    /// Events that a subscriber will not be sent.
    Gap(ConnectionId, Gap),
    /// The end of a page of the past: more may follow [`Input::PageTaken`].
    PageEnd(ConnectionId),
    /// Answer to [`Input::StreamState`].
    StreamState(ConnectionId, StreamState),
    /// A connection must end.
    Cut(ConnectionId, CutReason),
    /// For all clients.
    Notice(Notice),
    /// Nothing more happens.
    Stopped(Stop),
}

/// Why a venue stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The storage failed, or the journal is damaged.
    Storage(Option<Halt>),
    /// The journal is that of a venue with another genesis.
    OtherGenesis,
    /// A record is of no version that this build knows.
    UnknownRecord(u64),
    /// The execution of a record has made or lost money.
    NotConserved(u64),
}

/// How far the journal is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Number of the last record.
    pub record: u64,
    /// Number of the last durable record.
    pub durable: u64,
    /// Sequence number of the last durable request.
    pub sequence: u64,
    /// Requests that wait for their place in the journal.
    pub waiting: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Recovering,
    Serving,
    Stopped,
}

/// A venue. It begins with [`Input::Start`].
#[derive(Debug)]
pub struct Venue {
    config: Config,
    stage: Stage,
    storage: Storage,
    intake: Intake,
    streams: Streams,
    views: Views,
    execution: Execution,
    /// Of the current head; `None` before the first one of a start.
    sealer: Option<Sealer>,
    journal: JournalId,
    epoch: u32,
    /// Number and hash of the last record, and number of the last durable one.
    record: u64,
    record_hash: Digest,
    durable: u64,
    /// Sequence number of the last durable request.
    durable_sequence: u64,
    decided: Decided,
    /// The greatest time so far.
    now: Ns,
    wants_snapshot: bool,
    recent: Recent,
}

/// The last batch of the journal.
#[derive(Clone, Copy, Debug, Default)]
struct Decided {
    end: End,
    sealed_ns: Ns,
}

impl Venue {
    /// A venue that has not read its journal yet.
    ///
    /// # Errors
    /// No venue can open with the genesis.
    pub fn new(config: Config) -> Result<Venue, InvalidGenesis> {
        let mut execution = Execution::open(&config.genesis)?;
        execution.record_book_changes(true);
        Ok(Venue {
            stage: Stage::Recovering,
            storage: Storage::new(config.storage.clone()),
            intake: Intake::new(config.bounds),
            streams: Streams::new(config.stream_bounds, execution.market()),
            views: Views::default(),
            execution,
            sealer: None,
            journal: config.storage.new_journal,
            epoch: 0,
            record: 0,
            record_hash: Digest::default(),
            durable: 0,
            durable_sequence: 0,
            decided: Decided::default(),
            now: 0,
            wants_snapshot: false,
            recent: Recent::default(),
            config,
        })
    }

    /// The execution as the last batch left it, which may not be durable yet.
    pub fn execution(&self) -> &Execution {
        &self.execution
    }

    /// Hash of the state of the execution.
    pub fn state_hash(&self) -> Digest {
        state_hash(&self.config.genesis.hash(), &self.execution.state())
    }

    /// How far the journal is.
    pub fn progress(&self) -> Progress {
        Progress {
            record: self.record,
            durable: self.durable,
            sequence: self.durable_sequence,
            waiting: self.intake.waiting(),
        }
    }

    fn append(&mut self, append: Append, draws: &mut dyn Draws, out: &mut Vec<Output>) {
        self.record += 1;
        self.record_hash = append.hash;
        self.streams.record(self.record, &append);
        self.storage(effect::Input::Append(append), draws, out);
    }

    /// Steps the storage, and answers what it asks.
    fn storage(&mut self, input: effect::Input, draws: &mut dyn Draws, out: &mut Vec<Output>) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut said = Vec::new();
            self.storage.step(self.now, input, draws, &mut said);
            for output in said {
                inputs.extend(self.hear(output, out));
            }
        }
    }

    /// The answer to what the storage says, if it wants one.
    fn hear(&mut self, said: effect::Output, out: &mut Vec<Output>) -> Option<effect::Input> {
        match said {
            effect::Output::Effect(number, effect) => out.push(Output::Storage(number, effect)),
            effect::Output::Restore(snapshot) => {
                return Some(effect::Input::Restored(self.restore(&snapshot)));
            }
            effect::Output::Replay(replayed) => {
                if let Err(stop) = self.replay(&replayed) {
                    self.stop(stop, out);
                }
            }
            effect::Output::Claim { number, state } => {
                let holds = self.state_hash() == state;
                return Some(effect::Input::Claimed { number, holds });
            }
            effect::Output::Recovered(recovered) => self.recovered(recovered, out),
            effect::Output::Refused { files, damage } => {
                out.push(Output::Damaged(files, damage));
                self.stop(Stop::Storage(None), out);
            }
            effect::Output::Durable { number } => {
                self.durable = number;
                // A batch that is not durable yet is the last record.
                if number == self.record {
                    self.durable_sequence = self.decided.end.sequence;
                }
                self.intake.durable(self.now, number);
                let shares = self.streams.durable(number).into_iter();
                out.extend(shares.map(|(connection, events)| Output::Events(connection, events)));
                self.inform(out);
                out.extend(self.views.durable(number));
            }
            effect::Output::Space(space) => {
                self.intake.set_space(space);
                out.push(Output::Notice(match space {
                    Space::Ample => Notice::Serving,
                    Space::Reserve => Notice::DiskReserve,
                    Space::Full => Notice::DiskFull,
                }));
            }
            effect::Output::SnapshotWritten { .. } => {}
            effect::Output::Halted(halt) => self.stop(Stop::Storage(Some(halt)), out),
        }
        None
    }

    fn stop(&mut self, why: Stop, out: &mut Vec<Output>) {
        if self.stage != Stage::Stopped {
            self.stage = Stage::Stopped;
            out.push(Output::Stopped(why));
        }
    }

    /// Seals, appends and executes what waits, unless a batch waits for the disk.
    fn advance(&mut self, draws: &mut dyn Draws, out: &mut Vec<Output>) {
        if self.stage != Stage::Serving || self.intake.is_holding() {
            return;
        }
        if self.wants_snapshot && self.record > 0 && self.record == self.durable {
            self.wants_snapshot = false;
            let (number, bytes) = (self.record, self.snapshot().to_bytes().into());
            self.storage(effect::Input::Snapshot { number, bytes }, draws, out);
        }
        if self.intake.waiting() == 0 {
            return;
        }
        self.begin_head(draws, out);
        let Some(sealer) = &mut self.sealer else { return };
        let mut inputs = self.intake.take_batch();
        for waiting in &inputs {
            let ticket = Ticket {
                account: waiting.request.sender,
                class: waiting.request.class() as u8,
                flags: waiting.request.flags(),
                fee: 0,
                arrival_ns: waiting.received_ns,
            };
            sealer.push(&ticket, &waiting.bytes);
        }
        let mut frame = Vec::new();
        let Some(published) = sealer.seal(self.now, &mut frame) else { return };
        let (header, hash) = (published.header, sealer.ledger().last_hash());
        let mut places = vec![usize::MAX; inputs.len()];
        for (place, index) in published.order.iter().enumerate() {
            places[*index as usize] = place;
        }
        let mut arrival = places.into_iter();
        inputs.sort_by_cached_key(|_| arrival.next());
        let requests: Vec<Request> = inputs.iter().map(|waiting| waiting.request).collect();
        self.append(
            Append {
                kind: RecordKind::Batch,
                payload: frame.into(),
                hash,
                first_sequence: header.first_sequence,
                ordered: header.ordered,
                sealed_ns: header.sealed_ns,
            },
            draws,
            out,
        );
        let Some(reasons) = self.execute(self.record, &header, hash, &requests) else {
            return self.stop(Stop::NotConserved(self.record), out);
        };
        self.intake.executed(Executed {
            record: self.record,
            first_sequence: header.first_sequence,
            sealed_ns: header.sealed_ns,
            executed_ns: self.now,
            requests: inputs.into_iter().zip(reasons).collect(),
        });
    }

    /// A connection has ended.
    fn gone(&mut self, connection: ConnectionId, logged_out: bool) {
        self.intake.gone(self.now, connection, logged_out);
        self.streams.gone(connection);
        self.views.gone(connection);
    }

    fn logged_on(&mut self, connection: ConnectionId, session: Session, out: &mut Vec<Output>) {
        if self.stage != Stage::Serving {
            return out.push(Output::Cut(connection, CutReason::Stopping));
        }
        let account = session.account;
        match self.intake.connected(self.now, connection, session) {
            Ok(earlier) => {
                if let Some(earlier) = earlier {
                    self.streams.gone(earlier);
                    self.views.gone(earlier);
                    out.push(Output::Cut(earlier, CutReason::Replaced));
                }
                let streams = self.streams.lasts(account);
                out.push(Output::LoggedOn(connection, self.durable_sequence, streams));
            }
            Err(reason) => out.push(Output::Cut(connection, reason)),
        }
    }
}

impl Machine for Venue {
    type Input = Input;
    type Output = Output;

    fn step(&mut self, now: Ns, input: Input, draws: &mut dyn Draws, out: &mut Vec<Output>) {
        if self.stage == Stage::Stopped {
            return;
        }
        self.now = self.now.max(now);
        match input {
            Input::Start => self.storage(effect::Input::Start, draws, out),
            Input::Storage(input) => self.storage(input, draws, out),
            Input::LoggedOn(connection, session) => self.logged_on(connection, session, out),
            Input::Gone { connection, logged_out } => {
                self.gone(connection, logged_out);
            }
            Input::Requests(connection, requests) => {
                self.intake.receive(self.now, connection, &requests);
            }
            Input::OrderStatus(connection, cl_ord_id) => {
                let session = self.intake.session(connection);
                out.extend(session.map(|session| {
                    let status = self.intake.status(session.account, cl_ord_id);
                    Output::OrderStatus(connection, OrderStatus { cl_ord_id, status })
                }));
            }
            Input::Query(connection, number, query) => {
                out.extend(self.query(connection, number, query));
            }
            Input::CancelOnDisconnect(connection, wanted) => {
                self.intake.set_cancel_on_disconnect(connection, wanted);
            }
            Input::Subscribe(connection, wanted) => self.subscribe(connection, &wanted, out),
            Input::Unsubscribe(connection, keys) => {
                keys.into_iter().for_each(|key| self.streams.unsubscribe(connection, key));
            }
            Input::PageTaken(connection) => self.taken(connection, out),
            Input::StreamState(connection, key) => self.ask_state(connection, key, out),
            Input::Congested(connection) => self.streams.congested(connection),
            Input::Relieved(connection) => {
                self.streams.relieved(connection);
                self.inform(out);
            }
            Input::Snapshot => self.wants_snapshot = true,
            Input::Drain => {
                self.intake.drain();
                out.push(Output::Notice(Notice::Draining));
            }
        }
        self.advance(draws, out);
        if self.stage == Stage::Serving {
            let answers = self.intake.take_answers().into_iter();
            out.extend(answers.map(|(connection, said)| Output::Answers(connection, said)));
        }
    }
}
