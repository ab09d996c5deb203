//! One client of the WebSocket: texts to and from its session, with timers and bounds.
//!
//! The rules are those of [`super::connection`]. Frames and the handshake are tungstenite's (RFC
//! 6455); a frame or message above the greatest length ends the connection before it is read whole.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use surgetank_layer::units::Ns;
use surgetank_venue::intake::{ConnectionId, Session};
use surgetank_venue::session::json::signed::ConnectionChallenge;
use surgetank_venue::session::json::{JsonAcceptor, JsonLogon, JsonStep, TEXT_BYTES_MAX, fault};
use surgetank_venue::session::keys::Keys;
use surgetank_venue::venue::Input;
use surgetank_venue::wire::{CutReason, Down};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, accept_async_with_config};

use super::ends::End;
use super::outbound::{Inbox, Item, Outbound, outbound};
use super::{LAST_WRITE, PENDING_MAX, Shared};
use crate::host::{Command, Stage};

/// Size of the buffers of a connection, in bytes.
const BUFFER_BYTES: usize = 16 << 10;

struct Connection {
    id: ConnectionId,
    shared: Arc<Shared>,
    acceptor: JsonAcceptor,
    /// Held until the client is logged on.
    place: Option<OwnedSemaphorePermit>,
    outbound: Outbound,
    is_announced: bool,
    /// What the venue must hear, in this order.
    commands: VecDeque<Command>,
    pending: Pending,
    heard_at: Instant,
}

/// Texts that are not written.
#[derive(Default)]
struct Pending {
    texts: VecDeque<String>,
    bytes: usize,
    /// Whether the socket has some that it has not passed on.
    is_unflushed: bool,
}

/// Serves a client until its connection ends.
pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    id: ConnectionId,
    shared: Arc<Shared>,
    place: OwnedSemaphorePermit,
    opened_at: Instant,
) {
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_message_size(Some(TEXT_BYTES_MAX))
        .max_frame_size(Some(TEXT_BYTES_MAX));
    let latest = opened_at + Duration::from_secs_f64(shared.limits.logon_s);
    let handshake = timeout_at(latest, accept_async_with_config(stream, Some(config)));
    let Ok(Ok(socket)) = handshake.await else {
        return shared.telemetry.ended(End::NoHandshake("no-websocket-handshake"));
    };
    let (outbound, inbox) = outbound(shared.limits.outbound_bytes_max);
    let mut nonce = [0; 32];
    if getrandom::fill(&mut nonce).is_err() {
        return shared.telemetry.ended(End::Lost);
    }
    let challenge = ConnectionChallenge { venue: shared.venue, nonce };
    let (acceptor, text) =
        JsonAcceptor::open(challenge, Arc::clone(&shared.markets), shared.clock.now());
    let mut connection = Connection {
        id,
        shared,
        acceptor,
        place: Some(place),
        outbound,
        is_announced: false,
        commands: VecDeque::new(),
        pending: Pending::default(),
        heard_at: opened_at,
    };
    connection.pending.push(text);
    connection.run(socket, inbox).await;
}

impl Connection {
    async fn run<S: AsyncRead + AsyncWrite + Unpin>(
        mut self,
        socket: WebSocketStream<S>,
        mut inbox: Inbox,
    ) {
        let (mut sink, mut source) = socket.split();
        let (mut keys, mut stage) = (self.shared.keys.clone(), self.shared.stage.clone());
        let commands = self.shared.commands.clone();
        let overflow = inbox.overflow();
        let end = loop {
            let takes = self.pending.bytes < PENDING_MAX;
            let (deadline, due) = (self.deadline(), self.due());
            let (hears, is_announced) = (takes && self.commands.is_empty(), self.is_announced);
            let has_commands = !self.commands.is_empty();
            let writes = self.pending.waits();
            let pending = &mut self.pending;
            let result = tokio::select! {
                written = poll_fn(|context| pending.poll_write(&mut sink, context)), if writes => {
                    written.map_err(|_| End::Lost)
                }
                Some(item) = inbox.next(), if takes => {
                    if inbox.is_relieved() {
                        self.commands.push_back(Command::Venue(Input::Relieved(self.id)));
                    }
                    self.hear(item)
                }
                permit = commands.reserve(), if has_commands => match permit {
                    Ok(permit) => {
                        if let Some(command) = self.commands.pop_front() {
                            permit.send(command);
                        }
                        Ok(())
                    }
                    Err(_) => Err(CutReason::Stopping.into()),
                },
                message = read(&mut source), if hears => match message {
                    Ok(message) => self.receive(&keys.borrow().clone(), message),
                    Err(end) => Err(end),
                },
                () = overflow.notified() => Err(CutReason::SlowReader.into()),
                _ = keys.changed() => {
                    self.acceptor.recheck(&keys.borrow_and_update()).map_err(End::Cut)
                }
                stopped = stage.wait_for(|stage| *stage == Stage::Stopping), if !is_announced => {
                    drop(stopped);
                    Err(CutReason::Stopping.into())
                }
                () = tokio::time::sleep_until(due.unwrap_or(deadline)), if due.is_some() => {
                    let steps = self.acceptor.wake(self.shared.clock.now());
                    self.act(steps)
                }
                () = tokio::time::sleep_until(deadline) => Err(self.silence()),
            };
            if let Err(end) = result {
                break end;
            }
        };
        self.finish(end, &mut sink).await;
    }

    /// Until when the client must say something; before the logon, the whole of it.
    fn deadline(&self) -> Instant {
        let limits = &self.shared.limits;
        let seconds = if self.place.is_some() { limits.logon_s } else { limits.silent_s };
        self.heard_at + Duration::from_secs_f64(seconds)
    }

    /// When the session wants to be woken.
    fn due(&self) -> Option<Instant> {
        let wait: Ns = self.acceptor.due()?.saturating_sub(self.shared.clock.now());
        Some(Instant::now() + Duration::from_nanos(wait))
    }

    fn silence(&self) -> End {
        let waits = self.place.is_some();
        End::Cut(if waits { CutReason::LogonTimeout } else { CutReason::Silent })
    }

    fn receive(&mut self, keys: &Keys, message: Message) -> Result<(), End> {
        if self.place.is_none() {
            self.heard_at = Instant::now();
        }
        match message {
            Message::Text(text) => {
                let steps = self.acceptor.receive(self.shared.clock.now(), keys, &text);
                self.act(steps)
            }
            Message::Ping(_) => {
                self.pending.is_unflushed = true; // The answer to it.
                Ok(())
            }
            Message::Pong(_) | Message::Frame(_) => Ok(()),
            Message::Binary(_) => Err(CutReason::Malformed.into()),
            Message::Close(_) => Err(End::Lost),
        }
    }

    fn act(&mut self, steps: Vec<JsonStep>) -> Result<(), End> {
        let id = self.id;
        for step in steps {
            let input = match step {
                JsonStep::Say(text) => {
                    self.pending.push(text);
                    continue;
                }
                JsonStep::LogOn(logon) => {
                    self.announce(logon);
                    continue;
                }
                JsonStep::Close(reason) => return Err(reason.into()),
                JsonStep::Requests(requests) => Input::Requests(id, requests),
                JsonStep::Query(number, query) => Input::Query(id, number, query),
                JsonStep::Subscribe(wanted) => Input::Subscribe(id, wanted),
                JsonStep::Unsubscribe(keys) => Input::Unsubscribe(id, keys),
                JsonStep::Snapshot(key) => Input::StreamState(id, key),
                JsonStep::CancelOnDisconnect(wanted) => Input::CancelOnDisconnect(id, wanted),
            };
            self.commands.push_back(Command::Venue(input));
        }
        Ok(())
    }

    fn announce(&mut self, logon: JsonLogon) {
        let JsonLogon { key_name, session: name, account, level, cancel_on_disconnect } = logon;
        let session = Session { key_name, name, account, level, cancel_on_disconnect };
        self.is_announced = true;
        self.commands.push_back(Command::Connected(self.id, session, self.outbound.clone()));
    }

    /// Something that the venue says.
    fn hear(&mut self, item: Item) -> Result<(), End> {
        let acceptor = &mut self.acceptor;
        let steps = match item {
            Item::LoggedOn(sequence, _) => {
                (self.place, self.heard_at) = (None, Instant::now());
                acceptor.accept(sequence)
            }
            Item::Say(Down::Answers(answers)) => acceptor.answers(&answers),
            Item::Say(Down::Snapshot(state)) => acceptor.snapshot(&state),
            Item::Say(Down::Gap(gap)) => acceptor.gap(&gap),
            Item::Say(Down::Notice(notice)) => acceptor.notice(notice),
            Item::Say(_) => Vec::new(),
            Item::Events(events) => acceptor.events(events.iter().map(|event| &***event)),
            Item::PageEnd => {
                self.commands.push_back(Command::Venue(Input::PageTaken(self.id)));
                Vec::new()
            }
            Item::View(number, view) => acceptor.view(number, &view),
            Item::Cut(reason) => return Err(reason.into()),
        };
        self.act(steps)
    }

    async fn finish(mut self, end: End, sink: &mut (impl Sink<Message, Error = Error> + Unpin)) {
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
        let End::Cut(reason) = end else { return };
        self.pending.push(self.acceptor.cut(reason));
        let code = match reason {
            CutReason::LoggedOut => CloseCode::Normal,
            CutReason::Stopping => CloseCode::Away,
            CutReason::TooLarge => CloseCode::Size,
            _ => CloseCode::Policy,
        };
        let reason = Utf8Bytes::from_static(fault::cut(reason));
        let last = timeout(LAST_WRITE, async {
            poll_fn(|context| self.pending.poll_write(sink, context)).await?;
            sink.send(Message::Close(Some(CloseFrame { code, reason }))).await
        });
        let _ = last.await;
    }
}

impl Pending {
    fn push(&mut self, text: String) {
        self.bytes += text.len();
        self.texts.push_back(text);
    }

    fn waits(&self) -> bool {
        self.is_unflushed || !self.texts.is_empty()
    }

    /// Passes on what waits, as far as the socket takes it. A text that the socket has is no more
    /// here, so that nothing is lost or sent twice if this is not polled to its end.
    fn poll_write(
        &mut self,
        sink: &mut (impl Sink<Message, Error = Error> + Unpin),
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        while !self.texts.is_empty() {
            ready!(sink.poll_ready_unpin(context))?;
            if let Some(text) = self.texts.pop_front() {
                self.bytes -= text.len();
                self.is_unflushed = true;
                sink.start_send_unpin(Message::text(text))?;
            }
        }
        ready!(sink.poll_flush_unpin(context))?;
        self.is_unflushed = false;
        Poll::Ready(Ok(()))
    }
}

/// The next message.
async fn read(
    source: &mut (impl Stream<Item = Result<Message, Error>> + Unpin),
) -> Result<Message, End> {
    match source.next().await {
        Some(Ok(message)) => Ok(message),
        Some(Err(Error::Capacity(_))) => Err(CutReason::TooLarge.into()),
        Some(Err(Error::Protocol(_) | Error::Utf8(_))) => Err(CutReason::Malformed.into()),
        Some(Err(_)) | None => Err(End::Lost),
    }
}
