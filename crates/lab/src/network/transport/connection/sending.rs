//! Sending: bursts out of what was lost and what waits, and what becomes of them.

use surgetank_layer::units::Ns;

use super::super::gaps::{Gap, Lost};
use super::super::outgoing::Cargo;
use super::super::path::{Arrived, Carried, Path};
use super::super::rules::Rules;
use super::{Answer, Connection, Noted, Rest, State, Stream};

/// Bursts that are noted before they are accounted for.
const NOTED_MAX: usize = 32;

impl Connection {
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
    pub(in super::super) fn direct_accounted(
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
    pub(super) fn catch_up(&mut self, rules: &Rules, path: &mut impl Path) {
        self.credit = 0;
        let mut noted = std::mem::take(&mut self.noted);
        for Noted { sent, at, number, bytes } in noted.drain(..) {
            self.hear(sent, rules);
            self.rest(sent, rules);
            self.next += u64::from(bytes);
            self.departs(sent, u64::from(bytes));
            let back = path.sure_answer(at, number);
            self.answered(sent, u64::from(bytes), back, rules);
        }
        self.noted = noted;
    }

    /// Sends what may be sent: first what was lost, then what waits.
    pub(super) fn pump(
        &mut self,
        now: Ns,
        rules: &Rules,
        path: &mut impl Path,
        out: &mut Vec<Arrived>,
    ) {
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
    pub(super) fn compose(&mut self, most: u64, rules: &Rules) -> (u64, u64) {
        let start = self.next;
        while self.next < start + most {
            let left = (start + most - self.next) as u32;
            let Some(piece) = self.outgoing.take(left.min(rules.segment_bytes)) else { break };
            let begin = self.next;
            self.next += u64::from(piece.bytes);
            if !rules.quic {
                if piece.last {
                    let end = self.next;
                    self.sent.push_back((end, piece.cargo));
                }
                continue;
            }
            let end = self.next;
            let stream = self.streams.entry(piece.cargo.number).or_insert_with(|| Stream {
                cargo: piece.cargo,
                runs: Vec::new(),
                whole: false,
            });
            stream.whole = piece.last;
            match stream.runs.last_mut() {
                Some(run) if run.1 == begin => run.1 = end,
                _ => stream.runs.push((begin, end)),
            }
        }
        (start, self.next)
    }

    /// Sends a range of bytes, and hands over what is complete with it.
    pub(super) fn send(
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
        let Rest { gaps, streams, .. } = &mut *self.rest;
        streams.retain(|_, stream| {
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
    pub(super) fn put(
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
            self.answer(now, bytes - lost, carried.number, rules, path);
        }
        carried.at = self.last_arrival;
        carried
    }

    /// Accounts for a burst that is sent.
    #[inline]
    pub(super) fn departs(&mut self, now: Ns, bytes: u64) {
        self.order += 1;
        if self.pipe == 0 && self.gaps.is_empty() && self.backoff == 0 {
            (self.timer_from, self.heard) = (now, now);
        }
        self.pipe += bytes;
        self.used[0] = self.used[0].max(self.pipe);
        self.last_sent = now;
    }

    /// Records the segments of a burst that do not arrive; returns their bytes.
    pub(super) fn lose(
        &mut self,
        now: Ns,
        range: (u64, u64),
        lost: &[u64; 3],
        rules: &Rules,
    ) -> u64 {
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
    pub(super) fn answer(
        &mut self,
        sent: Ns,
        bytes: u64,
        number: u64,
        rules: &Rules,
        path: &mut impl Path,
    ) {
        match path.answer(self.last_arrival, number) {
            Some(at) => self.answered(sent, bytes, at, rules),
            None => self.unheard += bytes,
        }
    }

    /// An acknowledgement will arrive.
    #[inline]
    pub(super) fn answered(&mut self, sent: Ns, bytes: u64, at: Ns, rules: &Rules) {
        let before = self.last_answer.max(self.timer_from);
        self.last_answer = at.max(self.last_answer);
        // The timeout is longer than its least part.
        if self.last_answer > before + rules.rto_min_ns {
            self.sparse |= self.last_answer > before + self.rtt.timeout(0);
        }
        let answer = Answer {
            at: self.last_answer,
            bytes: bytes + std::mem::take(&mut self.unheard),
            sent,
            order: self.order,
        };
        self.answers.push_back(answer);
    }
}
