//! `[layer.queue]`: how messages wait, and how a batch gets its order.

use serde::{Deserialize, Serialize};
use surgetank_layer::fair::themis::Extraction;
use surgetank_layer::units::Ns;
use surgetank_layer::{node, queue};

/// How messages wait.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// Who is served first; `None` = as the user's own class says, handed to the run.
    pub discipline: Option<queue::Rule>,
    /// Weights of classes, for a tuner.
    pub weights: [u8; 8],
    /// The order inside a block.
    pub order: BlockOrder,
    /// What happens to a decided block before it is executed.
    pub unsealing: node::Unsealing,
    /// Messages that may wait for validation at a node (the one in service not counted).
    pub ingress_max: usize,
    /// Messages that may wait for ordering at a node.
    pub mempool_max: usize,
    /// The lane that is sold.
    pub express: Express,
    /// What a commitment without a reveal costs.
    pub bond_usd: f64,
    /// How `themis` and `median` make one order of many.
    pub fair: Fair,
}

impl Queue {
    /// Whether all nodes have a say in the order.
    pub fn is_fair(&self) -> bool {
        matches!(self.order, BlockOrder::Themis | BlockOrder::Median)
    }
}

/// The order inside a block.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum BlockOrder {
    /// As its proposer served the messages.
    AsProposed,
    /// Drawn over accounts.
    Drawn,
    /// In the order in which a share of the nodes saw them (Themis).
    Themis,
    /// By the median of the times at which the nodes saw them (decentralised Timeboost).
    Median,
}

/// An express lane, sold by the round.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Express {
    /// Whether there is one.
    pub enabled: bool,
    /// Length of a round.
    pub round_ns: Ns,
    /// The auction of a round closes this long before it begins.
    pub closing_ns: Ns,
    /// Delay of all other accounts' messages.
    pub advantage_ns: Ns,
    /// Least price of a round.
    pub reserve_usd: f64,
    /// What a round is worth to a maker, in the mean (exponential); makers bid what it is worth.
    pub maker_value_usd: f64,
}

/// A fair order under a single sequencer.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fair {
    /// γ of `themis`, in thousandths.
    pub gamma_permille: u32,
    /// Nodes that may be faulty.
    pub faulty: u32,
    /// Between two reports of a node.
    pub report_ns: Ns,
    /// What leaves the graph of `themis` at the end of a round.
    pub extraction: Extraction,
}
