//! The client's side of a connection.

use surgetank_layer::codec::Malformed;
use surgetank_layer::units::Ns;

use super::auth::{Channel, Secret, logon_bytes, request_bytes};
use crate::request::{Level, Request};
use crate::wire::{
    self, Challenge, CutReason, Down, Frame, LoggedOn, Logon, Signature, SignedRequest, Up,
};

/// Greatest size of a frame that a venue sends, in bytes.
pub const FRAME_BYTES_MAX: usize = 64 << 20;

/// What a client logs on as.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Name of the key at the venue.
    pub key_name: String,
    /// The key.
    pub secret: Secret,
    /// Name of the session.
    pub session: String,
    /// When requests are answered.
    pub level: Level,
    /// Whether orders are cancelled when the connection ends without a logout.
    pub cancel_on_disconnect: bool,
    /// Whether every request is signed, as the venue's entry of the key demands.
    pub sign_requests: bool,
}

/// What the venue has said.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// It asks for the logon: this frame is to be sent.
    Challenge(Vec<u8>),
    /// It has accepted the logon.
    LoggedOn(LoggedOn),
    /// Anything else.
    Down(Down),
}

/// The client's side of a connection.
#[derive(Debug)]
pub struct Initiator {
    identity: Identity,
    nonce: [u8; 16],
    state: State,
    unread: Vec<u8>,
    last_request: u32,
}

#[derive(Debug)]
enum State {
    /// For the challenge.
    Waiting,
    /// For the answer to the logon.
    Challenged(Challenge),
    LoggedOn {
        challenge: Challenge,
        received: Channel,
        sent: Channel,
    },
    Cut,
}

impl Initiator {
    /// A new connection. `nonce` must be drawn for it.
    pub fn new(identity: Identity, nonce: [u8; 16]) -> Initiator {
        Initiator { identity, nonce, state: State::Waiting, unread: Vec::new(), last_request: 0 }
    }

    /// The venue's challenge; `None` before it, and after the end.
    pub fn challenge(&self) -> Option<&Challenge> {
        match &self.state {
            State::Challenged(challenge) | State::LoggedOn { challenge, .. } => Some(challenge),
            State::Waiting | State::Cut => None,
        }
    }

    /// What the venue says with these bytes, which may end inside a frame.
    ///
    /// # Errors
    /// The bytes are not the venue's: the connection must end.
    pub fn receive(&mut self, now: Ns, bytes: &[u8]) -> Result<Vec<Heard>, CutReason> {
        let mut unread = std::mem::take(&mut self.unread);
        unread.extend_from_slice(bytes);
        let mut rest = &unread[..];
        let mut heard = Vec::new();
        loop {
            let frame = Frame::first(rest, FRAME_BYTES_MAX).map_err(|error| match error.kind {
                Malformed::TooLarge(_) => CutReason::TooLarge,
                _ => CutReason::Malformed,
            });
            match frame.and_then(|frame| frame.map(|frame| self.next(now, &frame)).transpose()) {
                Ok(None) => break,
                Ok(Some((said, length))) => {
                    heard.push(said);
                    rest = &rest[length..];
                }
                Err(reason) => {
                    self.state = State::Cut;
                    return Err(reason);
                }
            }
        }
        let used = unread.len() - rest.len();
        unread.drain(..used);
        self.unread = unread;
        Ok(heard)
    }

    fn next(&mut self, now: Ns, frame: &Frame<'_>) -> Result<(Heard, usize), CutReason> {
        let plain = || frame.plain().map_err(|_| CutReason::Malformed);
        let heard = match &mut self.state {
            State::Waiting => match plain()? {
                Down::Challenge(challenge) => self.challenged(now, challenge),
                cut @ Down::Cut(_) => Heard::Down(cut),
                _ => return Err(CutReason::OutOfTurn),
            },
            State::Challenged(challenge) => match plain()? {
                Down::LoggedOn(logged_on) => {
                    let channel = Channel::new(logged_on.session_key);
                    let (received, sent) = (channel.clone(), channel);
                    self.state = State::LoggedOn { challenge: *challenge, received, sent };
                    Heard::LoggedOn(logged_on)
                }
                cut @ Down::Cut(_) => Heard::Down(cut),
                _ => return Err(CutReason::OutOfTurn),
            },
            State::LoggedOn { received, .. } => Heard::Down(received.open(frame)?),
            State::Cut => return Err(CutReason::OutOfTurn),
        };
        Ok((heard, frame.bytes().len()))
    }

    fn challenged(&mut self, now: Ns, challenge: Challenge) -> Heard {
        let identity = &self.identity;
        let mut logon = Logon {
            key_name: identity.key_name.clone(),
            session: identity.session.clone(),
            nonce: self.nonce,
            time_ns: now,
            level: identity.level,
            cancel_on_disconnect: identity.cancel_on_disconnect,
            signature: Signature::default(),
        };
        logon.signature = identity.secret.sign(&logon_bytes(&challenge, &logon));
        self.state = State::Challenged(challenge);
        Heard::Challenge(wire::encode(&Up::Logon(logon), 0, 0))
    }

    /// The frame for these requests, which are given the next numbers; `None` if the connection is
    /// not logged on, or its numbers are used up.
    pub fn requests(&mut self, requests: &mut [Request]) -> Option<Vec<u8>> {
        let State::LoggedOn { challenge, .. } = &self.state else { return None };
        let mut signed = Vec::with_capacity(requests.len());
        for request in requests {
            self.last_request = self.last_request.checked_add(1)?;
            request.number = self.last_request;
            let signature = if self.identity.sign_requests || request.withdraws() {
                self.identity.secret.sign(&request_bytes(challenge, request))
            } else {
                Signature::default()
            };
            signed.push(SignedRequest { request: *request, signature });
        }
        self.send(&Up::Requests(signed))
    }

    /// The frame for this statement; `None` if the connection is not logged on, or its numbers are
    /// used up.
    pub fn send(&mut self, up: &Up) -> Option<Vec<u8>> {
        match &mut self.state {
            State::LoggedOn { sent, .. } => sent.seal(up),
            _ => None,
        }
    }
}
