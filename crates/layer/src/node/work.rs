//! Work that takes processor time. A node requests it; its host performs it and reports its
//! completion.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::intake::Work;
use crate::message::{Block, Class};
use crate::units::{Height, NodeId, Ns};

/// Work that a node requests from its host.
#[derive(Clone, Debug)]
pub enum Task {
    /// Check a client's message (signature, account, format). At most
    /// [`Config::validations_max`](super::Config::validations_max) are in progress at once.
    Validate(Work),
    /// Check a message of consensus of this class. One is in progress at a time.
    Verify(Class),
    /// Decrypt a block, if its messages were encrypted, and apply it, in this order of its entries.
    /// One is in progress at a time.
    Execute(Arc<Block>),
    /// Make this node's share of the key of the block of this height.
    MakeShare {
        /// Height of the block.
        height: Height,
        /// Node that receives the share; `None` = all others.
        to: Option<NodeId>,
    },
}

/// Completion of work: the answer to a [`Task`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// The message is valid.
    Validated(Work),
    /// The message of consensus that came first of those not yet verified is valid.
    Verified,
    /// The block is executed.
    Executed,
    /// The share is made.
    ShareMade {
        /// Height of the block.
        height: Height,
        /// Node that receives the share; `None` = all others.
        to: Option<NodeId>,
    },
}

impl Task {
    /// The input to hand in upon completion.
    pub fn done(&self) -> Done {
        match *self {
            Task::Validate(work) => Done::Validated(work),
            Task::Verify(_) => Done::Verified,
            Task::Execute(_) => Done::Executed,
            Task::MakeShare { height, to } => Done::ShareMade { height, to },
        }
    }
}

/// Mean times of work by class (index = class number), as the venue declares them. Estimates of how
/// long a backlog will take, and prices in units of work, rest on them: what a piece of work really
/// takes is the host's to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Costs {
    /// Mean time to validate a message, in ns.
    pub validation_ns: [Ns; 8],
    /// Mean time to execute a message, in ns.
    pub execution_ns: [Ns; 8],
}
