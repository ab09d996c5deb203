//! What the process says of itself: that it serves, how far it is, why it ended.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use surgetank_layer::units::Digest;
use surgetank_venue::storage::damage::{Damage, FileReport};
use surgetank_venue::storage::effect::Recovered;
use surgetank_venue::venue::{Progress, Stop};

/// What a start has found.
#[derive(Clone, Debug)]
pub struct Recovery {
    /// The journal.
    pub journal: Recovered,
    /// Sequence number of the last request.
    pub sequence: u64,
    /// Hash of the state.
    pub state_hash: Digest,
}

/// The end of a service.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Why it ended.
    pub why: Why,
    /// How far the journal was.
    pub progress: Progress,
    /// Hash of the state.
    pub state_hash: Digest,
}

/// Why a service ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// It was asked to, and everything is durable.
    Drained,
    /// The journal is damaged; nothing was changed.
    Damaged(Vec<FileReport>, Vec<Damage>),
    /// The machine has stopped.
    Stopped(Stop),
    /// A thread has ended that must not.
    Defect,
}

#[derive(Debug, Default)]
struct State {
    recovery: Option<Recovery>,
    ended: Option<Ended>,
}

/// Written by the venue's thread, and waited for by the host's.
#[derive(Debug, Default)]
pub struct Milestones {
    state: Mutex<State>,
    changed: Condvar,
}

impl Milestones {
    /// The start is complete.
    pub fn serves(&self, recovery: Recovery) {
        self.lock().recovery = Some(recovery);
        self.changed.notify_all();
    }

    /// The service has ended. The first reason stands.
    pub fn ended(&self, ended: Ended) {
        self.lock().ended.get_or_insert(ended);
        self.changed.notify_all();
    }

    /// What the start has found, if it is complete.
    pub fn recovery(&self) -> Option<Recovery> {
        self.lock().recovery.clone()
    }

    /// Why the service ended, once it has: waits at most so long.
    pub fn wait(&self, timeout: Duration) -> Option<Ended> {
        self.wait_while(timeout, |state| state.ended.is_none()).ended
    }

    /// Waits until the start is complete or the service has ended, at most so long: whether it is
    /// so.
    pub fn wait_started(&self, timeout: Duration) -> bool {
        let state =
            self.wait_while(timeout, |state| state.ended.is_none() && state.recovery.is_none());
        state.ended.is_some() || state.recovery.is_some()
    }

    fn wait_while(&self, timeout: Duration, waits: impl Fn(&State) -> bool) -> State {
        let guard = self.lock();
        let waited = self.changed.wait_timeout_while(guard, timeout, |state| waits(state));
        let (guard, _) = waited.unwrap_or_else(PoisonError::into_inner);
        State { recovery: guard.recovery.clone(), ended: guard.ended.clone() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
