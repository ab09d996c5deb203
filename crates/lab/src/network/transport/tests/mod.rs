//! ConnectionSet over a line with a delay, a rate and losses, against closed forms, laws of the
//! literature and a simulation packet by packet.

mod laws;
mod losses;
mod reference;
mod streams;

use std::collections::BTreeMap;

use surgetank_layer::units::{NEVER, Ns};

use super::connection::Connection;
use super::outgoing::{CHANNELS, Channel};
use super::path::{Arrived, Carried, Path};
use super::rules::Rules;
use crate::scenario::Congestion;
use crate::seed::{packet_bits, unit};

const MS: Ns = 1_000_000;
const SEGMENT: u32 = 1_000;

/// Rules without headers, limits and rates.
fn rules() -> Rules {
    Rules {
        quic: false,
        congestion: Congestion::Newreno,
        segment_bytes: SEGMENT,
        header_bytes: 0,
        initial_window: 10,
        receive_window: u64::MAX,
        send_buffer: 0,
        outbound_max: 0,
        rto_min_ns: 200 * MS,
        handshakes: 1,
        keep_alive_ns: 0,
        reconnect_ns: 1_000 * MS,
        idle_restart: true,
        priorities: [1.0; CHANNELS],
        burst_ns: 0,
        byte: 0,
    }
}

/// The way between both ends: a rate, then a delay; some packets are lost.
struct Line {
    delay: Ns,
    /// Time of a byte, in ns.
    byte_ns: Ns,
    free: Ns,
    number: u64,
    loss: f64,
    key: u64,
    /// Packets that are lost whatever chance says, by number from 1.
    lost: Vec<u64>,
    /// Every packet of such a number is lost; 0 = none.
    every: u64,
    /// Nothing passes between these times.
    cut: (Ns, Ns),
}

impl Line {
    fn new(delay: Ns, byte_ns: Ns) -> Line {
        let (loss, key, lost, cut) = (0.0, 0, Vec::new(), (NEVER, NEVER));
        Line { delay, byte_ns, free: 0, number: 0, loss, key, lost, every: 0, cut }
    }

    fn is_cut(&self, now: Ns) -> bool {
        (self.cut.0..self.cut.1).contains(&now)
    }
}

impl Path for Line {
    fn carry(&mut self, now: Ns, segments: u32, bytes: u32) -> Carried {
        self.free = now.max(self.free) + Ns::from(bytes) * self.byte_ns;
        let mut lost = [0; 3];
        for index in 0..segments {
            self.number += 1;
            let chance = self.loss > 0.0 && unit(packet_bits(self.key, self.number)) < self.loss;
            let every = self.every > 0 && self.number.is_multiple_of(self.every);
            if chance || every || self.lost.contains(&self.number) {
                lost[0] |= 1 << index;
            } else if self.is_cut(now) {
                lost[1] |= 1 << index;
            }
        }
        let (leaves, number) = (self.free, self.number);
        Carried { leaves, at: leaves + self.delay, extra: 0, number, lost }
    }

    fn answer(&mut self, at: Ns, number: u64) -> Option<Ns> {
        (!self.is_cut(at)).then(|| self.sure_answer(at, number))
    }

    fn sure_answer(&mut self, at: Ns, _number: u64) -> Ns {
        at + self.delay
    }

    fn is_lossless(&self) -> bool {
        self.loss == 0.0 && self.lost.is_empty() && self.every == 0 && self.cut.0 == NEVER
    }
}

/// A connection, its line, and what has arrived.
struct Transfer {
    rules: Rules,
    line: Line,
    connection: Connection,
    arrived: Vec<Arrived>,
    dropped: Vec<u32>,
    now: Ns,
    /// Every burst is accounted for when it is sent.
    eager: bool,
}

impl Transfer {
    fn new(rules: Rules, line: Line) -> Transfer {
        let rate = (line.byte_ns << 16).max(rules.byte);
        let connection = Connection::new(&rules, rules.burst(&[rate]));
        let (arrived, dropped) = (Vec::new(), Vec::new());
        Transfer { rules, line, connection, arrived, dropped, now: 0, eager: false }
    }

    /// Runs until a time, or until nothing is to be done.
    fn until(&mut self, end: Ns) {
        loop {
            let at = self.connection.next_wake(self.now, &self.rules);
            if at >= end {
                break;
            }
            self.now = at.max(self.now);
            self.wake();
        }
        self.now = if end == NEVER { self.now } else { end };
    }

    fn wake(&mut self) {
        let Transfer { rules, line, connection, arrived, dropped, now, .. } = self;
        dropped.extend(connection.advance(*now, rules, line, arrived));
    }

    /// Sends a message at a time, as the wire does: at once if nothing keeps it.
    fn send(&mut self, at: Ns, channel: Channel, number: u32, bytes: u32) {
        self.until(at);
        let Transfer { rules, line, connection, .. } = self;
        let sent = match self.eager {
            true => connection.direct_accounted(at, bytes, rules, line),
            false => connection.direct(at, bytes, rules, line),
        };
        match sent {
            Some(Carried { leaves, at: arrives, extra, .. }) => self.arrived.push(Arrived {
                cargo: number,
                since: at,
                leaves,
                at: arrives,
                extra,
                held: Default::default(),
            }),
            None => {
                self.connection.push(at, channel, number, bytes);
                self.wake();
            }
        }
    }

    /// Sends one message at time 0, and waits for it.
    fn time_of(mut self, bytes: u32) -> Ns {
        self.send(0, Channel::Messages, 0, bytes);
        self.until(NEVER);
        self.arrived[0].at
    }

    /// Times of arrival by message.
    fn times(&self) -> BTreeMap<u32, Ns> {
        self.arrived.iter().map(|one| (one.cargo, one.at)).collect()
    }
}
