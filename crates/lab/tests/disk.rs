//! The storage machine on simulated disks.
//!
//! `SURGETANK_DISKS=n` runs more or fewer of them, from seed `SURGETANK_DISKS_FIRST` on;
//! `SURGETANK_SEED=n` runs one.

use surgetank_lab::disk::world::{DiskHost, Outcome, crash_after, run};
use surgetank_venue::storage::{Config, Storage};

const SEEDS: u64 = 600;
/// Crashes after each number of effects below this.
const CRASHES: u64 = 120;

fn storage(config: Config) -> Box<DiskHost> {
    Box::new(Storage::new(config))
}

fn runs(seeds: std::ops::Range<u64>) -> Outcome {
    let mut sum = Outcome::default();
    let mut broken = Vec::new();
    for seed in seeds {
        let outcome = match run(seed, &storage) {
            Ok(outcome) => outcome,
            Err(violation) => {
                eprintln!("seed {seed}: {violation:?}");
                broken.push(seed);
                continue;
            }
        };
        sum.recovered += outcome.recovered;
        sum.refused += outcome.refused;
        sum.torn += outcome.torn;
        sum.records += outcome.records;
        sum.full += outcome.full;
        sum.restored += outcome.restored;
        sum.faults.add(outcome.faults);
    }
    assert!(broken.is_empty(), "{} of these runs: {broken:?}", broken.len());
    sum
}

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a whole number"))
}

#[test]
fn nothing_durable_is_lost_and_nothing_whole_is_refused() {
    if let Some(seed) = number("SURGETANK_SEED") {
        println!("{:?}", runs(seed..seed + 1));
        return;
    }
    let first = number("SURGETANK_DISKS_FIRST").unwrap_or(0);
    let count = number("SURGETANK_DISKS").unwrap_or(SEEDS);
    let sum = runs(first..first + count);
    println!("{count} disks from seed {first}: {sum:?}");
    // The runs must have been through what they are for.
    let Outcome { recovered, refused, torn, records, full, restored, faults } = sum;
    assert!(recovered > 300 && records > 3000, "{sum:?}");
    assert!(refused > 5 && torn > 20 && full > 20 && restored > 50, "{sum:?}");
    let never: Vec<_> = faults.named().into_iter().filter(|(_, count)| *count == 0).collect();
    assert!(never.is_empty(), "{sum:?}");
}

#[test]
fn a_crash_after_any_effect_loses_nothing_durable() {
    // The second half of a long first life begins segments, takes snapshots and archives.
    for effects in (0..CRASHES).chain((CRASHES..8 * CRASHES).step_by(7)) {
        for seed in number("SURGETANK_SEED").map_or(0..4, |seed| seed..seed + 1) {
            let outcome = crash_after(Some(effects), seed, &storage);
            outcome.unwrap_or_else(|broken| panic!("{effects} effects, seed {seed}: {broken:?}"));
        }
    }
}

/// Seeds in which machines of earlier commits have failed: a slot had covered the record that it
/// certifies; a segment not yet begun had a foreign slot; a tail that was cut came back; a header was
/// believed that stood in the cache only, since its sync had failed.
const RARE: [u64; 7] = [25_104, 49_770, 49_959, 54_334, 89_806, 91_253, 97_618];

#[test]
fn seeds_that_once_failed_hold() {
    RARE.into_iter().for_each(|seed| _ = runs(seed..seed + 1));
}
