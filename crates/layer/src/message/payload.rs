//! What goes with an envelope.

use std::sync::Arc;

use super::{Block, Class, Proposal, Vote};
use crate::chained::ChainMessage;
use crate::units::Height;

/// Statement of a consensus message, without the block that comes with it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Statement {
    /// A prevote or precommit.
    Vote(Vote),
    /// A proposal, without its block.
    Proposal(Proposal),
    /// A message of a chained protocol, or of one on a graph.
    Chained(Arc<ChainMessage>),
}

impl Statement {
    /// The height about which it is.
    pub fn height(&self) -> Height {
        match self {
            Statement::Vote(vote) => vote.height,
            Statement::Proposal(proposal) => proposal.height,
            Statement::Chained(message) => message.height(),
        }
    }

    /// The validator that made it.
    pub fn validator(&self) -> u32 {
        match self {
            Statement::Vote(vote) => vote.validator,
            Statement::Proposal(proposal) => proposal.validator,
            Statement::Chained(message) => message.validator(),
        }
    }
}

impl Payload {
    /// The class of a message of consensus.
    pub fn class(&self) -> Class {
        match self {
            Payload::Proposal(..) | Payload::Chained(_, Some(_)) => Class::Proposal,
            Payload::Opaque | Payload::Vote(_) | Payload::Chained(_, None) => Class::Vote,
        }
    }

    /// The block that is proposed.
    pub fn block(&self) -> Option<&Arc<Block>> {
        match self {
            Payload::Proposal(_, block) | Payload::Chained(_, Some(block)) => Some(block),
            Payload::Opaque | Payload::Vote(_) | Payload::Chained(_, None) => None,
        }
    }

    /// Its statement; `None` for a client's message.
    pub fn statement(&self) -> Option<Statement> {
        match self {
            Payload::Opaque => None,
            Payload::Vote(vote) => Some(Statement::Vote(*vote)),
            Payload::Proposal(proposal, _) => Some(Statement::Proposal(*proposal)),
            Payload::Chained(message, _) => Some(Statement::Chained(Arc::clone(message))),
        }
    }
}

/// Content carried with an envelope: none for client messages, which are opaque to the layer; for
/// consensus messages the statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// A client's message, opaque to the layer.
    Opaque,
    /// A prevote or precommit.
    Vote(Vote),
    /// A proposal and the proposed block.
    Proposal(Proposal, Arc<Block>),
    /// A message of a chained protocol, or of one on a graph, and the block if it brings one.
    Chained(Arc<ChainMessage>, Option<Arc<Block>>),
}
