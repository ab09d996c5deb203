//! gossipsub: the mesh keeps its size, carries messages, and gossip repairs what it lost.

use crate::neighbours;

use neighbours::{Net, ring};
use proptest::prelude::*;
use surgetank_layer::gossip::{Config, Frame, Gossip, MeshConfig};
use surgetank_layer::units::{MS, Peer, SECOND};

fn mesh_of(net: &Net, node: usize) -> Vec<usize> {
    match &net.nodes[node] {
        Gossip::Mesh(mesh) => {
            mesh.mesh().map(|peer: Peer| net.links[node][peer as usize]).collect()
        }
        Gossip::Flood(_) | Gossip::Gossipsub(_) => unreachable!("a mesh was asked for"),
    }
}

fn settled(nodes: usize, chords: usize, config: MeshConfig, seed: u64) -> Net {
    let mut net = Net::new(&Config::Mesh(config), ring(nodes, chords, seed), seed);
    net.run_until(20 * SECOND);
    net.sent.clear();
    net
}

#[test]
fn heartbeat_keeps_the_mesh_between_d_lo_and_d_hi_and_symmetric() {
    for seed in 0..5 {
        let net = settled(60, 600, MeshConfig::default(), seed);
        for node in 0..60 {
            let mesh = mesh_of(&net, node);
            assert!((4..=12).contains(&mesh.len()), "node {node} has {} mesh peers", mesh.len());
            for peer in mesh {
                assert!(mesh_of(&net, peer).contains(&node), "{node} and {peer} disagree");
            }
        }
    }
}

#[test]
fn messages_travel_in_the_mesh_only() {
    let mut net = settled(60, 600, MeshConfig::default(), 3);
    net.publish(0, 1);
    net.run_until(net.now + 200 * MS);
    assert_eq!(net.reached(1), 59);
    let meshes: Vec<Vec<usize>> = (0..60).map(|node| mesh_of(&net, node)).collect();
    for (from, to, frame) in &net.sent {
        if matches!(frame, Frame::Message(_)) {
            assert!(meshes[*from].contains(to));
        }
    }
}

#[test]
fn flood_publish_goes_to_all_neighbours() {
    let config = MeshConfig { flood_publish: true, ..MeshConfig::default() };
    let mut net = settled(60, 600, config, 3);
    net.publish(0, 1);
    let own: Vec<usize> = net
        .sent
        .iter()
        .filter(|(from, _, f)| *from == 0 && matches!(f, Frame::Message(_)))
        .map(|s| s.1)
        .collect();
    assert_eq!(own.len(), net.links[0].len());
}

/// Every copy over the mesh to node 5 is lost; an IHAVE and its IWANT bring it within two heartbeats.
#[test]
fn gossip_repairs_what_the_mesh_lost() {
    for seed in 0..10 {
        let mut net = settled(40, 400, MeshConfig::default(), seed);
        net.drops = |_, to, frame| to == 5 && matches!(frame, Frame::Message(_));
        net.publish(1, 1);
        net.run_until(net.now + 200 * MS);
        assert_eq!(net.reached(1), 38, "all but the publisher and node 5");
        net.drops = |_, _, _| false;
        net.run_until(net.now + 2 * SECOND);
        assert_eq!(net.validated.get(&(5, 1)), Some(&1), "seed {seed}");
        let asks = |(from, _, frame): &(usize, usize, Frame)| {
            *from == 5 && *frame == Frame::IWant(vec![1])
        };
        assert!(net.sent.iter().any(asks), "it came without being asked for");
    }
}

#[test]
fn a_node_cut_off_catches_up_by_iwant() {
    let mut net = settled(40, 400, MeshConfig::default(), 4);
    net.drops = |from, to, frame| (to == 5 || from == 5) && matches!(frame, Frame::Message(_));
    net.publish(1, 1);
    net.run_until(net.now + 100 * MS);
    assert!(!net.validated.contains_key(&(5, 1)));
    net.drops = |_, _, _| false;
    net.run_until(net.now + 3 * SECOND);
    assert_eq!(net.validated.get(&(5, 1)), Some(&1));
    assert!(net.sent.iter().any(|(from, _, frame)| *from == 5 && *frame == Frame::IWant(vec![1])));
}

#[test]
fn a_pruned_peer_is_not_grafted_before_its_backoff_is_over() {
    let config = MeshConfig { prune_backoff_ns: 5 * SECOND, ..MeshConfig::default() };
    let mut net = settled(20, 200, config, 2);
    let peer = mesh_of(&net, 0)[0];
    let back = net.links[0].iter().position(|&n| n == peer).expect("linked") as Peer;
    let input = surgetank_layer::gossip::Input::Receive { from: back, frame: Frame::Prune };
    net.step(0, input);
    assert!(!mesh_of(&net, 0).contains(&peer));
    net.sent.clear();
    net.run_until(net.now + 4 * SECOND);
    assert!(!net.sent.iter().any(|(from, to, f)| (*from, *to) == (0, peer) && *f == Frame::Graft));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// With every neighbour in reach of the mesh and of gossip, no one misses a message.
    #[test]
    fn everybody_gets_every_message_once(nodes in 8usize..40, seed in any::<u64>()) {
        let mut net = settled(nodes, nodes * 8, MeshConfig::default(), seed);
        net.publish(0, 1);
        net.publish(nodes - 1, 2);
        net.run_until(net.now + 6 * SECOND);
        prop_assert_eq!(net.reached(1), nodes - 1);
        prop_assert_eq!(net.reached(2), nodes - 1);
        prop_assert!(net.validated.values().all(|&times| times == 1));
    }
}
