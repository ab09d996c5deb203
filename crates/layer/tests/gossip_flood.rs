//! Flood: everybody gets every message once; nothing goes back.

use crate::neighbours;

use neighbours::{DELAY, Net, ring};
use proptest::prelude::*;
use surgetank_layer::gossip::{Config, Frame};

#[test]
fn a_message_goes_on_once_and_not_back() {
    // A line: 0 – 1 – 2.
    let mut net = Net::new(&Config::Flood {}, vec![vec![1], vec![0, 2], vec![1]], 1);
    net.publish(0, 7);
    net.run_until(10 * DELAY);
    let hops: Vec<(usize, usize)> = net.sent.iter().map(|&(from, to, _)| (from, to)).collect();
    assert_eq!(hops, [(0, 1), (1, 2)]);
}

#[test]
fn copies_are_edges_twice_less_a_tree() {
    let links = ring(30, 60, 5);
    let directed: usize = links.iter().map(Vec::len).sum();
    let mut net = Net::new(&Config::Flood {}, links, 1);
    net.publish(3, 0);
    net.run_until(100 * DELAY);
    // Every node sends on all links but the one it first heard on.
    assert_eq!(net.sent.len(), directed - 29);
    assert!(net.sent.iter().all(|(_, _, frame)| matches!(frame, Frame::Message(_))));
}

proptest! {
    #[test]
    fn everybody_validates_every_message_once(
        nodes in 2usize..40, chords in 0usize..80, seed in any::<u64>(),
        from in prop::collection::vec(any::<prop::sample::Index>(), 1..6),
    ) {
        let mut net = Net::new(&Config::Flood {}, ring(nodes, chords, seed), seed);
        for (id, at) in from.iter().enumerate() {
            net.publish(at.index(nodes), id as u32);
        }
        net.run_until(100 * DELAY);
        for id in 0..from.len() as u32 {
            prop_assert_eq!(net.reached(id), nodes - 1);
        }
        prop_assert!(net.validated.values().all(|&times| times == 1));
    }
}
