//! Sessions of the binary protocol, both sides, without sockets: bytes in, statements and frames out.
//!
//! In reading order: [`keys`] (who may do what), [`auth`] (what is signed), [`logon`], and here
//! [`Acceptor`], the venue's side of a connection; [`initiator`] is the client's; [`json`] has sessions
//! of the WebSocket.
//!
//! # Rules
//! 1. Nothing reaches the venue before the logon is accepted, and then only what has the session's
//!    MAC and the next number. Everything else ends the connection, with a reason that is counted.
//! 2. A request that its key does not permit, or that lacks a signature, is refused by itself: the
//!    frame is authentic, so the client gets an answer.
//! 3. A connection keeps less than one frame of unread bytes, and before the logon at most
//!    [`LOGON_BYTES_MAX`].

pub mod auth;
pub mod initiator;
pub mod json;
pub mod keys;
pub mod logon;

use surgetank_layer::units::Ns;

use crate::answer::Refusal;
use crate::encoding::Encoded;
use crate::request::Request;
use crate::wire::{
    self, Challenge, CutReason, Down, Frame, LoggedOn, Logon, Nonce, REQUESTS_MAX, SignedRequest,
    Up, VenueId,
};
use auth::{Channel, request_bytes};
use keys::{Entry, Keys};

/// Greatest size of a frame that a client sends, in bytes.
pub const FRAME_BYTES_MAX: usize = 64 << 10;
/// Greatest size of a logon.
pub const LOGON_BYTES_MAX: usize = 512;

/// What a client has said.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// It holds the key of this entry; to be answered by [`Acceptor::accept`].
    LoggedOn(Box<Logon>, Box<Entry>),
    /// It sends requests, in this order; those with a refusal go no further.
    Requests(Vec<(Request, Option<Refusal>)>),
    /// Anything else.
    Other(Up),
}

/// The venue's side of a connection.
#[derive(Debug)]
pub struct Acceptor {
    challenge: Challenge,
    state: State,
    /// Bytes of a frame that is not whole.
    unread: Vec<u8>,
}

#[derive(Debug)]
enum State {
    /// For a logon.
    Waiting,
    /// For [`Acceptor::accept`].
    Accepting(Box<(String, Entry)>),
    LoggedOn(Box<Session>),
    Cut,
}

#[derive(Debug)]
struct Session {
    key_name: String,
    entry: Entry,
    received: Channel,
    sent: Channel,
    /// Number of the last request.
    last_request: u32,
}

impl Acceptor {
    /// A new connection, and the frame to send. `nonce` must be drawn for it.
    pub fn open(venue: VenueId, nonce: Nonce, now: Ns) -> (Acceptor, Vec<u8>) {
        let challenge = Challenge { version: wire::VERSION, venue, nonce, time_ns: now };
        let frame = wire::encode(&Down::Challenge(challenge), 0, 0);
        (Acceptor { challenge, state: State::Waiting, unread: Vec::new() }, frame)
    }

    /// What the client says with these bytes, which may end inside a frame.
    ///
    /// # Errors
    /// Why the connection must end. Nothing that these bytes said counts, and nothing will.
    pub fn receive(&mut self, now: Ns, keys: &Keys, bytes: &[u8]) -> Result<Vec<Step>, CutReason> {
        let mut unread = std::mem::take(&mut self.unread);
        unread.extend_from_slice(bytes);
        let mut rest = &unread[..];
        let mut steps = Vec::new();
        let result = loop {
            match self.next(now, keys, rest) {
                Ok(None) => break Ok(steps),
                Ok(Some((step, length))) => {
                    steps.push(step);
                    rest = &rest[length..];
                }
                Err(reason) => break Err(reason),
            }
        };
        match result {
            Ok(_) => self.unread = rest.to_vec(),
            Err(_) => self.state = State::Cut,
        }
        result
    }

    /// The statement at the front of `rest`, and its length; `None` if more bytes are needed.
    fn next(
        &mut self,
        now: Ns,
        keys: &Keys,
        rest: &[u8],
    ) -> Result<Option<(Step, usize)>, CutReason> {
        let bytes_max = match self.state {
            State::LoggedOn(_) => FRAME_BYTES_MAX,
            State::Waiting => LOGON_BYTES_MAX,
            // The client cannot have a key yet.
            State::Accepting(_) if rest.is_empty() => return Ok(None),
            State::Accepting(_) | State::Cut => return Err(CutReason::OutOfTurn),
        };
        let frame = Frame::first(rest, bytes_max).map_err(|error| match error.kind {
            surgetank_layer::codec::Malformed::TooLarge(_) => CutReason::TooLarge,
            _ => CutReason::Malformed,
        })?;
        let Some(frame) = frame else { return Ok(None) };
        let step = match &mut self.state {
            State::LoggedOn(session) => session.step(&self.challenge, &frame)?,
            _ => self.logon(now, keys, &frame)?,
        };
        Ok(Some((step, frame.bytes().len())))
    }

    fn logon(&mut self, now: Ns, keys: &Keys, frame: &Frame<'_>) -> Result<Step, CutReason> {
        if frame.number() != 0 {
            return Err(CutReason::FrameNumber);
        }
        let Up::Logon(logon) = frame.plain().map_err(|_| CutReason::Malformed)? else {
            return Err(CutReason::OutOfTurn);
        };
        let entry = logon::check(keys, &self.challenge, now, &logon)?.clone();
        self.state = State::Accepting(Box::new((logon.key_name.clone(), entry.clone())));
        Ok(Step::LoggedOn(Box::new(logon), Box::new(entry)))
    }

    /// Accepts the logon: the frame that says so. `None` if no logon waits for it.
    pub fn accept(&mut self, logged_on: &LoggedOn) -> Option<Vec<u8>> {
        let State::Accepting(waiting) = std::mem::replace(&mut self.state, State::Cut) else {
            return None;
        };
        let (key_name, entry) = *waiting;
        let channel = Channel::new(logged_on.session_key);
        let (received, sent) = (channel.clone(), channel);
        let session = Session { key_name, entry, received, sent, last_request: 0 };
        self.state = State::LoggedOn(Box::new(session));
        Some(wire::encode(&Down::LoggedOn(logged_on.clone()), 0, 0))
    }

    /// The frame for this statement; `None` if the connection is not logged on, or must end since
    /// its numbers are used up.
    pub fn send(&mut self, down: &Down) -> Option<Vec<u8>> {
        self.send_body(&down.to_bytes())
    }

    /// The same of a [`Down`] that is encoded already.
    pub fn send_body(&mut self, body: &[u8]) -> Option<Vec<u8>> {
        match &mut self.state {
            State::LoggedOn(session) => session.sent.seal_body(body),
            _ => None,
        }
    }

    /// The last frame of a connection.
    pub fn cut(&mut self, cut: wire::Cut) -> Vec<u8> {
        let down = Down::Cut(cut);
        let sealed = self.send(&down);
        self.state = State::Cut;
        sealed.unwrap_or_else(|| wire::encode(&down, 0, 0))
    }

    /// Whether the key with which the client logged on still stands as it was.
    ///
    /// # Errors
    /// It was removed or changed: the connection must end.
    pub fn recheck(&self, keys: &Keys) -> Result<(), CutReason> {
        let (name, entry) = match &self.state {
            State::LoggedOn(session) => (&session.key_name, &session.entry),
            State::Accepting(waiting) => (&waiting.0, &waiting.1),
            State::Waiting | State::Cut => return Ok(()),
        };
        (keys.get(name) == Some(entry)).then_some(()).ok_or(CutReason::KeyChanged)
    }
}

impl Session {
    fn step(&mut self, challenge: &Challenge, frame: &Frame<'_>) -> Result<Step, CutReason> {
        Ok(match self.received.open(frame)? {
            Up::Logon(_) => return Err(CutReason::OutOfTurn),
            Up::Requests(requests) if requests.len() > REQUESTS_MAX => {
                return Err(CutReason::TooLarge);
            }
            Up::Requests(requests) => Step::Requests(
                requests
                    .into_iter()
                    .map(|signed| self.request(challenge, &signed))
                    .collect::<Result<_, _>>()?,
            ),
            other => Step::Other(other),
        })
    }

    fn request(
        &mut self,
        challenge: &Challenge,
        signed: &SignedRequest,
    ) -> Result<(Request, Option<Refusal>), CutReason> {
        let SignedRequest { request, signature } = signed;
        if Some(request.number) != self.last_request.checked_add(1) {
            return Err(CutReason::RequestNumber);
        }
        self.last_request = request.number;
        let is_signed = !signature.0.is_empty();
        let authentic = if is_signed {
            self.entry.verifier.accepts(&request_bytes(challenge, request), signature)
        } else {
            !self.entry.must_sign(request)
        };
        let permitted = self.entry.permits(request);
        let checked = permitted.and(authentic.then_some(()).ok_or(Refusal::WrongSignature));
        Ok((*request, checked.err()))
    }
}
