//! The venue's thread: steps the machine, and carries out what it says.
//!
//! # Rules
//! 1. It never waits for a disk or a client: effects go to threads of their own, and what a client
//!    does not take in time ends the client's connection.
//! 2. Results of the storage go before what clients send, so that no flood delays a group.
//! 3. It serves once the first segments are allocated, so that no client hears of a full disk that
//!    is only a new one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use serde::Serialize;
use surgetank_layer::machine::{Draws, Machine};
use surgetank_layer::units::Digest;
use surgetank_venue::intake::{ConnectionId, Session};
use surgetank_venue::storage::effect::{self, Effect, Recovered};
use surgetank_venue::venue::view::OperatorView;
use surgetank_venue::venue::{Input, Output, Progress, Venue};
use surgetank_venue::wire::{CutReason, Down};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::clock::{Clock, Follower};
use crate::edge::outbound::{Item, Outbound};
use crate::progress::{Ended, Milestones, Recovery, Why};
use crate::storage::Storage;
use crate::telemetry::Telemetry;

/// Time without a record after which commit slots are written.
const IDLE: Duration = Duration::from_millis(5);
const SECOND: Duration = Duration::from_secs(1);
/// Time in which a draining venue answers what still comes.
const DRAIN: Duration = Duration::from_secs(2);

/// What the venue's thread is asked for.
#[derive(Debug)]
pub enum Command {
    /// A client holds a key: it is logged on, or hears why not, by its queue.
    Connected(ConnectionId, Session, Outbound),
    /// For the machine.
    Venue(Input),
    /// The state of the process.
    Status(oneshot::Sender<Status>),
    /// Hash of the state after the last record: takes the time of encoding all of it.
    StateHash(oneshot::Sender<Digest>),
    /// Answer what waits, make it durable, and stop.
    Drain,
}

/// What the process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// It reads its journal.
    Recovering,
    /// Clients can log on.
    Serving,
    /// It answers what waits, and then stops.
    Draining,
    /// Connections end.
    Stopping,
}

/// The state of the process.
#[derive(Clone, Copy, Debug)]
pub struct Status {
    /// What it does.
    pub stage: Stage,
    /// How far the journal is.
    pub progress: Progress,
    /// Connections that are logged on.
    pub connections: usize,
}

/// What operators see of the venue's thread, and what waits for each connection, in bytes.
#[derive(Clone, Debug, Serialize)]
pub struct Seen {
    /// The venue.
    #[serde(flatten)]
    pub venue: OperatorView,
    /// What waits for each listed session.
    pub outbound_bytes: BTreeMap<ConnectionId, usize>,
}

/// Who wants to see, and is answered at once.
pub type Viewer = SyncSender<Seen>;

/// When snapshots are taken.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotEvery {
    /// After so many requests.
    pub requests: u64,
    /// After this time, if there were requests.
    pub time: Duration,
}

/// Random bits of the system.
struct SystemDraws;

impl Draws for SystemDraws {
    fn next_u64(&mut self) -> u64 {
        getrandom::u64().expect("the system has random numbers")
    }
}

/// The venue and what it works with.
#[derive(Debug)]
pub struct Host {
    venue: Venue,
    clock: Arc<Clock>,
    storage: Storage,
    milestones: Arc<Milestones>,
    telemetry: Arc<Telemetry>,
    stage: watch::Sender<Stage>,
    snapshots: SnapshotEvery,
    connections: BTreeMap<ConnectionId, Outbound>,
    /// Effects without a result.
    open: BTreeSet<u64>,
    /// The start, until it is announced.
    recovered: Option<Recovered>,
    /// When to say that nothing was appended; `None` if it was said.
    idle_at: Option<Instant>,
    second_at: Instant,
    follower: Follower,
    /// Time and sequence number of the last snapshot.
    snapshot: (Instant, u64),
    /// Until when a draining venue answers what still comes.
    drains_until: Option<Instant>,
    /// Whether the last snapshot of a draining venue is taken.
    is_last_snapshot_taken: bool,
    why: Option<Why>,
}

impl Host {
    /// A venue that has not read its journal yet.
    pub fn new(
        venue: Venue,
        clock: Arc<Clock>,
        storage: Storage,
        milestones: Arc<Milestones>,
        telemetry: Arc<Telemetry>,
        stage: watch::Sender<Stage>,
        snapshots: SnapshotEvery,
    ) -> Host {
        let now = Instant::now();
        Host {
            venue,
            clock,
            storage,
            milestones,
            telemetry,
            stage,
            snapshots,
            connections: BTreeMap::new(),
            open: BTreeSet::new(),
            recovered: None,
            idle_at: None,
            second_at: now + SECOND,
            follower: Follower::default(),
            snapshot: (now, 0),
            drains_until: None,
            is_last_snapshot_taken: false,
            why: None,
        }
    }

    /// Runs until the venue stops or everybody who could ask for anything is gone.
    pub async fn run(
        &mut self,
        mut results: mpsc::Receiver<effect::Input>,
        mut commands: mpsc::Receiver<Command>,
        mut viewers: mpsc::Receiver<Viewer>,
    ) -> Ended {
        self.step(Input::Start);
        loop {
            let why = self.why.take();
            if let Some(why) = why {
                return self.end(why);
            }
            let wake = self.idle_at.map_or(self.second_at, |at| at.min(self.second_at));
            tokio::select! {
                biased;
                Some(result) = results.recv() => {
                    if let effect::Input::Done(number, _) | effect::Input::Failed(number, _) = result {
                        self.open.remove(&number);
                    }
                    self.idle_at = Some(Instant::now() + IDLE);
                    self.step(Input::Storage(result));
                }
                () = tokio::time::sleep_until(wake) => self.wake(),
                Some(viewer) = viewers.recv() => drop(viewer.try_send(self.seen())),
                command = commands.recv() => match command {
                    Some(command) => self.command(command),
                    None => self.why = Some(Why::Defect),
                },
            }
            self.settle();
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Connected(connection, session, outbound) => {
                self.connections.insert(connection, outbound);
                self.step(Input::LoggedOn(connection, session));
            }
            Command::Venue(Input::Requests(..)) if self.is_past_drain() => {}
            // It is congested again since; its connection's task will say when it is not.
            Command::Venue(Input::Relieved(connection)) if self.is_congested(connection) => {}
            Command::Venue(input) => {
                if let Input::Gone { connection, .. } = input {
                    self.connections.remove(&connection);
                }
                self.step(input);
            }
            Command::Status(answer) => drop(answer.send(self.status())),
            Command::StateHash(answer) => drop(answer.send(self.venue.state_hash())),
            Command::Drain => {
                if self.drains_until.is_none() {
                    self.drains_until = Some(Instant::now() + DRAIN);
                    self.stage.send_replace(Stage::Draining);
                    self.step(Input::Drain);
                }
            }
        }
    }

    fn is_congested(&self, connection: ConnectionId) -> bool {
        self.connections.get(&connection).is_some_and(Outbound::is_congested)
    }

    fn is_past_drain(&self) -> bool {
        self.drains_until.is_some_and(|until| Instant::now() > until)
    }

    /// Does what is due: commit slots after an idle time, the clock every second.
    fn wake(&mut self) {
        let now = Instant::now();
        if self.idle_at.is_some_and(|at| at <= now) {
            self.idle_at = None;
            self.step(Input::Storage(effect::Input::Idle));
        }
        if self.second_at <= now {
            self.second_at = now + SECOND;
            self.follower.follow(&self.clock);
            self.telemetry.alive(self.clock.now());
            self.step(Input::Storage(effect::Input::Second));
        }
    }

    /// What follows from the state after a step: the start announced, snapshots, the end of a drain.
    fn settle(&mut self) {
        let progress = self.venue.progress();
        if self.open.is_empty()
            && let Some(journal) = self.recovered.take()
        {
            let state_hash = self.venue.state_hash();
            self.snapshot = (Instant::now(), progress.sequence);
            self.milestones.serves(Recovery { journal, sequence: progress.sequence, state_hash });
            self.stage.send_if_modified(|stage| {
                let starts = *stage == Stage::Recovering;
                if starts {
                    *stage = Stage::Serving;
                }
                starts
            });
        }
        let (taken_at, taken) = self.snapshot;
        let new = progress.sequence.saturating_sub(taken);
        let is_due = new >= self.snapshots.requests || taken_at.elapsed() >= self.snapshots.time;
        if new > 0 && is_due && self.recovered.is_none() {
            self.take_snapshot(progress);
        }
        if self.drains_until.is_some()
            && self.open.is_empty()
            && progress.waiting == 0
            && progress.record == progress.durable
        {
            if self.idle_at.take().is_some() {
                self.step(Input::Storage(effect::Input::Idle));
            } else if new > 0 && !self.is_last_snapshot_taken {
                self.is_last_snapshot_taken = true;
                self.take_snapshot(progress);
            } else {
                self.why.get_or_insert(Why::Drained);
            }
        }
    }

    fn take_snapshot(&mut self, progress: Progress) {
        self.snapshot = (Instant::now(), progress.sequence);
        self.step(Input::Snapshot);
    }

    fn step(&mut self, input: Input) {
        let (mut out, began_ns) = (Vec::new(), self.clock.now());
        self.venue.step(began_ns, input, &mut SystemDraws, &mut out);
        for output in out {
            if let Output::Storage(_, Effect::WriteSnapshot { .. }) = output {
                self.telemetry.paused(self.clock.now().saturating_sub(began_ns));
            }
            self.carry_out(output);
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Storage(number, effect) => {
                self.open.insert(number);
                self.storage.ask(number, effect);
            }
            Output::Serving(recovered) => self.recovered = Some(recovered),
            Output::Damaged(files, damage) => self.why = Some(Why::Damaged(files, damage)),
            Output::LoggedOn(connection, sequence, streams) => {
                self.push(connection, Item::LoggedOn(sequence, streams));
            }
            Output::Answers(connection, answers) => self.say(connection, Down::Answers(answers)),
            Output::OrderStatus(connection, status) => {
                self.say(connection, Down::OrderStatus(status));
            }
            Output::View(connection, number, view) => {
                self.push(connection, Item::View(number, view));
            }
            Output::Events(connection, events) => {
                self.push(connection, Item::Events(events));
            }
            Output::PageEnd(connection) => self.push(connection, Item::PageEnd),
            Output::Gap(connection, gap) => self.say(connection, Down::Gap(gap)),
            Output::StreamState(connection, state) => self.say(connection, Down::Snapshot(state)),
            Output::Cut(connection, reason) => {
                self.push(connection, Item::Cut(reason));
                self.connections.remove(&connection);
            }
            Output::Notice(notice) => {
                self.telemetry.noticed(notice);
                let connections: Vec<ConnectionId> = self.connections.keys().copied().collect();
                for connection in connections {
                    self.say(connection, Down::Notice(notice));
                }
            }
            Output::Stopped(stop) => {
                self.why.get_or_insert(Why::Stopped(stop));
            }
        }
    }

    fn say(&mut self, connection: ConnectionId, down: Down) {
        self.push(connection, Item::Say(down));
    }

    /// Queues for a client. One for which too much waits is cut by its connection's task, and is
    /// gone from here on.
    fn push(&mut self, connection: ConnectionId, item: Item) {
        let Some(outbound) = self.connections.get(&connection) else { return };
        if outbound.push(item).is_err() {
            self.connections.remove(&connection);
            self.step(Input::Gone { connection, logged_out: false });
        } else if outbound.is_newly_congested() {
            self.step(Input::Congested(connection));
        }
    }

    fn status(&self) -> Status {
        Status {
            stage: *self.stage.borrow(),
            progress: self.venue.progress(),
            connections: self.connections.len(),
        }
    }

    fn seen(&self) -> Seen {
        let venue = self.venue.view();
        let queued = |id| Some((id, self.connections.get(&id)?.queued()));
        let listed = venue.intake.sessions.iter();
        let outbound_bytes = listed.filter_map(|one| queued(one.connection)).collect();
        Seen { venue, outbound_bytes }
    }

    /// Waits for the effects that are in progress.
    pub fn finish(self) {
        self.storage.finish();
    }

    fn end(&mut self, why: Why) -> Ended {
        for outbound in std::mem::take(&mut self.connections).into_values() {
            let _ = outbound.push(Item::Cut(CutReason::Stopping));
        }
        self.stage.send_replace(Stage::Stopping);
        let (progress, state_hash) = (self.venue.progress(), self.venue.state_hash());
        Ended { why, progress, state_hash }
    }
}
