//! `[layer.queue]`: how messages wait, and how a batch gets its order.

use serde::{Deserialize, Serialize};
use surgetank_layer::units::Ns;

use super::ClassName;

/// How messages wait.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// Who is served first.
    pub discipline: Discipline,
    /// The order inside a block.
    pub order: BlockOrder,
    /// Who opens a block whose messages are sealed.
    pub unsealing: Unsealing,
    /// Messages that may wait for validation at a node (the one in service not counted).
    pub ingress_max: u32,
    /// Messages that may wait for ordering at a node.
    pub mempool_max: u32,
    /// Classes of the high lane under `priority`: `price-update`, `liquidation-order`, `cancel`, `replace`, `order`.
    pub high: Vec<ClassName>,
    /// Weights under `lanes`.
    pub weights: Weights,
    /// Bytes that an account may send per round under `drr` and `fq-codel`.
    pub quantum_bytes: u32,
    /// When `codel` and `fq-codel` shed.
    pub codel: Codel,
    /// The lane that is sold.
    pub express: Express,
    /// What the order is drawn with, where nothing is unsealed.
    pub seed: SeedSource,
    /// How a block is opened.
    pub sealed: Sealed,
    /// How `themis` and `median` make one order of many.
    pub fair: Fair,
}

impl Queue {
    /// Whether all nodes have a say in the order.
    pub fn is_fair(&self) -> bool {
        matches!(self.order, BlockOrder::Themis | BlockOrder::Median)
    }
}

/// Who is served first.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Discipline {
    /// First come, first served.
    Fifo,
    /// Two classes, non-preemptive, first come first served in each.
    Priority,
    /// Post-only orders, then cancels, then takers (Hyperliquid).
    Class,
    /// Highest fee first.
    Fee,
    /// Interleaved weighted round robin over classes (CometBFT ADR-118).
    Lanes,
    /// Deficit round robin by account.
    Drr,
    /// First come, first served; CoDel sheds.
    Codel,
    /// Deficit round robin by account; CoDel sheds in each.
    FqCodel,
    /// A class of the user's, handed to the run.
    Custom,
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

/// Who opens a block whose messages are sealed.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Unsealing {
    /// Nobody: messages are not sealed.
    None,
    /// Clients, who reveal what they committed to.
    CommitReveal,
    /// A threshold of keypers.
    Threshold,
}

/// Weights of classes.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// PriceUpdate
    pub price_update: u8,
    /// LiquidationOrder
    pub liquidation_order: u8,
    /// OrderCancelRequest
    pub cancel: u8,
    /// OrderCancelReplaceRequest
    pub replace: u8,
    /// NewOrderSingle
    pub order: u8,
}

/// CoDel's two constants.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Codel {
    /// Sojourn that may stand.
    pub target_ns: Ns,
    /// For how long more may stand before anything is shed.
    pub interval_ns: Ns,
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
    /// How long everybody else is held back.
    pub advantage_ns: Ns,
    /// Least price of a round.
    pub reserve_usd: f64,
    /// What a round is worth to a maker, in the mean (exponential); makers bid what it is worth.
    pub maker_value_usd: f64,
}

/// What the order of a block is drawn with.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum SeedSource {
    /// The keypers' signature of the block: nobody knows it before.
    Beacon,
    /// The hash of the block before: everybody knows it before.
    Previous,
}

/// How a block is opened.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// How long clients have to reveal.
    pub reveal_ns: Ns,
    /// What a commitment without a reveal costs.
    pub bond_usd: f64,
    /// Share of the nodes whose shares open a block.
    pub threshold: f64,
    /// Work to make a share.
    pub share_ns: Ns,
    /// Work to decrypt a message.
    pub decrypt_ns: Ns,
    /// Shares that are missing for so long are asked for again.
    pub timeout_ns: Ns,
}

/// A fair order under a single sequencer.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fair {
    /// γ of `themis`.
    pub gamma: f64,
    /// Nodes that may be faulty; none given = as many as the rule can bear.
    pub faulty: Option<u32>,
    /// Between two reports of a node.
    pub report_ns: Ns,
    /// What leaves the graph of `themis` at the end of a round.
    pub extraction: Extraction,
}

/// What leaves the graph at the end of a round.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Extraction {
    /// What enough nodes have reported, with nothing before it that may still come.
    Safe,
    /// Everything up to the last such message.
    Paper,
}
