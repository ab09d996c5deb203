//! γ-batch-order-fairness after Themis: evaluation of one round of local orders.
//!
//! # Rules
//! Of `n` replicas at most `f` are faulty, and n(2γ − 1) > 4f; at γ = 1 that is n ≥ 4f + 1.
//! 1. A message is *solid* if at least n − 2f lists contain it; else *shaded* if at least ⌊n(1 −
//!    γ)⌋ + f + 1 do; else *blank*.
//! 2. Between two that are not blank there is an edge in the heavier direction if its weight, the
//!    number of lists with the one before the other, is at least ⌊n(1 − γ)⌋ + f + 1. Of equal
//!    weights the smaller identifier comes first.
//! 3. Strongly connected components are the batches, in topological order. Inside a batch the order
//!    is a Hamiltonian path: enough lists have each message before the next, and no other pair of
//!    the batch has a guaranteed order.
//!
//! # Theory of operation
//! If a share γ of the replicas received a before b, at most ⌊n(1 − γ)⌋ + f lists can have b before
//! a, so no edge leads from b to a. A solid message has an edge to or from every other vertex,
//! since the n − 2f lists that contain it give a direction for each pair, and half of them reach
//! the bound. An extracted message must therefore be solid, or an edge may be missing; and it must
//! have no predecessor that stays, or the predecessor comes too late. [`Extraction::Safe`] extracts
//! exactly such messages. The paper extracts everything up to the last component with a solid
//! message, including shaded messages that a blank one, not yet in the graph, may have to precede
//! (a remark of AUTIG's authors).
//!
//! # Source
//! Kelkar, Deb, Long, Juels and Kannan, "Themis: Fast, Strong Order-Fairness in Byzantine Consensus",
//! CCS 2023.
//!
//! # Departures
//! All known lists are counted, not n − f of them; the bounds hold for any number of lists. A list
//! is the prefix of a replica's order so far, so a silent replica has a short list.

use serde::{Deserialize, Serialize};

use super::graph::Graph;

/// Numbers of replicas and of tolerated faults, and the vote thresholds that follow from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    replicas: u32,
    faulty: u32,
    gamma_permille: u32,
}

impl Thresholds {
    /// The thresholds for `replicas` of which at most `faulty` are faulty, at γ = `gamma_permille` / 1000.
    ///
    /// # Panics
    /// If γ is not above ½ and at most 1, or n(2γ − 1) ≤ 4f.
    pub fn new(replicas: u32, faulty: u32, gamma_permille: u32) -> Thresholds {
        assert!((501..=1000).contains(&gamma_permille), "themis: gamma is {gamma_permille}/1000");
        let room = u64::from(replicas) * u64::from(2 * gamma_permille - 1000);
        assert!(
            room > 4000 * u64::from(faulty),
            "themis: {faulty} of {replicas} replicas are faulty at gamma {gamma_permille}/1000"
        );
        Thresholds { replicas, faulty, gamma_permille }
    }

    /// Number of replicas.
    pub fn replicas(&self) -> u32 {
        self.replicas
    }

    /// Number of replicas that may be faulty.
    pub fn faulty(&self) -> u32 {
        self.faulty
    }

    /// Least weight of an edge, and least number of lists that contain a message that is not blank.
    pub fn edge_min(&self) -> u32 {
        self.replicas * (1000 - self.gamma_permille) / 1000 + self.faulty + 1
    }

    /// Least number of lists that contain a solid message.
    pub fn solid_min(&self) -> u32 {
        self.replicas - 2 * self.faulty
    }
}

/// Rule of extraction at the end of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extraction {
    /// Solid messages all of whose predecessors are solid. Keeps the guarantee; may wait longer.
    Safe,
    /// Everything up to the last component with a solid message, as in the paper.
    Paper,
}

/// The vertices to extract, ascending.
pub fn extracted(graph: &Graph, solid: &[bool], extraction: Extraction) -> Vec<usize> {
    let with = |wanted: bool| (0..graph.len()).filter(move |&v| solid[v] == wanted);
    match extraction {
        Extraction::Safe => {
            let stays = graph.reached(with(false));
            (0..graph.len()).filter(|&v| !stays[v]).collect()
        }
        Extraction::Paper => {
            // A solid vertex has an edge to or from every other, so the vertices up to the last
            // component with a solid one are those from which a solid one can be reached.
            let before = graph.reversed().reached(with(true));
            (0..graph.len()).filter(|&v| before[v]).collect()
        }
    }
}

/// Batches of vertices of a graph with an edge between any two: components in topological order,
/// each along a Hamiltonian path.
pub fn batches(graph: &Graph) -> Vec<Vec<usize>> {
    graph.components().iter().map(|component| graph.path(component)).collect()
}
