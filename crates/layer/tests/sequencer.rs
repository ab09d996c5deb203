//! The sequencer: when a batch closes, what may be in it, and the chain of hashes.

use std::sync::Arc;

use surgetank_layer::machine::{Draws, Machine};
use surgetank_layer::message::{Block, Class, Entry, Envelope};
use surgetank_layer::sequencer::{Config, Input, Output, Sequencer, chain};
use surgetank_layer::units::{Digest, Ns};

struct NoDraws;

impl Draws for NoDraws {
    fn next_u64(&mut self) -> u64 {
        panic!("the sequencer drew a number")
    }
}

fn entry(id: u32) -> Entry {
    let class = Class::NewOrderSingle;
    Entry { envelope: Envelope::plain(id, class, 100, 0), queued_ns: 0 }
}

/// A sequencer with a node around it that drains a queue of equal messages, oldest first.
struct Bench {
    sequencer: Sequencer,
    queue: Vec<Entry>,
    next_id: u32,
    armed: Vec<Ns>,
    blocks: Vec<Arc<Block>>,
}

const LIMIT: Output = Output::Close { messages_max: 4, bytes_max: 1000 };

impl Bench {
    fn new(window_ns: Ns) -> Bench {
        let config = Config { batch_messages_max: 4, batch_bytes_max: 1000, window_ns };
        Bench {
            sequencer: Sequencer::new(config),
            queue: Vec::new(),
            next_id: 0,
            armed: Vec::new(),
            blocks: Vec::new(),
        }
    }

    fn feed(&mut self, now: Ns, input: Input) {
        let mut outbox = Vec::new();
        self.sequencer.step(now, input, &mut NoDraws, &mut outbox);
        for output in outbox {
            match output {
                Output::Arm { at_ns } => {
                    assert!(at_ns > now, "armed in the past");
                    self.armed.push(at_ns);
                }
                Output::Close { .. } => {
                    assert_eq!(output, LIMIT);
                    let entries = self.queue.drain(..self.queue.len().min(4)).collect();
                    self.feed(now, Input::Seal { entries, proposer: 7 });
                }
                Output::Sealed(block) => self.blocks.push(block),
            }
        }
    }

    fn arrive(&mut self, now: Ns, messages: u32) {
        for _ in 0..messages {
            self.queue.push(entry(self.next_id));
            self.next_id += 1;
            let waiting = self.queue.len() as u32;
            self.feed(now, Input::Waiting { messages: waiting, bytes: 100 * u64::from(waiting) });
        }
    }

    /// Lets armed times come until none is left.
    fn run(&mut self) {
        while !self.armed.is_empty() {
            self.armed.sort_unstable();
            let now = self.armed.remove(0);
            self.feed(now, Input::Timer);
        }
    }

    fn sizes(&self) -> Vec<(Ns, usize)> {
        self.blocks.iter().map(|b| (b.proposed_ns, b.entries.len())).collect()
    }
}

#[test]
fn a_batch_closes_a_window_after_its_first_message() {
    let mut bench = Bench::new(50);
    bench.arrive(10, 1);
    bench.arrive(30, 2);
    assert_eq!((bench.armed.as_slice(), bench.blocks.len()), (&[60][..], 0));
    bench.run();
    assert_eq!(bench.sizes(), [(60, 3)]);
    let block = &bench.blocks[0];
    assert_eq!((block.height, block.proposer), (1, 7));
    bench.arrive(1000, 1);
    bench.run();
    assert_eq!(bench.sizes()[1..], [(1050, 1)]);
}

#[test]
fn a_full_batch_closes_at_once_but_the_next_only_a_window_later() {
    let mut bench = Bench::new(50);
    bench.arrive(10, 11);
    assert_eq!(bench.sizes(), [(10, 4)]);
    bench.run();
    assert_eq!(bench.sizes(), [(10, 4), (60, 4), (110, 3)]);
}

#[test]
fn bytes_fill_a_batch_too() {
    let mut sequencer =
        Sequencer::new(Config { batch_messages_max: 100, batch_bytes_max: 250, window_ns: 50 });
    let mut outbox = Vec::new();
    let small = Input::Waiting { messages: 2, bytes: 249 };
    sequencer.step(0, small, &mut NoDraws, &mut outbox);
    assert_eq!(outbox, [Output::Arm { at_ns: 50 }]);
    outbox.clear();
    let full = Input::Waiting { messages: 3, bytes: 250 };
    sequencer.step(0, full, &mut NoDraws, &mut outbox);
    assert_eq!(outbox, [Output::Close { messages_max: 100, bytes_max: 250 }]);
}

#[test]
fn no_more_than_a_batch_per_window_leaves_whatever_comes() {
    let mut bench = Bench::new(50);
    for now in 0..1000 {
        bench.armed.sort_unstable();
        while bench.armed.first().is_some_and(|&at| at <= now) {
            bench.armed.remove(0);
            bench.feed(now, Input::Timer);
        }
        bench.arrive(now, 1);
    }
    let sizes = bench.sizes();
    assert_eq!(sizes.len(), 20, "one each 50 ns from the fourth message on");
    assert!(sizes.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 50), "{sizes:?}");
    assert!(sizes.iter().all(|&(_, size)| size == 4));
}

#[test]
fn without_a_window_every_message_closes_a_batch_and_a_backlog_several() {
    let mut bench = Bench::new(0);
    bench.arrive(10, 3);
    assert_eq!(bench.sizes(), [(10, 1); 3]);
    bench.queue = (100..110).map(entry).collect();
    bench.feed(20, Input::Waiting { messages: 10, bytes: 1000 });
    assert_eq!(bench.sizes()[3..], [(20, 4), (20, 4), (20, 2)]);
    assert!(bench.armed.is_empty());
}

#[test]
fn a_queue_that_turns_out_empty_makes_no_batch() {
    let mut bench = Bench::new(0);
    bench.feed(10, Input::Waiting { messages: 3, bytes: 300 });
    assert!(bench.blocks.is_empty());
    bench.feed(11, Input::Timer);
    assert_eq!(bench.sequencer.height(), 0);
    bench.arrive(20, 1);
    assert_eq!(bench.sizes(), [(20, 1)]);
}

#[test]
fn an_early_or_stale_timer_closes_nothing() {
    let mut bench = Bench::new(50);
    bench.feed(0, Input::Timer);
    bench.arrive(10, 1);
    bench.feed(59, Input::Timer);
    assert!(bench.blocks.is_empty());
    bench.feed(60, Input::Timer);
    bench.feed(61, Input::Timer);
    assert_eq!(bench.sizes(), [(60, 1)]);
}

#[test]
fn the_chain_depends_on_everything_it_names_and_on_nothing_else() {
    let zero = Digest::default();
    let two = [entry(1), entry(2)];
    let first = chain(&zero, 1, &two);
    assert_ne!(first, chain(&first, 1, &two));
    assert_ne!(first, chain(&zero, 2, &two));
    assert_ne!(first, chain(&zero, 1, &two[..1]));
    assert_ne!(first, chain(&zero, 1, &[two[1], two[0]]));
    let mut later = two;
    later[0].queued_ns = 5;
    assert_eq!(first, chain(&zero, 1, &later));
    // Fixed permanently: a journal written by an older build must verify. Checked with Python's blake3.
    assert_eq!(format!("{first:?}"), "3468612a");
}
