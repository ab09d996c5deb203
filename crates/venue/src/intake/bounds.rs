//! Bounds of what waits, and how long a refused client should wait.

use serde::{Deserialize, Serialize};
use surgetank_layer::admission::limit::Limit;
use surgetank_layer::units::{Ns, SECOND};

use crate::answer::Refusal;

/// Shortest and longest hint of when to try again.
const RETRY_NS: std::ops::RangeInclusive<Ns> = SECOND / 1000..=SECOND;

/// Bounds of the intake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct IntakeBounds {
    /// Requests that wait for their place in the journal. Those that may add risk may use 80 % of
    /// it.
    pub waiting_max: u32,
    /// Size of the requests that wait, in bytes; of which 80 % likewise.
    pub waiting_bytes_max: u64,
    /// Unanswered requests of an account, copies included; of which 80 % likewise.
    pub account_open_max: u32,
    /// Requests of an account that may add risk; `None`: no limit.
    pub rate: Option<Limit>,
    /// ClOrdIDs that are remembered, of all accounts together.
    pub remembered_max: usize,
    /// Logged-on connections.
    pub connections_max: usize,
    /// Requests in a batch, at least 1.
    pub batch_requests_max: u32,
    /// Size of the requests in a batch, in bytes.
    pub batch_bytes_max: u64,
}

impl Default for IntakeBounds {
    fn default() -> IntakeBounds {
        IntakeBounds {
            waiting_max: 65_536,
            waiting_bytes_max: 16 << 20,
            account_open_max: 4096,
            rate: None,
            remembered_max: 1_000_000,
            connections_max: 1024,
            batch_requests_max: 4096,
            batch_bytes_max: 1 << 20,
        }
    }
}

/// What waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Requests that wait for their place in the journal.
    pub waiting: u32,
    /// Their size, in bytes.
    pub waiting_bytes: u64,
    /// Unanswered requests of the account.
    pub account_open: u32,
}

impl IntakeBounds {
    /// Whether there is room for one more request of this size.
    ///
    /// # Errors
    /// Which bound is reached.
    pub fn admit(&self, load: &Load, bytes: u64, reduces_risk: bool) -> Result<(), Refusal> {
        let share = |max: u64| if reduces_risk { max } else { max / 5 * 4 + max % 5 * 4 / 5 };
        let bytes = load.waiting_bytes.saturating_add(bytes);
        if u64::from(load.waiting) >= share(self.waiting_max.into())
            || bytes > share(self.waiting_bytes_max)
        {
            return Err(Refusal::QueueFull);
        }
        if u64::from(load.account_open) >= share(self.account_open_max.into()) {
            return Err(Refusal::AccountQueueFull);
        }
        Ok(())
    }
}

/// Time that the venue takes per request, from its last batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Exponentially weighted mean, in ns; 0: nothing was measured.
    ns_per_request: Ns,
}

impl Pace {
    /// A batch of so many requests was durable this time after its sealing. It weighs an eighth.
    pub fn note(&mut self, requests: u32, took: Ns) {
        let latest = took / Ns::from(requests.max(1));
        self.ns_per_request = match self.ns_per_request {
            0 => latest,
            mean => mean - mean / 8 + latest / 8,
        };
    }

    /// Time in which so many requests are placed.
    pub fn drained_in(&self, waiting: u32) -> Ns {
        let wait = self.ns_per_request.saturating_mul(waiting.into());
        wait.clamp(*RETRY_NS.start(), *RETRY_NS.end())
    }
}
