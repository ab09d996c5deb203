//! Graphs: simple, symmetric, connected, and of the asked degrees.

use proptest::prelude::*;
use surgetank_lab::network::Graph;
use surgetank_lab::scenario::Topology;
use surgetank_lab::seed::Seed;

fn build(topology: &Topology, nodes: u32, seed: u64) -> Result<Graph, String> {
    let regions: Vec<u32> = (0..nodes).map(|node| node % 3).collect();
    Graph::build(topology, nodes, Some(&regions), &mut Seed::new(seed).stream("topology", 0))
}

fn error(topology: &Topology, nodes: u32) -> String {
    build(topology, nodes, 1).map(|_| ()).unwrap_err()
}

fn neighbours(graph: &Graph, node: usize) -> &[u32] {
    &graph.peers[graph.offsets[node] as usize..graph.offsets[node + 1] as usize]
}

fn degrees(graph: &Graph) -> Vec<usize> {
    (0..graph.nodes()).map(|node| neighbours(graph, node).len()).collect()
}

/// What holds of every graph.
fn is_sound(graph: &Graph) {
    assert_eq!(graph.offsets[0], 0);
    assert_eq!(*graph.offsets.last().unwrap() as usize, graph.peers.len());
    assert_eq!(graph.reverse.len(), graph.peers.len());
    for node in 0..graph.nodes() {
        let list = neighbours(graph, node);
        assert!(list.is_sorted_by(|a, b| a < b), "node {node}: {list:?} has doubles or disorder");
        assert!(!list.contains(&(node as u32)), "node {node} is linked to itself");
        for link in graph.offsets[node]..graph.offsets[node + 1] {
            let back = graph.reverse[link as usize];
            let peer = graph.peers[link as usize] as usize;
            assert!((graph.offsets[peer]..graph.offsets[peer + 1]).contains(&back));
            assert_eq!(graph.peers[back as usize], node as u32);
            assert_eq!(graph.reverse[back as usize], link);
        }
    }
    let mut reached = vec![false; graph.nodes()];
    let mut open = vec![0];
    while let Some(node) = open.pop() {
        if !std::mem::replace(&mut reached[node], true) {
            open.extend(neighbours(graph, node).iter().map(|&peer| peer as usize));
        }
    }
    assert!(reached.iter().all(|&there| there), "not connected");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_full_mesh_links_every_pair(nodes in 1u32..60) {
        let graph = build(&Topology::Full {}, nodes, 1).unwrap();
        is_sound(&graph);
        prop_assert!(degrees(&graph).iter().all(|&d| d == nodes as usize - 1));
    }

    #[test]
    fn random_regular_graphs_are_regular(nodes in 3u32..80, share in 0.0f64..1.0, seed: u64) {
        // Degrees from 2 (often unconnected) to n − 1 (one graph only).
        let degree = 2 + (share * f64::from(nodes - 2)) as u32;
        prop_assume!((nodes * degree).is_multiple_of(2) && degree < nodes);
        prop_assume!(degree > 2 || nodes < 30);
        let graph = build(&Topology::RandomRegular { degree }, nodes, seed).unwrap();
        is_sound(&graph);
        prop_assert!(degrees(&graph).iter().all(|&d| d == degree as usize));
    }

    #[test]
    fn preferential_attachment_gives_every_newcomer_m_links(
        nodes in 2u32..120, m in 1u32..6, seed: u64,
    ) {
        prop_assume!(m < nodes);
        let graph = build(&Topology::BarabasiAlbert { degree: m }, nodes, seed).unwrap();
        is_sound(&graph);
        prop_assert_eq!(graph.peers.len() as u32, 2 * m * (nodes - m));
        for node in m..nodes {
            let older = neighbours(&graph, node as usize).iter().filter(|&&peer| peer < node);
            prop_assert_eq!(older.count() as u32, m);
        }
    }

    #[test]
    fn random_dials_give_at_least_that_degree(nodes in 4u32..120, dials in 3u32..9, seed: u64) {
        prop_assume!(dials < nodes);
        let graph = build(&Topology::RandomDial { degree: dials }, nodes, seed).unwrap();
        is_sound(&graph);
        prop_assert!(degrees(&graph).iter().all(|&d| d >= dials as usize));
        prop_assert!(graph.peers.len() as u32 <= 2 * dials * nodes);
    }

    #[test]
    fn regions_are_full_inside_and_bridged_outside(
        nodes in 3u32..60, bridges in 1u32..12, seed: u64,
    ) {
        let graph = build(&Topology::Regions { bridges }, nodes, seed).unwrap();
        is_sound(&graph);
        let size = |region: u32| (nodes - region).div_ceil(3);
        let mut between = [[0; 3]; 3];
        for node in 0..nodes {
            for &peer in neighbours(&graph, node as usize) {
                between[(node % 3) as usize][(peer % 3) as usize] += 1;
            }
        }
        for a in 0..3 {
            for b in 0..3 {
                let (sa, sb) = (size(a), size(b));
                let wanted = if a == b { sa * (sa - 1) } else { bridges.min(sa * sb) };
                prop_assert_eq!(between[a as usize][b as usize], wanted);
            }
        }
    }
}

#[test]
fn preferential_attachment_has_hubs_and_random_dials_do_not() {
    let most =
        |topology: &Topology| *degrees(&build(topology, 2_000, 5).unwrap()).iter().max().unwrap();
    let (hubs, dials) =
        (most(&Topology::BarabasiAlbert { degree: 4 }), most(&Topology::RandomDial { degree: 4 }));
    // Means are 8. The largest degree is of order m·√n = 180 under attachment; a binomial stays
    // below 4 + 20.
    assert!(hubs > 80, "{hubs}");
    assert!(dials < 26, "{dials}");
}

#[test]
fn given_edges_are_merged_and_connect_all() {
    let edges = |edges: &[(u32, u32)]| Topology::Edges { edges: edges.to_vec() };
    let graph = build(&edges(&[(0, 1), (1, 0), (1, 2), (0, 1)]), 3, 1).unwrap();
    is_sound(&graph);
    assert_eq!(degrees(&graph), [1, 2, 1]);
    let apart = error(&edges(&[(0, 1), (2, 3)]), 4);
    assert!(apart.contains("not every node can be reached"), "{apart}");
}

#[test]
fn what_cannot_be_is_refused() {
    assert!(error(&Topology::Full {}, 10_000).contains("random-regular"));
    assert!(error(&Topology::RandomRegular { degree: 1 }, 4).contains("reached"));
}

#[test]
fn the_same_seed_draws_the_same_graph() {
    let topology = Topology::RandomRegular { degree: 6 };
    let peers = |seed| build(&topology, 50, seed).unwrap().peers;
    assert_eq!(peers(1), peers(1));
    assert_ne!(peers(1), peers(2));
}
