//! The single sequencer's followers: order, gaps, duplicates, broken chains.

use surgetank_layer::consensus::single::{Config, HELD_MAX, Input, Output, Single};
use surgetank_layer::machine::{Draws, Machine};
use surgetank_layer::units::{Digest, Height};

struct NoDraws;

impl Draws for NoDraws {
    fn next_u64(&mut self) -> u64 {
        panic!("the single sequencer drew a number")
    }
}

fn hash(height: Height) -> Digest {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&height.to_le_bytes());
    Digest(bytes)
}

fn feed(machine: &mut Single, input: Input) -> Vec<Output> {
    let mut outbox = Vec::new();
    machine.step(0, input, &mut NoDraws, &mut outbox);
    outbox
}

/// The honest batch of a height arrives.
fn batch(machine: &mut Single, height: Height) -> Vec<Output> {
    feed(machine, Input::Batch { height, prev: hash(height - 1), hash: hash(height) })
}

fn decided(heights: std::ops::RangeInclusive<Height>) -> Vec<Output> {
    heights.map(|height| Output::Decide { height, hash: hash(height) }).collect()
}

fn missing(from_height: Height, to_height: Height) -> Output {
    Output::Missing { from_height, to_height }
}

fn follower() -> Single {
    Single::new(Config { node: 3, orderer: 0 })
}

#[test]
fn only_the_orderer_decides_what_its_own_sequencer_seals() {
    let mut orderer = Single::new(Config { node: 0, orderer: 0 });
    let sealed = Input::Sealed { height: 1, hash: hash(1) };
    assert_eq!(feed(&mut orderer, sealed), decided(1..=1));
    assert!(feed(&mut orderer, sealed).is_empty(), "once");
    assert!(batch(&mut orderer, 1).is_empty(), "its own batch comes back");
    assert!(feed(&mut follower(), sealed).is_empty());
}

#[test]
fn batches_are_decided_in_order_and_once() {
    let mut machine = follower();
    assert_eq!(batch(&mut machine, 1), decided(1..=1));
    assert!(batch(&mut machine, 1).is_empty());
    assert_eq!(batch(&mut machine, 2), decided(2..=2));
    assert_eq!((machine.height(), machine.hash()), (2, hash(2)));
}

#[test]
fn a_gap_is_reported_once_and_filled_in_any_order() {
    let mut machine = follower();
    assert_eq!(batch(&mut machine, 4), [missing(1, 3)]);
    assert!(batch(&mut machine, 5).is_empty());
    assert!(batch(&mut machine, 3).is_empty());
    assert!(batch(&mut machine, 2).is_empty());
    assert_eq!(batch(&mut machine, 1), decided(1..=5));
    assert_eq!(batch(&mut machine, 7), [missing(6, 6)]);
}

#[test]
fn a_batch_that_does_not_link_is_not_taken() {
    let mut machine = follower();
    batch(&mut machine, 1);
    let bad = Input::Batch { height: 2, prev: hash(9), hash: hash(2) };
    assert_eq!(feed(&mut machine, bad), [Output::Broken { height: 2 }, missing(2, 2)]);
    assert_eq!(machine.height(), 1);
    assert_eq!(batch(&mut machine, 2), decided(2..=2), "the right one still can be");
}

#[test]
fn what_is_held_is_bounded_and_what_was_dropped_is_asked_for_again() {
    let mut machine = follower();
    let last = HELD_MAX as Height + 51;
    for height in (2..=last).rev() {
        batch(&mut machine, height);
        assert!(machine.held() <= HELD_MAX);
    }
    let first_dropped = HELD_MAX as Height + 2;
    let out = batch(&mut machine, 1);
    let (gap, decisions) = out.split_last().expect("outputs");
    assert!(decisions == decided(1..=first_dropped - 1), "{} decisions", decisions.len());
    assert_eq!(*gap, missing(first_dropped, last));
}
