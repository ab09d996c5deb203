//! Sessions of the WebSocket: JSON-RPC 2.0 in Deribit's style, the venue's side, without sockets: text
//! in, requests of the venue and text out. docs/websocket.md describes it for clients.
//!
//! In reading order: [`decimal`] and [`markets`] (real units), [`envelope`] (JSON-RPC), [`methods`]
//! with [`params`] and [`results`] (each declared once), [`signed`] (what is signed), [`orders`]
//! (calls become requests), [`channels`], [`notify`] and [`following`] (streams become
//! notifications), [`fault`] (errors), [`calls`] (each call), and here [`JsonAcceptor`].
//!
//! # Rules
//! 1. Nothing reaches the venue before the logon is accepted. A second logon is an error, one that is
//!    not the key's ends the connection.
//! 2. Every call is answered once. One that is wrong in itself is answered at once and goes no
//!    further; the connection stays.
//! 3. What waits is bounded: the length and nesting of a text, requests in a batch, calls without an
//!    answer.
//! 4. An amount that is no whole multiple of its step is refused, not rounded.
//!
//! # Source
//! JSON-RPC 2.0 (2013); Deribit's API v2 (method names, `client_signature`, book notifications).
//! Departures: the venue's challenge is part of what is signed; ClOrdIDs name orders; streams need a
//! logon, public ones too.

pub mod calls;
pub mod channels;
pub mod decimal;
pub mod envelope;
pub mod fault;
pub mod following;
pub mod markets;
pub mod methods;
pub mod notify;
pub mod orders;
pub mod params;
pub mod results;
pub mod schema;
pub mod signed;
mod views;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use surgetank_layer::units::{AccountId, Ns, SECOND};

use super::keys::{Entry, Keys};
use crate::answer::{Answer, Refusal};
use crate::event::Stamped;
use crate::event::StreamKey;
use crate::query::{Query, View};
use crate::request::{Level, Request};
use crate::wire::{Answers, CutReason, Gap, Notice, StreamState, Subscription};
use envelope::{Replies, Reply, notification};
use fault::Fault;
use following::{Ask, Following};
use markets::Markets;
use results::{Authenticated, Placed};
use signed::{ConnectionChallenge, hex};

/// Greatest length of a text that a client sends, in bytes.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
/// Greatest length of a text before the logon.
pub const EARLY_TEXT_BYTES_MAX: usize = 4 << 10;
/// Calls of a connection without an answer.
pub const IN_FLIGHT_MAX: usize = 4096;
/// Shortest interval of heartbeats, in seconds.
const HEARTBEAT_S_MIN: u32 = 10;

/// What a session does.
#[derive(Clone, Debug, PartialEq)]
pub enum JsonStep {
    /// This text is sent.
    Say(String),
    /// The client holds a key; to be answered by [`JsonAcceptor::accept`].
    LogOn(JsonLogon),
    /// Requests, in this order; those with a refusal go no further.
    Requests(Vec<(Request, Option<Refusal>)>),
    /// A question, to be answered by [`JsonAcceptor::view`] under this number.
    Query(u32, Query),
    /// Streams are followed from now on.
    Subscribe(Vec<Subscription>),
    /// Streams are not followed any more.
    Unsubscribe(Vec<StreamKey>),
    /// The state of a stream is needed.
    Snapshot(StreamKey),
    /// Whether orders are cancelled when the connection ends.
    CancelOnDisconnect(bool),
    /// The connection ends after what was said before.
    Close(CutReason),
}

/// Who has logged on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonLogon {
    /// Name of the key.
    pub key_name: String,
    /// Name of the session.
    pub session: String,
    /// Account of the key.
    pub account: AccountId,
    /// When requests are answered.
    pub level: Level,
    /// Whether orders are cancelled when the connection ends without a logout.
    pub cancel_on_disconnect: bool,
}

#[derive(Debug)]
enum State {
    /// For a logon.
    Waiting,
    /// For [`JsonAcceptor::accept`].
    Accepting(Box<(String, Entry)>, Reply),
    LoggedOn(Box<(String, Entry)>),
    Ended,
}

/// The venue's side of a connection.
#[derive(Debug)]
pub struct JsonAcceptor {
    markets: Arc<Markets>,
    challenge: ConnectionChallenge,
    state: State,
    replies: Replies,
    /// Number of the last request or question.
    last: u32,
    /// Requests without an answer, each with its ClOrdID, and questions.
    open: BTreeMap<u32, (Reply, u64)>,
    following: Following,
    /// Interval of heartbeats, and when the next is due.
    heartbeat: Option<(Ns, Ns)>,
    /// Whether a heartbeat was sent since the client said anything.
    is_asked: bool,
    /// What the calls of a text do, in their order.
    steps: Vec<JsonStep>,
}

/// Content of the notification `challenge`.
#[derive(Serialize)]
struct ChallengeParams {
    venue: String,
    challenge: String,
    timestamp: u64,
}

#[derive(Serialize)]
struct CutParams {
    reason: &'static str,
    channels: BTreeMap<String, params::ChannelPlace>,
}

impl JsonAcceptor {
    /// A new connection, and the text to send. The challenge's nonce must be drawn for it.
    pub fn open(
        challenge: ConnectionChallenge,
        markets: Arc<Markets>,
        now: Ns,
    ) -> (JsonAcceptor, String) {
        let params = ChallengeParams {
            venue: hex(&challenge.venue),
            challenge: hex(&challenge.nonce),
            timestamp: now / 1_000_000,
        };
        let acceptor = JsonAcceptor {
            markets,
            challenge,
            state: State::Waiting,
            replies: Replies::default(),
            last: 0,
            open: BTreeMap::new(),
            following: Following::default(),
            heartbeat: None,
            is_asked: false,
            steps: Vec::new(),
        };
        (acceptor, notification("challenge", params))
    }

    /// Greatest length of the next text, in bytes.
    pub fn text_bytes_max(&self) -> usize {
        match self.state {
            State::LoggedOn(_) => TEXT_BYTES_MAX,
            _ => EARLY_TEXT_BYTES_MAX,
        }
    }

    /// What the client says.
    pub fn receive(&mut self, now: Ns, keys: &Keys, text: &str) -> Vec<JsonStep> {
        if matches!(self.state, State::Ended) {
            return Vec::new();
        }
        if text.len() > self.text_bytes_max() {
            self.close(CutReason::TooLarge);
            return std::mem::take(&mut self.steps);
        }
        self.is_asked = false;
        if let Some((interval, at)) = &mut self.heartbeat {
            *at = now.saturating_add(*interval);
        }
        match envelope::Calls::split(text) {
            Ok(calls) => {
                let batch = calls.is_batch.then(|| self.replies.begin(calls.calls.len()));
                for call in calls.calls {
                    self.call(now, keys, call, batch);
                }
            }
            Err(fault) => {
                let to = Replies::to(serde_json::value::RawValue::NULL.to_owned(), None);
                self.reply(&to, Err::<(), _>(fault));
            }
        }
        std::mem::take(&mut self.steps)
    }

    fn call(&mut self, now: Ns, keys: &Keys, text: &str, batch: Option<u64>) {
        let (id, call) = envelope::read(text);
        let to = Replies::to(id, batch);
        let done = match call {
            Ok(call) => self.carry_out(now, keys, &call, &to),
            Err(fault) => Err(fault),
        };
        if let Err(fault) = done {
            self.reply(&to, Err::<(), _>(fault));
        }
    }

    fn reply(&mut self, to: &Reply, answer: Result<impl Serialize, Fault>) {
        let said = self.replies.answer(to, answer);
        self.steps.extend(said.map(JsonStep::Say));
    }

    fn close(&mut self, reason: CutReason) {
        self.state = State::Ended;
        self.steps.push(JsonStep::Close(reason));
    }

    /// The logon is accepted.
    pub fn accept(&mut self, sequence: u64) -> Vec<JsonStep> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Accepting(key, to) => {
                let account = key.1.account;
                self.state = State::LoggedOn(key);
                self.reply(&to, Ok(Authenticated { account, sequence }));
            }
            other => self.state = other,
        }
        std::mem::take(&mut self.steps)
    }

    /// Answers to requests.
    pub fn answers(&mut self, answers: &Answers) -> Vec<JsonStep> {
        for answer in &answers.answers {
            let Some((to, cl_ord_id)) = self.open.remove(&answer.request()) else { continue };
            let answer = placed(answer, cl_ord_id);
            self.reply(&to, answer);
        }
        std::mem::take(&mut self.steps)
    }

    /// The answer to a question.
    pub fn view(&mut self, number: u32, view: &View) -> Vec<JsonStep> {
        if let Some((to, _)) = self.open.remove(&number) {
            let markets = Arc::clone(&self.markets);
            match view {
                View::Book(book) => self.reply(&to, views::book(&markets, book)),
                View::Positions(held) => self.reply(&to, Ok(views::positions(&markets, held))),
                View::Account(account) => self.reply(&to, Ok(views::account(&markets, account))),
                View::Order(order) => self.reply(&to, Ok(views::order(&markets, order))),
            }
        }
        std::mem::take(&mut self.steps)
    }

    /// Events of streams.
    pub fn events<'e>(&mut self, events: impl IntoIterator<Item = &'e Stamped>) -> Vec<JsonStep> {
        for stamped in events {
            if let Some(gap) = self.following.hole(stamped) {
                self.missing(&gap);
            }
            match self.following.hear(&self.markets, stamped) {
                Some(said) => self.steps.extend(said.into_iter().map(JsonStep::Say)),
                None => self.close(CutReason::SlowReader),
            }
        }
        std::mem::take(&mut self.steps)
    }

    /// The state of a stream.
    pub fn snapshot(&mut self, state: &StreamState) -> Vec<JsonStep> {
        let said = self.following.snapshot(&self.markets, state);
        said.into_iter().map(JsonStep::Say).collect()
    }

    /// Events that will not be sent.
    pub fn gap(&mut self, gap: &Gap) -> Vec<JsonStep> {
        self.missing(gap);
        std::mem::take(&mut self.steps)
    }

    fn missing(&mut self, gap: &Gap) {
        let (said, ask) = self.following.gap(&self.markets, gap);
        self.steps.extend(said.into_iter().map(JsonStep::Say));
        self.ask(ask, None);
    }

    /// A change of the venue's state.
    pub fn notice(&mut self, notice: Notice) -> Vec<JsonStep> {
        #[derive(Serialize)]
        struct Params {
            state: &'static str,
        }
        let state = match notice {
            Notice::Serving => "serving",
            Notice::DiskReserve => "disk-reserve",
            Notice::DiskFull => "disk-full",
            Notice::Draining => "draining",
        };
        vec![JsonStep::Say(notification("notice", Params { state }))]
    }

    /// The last text of a connection.
    pub fn cut(&mut self, reason: CutReason) -> String {
        self.state = State::Ended;
        let channels = self.following.places(&self.markets);
        notification("cut", CutParams { reason: fault::cut(reason), channels })
    }

    /// When [`JsonAcceptor::wake`] is due.
    pub fn due(&self) -> Option<Ns> {
        self.heartbeat.map(|(_, at)| at)
    }

    /// The time has come: a heartbeat, or the end of a connection that did not answer the last one.
    pub fn wake(&mut self, now: Ns) -> Vec<JsonStep> {
        let Some((interval, at)) = self.heartbeat.filter(|(_, at)| *at <= now) else {
            return Vec::new();
        };
        if self.is_asked {
            self.close(CutReason::Silent);
            return std::mem::take(&mut self.steps);
        }
        #[derive(Serialize)]
        struct Params {
            r#type: &'static str,
        }
        self.is_asked = true;
        self.heartbeat = Some((interval, at.max(now).saturating_add(interval)));
        vec![JsonStep::Say(notification("heartbeat", Params { r#type: "test_request" }))]
    }

    /// Whether the key with which the client logged on still stands as it was.
    ///
    /// # Errors
    /// It was removed or changed: the connection must end.
    pub fn recheck(&self, keys: &Keys) -> Result<(), CutReason> {
        let (State::LoggedOn(key) | State::Accepting(key, _)) = &self.state else {
            return Ok(());
        };
        (keys.get(&key.0) == Some(&key.1)).then_some(()).ok_or(CutReason::KeyChanged)
    }

    fn ask(&mut self, asks: impl IntoIterator<Item = Ask>, wanted: Option<Subscription>) {
        for ask in asks {
            self.steps.push(match ask {
                Ask::Snapshot(key) => JsonStep::Snapshot(key),
                Ask::Unsubscribe(key) => JsonStep::Unsubscribe(vec![key]),
                Ask::Subscribe(key) => {
                    let none = Subscription { key, after: None, conflate: false };
                    JsonStep::Subscribe(vec![wanted.unwrap_or(none)])
                }
            });
        }
    }

    fn entry(&self) -> Result<&Entry, Fault> {
        match &self.state {
            State::LoggedOn(key) => Ok(&key.1),
            _ => Err(Fault::out_of_turn("it needs a logon: public/auth")),
        }
    }

    /// The next number, for a call that is answered later.
    fn begin(&mut self, to: &Reply, cl_ord_id: u64) -> Result<u32, Fault> {
        if self.open.len() >= IN_FLIGHT_MAX {
            return Err(Fault::in_flight());
        }
        self.last = self.last.checked_add(1).ok_or_else(Fault::in_flight)?;
        self.open.insert(self.last, (to.clone(), cl_ord_id));
        Ok(self.last)
    }

    fn set_heartbeat(&mut self, now: Ns, seconds: u32) -> Result<(), Fault> {
        if seconds < HEARTBEAT_S_MIN {
            return Err(Fault::params(format!("interval: at least {HEARTBEAT_S_MIN}")));
        }
        let interval = Ns::from(seconds) * SECOND;
        self.heartbeat = Some((interval, now.saturating_add(interval)));
        Ok(())
    }

    fn unique(names: &[String]) -> BTreeSet<&str> {
        names.iter().map(String::as_str).collect()
    }
}

fn placed(answer: &Answer, cl_ord_id: u64) -> Result<Placed, Fault> {
    let cl_ord_id = cl_ord_id.to_string();
    match answer {
        Answer::Refused(refused) => Err(Fault::refused(refused)),
        Answer::Sealed(sealed) if sealed.ord_rej_reason > 0 => {
            Err(Fault::rejected(sealed.ord_rej_reason, sealed.sequence, false))
        }
        Answer::Sealed(sealed) => Ok(Placed {
            cl_ord_id,
            sequence: sealed.sequence,
            duplicate: false,
            received_ns: sealed.received_ns,
            sealed_ns: sealed.sealed_ns,
            synced_ns: sealed.synced_ns,
            executed_ns: sealed.executed_ns,
        }),
        Answer::Duplicate(first) if first.sequence == 0 => Err(Fault::waiting()),
        Answer::Duplicate(first) if first.ord_rej_reason > 0 => {
            Err(Fault::rejected(first.ord_rej_reason, first.sequence, true))
        }
        Answer::Duplicate(first) => Ok(Placed {
            cl_ord_id,
            sequence: first.sequence,
            duplicate: true,
            received_ns: 0,
            sealed_ns: 0,
            synced_ns: 0,
            executed_ns: 0,
        }),
    }
}
