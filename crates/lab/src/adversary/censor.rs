//! A node's proposer omits a class of messages from its blocks.

use std::sync::Arc;

use serde::Deserialize;
use surgetank_layer::message::Class;
use surgetank_layer::node::{BlockBuilder, Honest};
use surgetank_layer::units::{NodeId, Ns};

use super::means::Means;
use super::{Attack, AttackRequest, Proposer};
use crate::actors::{Action, ActorEvent, Timer, View};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Censor {
    node: NodeId,
    class: Class,
}

pub(super) fn build(asked: &AttackRequest<'_>) -> Result<Box<dyn Attack>, String> {
    Ok(Box::new(asked.keys::<Censor>()?))
}

impl Attack for Censor {
    fn needs(&self) -> Option<&'static str> {
        Some("control of a proposer")
    }

    /// It begins, or is over.
    fn step(
        &mut self,
        now: Ns,
        event: ActorEvent<'_>,
        means: &mut Means,
        _view: &dyn View,
        out: &mut Vec<Action>,
    ) {
        let ActorEvent::Timer(Timer::Attack) = event else { return };
        let builder: Arc<dyn BlockBuilder> = if now < means.window.end {
            out.push(Action::Wake { at: means.window.end, timer: Timer::Attack });
            Arc::new(Proposer::without(self.class))
        } else {
            Arc::new(Honest)
        };
        out.push(Action::BuildBlocks { node: self.node, builder });
    }
}
