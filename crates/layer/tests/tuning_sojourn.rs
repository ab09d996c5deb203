//! The sojourn controller: when it steps, what a step does, and that it comes to rest.

use surgetank_layer::tuning::bounded::Bounded;
use surgetank_layer::tuning::sojourn::{Config, Sojourn};
use surgetank_layer::tuning::{Bounds, Change, Knob, Observation, Parameter, Setting, Why};
use surgetank_layer::units::{MS, Ns, SECOND};

const CONFIG: Config = Config { target_ns: 10 * MS, interval_ns: 100 * MS, essential: 0b0110 };
const REST: Setting = Setting {
    batch_messages_max: 16,
    window_ns: 20 * MS,
    admission_limit: 80,
    lane_weights: [8, 8, 8, 1, 2, 1, 1, 1],
};

fn bounds() -> Bounds {
    let least = Setting {
        batch_messages_max: 4,
        window_ns: 5 * MS,
        admission_limit: 10,
        lane_weights: [1; 8],
    };
    let most = Setting { batch_messages_max: 64, admission_limit: 100, ..REST };
    Bounds::new(least, Setting { window_ns: SECOND, ..most })
}

fn start() -> Bounded<Sojourn> {
    Bounded::new(Sojourn::new(CONFIG, REST), bounds(), &REST)
}

/// What is decided at `now` on a standing sojourn.
fn decide(bounded: &mut Bounded<Sojourn>, now: Ns, sojourn_min_ns: Ns) -> Vec<Change> {
    let seen = Observation {
        now,
        reducing_served: 9,
        reducing_min_ns: sojourn_min_ns,
        ..Observation::default()
    };
    let mut changes = Vec::new();
    bounded.observe(&seen, &mut changes);
    changes
}

/// Millisecond by millisecond: steps at 100 ms · Σ 1/√i after the first sojourn above target.
#[test]
fn it_steps_by_codels_law() {
    let mut bounded = start();
    let stepped: Vec<Ns> =
        (0..400).filter(|&ms| !decide(&mut bounded, ms * MS, 10 * MS).is_empty()).collect();
    assert_eq!(stepped, [100, 200, 271, 329, 379]);
}

#[test]
fn a_step_gives_capacity_and_throttles_what_is_not_essential() {
    let mut bounded = start();
    decide(&mut bounded, 0, 12 * MS);
    let decisions = decide(&mut bounded, 100 * MS, 12 * MS);
    let changes: Vec<_> = decisions.iter().map(|d| (d.parameter, d.from, d.to)).collect();
    let expected = [
        (Parameter::Knob(Knob::BatchMessagesMax), 16, 20),
        (Parameter::Knob(Knob::WindowNs), 20 * MS, 15 * MS),
        (Parameter::Knob(Knob::LaneWeight(0)), 8, 4),
        (Parameter::Knob(Knob::LaneWeight(4)), 2, 1),
    ];
    assert_eq!(changes, expected);
    let why = |d: &Change| (d.why, d.on, d.clamped);
    assert!(decisions.iter().all(|d| why(d) == (Why::SojournAbove, 12 * MS, false)));
}

#[test]
fn admission_is_lowered_only_when_capacity_is_spent() {
    let mut bounded = start();
    let mut spent_at = None;
    for ms in 0..2_000 {
        let before = *bounded.setting();
        let spent = before.batch_messages_max == 64 && before.window_ns == 5 * MS;
        let lowered = decide(&mut bounded, ms * MS, SECOND)
            .iter()
            .any(|d| d.parameter == Parameter::Knob(Knob::AdmissionLimit) && d.to < d.from);
        assert!(spent || !lowered);
        spent_at = spent_at.or(lowered.then_some(ms));
    }
    assert!(spent_at.is_some());
    let least = Setting { lane_weights: [1, 8, 8, 1, 1, 1, 1, 1], ..*bounds().least() };
    let worst = Setting { batch_messages_max: 64, ..least };
    assert_eq!(*bounded.setting(), worst, "and then to its bound, essential lanes kept");
}

#[test]
fn it_relaxes_to_rest_and_admission_comes_back_first() {
    let mut bounded = start();
    for ms in 0..2_000 {
        decide(&mut bounded, ms * MS, SECOND);
    }
    let mut now = 2 * SECOND;
    let mut steps = 0;
    while *bounded.setting() != REST {
        let before = *bounded.setting();
        now += 100 * MS;
        for decision in decide(&mut bounded, now, 5 * MS - 1) {
            assert_eq!(decision.why, Why::SojournBelow);
            let admission = decision.parameter == Parameter::Knob(Knob::AdmissionLimit);
            assert_eq!(admission, before.admission_limit < REST.admission_limit);
        }
        steps += 1;
        assert!(steps < 100, "{:?}", bounded.setting());
    }
    assert!((0..50).all(|n| decide(&mut bounded, now + n * 100 * MS, 0).is_empty()));
}

#[test]
fn it_relaxes_one_step_per_interval() {
    let mut bounded = start();
    decide(&mut bounded, 0, SECOND);
    assert!(!decide(&mut bounded, 100 * MS, SECOND).is_empty());
    let relaxed: Vec<Ns> =
        (101..500).filter(|&ms| !decide(&mut bounded, ms * MS, 0).is_empty()).collect();
    assert_eq!(relaxed, [201, 301, 401]);
}

#[test]
fn between_half_the_target_and_the_target_nothing_moves() {
    let mut bounded = start();
    decide(&mut bounded, 0, SECOND);
    assert!(!decide(&mut bounded, 100 * MS, SECOND).is_empty());
    for ms in 101..3_000 {
        let sojourn_ns = if ms % 2 == 0 { 5 * MS } else { 10 * MS - 1 };
        assert!(decide(&mut bounded, ms * MS, sojourn_ns).is_empty());
    }
}

/// Nothing served is not nothing waiting; and a block's own time is no one's wait.
#[test]
fn a_stall_counts_as_what_stands_before_a_newcomer() {
    let stalled = Observation { ahead_ns: SECOND, ..Observation::default() };
    assert_eq!(stalled.standing_ns(), SECOND);
    assert_eq!(Observation { ahead_ns: 0, backlog_ns: SECOND, ..stalled }.standing_ns(), 0);
    let served = Observation { reducing_served: 1, reducing_min_ns: SECOND / 2, ..stalled };
    assert_eq!(served.standing_ns(), SECOND / 2);
    let agreed = Observation { block_interval_ns: 400 * MS, ..served };
    assert_eq!(agreed.standing_ns(), 100 * MS);
}
