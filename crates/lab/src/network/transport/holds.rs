//! For how long a connection was held, and by what.

use surgetank_layer::units::Ns;

/// Why bytes that a connection has to send are not sent, or not received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// The window is full, or the connection is being set up: both last round trips.
    Window,
    /// A packet was lost by chance.
    Loss,
    /// A fault dropped a packet, or keeps the connection closed.
    Fault,
}

/// Kinds of hold.
const HOLDS: usize = 3;

/// Time under each hold, in ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held([Ns; HOLDS]);

impl Held {
    /// Time under one hold, in ns.
    pub fn get(&self, hold: Hold) -> Ns {
        self.0[hold as usize]
    }

    /// Whether there was none.
    pub fn is_nothing(&self) -> bool {
        *self == Held::default()
    }

    /// What has been added since an earlier state.
    pub fn since(&self, earlier: &Held) -> Held {
        Held(std::array::from_fn(|hold| self.0[hold] - earlier.0[hold]))
    }
}

/// The present hold of a connection, and the time under each so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Holds {
    now: Option<(Hold, Ns)>,
    before: Held,
}

impl Holds {
    /// The hold changes.
    pub fn change(&mut self, now: Ns, hold: Option<Hold>) {
        if hold.is_none() && self.now.is_none() {
            return;
        }
        self.before = self.total(now);
        self.now = hold.map(|hold| (hold, now));
    }

    /// Time under each hold until now.
    pub fn total(&self, now: Ns) -> Held {
        let mut total = self.before;
        if let Some((hold, since)) = self.now {
            total.0[hold as usize] += now - since;
        }
        total
    }
}
