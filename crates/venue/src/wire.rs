//! Frames of the binary protocol, in both directions.
//!
//! # Layout, little-endian
//! ```text
//! frame   length u32 of what follows | number u32 | type u8 | body | MAC (16 bytes)
//! ```
//! Bodies are encoded as [`crate::encoding`] says; docs/venue-protocol.md has them as tables.
//!
//! # Rules
//! 1. Before the logon is accepted, and up to the frame that says so, frames have number 0 and no MAC.
//!    From then on they are numbered from 1 without holes in each direction, and every frame has
//!    the first 16 bytes of keyed BLAKE3, under the session's key, of all bytes before.
//! 2. No type is used in both directions, so that no frame can be sent back to its sender.
//! 3. Reading is total, and takes no more memory than a frame of the greatest size that the reader
//!    accepts.

use surgetank_layer::codec::{DecodeError, FieldReader, Malformed, Read};
use surgetank_layer::units::{AccountId, Ns};

use crate::answer::{Answer, Status};
use crate::encoding::{Encoded, fields, numbered, too_large, variants};
use crate::event::{Event, Position, Stamped, StreamKey};
use crate::request::{Level, Request};

/// Version of the protocol, in the challenge.
pub const VERSION: u16 = 1;
/// Size of a frame without body and MAC.
pub const HEADER_BYTES: usize = 9;
/// Size of a MAC.
pub const MAC_BYTES: usize = 16;
/// Greatest number of requests in a frame.
pub const REQUESTS_MAX: usize = 1024;
/// Greatest size of a signature.
pub const SIGNATURE_BYTES_MAX: usize = 64;

/// Number of a connection, given by the host; never used again.
pub type ConnectionId = u64;
/// Identifier of a venue, which signatures name.
pub type VenueId = [u8; 16];
/// A number used once.
pub type Nonce = [u8; 32];
/// Key of a session's MACs.
pub type SessionKey = [u8; 32];

/// Body of a frame of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Up {
    /// Who the client is.
    Logon(Logon),
    /// Requests, each of which is answered.
    Requests(Vec<SignedRequest>),
    /// What became of a request, by its ClOrdID.
    OrderStatus(u64),
    /// Events from now on, or from a place on.
    Subscribe(Vec<Subscription>),
    /// No further events.
    Unsubscribe(Vec<StreamKey>),
    /// State of a stream, with the number of the last event that it contains.
    Snapshot(StreamKey),
    /// To be sent back.
    Ping(u64),
    /// The client leaves; its orders stay.
    Logout(()),
}

variants!(Up {
    1 => Logon,
    2 => Requests,
    3 => OrderStatus,
    4 => Subscribe,
    5 => Unsubscribe,
    6 => Snapshot,
    7 => Ping,
    8 => Logout,
});

/// Body of a frame of the venue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Down {
    /// What a logon must sign.
    Challenge(Challenge),
    /// The logon is accepted.
    LoggedOn(LoggedOn),
    /// Answers to requests.
    Answers(Answers),
    /// Answer to [`Up::OrderStatus`].
    OrderStatus(OrderStatus),
    /// Events of streams.
    Events(Vec<Stamped>),
    /// Answer to [`Up::Snapshot`].
    Snapshot(StreamState),
    /// Events that will never be sent.
    Gap(Gap),
    /// Answer to [`Up::Ping`].
    Pong(u64),
    /// A change of the venue's state.
    Notice(Notice),
    /// The last frame of the connection.
    Cut(Cut),
}

variants!(Down {
    129 => Challenge,
    130 => LoggedOn,
    131 => Answers,
    132 => OrderStatus,
    133 => Events,
    134 => Snapshot,
    135 => Gap,
    136 => Pong,
    137 => Notice,
    138 => Cut,
});

/// What a logon must sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Version of the protocol: [`VERSION`].
    pub version: u16,
    /// The venue.
    pub venue: VenueId,
    /// Drawn for this connection.
    pub nonce: Nonce,
    /// The venue's time.
    pub time_ns: Ns,
}

fields!(Challenge { version, venue, nonce, time_ns });

/// Who a client is, and how it wants to be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logon {
    /// Name of the key.
    pub key_name: String,
    /// Name of the session: a later logon of the same key and name ends this connection.
    pub session: String,
    /// Drawn by the client.
    pub nonce: [u8; 16],
    /// The client's time.
    pub time_ns: Ns,
    /// When requests are answered.
    pub level: Level,
    /// Whether the account's orders are cancelled when the connection ends without a logout.
    pub cancel_on_disconnect: bool,
    /// Of [`crate::session::auth::logon_bytes`].
    pub signature: Signature,
}

fields!(Logon { key_name, session, nonce, time_ns, level, cancel_on_disconnect, signature });

/// Bytes of a signature: 64 of Ed25519, 32 of HMAC-SHA256, none if it is not signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signature(pub Vec<u8>);

impl Encoded for Signature {
    /// # Panics
    /// If it is longer than 255 bytes.
    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::try_from(self.0.len()).expect("a signature is short"));
        out.extend_from_slice(&self.0);
    }

    fn read(reader: &mut FieldReader<'_>, field: &'static str) -> Read<Signature> {
        let start = reader.at();
        let length = usize::from(reader.byte(field)?);
        if length > SIGNATURE_BYTES_MAX {
            return Err(too_large(start, field, length as u64));
        }
        reader.slice(field, length).map(|bytes| Signature(bytes.to_vec()))
    }
}

/// A request and its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRequest {
    /// The request.
    pub request: Request,
    /// Of [`crate::session::auth::request_bytes`]; may be empty where none is needed.
    pub signature: Signature,
}

fields!(SignedRequest { request, signature });

/// Events that a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The stream.
    pub key: StreamKey,
    /// The last event that the client has; `None`: from now on.
    pub after: Option<Position>,
    /// Whether events may be left out in favour of later ones if the client is slow.
    pub conflate: bool,
}

fields!(Subscription { key, after, conflate });

/// An accepted logon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedOn {
    /// The account.
    pub account: AccountId,
    /// Key of the connection's MACs.
    pub session_key: SessionKey,
    /// The venue's time.
    pub time_ns: Ns,
    /// Place in the journal of the last durable request.
    pub sequence: u64,
    /// Last event of each of the account's own streams.
    pub streams: Vec<StreamPosition>,
}

fields!(LoggedOn { account, session_key, time_ns, sequence, streams });

/// A stream's last event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamPosition {
    /// The stream.
    pub key: StreamKey,
    /// Its last event.
    pub last: Position,
}

fields!(StreamPosition { key, last });

/// Answers to requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    /// Every request of the connection up to this number is answered, by this frame at the latest.
    pub answered_through: u32,
    /// The answers.
    pub answers: Vec<Answer>,
}

fields!(Answers { answered_through, answers });

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderStatus {
    /// ClOrdID of the request.
    pub cl_ord_id: u64,
    /// What is known of it.
    pub status: Status,
}

fields!(OrderStatus { cl_ord_id, status });

/// State of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamState {
    /// The stream.
    pub key: StreamKey,
    /// The last event that the state contains.
    pub last: Position,
    /// Place in the journal of the last request that the state contains.
    pub sequence: u64,
    /// Events that lead to the state from an empty one.
    pub events: Vec<Event>,
}

fields!(StreamState { key, last, sequence, events });

/// Events that will never be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The stream.
    pub key: StreamKey,
    /// History of the stream.
    pub epoch: u32,
    /// Number of the first event that is missing.
    pub from: u64,
    /// Number of the last event that is missing.
    pub to: u64,
    /// Why they are missing.
    pub reason: GapReason,
}

fields!(Gap { key, epoch, from, to, reason });

/// Why events will never be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum GapReason {
    /// The part of the journal that they are made from was not read by the last start: it is
    /// archived, or covered by a snapshot.
    Archived = 1,
    /// They are of a history that an operator has ended.
    OtherEpoch = 2,
    /// They are no longer kept in memory. The journal has what they are made from.
    NotKept = 3,
}

numbered!(GapReason { Archived, OtherEpoch, NotKept });

/// A change of the venue's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Notice {
    /// It accepts all requests.
    Serving = 1,
    /// It refuses requests that do not reduce risk, since the disk is nearly full.
    DiskReserve = 2,
    /// It refuses all requests, since the disk is full.
    DiskFull = 3,
    /// It refuses new orders, since it is about to stop.
    Draining = 4,
}

numbered!(Notice { Serving, DiskReserve, DiskFull, Draining });

/// The end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Why it ends.
    pub reason: CutReason,
    /// Last event that was sent of each stream that the client had subscribed to.
    pub streams: Vec<StreamPosition>,
}

fields!(Cut { reason, streams });

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum CutReason {
    /// Bytes that are no frame of this protocol.
    Malformed = 1,
    /// A frame above the greatest size, or too many requests in it.
    TooLarge = 2,
    /// A frame that does not belong here: a request before the logon, or a second logon.
    OutOfTurn = 3,
    /// No such key, or a signature that is not the key's over this challenge.
    LogonRefused = 4,
    /// The client's clock differs too much from the venue's.
    ClockSkew = 5,
    /// A MAC that is not the session's.
    WrongMac = 6,
    /// A frame repeated, left out or out of order.
    FrameNumber = 7,
    /// A request whose number is not one more than the last one's.
    RequestNumber = 8,
    /// No logon in time.
    LogonTimeout = 9,
    /// Nothing heard for too long.
    Silent = 10,
    /// A newer connection of the same session.
    Replaced = 11,
    /// Events wait for the client beyond the bound.
    SlowReader = 12,
    /// Its key was removed or changed.
    KeyChanged = 13,
    /// Too many connections.
    TooManyConnections = 14,
    /// The venue stops.
    Stopping = 15,
    /// The client logged out.
    LoggedOut = 16,
    /// The venue does not answer at the level that the logon asks for.
    LevelNotOffered = 17,
    /// It asks for a stream of another account.
    NotPermitted = 18,
    /// It asks for more streams than a connection may follow.
    TooManySubscriptions = 19,
    /// It asks for a stream that the venue does not publish: of a kind that it does not have, or of
    /// a market that does not exist.
    NoSuchStream = 20,
}

numbered!(CutReason {
    Malformed,
    TooLarge,
    OutOfTurn,
    LogonRefused,
    ClockSkew,
    WrongMac,
    FrameNumber,
    RequestNumber,
    LogonTimeout,
    Silent,
    Replaced,
    SlowReader,
    KeyChanged,
    TooManyConnections,
    Stopping,
    LoggedOut,
    LevelNotOffered,
    NotPermitted,
    TooManySubscriptions,
    NoSuchStream,
});

/// A frame, borrowed from a buffer; neither its MAC nor its number is checked.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    bytes: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The frame at the front of a buffer; `None` if more bytes are needed.
    ///
    /// # Errors
    /// It is shorter than its header, or longer than `bytes_max`, its length included.
    pub fn first(buffer: &'a [u8], bytes_max: usize) -> Result<Option<Frame<'a>>, DecodeError> {
        let Some(length) = buffer.first_chunk().map(|bytes| u32::from_le_bytes(*bytes)) else {
            return Ok(None);
        };
        let bytes = (length as usize).saturating_add(4);
        if bytes > bytes_max {
            return Err(too_large(0, "length", length.into()));
        }
        if bytes < HEADER_BYTES {
            return Err(DecodeError { offset: 0, field: "length", kind: Malformed::Truncated });
        }
        Ok(buffer.get(..bytes).map(|bytes| Frame { bytes }))
    }

    /// All of its bytes.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Its number; 0 before the logon.
    pub fn number(&self) -> u32 {
        let number = self.bytes.get(4..).and_then(|rest| rest.first_chunk());
        number.map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }

    /// Decodes the body of a frame without MAC.
    ///
    /// # Errors
    /// The body is none of these types.
    pub fn plain<T: Encoded>(&self) -> Read<T> {
        decode(self.bytes)
    }

    /// What its MAC covers, and the MAC.
    ///
    /// # Errors
    /// It is too short to have one.
    pub fn parts(&self) -> Result<(&'a [u8], &'a [u8; MAC_BYTES]), DecodeError> {
        let parts = self.bytes.split_last_chunk();
        let kind = Malformed::Truncated;
        parts.filter(|(covered, _)| covered.len() >= HEADER_BYTES).ok_or(DecodeError {
            offset: self.bytes.len(),
            field: "mac",
            kind,
        })
    }
}

/// Decodes what a MAC covers.
///
/// # Errors
/// The body is none of these types.
pub fn decode<T: Encoded>(covered: &[u8]) -> Read<T> {
    let mut reader = FieldReader::new(covered);
    reader.slice("header", HEADER_BYTES - 1)?;
    let body = T::read(&mut reader, "type")?;
    reader.end()?;
    Ok(body)
}

/// A frame up to its MAC, for which its length counts `mac_bytes` bytes.
///
/// # Panics
/// If it is longer than 4 GiB.
pub fn encode<T: Encoded>(body: &T, number: u32, mac_bytes: usize) -> Vec<u8> {
    encode_with(|out| body.write(out), number, mac_bytes)
}

/// The same of a body that is encoded already.
pub fn encode_body(body: &[u8], number: u32, mac_bytes: usize) -> Vec<u8> {
    encode_with(|out| out.extend_from_slice(body), number, mac_bytes)
}

fn encode_with(write: impl FnOnce(&mut Vec<u8>), number: u32, mac_bytes: usize) -> Vec<u8> {
    let mut out = vec![0; 4];
    number.write(&mut out);
    write(&mut out);
    let length = u32::try_from(out.len() - 4 + mac_bytes).expect("a frame under 4 GiB");
    out[..4].copy_from_slice(&length.to_le_bytes());
    out
}
