//! Round-trip time and retransmission timeout (RFC 6298).

use surgetank_layer::units::Ns;

/// Retransmission timeout before the first sample, in units of the least one: RFC 6298 (2.1) has
/// 1 s where the least is 1 s; hosts with a lower least start at five times it.
const BEFORE_SAMPLES: f64 = 5.0;
/// Largest backoff of the timer, as a power of two (RFC 6298, 5.5 and 5.7: 60 s over 1 s).
const BACKOFF_MAX: u32 = 6;

/// SRTT and RTTVAR, as RFC 6298 (2) defines them. Real numbers, so that doubled samples give
/// doubled timeouts.
#[derive(Clone, Debug)]
pub struct RoundTrip {
    /// Least of RTTVAR's term, or of the timeout: see [`RoundTrip::timeout`].
    least_ns: Ns,
    smoothed: f64,
    variation: f64,
    latest: f64,
    shortest: f64,
}

impl RoundTrip {
    /// No samples. The timeout is never shorter than the smoothed time plus `least_ns`.
    pub fn new(least_ns: Ns) -> RoundTrip {
        RoundTrip { least_ns, smoothed: 0.0, variation: 0.0, latest: 0.0, shortest: f64::INFINITY }
    }

    /// A sample: the time from a packet's sending to its acknowledgement.
    pub fn sample(&mut self, span: Ns) {
        let span = span as f64;
        (self.latest, self.shortest) = (span, self.shortest.min(span));
        if self.smoothed == 0.0 {
            (self.smoothed, self.variation) = (span, span / 2.0);
        } else {
            let apart = (self.smoothed - span).abs();
            self.variation = 0.75 * self.variation + 0.25 * apart;
            self.smoothed = 0.875 * self.smoothed + 0.125 * span;
        }
    }

    /// Whether there are samples.
    pub fn is_known(&self) -> bool {
        self.smoothed > 0.0
    }

    /// Smoothed round-trip time, in ns; 0 without samples.
    pub fn smoothed_ns(&self) -> f64 {
        self.smoothed
    }

    /// The timer's span after `backoff` expiries without an answer. As Linux does, the least is one
    /// of four times RTTVAR and not of the whole, so that a timer never expires within a round trip.
    pub fn timeout(&self, backoff: u32) -> Ns {
        let least = self.least_ns as f64;
        let once = if self.is_known() {
            self.smoothed + (4.0 * self.variation).max(least)
        } else {
            BEFORE_SAMPLES * least
        };
        whole(once) * (1 << backoff.min(BACKOFF_MAX))
    }

    /// How long after its sending a packet is lost once a later one is acknowledged: RFC 8985 (a
    /// quarter of the shortest time for reordering), or for QUIC RFC 9002, 6.1.2 (9/8 of the longer of
    /// the last and the smoothed time).
    pub fn loss_delay(&self, quic: bool) -> Ns {
        if quic {
            whole(1.125 * self.latest.max(self.smoothed))
        } else {
            whole(self.smoothed.max(self.latest) + 0.25 * self.shortest.min(self.latest))
        }
    }
}

/// A span in whole ns, to 21 binary digits: from 1 ms on, twice the span gives twice the result.
fn whole(span: f64) -> Ns {
    f64::from_bits(span.to_bits() & !((1 << 32) - 1)) as Ns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_formulas() {
        let mut rtt = RoundTrip::new(1);
        rtt.sample(100_000);
        // (2.2): SRTT = R, RTTVAR = R/2, RTO = SRTT + 4 RTTVAR.
        assert_eq!(rtt.timeout(0), 300_000);
        rtt.sample(140_000);
        // (2.3): RTTVAR = 3/4 · 50 + 1/4 · 40 = 47.5; SRTT = 7/8 · 100 + 1/8 · 140 = 105.
        assert_eq!(rtt.timeout(0), 105_000 + 190_000);
        assert_eq!(rtt.timeout(2), 4 * 295_000);
        assert_eq!(rtt.timeout(60), 64 * 295_000);
    }

    #[test]
    fn a_steady_time_leaves_the_least() {
        let mut rtt = RoundTrip::new(200_000_000);
        assert_eq!(rtt.timeout(0), 1_000_000_000);
        (0..200).for_each(|_| rtt.sample(100_000_000));
        assert_eq!(rtt.timeout(0), 300_000_000);
    }
}
