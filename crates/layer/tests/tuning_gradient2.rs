//! Gradient2 against its formula, worked out and transcribed.

use proptest::prelude::*;
use surgetank_layer::tuning::gradient2::{Config, Gradient2};
use surgetank_layer::tuning::{Bounds, Controller, Observation, Setting, Why};
use surgetank_layer::units::{MS, Ns};

const FIRST: Setting =
    Setting { batch_messages_max: 10, window_ns: 0, admission_limit: 20, lane_weights: [1; 8] };

fn bounds() -> Bounds {
    Bounds::new(FIRST, Setting { admission_limit: 200, ..FIRST })
}

fn limit(controller: &mut Gradient2, sojourn_mean_ns: Ns, inflight: u32) -> u32 {
    let seen = Observation { served: 100, sojourn_mean_ns, inflight, ..Observation::default() };
    let recommendation = controller.control(&seen, &FIRST, &bounds());
    assert_eq!((recommendation.why, recommendation.on), (Why::Gradient, sojourn_mean_ns));
    recommendation.setting.admission_limit
}

/// At a steady sojourn the gradient is 1 and the limit grows by s · q = 0.8 a sample, to the most.
#[test]
fn a_steady_sojourn_lets_the_limit_grow() {
    let mut controller = Gradient2::new(Config::default(), 20);
    let limits: Vec<u32> = (0..6).map(|_| limit(&mut controller, MS, 200)).collect();
    assert_eq!(limits, [20, 21, 22, 23, 24, 24]);
    assert_eq!((0..300).map(|_| limit(&mut controller, MS, 200)).last(), Some(200));
}

/// Ten samples of 1 ms, then 3 ms: the long mean is 1 ms + 2/601 · 2 ms, g = 1.5 · 1.00666/3 =
/// 0.50333, L = 0.8 · 28 + 0.2 · (0.50333 · 28 + 4) = 26.02; at 9 ms g is held at 1/2.
#[test]
fn a_rising_sojourn_shrinks_it_by_the_gradient() {
    let mut controller = Gradient2::new(Config::default(), 20);
    let calm = (0..10).map(|_| limit(&mut controller, MS, 200)).last();
    assert_eq!(calm, Some(28));
    assert_eq!(limit(&mut controller, 3 * MS, 200), 26);
    // 26.02 → 0.9 · 26.02 + 0.8 = 24.22 → 22.6 → 21.1 → 20 (the least).
    let falls: Vec<u32> = (0..5).map(|_| limit(&mut controller, 9 * MS, 200)).collect();
    assert_eq!(falls, [24, 22, 21, 20, 20]);
}

/// Within the tolerance of 1.5 it does not shrink.
#[test]
fn half_as_much_again_is_tolerated() {
    let mut controller = Gradient2::new(Config::default(), 40);
    let before = (0..10).map(|_| limit(&mut controller, 2 * MS, 200)).max();
    assert!(Some(limit(&mut controller, 3 * MS, 200)) >= before);
}

#[test]
fn a_limit_that_is_not_used_does_not_grow() {
    let mut controller = Gradient2::new(Config::default(), 40);
    assert!((0..50).all(|_| limit(&mut controller, MS, 19) == 20), "the setting stays as it is");
    assert_eq!(limit(&mut controller, MS, 20), 40);
}

#[test]
fn too_few_messages_or_noise_are_no_sample() {
    let mut controller = Gradient2::new(Config::default(), 40);
    let few =
        Observation { served: 9, sojourn_mean_ns: MS, inflight: 99, ..Observation::default() };
    let noise = Observation { served: 10, sojourn_mean_ns: 99_999, ..few };
    for seen in [few, noise] {
        assert_eq!(controller.control(&seen, &FIRST, &bounds()).setting, FIRST);
    }
    let sample = Observation { served: 10, sojourn_mean_ns: 100_000, ..few };
    assert_ne!(controller.control(&sample, &FIRST, &bounds()).setting, FIRST);
}

/// The published formula, written down once more.
struct Published {
    limit: f64,
    long: f64,
    sum: f64,
    count: u32,
}

impl Published {
    fn update(&mut self, short: f64, inflight: f64) -> u32 {
        if self.count < 10 {
            self.count += 1;
            self.sum += short;
            self.long = self.sum / f64::from(self.count);
        } else {
            let factor = 2.0 / 601.0;
            self.long = self.long * (1.0 - factor) + short * factor;
        }
        let long = self.long;
        if long / short > 2.0 {
            self.long *= 0.95;
        }
        if inflight >= self.limit / 2.0 {
            let gradient = (1.5 * long / short).clamp(0.5, 1.0);
            let new = self.limit * gradient + 4.0;
            let new = self.limit * 0.8 + new * 0.2;
            self.limit = new.clamp(20.0, 200.0);
        }
        self.limit as u32
    }
}

proptest! {
    /// The same limits, whatever the samples.
    #[test]
    fn agrees_with_the_published_formula(
        samples in prop::collection::vec((MS / 2..20 * MS, 0u32..250), 1..80),
    ) {
        let mut controller = Gradient2::new(Config::default(), 20);
        let mut published = Published { limit: 20.0, long: 0.0, sum: 0.0, count: 0 };
        let mut set = FIRST;
        for (sojourn_mean_ns, inflight) in samples {
            let seen =
                Observation { served: 10, sojourn_mean_ns, inflight, ..Observation::default() };
            set = controller.control(&seen, &set, &bounds()).setting;
            let expected = published.update(sojourn_mean_ns as f64, f64::from(inflight));
            prop_assert_eq!(set.admission_limit, expected);
        }
    }
}
