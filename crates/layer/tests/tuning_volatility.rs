//! Realised volatility against what is known.

use surgetank_layer::tuning::volatility::Volatility;
use surgetank_layer::units::{MS, SECOND};

#[test]
fn steps_of_a_known_size_give_their_volatility() {
    // ± 0.1 % every half second: √(10⁻⁶ / 0.5 s) = 1,414 ppm per √s.
    let mut seen = Volatility::default();
    for step in 0..400 {
        seen.mark(step * 500 * MS, if step % 2 == 0 { 1_000_000 } else { 1_001_000 });
    }
    let ppm = seen.ppm(400 * 500 * MS);
    assert!((1_300..1_500).contains(&ppm), "{ppm}");
}

#[test]
fn a_still_price_is_forgotten_and_a_first_price_is_no_change() {
    let mut seen = Volatility::default();
    seen.mark(0, 60_000);
    assert_eq!(seen.ppm(0), 0);
    seen.mark(SECOND, 59_400);
    let fresh = seen.ppm(SECOND);
    assert!((4_300..4_600).contains(&fresh), "1 % is √(10⁻⁴ / 5 s) = 4,472, not {fresh}");
    assert!(seen.ppm(60 * SECOND) < fresh / 3);
    assert_eq!(seen.ppm(SECOND), fresh);
}
