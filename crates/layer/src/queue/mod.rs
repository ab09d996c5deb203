//! Bounded queues: what waits, and who is served first.
//!
//! # Rules
//! 1. Nothing is lost: an item is served, or its refusal is said with a reason.
//! 2. No more than `capacity` items wait.
//! 3. Within a lane, first come, first served.
//!
//! # Theory of operation
//! A rule chooses the lane that an arriving item joins and the lane that is served next. [`Rule::Fifo`]
//! has one lane. [`Rule::Priority`] has two, served non-preemptively: the low lane only when the high
//! one is empty (Cobham, *Operations Research* 2, 1954). A full queue refuses any arrival, so the high
//! lane has no reserved room.

pub mod codel;
pub mod express;
mod lanes;

use crate::machine::{Draws, Machine};
use crate::message::Class;
use crate::units::Ns;
use lanes::Lanes;

/// Who is served first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// First come, first served.
    Fifo,
    /// Two lanes; classes of the high one are bits `1 << class as u8`.
    Priority {
        /// Bit mask of the high lane's classes.
        high: u8,
    },
}

/// What a queue is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Who is served first.
    pub rule: Rule,
    /// Items that may wait.
    pub capacity: usize,
}

/// An item that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting<T> {
    /// The item.
    pub item: T,
    /// Its class.
    pub class: Class,
    /// Since when it waits.
    pub queued_ns: Ns,
}

/// Why an item was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// As many as may wait do wait.
    QueueFull = 1,
}

/// What can happen to a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input<T> {
    /// An item arrives.
    Push {
        /// Its class.
        class: Class,
        /// It.
        item: T,
    },
    /// The server is free.
    Pop,
}

/// What a queue answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<T> {
    /// This one is next.
    Served(Waiting<T>),
    /// There is no room.
    Refused {
        /// For this one.
        item: T,
        /// Why.
        reason: Reason,
    },
    /// Nothing waits.
    Empty,
}

/// A bounded queue under a rule.
#[derive(Clone, Debug)]
pub struct Queue<T> {
    config: Config,
    lanes: Lanes<T>,
}

impl<T> Queue<T> {
    /// An empty queue.
    pub fn new(config: Config) -> Queue<T> {
        Queue { config, lanes: Lanes::default() }
    }

    /// Adds an item, or hands it back with the reason.
    ///
    /// # Errors
    /// If the queue is full.
    #[inline]
    pub fn push(&mut self, now: Ns, class: Class, item: T) -> Result<(), (T, Reason)> {
        if self.is_full() {
            return Err((item, Reason::QueueFull));
        }
        let high = match self.config.rule {
            Rule::Fifo => false,
            Rule::Priority { high } => high >> class as u8 & 1 == 1,
        };
        self.lanes.push(high, Waiting { item, class, queued_ns: now });
        Ok(())
    }

    /// Takes the next item under the rule.
    #[inline]
    pub fn pop(&mut self) -> Option<Waiting<T>> {
        self.lanes.pop()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.lanes.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the next arrival would be refused.
    pub fn is_full(&self) -> bool {
        self.len() >= self.config.capacity
    }

    /// What waits, in the order in which it would be served if nothing more came.
    pub fn iter(&self) -> impl Iterator<Item = &Waiting<T>> {
        self.lanes.iter()
    }

    /// Keeps only what `stays` says.
    pub fn retain(&mut self, stays: impl FnMut(&Waiting<T>) -> bool) {
        self.lanes.retain(stays);
    }

    /// Empties the queue.
    pub fn clear(&mut self) {
        self.lanes.clear();
    }
}

impl<T> Machine for Queue<T> {
    type Input = Input<T>;
    type Output = Output<T>;

    fn step(&mut self, now: Ns, input: Input<T>, _: &mut dyn Draws, outbox: &mut Vec<Output<T>>) {
        match input {
            Input::Push { class, item } => {
                if let Err((item, reason)) = self.push(now, class, item) {
                    outbox.push(Output::Refused { item, reason });
                }
            }
            Input::Pop => outbox.push(self.pop().map_or(Output::Empty, Output::Served)),
        }
    }
}
