//! What is due in a run, by time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use surgetank_lab::actors::Timer;
use surgetank_layer::units::{MessageId, Ns};

/// Something that happens at a time of the run.
#[derive(Clone, Copy, Debug)]
pub enum Due {
    /// The outside prices step.
    Price,
    /// A timer of an actor or of the attacker expires.
    Actor(Timer),
    /// A message is to be sent.
    Send(MessageId),
    /// The connections say that they are there.
    Ping,
    /// A link tries to connect again.
    Connect(u32),
}

/// An event without an order of its own.
#[derive(Clone, Copy, Debug)]
struct Slot(Due);

impl PartialEq for Slot {
    fn eq(&self, _: &Slot) -> bool {
        true
    }
}
impl Eq for Slot {}
impl PartialOrd for Slot {
    fn partial_cmp(&self, other: &Slot) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Slot {
    fn cmp(&self, _: &Slot) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

/// What is due, in the order of times; of the same time, in the order in which it was pushed.
#[derive(Debug, Default)]
pub struct Agenda {
    heap: BinaryHeap<Reverse<(Ns, u64, Slot)>>,
    pushed: u64,
}

impl Agenda {
    /// One more.
    pub fn push(&mut self, at: Ns, due: Due) {
        self.pushed += 1;
        self.heap.push(Reverse((at, self.pushed, Slot(due))));
    }

    /// Time of the next one.
    pub fn next_ns(&self) -> Option<Ns> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    /// The next one, if it is due at `now`.
    pub fn pop(&mut self, now: Ns) -> Option<(Ns, Due)> {
        self.next_ns().filter(|at| *at <= now)?;
        self.heap.pop().map(|Reverse((at, _, Slot(due)))| (at, due))
    }

    /// Everything but attempts to connect is off.
    pub fn end(&mut self) {
        self.heap.retain(|Reverse((.., Slot(due)))| matches!(due, Due::Connect(_)));
    }
}
