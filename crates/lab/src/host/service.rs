//! Service times.

use serde::{Deserialize, Serialize};
use surgetank_layer::machine::Draws;
use surgetank_layer::message::Class;
use surgetank_layer::node::Costs;
use surgetank_layer::units::{Ns, nearest};

use crate::seed::Stream;

/// Distribution of a service time around its mean.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Distribution {
    /// Deterministic: always the mean.
    Fixed,
    /// Exponential, as in M/M/1.
    Exponential,
    /// Log-normal with coefficient of variation `cv`.
    Lognormal {
        /// Standard deviation over mean.
        cv: f64,
    },
    /// Two exponentials with balanced means (p₁/μ₁ = p₂/μ₂) and coefficient of variation `cv` ≥ 1.
    Hyperexponential {
        /// Standard deviation over mean.
        cv: f64,
    },
}

impl Distribution {
    /// Standard deviation over mean.
    pub fn cv(self) -> f64 {
        match self {
            Distribution::Fixed => 0.0,
            Distribution::Exponential => 1.0,
            Distribution::Lognormal { cv } | Distribution::Hyperexponential { cv } => cv,
        }
    }
}

/// Servers and their service times.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Number of parallel validation servers.
    pub servers: u32,
    /// Mean times of validation and execution.
    pub means: Costs,
    /// Distribution of both around their means.
    pub distribution: Distribution,
    /// Time to decrypt a message before its execution; always the same.
    pub decryption_ns: Ns,
    /// Time to make a share of a block's key; always the same.
    pub share_ns: Ns,
}

impl Service {
    /// The same on a machine of this speed: times are divided by it.
    pub fn on_machine(&self, speed: f64) -> Service {
        let of = |span: Ns| nearest(span as f64 / speed);
        Service {
            means: Costs {
                validation_ns: self.means.validation_ns.map(of),
                execution_ns: self.means.execution_ns.map(of),
            },
            decryption_ns: of(self.decryption_ns),
            share_ns: of(self.share_ns),
            ..*self
        }
    }

    /// Whether clients' messages take time to validate.
    pub fn validates_clients(&self) -> bool {
        let of_clients = |class: Class| !class.is_consensus() && class != Class::ExecutionReport;
        let mut clients = Class::ALL.into_iter().filter(|&class| of_clients(class));
        clients.any(|class| self.means.validation_ns[class as usize] > 0)
    }
}

/// Service times: a distribution around 1, and the stream that they are drawn from.
pub(super) struct Times {
    distribution: Distribution,
    /// Of a log-normal: variance of the logarithm, and its root.
    log_variance: f64,
    log_deviation: f64,
    draws: Stream,
}

impl Times {
    pub(super) fn new(distribution: Distribution, draws: Stream) -> Times {
        let cv = distribution.cv();
        let log_variance = (1.0 + cv * cv).ln();
        Times { distribution, log_variance, log_deviation: log_variance.sqrt(), draws }
    }

    /// One time of this mean, on a machine `slow` times as slow.
    #[inline]
    pub(super) fn sample(&mut self, mean: Ns, slow: f64) -> Ns {
        if mean == 0 {
            return 0;
        }
        let draws = &mut self.draws;
        let scale = match self.distribution {
            Distribution::Fixed => 1.0,
            Distribution::Exponential => draws.exponential(),
            Distribution::Lognormal { .. } => {
                (self.log_deviation * draws.normal() - self.log_variance / 2.0).exp()
            }
            Distribution::Hyperexponential { cv } => {
                let squared = cv * cv;
                let p = (1.0 + ((squared - 1.0) / (squared + 1.0)).max(0.0).sqrt()) / 2.0;
                let branch = if draws.unit() < p { p } else { 1.0 - p };
                draws.exponential() / (2.0 * branch)
            }
        };
        nearest(mean as f64 * slow * scale)
    }
}
