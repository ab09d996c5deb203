//! Constants of all connections.

use surgetank_layer::units::Ns;

use super::connection::BURST_MAX;
use super::outgoing::CHANNELS;
use crate::network::links::{ns_per_byte, transmission};
use crate::scenario::{self, Congestion, Transport};

/// Most bytes that a host hands to its network card at once.
const OFFLOAD_BYTES: u64 = 65_536;

/// Constants of all connections.
#[derive(Clone, Debug)]
pub struct Rules {
    /// QUIC instead of TCP: streams by message, its timer.
    pub quic: bool,
    /// The law of windows.
    pub congestion: Congestion,
    /// Payload of a packet, in bytes.
    pub segment_bytes: u32,
    /// Headers of a packet, in bytes.
    pub header_bytes: u32,
    /// Initial window, in segments.
    pub initial_window: u32,
    /// Most bytes in the network.
    pub receive_window: u64,
    /// Most bytes that wait; 0 = any number.
    pub send_buffer: u64,
    /// Most messages that wait; 0 = any number.
    pub outbound_max: usize,
    /// Least of the retransmission timeout's variable part, in ns.
    pub rto_min_ns: Ns,
    /// Round trips until a connection is set up.
    pub handshakes: u32,
    /// Time without an answer after which a connection is closed; 0 = never.
    pub keep_alive_ns: Ns,
    /// Time between attempts to connect.
    pub reconnect_ns: Ns,
    /// Whether the window shrinks while nothing is sent.
    pub idle_restart: bool,
    /// Priorities of the channels.
    pub priorities: [f64; CHANNELS],
    /// Time in which a burst passes the slowest link, in ns; 0 = bursts of one segment.
    pub(super) burst_ns: Ns,
    /// Time of a byte at the rate of a connection; 0 = unlimited.
    pub(super) byte: u64,
}

impl Rules {
    /// The rules of a scenario; `None` for datagrams.
    pub fn new(network: &scenario::Network) -> Option<Rules> {
        let settings = &network.connections;
        if network.transport == Transport::Datagram {
            return None;
        }
        Some(Rules {
            quic: network.transport == Transport::Quic,
            congestion: settings.congestion,
            segment_bytes: settings.segment_bytes,
            header_bytes: settings.header_bytes,
            initial_window: settings.initial_window,
            receive_window: u64::from(settings.receive_window_kb) * 1_000,
            send_buffer: u64::from(settings.send_buffer_kb) * 1_000,
            outbound_max: network.outbound_queue_max as usize,
            rto_min_ns: settings.rto_min_ns,
            handshakes: settings.handshake_rtts,
            keep_alive_ns: settings.keep_alive_ns,
            reconnect_ns: settings.reconnect_ns,
            idle_restart: settings.idle_restart,
            priorities: [
                settings.priority_votes,
                settings.priority_blocks,
                settings.priority_messages,
            ],
            burst_ns: settings.burst_ns,
            byte: ns_per_byte(settings.rate_mbps),
        })
    }

    /// Segments of so many bytes.
    #[inline]
    pub fn segments(&self, bytes: u64) -> u32 {
        if bytes <= u64::from(self.segment_bytes) {
            return 1;
        }
        bytes.div_ceil(u64::from(self.segment_bytes)) as u32
    }

    /// Size of so many bytes on the wire, in bytes.
    #[inline]
    pub fn size(&self, bytes: u64) -> u32 {
        bytes as u32 + self.segments(bytes) * self.header_bytes
    }

    /// The initial window, in bytes.
    pub fn initial_window_bytes(&self) -> u64 {
        u64::from(self.initial_window) * u64::from(self.segment_bytes)
    }

    /// Time of so many bytes at the rate of a connection, in ns.
    #[inline]
    pub fn span(&self, bytes: u32) -> Ns {
        transmission(bytes, self.byte)
    }

    /// Bytes of a burst on a way whose links take these times for a byte (0 = none).
    pub fn burst(&self, ways: &[u64]) -> u64 {
        let segment = u64::from(self.segment_bytes);
        let slowest = ways.iter().copied().fold(self.byte, u64::max);
        let most = (OFFLOAD_BYTES / segment).clamp(2, u64::from(BURST_MAX));
        let segments = match (self.burst_ns, slowest) {
            (0, _) => 1,
            (_, 0) => most,
            (span, _) => (span / transmission(self.segment_bytes, slowest).max(1)).clamp(2, most),
        };
        segments * segment
    }
}
