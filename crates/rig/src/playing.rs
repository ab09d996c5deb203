//! A run on a thread of its own, so that nothing else of the process delays its messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use surgetank_layer::units::Ns;

use crate::host::Rig;

/// Time between two looks at whether the run is to stop.
const SLICE: Duration = Duration::from_millis(100);

#[derive(Default)]
struct Shared {
    now_ns: AtomicU64,
    messages: AtomicU64,
    stop: AtomicBool,
}

/// A run that is being played.
pub struct Playing {
    thread: JoinHandle<Rig>,
    shared: Arc<Shared>,
}

impl Playing {
    /// Begins to play.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn begin(mut rig: Rig) -> std::io::Result<Playing> {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let thread = thread::Builder::new().name("actors".to_owned()).spawn(move || {
            while !rig.is_done() && !of_thread.stop.load(Relaxed) {
                rig.run(SLICE);
                of_thread.now_ns.store(rig.now(), Relaxed);
                of_thread.messages.store(rig.messages(), Relaxed);
            }
            rig
        })?;
        Ok(Playing { thread, shared })
    }

    /// Whether the run is over.
    pub fn is_over(&self) -> bool {
        self.thread.is_finished()
    }

    /// Time of the run, and the number of its messages, as of a moment ago.
    pub fn progress(&self) -> (Ns, u64) {
        (self.shared.now_ns.load(Relaxed), self.shared.messages.load(Relaxed))
    }

    /// Stops it, if it is not over, and hands it back; `None`: its thread has panicked.
    pub fn end(self) -> Option<Rig> {
        self.shared.stop.store(true, Relaxed);
        self.thread.join().ok()
    }
}
