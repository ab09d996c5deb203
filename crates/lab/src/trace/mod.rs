//! All facts of a run, as tables of plain columns. No floats but where the outside world is one,
//! no wall clock: the same run gives the same bytes.

mod resource;
mod tables;

use surgetank_layer::message::Message;
use surgetank_layer::node::Change;
use surgetank_layer::units::{Height, MessageId, NEVER, NodeId, Ns, Price};

pub use resource::{Charges, Place, PlaceRow, RESOURCES, Resource, WaitRow};
pub use tables::{Receipts, Rows};

/// One column; `None` of an optional column is the type's greatest value.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// Small enumerations.
    U8(Vec<u8>),
    /// Identifiers.
    U32(Vec<u32>),
    /// Identifiers that may be absent (`u32::MAX`).
    OptionU32(Vec<u32>),
    /// Times and counts.
    U64(Vec<u64>),
    /// Times that may never come (`u64::MAX`).
    OptionU64(Vec<u64>),
    /// Ticks, lots, quanta.
    I64(Vec<i64>),
    /// What the outside world measures in reals.
    F64(Vec<f64>),
    /// Reals that may be absent (NaN).
    OptionF64(Vec<f64>),
    /// Text.
    Text(Vec<String>),
}

/// A table: its name and its named columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns, in the order of the schema.
    pub columns: Vec<(&'static str, Column)>,
}

/// What became of a client's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// Nothing yet: a censored observation.
    Pending = 0,
    /// Executed.
    Executed = 1,
    /// Refused for good.
    Refused = 2,
    /// Lost on the way.
    Lost = 3,
}

/// Why it was refused or lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// It was not.
    None = 0,
    /// Too many waited for validation.
    IngressFull = 1,
    /// Too many waited for ordering.
    MempoolFull = 2,
    /// The gateway was down.
    GatewayDown = 3,
    /// It expired.
    Expired = 4,
    /// The packet was lost.
    PacketLost = 5,
    /// It waited too long, or made room for another.
    Shed = 6,
    /// Its account had used its rate up.
    RateExceeded = 7,
    /// It offered less than the present price.
    FeeTooLow = 8,
    /// Its cancel came first.
    CancelledBefore = 9,
    /// Its sender did not reveal what it says.
    NotRevealed = 10,
    /// Non-essential flow waits while the venue is under strain.
    Throttled = 11,
}

/// Who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Source {
    /// The background process.
    Background = 0,
    /// A market maker.
    Maker = 1,
    /// An oracle.
    Oracle = 2,
    /// A keeper.
    Keeper = 3,
    /// A trader who reacts to the price.
    Panic = 4,
    /// An attacker.
    Spam = 5,
    /// The tape.
    Tape = 6,
    /// The attacker of `[attack]`.
    Attacker = 7,
}

/// A client's message and the stamps that every boundary left on it.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// What was sent.
    pub message: Message,
    /// Bytes on the wire.
    pub size_bytes: u32,
    /// What its sender offers to be served earlier, in millionths of a USD.
    pub fee_micros: u32,
    /// What it owes if it is executed, in millionths of a USD.
    pub owed_micros: u32,
    /// Where it enters.
    pub gateway: NodeId,
    /// Who sent it.
    pub source: Source,
    /// Number among the messages of its source, for draws that do not depend on others.
    pub serial: u32,
    /// Attempts so far.
    pub tries: u8,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it was refused or lost, if so.
    pub reason: Reason,
    /// The block that it is in; 0 = none.
    pub height: Height,
    /// Its place in that block, from 0.
    pub position: u32,
    /// Arrival at the gateway.
    pub gateway_ns: Ns,
    /// Validated there.
    pub admitted_ns: Ns,
    /// In the queue of the node that proposed it.
    pub queued_ns: Ns,
    /// In a proposed block.
    pub proposed_ns: Ns,
    /// The reporting node knows the decision.
    pub decided_ns: Ns,
    /// The reporting node has executed it.
    pub executed_ns: Ns,
    /// The client has the report.
    pub confirmed_ns: Ns,
}

impl Record {
    /// What its sender paid for it, in millionths of a USD: nothing unless it was executed.
    pub fn paid_micros(&self) -> u32 {
        if self.outcome == Outcome::Executed { self.owed_micros } else { 0 }
    }

    /// A message that is about to be sent.
    pub fn new(
        message: Message,
        size_bytes: u32,
        gateway: NodeId,
        source: Source,
        serial: u32,
    ) -> Record {
        Record {
            message,
            size_bytes,
            fee_micros: 0,
            owed_micros: 0,
            gateway,
            source,
            serial,
            tries: 0,
            outcome: Outcome::Pending,
            reason: Reason::None,
            height: 0,
            position: u32::MAX,
            gateway_ns: NEVER,
            admitted_ns: NEVER,
            queued_ns: NEVER,
            proposed_ns: NEVER,
            decided_ns: NEVER,
            executed_ns: NEVER,
            confirmed_ns: NEVER,
        }
    }
}

/// What happened in the market. Numbers are part of the trace's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum MarketKind {
    /// The outside price moved.
    Index = 0,
    /// A price update was executed.
    Oracle = 1,
    /// The mark moved.
    Mark = 2,
    /// A trade.
    Trade = 3,
    /// The outside price crossed an account's liquidation price.
    Due = 4,
    /// A keeper sent a liquidation order.
    LiquidationSent = 5,
    /// An account was closed out.
    Liquidated = 6,
    /// An account's loss exceeded its collateral.
    BadDebt = 7,
    /// The insurance fund changed.
    Insurance = 8,
    /// A winner's position was closed against a bankrupt one.
    Deleveraged = 9,
    /// An account fell below maintenance margin at the venue's mark.
    MarginCall = 10,
    /// A liquidation order came too late or too early.
    NotLiquidatable = 11,
    /// A trade of a liquidation.
    LiquidationTrade = 12,
    /// A due account is safe again.
    Recovered = 13,
    /// A limit of the venue put a liquidation off.
    LiquidationDeferred = 14,
    /// The venue's vault took a position over.
    TakenOver = 15,
    /// The outside price took what a due portfolio is worth below nothing, or brought it back.
    Underwater = 16,
    /// The book's best prices after a block.
    Touch = 17,
    /// An order that must trade at once was sent.
    OrderSent = 18,
    /// Nothing is left of what was liquidated.
    Closed = 19,
}

/// One row of the market's table.
#[derive(Clone, Copy, Debug)]
pub struct MarketRow {
    /// When.
    pub time_ns: Ns,
    /// What happened.
    pub kind: MarketKind,
    /// By which message; `u32::MAX` = none.
    pub message: MessageId,
    /// Whose; `u32::MAX` = nobody's.
    pub account: u32,
    /// Counterparty; `u32::MAX` = none.
    pub other: u32,
    /// In ticks.
    pub price: Price,
    /// In lots, signed.
    pub qty: i64,
    /// In quanta.
    pub amount: i64,
    /// Observed, or due, time; `NEVER` = none.
    pub ref_ns: Ns,
}

impl MarketRow {
    /// A row with nothing but a time and a kind.
    pub fn new(time_ns: Ns, kind: MarketKind) -> MarketRow {
        MarketRow {
            time_ns,
            kind,
            message: u32::MAX,
            account: u32::MAX,
            other: u32::MAX,
            price: 0,
            qty: 0,
            amount: 0,
            ref_ns: NEVER,
        }
    }
}

/// One row of the gauges.
#[derive(Clone, Copy, Debug)]
pub struct GaugeRow {
    /// When.
    pub time_ns: Ns,
    /// Where.
    pub node: NodeId,
    /// Waiting for validation.
    pub ingress_len: u32,
    /// Waiting for ordering.
    pub mempool_len: u32,
    /// Decided, not executed.
    pub execution_len: u32,
    /// How long a packet would wait for the uplink.
    pub uplink_backlog_ns: Ns,
    /// How long the uplink has been sending, since the start of the run.
    pub uplink_busy_ns: Ns,
    /// How long the downlink has been receiving.
    pub downlink_busy_ns: Ns,
    /// How long the validation servers have worked, summed over them.
    pub validation_busy_ns: Ns,
    /// How long the server of consensus messages has worked.
    pub consensus_busy_ns: Ns,
    /// How long the execution server has worked.
    pub execution_busy_ns: Ns,
    /// Executed height.
    pub height: u32,
    /// Whether the node is up.
    pub up: u8,
}

/// One decided block.
#[derive(Clone, Copy, Debug)]
pub struct BlockRow {
    /// Round in which it was decided.
    pub round: u32,
    /// Who made it.
    pub proposer: NodeId,
    /// How many messages.
    pub messages: u32,
    /// How many bytes.
    pub size_bytes: u64,
    /// When it was made.
    pub proposed_ns: Ns,
    /// When the first node knew it was decided.
    pub decided_ns: Ns,
    /// Its hash.
    pub hash: [u8; 32],
}

/// A round of the express lane that was sold.
#[derive(Clone, Copy, Debug)]
pub struct LaneRow {
    /// Number of the round.
    pub round: u64,
    /// To whom.
    pub controller: u32,
    /// For how much, in millionths of a USD.
    pub price_micros: u64,
}

/// A node's setting was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecisionRow {
    /// When.
    pub time_ns: Ns,
    /// At which node.
    pub node: NodeId,
    /// What, why, from and to.
    pub change: Change,
}

/// A fault as it was asked for and as it was measured.
#[derive(Clone, Debug)]
pub struct FaultRow {
    /// Which kind.
    pub kind: &'static str,
    /// When it begins.
    pub at_ns: Ns,
    /// When it ends.
    pub until_ns: Ns,
    /// The nodes that it concerns, separated by commas; groups of a partition by `|`.
    pub nodes: String,
    /// What is compared.
    pub quantity: &'static str,
    /// As asked.
    pub asked: f64,
    /// As measured; `None` when nothing came by.
    pub measured: Option<f64>,
    /// Out of how many.
    pub samples: u64,
}
