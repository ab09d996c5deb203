//! Streams: reproducible, independent by seed, name and index.

use crate::numbers;

use numbers::Estimate;
use surgetank_lab::seed::{Seed, packet_bits, unit};
use surgetank_layer::machine::Draws;

fn first(seed: u64, name: &str, index: u64) -> Vec<u64> {
    let mut stream = Seed::new(seed).stream(name, index);
    (0..100).map(|_| stream.next_u64()).collect()
}

#[test]
fn a_stream_is_named_by_seed_name_and_index() {
    let one = first(1, "flow", 0);
    assert_eq!(one, first(1, "flow", 0));
    for other in [first(2, "flow", 0), first(1, "flow", 1), first(1, "flop", 0), first(1, "", 0)] {
        assert!(one.iter().zip(&other).all(|(a, b)| a != b));
    }
}

#[test]
fn a_stream_does_not_notice_another() {
    let seed = Seed::new(3);
    let mut alone = seed.stream("a", 0);
    let wanted: Vec<u64> = (0..50).map(|_| alone.next_u64()).collect();
    let (mut among, mut added) = (seed.stream("a", 0), seed.stream("b", 0));
    let found = (0..50).map(|_| {
        added.next_u64();
        among.next_u64()
    });
    assert_eq!(found.collect::<Vec<_>>(), wanted);
}

#[test]
fn keys_differ_by_name_and_seed() {
    assert_eq!(Seed::new(1).key("loss"), Seed::new(1).key("loss"));
    assert_ne!(Seed::new(1).key("loss"), Seed::new(1).key("jitter"));
    assert_ne!(Seed::new(1).key("loss"), Seed::new(2).key("loss"));
}

/// SplitMix64 from state 0 begins with these (its authors' reference C program, as printed in
/// many test suites); number n is its (n + 1)-th output.
#[test]
fn packet_bits_are_splitmix64() {
    let wanted = [0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4, 0x06C4_5D18_8009_454F];
    assert_eq!([0, 1, 2].map(|number| packet_bits(0, number)), wanted);
}

#[test]
fn packets_are_uniform_and_neighbours_uncorrelated() {
    let key = Seed::new(4).key("test");
    let n = 200_000;
    let units: Vec<f64> = (0..n).map(|number| unit(packet_bits(key, number))).collect();
    assert!(units.iter().all(|u| (0.0..1.0).contains(u)));
    Estimate::of(&units).holds(0.5, "mean");
    let centred: Vec<f64> = units.iter().map(|u| u - 0.5).collect();
    Estimate::of(&centred.iter().map(|c| c * c).collect::<Vec<_>>()).holds(1.0 / 12.0, "variance");
    let neighbours: Vec<f64> = centred.windows(2).map(|pair| pair[0] * pair[1]).collect();
    Estimate::of(&neighbours).holds(0.0, "correlation of neighbours");
    // Two keys one apart, as two loss faults have.
    let twins = (0..n).map(|number| {
        (unit(packet_bits(key, number)) - 0.5) * (unit(packet_bits(key + 1, number)) - 0.5)
    });
    Estimate::of(&twins.collect::<Vec<_>>()).holds(0.0, "correlation of keys");
}
