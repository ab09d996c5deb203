//! One client's connection: bytes to and from its session, with timers and bounds.
//!
//! # Rules
//! 1. A client whose requests the venue cannot take yet is not read from, and one that does not read
//!    is not read from either: the network pushes back.
//! 2. What was received before a connection ended still counts, and the venue hears of the end after
//!    it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use surgetank_layer::units::AccountId;
use surgetank_venue::event::{Position, StreamKey};
use surgetank_venue::intake::{ConnectionId, Session};
use surgetank_venue::session::keys::Keys;
use surgetank_venue::session::{Acceptor, Step};
use surgetank_venue::streams::published::{Published, events_body};
use surgetank_venue::venue::Input;
use surgetank_venue::wire::{Cut, CutReason, Down, LoggedOn, Logon, StreamPosition, Up};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, WriteHalf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};

use super::ends::End;
use super::outbound::{Item, Outbound, outbound};
use super::{LAST_WRITE, PENDING_MAX, Shared};
use crate::host::{Command, Stage};

/// Bytes that are read at once.
const READ_BYTES: usize = 32 << 10;

struct Connection {
    id: ConnectionId,
    shared: Arc<Shared>,
    acceptor: Acceptor,
    /// Held until the client is logged on: the number of those that are not is bounded.
    place: Option<OwnedSemaphorePermit>,
    account: AccountId,
    outbound: Outbound,
    /// Whether the venue knows of the connection.
    is_announced: bool,
    /// What the venue must hear, in this order.
    commands: VecDeque<Command>,
    /// What is encoded and not written.
    pending: VecDeque<u8>,
    /// Last event that was sent of each stream.
    sent: BTreeMap<StreamKey, Position>,
    heard_at: Instant,
}

/// Serves a client until its connection ends.
pub async fn serve<S: AsyncRead + AsyncWrite>(
    stream: S,
    id: ConnectionId,
    shared: Arc<Shared>,
    place: OwnedSemaphorePermit,
    opened_at: Instant,
) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let (outbound, mut inbox) = outbound(shared.limits.outbound_bytes_max);
    let Some(mut connection) =
        Connection::open(id, Arc::clone(&shared), (place, opened_at), outbound)
    else {
        return shared.telemetry.ended(End::Lost);
    };
    let (mut keys, mut stage) = (shared.keys.clone(), shared.stage.clone());
    let overflow = inbox.overflow();
    let mut buffer = vec![0; READ_BYTES];
    let end = loop {
        let takes = connection.pending.len() < PENDING_MAX;
        let result = tokio::select! {
            written = writer.write(connection.pending.as_slices().0),
                if !connection.pending.is_empty() => match written {
                Ok(count) if count > 0 => {
                    connection.pending.drain(..count);
                    Ok(())
                }
                _ => Err(End::Lost),
            },
            Some(item) = inbox.next(), if takes => {
                if inbox.is_relieved() {
                    connection.commands.push_back(Command::Venue(Input::Relieved(id)));
                }
                connection.hear(item)
            }
            permit = shared.commands.reserve(), if !connection.commands.is_empty() => match permit {
                Ok(permit) => {
                    if let Some(command) = connection.commands.pop_front() {
                        permit.send(command);
                    }
                    Ok(())
                }
                Err(_) => Err(CutReason::Stopping.into()),
            },
            read = reader.read(&mut buffer), if takes && connection.commands.is_empty() => match read {
                Ok(count) if count > 0 => connection.receive(&keys.borrow().clone(), &buffer[..count]),
                _ => Err(End::Lost),
            },
            () = overflow.notified() => Err(CutReason::SlowReader.into()),
            _ = keys.changed() => connection.recheck(&keys.borrow_and_update()),
            stopped = stage.wait_for(|stage| *stage == Stage::Stopping),
                if !connection.is_announced => {
                drop(stopped);
                Err(CutReason::Stopping.into())
            }
            () = tokio::time::sleep_until(connection.deadline()) => Err(connection.silence()),
        };
        if let Err(end) = result {
            break end;
        }
    };
    connection.finish(end, &mut writer).await;
}

impl Connection {
    /// `None` if the system has no random numbers.
    fn open(
        id: ConnectionId,
        shared: Arc<Shared>,
        (place, opened_at): (OwnedSemaphorePermit, Instant),
        outbound: Outbound,
    ) -> Option<Connection> {
        let mut nonce = [0; 32];
        getrandom::fill(&mut nonce).ok()?;
        let (acceptor, challenge) = Acceptor::open(shared.venue, nonce, shared.clock.now());
        Some(Connection {
            id,
            shared,
            acceptor,
            place: Some(place),
            account: 0,
            outbound,
            is_announced: false,
            commands: VecDeque::new(),
            pending: challenge.into(),
            sent: BTreeMap::new(),
            heard_at: opened_at,
        })
    }

    /// Until when the client must say something; before the logon, the whole of it.
    fn deadline(&self) -> Instant {
        let limits = &self.shared.limits;
        let seconds = if self.place.is_some() { limits.logon_s } else { limits.silent_s };
        self.heard_at + Duration::from_secs_f64(seconds)
    }

    fn silence(&self) -> End {
        let waits = self.place.is_some();
        End::Cut(if waits { CutReason::LogonTimeout } else { CutReason::Silent })
    }

    fn receive(&mut self, keys: &Keys, bytes: &[u8]) -> Result<(), End> {
        if self.place.is_none() {
            self.heard_at = Instant::now();
        }
        let id = self.id;
        for step in self.acceptor.receive(self.shared.clock.now(), keys, bytes)? {
            let input = match step {
                Step::LoggedOn(logon, entry) => {
                    self.announce(*logon, entry.account);
                    continue;
                }
                Step::Requests(requests) => Input::Requests(id, requests),
                Step::Other(Up::OrderStatus(cl_ord_id)) => Input::OrderStatus(id, cl_ord_id),
                Step::Other(Up::Subscribe(wanted)) => Input::Subscribe(id, wanted),
                Step::Other(Up::Unsubscribe(keys)) => Input::Unsubscribe(id, keys),
                Step::Other(Up::Ping(number)) => {
                    self.say(&Down::Pong(number))?;
                    continue;
                }
                Step::Other(Up::Logout(())) => return Err(CutReason::LoggedOut.into()),
                Step::Other(Up::Snapshot(key)) => Input::StreamState(id, key),
                Step::Other(Up::Logon(_) | Up::Requests(_)) => {
                    return Err(CutReason::OutOfTurn.into());
                }
            };
            self.commands.push_back(Command::Venue(input));
        }
        Ok(())
    }

    fn announce(&mut self, logon: Logon, account: AccountId) {
        let session = Session {
            key_name: logon.key_name,
            name: logon.session,
            account,
            level: logon.level,
            cancel_on_disconnect: logon.cancel_on_disconnect,
        };
        self.account = account;
        self.is_announced = true;
        self.commands.push_back(Command::Connected(self.id, session, self.outbound.clone()));
    }

    /// Something that the venue says.
    fn hear(&mut self, item: Item) -> Result<(), End> {
        match item {
            Item::LoggedOn(sequence, streams) => {
                let mut session_key = [0; 32];
                getrandom::fill(&mut session_key).map_err(|_| End::Lost)?;
                let logged_on = LoggedOn {
                    account: self.account,
                    session_key,
                    time_ns: self.shared.clock.now(),
                    sequence,
                    streams,
                };
                self.pending.extend(self.acceptor.accept(&logged_on).ok_or(End::Lost)?);
                (self.place, self.heard_at) = (None, Instant::now());
            }
            Item::Say(down) => self.say(&down)?,
            Item::Events(events) => {
                let at = |event: &Published| Position { epoch: event.epoch, number: event.number };
                self.sent.extend(events.iter().map(|event| (event.key, at(event))));
                let body = events_body(&events);
                self.pending.extend(self.acceptor.send_body(&body).ok_or(End::Lost)?);
            }
            Item::PageEnd => {
                self.commands.push_back(Command::Venue(Input::PageTaken(self.id)));
            }
            // Its clients ask no questions about the state.
            Item::View(..) => {}
            Item::Cut(reason) => return Err(reason.into()),
        }
        Ok(())
    }

    fn say(&mut self, down: &Down) -> Result<(), End> {
        self.pending.extend(self.acceptor.send(down).ok_or(End::Lost)?);
        Ok(())
    }

    /// The keys have changed.
    fn recheck(&self, keys: &Keys) -> Result<(), End> {
        Ok(self.acceptor.recheck(keys)?)
    }

    async fn finish<S: AsyncRead + AsyncWrite>(mut self, end: End, writer: &mut WriteHalf<S>) {
        if self.is_announced {
            let logged_out = matches!(end, End::Cut(CutReason::LoggedOut));
            let gone = Input::Gone { connection: self.id, logged_out };
            self.commands.push_back(Command::Venue(gone));
        }
        for command in std::mem::take(&mut self.commands) {
            if self.shared.commands.send(command).await.is_err() {
                break;
            }
        }
        self.shared.telemetry.ended(end);
        if let End::Cut(reason) = end {
            let streams = std::mem::take(&mut self.sent).into_iter();
            let streams = streams.map(|(key, last)| StreamPosition { key, last }).collect();
            self.pending.extend(self.acceptor.cut(Cut { reason, streams }));
            let last = timeout(LAST_WRITE, async {
                writer.write_all(self.pending.make_contiguous()).await?;
                writer.shutdown().await
            });
            let _ = last.await;
        }
    }
}
