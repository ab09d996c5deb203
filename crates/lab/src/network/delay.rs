//! Delays of packets.

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
    /// Distances from 0 that [`normal`] does not exceed, by leading zeros of its first half's bits.
    farthest: [f64; 33],
    /// Key of the delays of ordered pairs (Uniform): the same for linked and unlinked pairs.
    key: u64,
}

impl Delays {
    /// The delays of a graph's links.
    pub fn new(model: &Delay, graph: &Graph, draws: &mut Stream) -> Delays {
        let jitter = match model {
            Delay::Fixed { jitter, .. }
            | Delay::Uniform { jitter, .. }
            | Delay::Regions { jitter, .. }
            | Delay::Paths { jitter, .. } => *jitter,
        };
        let mut delays = Delays {
            link_ns: Vec::new(),
            model: model.clone(),
            jitter,
            farthest: farthest(),
            key: draws.next_u64(),
        };
        for node in 0..graph.nodes() {
            let links = graph.offsets[node] as usize..graph.offsets[node + 1] as usize;
            for &peer in &graph.peers[links] {
                delays.link_ns.push(delays.between(node as NodeId, peer));
            }
        }
        delays
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
            Delay::Paths { matrix_ms, placement, .. } => {
                ms(matrix_ms[placement[from as usize] as usize][placement[to as usize] as usize])
            }
        };
        delay.max(1)
    }

    /// A delay that [`Delays::sample`] of the same bits does not fall below, without its logarithm
    /// and cosine: most copies of a flood come too late to matter, and this is enough to say so.
    #[inline]
    pub fn at_least(&self, mean: Ns, bits: u64) -> Ns {
        if self.jitter == 0.0 {
            return mean;
        }
        let normal = match (&self.model, (bits as u32) >> 30) {
            (Delay::Uniform { .. }, _) => 0.0,
            // The cosine is negative in the second and third quarter of the circle.
            (_, 1 | 2) => -self.farthest[((bits >> 32) as u32).leading_zeros() as usize],
            _ => -1e-9,
        };
        (mean as f64 * (1.0 + self.jitter * normal)).max(1.0) as Ns
    }

    /// One packet's delay around its link's mean, from the packet's own bits.
    pub fn sample(&self, mean: Ns, bits: u64) -> Ns {
        if self.jitter == 0.0 {
            return mean;
        }
        let mean_f = mean as f64;
        let delay = match self.model {
            Delay::Uniform { .. } => mean_f * (1.0 + self.jitter * unit(bits)),
            // Normal, cut off at nothing (CometBFT's e2e emulation has σ = delay/20).
            _ => mean_f * (1.0 + self.jitter * normal(bits)),
        };
        (delay.max(1.0)) as Ns
    }
}

/// Of first halves with so many leading zeros, the radius of [`normal`] where they are least.
fn farthest() -> [f64; 33] {
    let least = |zeros: usize| if zeros == 32 { 0.0 } else { 2f64.powi(31 - zeros as i32) };
    std::array::from_fn(|zeros| normal((least(zeros) as u64) << 32).abs() + 1e-9)
}

/// A standard normal from 64 bits: the sum of eight 8-bit uniforms would be cheap but light in the
/// tails, so Box–Muller on two 32-bit halves (tails end at 6.7 σ).
fn normal(bits: u64) -> f64 {
    let scale = 1.0 / (1u64 << 32) as f64;
    let u = ((bits >> 32) as f64 + 1.0) * scale;
    let v = (bits & 0xFFFF_FFFF) as f64 * scale;
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}
