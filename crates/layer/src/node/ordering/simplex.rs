//! All nodes vote, and finalize one iteration in the next: [`crate::consensus::simplex`].

use super::chained::{Chained, Protocol};
use super::{Engine, EngineLog};
use crate::consensus::chain::ChainLog;
use crate::consensus::simplex::Simplex;
use crate::units::{NodeId, Weight};

pub use super::chained::Config;

pub(super) fn engine(config: Config, id: NodeId, weights: &[Weight]) -> Box<dyn Engine> {
    Box::new(Chained::<Simplex>::new(id, weights, config))
}

impl Protocol for Simplex {
    fn wrap(log: Box<ChainLog<Simplex>>) -> EngineLog {
        EngineLog::Simplex(log)
    }

    fn unwrap(log: EngineLog) -> Option<Box<ChainLog<Simplex>>> {
        match log {
            EngineLog::Simplex(log) => Some(log),
            _ => None,
        }
    }
}
