//! The threads that perform the storage's effects.
//!
//! One writes and syncs the journal and does nothing else, since all answers wait for it. What takes
//! long and no client waits for (new segments, snapshots, the archive) is done by the other one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, mpsc as std_mpsc};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use surgetank_venue::storage::effect::{Effect, Errno, Input};
use tokio::sync::mpsc;

use crate::files::{Files, Lock};
use crate::telemetry::Telemetry;

/// Effects that may wait for a thread. The storage asks for one group at a time, so that few do.
const EFFECTS_MAX: usize = 64;

/// Both threads.
#[derive(Debug)]
pub struct Storage {
    journal: Worker,
    background: Worker,
}

#[derive(Debug)]
struct Worker {
    effects: std_mpsc::SyncSender<(u64, Effect)>,
    thread: JoinHandle<()>,
}

impl Storage {
    /// Starts them, with the queue of their results.
    ///
    /// # Errors
    /// The system starts no thread.
    pub fn start(
        directory: &Path,
        lock: &Arc<Lock>,
        telemetry: &Arc<Telemetry>,
    ) -> std::io::Result<(Storage, mpsc::Receiver<Input>)> {
        // Both threads' effects together, so that neither ever waits for the venue.
        let (results, receiver) = mpsc::channel(2 * EFFECTS_MAX);
        let files = Files::new(directory);
        let background = worker("background", files.beside(), lock, results.clone(), telemetry)?;
        let journal = worker("journal", files, lock, results, telemetry)?;
        Ok((Storage { journal, background }, receiver))
    }

    /// Asks for an effect.
    pub fn ask(&self, number: u64, effect: Effect) {
        let worker = match effect {
            Effect::Allocate { .. } | Effect::WriteSnapshot { .. } | Effect::Archive(_) => {
                &self.background
            }
            _ => &self.journal,
        };
        // A thread that is gone has ended the process's service: see `running`.
        let _ = worker.effects.send((number, effect));
    }

    /// Waits for what is in progress. Its results are lost if their queue is.
    pub fn finish(self) {
        for Worker { effects, thread } in [self.journal, self.background] {
            drop(effects);
            let _ = thread.join();
        }
    }
}

fn worker(
    name: &str,
    mut files: Files,
    lock: &Arc<Lock>,
    results: mpsc::Sender<Input>,
    telemetry: &Arc<Telemetry>,
) -> std::io::Result<Worker> {
    let (sender, effects) = std_mpsc::sync_channel::<(u64, Effect)>(EFFECTS_MAX);
    let (telemetry, lock) = (Arc::clone(telemetry), Arc::clone(lock));
    let work = move || {
        // Whatever becomes of the venue's thread, no other process writes before this one has ended.
        let _lock = lock;
        for (number, effect) in effects {
            // A defect here must not leave the venue waiting.
            let began = Instant::now();
            let result = catch_unwind(AssertUnwindSafe(|| files.perform(&effect)));
            let result = result.unwrap_or(Err(Errno::Other(0)));
            let took_ns = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
            telemetry.performed(&effect, &result, took_ns);
            let result = match result {
                Ok(done) => Input::Done(number, done),
                Err(errno) => Input::Failed(number, errno),
            };
            if results.blocking_send(result).is_err() {
                return;
            }
        }
    };
    let thread = thread::Builder::new().name(name.to_owned()).spawn(work)?;
    Ok(Worker { effects: sender, thread })
}
