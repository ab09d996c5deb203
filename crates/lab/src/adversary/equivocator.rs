//! Equivocating validators: they tell one half of the others one thing, and the other half another.
//! The halves have about the same weight.
//!
//! # Rules
//! 1. Where the proposer is one of them, it proposes two blocks for the same height and round, one
//!    to each half; the second lacks the last message of the first. An empty block has no second.
//! 2. All of them prevote and precommit for the block of the half that they send to. Where there is
//!    one block only, they vote for it to the first half and for nil to the second.
//! 3. They are in the first half themselves. Their own machines are honest, and know the first
//!    block only until others pass the second on.
//!
//! 4. Under Simplex they do the same with its votes. Of chained HotStuff only the proposals are
//!    doubled: a vote goes to the next leader alone, which counts the first; and of Tusk and Bullshark
//!    only the vertices, whose votes go to their author.
//!
//! Each half so sees validators that support its block: the split that does most harm to agreement
//! (the proof of Lemma 3 in Buchman, Kwon and Milosevic, arXiv 1807.04938, bounds what it can do).
//! Honest nodes pass both on, so the evidence spreads to all.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use surgetank_layer::chained::{BlockProposal, BlockVote, ChainMessage};
use surgetank_layer::dag::Vertex;
use surgetank_layer::message::{Block, Payload, Proposal, Vote};
use surgetank_layer::sequencer::chain;
use surgetank_layer::units::{Digest, Height, NodeId, Ns};

use super::means::Means;
use super::{Attack, AttackRequest};
use crate::actors::{Action, ActorEvent, View};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    /// The validators that equivocate.
    nodes: Vec<NodeId>,
}

struct Equivocator {
    validators: Vec<NodeId>,
    /// Nodes that receive the first version of a message, the validators among them, and those that
    /// receive the second.
    halves: [Vec<NodeId>; 2],
    /// First block → second block, of recent heights.
    second: BTreeMap<(Height, Digest), Digest>,
}

pub(super) fn build(asked: &AttackRequest<'_>) -> Result<Box<dyn Attack>, String> {
    let Keys { nodes: validators } = asked.keys()?;
    let all = 0..asked.weights.len() as NodeId;
    let mut honest: Vec<NodeId> = all.filter(|node| !validators.contains(node)).collect();
    // The heaviest first, each to the lighter half: of equal weights, in turn.
    honest.sort_by_key(|&node| Reverse(asked.weights[node as usize]));
    let mut halves = [validators.clone(), Vec::new()];
    let mut weights: [u128; 2] = [0; 2];
    for node in honest {
        let half = usize::from(weights[1] < weights[0]);
        halves[half].push(node);
        weights[half] += u128::from(asked.weights[node as usize]);
    }
    Ok(Box::new(Equivocator { validators, halves, second: BTreeMap::new() }))
}

impl Equivocator {
    /// The second version of a block.
    fn note(&mut self, first: &Block, second: &Block) {
        self.second.retain(|(height, _), _| *height + 1 >= first.height);
        self.second.insert((first.height, first.hash), second.hash);
    }

    /// What the second half is sent; `None` if it is sent the same.
    fn second_version(&mut self, payload: &Payload, last_hash: &Digest) -> Option<Payload> {
        match payload {
            Payload::Opaque => None,
            Payload::Proposal(proposal, block) => {
                let other = Arc::new(without_last(block, last_hash)?);
                self.note(block, &other);
                let proposal = Proposal { value: other.hash, valid_round: None, ..*proposal };
                Some(Payload::Proposal(proposal, other))
            }
            Payload::Chained(message, block) => match (&**message, block) {
                (ChainMessage::Proposal(proposal), Some(block)) => {
                    let other = Arc::new(without_last(block, &proposal.qc.value)?);
                    self.note(block, &other);
                    let proposal = BlockProposal { value: other.hash, ..proposal.clone() };
                    let message = Arc::new(ChainMessage::Proposal(proposal));
                    Some(Payload::Chained(message, Some(other)))
                }
                (ChainMessage::Vertex(vertex), Some(block)) => {
                    let other = Arc::new(without_last(block, &vertex.base())?);
                    let vertex = Vertex { value: other.hash, ..vertex.clone() };
                    Some(Payload::Chained(Arc::new(ChainMessage::Vertex(vertex)), Some(other)))
                }
                (ChainMessage::Vote(vote), None) => {
                    let value = *self.second.get(&(vote.height, vote.value))?;
                    let vote = ChainMessage::Vote(BlockVote { value, ..*vote });
                    Some(Payload::Chained(Arc::new(vote), None))
                }
                _ => None,
            },
            Payload::Vote(vote) => {
                let first = vote.value?;
                let value = self.second.get(&(vote.height, first)).copied();
                Some(Payload::Vote(Vote { value, ..*vote }))
            }
        }
    }
}

/// The block on the same parent without its last message; `None` if it has none.
fn without_last(block: &Block, last_hash: &Digest) -> Option<Block> {
    let (_, entries) = block.entries.split_last()?;
    let hash = chain(last_hash, block.height, entries);
    Some(Block { entries: entries.to_vec(), hash, ..block.clone() })
}

impl Attack for Equivocator {
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
        let ActorEvent::Publishes { node, payload, last_hash } = event else { return };
        let acts = means.window.contains(&now) && !self.halves[1].is_empty();
        let other = if acts { self.second_version(payload, &last_hash) } else { None };
        let withheld_from = if other.is_some() { self.halves[1].clone() } else { Vec::new() };
        out.push(Action::Publish { node, payload: payload.clone(), withheld_from });
        if let Some(payload) = other {
            means.found += 1;
            out.push(Action::Publish { node, payload, withheld_from: self.halves[0].clone() });
        }
    }

    fn controls(&self, node: NodeId) -> bool {
        self.validators.contains(&node)
    }
}
