//! The venue's clock: time since 1970 that never jumps.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use surgetank_layer::units::{Ns, SECOND};

/// How fast the clock follows the system's, as parts per million of the time between two readings.
const FOLLOW_PPM: u64 = 500;
/// A change of the difference to the system's clock above which that clock was set.
const STEP_NS: u64 = SECOND / 20;

/// Time since 1970, read once from the system's clock and then from the monotonic one; a slow
/// divergence is followed slowly, so that stamps stay comparable when an operator sets the clock.
#[derive(Debug)]
pub struct Clock {
    began: Instant,
    /// Time since 1970 at `began`, as it is now believed.
    began_ns: AtomicU64,
}

impl Clock {
    /// Reads the system's clock.
    pub fn start() -> Clock {
        Clock { began: Instant::now(), began_ns: AtomicU64::new(system_ns()) }
    }

    /// The time now.
    pub fn now(&self) -> Ns {
        self.began_ns.load(Ordering::Relaxed).saturating_add(ns(self.began.elapsed()))
    }
}

/// Compares the clock with the system's.
#[derive(Debug, Default)]
pub struct Follower {
    last: Option<(Instant, i64)>,
}

impl Follower {
    /// Follows the system's clock; the step in ns if it was set since the last call.
    pub fn follow(&mut self, clock: &Clock) -> Option<i64> {
        let (read, ahead) = (Instant::now(), signed(system_ns()) - signed(clock.now()));
        let (before, ahead_before) = self.last.replace((read, ahead))?;
        let most = signed(ns(read - before) / 1_000_000 * FOLLOW_PPM);
        let by = ahead.clamp(-most, most);
        // Adding a negative number is a wrapping addition of its two's complement.
        clock.began_ns.fetch_add(by.cast_unsigned(), Ordering::Relaxed);
        self.last = Some((read, ahead - by));
        let step = ahead - ahead_before;
        (step.unsigned_abs() > STEP_NS).then_some(step)
    }
}

fn system_ns() -> Ns {
    ns(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn ns(duration: Duration) -> Ns {
    Ns::try_from(duration.as_nanos()).unwrap_or(Ns::MAX)
}

fn signed(ns: Ns) -> i64 {
    i64::try_from(ns).unwrap_or(i64::MAX)
}
