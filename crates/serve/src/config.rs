//! What a venue's process is configured with, as it crosses from Python.

use std::net::SocketAddr;

use serde::Deserialize;
use surgetank_layer::pipe::terms::Ordering;
use surgetank_layer::units::Digest;
use surgetank_venue::genesis::Genesis;
use surgetank_venue::intake::bounds::IntakeBounds;
use surgetank_venue::storage::{self, Mode};
use surgetank_venue::streams::StreamBounds;
use surgetank_venue::venue;

use crate::edge::tls::Tls;

/// Parameters of a venue's process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the binary protocol is spoken; port 0: any free one.
    pub listen: SocketAddr,
    /// Where JSON-RPC over WebSocket is spoken; `None`: nowhere.
    #[serde(default)]
    pub listen_ws: Option<SocketAddr>,
    /// Certificate and key of both; `None`: connections are not encrypted.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// The rule of order in a batch, as [`Ordering::parse`] reads it.
    pub ordering: String,
    /// Bounds of the intake.
    pub intake: IntakeBounds,
    /// The journal and its snapshots.
    pub journal: Journal,
    /// Bounds and times of the connections.
    pub connections: Connections,
    /// The build, for snapshots.
    pub build: String,
}

/// The journal and its snapshots.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journal {
    /// Size of a new segment, in bytes.
    pub segment_bytes: u64,
    /// Segments that are allocated ahead of need.
    pub segments_ahead: usize,
    /// Full segments that are not archived although a snapshot covers them.
    pub segments_kept: usize,
    /// Batches per head.
    pub batches_per_head: usize,
    /// Requests after which a snapshot is taken.
    pub snapshot_requests: u64,
    /// Seconds after which a snapshot is taken if there were requests.
    pub snapshot_s: f64,
}

/// Bounds of connections and of what they keep.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connections {
    /// Connections that are not logged on.
    pub unauthenticated_max: usize,
    /// Seconds in which a client must log on.
    pub logon_s: f64,
    /// Seconds after which a client that says nothing is cut.
    pub silent_s: f64,
    /// What waits for a client, in bytes, above which it is cut as a slow reader.
    pub outbound_bytes_max: usize,
    /// Subscriptions of a connection.
    pub subscriptions_max: usize,
    /// Published events that are kept for late readers, of all streams, in bytes.
    pub history_bytes_max: usize,
}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// Says which key is wrong.
    pub fn from_json(json: &str) -> Result<Config, String> {
        serde_json::from_str(json).map_err(|error| format!("configuration: {error}"))
    }

    /// Parameters of the machine. `new_journal` identifies a journal that is created now.
    ///
    /// # Errors
    /// The rule of order is none.
    pub fn of_venue(
        &self,
        genesis: Genesis,
        new_journal: [u8; 16],
    ) -> Result<venue::Config, String> {
        let Journal { segment_bytes, segments_ahead, segments_kept, .. } = self.journal;
        let Connections { subscriptions_max, history_bytes_max, outbound_bytes_max, .. } =
            self.connections;
        Ok(venue::Config {
            genesis,
            bounds: self.intake,
            stream_bounds: StreamBounds {
                history_bytes_max,
                subscriptions_max,
                page_bytes_max: outbound_bytes_max / 2,
            },
            ordering: Ordering::parse(&self.ordering)?,
            batches_per_head: self.journal.batches_per_head,
            build: Digest(*blake3::hash(self.build.as_bytes()).as_bytes()),
            storage: storage::Config {
                segment_bytes,
                segments_ahead,
                segments_kept,
                replays_for_readers: true,
                new_journal,
                mode: Mode::Serve,
            },
        })
    }
}
