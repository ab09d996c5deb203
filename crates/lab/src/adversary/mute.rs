//! Nodes that take part in gossip and pass nothing on: neither messages nor what they announced.
//!
//! Sybils of the gossipsub v1.1 evaluation report (Vyzovitis et al., arXiv:2007.02754, 2020): they graft,
//! announce and are silent. Around one node it is its eclipse, from the start a cold boot, after a time
//! of good behaviour a covert flash.

use serde::Deserialize;
use surgetank_layer::units::{NodeId, Ns};

use super::means::Means;
use super::{Attack, AttackRequest};
use crate::actors::{Action, ActorEvent, View};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mute {
    nodes: Vec<NodeId>,
}

pub(super) fn build(asked: &AttackRequest<'_>) -> Result<Box<dyn Attack>, String> {
    Ok(Box::new(asked.keys::<Mute>()?))
}

impl Attack for Mute {
    fn needs(&self) -> Option<&'static str> {
        Some("control of a node")
    }

    fn step(
        &mut self,
        _now: Ns,
        _event: ActorEvent<'_>,
        _means: &mut Means,
        _view: &dyn View,
        _out: &mut Vec<Action>,
    ) {
    }

    fn mutes(&self, node: NodeId) -> bool {
        self.nodes.contains(&node)
    }
}
