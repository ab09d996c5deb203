//! Bounds and decisions: whatever a controller wishes, settings stay inside, and decisions replay.

use proptest::prelude::*;
use surgetank_layer::tuning::bounded::{Bounded, Fixed};
use surgetank_layer::tuning::{
    Bounds, Change, Controller, Knob, Observation, Parameter, Recommendation, Setting, Why,
};

fn setting(batch_messages_max: u32, window_ns: u64, admission_limit: u32, lane: u8) -> Setting {
    Setting { batch_messages_max, window_ns, admission_limit, lane_weights: [lane; 8] }
}

/// Recommends the given settings, the last one first.
struct Scripted(Vec<Setting>);

impl Controller for Scripted {
    fn control(&mut self, seen: &Observation, _: &Setting, _: &Bounds) -> Recommendation {
        let setting = self.0.pop().expect("enough settings");
        Recommendation { setting, why: Why::Outside, on: seen.served }
    }
}

#[test]
fn a_decision_says_what_from_to_why_and_on_what() {
    let bounds = Bounds::new(setting(10, 0, 5, 1), setting(100, 50, 50, 9));
    let recommended = Setting { batch_messages_max: 101, window_ns: 20, ..setting(20, 40, 9, 2) };
    let mut bounded = Bounded::new(Scripted(vec![recommended]), bounds, &setting(20, 40, 9, 2));
    let mut decisions = Vec::new();
    bounded.observe(&Observation { now: 7, served: 3, ..Observation::default() }, &mut decisions);
    let decision = |knob, from, to, clamped| Change {
        parameter: Parameter::Knob(knob),
        from,
        to,
        why: Why::Outside,
        on: 3,
        clamped,
    };
    let expected =
        [decision(Knob::BatchMessagesMax, 20, 100, true), decision(Knob::WindowNs, 40, 20, false)];
    assert_eq!(decisions, expected);
}

#[test]
#[should_panic(expected = "outside the bounds")]
fn the_first_setting_is_inside_too() {
    let bounds = Bounds::new(setting(10, 5, 5, 2), setting(100, 50, 50, 9));
    Bounded::new(Fixed, bounds, &setting(20, 60, 7, 2));
}

#[test]
fn a_decision_out_of_order_changes_nothing() {
    let (knob, why) = (Knob::LaneWeight(7), Why::Outside);
    let decision =
        Change { parameter: Parameter::Knob(knob), from: 3, to: 4, why, on: 0, clamped: false };
    let mut set = setting(20, 40, 9, 2);
    assert!(!set.replay(&decision));
    assert_eq!(set, setting(20, 40, 9, 2));
}

#[test]
fn codes_are_places() {
    let codes = Knob::ALL.map(Knob::code);
    assert_eq!(codes, std::array::from_fn(|place| place as u8));
}

#[test]
#[should_panic(expected = "nothing would pass")]
fn bounds_that_let_nothing_pass_are_refused() {
    Bounds::new(setting(1, 0, 0, 1), setting(9, 9, 9, 9));
}

#[test]
#[should_panic(expected = "above its most")]
fn bounds_the_wrong_way_round_are_refused() {
    Bounds::new(setting(1, 10, 1, 1), setting(9, 9, 9, 9));
}

fn settings() -> impl Strategy<Value = Setting> {
    let small = (0u32..50, 0u64..50, 0u32..50, prop::array::uniform8(0u8..9));
    let any = (any::<u32>(), any::<u64>(), any::<u32>(), any::<[u8; 8]>());
    prop_oneof![small, any].prop_map(|(batch_messages_max, window_ns, admission_limit, lanes)| {
        Setting { batch_messages_max, window_ns, admission_limit, lane_weights: lanes }
    })
}

/// Any bounds: the lesser number of each knob, at least 1, and the greater one.
fn bounds() -> impl Strategy<Value = Bounds> {
    (settings(), settings()).prop_map(|(one, other)| {
        let (mut least, mut most) = (one, one);
        for knob in Knob::ALL {
            least.set(knob, one.get(knob).min(other.get(knob)).max(1));
            most.set(knob, one.get(knob).max(other.get(knob)).max(1));
        }
        Bounds::new(least, most)
    })
}

proptest! {
    /// Whatever is wished, no setting leaves its bounds; a decision is a change, is marked if the
    /// wish went further, and all decisions in order replay the run.
    #[test]
    fn settings_stay_inside_and_decisions_replay(
        bounds in bounds(),
        first in settings(),
        wishes in prop::collection::vec(settings(), 1..20),
    ) {
        let first = bounds.clamp(&first);
        let mut bounded = Bounded::new(Scripted(wishes.iter().rev().copied().collect()), bounds, &first);
        let mut replayed = *bounded.setting();
        for recommendation in wishes {
            let mut decisions = Vec::new();
            bounded.observe(&Observation::default(), &mut decisions);
            for decision in decisions {
                prop_assert_ne!(decision.from, decision.to);
                let Parameter::Knob(knob) = decision.parameter else { unreachable!() };
                prop_assert_eq!(decision.clamped, recommendation.get(knob) != decision.to);
                prop_assert!(replayed.replay(&decision));
                prop_assert!(!replayed.replay(&decision), "a decision does not follow itself");
            }
            prop_assert_eq!(&replayed, bounded.setting());
            for knob in Knob::ALL {
                let (value, recommended) = (replayed.get(knob), recommendation.get(knob));
                let (least, most) = (bounds.least().get(knob), bounds.most().get(knob));
                prop_assert!((least..=most).contains(&value));
                prop_assert!(value == recommended || value == least || value == most);
            }
        }
    }
}
