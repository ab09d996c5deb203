//! Mutated configurations: refused or taken, and never a panic.

use surgetank_serve::config::Config;
use surgetank_venue::venue::Venue;

use crate::started::{CONNECTIONS, genesis, text};

const PIECES: [&str; 16] = [
    "-1",
    "0",
    "1e400",
    "18446744073709551616",
    "null",
    "[]",
    "{}",
    "\"\"",
    "\"priority high=\"",
    "\"drr\"",
    "true",
    "NaN",
    ":",
    ",",
    "}",
    "\"hash\"",
];

/// A number from the environment (`make soak` sets it), or a few.
fn executions() -> u64 {
    let asked = std::env::var("SURGETANK_FUZZ").ok();
    asked.map_or(2_000, |text| text.parse::<u64>().expect("a whole number") / 100)
}

#[test]
fn no_mutated_configuration_panics() {
    let whole = text(CONNECTIONS);
    // Places at which a value begins or ends.
    let places: Vec<usize> =
        whole.char_indices().filter(|(_, one)| ":,}{".contains(*one)).map(|(at, _)| at).collect();
    let (mut taken, mut refused) = (0, 0);
    for seed in 0..executions() {
        let mut draws = fastrand::Rng::with_seed(seed);
        let mut mutated = whole.clone();
        for _ in 0..draws.usize(1..3) {
            let from = draws.usize(0..places.len() - 1);
            let (begin, end) = (places[from] + 1, places[from + 1]);
            let piece = PIECES[draws.usize(..PIECES.len())];
            if end <= mutated.len() && mutated.is_char_boundary(begin) {
                mutated.replace_range(begin..end.max(begin), piece);
            }
        }
        let config = Config::from_json(&mutated);
        match config.and_then(|config| config.of_venue(genesis(), [1; 16])) {
            Ok(config) => {
                taken += 1;
                drop(Venue::new(config));
            }
            Err(says) => {
                refused += 1;
                assert!(!says.is_empty(), "seed {seed}");
            }
        }
    }
    assert!(taken > 0 && refused > 0, "{taken} taken, {refused} refused");
}
