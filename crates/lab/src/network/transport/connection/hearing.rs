//! Hearing: acknowledgements, losses that follow from them, and timers that expire without.

use surgetank_layer::units::{NEVER, Ns};

use super::super::path::{Arrived, Path};
use super::super::rules::Rules;
use super::{Connection, PROBE_BYTES};

/// Expiries of QUIC's timer after which congestion is persistent (RFC 9002, 7.6.1: three).
const PERSISTENT: u32 = 3;

impl Connection {
    pub(super) fn rest(&mut self, now: Ns, rules: &Rules) {
        // The timeout is longer than its least part.
        if now.saturating_sub(self.last_sent) < rules.rto_min_ns {
            return;
        }
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
    pub(super) fn hear(&mut self, now: Ns, rules: &Rules) {
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
    pub(super) fn detect(&mut self, now: Ns, rules: &Rules) {
        let delay = self.rtt.loss_delay(rules.quic);
        let (bytes, latest) = self.gaps.detect(now, delay, rules.segment_bytes);
        self.pipe = self.pipe.saturating_sub(bytes);
        if latest > self.recover {
            self.window.reduce();
            self.recover = self.order;
        }
    }

    /// Most bytes in the network in the last round trips.
    pub(super) fn used(&self) -> u64 {
        self.used[0].max(self.used[1])
    }

    /// When a timer expires, if nothing is heard; NEVER without bytes in the network.
    pub(super) fn deadline(&self, rules: &Rules) -> Ns {
        if self.pipe == 0 && self.gaps.is_empty() {
            return NEVER;
        }
        let timer = self.timer_from + self.rtt.timeout(self.backoff);
        let lost = self.gaps.detected_at(self.rtt.loss_delay(rules.quic)).unwrap_or(NEVER);
        let close = if rules.keep_alive_ns > 0 { self.heard + rules.keep_alive_ns } else { NEVER };
        timer.min(lost).min(close)
    }

    /// A timer has expired.
    pub(super) fn expire(
        &mut self,
        now: Ns,
        rules: &Rules,
        path: &mut impl Path,
        out: &mut Vec<Arrived>,
    ) {
        self.detect(now, rules);
        if self.timer_from + self.rtt.timeout(self.backoff) > now {
            return;
        }
        self.pipe = self.pipe.saturating_sub(self.gaps.suspect_all() + self.unheard);
        self.unheard = 0;
        if !rules.quic {
            let again = self.backoff > 0;
            self.window.collapse(again);
            self.recover = self.order;
        } else if self.backoff + 1 >= PERSISTENT {
            self.window.collapse_quic();
        }
        self.backoff += 1;
        self.timer_from = now;
        let most = u64::from(rules.segment_bytes);
        match self.gaps.take(most) {
            Some((start, end)) => self.send(now, start, end, rules, path, out),
            None => self.probe(now, rules, path),
        }
    }

    /// Sends again what the receiver has: only its answer matters.
    pub(super) fn probe(&mut self, now: Ns, rules: &Rules, path: &mut impl Path) {
        let there = path.carry(now, 1, PROBE_BYTES);
        self.order += 1;
        if there.lost.iter().all(|lost| *lost == 0) {
            self.last_arrival = there.at.max(self.last_arrival);
            self.answer(now, 0, there.number, rules, path);
        }
    }
}
