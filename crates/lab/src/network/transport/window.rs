//! Congestion windows: NewReno (RFC 5681, 6582) and CUBIC (RFC 9438).
//!
//! Windows are real numbers of bytes. Slow start counts bytes (RFC 3465) without a bound for one
//! acknowledgement, as hosts with segmentation offload do. HyStart is not simulated.

use surgetank_layer::units::Ns;

use crate::scenario::Congestion;

/// CUBIC's multiplicative decrease (RFC 9438, 4.6).
const BETA: f64 = 0.7;
/// CUBIC's additive increase in the Reno-friendly region (4.3).
const ALPHA: f64 = 3.0 * (1.0 - BETA) / (1.0 + BETA);
/// CUBIC's C, in segments per s³ (4.1).
const C: f64 = 0.4;

/// CUBIC's state between two reductions, in segments.
#[derive(Clone, Copy, Debug, Default)]
struct Cubic {
    /// W_max: the window at the last reduction.
    w_max: f64,
    /// K, in s.
    k: f64,
    /// When the present epoch of congestion avoidance began, and cwnd then.
    epoch: Option<(Ns, f64)>,
    /// W_est: the window that Reno would have.
    w_est: f64,
    /// cwnd_prior: the window before the last reduction.
    prior: f64,
}

/// A congestion window.
#[derive(Clone, Debug)]
pub struct Window {
    law: Congestion,
    segment: f64,
    initial: f64,
    cwnd: f64,
    ssthresh: f64,
    cubic: Cubic,
}

impl Window {
    /// A window of this many segments.
    pub fn new(law: Congestion, segment_bytes: u32, initial_segments: u32) -> Window {
        let segment = f64::from(segment_bytes);
        let initial = segment * f64::from(initial_segments);
        let cubic = Cubic::default();
        Window { law, segment, initial, cwnd: initial, ssthresh: f64::INFINITY, cubic }
    }

    /// Bytes that may be in the network.
    pub fn bytes(&self) -> u64 {
        self.cwnd as u64
    }

    /// Bytes were acknowledged; `used` = most bytes in the network in the last round trip: a window
    /// that was not used does not grow (RFC 7661, as Linux decides it).
    pub fn acknowledge(&mut self, bytes: u64, used: u64, now: Ns, rtt_ns: f64) {
        let (acked, used) = (bytes as f64, used as f64);
        if self.cwnd < self.ssthresh {
            if 2.0 * used > self.cwnd {
                self.cwnd += acked;
            }
        } else if used + 2.0 * self.segment > self.cwnd {
            // Whole segments are sent, and the window has grown by up to one since.
            match self.law {
                Congestion::Newreno => self.cwnd += self.segment * acked / self.cwnd,
                Congestion::Cubic => self.grow_cubic(acked / self.segment, now, rtt_ns),
            }
        }
    }

    /// Growth by so many acknowledged segments (RFC 9438, 4.2 to 4.5).
    fn grow_cubic(&mut self, segments: f64, now: Ns, rtt_ns: f64) {
        let cwnd = self.cwnd / self.segment;
        let cubic = &mut self.cubic;
        let (since, _) = *cubic.epoch.get_or_insert_with(|| {
            cubic.w_est = cwnd;
            if cwnd >= cubic.w_max {
                (cubic.w_max, cubic.k) = (cwnd, 0.0);
            } else {
                cubic.k = ((cubic.w_max - cwnd) / C).cbrt();
            }
            (now, cwnd)
        });
        let t = (now - since) as f64 / 1e9;
        let w = |t: f64| C * (t - cubic.k).powi(3) + cubic.w_max;
        let alpha = if cubic.w_est >= cubic.prior { 1.0 } else { ALPHA };
        cubic.w_est += alpha * segments / cwnd;
        let next = if w(t) < cubic.w_est {
            cubic.w_est.max(cwnd)
        } else {
            let target = w(t + rtt_ns / 1e9).clamp(cwnd, 1.5 * cwnd);
            cwnd + (target - cwnd) / cwnd * segments
        };
        self.cwnd = next * self.segment;
    }

    /// A loss was detected by acknowledgements: fast recovery begins. As in Linux, and in RFC 9002,
    /// 7.3.2, the window is reduced and not the bytes in flight (RFC 5681's FlightSize), which are fewer
    /// where a sender has little to send.
    pub fn reduce(&mut self) {
        let least = 2.0 * self.segment;
        match self.law {
            Congestion::Newreno => self.ssthresh = (self.cwnd / 2.0).max(least),
            Congestion::Cubic => self.reduce_cubic(least),
        }
        self.cwnd = self.ssthresh;
    }

    /// RFC 9438, 4.6 and 4.7 (fast convergence).
    fn reduce_cubic(&mut self, least: f64) {
        let cwnd = self.cwnd / self.segment;
        let converging = cwnd < self.cubic.w_max;
        self.cubic.w_max = if converging { cwnd * (1.0 + BETA) / 2.0 } else { cwnd };
        (self.cubic.prior, self.cubic.epoch) = (cwnd, None);
        self.ssthresh = (self.cwnd * BETA).max(least);
    }

    /// The timer expired: the loss window (RFC 5681, 3.1). `again` = not for the first time.
    pub fn collapse(&mut self, again: bool) {
        if !again {
            self.reduce();
        }
        self.cubic.epoch = None;
        self.cwnd = self.segment;
    }

    /// Persistent congestion (RFC 9002, 7.6.2).
    pub fn collapse_quic(&mut self) {
        self.cubic.epoch = None;
        self.cwnd = 2.0 * self.segment;
    }

    /// The connection was idle for so many timeouts: for each the window is halved, down to the
    /// initial one (RFC 2861, as Linux does it; RFC 5681, 4.1 restarts with the initial one at once).
    pub fn rest(&mut self, timeouts: u64) {
        self.cubic.epoch = None;
        for _ in 0..timeouts.min(64) {
            self.cwnd = (self.cwnd / 2.0).max(self.initial.min(self.cwnd));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: f64 = 100e6;

    fn full(window: &mut Window, now: Ns) {
        let bytes = window.bytes();
        window.acknowledge(bytes, bytes, now, RTT);
    }

    #[test]
    fn slow_start_doubles_and_avoidance_adds_a_segment() {
        let mut window = Window::new(Congestion::Newreno, 1_000, 10);
        full(&mut window, 0);
        assert_eq!(window.bytes(), 20_000);
        window.reduce();
        assert_eq!(window.bytes(), 10_000);
        full(&mut window, 0);
        assert_eq!(window.bytes(), 11_000);
        window.collapse(false);
        assert_eq!((window.bytes(), window.ssthresh as u64), (1_000, 5_500));
    }

    #[test]
    fn a_window_that_is_not_used_does_not_grow() {
        let mut window = Window::new(Congestion::Newreno, 1_000, 10);
        (0..100).for_each(|_| window.acknowledge(1_000, 1_000, 0, RTT));
        assert_eq!(window.bytes(), 10_000);
    }

    /// RFC 9438, figure 2: after a loss at W_max, CUBIC is back there after K.
    #[test]
    fn cubic_is_back_at_its_maximum_after_k() {
        let mut window = Window::new(Congestion::Cubic, 1_000, 1_000);
        window.ssthresh = 0.0;
        window.reduce();
        let k_s = (1_000.0 * 0.3 / C).cbrt();
        let mut now = 0;
        while (now as f64) < k_s * 1e9 {
            full(&mut window, now);
            now += RTT as Ns;
        }
        let back = window.cwnd / window.segment;
        assert!((990.0..=1_001.0).contains(&back), "{back}");
    }

    #[test]
    fn rest_halves_down_to_the_initial_window() {
        let mut window = Window::new(Congestion::Newreno, 1_000, 10);
        window.cwnd = 64_000.0;
        window.rest(2);
        assert_eq!(window.bytes(), 16_000);
        window.rest(9);
        assert_eq!(window.bytes(), 10_000);
    }
}
