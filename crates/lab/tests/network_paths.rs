//! Losses and rates of paths: each pair of nodes has its own.

use crate::numbers;

use numbers::Estimate;
use surgetank_lab::faults::Faults;
use surgetank_lab::network::{Delays, Graph, LinkConfig, Links, Paths};
use surgetank_lab::scenario::{Delay, Topology};
use surgetank_lab::seed::Seed;
use surgetank_layer::units::{MS, NEVER};

/// Nodes 0 and 1 at place 0, node 2 at place 1. A packet of 1,000 bytes takes 8 ms at 1 Mbit/s.
fn links(loss: Vec<Vec<f64>>, mbps: Vec<Vec<f64>>, common_loss: f64, uplink: f64) -> Links {
    let seed = Seed::new(1);
    let graph = Graph::build(&Topology::Full {}, 3, None, &mut seed.stream("topology", 0)).unwrap();
    let matrix_ms = vec![vec![1.0, 20.0], vec![30.0, 1.0]];
    let model = Delay::Paths { matrix_ms, loss, mbps, jitter: 0.0, placement: vec![0, 0, 1] };
    let delays = Delays::new(&model, &graph, &mut seed.stream("delay", 0));
    let options = LinkConfig {
        uplink_mbps: vec![uplink, 0.0, 0.0],
        downlink_mbps: vec![0.0; 3],
        loss: common_loss,
        paths: Paths::new(&model),
        buffer_bytes: 0,
        outbound_max: 0,
        keys: [1, 2],
    };
    Links::new(graph, delays, Faults::new(&[], 3, &seed).unwrap(), options)
}

#[test]
fn a_pair_has_the_delay_of_its_places() {
    let mut links = links(vec![], vec![], 0.0, 0.0);
    let mut at = |from, to| links.send_between(0, from, to, 1_000).unwrap().at;
    assert_eq!((at(0, 1), at(0, 2), at(2, 1)), (MS, 20 * MS, 30 * MS));
}

#[test]
fn a_pair_loses_what_its_path_and_every_link_lose() {
    let mut links = links(vec![vec![0.0, 0.4], vec![0.0, 0.0]], vec![], 0.5, 0.0);
    let mut lost = |from, to| -> Vec<f64> {
        (0..20_000).map(|_| f64::from(links.send_between(0, from, to, 1).is_err())).collect()
    };
    Estimate::of(&lost(0, 2)).holds(0.7, "both");
    Estimate::of(&lost(2, 0)).holds(0.5, "the common one");
}

#[test]
fn packets_of_a_pair_pass_one_after_the_other_at_its_rate() {
    let mut links = links(vec![], vec![vec![0.0, 1.0], vec![0.0, 0.0]], 0.0, 2.0);
    let mut send = |from, to| links.send_between(0, from, to, 1_000).unwrap();
    // 4 ms on the uplink and 8 ms on the path.
    assert_eq!((send(0, 2).leaves, send(0, 2).at), (12 * MS, 40 * MS));
    // Another pair, and the other direction, have lanes of their own; the uplink is the sender's.
    assert_eq!((send(1, 2).leaves, send(2, 1).leaves), (8 * MS, 0));
    assert_eq!(send(0, 1).leaves, 12 * MS);
}

#[test]
fn a_copy_that_comes_too_late_to_matter_takes_its_rate() {
    let mut links = links(vec![], vec![vec![0.0, 1.0], vec![0.0, 0.0]], 0.0, 0.0);
    let graph = links.graph.clone();
    let link = (graph.offsets[0]..graph.offsets[1])
        .find(|&link| graph.peers[link as usize] == 2)
        .unwrap() as usize;
    let late = links.send(0, 0, link, 1_000, 0).unwrap();
    assert_eq!((late.leaves, late.at), (8 * MS, 8 * MS));
    assert_eq!(links.send(0, 0, link, 1_000, NEVER).unwrap().at, 36 * MS);
}
