//! The actors of a scenario on a real clock, against a venue.
//!
//! # Rules
//! 1. Time 0 of the run is the venue's `genesis.start_ns`. Outside prices step, and timers expire,
//!    at their own times; if the host is late it handles them late, under those times, so that no
//!    delay of ours makes the flow wait (open loop).
//! 2. What the venue publishes is heard when it arrives. Links of clients are the real ones: the
//!    scenario's `flow.client_link` is not added.
//! 3. Messages of one kind of sender go over one connection, in their order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use surgetank_lab::actors::{Action, ActorEvent, Actors, Published, Timer};
use surgetank_lab::exchange::{self, Exchange, PositionBook, Public};
use surgetank_lab::flow::Tape;
use surgetank_lab::scenario::{Feed, Scenario};
use surgetank_lab::seed::Seed;
use surgetank_lab::trace::{Source, Table};
use surgetank_layer::audit::journal::{MAGIC, read_batch};
use surgetank_layer::message::Class;
use surgetank_layer::units::{MessageId, Ns, SECOND};
use surgetank_venue::encoding::Encoded;
use surgetank_venue::event::{Event, Position, StreamKey};
use surgetank_venue::execution::state_hash;
use surgetank_venue::request::{Action as Asked, Request};
use surgetank_venue::wire::{Down, Subscription, Up};

use crate::clock::Clock;
use crate::connection::{Arrival, Connection, Key, Numbered};
use crate::record::{Deed, Record, request};
use crate::rows;

/// Most requests in a frame.
const FRAME_REQUESTS: usize = 256;
/// Time between two pings of a connection, so that the venue does not take it for dead.
const PING_NS: Ns = SECOND;
/// Time in which the last answers arrive.
const LAST_ANSWERS: Duration = Duration::from_secs(3);
/// Time without an arrival after which nothing more is expected.
const QUIET: Duration = Duration::from_millis(100);

/// Where the venue is, and how to log on.
#[derive(Clone, Debug)]
pub struct Venue {
    /// Where the binary protocol is spoken.
    pub address: SocketAddr,
    /// A key that may send for all accounts.
    pub key: Key,
    /// `start_ns` of the venue's genesis: time 0 of the run.
    pub start_ns: Ns,
}

/// What a user brings beside a scenario.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// A recording.
    pub tape: Option<Tape>,
    /// The accounts with which the market opens.
    pub positions: Option<PositionBook>,
}

/// Something that happens at a time of the run.
#[derive(Clone, Copy, Debug)]
enum Due {
    Price,
    Actor(Timer),
    Send(MessageId),
    Ping,
}

/// A run.
pub struct Rig {
    scenario: Scenario,
    seed: Seed,
    files: Files,
    clock: Clock,
    agenda: BinaryHeap<Reverse<(Ns, u64, Slot)>>,
    pushed: u64,
    actors: Actors,
    shadow: Exchange,
    record: Record,
    /// One for the journal, then one by kind of sender.
    connections: Vec<Connection>,
    arrivals: Receiver<Numbered>,
    /// Requests to be sent, by connection.
    outgoing: Vec<Vec<(MessageId, Request)>>,
    actions: Vec<Action>,
    failed: Option<String>,
    _sender: Sender<Numbered>,
}

/// An event without an order of its own.
#[derive(Clone, Copy, Debug)]
struct Slot(Due);

impl PartialEq for Slot {
    fn eq(&self, _: &Slot) -> bool {
        true
    }
}
impl Eq for Slot {}
impl PartialOrd for Slot {
    fn partial_cmp(&self, other: &Slot) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Slot {
    fn cmp(&self, _: &Slot) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

/// What a run leaves.
pub struct Outcome {
    /// The tables of its trace.
    pub tables: Vec<Table>,
    /// Counts and constants of the run.
    pub stats: Value,
    /// How the generator kept its schedule, and what the venue refused.
    pub live: Value,
}

/// The scenario as live actors play it.
///
/// # Errors
/// What of it has no meaning at this venue, and the remedy.
fn playable(mut scenario: Scenario) -> Result<Scenario, String> {
    let Some(market) = &scenario.market else {
        return Err("it has no [market], which a venue needs. Add one".into());
    };
    if market.price.feed == Feed::Block {
        return Err(
            "market.price.feed: this venue's blocks carry no price. Give \"messages\"".into()
        );
    }
    if !scenario.attack.is_none() {
        return Err("attack: live attackers are not there yet. Take [attack] out".into());
    }
    scenario.flow.client_link.fixed_ns = 0;
    Ok(scenario)
}

/// Connection of a kind of sender; 0 is the journal's.
fn connection_of(source: Source) -> usize {
    1 + source as usize
}

/// Names of the sessions, by number of the connection.
const SESSIONS: [&str; 9] =
    ["journal", "background", "makers", "oracles", "keepers", "panic", "spam", "tape", "attackers"];

impl Rig {
    /// Opens the run and connects to the venue.
    ///
    /// # Errors
    /// What of the scenario cannot be played, or why the venue cannot be reached.
    pub fn new(scenario: Scenario, seed: u64, files: Files, venue: &Venue) -> Result<Rig, String> {
        let scenario = playable(scenario)?;
        let seed = Seed::new(seed);
        let shadow = open(&scenario, &files, &seed)?;
        let clock = Clock::new(venue.start_ns);
        let (sender, arrivals) = channel();
        let open = |(number, session): (u32, &&str)| {
            Connection::open(number, venue.address, (&venue.key, session), clock, &sender)
        };
        let connections: Result<Vec<_>, _> = (0..).zip(&SESSIONS).map(open).collect();
        let connections =
            connections.map_err(|error| format!("no connection to {}: {error}", venue.address))?;
        let mut rig = Rig {
            actors: Actors::new(&scenario, files.tape.clone(), &seed),
            outgoing: connections.iter().map(|_| Vec::new()).collect(),
            agenda: BinaryHeap::new(),
            pushed: 0,
            record: Record::default(),
            actions: Vec::new(),
            failed: None,
            _sender: sender,
            scenario,
            seed,
            files,
            clock,
            shadow,
            connections,
            arrivals,
        };
        rig.log_on()?;
        rig.begin();
        Ok(rig)
    }

    /// Waits for all logons, and follows the journal from its beginning.
    fn log_on(&mut self) -> Result<(), String> {
        let patience = Instant::now() + Duration::from_secs(20);
        while !self.connections.iter().all(Connection::is_logged_on) {
            let left = patience.saturating_duration_since(Instant::now());
            match self.arrivals.recv_timeout(left) {
                Ok(arrival) => self.arrive(arrival),
                Err(_) => return Err("the venue did not accept the logon in 20 s".into()),
            }
            if let Some(failed) = self.failed.take() {
                return Err(failed);
            }
        }
        let after = Some(Position { epoch: 1, number: 0 });
        let journal = Subscription { key: StreamKey::Journal(()), after, conflate: false };
        self.connections[0].say(&Up::Subscribe(vec![journal]));
        Ok(())
    }

    fn begin(&mut self) {
        self.push(0, Due::Price);
        self.push(0, Due::Ping);
        let mut actions = std::mem::take(&mut self.actions);
        self.actors.start(0, &mut actions);
        self.act(0, actions);
        let mut actions = std::mem::take(&mut self.actions);
        self.actors.background.start(0, &mut actions);
        self.act(0, actions);
    }

    fn push(&mut self, at: Ns, due: Due) {
        self.pushed += 1;
        self.agenda.push(Reverse((at, self.pushed, Slot(due))));
    }

    /// Time of the run, in ns.
    pub fn now(&self) -> Ns {
        self.clock.now()
    }

    /// Number of messages so far.
    pub fn messages(&self) -> u64 {
        self.record.messages.len() as u64
    }

    /// Whether the run is over: its time is up, or the venue is lost.
    pub fn is_done(&self) -> bool {
        self.failed.is_some() || self.now() >= self.scenario.end_ns()
    }

    /// Runs for at most this time.
    pub fn run(&mut self, slice: Duration) {
        let until = Instant::now() + slice;
        while !self.is_done() && Instant::now() < until {
            let next = self.agenda.peek().map(|Reverse((at, ..))| self.clock.until(*at));
            let wait = until.saturating_duration_since(Instant::now());
            match self.arrivals.recv_timeout(next.map_or(wait, |next| next.min(wait))) {
                Ok(arrival) => self.arrive(arrival),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            while let Ok(arrival) = self.arrivals.try_recv() {
                self.arrive(arrival);
            }
            self.happen();
            self.flush();
        }
    }

    /// Everything that is due.
    fn happen(&mut self) {
        let now = self.now();
        let started = self.clock.unix_ns() >= self.clock.start_ns;
        while started && self.agenda.peek().is_some_and(|Reverse((at, ..))| *at <= now) {
            let Some(Reverse((at, _, Slot(due)))) = self.agenda.pop() else { return };
            match due {
                Due::Price => self.step_price(at),
                Due::Actor(timer) => self.notify(at, ActorEvent::Timer(timer)),
                Due::Send(message) => self.send(message),
                Due::Ping => {
                    self.connections
                        .iter_mut()
                        .for_each(|connection| connection.say(&Up::Ping(at)));
                    self.push(at + PING_NS, Due::Ping);
                }
            }
        }
    }

    fn step_price(&mut self, at: Ns) {
        let prices_usd = self.shadow.advance(at);
        self.shadow.stepped(at, &prices_usd);
        self.record.deeds.push((at, Deed::Step(prices_usd)));
        let step_ns = self.scenario.market.as_ref().map_or(SECOND, |market| market.price.step_ns);
        let next_ns = at + step_ns;
        if next_ns < self.scenario.end_ns() {
            self.push(next_ns, Due::Price);
        }
        self.notify(at, ActorEvent::Index { next_ns });
    }

    fn notify(&mut self, now: Ns, event: ActorEvent<'_>) {
        let mut actions = std::mem::take(&mut self.actions);
        self.actors.step(now, event, &Public(Some(&self.shadow)), &mut actions);
        self.act(now, actions);
    }

    fn act(&mut self, now: Ns, mut actions: Vec<Action>) {
        for action in actions.drain(..) {
            match action {
                Action::Send(sending) => {
                    let message = self.record.sending(now, &sending);
                    self.shadow.note_sent(&message);
                    self.push(sending.sent_ns.max(now), Due::Send(message.id));
                }
                Action::Wake { at, timer } => self.push(at, Due::Actor(timer)),
                Action::Halt(span) => self.actors.background.halt(span),
                // Of parts that `playable` refuses.
                Action::Bid { .. }
                | Action::Withhold(_)
                | Action::BuildBlocks { .. }
                | Action::Publish { .. } => {}
            }
        }
        self.actions = actions;
    }

    fn send(&mut self, id: MessageId) {
        let message = self.record.messages.message(id);
        let connection = connection_of(self.record.messages.source[id as usize]);
        let request = request(&message, self.clock.start_ns);
        self.outgoing[connection].push((id, request));
        if self.outgoing[connection].len() >= FRAME_REQUESTS {
            self.flush_one(connection);
        }
    }

    fn flush(&mut self) {
        (0..self.connections.len()).for_each(|connection| self.flush_one(connection));
    }

    fn flush_one(&mut self, connection: usize) {
        if self.outgoing[connection].is_empty() {
            return;
        }
        let now = self.now();
        let (ids, mut requests): (Vec<_>, Vec<_>) = self.outgoing[connection].drain(..).unzip();
        if self.connections[connection].send(&mut requests, &ids) {
            for (id, request) in ids.iter().zip(&requests) {
                self.record.sent(now, *id, request);
            }
        }
    }

    fn arrive(&mut self, (number, arrival): Numbered) {
        let at = number as usize;
        match arrival {
            Arrival::End => {
                let session = SESSIONS[at];
                self.failed = Some(format!("the venue has ended the connection of the {session}"));
            }
            Arrival::Bytes(unix_ns, bytes) => match self.connections[at].hear(unix_ns, &bytes) {
                Ok(downs) => downs.into_iter().for_each(|down| self.hear(at, unix_ns, down)),
                Err(reason) => self.failed = Some(format!("the venue's bytes: {reason:?}")),
            },
        }
    }

    fn hear(&mut self, connection: usize, unix_ns: Ns, down: Down) {
        let start_ns = self.clock.start_ns;
        let now = unix_ns.saturating_sub(start_ns);
        match down {
            Down::Answers(answers) => {
                for answer in &answers.answers {
                    if let Some(id) = self.connections[connection].message(answer.request()) {
                        self.record.answered(now, start_ns, id, answer);
                    }
                }
            }
            Down::Events(events) => {
                for event in events {
                    if let Event::Batch(frame) = event.event
                        && !frame.starts_with(MAGIC)
                    {
                        self.batch(now, &frame);
                    }
                }
            }
            Down::Gap(gap) => {
                self.failed = Some(format!("the journal has a gap: {:?}", gap.reason))
            }
            Down::Cut(cut) => self.failed = Some(format!("the venue has cut us: {:?}", cut.reason)),
            _ => {}
        }
    }

    /// A batch of the journal: the shadow executes it, and the actors hear of it.
    fn batch(&mut self, now: Ns, frame: &[u8]) {
        let Ok(batch) = read_batch(frame) else {
            self.failed = Some("a batch of the journal cannot be read".into());
            return;
        };
        let mut messages = Vec::new();
        for index in &batch.order {
            let bytes = batch.inputs.get(*index as usize).map_or(&[][..], |(_, bytes)| bytes);
            let request = Request::from_bytes(bytes).ok();
            let own = request.filter(|request| matches!(request.action, Asked::Message { .. }));
            match own.and_then(|request| self.record.message_of(&request)) {
                Some(message) => messages.push(message),
                None => self.record.foreign += 1,
            }
        }
        let (height, seed) =
            (batch.header.height, surgetank_layer::units::Digest(batch.header.seed));
        let sealed_ns = batch.header.sealed_ns.saturating_sub(self.clock.start_ns);
        let facts = self.shadow.execute(sealed_ns, (height, seed), &messages);
        self.notify(now, ActorEvent::Executed { messages: &messages, facts: &facts });
        let marks = self.shadow.marks_at(height as u32).to_vec();
        let cut = self.shadow.deferred_in(height);
        let priced = messages.iter().any(|one| one.body.class() == Class::PriceUpdate);
        let start_ns = self.clock.start_ns;
        self.record.batch(now, start_ns, &batch, frame.len() as u64, messages);
        if !priced && !cut {
            return;
        }
        for gateway in 0..self.scenario.network.nodes {
            let height = height as u32;
            let published = Published { gateway, height, marks: &marks, priced, cut };
            self.notify(now, ActorEvent::Published(published));
        }
    }

    /// Ends the run and makes its trace.
    ///
    /// # Errors
    /// The scenario cannot be opened again.
    pub fn finish(mut self) -> Result<Outcome, String> {
        let end_ns = self.now().max(1);
        self.settle();
        self.connections.iter_mut().for_each(|connection| connection.say(&Up::Logout(())));
        let mut exchange = open(&self.scenario, &self.files, &self.seed)?;
        rows::execute_again(&mut self.record, &mut exchange);
        let live = self.live(&exchange)?;
        let background = &self.actors.background;
        let until = end_ns.min(self.scenario.flow_end_ns());
        let replays = self.scenario.flow.replay_messages;
        let expected = (!replays).then(|| background.expected(until));
        let counts = (background.sent(), expected, end_ns);
        let stats = rows::stats(&self.record, &exchange, &self.scenario, counts);
        let tables = rows::tables(self.record, &exchange, end_ns);
        Ok(Outcome { tables, stats, live })
    }

    /// Waits for the last answers and batches.
    fn settle(&mut self) {
        let patience = Instant::now() + LAST_ANSWERS;
        while self.failed.is_none() && Instant::now() < patience {
            match self.arrivals.recv_timeout(QUIET) {
                Ok(arrival) => self.arrive(arrival),
                Err(_) if self.record.unanswered == 0 => return,
                Err(_) => {}
            }
        }
    }

    /// Hash of the state of a venue that has executed what the record has.
    fn state_hash(&self, exchange: &Exchange) -> Result<String, String> {
        let (tape, positions) = (self.files.tape.as_ref(), self.files.positions.as_ref());
        let genesis = exchange::genesis_of(&self.scenario, tape, positions, &self.seed)?;
        let mut genesis = genesis.ok_or("it has no [market]")?;
        genesis.start_ns = self.clock.start_ns;
        let hash = state_hash(&genesis.hash(), &exchange.execution().state());
        Ok(hash.0.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn live(&self, exchange: &Exchange) -> Result<Value, String> {
        let mut late = self.record.lateness_ns.clone();
        late.sort_unstable();
        let quantile = |share: f64| {
            let at = (late.len().saturating_sub(1) as f64 * share).round() as usize;
            late.get(at).copied().unwrap_or(0)
        };
        Ok(json!({
            "scheduled": self.record.messages.len(),
            "sent": late.len(),
            "lateness_p50_ns": quantile(0.5),
            "lateness_p99_ns": quantile(0.99),
            "lateness_max_ns": quantile(1.0),
            "refusals": self.record.refusals,
            "unanswered": self.record.unanswered,
            "foreign": self.record.foreign,
            "failed": self.failed,
            "state_hash": self.state_hash(exchange)?,
        }))
    }
}

fn open(scenario: &Scenario, files: &Files, seed: &Seed) -> Result<Exchange, String> {
    let opened = exchange::open(scenario, files.tape.as_ref(), files.positions.as_ref(), seed)?;
    opened.ok_or_else(|| "it has no [market]".to_owned())
}
