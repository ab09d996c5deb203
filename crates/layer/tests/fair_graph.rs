//! Graphs of one round: weights, components, paths, against the plainest code there is.

use proptest::prelude::*;
use surgetank_layer::fair::graph::{ABSENT, Graph, heavier, weigh};
use surgetank_layer::fair::themis::{Extraction, Thresholds, batches, extracted};

fn graph(len: usize, edges: &[(usize, usize)]) -> Graph {
    let mut graph = Graph::new(len);
    edges.iter().for_each(|&(a, b)| graph.add(a, b));
    graph
}

/// Reachability by Floyd and Warshall; a vertex reaches itself.
fn closure(graph: &Graph) -> Vec<Vec<bool>> {
    let len = graph.len();
    let mut to: Vec<Vec<bool>> =
        (0..len).map(|a| (0..len).map(|b| a == b || graph.has(a, b)).collect()).collect();
    for via in 0..len {
        for a in 0..len {
            for b in 0..len {
                to[a][b] |= to[a][via] && to[via][b];
            }
        }
    }
    to
}

#[test]
fn a_list_speaks_of_what_it_lacks_too() {
    // Lists [0, 1], [1], []: 0 before 1 once; 1 before 0 once, by the list that lacks 0.
    let lists = [vec![0, 1], vec![ABSENT, 0], vec![ABSENT, ABSENT]];
    assert_eq!((weigh(&lists, 0, 1), weigh(&lists, 1, 0)), ((1, 1), (1, 1)));
}

#[test]
fn of_equal_weights_the_smaller_comes_first() {
    assert_eq!((heavier(1, 1, 1), heavier(1, 1, 2)), (Some(true), None));
    assert_eq!((heavier(1, 2, 2), heavier(2, 1, 2)), (Some(false), Some(true)));
    let found = Graph::of(3, &[vec![0, 1, ABSENT], vec![1, 0, ABSENT]], 1);
    assert_eq!(found, graph(3, &[(0, 1), (0, 2), (1, 2)]));
    let found = Graph::of(3, &[vec![0, 1, ABSENT], vec![1, 0, ABSENT]], 2);
    assert_eq!((found.missing(), found.has(1, 2)), (vec![(0, 1)], true));
}

#[test]
fn components_in_order_with_a_vertex_beyond_one_word() {
    // 70 → 3 ⇄ 68 → 5, everything else alone.
    let found = graph(71, &[(70, 3), (3, 68), (68, 3), (68, 5)]).components();
    assert_eq!(found.len(), 70);
    let place = |v: usize| found.iter().position(|c| c.contains(&v));
    assert_eq!(found[place(3).unwrap()], [3, 68]);
    assert!(place(70) < place(3) && place(3) < place(5));
}

#[test]
fn a_long_line_does_not_exhaust_the_stack() {
    let edges: Vec<(usize, usize)> = (1..2000).map(|v| (v, v - 1)).collect();
    let found = graph(2000, &edges).components();
    assert!(found.iter().flatten().copied().eq((0..2000).rev()));
}

#[test]
fn thresholds() {
    // n = 5, f = 1, γ = 1: edge 2, solid 3. n = 21, f = 3, γ = 0.9: ⌊2.1⌋ + 4 and 15.
    let strict = Thresholds::new(5, 1, 1000);
    assert_eq!((strict.edge_min(), strict.solid_min()), (2, 3));
    let loose = Thresholds::new(21, 3, 900);
    assert_eq!((loose.edge_min(), loose.solid_min()), (6, 15));
}

/// n > 4f / (2γ − 1): at γ = 0.9 and f = 3 that is above 15.
#[test]
fn thresholds_need_the_bound() {
    Thresholds::new(16, 3, 900);
    for (replicas, faulty, gamma) in [(15, 3, 900), (4, 1, 1000), (9, 0, 500), (0, 0, 1000)] {
        let made = std::panic::catch_unwind(|| Thresholds::new(replicas, faulty, gamma));
        assert!(made.is_err(), "{replicas} {faulty} {gamma}");
    }
}

#[test]
fn what_leaves_the_graph() {
    // 0 solid → 1 shaded → 2 solid → 3 shaded.
    let line = graph(4, &[(0, 1), (0, 2), (0, 3), (1, 2), (2, 3)]);
    let solid = [true, false, true, false];
    assert_eq!(extracted(&line, &solid, Extraction::Safe), [0]);
    assert_eq!(extracted(&line, &solid, Extraction::Paper), [0, 1, 2]);
    assert!(extracted(&line, &[false; 4], Extraction::Paper).is_empty());
}

proptest! {
    #[test]
    fn components_are_what_reaches_each_other(
        len in 1usize..9,
        edges in prop::collection::vec((0usize..8, 0usize..8), 0..20),
    ) {
        let edges: Vec<_> = edges.into_iter().filter(|&(a, b)| a < len && b < len).collect();
        let graph = graph(len, &edges);
        let to = closure(&graph);
        let found = graph.components();
        let mut place = vec![0; len];
        for (index, component) in found.iter().enumerate() {
            component.iter().for_each(|&v| place[v] = index);
        }
        prop_assert_eq!(found.iter().map(Vec::len).sum::<usize>(), len);
        for a in 0..len {
            for b in 0..len {
                prop_assert_eq!(place[a] == place[b], to[a][b] && to[b][a]);
                prop_assert!(!to[a][b] || place[a] <= place[b]);
            }
            prop_assert_eq!(graph.reached([a]), to[a].clone());
            let into: Vec<bool> = (0..len).map(|b| to[b][a]).collect();
            prop_assert_eq!(graph.reversed().reached([a]), into);
        }
    }

    /// Any tournament: no one lost, and each has an edge to the next, inside batches and across.
    #[test]
    fn batches_of_a_tournament_are_one_hamiltonian_path(
        len in 1usize..10,
        ways in prop::collection::vec(any::<bool>(), 45),
    ) {
        let mut ways = ways.into_iter();
        let mut graph = Graph::new(len);
        for a in 0..len {
            for b in a + 1..len {
                if ways.next() == Some(true) { graph.add(a, b) } else { graph.add(b, a) }
            }
        }
        let path: Vec<usize> = batches(&graph).concat();
        prop_assert!(path.windows(2).all(|pair| graph.has(pair[0], pair[1])));
        let mut all = path;
        all.sort_unstable();
        prop_assert!(all.into_iter().eq(0..len));
    }

    #[test]
    fn weights_by_the_plainest_count(
        lists in prop::collection::vec(Just((0u32..6).collect::<Vec<_>>()).prop_shuffle(), 1..6),
        known in prop::collection::vec(0usize..7, 6),
    ) {
        let held = |list: &Vec<u32>, known: usize| list.iter().copied().take(known).collect();
        let lists: Vec<Vec<u32>> = lists.iter().zip(known).map(|(l, k)| held(l, k)).collect();
        let place = |list: &[u32], v| list.iter().position(|&m| m == v);
        let places = |list: &Vec<u32>| {
            (0..6).map(|v| place(list, v).map_or(ABSENT, |p| p as u32)).collect()
        };
        let all: Vec<Vec<u32>> = lists.iter().map(places).collect();
        let graph = Graph::of(6, &all, 2);
        let missing = graph.missing();
        let says = |list: &[u32], a, b| match (place(list, a), place(list, b)) {
            (Some(x), Some(y)) => x < y,
            (own, _) => own.is_some(),
        };
        let count = |a, b| lists.iter().filter(|list| says(list, a, b)).count() as u32;
        for (a, b) in (0..36).map(|pair| (pair / 6, pair % 6)) {
            let (there, back) = (count(a, b), count(b, a));
            let (a, b) = (a as usize, b as usize);
            prop_assert_eq!(weigh(&all, a, b), (there, back));
            let wins = there > back || there == back && a < b;
            prop_assert_eq!(graph.has(a, b), a != b && there >= 2 && wins);
            let none = a < b && there < 2 && back < 2;
            prop_assert_eq!(missing.contains(&(a, b)), none);
        }
    }
}
