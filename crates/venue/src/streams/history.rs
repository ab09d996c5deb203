//! The newest events of all streams together, in memory of bounded size.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::published::Published;
use super::runs::Run;
use crate::event::StreamKey;

/// Published events; the oldest ones go first.
#[derive(Clone, Debug)]
pub struct History {
    runs: BTreeMap<StreamKey, VecDeque<Run>>,
    /// Streams of the runs, in the order in which they were published.
    order: VecDeque<StreamKey>,
    bytes: usize,
    bytes_max: usize,
}

impl History {
    /// No events yet, and never more than `bytes_max` of them.
    pub fn new(bytes_max: usize) -> History {
        History { runs: BTreeMap::new(), order: VecDeque::new(), bytes: 0, bytes_max }
    }

    /// Keeps events, the first of which follows the last one of its stream.
    pub fn push(&mut self, run: Run) {
        self.bytes += run.bytes();
        self.order.push_back(run.key);
        self.runs.entry(run.key).or_default().push_back(run);
        while self.bytes > self.bytes_max {
            let Some(key) = self.order.pop_front() else { return };
            let Some(runs) = self.runs.get_mut(&key) else { continue };
            self.bytes -= runs.pop_front().map_or(0, |run| run.bytes());
            if runs.is_empty() {
                self.runs.remove(&key);
            }
        }
    }

    /// Sets the epoch of all events.
    pub fn set_epoch(&mut self, epoch: u32) {
        self.runs.values_mut().flatten().for_each(|run| run.epoch = epoch);
    }

    /// Size of what is kept, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The oldest kept events of a stream above a number, in their order: those of one record, and
    /// as many more as take at most `bytes_left`, which is reduced by what they take.
    pub fn after(
        &self,
        key: StreamKey,
        number: u64,
        bytes_left: &mut usize,
    ) -> Vec<Arc<Published>> {
        let Some(runs) = self.runs.get(&key) else { return Vec::new() };
        let first = runs.partition_point(|run| run.last() <= number);
        let mut events = Vec::new();
        for run in runs.range(first..) {
            let bytes = run.shared_bytes();
            if bytes > *bytes_left && !events.is_empty() {
                break;
            }
            *bytes_left = bytes_left.saturating_sub(bytes);
            events.extend(run.after(number));
        }
        events
    }
}
