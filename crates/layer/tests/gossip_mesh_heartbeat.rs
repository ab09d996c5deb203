//! gossipsub: the heartbeat keeps the mesh at its size.

use crate::lone_mesh;

use std::collections::BTreeSet;

use lone_mesh::{Lone, sent};
use surgetank_layer::gossip::{Frame, Input, MeshConfig, Output};
use surgetank_layer::units::{Ns, SECOND};

#[test]
fn the_first_heartbeat_comes_at_a_random_part_of_the_interval() {
    let phases: BTreeSet<Ns> = (0..50)
        .map(|seed| {
            let mut node = Lone::new(MeshConfig::default(), 20, seed);
            node.now = 7;
            match node.step(Input::Start)[..] {
                [Output::HeartbeatAt(at)] => at,
                ref other => panic!("{other:?}"),
            }
        })
        .collect();
    assert!(phases.len() > 40, "as good as all differ");
    assert!(phases.iter().all(|at| (8..=7 + SECOND).contains(at)));
    assert!(phases.iter().any(|at| *at < SECOND / 2) && phases.iter().any(|at| *at > SECOND / 2));
}

#[test]
fn below_d_lo_it_grafts_up_to_d() {
    for (there, grafted) in [(0, 6), (1, 5), (3, 3), (4, 0), (5, 0), (6, 0), (12, 0)] {
        let mut node = Lone::new(MeshConfig::default(), 30, 1);
        node.grafted_by(0..there);
        let to = sent(&node.heartbeat(), &Frame::Graft);
        assert_eq!(to.len(), grafted, "with {there} in the mesh");
        assert!(to.iter().all(|&peer| peer >= there), "only who is not in it");
        assert_eq!(node.members().len(), there as usize + grafted);
    }
}

#[test]
fn above_d_hi_it_prunes_down_to_d() {
    let config = MeshConfig { prune_backoff_ns: 0, ..MeshConfig::default() };
    for (there, pruned) in [(11, 0), (12, 0), (13, 7), (20, 14)] {
        let mut node = Lone::new(config.clone(), 30, 1);
        node.grafted_by(0..there);
        let to = sent(&node.heartbeat(), &Frame::Prune);
        assert_eq!(to.len(), pruned, "with {there} in the mesh");
        assert!(to.iter().all(|peer| !node.members().contains(peer)));
        assert_eq!(node.members().len(), there as usize - pruned);
    }
}

#[test]
fn fewer_neighbours_than_d_are_all_grafted() {
    let mut node = Lone::new(MeshConfig::default(), 2, 1);
    assert_eq!(sent(&node.heartbeat(), &Frame::Graft), [0, 1]);
    assert_eq!(node.heartbeat(), [], "and nothing more can be done");
    let mut alone = Lone::new(MeshConfig::default(), 0, 1);
    assert_eq!(alone.heartbeat(), []);
}

/// Over many seeds every neighbour is grafted, and pruned, about as often as any other.
#[test]
fn choices_are_even() {
    let config = MeshConfig { prune_backoff_ns: 0, ..MeshConfig::default() };
    let (mut grafted, mut pruned) = ([0; 20], [0; 20]);
    for seed in 0..1_000 {
        let mut node = Lone::new(config.clone(), 20, seed);
        for peer in sent(&node.heartbeat(), &Frame::Graft) {
            grafted[peer as usize] += 1;
        }
        node.grafted_by(0..20);
        for peer in sent(&node.heartbeat(), &Frame::Prune) {
            pruned[peer as usize] += 1;
        }
    }
    // Binomial: means 300 and 700, standard deviation 14.5.
    assert!(grafted.iter().all(|times| (220..380).contains(times)), "{grafted:?}");
    assert!(pruned.iter().all(|times| (620..780).contains(times)), "{pruned:?}");
}
