//! For how long a connection was held, and by what.

use surgetank_layer::units::Ns;

/// Why bytes that a connection has to send are not sent, or not received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stall {
    /// The window is full, or the connection is being set up: both last round trips.
    Window,
    /// A packet was lost by chance.
    Loss,
    /// A fault dropped a packet, or keeps the connection closed.
    Fault,
}

/// Kinds of hold.
const STALLS: usize = 3;

/// Time under each hold, in ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stalled([Ns; STALLS]);

impl Stalled {
    /// Time under one hold, in ns.
    pub fn get(&self, hold: Stall) -> Ns {
        self.0[hold as usize]
    }

    /// Whether there was none.
    pub fn is_nothing(&self) -> bool {
        *self == Stalled::default()
    }

    /// What has been added since an earlier state.
    pub fn since(&self, earlier: &Stalled) -> Stalled {
        Stalled(std::array::from_fn(|hold| self.0[hold] - earlier.0[hold]))
    }
}

/// The present hold of a connection, and the time under each so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct StallClock {
    now: Option<(Stall, Ns)>,
    before: Stalled,
}

impl StallClock {
    /// The hold changes.
    pub fn change(&mut self, now: Ns, hold: Option<Stall>) {
        if hold.is_none() && self.now.is_none() {
            return;
        }
        self.before = self.total(now);
        self.now = hold.map(|hold| (hold, now));
    }

    /// Time under each hold until now.
    pub fn total(&self, now: Ns) -> Stalled {
        let mut total = self.before;
        if let Some((hold, since)) = self.now {
            total.0[hold as usize] += now - since;
        }
        total
    }
}
