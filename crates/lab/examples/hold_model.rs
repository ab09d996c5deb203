//! The hold model (Vaucher and Duval, CACM 18(4), 1975): a queue of fixed length, each step pops the
//! next event and pushes one a random time later. It bounds what any simulator on the queue can do.
//!
//! `hold_model LENGTH STEPS` prints one JSON object with both the agenda and the standard heap.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use surgetank_lab::agenda::Agenda;
use surgetank_lab::seed::packet_bits;

/// Mean of the increments, in nanoseconds: that of a link.
const MEAN_NS: u64 = 60_000_000;

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn timed(steps: u64, mut step: impl FnMut(u64)) -> f64 {
    let began = Instant::now();
    (0..steps).for_each(&mut step);
    steps as f64 / began.elapsed().as_secs_f64()
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|a| a.parse::<u64>().expect("a number"));
    let length = arguments.next().unwrap_or(100_000);
    let steps = arguments.next().unwrap_or(20_000_000);
    let gap = |i: u64| packet_bits(1, i) % (2 * MEAN_NS);

    let mut agenda = Agenda::new();
    (0..length).for_each(|i| agenda.push(gap(i), (i, i)));
    let radix = timed(steps, |i| {
        let (at, event) = agenda.pop().expect("the queue's length is fixed");
        agenda.push(at + gap(length + i), event);
    });

    let mut heap = BinaryHeap::new();
    (0..length).for_each(|i| heap.push(Reverse((gap(i), i, i))));
    let binary = timed(steps / 4, |i| {
        let Reverse((at, a, b)) = heap.pop().expect("the queue's length is fixed");
        heap.push(Reverse((at + gap(length + i), a, b)));
    });
    println!(
        "{{\"length\": {length}, \"radix_per_s\": {radix:.0}, \"binary_per_s\": {binary:.0}}}"
    );
}
