//! How long a node works on a message.

use crate::machine::Draws;
use crate::message::Class;
use crate::units::Ns;

/// Distribution of a service time around its mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distribution {
    /// Always the mean.
    Fixed,
    /// Exponential.
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

/// Servers and mean times by class (index = class number).
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Validation servers.
    pub servers: u32,
    /// Mean validation times.
    pub validation_ns: [Ns; 8],
    /// Mean execution times.
    pub execution_ns: [Ns; 8],
    /// Distribution of both.
    pub distribution: Distribution,
}

impl Service {
    /// One validation time of this class.
    #[inline]
    pub fn validation(&self, class: Class, slow: f64, draws: &mut dyn Draws) -> Ns {
        self.sample(self.validation_ns[class as usize], slow, draws)
    }

    /// One execution time of this class.
    pub fn execution(&self, class: Class, slow: f64, draws: &mut dyn Draws) -> Ns {
        self.sample(self.execution_ns[class as usize], slow, draws)
    }

    #[inline]
    fn sample(&self, mean: Ns, slow: f64, draws: &mut dyn Draws) -> Ns {
        if mean == 0 {
            return 0;
        }
        let scale = match self.distribution {
            Distribution::Fixed => 1.0,
            Distribution::Exponential => draws.exponential(),
            Distribution::Lognormal { cv } => {
                let variance = (1.0 + cv * cv).ln();
                (variance.sqrt() * draws.normal() - variance / 2.0).exp()
            }
            Distribution::Hyperexponential { cv } => {
                let squared = cv * cv;
                let p = (1.0 + ((squared - 1.0) / (squared + 1.0)).max(0.0).sqrt()) / 2.0;
                let branch = if draws.unit() < p { p } else { 1.0 - p };
                draws.exponential() / (2.0 * branch)
            }
        };
        (mean as f64 * slow * scale).round() as Ns
    }
}
