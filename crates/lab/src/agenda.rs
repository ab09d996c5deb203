//! The event agenda: a monotone radix heap over nanoseconds.
//!
//! # Rules
//! 1. Time never goes back: nothing is pushed before the last event popped.
//! 2. Events of equal time come out in the order in which they were pushed.
//!
//! # Theory of operation
//! Ahuja, Mehlhorn, Orlin, Tarjan, *Faster algorithms for the shortest path problem*, J. ACM 37(2),
//! 1990. An entry lies in the bucket numbered by the highest bit in which its time differs from the
//! last time popped. When bucket 0 (no difference) is empty, the lowest non-empty bucket is emptied
//! into lower ones, after the last time has moved to its minimum. An entry moves at most 64 times,
//! always through sequential memory.
//!
//! Why rule 2 holds: two entries of equal time always share a bucket (the bucket is a function of
//! their time and the last time), buckets are appended to, and emptying walks them from the front.

use surgetank_layer::units::Ns;

/// Buckets for 64 bits of difference, and one for none.
const BUCKETS: usize = 65;

/// Events in order of time, then of insertion. `E` should be small, as entries are copied.
pub struct Agenda<E> {
    last: Ns,
    len: usize,
    /// Bit i = bucket i + 1 is not empty.
    filled: u64,
    /// Number of entries of bucket 0 that have been popped.
    head: usize,
    buckets: Vec<Vec<(Ns, E)>>,
}

impl<E: Copy> Default for Agenda<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: Copy> Agenda<E> {
    /// An empty agenda at time 0.
    pub fn new() -> Self {
        let buckets = (0..BUCKETS).map(|_| Vec::new()).collect();
        Agenda { last: 0, len: 0, filled: 0, head: 0, buckets }
    }

    /// Number of pending entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the agenda is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds an event. `at` must not lie before the last event popped.
    #[inline]
    pub fn push(&mut self, at: Ns, event: E) {
        debug_assert!(at >= self.last, "event at {at} is before {}", self.last);
        let bucket = bucket(at, self.last);
        if bucket > 0 {
            self.filled |= 1 << (bucket - 1);
        }
        self.buckets[bucket].push((at, event));
        self.len += 1;
    }

    /// Removes and returns the next event with its time.
    #[inline]
    pub fn pop(&mut self) -> Option<(Ns, E)> {
        if self.head == self.buckets[0].len() && !self.refill() {
            return None;
        }
        let entry = self.buckets[0][self.head];
        self.head += 1;
        self.len -= 1;
        Some(entry)
    }

    /// Empties the lowest non-empty bucket into lower ones; false if there is none.
    fn refill(&mut self) -> bool {
        self.buckets[0].clear();
        self.head = 0;
        if self.filled == 0 {
            return false;
        }
        let from = self.filled.trailing_zeros() as usize + 1;
        self.filled &= !(1 << (from - 1));
        let mut entries = std::mem::take(&mut self.buckets[from]);
        self.last = entries.iter().map(|&(at, _)| at).min().unwrap_or(self.last);
        for &(at, event) in &entries {
            let to = bucket(at, self.last);
            if to > 0 {
                self.filled |= 1 << (to - 1);
            }
            self.buckets[to].push((at, event));
        }
        entries.clear();
        self.buckets[from] = entries;
        true
    }
}

#[inline]
fn bucket(at: Ns, last: Ns) -> usize {
    (Ns::BITS - (at ^ last).leading_zeros()) as usize
}
