//! Intake: which requests are accepted, in what order they go into batches, and who is answered
//! when.
//!
//! In reading order: [`accepted`] (nothing twice), [`bounds`] (how much waits), [`admission`] (the
//! checks in their order), [`tally`] (what operators see), and here [`Intake`].
//!
//! # Rules
//! 1. Every request is answered once, on the connection that it came from, if that is still there.
//! 2. A copy of a request never gets a place of its own: while the first copy waits or is not yet
//!    durable, it waits with it; after that it is answered with the first copy's place.
//! 3. Batches take requests in the order in which they were received, and no more than a batch
//!    publishes: nothing that is sealed is carried to a later batch.
//! 4. Requests are answered when their batch is durable; those of sessions of level
//!    [`Level::Memory`] when it is executed. What is not durable has the status of a waiting one.
//! 5. A connection of a session ends its earlier one. What that one has sent and was not received
//!    before is never received.

pub mod accepted;
pub mod admission;
pub mod bounds;
pub mod tally;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use surgetank_layer::admission::bucket::Bucket;
use surgetank_layer::codec::Read;
use surgetank_layer::message::Class;
use surgetank_layer::units::{AccountId, Ns};

use crate::answer::{Answer, Duplicate, JournalPlace, Refusal, Refused, Sealed, Status};
use crate::encoding::{Encoded, fields};
use crate::request::{AccountRequest, Action, Level, Request};
use crate::storage::effect::Space;
pub use crate::wire::ConnectionId;
use crate::wire::{Answers, CutReason};
use accepted::{Accepted, Known};
use admission::{Conditions, HaltedOrders, Halts};
use bounds::{IntakeBounds, Load, Pace};
use tally::Tally;

/// Who is logged on over a connection, and how it wants to be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Name of the key.
    pub key_name: String,
    /// Name of the session.
    pub name: String,
    /// Account of the key.
    pub account: AccountId,
    /// When its requests are answered.
    pub level: Level,
    /// Whether the account's orders are cancelled when the connection ends without a logout.
    pub cancel_on_disconnect: bool,
}

/// A request that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The request.
    pub request: Request,
    /// Its encoding, as the journal has it.
    pub bytes: Box<[u8]>,
    /// Time at which it was received.
    pub received_ns: Ns,
    /// Where the answer goes, and when; `None`: the venue itself has made it.
    from: Option<(ConnectionId, Level)>,
}

/// A batch that was executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed {
    /// Number of its record in the journal.
    pub record: u64,
    /// Sequence number of its first request.
    pub first_sequence: u64,
    /// Time at which it was sealed.
    pub sealed_ns: Ns,
    /// Time at which it was executed.
    pub executed_ns: Ns,
    /// Its requests in published order, each with the OrdRejReason of the market, or 0.
    pub requests: Vec<(Waiting, u8)>,
}

/// The intake of a venue.
#[derive(Debug)]
pub struct Intake {
    bounds: IntakeBounds,
    accepted: Accepted,
    halts: Halts,
    connections: BTreeMap<ConnectionId, Connection>,
    /// The connection of each session, by the names of key and session.
    sessions: BTreeMap<(String, String), ConnectionId>,
    accounts: BTreeMap<AccountId, Account>,
    waiting: VecDeque<Waiting>,
    waiting_bytes: u64,
    waiting_by_class: BTreeMap<Class, usize>,
    /// Requests that are not durable yet, each with the copies that wait with it.
    undecided: BTreeMap<(AccountId, u64), Vec<(ConnectionId, u32)>>,
    /// Batches that are not durable yet.
    held: VecDeque<Executed>,
    pace: Pace,
    space: Space,
    is_draining: bool,
    answers: BTreeMap<ConnectionId, Vec<Answer>>,
    tally: Tally,
}

#[derive(Debug)]
struct Connection {
    session: Session,
    since_ns: Ns,
    /// Number of the last request, and of all that are not answered.
    last: u32,
    open: BTreeSet<u32>,
}

#[derive(Debug, Default)]
struct Account {
    /// Number of unanswered requests.
    open: u32,
    bucket: Option<Bucket>,
}

impl Intake {
    /// Before the journal's first request.
    pub fn new(bounds: IntakeBounds) -> Intake {
        Intake::with(bounds, Accepted::new(bounds.remembered_max), Halts::default())
    }

    fn with(bounds: IntakeBounds, accepted: Accepted, halts: Halts) -> Intake {
        Intake {
            bounds,
            accepted,
            halts,
            connections: BTreeMap::new(),
            sessions: BTreeMap::new(),
            accounts: BTreeMap::new(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            waiting_by_class: BTreeMap::new(),
            undecided: BTreeMap::new(),
            held: VecDeque::new(),
            pace: Pace::default(),
            space: Space::Ample,
            is_draining: false,
            answers: BTreeMap::new(),
            tally: Tally::default(),
        }
    }

    /// What the journal has decided: remembered ClOrdIDs and halts, for a snapshot.
    pub fn state(&self) -> Vec<u8> {
        State { accepted: self.accepted.state(), halts: self.halts.state() }.to_bytes()
    }

    /// The intake with this state, without connections.
    ///
    /// # Errors
    /// The bytes are no such state.
    pub fn restore(bounds: IntakeBounds, state: &[u8]) -> Read<Intake> {
        let State { accepted, halts } = State::from_bytes(state)?;
        let accepted = Accepted::restore(bounds.remembered_max, &accepted)?;
        Ok(Intake::with(bounds, accepted, Halts::restore(&halts)))
    }

    /// A client has logged on. Returns the earlier connection of its session, which must be cut.
    ///
    /// # Errors
    /// Why the connection must end.
    pub fn connected(
        &mut self,
        now: Ns,
        connection: ConnectionId,
        session: Session,
    ) -> Result<Option<ConnectionId>, CutReason> {
        if session.level == Level::Quorum {
            return Err(CutReason::LevelNotOffered);
        }
        let names = (session.key_name.clone(), session.name.clone());
        let earlier = self.sessions.get(&names).copied();
        if earlier.is_none() && self.connections.len() >= self.bounds.connections_max {
            return Err(CutReason::TooManyConnections);
        }
        if let Some(earlier) = earlier {
            self.gone(now, earlier, false);
        }
        self.sessions.insert(names, connection);
        let new = Connection { session, since_ns: now, last: 0, open: BTreeSet::new() };
        self.connections.insert(connection, new);
        Ok(earlier)
    }

    /// A connection has ended. Its requests stay accepted; its orders are cancelled if it has asked
    /// for that and has not logged out.
    pub fn gone(&mut self, now: Ns, connection: ConnectionId, logged_out: bool) {
        let Some(Connection { session, .. }) = self.connections.remove(&connection) else { return };
        self.answers.remove(&connection);
        let Session { key_name, name, account, cancel_on_disconnect, .. } = session;
        self.sessions.remove(&(key_name, name));
        if cancel_on_disconnect && !logged_out {
            let request = AccountRequest::CancelAll { account, symbol: None };
            let action = Action::Account { cl_ord_id: 0, request };
            let request = Request { number: 0, sender: account, sent_ns: now, action };
            self.enqueue(now, None, request, request.to_bytes().into());
        }
    }

    /// Whether a connection's orders are cancelled when it ends without a logout.
    pub fn set_cancel_on_disconnect(&mut self, connection: ConnectionId, wanted: bool) {
        if let Some(known) = self.connections.get_mut(&connection) {
            known.session.cancel_on_disconnect = wanted;
        }
    }

    /// The room on the disk has changed.
    pub fn set_space(&mut self, space: Space) {
        self.space = space;
    }

    /// The venue is about to stop: no further requests that add risk.
    pub fn drain(&mut self) {
        self.is_draining = true;
    }

    /// Receives requests of a connection in their order, each with the reason for which its session
    /// refuses it, if any.
    pub fn receive(
        &mut self,
        now: Ns,
        connection: ConnectionId,
        requests: &[(Request, Option<Refusal>)],
    ) {
        for (request, refusal) in requests {
            let Some(known) = self.connections.get_mut(&connection) else { return };
            known.last = known.last.max(request.number);
            self.tally.received += 1;
            let from = (connection, known.session.level);
            let answer = match refusal {
                Some(refusal) => Some(refused(request.number, *refusal, 0)),
                None => self.receive_one(now, from, request),
            };
            if let Some(answer) = answer {
                self.answer(connection, answer);
            }
        }
    }

    /// The answer to a request, if it can be given at once.
    fn receive_one(
        &mut self,
        now: Ns,
        from: (ConnectionId, Level),
        request: &Request,
    ) -> Option<Answer> {
        let Request { number, sender, .. } = *request;
        if let Some(cl_ord_id) = request.cl_ord_id() {
            if self.undecided.contains_key(&(sender, cl_ord_id)) {
                return self.wait_with_first(from.0, number, (sender, cl_ord_id));
            }
            match self.accepted.known(sender, cl_ord_id) {
                Known::Never => {}
                Known::Placed(place) => return Some(duplicate(number, place)),
                Known::Forgotten => return Some(refused(number, Refusal::TooOld, 0)),
            }
        }
        let bytes = request.to_bytes().into_boxed_slice();
        let account = self.accounts.entry(sender).or_default();
        let conditions = Conditions {
            bounds: &self.bounds,
            load: Load {
                waiting: u32::try_from(self.waiting.len()).unwrap_or(u32::MAX),
                waiting_bytes: self.waiting_bytes,
                account_open: account.open,
            },
            pace: self.pace,
            halts: &self.halts,
            space: self.space,
            is_draining: self.is_draining,
        };
        if account.bucket.is_none() {
            account.bucket = self.bounds.rate.map(|limit| Bucket::full(&limit, now));
        }
        let admitted = conditions.admit(now, request, bytes.len() as u64, account.bucket.as_mut());
        if let Err((refusal, retry_after_ns)) = admitted {
            return Some(refused(number, refusal, retry_after_ns));
        }
        self.open(from.0, sender, number);
        self.enqueue(now, Some(from), *request, bytes);
        None
    }

    /// A copy is answered with its first one, or at once if too many wait.
    fn wait_with_first(
        &mut self,
        connection: ConnectionId,
        number: u32,
        first: (AccountId, u64),
    ) -> Option<Answer> {
        let account = self.accounts.entry(first.0).or_default();
        if account.open >= self.bounds.account_open_max {
            return Some(duplicate(number, JournalPlace { sequence: 0, ord_rej_reason: 0 }));
        }
        self.undecided.entry(first).or_default().push((connection, number));
        self.open(connection, first.0, number);
        None
    }

    fn open(&mut self, connection: ConnectionId, account: AccountId, number: u32) {
        self.accounts.entry(account).or_default().open += 1;
        if let Some(known) = self.connections.get_mut(&connection) {
            known.open.insert(number);
        }
    }

    fn enqueue(
        &mut self,
        now: Ns,
        from: Option<(ConnectionId, Level)>,
        request: Request,
        bytes: Box<[u8]>,
    ) {
        if let Some(cl_ord_id) = request.cl_ord_id().filter(|_| from.is_some()) {
            self.undecided.entry((request.sender, cl_ord_id)).or_default();
        }
        self.waiting_bytes += bytes.len() as u64;
        *self.waiting_by_class.entry(request.class()).or_default() += 1;
        self.waiting.push_back(Waiting { request, bytes, received_ns: now, from });
    }

    /// Takes the requests of the next batch; none if nothing waits.
    pub fn take_batch(&mut self) -> Vec<Waiting> {
        let (mut count, mut bytes) = (0, 0);
        for waiting in &self.waiting {
            bytes += waiting.bytes.len() as u64;
            let is_full = count >= self.bounds.batch_requests_max.max(1) as usize;
            if count > 0 && (is_full || bytes > self.bounds.batch_bytes_max) {
                break;
            }
            count += 1;
        }
        let batch: Vec<Waiting> = self.waiting.drain(..count).collect();
        for waiting in &batch {
            self.waiting_by_class.entry(waiting.request.class()).and_modify(|count| *count -= 1);
        }
        self.waiting_bytes -= batch.iter().map(|one| one.bytes.len() as u64).sum::<u64>();
        batch
    }

    /// A batch was executed. Its requests have their places; sessions of level
    /// [`Level::Memory`] are answered.
    pub fn executed(&mut self, batch: Executed) {
        let places = (batch.first_sequence..).zip(&batch.requests);
        for (sequence, (waiting, ord_rej_reason)) in places {
            self.place(
                &waiting.request,
                JournalPlace { sequence, ord_rej_reason: *ord_rej_reason },
            );
        }
        self.tally.batch_requests.note(batch.requests.len() as u64);
        self.answer_batch(&batch, 0, Level::Memory);
        self.held.push_back(batch);
    }

    /// A request of the journal was executed, now or before a restart.
    pub fn place(&mut self, request: &Request, place: JournalPlace) {
        self.halts.execute(request);
        if let Some(cl_ord_id) = request.cl_ord_id() {
            self.accepted.place(request.sender, cl_ord_id, place);
        }
    }

    /// All batches up to this record are durable: answers what waited for that.
    pub fn durable(&mut self, now: Ns, record: u64) {
        while self.held.front().is_some_and(|batch| batch.record <= record) {
            let Some(batch) = self.held.pop_front() else { return };
            let requests = u32::try_from(batch.requests.len()).unwrap_or(u32::MAX);
            self.pace.note(requests, now.saturating_sub(batch.sealed_ns));
            self.answer_batch(&batch, now, Level::Disk);
            self.answer_copies(&batch);
        }
    }

    fn answer_copies(&mut self, batch: &Executed) {
        for (sequence, (waiting, ord_rej_reason)) in (batch.first_sequence..).zip(&batch.requests) {
            let Some(cl_ord_id) = waiting.request.cl_ord_id() else { continue };
            let sender = waiting.request.sender;
            let place = JournalPlace { sequence, ord_rej_reason: *ord_rej_reason };
            let copies = self.undecided.remove(&(sender, cl_ord_id)).unwrap_or_default();
            for (connection, number) in copies {
                self.close(sender);
                self.answer(connection, duplicate(number, place));
            }
        }
    }

    /// Answers the requests of a batch that wait for this level.
    fn answer_batch(&mut self, batch: &Executed, synced_ns: Ns, reached: Level) {
        for (sequence, (waiting, ord_rej_reason)) in (batch.first_sequence..).zip(&batch.requests) {
            let Waiting { request, received_ns, from, .. } = waiting;
            let Some((connection, _)) = from.filter(|(_, level)| *level == reached) else {
                continue;
            };
            self.close(request.sender);
            let sealed = Sealed {
                request: request.number,
                sequence,
                ord_rej_reason: *ord_rej_reason,
                received_ns: *received_ns,
                sealed_ns: batch.sealed_ns,
                synced_ns,
                executed_ns: batch.executed_ns,
            };
            self.answer(connection, Answer::Sealed(sealed));
        }
    }

    fn close(&mut self, account: AccountId) {
        if let Some(account) = self.accounts.get_mut(&account) {
            account.open = account.open.saturating_sub(1);
        }
    }

    fn answer(&mut self, connection: ConnectionId, answer: Answer) {
        self.tally.note(&answer);
        if let Some(known) = self.connections.get_mut(&connection) {
            known.open.remove(&answer.request());
            self.answers.entry(connection).or_default().push(answer);
        }
    }

    /// Takes the answers since the last call, by connection.
    pub fn take_answers(&mut self) -> Vec<(ConnectionId, Answers)> {
        let answers = std::mem::take(&mut self.answers);
        let framed = answers.into_iter().filter_map(|(connection, answers)| {
            let known = self.connections.get(&connection)?;
            let before_open = known.open.first().map(|first| first.saturating_sub(1));
            let answered_through = before_open.unwrap_or(known.last);
            Some((connection, Answers { answered_through, answers }))
        });
        framed.collect()
    }

    /// What is known of a ClOrdID of an account.
    pub fn status(&self, account: AccountId, cl_ord_id: u64) -> Status {
        if self.undecided.contains_key(&(account, cl_ord_id)) {
            return Status::Waiting(());
        }
        match self.accepted.known(account, cl_ord_id) {
            Known::Placed(place) => Status::Known(place),
            Known::Never => Status::Unknown(()),
            Known::Forgotten => Status::TooOld(()),
        }
    }

    /// Number of requests that wait for their place in the journal.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether a batch was executed and is not durable yet.
    pub fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// Who is logged on over a connection.
    pub fn session(&self, connection: ConnectionId) -> Option<&Session> {
        self.connections.get(&connection).map(|known| &known.session)
    }
}

fn refused(request: u32, refusal: Refusal, retry_after_ns: Ns) -> Answer {
    Answer::Refused(Refused { request, refusal, retry_after_ns })
}

fn duplicate(request: u32, place: JournalPlace) -> Answer {
    let JournalPlace { sequence, ord_rej_reason } = place;
    Answer::Duplicate(Duplicate { request, sequence, ord_rej_reason })
}

struct State {
    accepted: Vec<u8>,
    halts: Vec<HaltedOrders>,
}

fields!(State { accepted, halts });
