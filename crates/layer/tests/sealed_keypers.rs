//! Keypers: asking, shares, keys, time-outs, collusion.

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

const CONFIG: Config =
    Config { keypers: 5, threshold: 3, timeout_ns: 100, retries: 1, open_max: 4 };

struct Rig(Keypers);

impl Rig {
    fn new(config: Config) -> Rig {
        Rig(Keypers::new(config))
    }

    /// What is answered, but for the arming.
    fn at(&mut self, now: Ns, input: Input) -> Vec<Output> {
        let mut outbox = Vec::new();
        self.0.step(now, input, &mut NoDraws, &mut outbox);
        outbox.retain(|output| !matches!(output, Output::Arm { .. }));
        outbox
    }

    fn share(&mut self, now: Ns, batch: BatchNumber, keyper: Keyper) -> Vec<Output> {
        self.at(now, Input::Share { batch, keyper, valid: true })
    }
}

fn refused(batch: BatchNumber, keyper: Keyper, reason: KeyperRefusal) -> Vec<Output> {
    vec![Output::ShareRefused { batch, keyper, reason }]
}

fn asks(batch: BatchNumber, keypers: &[Keyper]) -> Vec<Output> {
    keypers.iter().map(|&keyper| Output::Ask { batch, keyper }).collect()
}

#[test]
fn all_are_asked_once_the_batch_is_sealed() {
    let mut rig = Rig::new(CONFIG);
    assert_eq!(rig.share(0, 1, 0), refused(1, 0, KeyperRefusal::NotSealed));
    assert_eq!(rig.at(5, Input::Sealed { batch: 1 }), asks(1, &[0, 1, 2, 3, 4]));
    let again = Output::BatchRefused { batch: 1, reason: KeyperRefusal::OutOfOrder };
    assert_eq!(rig.at(6, Input::Sealed { batch: 1 }), vec![again]);
}

#[test]
fn any_three_of_five_open_the_batch() {
    let mut rig = Rig::new(CONFIG);
    rig.at(5, Input::Sealed { batch: 1 });
    assert_eq!(rig.share(10, 1, 4), vec![]);
    assert_eq!(rig.share(11, 1, 4), refused(1, 4, KeyperRefusal::Duplicate));
    assert_eq!(rig.share(12, 1, 0), vec![]);
    let key = Output::Key { batch: 1, by: vec![0, 2, 4], after_ns: 25 };
    assert_eq!(rig.share(30, 1, 2), vec![key, Output::Open { batch: 1 }]);
    assert_eq!(rig.share(31, 1, 1), refused(1, 1, KeyperRefusal::TooLate));
}

#[test]
fn a_forged_share_is_reported_by_name_and_does_not_count() {
    let mut rig = Rig::new(CONFIG);
    rig.at(0, Input::Sealed { batch: 1 });
    rig.share(1, 1, 0);
    rig.share(1, 1, 1);
    let forged = Input::Share { batch: 1, keyper: 3, valid: false };
    assert_eq!(rig.at(2, forged), refused(1, 3, KeyperRefusal::Forged));
    assert_eq!(rig.share(2, 1, 5), refused(1, 5, KeyperRefusal::UnknownKeyper));
    // It may still send a good one.
    assert_eq!(rig.share(3, 1, 3).last(), Some(&Output::Open { batch: 1 }));
}

#[test]
fn the_silent_are_asked_again_and_then_the_batch_is_skipped() {
    let mut rig = Rig::new(CONFIG);
    rig.at(0, Input::Sealed { batch: 1 });
    rig.share(1, 1, 0);
    rig.share(1, 1, 3);
    assert_eq!(rig.at(99, Input::Timer), vec![]);
    let silent = vec![1, 2, 4];
    let deferred = vec![Output::Deferred { batch: 1, silent: silent.clone() }];
    assert_eq!(rig.at(100, Input::Timer), [deferred, asks(1, &silent)].concat());
    assert_eq!(rig.at(199, Input::Timer), vec![]);
    assert_eq!(rig.at(200, Input::Timer), vec![Output::Skipped { batch: 1, silent }]);
    assert_eq!(rig.share(201, 1, 1), refused(1, 1, KeyperRefusal::TooLate));
}

#[test]
fn a_late_share_within_the_second_asking_opens_it() {
    let mut rig = Rig::new(CONFIG);
    rig.at(0, Input::Sealed { batch: 1 });
    rig.share(1, 1, 0);
    rig.share(1, 1, 3);
    rig.at(100, Input::Timer);
    let key = Output::Key { batch: 1, by: vec![0, 1, 3], after_ns: 150 };
    assert_eq!(rig.share(150, 1, 1), vec![key, Output::Open { batch: 1 }]);
}

#[test]
fn batches_open_in_their_order() {
    let mut rig = Rig::new(Config { retries: 0, ..CONFIG });
    rig.at(0, Input::Sealed { batch: 1 });
    rig.at(50, Input::Sealed { batch: 2 });
    rig.at(50, Input::Sealed { batch: 3 });
    (0..2).for_each(|keyper| drop(rig.share(51, 2, keyper)));
    let key = Output::Key { batch: 2, by: vec![0, 1, 2], after_ns: 2 };
    assert_eq!(rig.share(52, 2, 2), vec![key]);
    let skipped = Output::Skipped { batch: 1, silent: vec![0, 1, 2, 3, 4] };
    assert_eq!(rig.at(100, Input::Timer), vec![skipped, Output::Open { batch: 2 }]);
}

#[test]
fn no_more_batches_are_in_progress_than_may_be() {
    let mut rig = Rig::new(Config { open_max: 2, ..CONFIG });
    rig.at(0, Input::Sealed { batch: 1 });
    rig.at(0, Input::Sealed { batch: 2 });
    let refused = Output::BatchRefused { batch: 3, reason: KeyperRefusal::TooManyOpen };
    assert_eq!(rig.at(0, Input::Sealed { batch: 3 }), vec![refused]);
    (0..3).for_each(|keyper| drop(rig.share(1, 1, keyper)));
    assert_eq!(rig.at(2, Input::Sealed { batch: 3 }).len(), 5);
}

#[test]
fn as_many_colluding_keypers_as_open_a_batch_read_it_before_it_is_sealed() {
    let mut rig = Rig::new(CONFIG);
    let arrived = |id| Input::Arrived { batch: 1, id };
    let collude = |keyper, joins| Input::Collude { keyper, joins };
    for keyper in [0, 4, 4, 9] {
        assert_eq!(rig.at(0, collude(keyper, true)), vec![]);
    }
    assert_eq!(rig.at(0, arrived(7)), vec![]);
    assert_eq!(rig.at(0, collude(2, true)), vec![Output::Collusion { can_read: true }]);
    assert_eq!(rig.at(0, arrived(8)), vec![Output::ReadEarly { batch: 1, id: 8 }]);
    rig.at(1, Input::Sealed { batch: 1 });
    assert_eq!(rig.at(2, arrived(9)), vec![]);
    assert_eq!(rig.at(3, collude(4, false)), vec![Output::Collusion { can_read: false }]);
}

#[test]
fn it_arms_for_the_first_time_out() {
    let mut rig = Rig::new(CONFIG);
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
    /// Every batch is opened or skipped exactly once, in order; a key has t different keypers.
    #[test]
    fn every_batch_is_decided_once(
        steps in prop::collection::vec(
            (0..40u64, 0..12u8, 0..4u64, 0..6u32, any::<bool>()),
            1..150,
        ),
    ) {
        let mut rig = Rig::new(CONFIG);
        let (mut now, mut sealed, mut decided, mut opened) = (0, 0, Vec::new(), Vec::new());
        let mut keys = std::collections::BTreeSet::new();
        let mut check = |outputs: Vec<Output>| {
            for output in outputs {
                match output {
                    Output::Key { batch, by, .. } => {
                        assert_eq!(by.len(), 3);
                        assert!(keys.insert(batch));
                    }
                    Output::Open { batch } => {
                        assert!(keys.contains(&batch));
                        opened.push(batch);
                        decided.push(batch);
                    }
                    Output::Skipped { batch, .. } => {
                        assert!(!keys.contains(&batch));
                        decided.push(batch);
                    }
                    _ => {}
                }
            }
        };
        for (gap, kind, back, keyper, valid) in steps {
            now += gap;
            let outputs = match kind {
                0 | 1 => {
                    let outputs = rig.at(now, Input::Sealed { batch: sealed + 1 });
                    let refused = |o: &Output| matches!(o, Output::BatchRefused { .. });
                    sealed += u64::from(!outputs.iter().any(refused));
                    outputs
                }
                _ => {
                    let batch = (sealed + 1).saturating_sub(back);
                    rig.at(now, Input::Share { batch, keyper, valid })
                }
            };
            check(outputs);
        }
        check(rig.at(now + 100, Input::Timer));
        check(rig.at(now + 200, Input::Timer));
        prop_assert!(opened.is_sorted());
        decided.sort_unstable();
        prop_assert_eq!(decided, (1..=sealed).collect::<Vec<_>>());
    }
}
