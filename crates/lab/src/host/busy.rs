//! Working time of a station's servers: the exact integral of the number of busy servers over time.

use surgetank_layer::units::Ns;

/// Work done by one station of one or more servers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Busy {
    servers: u64,
    since: Ns,
    total: Ns,
}

impl Busy {
    /// A server begins to work.
    #[inline]
    pub fn begin(&mut self, now: Ns) {
        self.total = self.total_ns(now);
        self.since = now;
        self.servers += 1;
    }

    /// A server has finished.
    #[inline]
    pub fn end(&mut self, now: Ns) {
        debug_assert!(self.servers > 0, "there are no servers");
        self.total = self.total_ns(now);
        self.since = now;
        self.servers -= 1;
    }

    /// All servers stop in the middle of their work.
    pub fn stop(&mut self, now: Ns) {
        *self = Busy { servers: 0, since: now, total: self.total_ns(now) };
    }

    /// Server time worked so far.
    #[inline]
    pub fn total_ns(&self, now: Ns) -> Ns {
        self.total + self.servers * (now - self.since)
    }
}
