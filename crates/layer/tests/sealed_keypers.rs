//! Keypers: shares, keys, time-outs, the order in which batches open.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use surgetank_layer::machine::{Draws, Machine};
use surgetank_layer::sealed::keypers::*;
use surgetank_layer::units::*;

struct NoDraws;

impl Draws for NoDraws {
    fn next_u64(&mut self) -> u64 {
        unreachable!("keypers draw nothing")
    }
}

const CONFIG: Config = Config { keypers: 5, threshold: 3, timeout_ns: 100 };

struct Rig(Keypers);

impl Rig {
    fn new() -> Rig {
        Rig(Keypers::new(CONFIG))
    }

    /// All outputs but the arming.
    fn at(&mut self, now: Ns, input: Input) -> Vec<Output> {
        let mut outbox = Vec::new();
        self.0.step(now, input, &mut NoDraws, &mut outbox);
        outbox.retain(|output| !matches!(output, Output::Arm { .. }));
        outbox
    }

    fn share(&mut self, now: Ns, batch: BatchNumber, keyper: Keyper) -> Vec<Output> {
        self.at(now, Input::Share { batch, keyper })
    }
}

#[test]
fn any_three_of_five_open_the_batch() {
    let mut rig = Rig::new();
    assert_eq!(rig.at(5, Input::Sealed { batch: 1 }), []);
    assert_eq!(rig.share(10, 1, 4), []);
    assert_eq!(rig.share(11, 1, 4), [], "a keyper's share counts once");
    assert_eq!(rig.share(12, 1, 0), []);
    assert_eq!(rig.share(13, 1, 5), [], "there is no keyper of this number");
    assert_eq!(rig.share(30, 1, 2), [Output::Open { batch: 1 }]);
    assert_eq!(rig.share(31, 1, 1), [], "it is open");
}

#[test]
fn keypers_are_asked_again_until_the_batch_opens() {
    let mut rig = Rig::new();
    rig.at(0, Input::Sealed { batch: 1 });
    rig.share(1, 1, 0);
    rig.share(1, 1, 3);
    assert_eq!(rig.at(99, Input::Timer), []);
    assert_eq!(rig.at(100, Input::Timer), [Output::AskAgain { batch: 1 }]);
    assert_eq!(rig.at(199, Input::Timer), []);
    assert_eq!(rig.at(200, Input::Timer), [Output::AskAgain { batch: 1 }]);
    assert_eq!(rig.share(250, 1, 1), [Output::Open { batch: 1 }]);
    assert_eq!(rig.at(300, Input::Timer), []);
}

#[test]
fn batches_open_in_their_order() {
    let mut rig = Rig::new();
    for (now, batch) in [(0, 1), (50, 2), (50, 3)] {
        rig.at(now, Input::Sealed { batch });
    }
    assert!((0..3).all(|keyper| rig.share(51, 2, keyper).is_empty()), "1 is not open");
    assert!((0..2).all(|keyper| rig.share(52, 1, keyper).is_empty()));
    let both = [Output::Open { batch: 1 }, Output::Open { batch: 2 }];
    assert_eq!(rig.share(60, 1, 4), both, "and 3 has no key");
}

#[test]
fn it_arms_for_the_first_time_out() {
    let mut rig = Rig::new();
    let mut armed = |now, input| {
        let mut outbox = Vec::new();
        rig.0.step(now, input, &mut NoDraws, &mut outbox);
        outbox.iter().find_map(|output| match *output {
            Output::Arm { at_ns } => Some(at_ns),
            _ => None,
        })
    };
    assert_eq!(armed(0, Input::Timer), None);
    assert_eq!(armed(0, Input::Sealed { batch: 1 }), Some(100));
    assert_eq!(armed(40, Input::Sealed { batch: 2 }), None);
    assert_eq!(armed(100, Input::Timer), Some(140));
    assert_eq!(armed(140, Input::Timer), Some(200));
}

#[test]
#[should_panic(expected = "threshold 6 must be in 1..=5")]
fn the_threshold_must_be_reachable() {
    Keypers::new(Config { threshold: 6, ..CONFIG });
}

proptest! {
    /// Every batch opens once, in order, and not before three keypers have sent their shares of it.
    /// One that is pending is asked for again.
    #[test]
    fn every_batch_opens_once_and_in_order(
        steps in prop::collection::vec((0..40u64, 0..12u8, 0..4u64, 0..6u32), 1..150),
    ) {
        let mut rig = Rig::new();
        let (mut now, mut sealed) = (0, 0);
        let mut opened: Vec<BatchNumber> = Vec::new();
        let mut sent: BTreeMap<BatchNumber, BTreeSet<Keyper>> = BTreeMap::new();
        let mut check = |outputs: Vec<Output>, sent: &BTreeMap<BatchNumber, BTreeSet<Keyper>>| {
            for output in outputs {
                if let Output::Open { batch } = output {
                    assert!(sent[&batch].len() >= 3, "{batch}: {:?}", sent[&batch]);
                    opened.push(batch);
                }
            }
        };
        for (gap, kind, back, keyper) in steps {
            now += gap;
            let outputs = if kind < 2 {
                sealed += 1;
                rig.at(now, Input::Sealed { batch: sealed })
            } else {
                let batch = (sealed + 1).saturating_sub(back);
                if keyper < 5 && (1..=sealed).contains(&batch) {
                    sent.entry(batch).or_default().insert(keyper);
                }
                rig.share(now, batch, keyper)
            };
            check(outputs, &sent);
        }
        // The others answer the repeated requests.
        let asked: Vec<Output> = rig.at(now + 100, Input::Timer);
        for output in asked {
            let Output::AskAgain { batch } = output else { continue };
            for keyper in 0..5 {
                sent.entry(batch).or_default().insert(keyper);
                check(rig.share(now + 100, batch, keyper), &sent);
            }
        }
        prop_assert_eq!(opened, (1..=sealed).collect::<Vec<_>>());
    }
}
