//! The messages of a derivatives venue, under their FIX names where FIX has one.
//!
//! A message is immutable once created. [`Envelope`] is what the layer needs to carry one: it never
//! looks into a [`Body`]. Consensus messages ([`Proposal`], [`Vote`]) travel by the same gossip.

mod payload;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::dag::SubDag;
use crate::order_report::Evidence;
use crate::units::{AccountId, Digest, Height, MessageId, Ns, Price, Qty, Round};
pub use payload::{Payload, Statement};

/// Purpose of a message; service times, priorities and measures are kept by class.
///
/// A configuration names what clients send as scenarios do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Class {
    /// Oracle price of a market.
    PriceUpdate = 0,
    /// A keeper's order to close an account out.
    LiquidationOrder = 1,
    /// FIX MsgType F.
    #[serde(rename = "cancel")]
    OrderCancelRequest = 2,
    /// FIX MsgType G.
    #[serde(rename = "replace")]
    OrderCancelReplaceRequest = 3,
    /// FIX MsgType D.
    #[serde(rename = "order")]
    NewOrderSingle = 4,
    /// FIX MsgType 8.
    ExecutionReport = 5,
    /// A proposer's block.
    Proposal = 6,
    /// A validator's prevote or precommit.
    Vote = 7,
}

/// Bit masks of classes, as lists of their names.
pub(crate) mod class_mask {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Class;

    pub fn serialize<S: Serializer>(mask: &u8, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(Class::ALL.iter().filter(|&&class| mask & 1 << class as u8 != 0))
    }

    pub fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<u8, D::Error> {
        let classes = Vec::<Class>::deserialize(from)?;
        Ok(classes.iter().fold(0, |mask, &class| mask | 1 << class as u8))
    }
}

impl Class {
    /// Every class, in the order of its number.
    pub const ALL: [Class; 8] = [
        Class::PriceUpdate,
        Class::LiquidationOrder,
        Class::OrderCancelRequest,
        Class::OrderCancelReplaceRequest,
        Class::NewOrderSingle,
        Class::ExecutionReport,
        Class::Proposal,
        Class::Vote,
    ];

    /// Whether the message belongs to consensus rather than to a client.
    pub fn is_consensus(self) -> bool {
        matches!(self, Class::Proposal | Class::Vote)
    }
}

/// FIX Side (54).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[repr(u8)]
pub enum Side {
    /// FIX Side 1: buy.
    Buy = 1,
    /// FIX Side 2: sell.
    Sell = 2,
}

impl Side {
    /// +1 for a buy, −1 for a sell.
    pub fn sign(self) -> i64 {
        match self {
            Side::Buy => 1,
            Side::Sell => -1,
        }
    }

    /// The other side.
    pub fn opposite(self) -> Side {
        match self {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        }
    }
}

/// FIX OrdType (40).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum OrdType {
    /// A market order: trades at any price.
    Market = 1,
    /// A limit order: trades at its price or better.
    Limit = 2,
}

/// FIX TimeInForce (59).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TimeInForce {
    /// Rests until cancelled.
    GoodTillCancel = 1,
    /// The quantity that does not match at once is cancelled.
    ImmediateOrCancel = 3,
}

/// FIX NewOrderSingle (D).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NewOrderSingle {
    /// ClOrdID (11), unique per account.
    pub cl_ord_id: u64,
    /// Index of the market.
    pub symbol: u16,
    /// FIX Side (54): buy or sell.
    pub side: Side,
    /// FIX OrdType (40): market or limit.
    pub ord_type: OrdType,
    /// FIX TimeInForce (59): good till cancel, or immediate or cancel.
    pub time_in_force: TimeInForce,
    /// ExecInst (18) = 6: refused if it would match at once.
    pub post_only: bool,
    /// Reduce-only: refused, or cut to the position that it can reduce.
    pub reduce_only: bool,
    /// Price (44) in ticks; ignored for market orders.
    pub price: Price,
    /// OrderQty (38) in lots.
    pub order_qty: Qty,
}

/// FIX OrderCancelRequest (F).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OrderCancelRequest {
    /// ClOrdID (11) of this request.
    pub cl_ord_id: u64,
    /// OrigClOrdID (41): the order to cancel.
    pub orig_cl_ord_id: u64,
    /// Index of the market.
    pub symbol: u16,
}

/// FIX OrderCancelReplaceRequest (G).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OrderCancelReplaceRequest {
    /// ClOrdID (11) of the replacing order.
    pub cl_ord_id: u64,
    /// OrigClOrdID (41): the order to replace.
    pub orig_cl_ord_id: u64,
    /// Index of the market.
    pub symbol: u16,
    /// New Price (44) in ticks.
    pub price: Price,
    /// New OrderQty (38) in lots.
    pub order_qty: Qty,
}

/// An oracle's price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PriceUpdate {
    /// Index of the market.
    pub symbol: u16,
    /// Price in ticks.
    pub price: Price,
    /// Time at which the oracle observed this price.
    pub observed_ns: Ns,
}

/// A keeper's order to close out an account that it believes to be below maintenance margin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LiquidationOrder {
    /// Index of the market.
    pub symbol: u16,
    /// Account to liquidate.
    pub target: AccountId,
    /// Most lots to close; 0 = the whole position.
    pub order_qty: Qty,
    /// The price, in ticks, on which the keeper decided.
    pub trigger_price: Price,
}

/// FIX ExecType (150), the subset in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ExecType {
    /// FIX ExecType 0: accepted.
    New = 0,
    /// FIX ExecType F: partial fill or fill.
    Trade = 1,
    /// FIX ExecType 4: cancelled.
    Canceled = 4,
    /// FIX ExecType 5: replaced.
    Replaced = 5,
    /// FIX ExecType 8: rejected.
    Rejected = 8,
}

/// FIX ExecutionReport (8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExecutionReport {
    /// ClOrdID (11) of the order reported on.
    pub cl_ord_id: u64,
    /// Index of the market.
    pub symbol: u16,
    /// FIX ExecType (150): the event that is reported.
    pub exec_type: ExecType,
    /// FIX Side (54): buy or sell.
    pub side: Side,
    /// LastPx (31) in ticks; 0 without a fill.
    pub last_px: Price,
    /// LastQty (32) in lots; 0 without a fill.
    pub last_qty: Qty,
    /// LeavesQty (151) in lots.
    pub leaves_qty: Qty,
    /// Why it was rejected; 0 = was not. See `surgetank_market::book::Reject`.
    pub ord_rej_reason: u8,
}

/// Tendermint's ⟨PROPOSAL, h, r, v, validRound⟩; `v` travels as its identifier `id(v)`, the block beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Proposal {
    /// Height h of the proposal or vote.
    pub height: Height,
    /// Round r within the height, from 0.
    pub round: Round,
    /// Identifier id(v) of the proposed block.
    pub value: Digest,
    /// validRound; −1 in the paper is `None` here.
    pub valid_round: Option<Round>,
    /// Index of the proposing validator.
    pub validator: u32,
}

/// Which of Tendermint's two votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum VoteType {
    /// Prevote, ⟨PREVOTE, h, r, id(v) | nil⟩.
    Prevote = 1,
    /// Precommit, ⟨PRECOMMIT, h, r, id(v) | nil⟩.
    Precommit = 2,
}

/// Tendermint's ⟨PREVOTE | PRECOMMIT, h, r, id(v) | nil⟩.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vote {
    /// Prevote or precommit.
    pub vote_type: VoteType,
    /// Height h of the proposal or vote.
    pub height: Height,
    /// Round r within the height, from 0.
    pub round: Round,
    /// id(v), or `None` for nil.
    pub value: Option<Digest>,
    /// Index of the voting validator.
    pub validator: u32,
}

/// Content of a message, by its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    /// An oracle's price of a market.
    PriceUpdate(PriceUpdate),
    /// A keeper's order to liquidate an account.
    LiquidationOrder(LiquidationOrder),
    /// A request to cancel an order.
    OrderCancelRequest(OrderCancelRequest),
    /// A request to replace an order.
    OrderCancelReplaceRequest(OrderCancelReplaceRequest),
    /// A new order of a client.
    NewOrderSingle(NewOrderSingle),
    /// A report of an order's new state.
    ExecutionReport(ExecutionReport),
    /// A proposer's proposal of a block.
    Proposal(Proposal),
    /// A validator's vote on a proposal.
    Vote(Vote),
}

impl Body {
    /// Number of the order concerned, in 32 bits; 0 if it concerns none.
    pub fn order(&self) -> u32 {
        match self {
            Body::NewOrderSingle(new) => new.cl_ord_id as u32,
            Body::OrderCancelRequest(cancel) => cancel.orig_cl_ord_id as u32,
            Body::OrderCancelReplaceRequest(replace) => replace.orig_cl_ord_id as u32,
            _ => 0,
        }
    }

    /// Index of the market concerned; `None` if it concerns none.
    pub fn symbol(&self) -> Option<u16> {
        match self {
            Body::PriceUpdate(update) => Some(update.symbol),
            Body::LiquidationOrder(order) => Some(order.symbol),
            Body::OrderCancelRequest(cancel) => Some(cancel.symbol),
            Body::OrderCancelReplaceRequest(replace) => Some(replace.symbol),
            Body::NewOrderSingle(new) => Some(new.symbol),
            Body::ExecutionReport(_) | Body::Proposal(_) | Body::Vote(_) => None,
        }
    }

    /// The class of this body.
    pub fn class(&self) -> Class {
        match self {
            Body::PriceUpdate(_) => Class::PriceUpdate,
            Body::LiquidationOrder(_) => Class::LiquidationOrder,
            Body::OrderCancelRequest(_) => Class::OrderCancelRequest,
            Body::OrderCancelReplaceRequest(_) => Class::OrderCancelReplaceRequest,
            Body::NewOrderSingle(_) => Class::NewOrderSingle,
            Body::ExecutionReport(_) => Class::ExecutionReport,
            Body::Proposal(_) => Class::Proposal,
            Body::Vote(_) => Class::Vote,
        }
    }
}

impl NewOrderSingle {
    /// Bits of [`flags`] for its envelope.
    pub fn flags(&self) -> u8 {
        let immediate = self.ord_type == OrdType::Market
            || self.time_in_force == TimeInForce::ImmediateOrCancel;
        let of = |flag: u8, is_set: bool| if is_set { flag } else { 0 };
        of(flags::POST_ONLY, self.post_only)
            | of(flags::IMMEDIATE, immediate)
            | of(flags::REDUCE_ONLY, self.reduce_only)
    }
}

/// A message with its sender and intended send time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    /// Number of the message, unique in the run.
    pub id: MessageId,
    /// The sending account (for consensus messages: the validator).
    pub account: AccountId,
    /// *Intended* send time, from which latency is measured.
    pub sent_ns: Ns,
    /// Content of the message.
    pub body: Body,
}

/// The attributes of a message that the layer needs to carry, queue and order it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Envelope {
    /// Number of the message, unique in the run.
    pub id: MessageId,
    /// Class of the message.
    pub class: Class,
    /// Further attributes for queue disciplines: bits of [`flags`].
    pub flags: u8,
    /// Size on the wire, in bytes.
    pub size_bytes: u32,
    /// Sending account (for consensus messages: the validator).
    pub account: AccountId,
    /// Priority fee that the sender offers, in millionths of a USD.
    pub fee_micros: u32,
    /// Expiry height: void in blocks above it; 0 = never.
    pub expires: u32,
    /// ClOrdID of a new order, or OrigClOrdID of the order to replace or cancel, unique per
    /// account, in 32 bits; 0 = it concerns no order.
    pub order: u32,
}

impl Envelope {
    /// An envelope without fee, expiry, flags or order number.
    pub fn plain(id: MessageId, class: Class, size_bytes: u32, account: AccountId) -> Envelope {
        Envelope { id, class, flags: 0, size_bytes, account, fee_micros: 0, expires: 0, order: 0 }
    }

    /// What can be read of it while it is sealed: sender, size, fee and expiry.
    pub fn sealed(&self) -> Envelope {
        Envelope { class: Class::NewOrderSingle, flags: flags::SEALED, order: 0, ..*self }
    }

    /// Whether all of these flags are set.
    #[inline]
    pub fn has(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }

    /// Whether it reduces risk at the venue (cancels, prices, liquidations, reduce-only orders):
    /// never shed, never refused for its fee.
    #[inline]
    pub fn reduces_risk(&self) -> bool {
        matches!(
            self.class,
            Class::PriceUpdate | Class::LiquidationOrder | Class::OrderCancelRequest
        ) || self.has(flags::REDUCE_ONLY)
    }
}

/// Bits of [`Envelope::flags`].
pub mod flags {
    /// The order is refused if it would match at once.
    pub const POST_ONLY: u8 = 1;
    /// The order is a market order, or cancelled if it does not match at once.
    pub const IMMEDIATE: u8 = 2;
    /// The order only reduces a position.
    pub const REDUCE_ONLY: u8 = 4;
    /// Class, other flags and order number cannot be read yet.
    pub const SEALED: u8 = 8;
}

/// A message in a block, with the time at which it entered the proposer's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Envelope of the message.
    pub envelope: Envelope,
    /// Time at which it entered the proposer's queue.
    pub queued_ns: Ns,
}

/// An ordered batch of messages: a consensus block, or a sequencer's batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Height of the block, or number of the batch, from 1.
    pub height: Height,
    /// Node that proposed or sealed the block.
    pub proposer: u32,
    /// Time at which the block was made.
    pub proposed_ns: Ns,
    /// Messages of the block, in order.
    pub entries: Vec<Entry>,
    /// Hash that chains it to the block before; serves as `id(v)`.
    pub hash: Digest,
    /// Evidence for a fair order of its messages: signed reports, to which the hash does not
    /// commit.
    pub evidence: Vec<Evidence>,
    /// What a decided block is made of, where vertices of a graph are ordered.
    pub graph: Option<Arc<SubDag>>,
}
