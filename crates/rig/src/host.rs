//! The actors of a scenario on a real clock, against a venue.
//!
//! # Rules
//! 1. Outside prices step, and timers expire, at their own times; if the host is late it handles
//!    them late, under those times, so that no delay of ours makes the flow wait (open loop).
//! 2. What the venue publishes is heard when it arrives. Links of clients are the real ones: the
//!    scenario's `flow.client_link` is not added.
//! 3. Messages of one kind of sender go over one link, in their order. A link whose connection ends
//!    connects again; the journal is resumed after the last event received.
//! 4. A refusal that passes is answered as in the lab: after a wait, the message is sent again, at
//!    most `flow.retry.tries_max` times.

mod ending;
mod hearing;

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use surgetank_lab::actors::{Action, ActorEvent, Actors, Timer};
use surgetank_lab::adversary::Adversary;
use surgetank_lab::exchange::{self, Exchange, PositionBook, Public};
use surgetank_lab::flow::Tape;
use surgetank_lab::scenario::{Feed, Scenario};
use surgetank_lab::seed::Seed;
use surgetank_lab::trace::{Source, Table};
use surgetank_layer::units::{MessageId, Ns, SECOND};
use surgetank_venue::wire::Up;

use crate::agenda::{Agenda, Due};
use crate::clock::{Clock, Reading};
use crate::connection::{Arrival, Key, Named};
use crate::link::{Link, Site};
use crate::record::{Deed, Record, request};

/// Time between two pings of a connection, so that the venue does not take it for dead.
const PING_NS: Ns = SECOND;
/// Time in which the first logons are accepted.
const FIRST_LOGONS: Duration = Duration::from_secs(20);

/// Where the venue is, and how to log on.
#[derive(Clone, Debug)]
pub struct Venue {
    /// Where the binary protocol is spoken.
    pub address: SocketAddr,
    /// A key that may send for all accounts.
    pub key: Key,
    /// `start_ns` of the venue's genesis.
    pub opened_ns: Ns,
    /// Time 0 of the run, since 1970; not before the opening.
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

/// A run.
pub struct Rig {
    scenario: Scenario,
    seed: Seed,
    files: Files,
    site: Site,
    opened_ns: Ns,
    agenda: Agenda,
    actors: Actors,
    attacker: Adversary,
    shadow: Exchange,
    record: Record,
    /// One for the journal, then one by kind of sender.
    links: Vec<Link>,
    arrivals: Receiver<Named>,
    /// Number of the last event of the journal.
    journal: u64,
    /// The most exact reading of the venue's clock.
    reading: Option<Reading>,
    actions: Vec<Action>,
    /// Whether the run is over: no actor acts any more.
    is_over: bool,
    failed: Option<String>,
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
    scenario.flow.client_link.fixed_ns = 0;
    Ok(scenario)
}

/// Link of a kind of sender; 0 is the journal's.
fn link_of(source: Source) -> usize {
    1 + source as usize
}

/// Names of the sessions, by number of the link.
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
        let attacker = Adversary::of_client(&scenario, &seed)?;
        if let Some(power) = attacker.needs() {
            return Err(format!("attack: it needs {power}, which a client does not have"));
        }
        let clock = Clock::new(venue.start_ns);
        let (sender, arrivals) = channel();
        let (address, key) = (venue.address, venue.key.clone());
        let mut rig = Rig {
            shadow: open(&scenario, &files, &seed, venue.start_ns - venue.opened_ns)?,
            actors: Actors::new(&scenario, files.tape.clone(), &seed),
            site: Site { address, key, clock, arrivals: sender },
            opened_ns: venue.opened_ns,
            links: (0..).zip(SESSIONS).map(|(number, name)| Link::new(number, name)).collect(),
            agenda: Agenda::default(),
            record: Record::default(),
            journal: 0,
            reading: None,
            actions: Vec::new(),
            is_over: false,
            failed: None,
            scenario,
            seed,
            files,
            attacker,
            arrivals,
        };
        rig.log_on()?;
        rig.begin();
        Ok(rig)
    }

    /// Waits for all logons.
    fn log_on(&mut self) -> Result<(), String> {
        for link in &mut self.links {
            link.connect(&self.site)?;
        }
        let patience = Instant::now() + FIRST_LOGONS;
        while !self.links.iter().all(Link::is_logged_on) {
            let left = patience.saturating_duration_since(Instant::now());
            match self.arrivals.recv_timeout(left) {
                Ok((_, Arrival::End)) => {
                    return Err(format!("no connection to {}", self.site.address));
                }
                Ok(arrival) => self.arrive(arrival),
                Err(_) => return Err("the venue did not accept the logon in 20 s".into()),
            }
            if let Some(failed) = self.failed.take() {
                return Err(failed);
            }
        }
        let hash = self.genesis_hash()?;
        if self.links[0].venue().is_none_or(|venue| !hash.0.starts_with(&venue)) {
            return Err("the venue did not open as this scenario does, with this seed".into());
        }
        if self.links.iter().any(|link| link.sequence() > 0) {
            return Err("the venue has been traded on already".into());
        }
        Ok(())
    }

    fn begin(&mut self) {
        self.agenda.push(0, Due::Price);
        self.agenda.push(0, Due::Ping);
        let mut actions = std::mem::take(&mut self.actions);
        self.actors.start(0, &mut actions);
        self.act(0, actions);
        let mut actions = std::mem::take(&mut self.actions);
        self.attacker.start(&mut actions);
        self.act(0, actions);
        let mut actions = std::mem::take(&mut self.actions);
        self.actors.background.start(0, &mut actions);
        self.act(0, actions);
    }

    /// Time of the run, in ns.
    pub fn now(&self) -> Ns {
        self.site.clock.now()
    }

    /// Number of messages so far.
    pub fn messages(&self) -> u64 {
        self.record.messages.len() as u64
    }

    /// Whether the run is over: its time is up, or it cannot go on.
    pub fn is_done(&self) -> bool {
        self.failed.is_some() || self.now() >= self.scenario.end_ns()
    }

    /// Runs for at most this time.
    pub fn run(&mut self, slice: Duration) {
        let until = Instant::now() + slice;
        while !self.is_done() && Instant::now() < until {
            self.turn(until.saturating_duration_since(Instant::now()));
        }
    }

    /// Waits at most so long for something to happen, and lets it happen. Whether anything arrived.
    fn turn(&mut self, wait: Duration) -> bool {
        let next = self.agenda.next_ns().map(|at| self.site.clock.until(at));
        let arrived = match self.arrivals.recv_timeout(next.map_or(wait, |next| next.min(wait))) {
            Ok(arrival) => {
                self.arrive(arrival);
                true
            }
            Err(_) => false,
        };
        while let Ok(arrival) = self.arrivals.try_recv() {
            self.arrive(arrival);
        }
        self.happen();
        self.flush();
        arrived
    }

    /// Everything that is due.
    fn happen(&mut self) {
        let now = self.now();
        if self.site.clock.unix_ns() < self.site.clock.start_ns {
            return;
        }
        while let Some((at, due)) = self.agenda.pop(now) {
            match due {
                Due::Price => self.step_price(at),
                Due::Actor(Timer::Attack) => self.provoke(at, ActorEvent::Timer(Timer::Attack)),
                Due::Actor(timer) => self.notify(at, ActorEvent::Timer(timer)),
                Due::Send(message) => self.send(message),
                Due::Connect(link) => {
                    if let Err(error) = self.links[link as usize].connect(&self.site) {
                        self.failed = Some(error);
                    }
                }
                Due::Ping => {
                    self.links.iter_mut().for_each(|link| link.say(&Up::Ping(at)));
                    self.agenda.push(at + PING_NS, Due::Ping);
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
            self.agenda.push(next_ns, Due::Price);
        }
        self.notify(at, ActorEvent::Index { next_ns });
        self.provoke(at, ActorEvent::Index { next_ns });
    }

    /// Passes an event to the actors.
    fn notify(&mut self, now: Ns, event: ActorEvent<'_>) {
        let mut actions = std::mem::take(&mut self.actions);
        self.actors.step(now, event, &Public(Some(&self.shadow)), &mut actions);
        self.act(now, actions);
    }

    /// Passes an event to the attacker.
    fn provoke(&mut self, now: Ns, event: ActorEvent<'_>) {
        let mut actions = std::mem::take(&mut self.actions);
        self.attacker.step(now, event, &Public(Some(&self.shadow)), &mut actions);
        self.act(now, actions);
    }

    fn act(&mut self, now: Ns, mut actions: Vec<Action>) {
        if self.is_over {
            actions.clear();
        }
        for action in actions.drain(..) {
            match action {
                Action::Send(sending) => {
                    let message = self.record.sending(now, &sending);
                    self.shadow.note_sent(&message);
                    self.agenda.push(sending.sent_ns.max(now), Due::Send(message.id));
                }
                Action::Wake { at, timer } => self.agenda.push(at, Due::Actor(timer)),
                Action::Halt(span) => self.actors.background.halt(span),
                // Of a lane, of seals and of nodes, which are refused or have no meaning here.
                Action::Bid { .. }
                | Action::Withhold(_)
                | Action::BuildBlocks { .. }
                | Action::Publish { .. } => {}
            }
        }
        self.actions = actions;
    }

    fn send(&mut self, id: MessageId) {
        self.record.ready(self.now(), id);
        let message = self.record.messages.message(id);
        let link = link_of(self.record.messages.source[id as usize]);
        let request = request(&message, self.site.clock.start_ns);
        self.links[link].unanswered.push(id, request);
    }

    fn flush(&mut self) {
        for link in &mut self.links {
            while let Some((ids, requests)) = link.flush() {
                for (id, request) in ids.iter().zip(&requests) {
                    self.record.sent(*id, request);
                }
            }
        }
    }
}

/// The exchange as it opens, on a venue that opened so long before the run's time 0.
fn open(
    scenario: &Scenario,
    files: &Files,
    seed: &Seed,
    before_ns: Ns,
) -> Result<Exchange, String> {
    let opened = exchange::open(scenario, files.tape.as_ref(), files.positions.as_ref(), seed)?;
    let mut exchange = opened.ok_or_else(|| "it has no [market]".to_owned())?;
    exchange.opened_before(before_ns);
    Ok(exchange)
}
