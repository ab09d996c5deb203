//! `[layer.queue]`: how messages wait, and how a batch gets its order.

use serde::{Deserialize, Serialize};
use surgetank_layer::fair::themis::Extraction;
use surgetank_layer::units::Ns;
use surgetank_layer::{node, queue};

/// The queues of waiting messages, and the order inside a batch.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// The queue discipline; `None` = the user's own class, passed to the run.
    pub discipline: Option<queue::Rule>,
    /// Whether an executed message owes the fee that it bid.
    pub pays_bids: bool,
    /// The order inside a block.
    pub order: BlockOrder,
    /// The unsealing of a decided block before its execution.
    pub unsealing: node::Unsealing,
    /// Messages that may wait for validation at a node (the one in service not counted).
    pub ingress_max: usize,
    /// Messages that may wait for ordering at a node.
    pub mempool_max: usize,
    /// The lane that is sold.
    pub express: Express,
    /// Bond that a commitment without a reveal forfeits, in USD.
    pub bond_usd: f64,
    /// Parameters of the fair orders `themis` and `median`.
    pub fair: Fair,
}

impl Queue {
    /// Whether the order is computed from the reports of all nodes.
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
    /// Mean value of a round to a maker, in USD (exponential); makers bid their value.
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
    /// The extraction rule of `themis` at the end of a round.
    pub extraction: Extraction,
}
