//! Proposers omit a class of messages from their blocks and, if they are asked to, treat a block that
//! has it as invalid: with a third of the votes no such block is decided.

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
    /// Further nodes.
    #[serde(default)]
    nodes: Vec<NodeId>,
    class: Class,
    /// Whether they withhold votes, too.
    #[serde(default)]
    votes: bool,
}

pub(super) fn build(asked: &AttackRequest<'_>) -> Result<Box<dyn Attack>, String> {
    Ok(Box::new(asked.keys::<Censor>()?))
}

impl Censor {
    fn all(&self) -> impl Iterator<Item = NodeId> + '_ {
        let others = self.nodes.iter().copied().filter(|&node| node != self.node);
        std::iter::once(self.node).chain(others)
    }
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
            Arc::new(Proposer::without(self.class, self.votes))
        } else {
            Arc::new(Honest)
        };
        for node in self.all() {
            out.push(Action::BuildBlocks { node, builder: Arc::clone(&builder) });
        }
    }
}
