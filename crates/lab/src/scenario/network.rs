//! `[network]` and `[[faults]]`: what the network does to packets.

use serde::{Deserialize, Serialize};
use surgetank_layer::units::Ns;

/// Nodes, topology, and the links' delay, bandwidth and loss.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Number of nodes.
    pub nodes: u32,
    /// Name of each node; empty = they have numbers only.
    pub names: Vec<String>,
    /// Region of each node; empty = those of the delays, if these have regions.
    pub regions: Vec<String>,
    /// Voting power of each node; empty = equal ones.
    pub powers: Vec<u64>,
    /// Machines that differ from the others.
    pub machines: Vec<Machine>,
    /// Topology of the links.
    pub topology: Topology,
    /// One-way delay between nodes.
    pub delay: Delay,
    /// Uplink of each node; 0 = unlimited.
    pub uplink_mbps: f64,
    /// Downlink of each node; 0 = unlimited.
    pub downlink_mbps: f64,
    /// Probability that a packet is lost.
    pub loss: f64,
    /// What carries messages between nodes.
    pub transport: Transport,
    /// Settings of connections; datagrams have none.
    pub connections: Connections,
    /// Messages waiting on one link beyond which more are dropped; 0 = unbounded.
    pub outbound_queue_max: u32,
    /// Make every copy of a message an event, even where only the first can matter.
    pub every_copy: bool,
}

impl Network {
    /// Voting power of each node.
    pub fn weights(&self) -> Vec<u64> {
        if self.powers.is_empty() { vec![1; self.nodes as usize] } else { self.powers.clone() }
    }

    /// What each node runs on; `None` = the usual machine.
    pub fn machine_of(&self, node: u32) -> Option<&Machine> {
        self.machines.iter().find(|machine| machine.nodes.contains(&node))
    }

    /// Region of each node; empty if there are none.
    pub fn region_names(&self) -> Vec<String> {
        match &self.delay {
            Delay::Regions { names, placement, .. } => {
                placement.iter().map(|&region| names[region as usize].clone()).collect()
            }
            _ => self.regions.clone(),
        }
    }

    /// Index of each node's region; `None` if there are none.
    pub fn region_indices(&self) -> Option<Vec<u32>> {
        if let Delay::Regions { placement, .. } = &self.delay {
            return Some(placement.clone());
        }
        let mut known: Vec<&String> = Vec::new();
        let indices = self.regions.iter().map(|region| {
            let found = known.iter().position(|name| *name == region);
            found.unwrap_or_else(|| {
                known.push(region);
                known.len() - 1
            }) as u32
        });
        (!self.regions.is_empty()).then(|| indices.collect())
    }
}

/// What carries messages between nodes.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// Packets of any size, each by itself.
    Datagram,
    /// TCP connections.
    Tcp,
    /// QUIC connections, with a stream for each message.
    Quic,
}

/// The law of a congestion window.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Congestion {
    /// That of NewReno, RFC 5681.
    Newreno,
    /// That of CUBIC, RFC 9438.
    Cubic,
}

/// Settings of connections.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Connections {
    /// The law of congestion windows.
    pub congestion: Congestion,
    /// Payload of a packet, in bytes.
    pub segment_bytes: u32,
    /// Headers of a packet, in bytes.
    pub header_bytes: u32,
    /// Initial congestion window, in segments.
    pub initial_window: u32,
    /// Receive window, in kB.
    pub receive_window_kb: u32,
    /// Bytes, in kB, that may wait in a send buffer; 0 = any number.
    pub send_buffer_kb: u32,
    /// Bytes, in kB, that may wait for an uplink or a path; 0 = any number.
    pub buffer_kb: u32,
    /// Rate of one connection, in Mbit/s; 0 = unlimited.
    pub rate_mbps: f64,
    /// Least of the variable part of the retransmission timeout.
    pub rto_min_ns: Ns,
    /// Round trips until a connection is set up.
    pub handshake_rtts: u32,
    /// Time without an answer after which a connection is closed; 0 = never.
    pub keep_alive_ns: Ns,
    /// Time between attempts to connect.
    pub reconnect_ns: Ns,
    /// Whether the congestion window shrinks while nothing is sent.
    pub idle_restart: bool,
    /// Time in which the segments that are sent at once pass the slowest link; 0 = one segment.
    pub burst_ns: Ns,
    /// Priority of votes on a connection.
    pub priority_votes: f64,
    /// Priority of proposals and blocks.
    pub priority_blocks: f64,
    /// Priority of clients' messages and all else.
    pub priority_messages: f64,
}

/// A class of machines, and the nodes that run on it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Name of the class.
    pub name: String,
    /// The nodes that run on such a machine.
    pub nodes: Vec<u32>,
    /// Speed of its processors: service times are divided by it.
    pub speed: f64,
    /// Uplink; 0 = unlimited, `None` = that of the network.
    pub uplink_mbps: Option<f64>,
    /// Downlink; 0 = unlimited, `None` = that of the network.
    pub downlink_mbps: Option<f64>,
}

/// Topology of the links.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Topology {
    /// Links between all pairs of nodes.
    Full {},
    /// Every node has the same number of random links.
    RandomRegular {
        /// Links per node.
        degree: u32,
    },
    /// Preferential attachment with m links per new node.
    BarabasiAlbert {
        /// Links m per new node.
        degree: u32,
    },
    /// Full mesh inside a region, `bridges` links between each two regions.
    Regions {
        /// Links between each two regions.
        bridges: u32,
    },
    /// Every node dials this many others at random (degree is at least that).
    RandomDial {
        /// Dials per node.
        degree: u32,
    },
    /// A given list of undirected links.
    Edges {
        /// Pairs of nodes.
        edges: Vec<(u32, u32)>,
    },
}

/// One-way delay between nodes.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Delay {
    /// The same delay on every link.
    Fixed {
        /// One-way delay of every link, in ms.
        delay_ms: f64,
        /// Standard deviation of the normal jitter as a share of the delay.
        jitter: f64,
    },
    /// Drawn once per ordered pair, uniformly; then per packet a uniform extra of at most `jitter` of it.
    Uniform {
        /// Least mean delay, in ms.
        low_ms: f64,
        /// Greatest mean delay, in ms.
        high_ms: f64,
        /// Most extra per packet as a share.
        jitter: f64,
    },
    /// From a matrix between regions.
    Regions {
        /// Names of the regions.
        names: Vec<String>,
        /// One-way delay from region i to region j.
        matrix_ms: Vec<Vec<f64>>,
        /// Delay inside one region (replaces the diagonal).
        intra_ms: f64,
        /// Standard deviation of the normal jitter as a share of the delay.
        jitter: f64,
        /// Region index of each node.
        placement: Vec<u32>,
    },
    /// Of the path between any two places of nodes.
    Paths {
        /// One-way delay from place i to place j.
        matrix_ms: Vec<Vec<f64>>,
        /// Probability of loss from place i to place j; empty = none.
        loss: Vec<Vec<f64>>,
        /// Rate from place i to place j, in Mbit/s, 0 = unlimited; empty = unlimited everywhere.
        mbps: Vec<Vec<f64>>,
        /// Standard deviation of the normal jitter as a share of the delay.
        jitter: f64,
        /// Place of each node.
        placement: Vec<u32>,
    },
}

/// A fault between `at_s` and `at_s + duration_s`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Start of the fault, in s.
    pub at_s: f64,
    /// Duration of the fault, in s.
    pub duration_s: f64,
    /// Its `kind` and that kind's keys, which the kind's file in [`faults`](crate::faults) reads.
    pub what: super::Kinded,
}
