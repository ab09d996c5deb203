//! Topologies, as compressed adjacency lists.

use std::collections::BTreeSet;

use surgetank_layer::machine::Draws;
use surgetank_layer::units::NodeId;

use crate::scenario::Topology;
use crate::seed::Stream;

/// Directed links beyond which a topology is refused: it would not fit into memory.
const LINKS_MAX: u64 = 50_000_000;
/// Number of draws of a random graph before an unconnected one is an error.
const TRIES: u32 = 100;

/// An undirected graph; every link is in both nodes' lists.
#[derive(Clone, Debug)]
pub struct Graph {
    /// Node k's links are `offsets[k]..offsets[k + 1]`.
    pub offsets: Vec<u32>,
    /// Head node of each directed link.
    pub peers: Vec<NodeId>,
    /// Index of the reverse link of each link.
    pub reverse: Vec<u32>,
}

type Links = BTreeSet<(NodeId, NodeId)>;

impl Graph {
    /// Builds the topology of a network of `nodes`; `regions` gives each node's region, if any.
    ///
    /// # Errors
    /// Names the invalid link or number.
    pub fn build(
        topology: &Topology,
        nodes: u32,
        regions: Option<&[u32]>,
        draws: &mut Stream,
    ) -> Result<Graph, String> {
        let n = u64::from(nodes);
        let wanted = match topology {
            Topology::Full {} => n * n,
            Topology::RandomRegular { degree } => n * u64::from(*degree),
            Topology::BarabasiAlbert { degree } | Topology::RandomDial { degree } => {
                2 * n * u64::from(*degree)
            }
            Topology::Regions { .. } => n * n,
            Topology::Edges { edges } => 2 * edges.len() as u64,
        };
        if wanted > LINKS_MAX {
            return Err(format!(
                "network.topology: {wanted} links are more than {LINKS_MAX}; \
                 take `random-regular` with a small degree"
            ));
        }
        debug_assert!(regions.is_none_or(|regions| regions.len() == nodes as usize));
        if let Topology::Full {} = topology {
            return Ok(Graph::full(nodes));
        }
        for _ in 0..TRIES {
            let graph = Graph::from_links(nodes, &draw(topology, nodes, regions, draws)?);
            if graph.is_connected() {
                return Ok(graph);
            }
            if matches!(topology, Topology::Edges { .. }) {
                break;
            }
        }
        Err("network.topology: not every node can be reached; add links".into())
    }

    /// Number of nodes.
    pub fn nodes(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The directed links out of a node.
    pub fn links_of(&self, node: NodeId) -> std::ops::Range<usize> {
        self.offsets[node as usize] as usize..self.offsets[node as usize + 1] as usize
    }

    /// The receiver's index of the neighbour that sends over this link.
    pub fn peer_at_receiver(&self, link: u32) -> u32 {
        self.reverse[link as usize] - self.offsets[self.peers[link as usize] as usize]
    }

    /// The complete graph, built directly.
    fn full(nodes: u32) -> Graph {
        let degree = nodes - 1;
        let others = |node: NodeId| (0..nodes).filter(move |&peer| peer != node);
        let back = |(node, peer): (NodeId, NodeId)| peer * degree + node - u32::from(node > peer);
        Graph {
            offsets: (0..=nodes).map(|node| node * degree).collect(),
            peers: (0..nodes).flat_map(others).collect(),
            reverse: (0..nodes)
                .flat_map(|node| others(node).map(move |peer| (node, peer)))
                .map(back)
                .collect(),
        }
    }

    fn from_links(nodes: u32, links: &Links) -> Graph {
        let mut lists = vec![Vec::new(); nodes as usize];
        for &(a, b) in links {
            lists[a as usize].push(b);
            lists[b as usize].push(a);
        }
        let mut graph = Graph { offsets: vec![0], peers: Vec::new(), reverse: Vec::new() };
        for list in &mut lists {
            list.sort_unstable();
            graph.peers.extend_from_slice(list);
            graph.offsets.push(graph.peers.len() as u32);
        }
        for node in 0..nodes {
            let own = graph.offsets[node as usize]..graph.offsets[node as usize + 1];
            for link in own {
                let peer = graph.peers[link as usize] as usize;
                let back = lists[peer].binary_search(&node).expect("links stand in both lists");
                graph.reverse.push(graph.offsets[peer] + back as u32);
            }
        }
        graph
    }

    fn is_connected(&self) -> bool {
        let mut reached = vec![false; self.nodes()];
        let mut open = vec![0usize];
        reached[0] = true;
        while let Some(node) = open.pop() {
            for &peer in &self.peers[self.offsets[node] as usize..self.offsets[node + 1] as usize] {
                if !std::mem::replace(&mut reached[peer as usize], true) {
                    open.push(peer as usize);
                }
            }
        }
        reached.iter().all(|&there| there)
    }
}

fn draw(
    topology: &Topology,
    nodes: u32,
    regions: Option<&[u32]>,
    draws: &mut Stream,
) -> Result<Links, String> {
    match topology {
        Topology::Full {} => Ok(complete(&(0..nodes).collect::<Vec<_>>())),
        Topology::RandomRegular { degree } => random_regular(nodes, *degree, draws),
        Topology::BarabasiAlbert { degree } => Ok(barabasi_albert(nodes, *degree, draws)),
        Topology::RandomDial { degree } => Ok(random_dial(nodes, *degree, draws)),
        Topology::Regions { bridges } => {
            let regions = regions.expect("network.topology: Python refuses regions without places");
            Ok(bridged(nodes, regions, *bridges, draws))
        }
        Topology::Edges { edges } => Ok(edges.iter().map(|&(a, b)| ordered(a, b)).collect()),
    }
}

fn ordered(a: NodeId, b: NodeId) -> (NodeId, NodeId) {
    (a.min(b), a.max(b))
}

fn complete(nodes: &[NodeId]) -> Links {
    let pairs =
        nodes.iter().enumerate().flat_map(|(i, &a)| nodes[..i].iter().map(move |&b| (b, a)));
    pairs.map(|(a, b)| ordered(a, b)).collect()
}

/// Configuration model; stubs that would make a loop or a double link are dealt anew (Steger and
/// Wormald, *Combinatorics, Probability and Computing* 8, 1999).
fn random_regular(nodes: u32, degree: u32, draws: &mut Stream) -> Result<Links, String> {
    debug_assert!(degree < nodes && u64::from(nodes) * u64::from(degree) % 2 == 0);
    if degree > (nodes - 1) / 2 {
        // Dense graphs leave the dealing stuck; the links that are absent are a sparse one.
        let absent = random_regular(nodes, nodes - 1 - degree, draws)?;
        let all = complete(&(0..nodes).collect::<Vec<_>>());
        return Ok(all.difference(&absent).copied().collect());
    }
    for _ in 0..TRIES {
        let mut stubs: Vec<NodeId> =
            (0..nodes).flat_map(|node| std::iter::repeat_n(node, degree as usize)).collect();
        let mut links = Links::new();
        let mut stuck = 0;
        while !stubs.is_empty() && stuck < 1_000 {
            let i = draws.below(stubs.len() as u64) as usize;
            let j = draws.below(stubs.len() as u64) as usize;
            let link = ordered(stubs[i], stubs[j]);
            if link.0 == link.1 || !links.insert(link) {
                stuck += 1;
                continue;
            }
            stuck = 0;
            stubs.swap_remove(i.max(j));
            stubs.swap_remove(i.min(j));
        }
        if stubs.is_empty() {
            return Ok(links);
        }
    }
    Err(format!("network.topology: could not draw {nodes} nodes of degree {degree}"))
}

/// Preferential attachment: a new node links to `m` others, each chosen by its degree.
fn barabasi_albert(nodes: u32, m: u32, draws: &mut Stream) -> Links {
    debug_assert!((1..nodes).contains(&m));
    let mut links = Links::new();
    // Every end of a link, so that a uniform pick is a pick by degree. It begins as a star.
    let mut ends: Vec<NodeId> = Vec::new();
    for node in m..nodes {
        let mut chosen = BTreeSet::new();
        if ends.is_empty() {
            chosen.extend(0..m);
        }
        while chosen.len() < m as usize {
            chosen.insert(ends[draws.below(ends.len() as u64) as usize]);
        }
        for peer in chosen {
            links.insert(ordered(peer, node));
            ends.extend([peer, node]);
        }
    }
    links
}

fn random_dial(nodes: u32, dials: u32, draws: &mut Stream) -> Links {
    debug_assert!(dials < nodes);
    let mut links = Links::new();
    for node in 0..nodes {
        let mut chosen = BTreeSet::new();
        while chosen.len() < dials as usize {
            let peer = draws.below(u64::from(nodes)) as NodeId;
            if peer != node && chosen.insert(peer) {
                links.insert(ordered(node, peer));
            }
        }
    }
    links
}

/// Full mesh inside each region, and `bridges` distinct random links between each two (fewer only
/// if there are not as many pairs).
fn bridged(nodes: u32, regions: &[u32], bridges: u32, draws: &mut Stream) -> Links {
    let count = regions.iter().max().map_or(0, |most| most + 1);
    let of = |region: u32| -> Vec<NodeId> {
        (0..nodes).filter(|&node| regions[node as usize] == region).collect()
    };
    let groups: Vec<Vec<NodeId>> = (0..count).map(of).filter(|group| !group.is_empty()).collect();
    let mut links = Links::new();
    for (i, group) in groups.iter().enumerate() {
        links.extend(complete(group));
        for other in &groups[..i] {
            let most = group.len() as u64 * other.len() as u64;
            let mut wanted = most.min(u64::from(bridges));
            while wanted > 0 {
                let a = group[draws.below(group.len() as u64) as usize];
                let b = other[draws.below(other.len() as u64) as usize];
                wanted -= u64::from(links.insert(ordered(a, b)));
            }
        }
    }
    links
}
