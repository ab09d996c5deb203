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

use std::collections::{BTreeMap, VecDeque};

use surgetank_layer::units::{NEVER, Ns};

use super::gaps::{Gap, Gaps, Lost};
use super::holds::{Held, Hold, Holds};
use super::outgoing::{Cargo, Channel, Outgoing};
use super::rtt::RoundTrip;
use super::rules::Rules;
use super::window::Window;

/// Bursts that are noted before they are accounted for.
const NOTED_MAX: usize = 32;
/// Segments of a burst at most: their fates are bits.
pub const BURST_MAX: u32 = 64;
/// Size of a packet that sets up a connection or probes it, in bytes.
const PROBE_BYTES: u32 = 60;
/// Expiries of QUIC's timer after which congestion is persistent (RFC 9002, 7.6.1: three).
const PERSISTENT: u32 = 3;

/// What became of a burst.
#[derive(Clone, Copy, Debug, Default)]
pub struct Carried {
    /// When its last segment has left the sender's uplink.
    pub leaves: Ns,
    /// When its last segment arrives.
    pub at: Ns,
    /// Delay added by faults, in ns.
    pub extra: Ns,
    /// Number of its first packet, for draws.
    pub number: u64,
    /// Segments that do not arrive: by chance, by a fault, for want of room.
    pub lost: [u64; 3],
}

/// The way between both ends.
pub trait Path {
    /// Sends a burst of segments with so many bytes in total.
    fn carry(&mut self, now: Ns, segments: u32, bytes: u32) -> Carried;

    /// When the acknowledgement of a burst that arrives at `at` arrives; `None` if it does not.
    fn answer(&mut self, at: Ns, number: u64) -> Option<Ns>;

    /// The same where every packet arrives.
    fn sure_answer(&mut self, at: Ns, number: u64) -> Ns;

    /// Whether at present every packet arrives.
    fn is_lossless(&self) -> bool;
}

/// A message has arrived, or will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// Its number.
    pub cargo: u32,
    /// When it was handed to the connection.
    pub since: Ns,
    /// When the packet that completed it had left.
    pub leaves: Ns,
    /// When it arrives.
    pub at: Ns,
    /// Delay added by faults to that packet, in ns.
    pub extra: Ns,
    /// For how long it was held meanwhile.
    pub held: Held,
}

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

/// One direction of a connection.
///
/// The fields of [`Connection::direct`] come first and stay together: a flood touches many connections.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct Connection {
    /// Bytes that can be sent whatever was acknowledged since: the window is at least as large.
    credit: u64,
    /// The timer does not expire before the answer of a burst that takes half as long.
    patience: Ns,
    last_arrival: Ns,
    noted: Vec<Noted>,
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
    holds: Holds,
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

impl Connection {
    /// An open connection without traffic. `burst` = bytes of a burst at most.
    pub fn new(rules: &Rules, burst: u64) -> Connection {
        Connection {
            credit: 0,
            patience: 0,
            last_arrival: 0,
            noted: Vec::new(),
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
            holds: Holds::default(),
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

    /// Sends a message at once as a whole, if nothing keeps it: most messages.
    ///
    /// While the window certainly has room, a burst is only noted, and accounted for with others
    /// when something depends on it: a flood touches many connections with little each.
    #[inline]
    pub fn direct(
        &mut self,
        now: Ns,
        bytes: u32,
        rules: &Rules,
        path: &mut impl Path,
    ) -> Option<Carried> {
        let size = u64::from(bytes);
        if size > self.credit || !path.is_lossless() {
            return self.direct_accounted(now, bytes, rules, path);
        }
        let mut carried = path.carry(now, rules.segments(size), rules.size(size));
        self.last_arrival = carried.at.max(self.last_arrival);
        carried.at = self.last_arrival;
        let (at, number) = (carried.at, carried.number);
        self.noted.push(Noted { sent: now, at, number, bytes });
        self.credit -= size;
        if self.noted.len() == NOTED_MAX || 2 * (at - now) > self.patience {
            self.catch_up(rules, path);
        }
        Some(carried)
    }

    /// The same of a connection whose window may be full.
    pub(super) fn direct_accounted(
        &mut self,
        now: Ns,
        bytes: u32,
        rules: &Rules,
        path: &mut impl Path,
    ) -> Option<Carried> {
        self.catch_up(rules, path);
        let size = u64::from(bytes);
        if !(self.state == State::Open && self.outgoing.count() == 0 && self.gaps.is_empty())
            || self.unheard > 0
            || self.sparse
            || size > self.burst
            || self.gate > now
            || !path.is_lossless()
        {
            return None;
        }
        self.hear(now, rules);
        self.rest(now, rules);
        if self.pipe + size > self.limit(rules) || self.sparse {
            return None;
        }
        let start = self.next;
        self.next += size;
        let carried = self.put(now, start, self.next, rules, path);
        // An idle window shrinks to the initial one, no further.
        let sure = self.limit(rules).min(rules.initial_window_bytes());
        if rules.span(1_000) == 0 && !self.sparse {
            self.credit = sure.saturating_sub(self.pipe).min(self.burst);
            // Half of the timeout's least variable part is left for what else delays an answer.
            self.patience = self.rtt.timeout(0).saturating_sub(rules.rto_min_ns / 2);
        }
        Some(carried)
    }

    /// Accounts for the bursts that were noted.
    fn catch_up(&mut self, rules: &Rules, path: &mut impl Path) {
        self.credit = 0;
        let mut noted = std::mem::take(&mut self.noted);
        for Noted { sent, at, number, bytes } in noted.drain(..) {
            self.hear(sent, rules);
            self.rest(sent, rules);
            self.next += u64::from(bytes);
            self.departs(sent, u64::from(bytes));
            let back = path.sure_answer(at, number);
            self.answered(sent, u64::from(bytes), back);
        }
        self.noted = noted;
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
        self.holds.change(now, self.hold(now));
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

    fn rest(&mut self, now: Ns, rules: &Rules) {
        if rules.idle_restart && self.pipe == 0 && self.outgoing.count() == 0 && self.order > 0 {
            let timeouts = now.saturating_sub(self.last_sent) / self.rtt.timeout(0);
            if timeouts > 0 {
                self.window.rest(timeouts);
                self.last_sent = now;
            }
        }
    }

    /// Reads the acknowledgements that are there.
    #[inline]
    fn hear(&mut self, now: Ns, rules: &Rules) {
        while self.answers.front().is_some_and(|answer| answer.at <= now) {
            let Some(answer) = self.answers.pop_front() else { break };
            if answer.order > self.round_ends {
                self.used = [self.pipe, self.used[0]];
                self.round_ends = self.order;
            }
            self.pipe = self.pipe.saturating_sub(answer.bytes);
            self.rtt.sample(answer.at - answer.sent);
            self.backoff = 0;
            (self.timer_from, self.heard) = (answer.at, answer.at);
            if !self.gaps.is_empty() {
                self.gaps.acknowledge(answer.order, answer.bytes);
                self.detect(answer.at, rules);
            }
            if answer.order > self.recover {
                let (used, rtt_ns) = (self.used(), self.rtt.smoothed_ns());
                self.window.acknowledge(answer.bytes, used, answer.at, rtt_ns);
            }
        }
        self.sparse &= !self.answers.is_empty();
    }

    /// Detects losses; the window is reduced once for all that was sent before the last reduction.
    fn detect(&mut self, now: Ns, rules: &Rules) {
        let delay = self.rtt.loss_delay(rules.quic);
        let (bytes, latest) = self.gaps.detect(now, delay, rules.segment_bytes);
        self.pipe = self.pipe.saturating_sub(bytes);
        if latest > self.recover {
            self.window.reduce();
            self.recover = self.order;
        }
    }

    /// Most bytes in the network in the last round trips.
    fn used(&self) -> u64 {
        self.used[0].max(self.used[1])
    }

    /// When a timer expires, if nothing is heard; NEVER without bytes in the network.
    fn deadline(&self, rules: &Rules) -> Ns {
        if self.pipe == 0 && self.gaps.is_empty() {
            return NEVER;
        }
        let timer = self.timer_from + self.rtt.timeout(self.backoff);
        let lost = self.gaps.detected_at(self.rtt.loss_delay(rules.quic)).unwrap_or(NEVER);
        let close = if rules.keep_alive_ns > 0 { self.heard + rules.keep_alive_ns } else { NEVER };
        timer.min(lost).min(close)
    }

    /// A timer has expired.
    fn expire(&mut self, now: Ns, rules: &Rules, path: &mut impl Path, out: &mut Vec<Arrived>) {
        self.detect(now, rules);
        if self.timer_from + self.rtt.timeout(self.backoff) > now {
            return;
        }
        self.pipe = self.pipe.saturating_sub(self.gaps.suspect_all() + self.unheard);
        self.unheard = 0;
        if !rules.quic {
            self.window.collapse(self.backoff > 0);
            self.recover = self.order;
        } else if self.backoff + 1 >= PERSISTENT {
            self.window.collapse_quic();
        }
        self.backoff += 1;
        self.timer_from = now;
        let most = u64::from(rules.segment_bytes);
        match self.gaps.take(most) {
            Some((start, end)) => self.send(now, start, end, rules, path, out),
            None => self.probe(now, path),
        }
    }

    /// Sends again what the receiver has: only its answer matters.
    fn probe(&mut self, now: Ns, path: &mut impl Path) {
        let there = path.carry(now, 1, PROBE_BYTES);
        self.order += 1;
        if there.lost.iter().all(|lost| *lost == 0) {
            self.last_arrival = there.at.max(self.last_arrival);
            self.answer(now, 0, there.number, path);
        }
    }

    /// Sends what may be sent: first what was lost, then what waits.
    fn pump(&mut self, now: Ns, rules: &Rules, path: &mut impl Path, out: &mut Vec<Arrived>) {
        let segment = u64::from(rules.segment_bytes);
        while self.gate <= now {
            let room = self.limit(rules).saturating_sub(self.pipe);
            let lost = self.gaps.to_send();
            let wanted = if lost > 0 { lost } else { self.outgoing.bytes() };
            // No part of a segment, unless there is no more to send (RFC 1122, 4.2.3.4).
            if wanted == 0 || room < wanted.min(segment) {
                break;
            }
            let most = if room < wanted { room / segment * segment } else { wanted };
            let most = most.min(self.burst);
            let (start, end) = match self.gaps.take(most) {
                Some(range) => range,
                None => self.compose(most, rules),
            };
            self.send(now, start, end, rules, path, out);
        }
    }

    /// Takes the next bytes out of the waiting messages.
    fn compose(&mut self, most: u64, rules: &Rules) -> (u64, u64) {
        let start = self.next;
        while self.next < start + most {
            let left = (start + most - self.next) as u32;
            let Some(piece) = self.outgoing.take(left.min(rules.segment_bytes)) else { break };
            let begin = self.next;
            self.next += u64::from(piece.bytes);
            if !rules.quic {
                if piece.last {
                    self.sent.push_back((self.next, piece.cargo));
                }
                continue;
            }
            let stream = self.streams.entry(piece.cargo.number).or_insert_with(|| Stream {
                cargo: piece.cargo,
                runs: Vec::new(),
                whole: false,
            });
            stream.whole = piece.last;
            match stream.runs.last_mut() {
                Some(run) if run.1 == begin => run.1 = self.next,
                _ => stream.runs.push((begin, self.next)),
            }
        }
        (start, self.next)
    }

    /// Sends a range of bytes, and hands over what is complete with it.
    fn send(
        &mut self,
        now: Ns,
        start: u64,
        end: u64,
        rules: &Rules,
        path: &mut impl Path,
        out: &mut Vec<Arrived>,
    ) {
        let carried = self.put(now, start, end, rules, path);
        let held = self.holds.total(now);
        let mut hand_over = |cargo: Cargo| {
            out.push(Arrived {
                cargo: cargo.number,
                since: cargo.since,
                leaves: carried.leaves,
                at: carried.at,
                extra: carried.extra,
                held: held.since(&cargo.held),
            });
        };
        let received = self.gaps.first().unwrap_or(self.next);
        while self.sent.front().is_some_and(|(last, _)| *last <= received) {
            self.sent.pop_front().into_iter().for_each(|(_, cargo)| hand_over(cargo));
        }
        let gaps = &self.gaps;
        self.streams.retain(|_, stream| {
            let complete =
                stream.whole && !stream.runs.iter().any(|(start, end)| gaps.touch(*start, *end));
            if complete {
                hand_over(stream.cargo);
            }
            !complete
        });
    }

    /// Puts a burst on the path. Returns its fate, with the time of arrival in order.
    #[inline]
    fn put(
        &mut self,
        now: Ns,
        start: u64,
        end: u64,
        rules: &Rules,
        path: &mut impl Path,
    ) -> Carried {
        let bytes = end - start;
        let size = rules.size(bytes);
        let mut carried = path.carry(now, rules.segments(bytes), size);
        self.gate = now + rules.span(size);
        self.departs(now, bytes);
        let lost = self.lose(now, (start, end), &carried.lost, rules);
        if lost < bytes {
            self.last_arrival = carried.at.max(self.last_arrival);
            self.answer(now, bytes - lost, carried.number, path);
        }
        carried.at = self.last_arrival;
        carried
    }

    /// Accounts for a burst that is sent.
    #[inline]
    fn departs(&mut self, now: Ns, bytes: u64) {
        self.order += 1;
        if self.pipe == 0 && self.gaps.is_empty() && self.backoff == 0 {
            (self.timer_from, self.heard) = (now, now);
        }
        self.pipe += bytes;
        self.used[0] = self.used[0].max(self.pipe);
        self.last_sent = now;
    }

    /// Records the segments of a burst that do not arrive; returns their bytes.
    fn lose(&mut self, now: Ns, range: (u64, u64), lost: &[u64; 3], rules: &Rules) -> u64 {
        if lost.iter().all(|lost| *lost == 0) {
            return 0;
        }
        let ((start, end), segment) = (range, u64::from(rules.segment_bytes));
        let (mut later, mut bytes) = (0, 0);
        let segments = (end - start).div_ceil(segment);
        for index in (0..segments).rev() {
            let begin = start + index * segment;
            let end = end.min(begin + segment);
            let why = [Lost::Chance, Lost::Fault, Lost::Full];
            let why = why.into_iter().zip(lost).find(|(_, lost)| *lost >> index & 1 == 1);
            let Some((why, _)) = why else {
                later += end - begin;
                continue;
            };
            bytes += end - begin;
            let (order, sent, known) = (self.order, now, false);
            self.gaps.add(Gap {
                start: begin,
                end,
                order,
                sent,
                inside: later,
                later: 0,
                known,
                why,
            });
        }
        bytes
    }

    /// The receiver acknowledges what has arrived.
    fn answer(&mut self, sent: Ns, bytes: u64, number: u64, path: &mut impl Path) {
        match path.answer(self.last_arrival, number) {
            Some(at) => self.answered(sent, bytes, at),
            None => self.unheard += bytes,
        }
    }

    /// An acknowledgement will arrive.
    #[inline]
    fn answered(&mut self, sent: Ns, bytes: u64, at: Ns) {
        let before = self.last_answer.max(self.timer_from);
        self.last_answer = at.max(self.last_answer);
        self.sparse |= self.last_answer > before + self.rtt.timeout(0);
        self.answers.push_back(Answer {
            at: self.last_answer,
            bytes: bytes + std::mem::take(&mut self.unheard),
            sent,
            order: self.order,
        });
    }

    /// What holds the connection at present.
    fn hold(&self, now: Ns) -> Option<Hold> {
        let lost = |why| self.gaps.iter().any(|gap| gap.why == why);
        match self.state {
            State::Down | State::Closed(_) => Some(Hold::Fault),
            State::Opening(_) => Some(Hold::Window),
            State::Open if lost(Lost::Fault) => Some(Hold::Fault),
            State::Open if lost(Lost::Chance) => Some(Hold::Loss),
            State::Open if lost(Lost::Full) || self.gate > now => None,
            State::Open => (self.outgoing.count() > 0).then_some(Hold::Window),
        }
    }
}
