//! One direction of a connection: the sender's state, and what the receiver has.
//!
//! # Rules
//! 1. Bytes are sent in bursts: segments that leave one after the other and are acknowledged
//!    together, as hosts with segmentation offload do. A burst is at most what the slowest link on
//!    the way carries in `burst_us`; with bursts of one segment this is TCP packet by packet.
//! 2. Packets of one direction do not overtake each other. So what the receiver has after a burst,
//!    and when the sender hears of it, is known when the burst is sent; but the sender acts upon an
//!    acknowledgement only when it is there.
//! 3. An event is needed only where the sender has something to do at a time: bytes that wait, a
//!    loss, an expiring timer. Else acknowledgements are read when the next message is sent.
//!
//! # Theory of operation
//! Congestion control is that of [`window`](super::window). A loss is detected as RFC 9002, 6.1, and
//! RFC 8985 do: by three segments' worth of later bytes acknowledged, or by one and a time; else the
//! timer of RFC 6298 expires, and the window collapses. QUIC's timer (RFC 9002, 6.2) sends a probe
//! instead. TCP delivers messages in the order of their bytes; QUIC as soon as all bytes of the
//! message are there.
//!
//! Files: this one (state, and what is due when), [`sending`], [`hearing`].

mod hearing;
mod sending;

use std::collections::{BTreeMap, VecDeque};
use std::ops::{Deref, DerefMut};

use surgetank_layer::units::{NEVER, Ns};

use super::gaps::{Gaps, Lost};
use super::outgoing::{Cargo, Channel, Outgoing};
use super::path::{Arrived, Path};
use super::rtt::RoundTrip;
use super::rules::Rules;
use super::stalls::{Stall, StallClock};
use super::window::Window;

/// Segments of a burst at most: their fates are bits.
pub const BURST_MAX: u32 = 64;
/// Size of a packet that sets up a connection or probes it, in bytes.
const PROBE_BYTES: u32 = 60;

/// An acknowledgement on its way.
#[derive(Clone, Copy, Debug)]
struct Answer {
    at: Ns,
    bytes: u64,
    sent: Ns,
    order: u64,
}

/// A burst that was sent while nothing could hold it: it is accounted for later.
#[derive(Clone, Copy, Debug)]
struct Noted {
    sent: Ns,
    at: Ns,
    number: u64,
    bytes: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Tries to connect at this time.
    Closed(Ns),
    /// Is connected from this time on.
    Opening(Ns),
    /// An end is down.
    Down,
}

/// A message whose last byte was sent, or (QUIC) some.
#[derive(Clone, Debug)]
struct Stream {
    cargo: Cargo,
    runs: Vec<(u64, u64)>,
    whole: bool,
}

/// One direction of a connection. What [`Connection::direct`] needs is apart from the rest: a flood
/// touches many connections with little each.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Bytes that can be sent whatever was acknowledged since: the window is at least as large.
    credit: u64,
    /// The timer does not expire before the answer of a burst that takes half as long.
    patience: Ns,
    last_arrival: Ns,
    noted: Vec<Noted>,
    rest: Box<Rest>,
}

impl Deref for Connection {
    type Target = Rest;

    fn deref(&self) -> &Rest {
        &self.rest
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut Rest {
        &mut self.rest
    }
}

/// The state that bursts are accounted for in.
#[derive(Clone, Debug)]
pub struct Rest {
    state: State,
    burst: u64,
    outgoing: Outgoing,
    window: Window,
    rtt: RoundTrip,
    next: u64,
    /// Bytes believed to be in the network.
    pipe: u64,
    /// Transmissions so far.
    order: u64,
    answers: VecDeque<Answer>,
    /// Bytes that arrived, but whose acknowledgement was lost.
    unheard: u64,
    /// Whether acknowledgements are so far apart that the timer may expire between them.
    sparse: bool,
    gaps: Gaps,
    /// TCP: messages that were sent to the end, and the sequence number there.
    sent: VecDeque<(u64, Cargo)>,
    /// QUIC: messages that are not complete.
    streams: BTreeMap<u32, Stream>,
    holds: StallClock,
    last_answer: Ns,
    last_sent: Ns,
    timer_from: Ns,
    heard: Ns,
    backoff: u32,
    /// Transmissions up to this number count as one loss (RFC 6582's recover).
    recover: u64,
    /// Most bytes in the network in this round trip and in the last, and the transmission whose
    /// acknowledgement ends this one: a window that is not used does not grow.
    used: [u64; 2],
    round_ends: u64,
    /// When the connection's own rate allows the next burst.
    gate: Ns,
    /// The earliest event that is due for it.
    pub wake_at: Ns,
}

impl Rest {
    fn new(rules: &Rules, burst: u64) -> Rest {
        Rest {
            state: State::Open,
            burst,
            outgoing: Outgoing::new(rules.priorities),
            window: Window::new(rules.congestion, rules.segment_bytes, rules.initial_window),
            rtt: RoundTrip::new(rules.rto_min_ns),
            next: 0,
            pipe: 0,
            order: 0,
            answers: VecDeque::new(),
            unheard: 0,
            sparse: false,
            gaps: Gaps::default(),
            sent: VecDeque::new(),
            streams: BTreeMap::new(),
            holds: StallClock::default(),
            last_answer: 0,
            last_sent: 0,
            timer_from: 0,
            heard: 0,
            backoff: 0,
            recover: 0,
            used: [0; 2],
            round_ends: 0,
            gate: 0,
            wake_at: NEVER,
        }
    }
}

impl Connection {
    /// An open connection without traffic. `burst` = bytes of a burst at most.
    pub fn new(rules: &Rules, burst: u64) -> Connection {
        Connection {
            credit: 0,
            patience: 0,
            last_arrival: 0,
            noted: Vec::new(),
            rest: Box::new(Rest::new(rules, burst)),
        }
    }

    /// Whether a message of this size has room in the send buffer.
    pub fn has_room(&self, rules: &Rules, bytes: u32) -> bool {
        let full = rules.send_buffer > 0
            && self.outgoing.count() > 0
            && self.outgoing.bytes() + u64::from(bytes) > rules.send_buffer;
        let many = rules.outbound_max > 0 && self.outgoing.count() >= rules.outbound_max;
        self.state != State::Down && !full && !many
    }

    /// Congestion window, in bytes.
    #[cfg(test)]
    pub fn window_bytes(&self) -> u64 {
        self.window.bytes()
    }

    /// Takes a message to send.
    pub fn push(&mut self, now: Ns, channel: Channel, number: u32, bytes: u32) {
        let cargo = Cargo { number, since: now, held: self.holds.total(now) };
        self.outgoing.push(channel, cargo, bytes);
    }

    /// Whether it may need to be woken.
    #[inline]
    pub fn is_sparse(&self) -> bool {
        self.sparse
    }

    /// Does what is due now; adds the messages whose arrival is known from now on.
    pub fn advance(
        &mut self,
        now: Ns,
        rules: &Rules,
        path: &mut impl Path,
        out: &mut Vec<Arrived>,
    ) -> Vec<u32> {
        self.catch_up(rules, path);
        let mut dropped = Vec::new();
        match self.state {
            State::Down => return dropped,
            State::Closed(at) if at <= now => self.connect(now, rules, path),
            State::Opening(at) if at <= now => self.state = State::Open,
            _ => {}
        }
        if self.state == State::Open {
            self.hear(now, rules);
            self.rest(now, rules);
            if self.deadline(rules) <= now {
                if self.heard + rules.keep_alive_ns <= now && rules.keep_alive_ns > 0 {
                    dropped = self.close(State::Closed(now + rules.reconnect_ns), rules);
                } else {
                    self.expire(now, rules, path, out);
                }
            }
            self.pump(now, rules, path, out);
        }
        let hold = self.hold(now);
        self.holds.change(now, hold);
        dropped
    }

    /// When it has to be woken, if nothing is sent before; NEVER if it need not be.
    pub fn next_wake(&self, now: Ns, rules: &Rules) -> Ns {
        match self.state {
            State::Down => NEVER,
            State::Closed(at) | State::Opening(at) => at,
            State::Open => {
                let answer = self.answers.front().map_or(NEVER, |answer| answer.at);
                let troubled = !self.gaps.is_empty() || self.unheard > 0 || self.sparse;
                let waits = self.outgoing.count() > 0 || self.gaps.to_send() > 0;
                let mut at = if waits || troubled { answer } else { NEVER };
                if waits && self.gate > now {
                    at = at.min(self.gate);
                }
                let deadline = self.deadline(rules);
                if troubled || answer > deadline { at.min(deadline) } else { at }
            }
        }
    }

    /// Ends the connection; returns the messages that are lost with it.
    pub fn close_down(&mut self, rules: &Rules) -> Vec<u32> {
        self.close(State::Down, rules)
    }

    /// Begins to connect.
    pub fn open_up(&mut self, now: Ns) {
        self.state = State::Closed(now);
    }

    fn close(&mut self, state: State, rules: &Rules) -> Vec<u32> {
        self.noted.clear();
        self.credit = 0;
        let mut dropped = self.outgoing.clear();
        dropped.extend(self.sent.drain(..).map(|(_, cargo)| cargo.number));
        dropped.extend(std::mem::take(&mut self.streams).into_keys());
        dropped.sort_unstable();
        dropped.dedup();
        self.gaps.clear();
        self.answers.clear();
        (self.pipe, self.unheard, self.sparse, self.backoff) = (0, 0, false, 0);
        self.window = Window::new(rules.congestion, rules.segment_bytes, rules.initial_window);
        self.state = state;
        dropped
    }

    /// Tries to connect: a packet there and back, and more round trips for keys.
    fn connect(&mut self, now: Ns, rules: &Rules, path: &mut impl Path) {
        let there = path.carry(now, 1, PROBE_BYTES);
        let arrives = there.lost.iter().all(|lost| *lost == 0);
        let back = if arrives { path.answer(there.at, there.number) } else { None };
        self.state = match back {
            Some(back) => State::Opening(now + (back - now) * Ns::from(rules.handshakes)),
            None => State::Closed(now + rules.reconnect_ns.max(1)),
        };
    }

    /// Bytes that may be in the network.
    fn limit(&self, rules: &Rules) -> u64 {
        self.window.bytes().min(rules.receive_window)
    }

    /// What holds the connection at present.
    fn hold(&self, now: Ns) -> Option<Stall> {
        let lost = |why| self.gaps.iter().any(|gap| gap.why == why);
        match self.state {
            State::Down | State::Closed(_) => Some(Stall::Fault),
            State::Opening(_) => Some(Stall::Window),
            State::Open if lost(Lost::Fault) => Some(Stall::Fault),
            State::Open if lost(Lost::Chance) => Some(Stall::Loss),
            State::Open if lost(Lost::Full) || self.gate > now => None,
            State::Open => (self.outgoing.count() > 0).then_some(Stall::Window),
        }
    }
}
