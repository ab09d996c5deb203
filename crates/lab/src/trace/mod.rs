//! All facts of a run, as tables of plain columns. No floats but where the outside world is one,
//! no wall clock: the same run gives the same bytes.

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
    /// Small enumerations.
    U8(Vec<u8>),
    /// Small enumerations that may be absent (`u8::MAX`).
    OptionU8(Vec<u8>),
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

impl Column {
    /// The Arrow type of its cells.
    pub fn dtype(&self) -> &'static str {
        match self {
            Column::U8(_) | Column::OptionU8(_) => "UInt8",
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
                | Column::OptionU32(_)
                | Column::OptionU64(_)
                | Column::OptionF64(_)
        )
    }
}

/// A table: its name and its named columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns, in the order of the schema.
    pub columns: Vec<(&'static str, Column)>,
}

named! {
    /// What became of a client's message.
    pub enum Outcome {
        /// Nothing yet: a censored observation.
        Pending = "pending",
        /// Executed.
        Executed = "executed",
        /// Refused for good.
        Refused = "refused",
        /// Lost on the way.
        Lost = "lost",
    }
}

named! {
    /// Why it was refused or lost.
    pub enum Reason {
        /// It was not.
        None = "none",
        /// Too many waited for validation.
        IngressFull = "ingress full",
        /// Too many waited for ordering.
        MempoolFull = "mempool full",
        /// The gateway was down.
        GatewayDown = "gateway down",
        /// It expired.
        Expired = "expired",
        /// The packet was lost.
        PacketLost = "packet lost",
        /// It waited too long, or made room for another.
        Shed = "shed",
        /// Its account had used its rate up.
        RateExceeded = "rate exceeded",
        /// It offered less than the present price.
        FeeTooLow = "fee too low",
        /// Its cancel came first.
        CancelledBefore = "cancelled before",
        /// Its sender did not reveal what it says.
        NotRevealed = "not revealed",
        /// Non-essential flow waits while the venue is congested.
        Throttled = "throttled",
        /// Nobody answered in time. This and what follows: of live runs alone.
        TimedOut = "timed out",
        /// The connection broke before it was answered.
        Disconnected = "disconnected",
        /// The target refused it.
        TargetRefused = "target refused",
        /// The generator did not come to send it.
        NotSent = "not sent",
        /// The target acknowledged it and never delivered it.
        AcknowledgedAndLost = "acknowledged and lost",
    }
}

named! {
    /// Who sent it.
    pub enum Source {
        /// The background process.
        Background = "background",
        /// A market maker.
        Maker = "maker",
        /// An oracle.
        Oracle = "oracle",
        /// A keeper.
        Keeper = "keeper",
        /// A trader who reacts to the price.
        Panic = "panic",
        /// An attacker.
        Spam = "spam",
        /// The tape.
        Tape = "tape",
        /// The attacker of `[attack]`.
        Attacker = "attacker",
    }
}

named! {
    /// What happened in the market.
    pub enum MarketKind {
        /// The outside price moved.
        Index = "index",
        /// A price update was executed.
        Oracle = "oracle",
        /// The mark moved.
        Mark = "mark",
        /// A trade.
        Trade = "trade",
        /// The outside price crossed an account's liquidation price.
        Due = "due",
        /// A keeper sent a liquidation order.
        LiquidationSent = "liquidation-sent",
        /// An account was closed out.
        Liquidated = "liquidated",
        /// An account's loss exceeded its collateral.
        BadDebt = "bad-debt",
        /// The insurance fund changed.
        Insurance = "insurance",
        /// A winner's position was closed against a bankrupt one.
        Deleveraged = "deleveraged",
        /// An account fell below maintenance margin at the venue's mark.
        MarginCall = "margin-call",
        /// A liquidation order came too late or too early.
        NotLiquidatable = "not-liquidatable",
        /// A trade of a liquidation.
        LiquidationTrade = "liquidation-trade",
        /// A due account is safe again.
        Recovered = "recovered",
        /// A limit of the venue put a liquidation off.
        LiquidationDeferred = "liquidation-deferred",
        /// The venue's vault took a position over.
        TakenOver = "taken-over",
        /// The outside price took what a due portfolio is worth below nothing, or brought it back.
        Underwater = "underwater",
        /// The book's best prices after a block.
        Touch = "touch",
        /// An order that must trade at once was sent.
        OrderSent = "order-sent",
        /// Nothing is left of what was liquidated.
        Closed = "closed",
    }
}

/// One row of the market's table.
#[derive(Clone, Copy, Debug)]
pub struct MarketRow {
    /// When.
    pub time_ns: Ns,
    /// What happened.
    pub kind: MarketKind,
    /// A number of `Bearer` (bad debt) or of `Deferral` (liquidation deferred); `u8::MAX` = neither.
    pub code: u8,
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
            code: u8::MAX,
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

named! {
    /// What is measured of a fault: the unit stands last. Those after `SpamPerS` are of live runs.
    pub enum Quantity {
        /// Packets that were lost, of those that the fault met.
        PacketsLost = "packets_lost_share",
        /// What was added to packets' (or bytes') time on the way, on average.
        AddedDelay = "added_delay_ms",
        /// Events that a stopped node handled.
        EventsWhileDown = "events_while_down",
        /// How many times as long work took.
        ServiceFactor = "service_factor",
        /// What was added to the making of a share of a key, on average.
        AddedShareDelay = "added_share_delay_ms",
        /// Shares that silent keypers sent.
        SharesSent = "shares_sent_per_block",
        /// Keypers that gave their shares to the attacker, of those named that have any.
        KeypersColluding = "keypers_colluding_share",
        /// Orders of the spammer.
        SpamPerS = "spam_per_s",
        /// TCP segments that were lost, of those that the fault met.
        SegmentsLost = "segments_lost_share",
        /// Bytes that passed where none may.
        BytesPassed = "bytes_passed",
        /// Connections that a dead node took.
        ConnectionsWhileDown = "connections_while_down",
        /// Connections that were left open.
        ConnectionsLeft = "connections_left",
        /// Bits that passed while bytes waited (or in all, if none did).
        Bandwidth = "bandwidth_mbps",
        /// What was left of a disk.
        FreeBytes = "free_bytes",
        /// How long the fault lasted.
        InForce = "in_force_s",
        /// From a node's death until it answered again.
        Down = "down_s",
    }
}

/// What whoever does a fault allows its measurement to be, ends included; `None` = no limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Allowed {
    /// At least.
    pub low: Option<f64>,
    /// At most.
    pub high: Option<f64>,
}

impl Allowed {
    /// Anything, also that nothing could be measured.
    pub const ANY: Allowed = Allowed { low: None, high: None };

    /// This value and no other.
    pub fn exactly(value: f64) -> Allowed {
        Allowed::within(value, 0.0)
    }

    /// This far from a value, on both sides.
    pub fn within(value: f64, tolerance: f64) -> Allowed {
        Allowed { low: Some(value - tolerance), high: Some(value + tolerance) }
    }

    /// Whether it allows a measurement.
    pub fn holds(&self, measured: f64) -> bool {
        self.low.is_none_or(|low| measured >= low) && self.high.is_none_or(|high| measured <= high)
    }
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
    pub quantity: Quantity,
    /// As asked, in the quantity's unit.
    pub asked: f64,
    /// What is allowed.
    pub allowed: Allowed,
    /// As measured; `None` when nothing came by.
    pub measured: Option<f64>,
    /// Out of how many.
    pub samples: u64,
}
