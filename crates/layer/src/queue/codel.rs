//! CoDel's control law: which item at the head of a queue to shed so that waiting stays short.
//!
//! # Rules
//! 1. Nothing is shed unless every item taken for a whole `interval_ns` had waited `target_ns` or
//!    longer, with more items behind it.
//! 2. While shedding, the n-th shed item follows the one before by `interval_ns` / √n.
//! 3. The last item is never shed: a shed item always leaves another one to serve.
//!
//! # Theory of operation
//! Only a standing queue is harmful. The least sojourn over an interval distinguishes a standing
//! queue from a burst, and the inverse square root makes the loss rate grow linearly in time until
//! senders' rates (for TCP) or the shedding itself reduce the sojourn. On a return to shedding
//! within 16 intervals the law continues near its last rate.
//!
//! The law sees one head item at a time. A caller that receives [`Verdict::Drop`] removes the item,
//! refuses it with a reason, and calls again for the next head at the same `now`; that is the RFC's
//! `deque()` unrolled, and [`Codel`] remembers what the RFC keeps on its stack.
//!
//! Source: K. Nichols, V. Jacobson, A. McGregor, J. Iyengar, "Controlled Delay Active Queue
//! Management", RFC 8289 (2018), section 5; the constants are its defaults.
//!
//! # Departures
//! - `maxpacket` bytes become "more items wait behind this one": messages, not bytes, are served.
//! - `interval/√count` is the floor in whole nanoseconds, exact: ⌊√⌊interval²/count⌋⌋.
//! - Items that must not be shed (cancels, liquidations) are the caller's responsibility: it does
//!   not call the law for them, and does not count them as waiting behind.

use serde::{Deserialize, Serialize};

use crate::units::{MS, Ns};

/// RFC 8289 §4.3: the acceptable standing sojourn for the Internet.
pub const TARGET_NS: Ns = 5 * MS;
/// RFC 8289 §4.2: about the longest round trip time.
pub const INTERVAL_NS: Ns = 100 * MS;
/// Number of intervals within which a return to shedding continues at the last rate.
const RETURN_INTERVALS: Ns = 16;

/// The two constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Law {
    /// The sojourn that may stand.
    pub target_ns: Ns,
    /// For how long more may stand before anything is shed, at least 1.
    pub interval_ns: Ns,
}

impl Default for Law {
    /// The constants of RFC 8289.
    fn default() -> Law {
        Law { target_ns: TARGET_NS, interval_ns: INTERVAL_NS }
    }
}

/// Decision on the item at the head of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Serve the head item.
    Keep,
    /// Shed the head item, and call again for the next one.
    Drop,
}

/// The state of the control law, under the RFC's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Codel {
    law: Law,
    /// When shedding may start if the sojourn stays above target until then.
    first_above_ns: Option<Ns>,
    drop_next_ns: Ns,
    count: u32,
    lastcount: u32,
    dropping: bool,
    /// An item was shed on schedule, and the next head's sojourn decides whether shedding
    /// continues.
    scheduled: bool,
}

impl Default for Codel {
    /// With the RFC's constants.
    fn default() -> Self {
        Codel::new(Law::default())
    }
}

impl Codel {
    /// A law in its initial state.
    ///
    /// # Panics
    /// If the interval is 0.
    pub fn new(law: Law) -> Codel {
        assert!(law.interval_ns > 0, "codel: interval_ns must be at least 1");
        Codel {
            law,
            first_above_ns: None,
            drop_next_ns: 0,
            count: 0,
            lastcount: 0,
            dropping: false,
            scheduled: false,
        }
    }

    /// What to do with an item that has waited `sojourn_ns` and is taken from the head now;
    /// `more_waits` says whether a droppable item waits behind it.
    #[inline]
    pub fn on_dequeue(&mut self, now: Ns, sojourn_ns: Ns, more_waits: bool) -> Verdict {
        let ok_to_drop = self.ok_to_drop(now, sojourn_ns, more_waits);
        if !self.dropping {
            if !ok_to_drop {
                return Verdict::Keep;
            }
            self.enter(now);
            return Verdict::Drop;
        }
        if !ok_to_drop {
            self.dropping = false;
            self.scheduled = false;
            return Verdict::Keep;
        }
        if self.scheduled {
            self.scheduled = false;
            self.drop_next_ns = self.control_law(self.drop_next_ns);
        }
        if now < self.drop_next_ns {
            return Verdict::Keep;
        }
        self.count = self.count.saturating_add(1);
        self.scheduled = true;
        Verdict::Drop
    }

    /// Items shed in a row, or where the next row would start from.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// When the next item is to be shed, if the law is in its shedding state.
    pub fn drop_next_ns(&self) -> Option<Ns> {
        let after = |at| if self.scheduled { self.control_law(at) } else { at };
        self.dropping.then(|| after(self.drop_next_ns))
    }

    /// The RFC's `dodequeue`: has the sojourn been above target for a whole interval?
    fn ok_to_drop(&mut self, now: Ns, sojourn_ns: Ns, more_waits: bool) -> bool {
        if sojourn_ns < self.law.target_ns || !more_waits {
            self.first_above_ns = None;
            return false;
        }
        match self.first_above_ns {
            Some(at_ns) => now >= at_ns,
            None => {
                self.first_above_ns = Some(now.saturating_add(self.law.interval_ns));
                false
            }
        }
    }

    fn enter(&mut self, now: Ns) {
        self.dropping = true;
        let delta = self.count - self.lastcount;
        let soon = self.law.interval_ns.saturating_mul(RETURN_INTERVALS);
        let resumes = delta > 1 && now.saturating_sub(self.drop_next_ns) < soon;
        self.count = if resumes { delta } else { 1 };
        self.drop_next_ns = self.control_law(now);
        self.lastcount = self.count;
    }

    fn control_law(&self, from_ns: Ns) -> Ns {
        from_ns.saturating_add(spacing_ns(self.law.interval_ns, self.count))
    }
}

/// ⌊interval/√count⌋, exact; `count` of at least 1.
pub fn spacing_ns(interval_ns: Ns, count: u32) -> Ns {
    let square = u128::from(interval_ns) * u128::from(interval_ns);
    // √ of a 128-bit number fits 64 bits.
    (square / u128::from(count)).isqrt() as Ns
}
