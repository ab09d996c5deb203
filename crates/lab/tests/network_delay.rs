//! Delays of links and the jitter of packets.

use crate::numbers;

use numbers::Estimate;
use surgetank_lab::network::{Delays, Graph};
use surgetank_lab::scenario::{Delay, Topology};
use surgetank_lab::seed::{Seed, packet_bits};
use surgetank_layer::units::MS;

fn graph(nodes: u32) -> Graph {
    Graph::build(&Topology::Full {}, nodes, None, &mut Seed::new(1).stream("topology", 0)).unwrap()
}

fn delays(model: &Delay, nodes: u32, seed: u64) -> Delays {
    Delays::new(model, &graph(nodes), &mut Seed::new(seed).stream("delay", 0))
}

fn samples(delays: &Delays, mean: u64) -> Vec<f64> {
    (0..100_000).map(|i| delays.sample(mean, packet_bits(9, i)) as f64).collect()
}

fn regions(placement: Vec<u32>) -> Delay {
    let names = ["a", "b"].map(String::from).to_vec();
    let matrix_ms = vec![vec![99.0, 40.0], vec![60.0, 99.0]];
    Delay::Regions { names, matrix_ms, intra_ms: 0.5, jitter: 0.0, placement }
}

#[test]
fn fixed_delays_are_the_same_everywhere() {
    let delays = delays(&Delay::Fixed { delay_ms: 20.0, jitter: 0.0 }, 5, 1);
    assert!(delays.link_ns.iter().all(|&ns| ns == 20 * MS));
    // With nothing to draw, the mean itself.
    assert!((0..100).all(|i| delays.sample(20 * MS, packet_bits(1, i)) == 20 * MS));
}

#[test]
fn uniform_delays_are_drawn_once_per_ordered_pair() {
    let model = Delay::Uniform { low_ms: 10.0, high_ms: 30.0, jitter: 0.5 };
    let (one, other) = (delays(&model, 60, 1), delays(&model, 60, 2));
    let ms: Vec<f64> = one.link_ns.iter().map(|&ns| ns as f64 / MS as f64).collect();
    assert!(ms.iter().all(|ms| (10.0..=30.0).contains(ms)));
    Estimate::of(&ms).holds(20.0, "mean");
    assert_ne!(one.link_ns, other.link_ns);
    assert_ne!(one.between(3, 4), one.between(4, 3));
    let graph = graph(60);
    for (link, &peer) in graph.peers.iter().enumerate() {
        let node = graph.offsets.partition_point(|&first| first as usize <= link) as u32 - 1;
        assert_eq!(one.link_ns[link], one.between(node, peer));
    }
    let extra = samples(&one, 20 * MS);
    assert!(extra.iter().all(|&ns| (20e6..30e6).contains(&ns)));
    Estimate::of(&extra).holds(25e6, "mean with the extra");
}

#[test]
fn regions_give_direction_and_the_inside_replaces_the_diagonal() {
    let delays = delays(&regions(vec![0, 0, 1]), 3, 1);
    assert_eq!(delays.between(0, 1), MS / 2);
    assert_eq!(delays.between(0, 2), 40 * MS);
    assert_eq!(delays.between(2, 0), 60 * MS);
    assert_eq!(delays.link_ns, [MS / 2, 40 * MS, MS / 2, 40 * MS, 60 * MS, 60 * MS]);
}

#[test]
fn jitter_is_normal_and_never_below_a_nanosecond() {
    let narrow = delays(&Delay::Fixed { delay_ms: 20.0, jitter: 0.05 }, 2, 1);
    let found: Vec<f64> = samples(&narrow, 20 * MS).iter().map(|ns| ns / 1e6 - 20.0).collect();
    // Σ = 1 ms: mean, variance, skewness, fourth moment of a standard normal.
    for (power, wanted) in [(1, 0.0), (2, 1.0), (3, 0.0), (4, 3.0)] {
        let powers: Vec<f64> = found.iter().map(|x| x.powi(power)).collect();
        Estimate::of(&powers).holds(wanted, &format!("moment {power}"));
    }
    let beyond = found.iter().map(|x| f64::from(u8::from(x.abs() > 1.959_964)));
    Estimate::of(&beyond.collect::<Vec<_>>()).holds(0.05, "share beyond 1.96 σ");
    let wide = delays(&Delay::Fixed { delay_ms: 20.0, jitter: 1.0 }, 2, 1);
    let found = samples(&wide, 20 * MS);
    assert!(found.iter().all(|&ns| ns >= 1.0));
    let cut = found.iter().map(|&ns| f64::from(u8::from(ns <= 1.0)));
    Estimate::of(&cut.collect::<Vec<_>>()).holds(0.158_655, "share cut off at nothing");
}

#[test]
fn no_delay_is_shorter_than_a_nanosecond() {
    let delays = delays(&Delay::Fixed { delay_ms: 0.0, jitter: 0.2 }, 2, 1);
    assert_eq!(delays.link_ns, [1, 1]);
    assert!((0..10_000).all(|i| delays.sample(1, packet_bits(2, i)) >= 1));
}

/// What is known without the draw holds for the draw, and is not the weakest thing to be known.
#[test]
fn the_least_delay_of_bits_is_a_lower_bound_of_the_delay_of_these_bits() {
    let fixed = Delay::Fixed { delay_ms: 20.0, jitter: 0.05 };
    let uniform = Delay::Uniform { low_ms: 20.0, high_ms: 20.0, jitter: 0.5 };
    for delays in [fixed, uniform].map(|model| delays(&model, 2, 1)) {
        let random = (0..200_000).map(|i| packet_bits(3, i));
        // Both ends of every octave of the radius, at the bounds of the quarters of the circle.
        let ends = (0..32).flat_map(|zeros| [1u64 << 31 >> zeros, u64::from(u32::MAX >> zeros)]);
        let ends = ends.chain([0]).flat_map(|radius| {
            let angles =
                (0..4u64).flat_map(|quarter| [quarter << 30, (quarter << 30 | 0x3FFF_FFFF)]);
            angles.map(move |angle| radius << 32 | angle)
        });
        for bits in random.chain(ends) {
            let (least, delay) = (delays.at_least(20 * MS, bits), delays.sample(20 * MS, bits));
            assert!(least <= delay, "{least} > {delay} of {bits:x}");
        }
        assert!(delays.at_least(20 * MS, 1 << 62) >= 20 * MS - 1, "at least the mean");
    }
}
