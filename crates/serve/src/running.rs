//! A running venue: its threads put together, and what others ask of them.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, mpsc as std_mpsc};
use std::thread;
use std::time::Duration;

use serde::Serialize;
use surgetank_layer::units::{Digest, Ns};
use surgetank_venue::genesis::Genesis;
use surgetank_venue::session::json::markets::Markets;
use surgetank_venue::session::keys::Keys;
use surgetank_venue::venue::Venue;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_rustls::rustls::ServerConfig;

use crate::clock::Clock;
use crate::config::Config;
use crate::edge::tls::Tls;
use crate::edge::{self, Gateway, Shared};
use crate::files::Lock;
use crate::host::{Command, Host, Seen, SnapshotEvery, Stage, Status, Viewer};
use crate::progress::{Ended, Milestones, Recovery, Why};
use crate::storage::Storage;
use crate::telemetry::{ConnectionCounts, Disk, Telemetry};

/// Frames that wait for the venue's thread.
const COMMANDS_MAX: usize = 1024;
/// Operators that wait for the venue's thread.
const VIEWERS_MAX: usize = 8;

/// Why no venue was started.
#[derive(Debug)]
pub enum NotStarted {
    /// The configuration or the genesis is wrong.
    Configuration(String),
    /// Another process has the data directory.
    Locked,
    /// The address cannot be listened on.
    Address(SocketAddr, io::Error),
    /// The data directory cannot be used, or the system starts no thread.
    System(io::Error),
}

/// Whether the venue serves. Known without asking its thread.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Health {
    /// What the process does.
    pub stage: Stage,
    /// Whether the service has ended.
    pub ended: bool,
    /// Room on the disk: `ample`, `reserve` or `full`.
    pub space: &'static str,
    /// Since when the venue's thread has not looked at its clock, which it does every second.
    pub silent_ns: Ns,
    /// Time of the venue.
    pub now_ns: Ns,
}

/// What operators see.
#[derive(Clone, Debug, Serialize)]
pub struct Overview {
    /// Of the venue's thread; `None`: it has ended, or did not answer in time.
    pub venue: Option<Seen>,
    /// Connections so far.
    pub connections: ConnectionCounts,
    /// The disk so far.
    pub disk: Disk,
}

/// A running venue.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    ws_address: Option<SocketAddr>,
    tls: watch::Sender<Option<Arc<ServerConfig>>>,
    clock: Arc<Clock>,
    telemetry: Arc<Telemetry>,
    stage: watch::Receiver<Stage>,
    viewers: mpsc::Sender<Viewer>,
    commands: mpsc::Sender<Command>,
    keys: watch::Sender<Arc<Keys>>,
    milestones: Arc<Milestones>,
}

impl Running {
    /// Starts a venue on a data directory. It serves once it has read its journal.
    ///
    /// # Errors
    /// [`NotStarted`]; nothing is running then.
    pub fn start(
        config: &Config,
        genesis: Genesis,
        keys: Keys,
        directory: &Path,
    ) -> Result<Running, NotStarted> {
        let system = NotStarted::System;
        let mut new_journal = [0; 16];
        getrandom::fill(&mut new_journal).map_err(|error| system(error.into()))?;
        let of_venue = config.of_venue(genesis, new_journal).map_err(NotStarted::Configuration)?;
        let tls = certificate_of(config)?;
        let markets = Arc::new(Markets::of(&of_venue.genesis));
        let genesis_hash = of_venue.genesis.hash();
        let venue =
            Venue::new(of_venue).map_err(|error| NotStarted::Configuration(error.to_string()))?;
        let lock = Lock::take(directory).map(Arc::new).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => NotStarted::Locked,
            _ => NotStarted::System(error),
        })?;
        let (listener, address) = bind(config.listen)?;
        let websocket = config.listen_ws.map(bind).transpose()?;
        let ws_address = websocket.as_ref().map(|(_, address)| *address);
        let websocket = websocket.map(|(listener, _)| (listener, Gateway::WebSocket));
        let listeners = [(listener, Gateway::Binary)].into_iter().chain(websocket).collect();

        let clock = Arc::new(Clock::start());
        let milestones = Arc::new(Milestones::default());
        let telemetry = Arc::new(Telemetry::default());
        let (stage, stage_now) = watch::channel(Stage::Recovering);
        let (keys, keys_now) = watch::channel(Arc::new(keys));
        let (tls, tls_now) = watch::channel(tls);
        let (commands, of_clients) = mpsc::channel(COMMANDS_MAX);
        let (viewers, of_operators) = mpsc::channel(VIEWERS_MAX);
        // A signature names the venue by its genesis, which has the time of its opening.
        let id = *genesis_hash.0.first_chunk().expect("a hash has 32 bytes");
        let shared = Shared {
            venue: id,
            markets,
            tls: tls_now,
            clock: Arc::clone(&clock),
            keys: keys_now,
            stage: stage_now.clone(),
            commands: commands.clone(),
            limits: config.connections,
            telemetry: Arc::clone(&telemetry),
        };
        let edge = edge::start(listeners, shared).map_err(system)?;
        let (storage, results) = Storage::start(directory, &lock, &telemetry).map_err(system)?;
        let snapshots = SnapshotEvery {
            requests: config.journal.snapshot_requests.max(1),
            time: Duration::from_secs_f64(config.journal.snapshot_s),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(system)?;
        let of_host = Arc::clone(&milestones);
        let (time, counted) = (Arc::clone(&clock), Arc::clone(&telemetry));
        let run = move || {
            let guard = EndGuard(Arc::clone(&of_host));
            let mut host = Host::new(venue, time, storage, of_host, counted, stage, snapshots);
            let ended = runtime.block_on(host.run(results, of_clients, of_operators));
            let _ = edge.join();
            host.finish();
            drop(lock);
            guard.0.ended(ended);
        };
        thread::Builder::new().name("venue".to_owned()).spawn(run).map_err(system)?;
        Ok(Running {
            address,
            ws_address,
            tls,
            clock,
            telemetry,
            stage: stage_now,
            viewers,
            commands,
            keys,
            milestones,
        })
    }

    /// Where the binary protocol is spoken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where JSON-RPC over WebSocket is spoken; `None`: nowhere.
    pub fn ws_address(&self) -> Option<SocketAddr> {
        self.ws_address
    }

    /// Sets the certificate that new connections are shown.
    ///
    /// # Errors
    /// What is wrong with it, or that connections are not encrypted; nothing is changed.
    pub fn reload_tls(&self, tls: &Tls) -> Result<(), String> {
        let server = tls.server()?;
        if self.tls.borrow().is_none() {
            return Err("tls: connections of this venue are not encrypted".to_owned());
        }
        self.tls.send_replace(Some(server));
        Ok(())
    }

    /// What the start has found; `None` before it is complete.
    pub fn recovery(&self) -> Option<Recovery> {
        self.milestones.recovery()
    }

    /// Waits at most so long for the start to be complete or to fail: whether it is so.
    pub fn wait_started(&self, timeout: Duration) -> bool {
        self.milestones.wait_started(timeout)
    }

    /// Waits at most so long for the end of the service; `None`: it goes on.
    pub fn wait(&self, timeout: Duration) -> Option<Ended> {
        self.milestones.wait(timeout)
    }

    /// The state; `None` if the venue has stopped.
    pub fn status(&self) -> Option<Status> {
        let (answer, status) = oneshot::channel();
        self.commands.blocking_send(Command::Status(answer)).ok()?;
        status.blocking_recv().ok()
    }

    /// Hash of the state after the last record; `None` if the venue has stopped. Clients wait while
    /// it is computed.
    pub fn state_hash(&self) -> Option<Digest> {
        let (answer, hash) = oneshot::channel();
        self.commands.blocking_send(Command::StateHash(answer)).ok()?;
        hash.blocking_recv().ok()
    }

    /// Whether the venue serves; never waits.
    pub fn health(&self) -> Health {
        let (now_ns, alive_ns) = (self.clock.now(), self.telemetry.alive_ns());
        Health {
            stage: *self.stage.borrow(),
            ended: self.milestones.wait(Duration::ZERO).is_some(),
            space: self.telemetry.space(),
            silent_ns: if alive_ns == 0 { 0 } else { now_ns.saturating_sub(alive_ns) },
            now_ns,
        }
    }

    /// What operators see; waits at most so long for the venue's thread.
    pub fn overview(&self, timeout: Duration) -> Overview {
        let (viewer, seen) = std_mpsc::sync_channel(1);
        let asked = self.viewers.try_send(viewer).is_ok();
        Overview {
            venue: if asked { seen.recv_timeout(timeout).ok() } else { None },
            connections: self.telemetry.connections(),
            disk: self.telemetry.disk(),
        }
    }

    /// Sets the keys. Connections whose key was removed or changed end.
    pub fn reload(&self, keys: Keys) {
        self.keys.send_replace(Arc::new(keys));
    }

    /// Begins the end: what waits is answered and made durable.
    pub fn drain(&self) {
        let _ = self.commands.blocking_send(Command::Drain);
    }
}

fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), NotStarted> {
    let failed = |error| NotStarted::Address(address, error);
    let listener = TcpListener::bind(address).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// What TLS shows to clients; `None`: connections are not encrypted.
fn certificate_of(config: &Config) -> Result<Option<Arc<ServerConfig>>, NotStarted> {
    config.tls.as_ref().map(Tls::server).transpose().map_err(NotStarted::Configuration)
}

/// Says that the service has ended when its thread does, however that came.
struct EndGuard(Arc<Milestones>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        let (progress, state_hash) = Default::default();
        self.0.ended(Ended { why: Why::Defect, progress, state_hash });
    }
}
