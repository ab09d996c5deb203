//! Links: loss, delay and transmission of packets.
//!
//! A packet's fate is decided when it is sent: it waits for the sender's uplink and for the rate of
//! the path to the receiver ([`Paths`]), then it is lost, or it arrives after the link's delay, its jitter and what active faults add. Draws come from
//! the packet's own number, so that nothing that happens to one packet shifts another's.

use std::collections::VecDeque;

use surgetank_layer::units::{NEVER, NodeId, Ns};

use super::transport::{Carried, Stalled};
use super::{Delays, Graph, Paths};
use crate::faults::Faults;
use crate::seed::packet_bits;

/// Fixed-point bits of the time a byte takes.
const FRACTION: u32 = 16;
/// Numbers of acknowledgements have this bit, so that their draws are not those of packets.
const ANSWER: u64 = 1 << 63;

/// Counters of the links.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Number of packets sent.
    pub transmissions: u64,
    /// Number of packets lost.
    pub lost: u64,
    /// Number of packets dropped because the link's queue was full.
    pub dropped_outbound: u64,
    /// Total size of the packets sent, in bytes.
    pub bytes: u64,
}

/// A packet that was sent and will arrive.
#[derive(Clone, Copy, Debug)]
pub struct Flight {
    /// Time at which it has left its sender's uplink, and passed at the rate of its path.
    pub leaves: Ns,
    /// Time of arrival.
    pub at: Ns,
    /// Delay added by active faults, in ns.
    pub extra: Ns,
    /// For how long its connection was held before it left.
    pub held: Stalled,
}

/// One node's uplink or downlink: packets pass one after the other.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lane {
    /// Time at which the last packet has passed.
    free: Ns,
    /// Total transmission time of all packets so far.
    taken: Ns,
}

impl Lane {
    /// Transmits a packet of this duration; returns the time at which it has passed.
    #[inline]
    pub(super) fn take(&mut self, now: Ns, span: Ns) -> Ns {
        self.free = now.max(self.free) + span;
        self.taken += span;
        self.free
    }

    /// Transmits as many of a burst's segments as find room before it: at most so much time's worth
    /// may wait. Returns their number, and the time at which they have passed.
    fn take_within(&mut self, now: Ns, span: Ns, segments: u32, room: Ns) -> (u32, Ns) {
        let waiting = self.free.saturating_sub(now);
        let each = (span / Ns::from(segments)).max(1);
        let fit = (room.saturating_sub(waiting) / each).min(Ns::from(segments)) as u32;
        if fit == 0 {
            return (0, now);
        }
        (fit, self.take(now, span * Ns::from(fit) / Ns::from(segments)))
    }

    /// Time worked so far: what is still to pass passes without a pause.
    fn busy(&self, now: Ns) -> Ns {
        self.taken - self.free.saturating_sub(now)
    }
}

/// A packet that does not arrive.
#[derive(Clone, Copy, Debug)]
pub struct Dropped {
    /// Time at which it would have arrived, if a fault dropped it.
    pub struck: Option<Ns>,
}

/// Fate of a packet that was sent.
pub type Sent = Result<Flight, Dropped>;

/// All links of the network.
pub struct Links {
    /// Topology of the network.
    pub graph: Graph,
    /// Delays of the links.
    pub delays: Delays,
    /// Active faults.
    pub faults: Faults,
    /// Counters of packets and bytes.
    pub counts: Counts,
    paths: Paths,
    uplink: Vec<Lane>,
    downlink: Vec<Lane>,
    /// Time of a byte on each node's uplink and downlink; 0 = none.
    uplink_byte: Vec<u64>,
    downlink_byte: Vec<u64>,
    /// Whether some node has a downlink of a limited rate.
    has_downlink: bool,
    /// Probability of loss on every link.
    loss: f64,
    /// Whether a packet can be lost on some link.
    loses: bool,
    loss_key: u64,
    jitter_key: u64,
    outbound_max: usize,
    outbound: Vec<VecDeque<Ns>>,
    /// Bytes that may wait for an uplink or a path; 0 = any number.
    buffer_bytes: u64,
}

/// Constants of [`Links::new`].
pub struct LinkConfig {
    /// Uplink rate of each node; 0 = unlimited.
    pub uplink_mbps: Vec<f64>,
    /// Downlink rate of each node; 0 = unlimited.
    pub downlink_mbps: Vec<f64>,
    /// Probability of loss on every link.
    pub loss: f64,
    /// Losses and rates of paths.
    pub paths: Paths,
    /// Packets that may wait on one link; 0 = any number.
    pub outbound_max: usize,
    /// Bytes that may wait for an uplink or a path; 0 = any number.
    pub buffer_bytes: u64,
    /// Keys of the draws for loss and jitter.
    pub keys: [u64; 2],
}

impl Links {
    /// Links without packets.
    pub fn new(graph: Graph, delays: Delays, faults: Faults, options: LinkConfig) -> Links {
        let nodes = graph.nodes();
        let queues = if options.outbound_max > 0 { graph.peers.len() } else { 0 };
        let byte = |rates: &[f64]| rates.iter().map(|&mbps| ns_per_byte(mbps)).collect();
        let downlink_byte: Vec<u64> = byte(&options.downlink_mbps);
        Links {
            uplink: vec![Lane::default(); nodes],
            downlink: vec![Lane::default(); nodes],
            uplink_byte: byte(&options.uplink_mbps),
            has_downlink: downlink_byte.iter().any(|&byte| byte > 0),
            downlink_byte,
            loss: options.loss,
            loses: options.loss > 0.0 || options.paths.lose(),
            paths: options.paths,
            loss_key: options.keys[0],
            jitter_key: options.keys[1],
            outbound_max: options.outbound_max,
            buffer_bytes: options.buffer_bytes,
            outbound: vec![VecDeque::new(); queues],
            counts: Counts::default(),
            graph,
            delays,
            faults,
        }
    }

    /// Whether arrivals depend on each other at the receiver.
    pub fn has_downlink(&self) -> bool {
        self.has_downlink
    }

    /// Time that a packet sent now would wait for the uplink.
    pub fn uplink_backlog(&self, node: NodeId, now: Ns) -> Ns {
        self.uplink[node as usize].free.saturating_sub(now)
    }

    /// How long the node's uplink has been sending.
    pub fn uplink_busy(&self, node: NodeId, now: Ns) -> Ns {
        self.uplink[node as usize].busy(now)
    }

    /// How long the node's downlink has been receiving.
    pub fn downlink_busy(&self, node: NodeId, now: Ns) -> Ns {
        self.downlink[node as usize].busy(now)
    }

    /// Sends a packet over a link; returns its arrival, or that it is dropped.
    ///
    /// `known` is the time from which the receiver has the message. A copy that cannot arrive
    /// earlier has no effect: its delay is not drawn, and it arrives at some time from `known` on.
    #[inline(always)]
    pub fn send(&mut self, now: Ns, from: NodeId, link: usize, size: u32, known: Ns) -> Sent {
        if self.outbound_max > 0 && !self.has_room(now, link) {
            self.counts.dropped_outbound += 1;
            return Err(Dropped { struck: None });
        }
        let to = self.graph.peers[link];
        let leaves = self.leave(now, from, to, size);
        if self.outbound_max > 0 {
            self.outbound[link].push_back(leaves);
        }
        // Most copies of a flood end here.
        if leaves >= known && !self.loses && !self.faults.on_links() {
            return Ok(Flight { leaves, at: leaves, extra: 0, held: Stalled::default() });
        }
        self.travel(leaves, from, to, self.delays.link_ns[link], known)
    }

    /// Sends to a node that need not be a neighbour.
    pub fn send_between(&mut self, now: Ns, from: NodeId, to: NodeId, size: u32) -> Sent {
        let leaves = self.leave(now, from, to, size);
        let delay = self.delays.between(from, to);
        self.travel(leaves, from, to, delay, NEVER)
    }

    /// The packet has reached the receiver's downlink; returns the time at which it has passed.
    pub fn receive(&mut self, now: Ns, to: NodeId, size: u32) -> Ns {
        let span = transmission(size, self.downlink_byte[to as usize]);
        self.downlink[to as usize].take(now, span)
    }

    #[inline]
    fn leave(&mut self, now: Ns, from: NodeId, to: NodeId, size: u32) -> Ns {
        self.counts.transmissions += 1;
        self.counts.bytes += u64::from(size);
        let leaves = match self.uplink_byte[from as usize] {
            0 => now,
            byte => self.uplink[from as usize].take(now, transmission(size, byte)),
        };
        self.paths.pass(leaves, from, to, size)
    }

    fn travel(&mut self, leaves: Ns, from: NodeId, to: NodeId, base: Ns, known: Ns) -> Sent {
        let number = self.counts.transmissions;
        if self.loses && packet_bits(self.loss_key, number) < self.loss_below(from, to) {
            self.counts.lost += 1;
            return Err(Dropped { struck: None });
        }
        let bits = packet_bits(self.jitter_key, number);
        if known != NEVER && !self.faults.on_links() {
            let earliest = leaves + self.delays.at_least(base, bits);
            if earliest >= known {
                return Ok(Flight { leaves, at: earliest, extra: 0, held: Stalled::default() });
            }
        }
        let mut delay = self.delays.sample(base, bits);
        let mut extra = 0;
        if self.faults.on_links() {
            let fate = self.faults.fate(from, to, delay, number);
            if fate.lost {
                self.counts.lost += 1;
                return Err(Dropped { struck: Some(leaves + delay) });
            }
            extra = fate.after_ns.saturating_sub(delay);
            delay = fate.after_ns;
        }
        Ok(Flight { leaves, at: leaves + delay, extra, held: Stalled::default() })
    }

    /// Of packets that draw less than this, all are lost.
    fn loss_below(&self, from: NodeId, to: NodeId) -> u64 {
        let arrives = (1.0 - self.loss) * (1.0 - self.paths.loss(from, to));
        let loss = if self.paths.lose() { 1.0 - arrives } else { self.loss };
        (loss * 2f64.powi(64)) as u64
    }

    /// Whether at present every packet arrives.
    #[inline]
    pub(super) fn is_lossless(&self) -> bool {
        !self.loses && self.buffer_bytes == 0 && !self.faults.on_links()
    }

    /// Times of a byte on the uplink and on the path between two nodes; 0 = none.
    pub(super) fn bytes_on(&self, from: NodeId, to: NodeId) -> [u64; 2] {
        [self.uplink_byte[from as usize], self.paths.byte(from, to)]
    }

    /// Sends a burst of a connection: segments that follow each other, with so many bytes in total.
    #[inline]
    pub(super) fn carry(
        &mut self,
        now: Ns,
        (from, to): (NodeId, NodeId),
        base: Ns,
        segments: u32,
        bytes: u32,
    ) -> Carried {
        let first = self.counts.transmissions + 1;
        self.counts.transmissions += u64::from(segments);
        self.counts.bytes += u64::from(bytes);
        let mut carried = Carried { number: first, ..Carried::default() };
        let (left, leaves) = self.leave_as_burst(now, (from, to), segments, bytes);
        if left < segments {
            carried.lost[2] = below(segments) & !below(left);
            self.counts.dropped_outbound += u64::from(segments - left);
        }
        let delay = self.delays.sample(base, packet_bits(self.jitter_key, first));
        (carried.leaves, carried.at) = (leaves, leaves + delay);
        if self.loses || self.faults.on_links() {
            self.lose(&mut carried, (from, to), first, left, delay);
        }
        carried
    }

    /// Puts a burst on the uplink and on its path; returns how many segments find room, and when the
    /// last of them has left.
    fn leave_as_burst(
        &mut self,
        now: Ns,
        (from, to): (NodeId, NodeId),
        segments: u32,
        bytes: u32,
    ) -> (u32, Ns) {
        if self.buffer_bytes == 0 {
            let leaves = match self.uplink_byte[from as usize] {
                0 => now,
                byte => self.uplink[from as usize].take(now, transmission(bytes, byte)),
            };
            return (segments, self.paths.pass(leaves, from, to, bytes));
        }
        let byte = self.uplink_byte[from as usize];
        let lane = &mut self.uplink[from as usize];
        let (mut left, mut leaves) = (segments, now);
        let room = |byte: u64| span(self.buffer_bytes, byte);
        if byte > 0 {
            (left, leaves) = lane.take_within(now, transmission(bytes, byte), segments, room(byte));
        }
        let byte = self.paths.byte(from, to);
        if byte > 0 && left > 0 {
            let bytes = (u64::from(bytes) * u64::from(left) / u64::from(segments)) as u32;
            let lane = self.paths.lane(from, to);
            (left, leaves) = lane.take_within(leaves, transmission(bytes, byte), left, room(byte));
        }
        (left, leaves)
    }

    /// Loses segments of a burst, by chance and by faults.
    fn lose(
        &mut self,
        carried: &mut Carried,
        (from, to): (NodeId, NodeId),
        first: u64,
        segments: u32,
        delay: Ns,
    ) {
        let chance = self.loss_below(from, to);
        for index in 0..segments {
            let number = first + u64::from(index);
            let mut lost = None;
            if self.loses && packet_bits(self.loss_key, number) < chance {
                lost = Some(0);
            } else if self.faults.on_links() {
                let fate = self.faults.fate(from, to, delay, number);
                lost = fate.lost.then_some(1);
                carried.extra = fate.after_ns.saturating_sub(delay);
                carried.at = carried.leaves + fate.after_ns;
            }
            if let Some(why) = lost {
                self.counts.lost += 1;
                carried.lost[why] |= 1 << index;
            }
        }
    }

    /// The acknowledgement of a burst; returns when it arrives, if it does. It takes no rate: it rides
    /// on what is sent the other way.
    pub(super) fn answer(
        &mut self,
        at: Ns,
        (from, to): (NodeId, NodeId),
        base: Ns,
        burst: u64,
    ) -> Option<Ns> {
        let number = burst | ANSWER;
        if self.loses && packet_bits(self.loss_key, number) < self.loss_below(from, to) {
            return None;
        }
        if !self.faults.on_links() {
            return Some(self.sure_answer(at, base, burst));
        }
        let delay = self.sure_answer(at, base, burst) - at;
        let fate = self.faults.fate(from, to, delay, number);
        (!fate.lost).then_some(at + fate.after_ns)
    }

    /// The same where every packet arrives.
    #[inline]
    pub(super) fn sure_answer(&self, at: Ns, base: Ns, burst: u64) -> Ns {
        at + self.delays.sample(base, packet_bits(self.jitter_key, burst | ANSWER))
    }

    fn has_room(&mut self, now: Ns, link: usize) -> bool {
        let waiting = &mut self.outbound[link];
        while waiting.front().is_some_and(|&leaves| leaves <= now) {
            waiting.pop_front();
        }
        waiting.len() < self.outbound_max
    }
}

/// The lowest `count` bits.
fn below(count: u32) -> u64 {
    if count >= 64 { u64::MAX } else { (1 << count) - 1 }
}

/// Time of so many bytes at so much time per byte.
fn span(bytes: u64, byte: u64) -> Ns {
    ((u128::from(bytes) * u128::from(byte)) >> FRACTION) as Ns
}

/// Time of a packet at so much time per byte.
pub(super) fn transmission(size: u32, byte: u64) -> Ns {
    (u64::from(size) * byte) >> FRACTION
}

/// Time of a byte, in fixed point; 0 = none.
pub(super) fn ns_per_byte(mbps: f64) -> u64 {
    if mbps > 0.0 { (8_000.0 / mbps * f64::from(1 << FRACTION)).round() as u64 } else { 0 }
}
