//! All facts of a run, as tables of plain columns. Floats only for real-valued quantities, no wall
//! clock: the same run gives the same bytes.

mod messages;
#[macro_use]
mod names;
mod reading;
mod resource;
mod tables;

use surgetank_layer::node::Change;
use surgetank_layer::units::{MessageId, NEVER, NodeId, Ns, Price};

pub use messages::{Executed, Messages, NewMessage};
pub use names::names;
pub use resource::{Charges, Place, PlaceRow, RESOURCES, Resource, WaitRow};
pub use tables::{Receipts, Rows, schema};

/// One column; `None` of an optional column is the type's greatest value.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// Numbers of small enumerations.
    U8(Vec<u8>),
    /// Small enumerations that may be absent (`u8::MAX`).
    OptionU8(Vec<u8>),
    /// Indices of markets that may be absent (`u16::MAX`).
    OptionU16(Vec<u16>),
    /// Identifiers, such as nodes and messages.
    U32(Vec<u32>),
    /// Identifiers that may be absent (`u32::MAX`).
    OptionU32(Vec<u32>),
    /// Times and counts.
    U64(Vec<u64>),
    /// Times, with `u64::MAX` for never.
    OptionU64(Vec<u64>),
    /// Signed amounts: ticks, lots, quanta.
    I64(Vec<i64>),
    /// Real-valued quantities.
    F64(Vec<f64>),
    /// Reals that may be absent (NaN).
    OptionF64(Vec<f64>),
    /// Text cells, such as hashes.
    Text(Vec<String>),
}

impl Column {
    /// The Arrow type of its cells.
    pub fn dtype(&self) -> &'static str {
        match self {
            Column::U8(_) | Column::OptionU8(_) => "UInt8",
            Column::OptionU16(_) => "UInt16",
            Column::U32(_) | Column::OptionU32(_) => "UInt32",
            Column::U64(_) | Column::OptionU64(_) => "UInt64",
            Column::I64(_) => "Int64",
            Column::F64(_) | Column::OptionF64(_) => "Float64",
            Column::Text(_) => "String",
        }
    }

    /// Whether a cell may be null.
    pub fn nullable(&self) -> bool {
        matches!(
            self,
            Column::OptionU8(_)
                | Column::OptionU16(_)
                | Column::OptionU32(_)
                | Column::OptionU64(_)
                | Column::OptionF64(_)
        )
    }
}

/// A table: its name and its named columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Name of the table.
    pub name: &'static str,
    /// Its columns, in the order of the schema.
    pub columns: Vec<(&'static str, Column)>,
}

named! {
    /// Outcome of a client's message.
    pub enum Outcome {
        /// Neither executed nor refused yet: a censored observation.
        Pending = "pending",
        /// It was executed by the reporting node.
        Executed = "executed",
        /// It was refused, and its client gave up.
        Refused = "refused",
        /// It was lost in the network.
        Lost = "lost",
    }
}

named! {
    /// Reason for which it was refused or lost.
    pub enum Reason {
        /// It was neither refused nor lost.
        None = "none",
        /// The ingress queue was full.
        IngressFull = "ingress full",
        /// The mempool was full.
        MempoolFull = "mempool full",
        /// The gateway was down.
        GatewayDown = "gateway down",
        /// Its expiry height had passed.
        Expired = "expired",
        /// The packet was lost.
        PacketLost = "packet lost",
        /// It waited too long, or was dropped for another.
        Shed = "shed",
        /// Its account had exhausted its rate limit.
        RateExceeded = "rate exceeded",
        /// Its fee was below the price.
        FeeTooLow = "fee too low",
        /// Its cancel arrived first.
        CancelledBefore = "cancelled before",
        /// Its sender did not reveal its content.
        NotRevealed = "not revealed",
        /// It was throttled by its criticality.
        Throttled = "throttled",
        /// No answer in time. This and the following occur in live runs only.
        TimedOut = "timed out",
        /// The connection was lost before an answer.
        Disconnected = "disconnected",
        /// The target refused it.
        TargetRefused = "target refused",
        /// The generator did not send it in time.
        NotSent = "not sent",
        /// The target acknowledged it and never delivered it.
        AcknowledgedAndLost = "acknowledged and lost",
    }
}

named! {
    /// Kind of the sender.
    pub enum Source {
        /// The background arrival process.
        Background = "background",
        /// A market maker.
        Maker = "maker",
        /// An oracle of the venue.
        Oracle = "oracle",
        /// A keeper that liquidates.
        Keeper = "keeper",
        /// A panicking trader.
        Panic = "panic",
        /// The attacker of a spam fault.
        Spam = "spam",
        /// A recorded message of the tape.
        Tape = "tape",
        /// The attacker of `[attack]`.
        Attacker = "attacker",
    }
}

named! {
    /// Kinds of rows of the market's table.
    pub enum MarketKind {
        /// The outside price moved.
        Index = "index",
        /// An oracle of the venue.
        Oracle = "oracle",
        /// The mark price changed.
        Mark = "mark",
        /// Two orders traded.
        Trade = "trade",
        /// The outside price crossed an account's liquidation price.
        Due = "due",
        /// A keeper sent a liquidation order.
        LiquidationSent = "liquidation-sent",
        /// An account was liquidated, wholly or in part.
        Liquidated = "liquidated",
        /// An account's loss exceeded its collateral.
        BadDebt = "bad-debt",
        /// The insurance fund paid or received.
        Insurance = "insurance",
        /// Auto-deleveraging closed a position against a bankrupt one.
        Deleveraged = "deleveraged",
        /// An account fell below maintenance margin at the venue's mark.
        MarginCall = "margin-call",
        /// A liquidation order found the account not liquidatable.
        NotLiquidatable = "not-liquidatable",
        /// A trade of a liquidation.
        LiquidationTrade = "liquidation-trade",
        /// A due account has recovered.
        Recovered = "recovered",
        /// A limit of the venue deferred a liquidation.
        LiquidationDeferred = "liquidation-deferred",
        /// The venue's vault took a position over.
        TakenOver = "taken-over",
        /// The equity of a due portfolio at the outside price became negative, or recovered.
        Underwater = "underwater",
        /// The book's best prices after a block.
        Touch = "touch",
        /// An immediate order was sent.
        OrderSent = "order-sent",
        /// A liquidated position is closed completely.
        Closed = "closed",
        /// Longs and shorts exchanged a funding payment.
        Funding = "funding",
        /// Collateral in an asset was sold to cover negative cash.
        CollateralSold = "collateral-sold",
    }
}

/// One row of the market's table.
#[derive(Clone, Copy, Debug)]
pub struct MarketRow {
    /// Time of the row, in ns.
    pub time_ns: Ns,
    /// Kind of the row.
    pub kind: MarketKind,
    /// A number of `Bearer` (bad debt) or of `Deferral` (liquidation deferred), or of the asset
    /// (collateral sold); `u8::MAX` = none of them.
    pub code: u8,
    /// Index of the market; `u16::MAX` = no single one.
    pub market: u16,
    /// Number of the causing message; `u32::MAX` = none.
    pub message: MessageId,
    /// Account concerned; `u32::MAX` = none.
    pub account: u32,
    /// Account of the counterparty; `u32::MAX` = none.
    pub other: u32,
    /// Price, in ticks.
    pub price: Price,
    /// Signed quantity, in lots; of a funding payment its rate, in 1e-9 of notional.
    pub qty: i64,
    /// Amount of money, in quanta.
    pub amount: i64,
    /// Observed, or due, time; `NEVER` = none.
    pub ref_ns: Ns,
}

impl MarketRow {
    /// A row with a time and a kind only.
    pub fn new(time_ns: Ns, kind: MarketKind) -> MarketRow {
        MarketRow {
            time_ns,
            kind,
            code: u8::MAX,
            market: u16::MAX,
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
    /// Time of the row, in ns.
    pub time_ns: Ns,
    /// Node of the row.
    pub node: NodeId,
    /// Number of messages that wait for validation.
    pub ingress_len: u32,
    /// Number of messages that wait for ordering.
    pub mempool_len: u32,
    /// Number of messages decided and not executed.
    pub execution_len: u32,
    /// Time that a packet would wait for the uplink, in ns.
    pub uplink_backlog_ns: Ns,
    /// Busy time of the uplink since the start of the run, in ns.
    pub uplink_busy_ns: Ns,
    /// Busy time of the downlink, in ns.
    pub downlink_busy_ns: Ns,
    /// Busy time of the validation servers, summed over them, in ns.
    pub validation_busy_ns: Ns,
    /// Busy time of the server of consensus messages, in ns.
    pub consensus_busy_ns: Ns,
    /// Busy time of the execution server, in ns.
    pub execution_busy_ns: Ns,
    /// Height of the last executed block.
    pub height: u32,
    /// Whether the node is up.
    pub up: u8,
}

/// One decided block.
#[derive(Clone, Copy, Debug)]
pub struct BlockRow {
    /// Round in which it was decided.
    pub round: u32,
    /// Node that proposed it.
    pub proposer: NodeId,
    /// Number of messages.
    pub messages: u32,
    /// Size, in bytes.
    pub size_bytes: u64,
    /// Time of the proposal.
    pub proposed_ns: Ns,
    /// Time at which the first node knew it as decided.
    pub decided_ns: Ns,
    /// Hash of the block.
    pub hash: [u8; 32],
}

/// A round of the express lane that was sold.
#[derive(Clone, Copy, Debug)]
pub struct LaneRow {
    /// Number of the round.
    pub round: u64,
    /// Account that controls the round.
    pub controller: u32,
    /// Price, in millionths of a USD.
    pub price_micros: u64,
}

/// A node's setting was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecisionRow {
    /// Time of the row, in ns.
    pub time_ns: Ns,
    /// Node of the row.
    pub node: NodeId,
    /// Parameter, reason, old and new value.
    pub change: Change,
}

named! {
    /// Measured quantity of a fault, with its unit last. Those after `SpamPerS` occur in live runs
    /// only.
    pub enum Quantity {
        /// Share of packets lost, of those affected.
        PacketsLost = "packets_lost_share",
        /// Mean delay added to packets (or bytes).
        AddedDelay = "added_delay_ms",
        /// Events that a stopped node handled.
        EventsWhileDown = "events_while_down",
        /// Factor on service times.
        ServiceFactor = "service_factor",
        /// Mean delay added to key shares.
        AddedShareDelay = "added_share_delay_ms",
        /// Shares that silent keypers sent.
        SharesSent = "shares_sent_per_block",
        /// Share of listed keypers that gave their shares to the attacker.
        KeypersColluding = "keypers_colluding_share",
        /// Orders of the spam fault per second.
        SpamPerS = "spam_per_s",
        /// Share of TCP segments lost, of those affected.
        SegmentsLost = "segments_lost_share",
        /// Bytes that passed although none may.
        BytesPassed = "bytes_passed",
        /// Connections that a crashed node accepted.
        ConnectionsWhileDown = "connections_while_down",
        /// Connections that were left open.
        ConnectionsLeft = "connections_left",
        /// Bits that passed while bytes waited (or in all, if none did).
        Bandwidth = "bandwidth_mbps",
        /// Free space of a disk.
        FreeBytes = "free_bytes",
        /// Time for which the fault was active.
        InForce = "in_force_s",
        /// Time from a node's crash until it answered again.
        Down = "down_s",
    }
}

/// Allowed range of a fault's measurement, inclusive; `None` = no limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Allowed {
    /// Least allowed value.
    pub low: Option<f64>,
    /// Greatest allowed value.
    pub high: Option<f64>,
}

impl Allowed {
    /// Any value, or none.
    pub const ANY: Allowed = Allowed { low: None, high: None };

    /// Exactly this value.
    pub fn exactly(value: f64) -> Allowed {
        Allowed::within(value, 0.0)
    }

    /// The range within `tolerance` of a value.
    pub fn within(value: f64, tolerance: f64) -> Allowed {
        Allowed { low: Some(value - tolerance), high: Some(value + tolerance) }
    }

    /// Whether a measurement is in the range.
    pub fn holds(&self, measured: f64) -> bool {
        self.low.is_none_or(|low| measured >= low) && self.high.is_none_or(|high| measured <= high)
    }
}

/// A fault as requested and as measured.
#[derive(Clone, Debug)]
pub struct FaultRow {
    /// Kind of the fault.
    pub kind: &'static str,
    /// Time at which it begins.
    pub at_ns: Ns,
    /// Time at which it ends.
    pub until_ns: Ns,
    /// Affected nodes, separated by commas; groups of a partition by `|`.
    pub nodes: String,
    /// Quantity that is measured.
    pub quantity: Quantity,
    /// Requested value, in the quantity's unit.
    pub asked: f64,
    /// Allowed range of the measurement.
    pub allowed: Allowed,
    /// Measured value; `None` without samples.
    pub measured: Option<f64>,
    /// Number of samples.
    pub samples: u64,
}
