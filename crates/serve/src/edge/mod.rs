//! Sockets: one thread, on which all connections are served. Nothing is decided here.
//!
//! In reading order: [`outbound`] (what waits for a client), [`ends`] (why connections end), [`tls`],
//! [`connection`] (one client of the binary protocol), [`websocket`] (one of the WebSocket), and here
//! the listeners.

pub mod connection;
pub mod ends;
pub mod outbound;
pub mod tls;
pub mod websocket;

use std::io;
use std::net::TcpListener as StdTcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures_util::future::join_all;
use surgetank_venue::intake::ConnectionId;
use surgetank_venue::session::json::markets::Markets;
use surgetank_venue::session::keys::Keys;
use surgetank_venue::wire::{Cut, CutReason, Down, VenueId, encode};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::clock::Clock;
use crate::config::Connections;
use crate::host::{Command, Stage};
use crate::telemetry::Telemetry;
use ends::End;

/// Time in which connections end when the venue stops.
const CLOSE: Duration = Duration::from_secs(2);
/// Time in which the last frame of a connection is written.
const LAST_WRITE: Duration = Duration::from_secs(1);
/// Time between attempts when the system gives no further connection, as for lack of descriptors.
const RETRY: Duration = Duration::from_millis(100);
/// Bytes that are encoded and not written yet, above which no more are encoded.
const PENDING_MAX: usize = 256 << 10;
/// What a client of the WebSocket that finds no room reads.
const NO_ROOM: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// What is spoken at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gateway {
    /// The binary protocol.
    Binary,
    /// JSON-RPC over WebSocket.
    WebSocket,
}

/// What all connections share.
#[derive(Debug)]
pub struct Shared {
    /// The venue, for signatures.
    pub venue: VenueId,
    /// Its markets, for texts.
    pub markets: Arc<Markets>,
    /// Its time.
    pub clock: Arc<Clock>,
    /// Its keys, as they are now.
    pub keys: watch::Receiver<Arc<Keys>>,
    /// Its certificate, as it is now; `None`: connections are not encrypted.
    pub tls: watch::Receiver<Option<Arc<ServerConfig>>>,
    /// What the process does.
    pub stage: watch::Receiver<Stage>,
    /// The venue's thread.
    pub commands: mpsc::Sender<Command>,
    /// Bounds and times of a connection.
    pub limits: Connections,
    /// Where connections are counted.
    pub telemetry: Arc<Telemetry>,
}

/// Starts the thread. It accepts once the venue serves, and ends after the venue.
///
/// # Errors
/// The system starts no thread or no runtime.
pub fn start(
    listeners: Vec<(StdTcpListener, Gateway)>,
    shared: Shared,
) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = |(listener, gateway): (StdTcpListener, Gateway)| {
        listener.set_nonblocking(true)?;
        let _inside = runtime.enter();
        Ok((TcpListener::from_std(listener)?, gateway))
    };
    let listeners: io::Result<Vec<_>> = listeners.into_iter().map(listener).collect();
    let (listeners, shared) = (listeners?, Arc::new(shared));
    let run = move || runtime.block_on(run(listeners, shared));
    thread::Builder::new().name("edge".to_owned()).spawn(run)
}

async fn run(listeners: Vec<(TcpListener, Gateway)>, shared: Arc<Shared>) {
    let mut stage = shared.stage.clone();
    if stage.wait_for(|stage| *stage != Stage::Recovering).await.is_err() {
        return;
    }
    let door = Arc::new(Door {
        unauthenticated: Arc::new(Semaphore::new(shared.limits.unauthenticated_max)),
        last: AtomicU64::new(0),
        shared,
    });
    let open = |(listener, gateway)| Arc::clone(&door).open(listener, gateway);
    join_all(listeners.into_iter().map(open)).await;
}

/// Where connections come in, by all gateways.
struct Door {
    /// Places of connections that are not logged on.
    unauthenticated: Arc<Semaphore>,
    last: AtomicU64,
    shared: Arc<Shared>,
}

impl Door {
    /// Accepts connections of a gateway until the venue stops.
    async fn open(self: Arc<Door>, listener: TcpListener, gateway: Gateway) {
        let mut stage = self.shared.stage.clone();
        let mut clients = JoinSet::new();
        loop {
            tokio::select! {
                stopped = stage.wait_for(|stage| *stage == Stage::Stopping) => {
                    drop(stopped);
                    break;
                }
                Some(_) = clients.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        self.shared.telemetry.opened();
                        let _ = stream.set_nodelay(true);
                        let door = Arc::clone(&self);
                        match Arc::clone(&self.unauthenticated).try_acquire_owned() {
                            Ok(place) => drop(clients.spawn(door.greet(stream, gateway, place))),
                            Err(_) => drop(clients.spawn(door.turn_away(stream, gateway))),
                        }
                    }
                    Err(_) => tokio::time::sleep(RETRY).await,
                },
            }
        }
        drop(listener);
        let _ = timeout(CLOSE, async { while clients.join_next().await.is_some() {} }).await;
    }

    /// Encrypts the connection, if the venue has a certificate, and serves it.
    async fn greet(
        self: Arc<Door>,
        stream: TcpStream,
        gateway: Gateway,
        place: OwnedSemaphorePermit,
    ) {
        let opened_at = Instant::now();
        let tls = self.shared.tls.borrow().clone();
        let Some(server) = tls else {
            return self.serve(stream, gateway, place, opened_at).await;
        };
        let latest = opened_at + Duration::from_secs_f64(self.shared.limits.logon_s);
        match timeout_at(latest, TlsAcceptor::from(server).accept(stream)).await {
            Ok(Ok(stream)) => self.serve(stream, gateway, place, opened_at).await,
            _ => self.shared.telemetry.ended(End::NoHandshake("no-tls-handshake")),
        }
    }

    async fn serve(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        gateway: Gateway,
        place: OwnedSemaphorePermit,
        opened_at: Instant,
    ) {
        let shared = Arc::clone(&self.shared);
        let id: ConnectionId = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        match gateway {
            Gateway::Binary => connection::serve(stream, id, shared, place, opened_at).await,
            Gateway::WebSocket => websocket::serve(stream, id, shared, place, opened_at).await,
        }
    }

    /// Says that there are too many connections, as far as the socket takes it at once; nothing that
    /// is not encrypted where connections are.
    async fn turn_away(self: Arc<Door>, mut stream: TcpStream, gateway: Gateway) {
        self.shared.telemetry.ended(CutReason::TooManyConnections.into());
        if self.shared.tls.borrow().is_some() {
            return;
        }
        let cut = Cut { reason: CutReason::TooManyConnections, streams: Vec::new() };
        let frame = encode(&Down::Cut(cut), 0, 0);
        let said = if gateway == Gateway::Binary { &frame } else { NO_ROOM };
        let _ = timeout(CLOSE, stream.write_all(said)).await;
    }
}
