//! How long a packet travels.

use surgetank_layer::machine::Draws;
use surgetank_layer::units::{NodeId, Ns};

use super::Graph;
use crate::scenario::{Delay, ms};
use crate::seed::{Stream, packet_bits, unit};

/// One-way delays between nodes, and their jitter.
pub struct Delays {
    /// Mean one-way delay of each directed link.
    pub link_ns: Vec<Ns>,
    model: Delay,
    jitter: f64,
    /// Key of the delays of ordered pairs (Uniform): the same for linked and unlinked pairs.
    key: u64,
}

impl Delays {
    /// The delays of a graph's links.
    ///
    /// # Errors
    /// If the matrix does not fit the regions or the placement does not fit the nodes.
    pub fn new(model: &Delay, graph: &Graph, draws: &mut Stream) -> Result<Delays, String> {
        if let Delay::Regions { names, matrix_ms, placement, .. } = model {
            let regions = names.len();
            if matrix_ms.len() != regions || matrix_ms.iter().any(|row| row.len() != regions) {
                return Err(format!("network.delay.matrix_ms: must be {regions} × {regions}"));
            }
            if placement.len() != graph.nodes() {
                let (is, due) = (placement.len(), graph.nodes());
                return Err(format!("network.delay.placement: {is} entries where {due} are due"));
            }
            if let Some(region) = placement.iter().find(|&&region| region as usize >= regions) {
                return Err(format!("network.delay.placement: region {region} is not there"));
            }
        }
        let jitter = match model {
            Delay::Fixed { jitter, .. }
            | Delay::Uniform { jitter, .. }
            | Delay::Regions { jitter, .. } => *jitter,
        };
        let mut delays =
            Delays { link_ns: Vec::new(), model: model.clone(), jitter, key: draws.next_u64() };
        for node in 0..graph.nodes() {
            let links = graph.offsets[node] as usize..graph.offsets[node + 1] as usize;
            for &peer in &graph.peers[links] {
                delays.link_ns.push(delays.between(node as NodeId, peer));
            }
        }
        Ok(delays)
    }

    /// Mean one-way delay between any two nodes.
    pub fn between(&self, from: NodeId, to: NodeId) -> Ns {
        let delay = match &self.model {
            Delay::Fixed { delay_ms, .. } => ms(*delay_ms),
            Delay::Uniform { low_ms, high_ms, .. } => {
                let pair = u64::from(from) << 32 | u64::from(to);
                ms(low_ms + (high_ms - low_ms) * unit(packet_bits(self.key, pair)))
            }
            Delay::Regions { matrix_ms, intra_ms, placement, .. } => {
                let (a, b) = (placement[from as usize] as usize, placement[to as usize] as usize);
                ms(if a == b { *intra_ms } else { matrix_ms[a][b] })
            }
        };
        delay.max(1)
    }

    /// Whether packets of one link differ.
    #[inline]
    pub fn has_jitter(&self) -> bool {
        self.jitter > 0.0
    }

    /// One packet's delay around its link's mean, from the packet's own bits.
    pub fn sample(&self, mean: Ns, bits: u64) -> Ns {
        let mean_f = mean as f64;
        let delay = match self.model {
            Delay::Uniform { .. } => mean_f * (1.0 + self.jitter * unit(bits)),
            // Normal, cut off at nothing (CometBFT's e2e emulation has σ = delay/20).
            _ => mean_f * (1.0 + self.jitter * normal(bits)),
        };
        (delay.max(1.0)) as Ns
    }
}

/// A standard normal from 64 bits: the sum of eight 8-bit uniforms would be cheap but light in the
/// tails, so Box–Muller on two 32-bit halves (tails end at 6.7 σ).
fn normal(bits: u64) -> f64 {
    let scale = 1.0 / (1u64 << 32) as f64;
    let u = ((bits >> 32) as f64 + 1.0) * scale;
    let v = (bits & 0xFFFF_FFFF) as f64 * scale;
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}
