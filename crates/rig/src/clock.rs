//! Time of a run: nanoseconds since its start, by a clock that never jumps.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use surgetank_layer::units::Ns;

/// The clock of a run.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: Instant,
    /// Time since 1970 at `began`.
    began_ns: Ns,
    /// Time since 1970 at which the run's time is 0.
    pub start_ns: Ns,
}

impl Clock {
    /// A clock whose zero is this time since 1970. The system's clock is read once.
    pub fn new(start_ns: Ns) -> Clock {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock { began: Instant::now(), began_ns: ns(since), start_ns }
    }

    /// Time since 1970.
    pub fn unix_ns(&self) -> Ns {
        self.began_ns + ns(self.began.elapsed())
    }

    /// Time since the start of the run; 0 before it.
    pub fn now(&self) -> Ns {
        self.unix_ns().saturating_sub(self.start_ns)
    }

    /// Time until this time of the run.
    pub fn until(&self, at: Ns) -> Duration {
        Duration::from_nanos((self.start_ns + at).saturating_sub(self.unix_ns()))
    }
}

fn ns(duration: Duration) -> Ns {
    Ns::try_from(duration.as_nanos()).unwrap_or(Ns::MAX)
}

/// The venue's clock beside ours, from one question and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// How far the venue's clock is ahead of ours, in ns.
    pub ahead_ns: i64,
    /// The greatest error of that: half of the time between question and answer, in ns.
    pub error_ns: Ns,
}

impl Reading {
    /// A question at one time, answered at another, with the venue's time in the answer.
    pub fn of(asked_ns: Ns, venue_ns: Ns, answered_ns: Ns) -> Reading {
        let error_ns = answered_ns.saturating_sub(asked_ns) / 2;
        let middle = i128::from(asked_ns) + i128::from(error_ns);
        let ahead = i128::from(venue_ns) - middle;
        let bounds = (i128::from(i64::MIN), i128::from(i64::MAX));
        Reading { ahead_ns: ahead.clamp(bounds.0, bounds.1) as i64, error_ns }
    }
}
