//! All nodes vote, in a pipeline: [`crate::consensus::hotstuff`].

use super::chained::{Chained, Protocol};
use super::{Engine, EngineLog};
use crate::consensus::chain::ChainLog;
use crate::consensus::hotstuff::HotStuff;
use crate::units::{NodeId, Weight};

pub use super::chained::Config;

pub(super) fn engine(config: Config, id: NodeId, weights: &[Weight]) -> Box<dyn Engine> {
    Box::new(Chained::<HotStuff>::new(id, weights, config))
}

impl Protocol for HotStuff {
    fn wrap(log: Box<ChainLog<HotStuff>>) -> EngineLog {
        EngineLog::Hotstuff(log)
    }

    fn unwrap(log: EngineLog) -> Option<Box<ChainLog<HotStuff>>> {
        match log {
            EngineLog::Hotstuff(log) => Some(log),
            _ => None,
        }
    }
}
