//! Sockets: one thread, on which all connections are served. Nothing is decided here.
//!
//! In reading order: [`outbound`] (what waits for a client), [`connection`] (one client), and here
//! the listener.

pub mod connection;
pub mod outbound;

use std::io;
use std::net::TcpListener as StdTcpListener;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use surgetank_venue::intake::ConnectionId;
use surgetank_venue::session::keys::Keys;
use surgetank_venue::wire::{Cut, CutReason, Down, VenueId, encode};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::config::Connections;
use crate::host::{Command, Stage};
use crate::telemetry::Telemetry;

/// Time in which connections end when the venue stops.
const CLOSE: Duration = Duration::from_secs(2);
/// Time between attempts when the system gives no further connection, as for lack of descriptors.
const RETRY: Duration = Duration::from_millis(100);

/// What all connections share.
#[derive(Debug)]
pub struct Shared {
    /// The venue, for signatures.
    pub venue: VenueId,
    /// Its time.
    pub clock: Arc<Clock>,
    /// Its keys, as they are now.
    pub keys: watch::Receiver<Arc<Keys>>,
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
pub fn start(listener: StdTcpListener, shared: Shared) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    listener.set_nonblocking(true)?;
    let listener = {
        let _inside = runtime.enter();
        TcpListener::from_std(listener)?
    };
    let run = move || runtime.block_on(run(listener, Arc::new(shared)));
    thread::Builder::new().name("edge".to_owned()).spawn(run)
}

async fn run(listener: TcpListener, shared: Arc<Shared>) {
    let mut stage = shared.stage.clone();
    if stage.wait_for(|stage| *stage != Stage::Recovering).await.is_err() {
        return;
    }
    let unauthenticated = Arc::new(Semaphore::new(shared.limits.unauthenticated_max));
    let mut clients = JoinSet::new();
    let mut last: ConnectionId = 0;
    loop {
        tokio::select! {
            stopped = stage.wait_for(|stage| *stage == Stage::Stopping) => {
                drop(stopped);
                break;
            }
            Some(_) = clients.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    last += 1;
                    shared.telemetry.opened();
                    let _ = stream.set_nodelay(true);
                    match Arc::clone(&unauthenticated).try_acquire_owned() {
                        Ok(place) => {
                            let shared = Arc::clone(&shared);
                            clients.spawn(connection::serve(stream, last, shared, place));
                        }
                        Err(_) => {
                            shared.telemetry.ended(Some(CutReason::TooManyConnections));
                            clients.spawn(turn_away(stream));
                        }
                    }
                }
                Err(_) => tokio::time::sleep(RETRY).await,
            },
        }
    }
    drop(listener);
    let _ = timeout(CLOSE, async { while clients.join_next().await.is_some() {} }).await;
}

/// Says that there are too many connections, as far as the socket takes it at once.
async fn turn_away(mut stream: TcpStream) {
    let cut = Cut { reason: CutReason::TooManyConnections, streams: Vec::new() };
    let frame = encode(&Down::Cut(cut), 0, 0);
    let _ = timeout(CLOSE, stream.write_all(&frame)).await;
}
