//! Validators that keep the protocol's rules and use its times against it.
//!
//! - `withhold-votes`: they propose and pass on what others say, and say nothing of their own: no
//!   vote, no message of a timeout.
//! - `late-proposal`: they propose late, within what the others' timeouts allow or beyond, to see
//!   more orders before they choose (timing games: Schwarz-Schilling et al., AFT 2023).

use std::collections::VecDeque;

use serde::Deserialize;
use surgetank_layer::message::{Payload, Statement};
use surgetank_layer::units::{NodeId, Ns};

use super::means::Means;
use super::{Attack, AttackRequest};
use crate::actors::{Action, ActorEvent, Timer, View};
use crate::scenario::ms;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WithholdVotes {
    nodes: Vec<NodeId>,
}

pub(super) fn withhold_votes(asked: &AttackRequest<'_>) -> Result<Box<dyn Attack>, String> {
    Ok(Box::new(asked.keys::<WithholdVotes>()?))
}

impl Attack for WithholdVotes {
    fn needs(&self) -> Option<&'static str> {
        Some("control of a validator")
    }

    fn step(
        &mut self,
        _now: Ns,
        event: ActorEvent<'_>,
        _means: &mut Means,
        _view: &dyn View,
        out: &mut Vec<Action>,
    ) {
        publish(event, out);
    }

    fn controls(&self, node: NodeId) -> bool {
        self.nodes.contains(&node)
    }

    fn keeps_back(&self, statement: &Statement) -> bool {
        !is_proposal(statement)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LateKeys {
    nodes: Vec<NodeId>,
    extra_ms: f64,
}

struct LateProposal {
    nodes: Vec<NodeId>,
    extra_ns: Ns,
    /// Proposals that are due, the next first.
    due: VecDeque<(Ns, NodeId, Payload)>,
}

pub(super) fn late_proposal(asked: &AttackRequest<'_>) -> Result<Box<dyn Attack>, String> {
    let LateKeys { nodes, extra_ms } = asked.keys()?;
    Ok(Box::new(LateProposal { nodes, extra_ns: ms(extra_ms), due: VecDeque::new() }))
}

impl Attack for LateProposal {
    fn needs(&self) -> Option<&'static str> {
        Some("control of a validator")
    }

    fn step(
        &mut self,
        now: Ns,
        event: ActorEvent<'_>,
        means: &mut Means,
        _view: &dyn View,
        out: &mut Vec<Action>,
    ) {
        match event {
            ActorEvent::Publishes { node, payload, .. }
                if payload.block().is_some() && means.window.contains(&now) =>
            {
                let at = now + self.extra_ns;
                means.found += 1;
                self.due.push_back((at, node, payload.clone()));
                out.push(Action::Wake { at, timer: Timer::Attack });
            }
            ActorEvent::Timer(Timer::Attack) => {
                while self.due.front().is_some_and(|&(at, ..)| at <= now) {
                    let (_, node, payload) = self.due.pop_front().expect("it has a front");
                    out.push(Action::Publish { node, payload, withheld_from: Vec::new() });
                }
            }
            _ => publish(event, out),
        }
    }

    fn controls(&self, node: NodeId) -> bool {
        self.nodes.contains(&node)
    }
}

/// Publishes what the validator would.
fn publish(event: ActorEvent<'_>, out: &mut Vec<Action>) {
    if let ActorEvent::Publishes { node, payload, .. } = event {
        let payload = payload.clone();
        out.push(Action::Publish { node, payload, withheld_from: Vec::new() });
    }
}

/// Whether a statement proposes a block.
fn is_proposal(statement: &Statement) -> bool {
    match statement {
        Statement::Proposal(_) => true,
        Statement::Chained(message) => message.brings().is_some(),
        Statement::Vote(_) => false,
    }
}
