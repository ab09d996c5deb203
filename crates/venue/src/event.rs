//! Events of streams: what subscribers are sent.
//!
//! Rules: the events of a stream are numbered from 1 without holes within an *epoch*, the history
//! of the journal; numbers are a function of the journal, so every connection and every start gives
//! the same event the same number. Prices in ticks, quantities in lots, money in quanta.

use std::sync::Arc;

use surgetank_layer::message::{ExecType, Side};
use surgetank_layer::units::{AccountId, Money, Ns, Price, Qty};

use crate::encoding::{fields, variants};

/// Name of a stream. `u16` is the index of a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StreamKey {
    /// Execution reports of an account.
    Executions(AccountId),
    /// Positions and cash of an account.
    Positions(AccountId),
    /// Margin calls, liquidations and deleveraging of an account.
    Risk(AccountId),
    /// Quantity by price (L2) of a market.
    Book(u16),
    /// Orders (L3) of a market.
    Orders(u16),
    /// Trades of a market.
    Trades(u16),
    /// Oracle price, mark price and funding of a market.
    Prices(u16),
    /// Liquidations of a market, without the names of accounts.
    Liquidations(u16),
    /// The journal's batches.
    Journal(()),
    /// Positions of every account.
    PublicPositions(()),
}

variants!(StreamKey {
    1 => Executions,
    2 => Positions,
    3 => Risk,
    4 => Book,
    5 => Orders,
    6 => Trades,
    7 => Prices,
    8 => Liquidations,
    9 => Journal,
    10 => PublicPositions,
});

impl StreamKey {
    /// The account to which alone the stream is shown; `None`: it is public.
    pub fn owner(&self) -> Option<AccountId> {
        match *self {
            StreamKey::Executions(account)
            | StreamKey::Positions(account)
            | StreamKey::Risk(account) => Some(account),
            _ => None,
        }
    }
}

/// A place in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// History to which the number belongs.
    pub epoch: u32,
    /// Number of an event; 0: before the first.
    pub number: u64,
}

fields!(Position { epoch, number });

/// An event with its place in its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// The stream.
    pub key: StreamKey,
    /// History to which the numbers belong.
    pub epoch: u32,
    /// Number of the event in its stream.
    pub number: u64,
    /// Number of the event that was sent before it on this subscription; less than `number` − 1
    /// only where events were conflated.
    pub previous: u64,
    /// Place in the journal of the last request of the batch that caused it.
    pub sequence: u64,
    /// Time at which that batch was sealed.
    pub time_ns: Ns,
    /// What happened.
    pub event: Event,
}

fields!(Stamped { key, epoch, number, previous, sequence, time_ns, event });

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Of [`StreamKey::Executions`].
    Report(Report),
    /// Of [`StreamKey::Positions`] and [`StreamKey::PublicPositions`].
    Position(Holding),
    /// Of [`StreamKey::Positions`].
    Cash(Cash),
    /// Of [`StreamKey::Risk`].
    MarginCall(MarginCall),
    /// Of [`StreamKey::Risk`] and [`StreamKey::Liquidations`].
    Liquidation(Liquidation),
    /// Of [`StreamKey::Risk`] and [`StreamKey::Liquidations`].
    Deleveraging(Deleveraging),
    /// Of [`StreamKey::Risk`] and [`StreamKey::Liquidations`].
    BadDebt(BadDebt),
    /// Of [`StreamKey::Book`]: every price at which the quantity changed in a batch.
    Levels(Vec<PriceLevel>),
    /// Of [`StreamKey::Orders`]: every order that changed in a batch. Those that have entered come in
    /// the order of their entry, each behind all others of its price.
    Orders(Vec<Order>),
    /// Of [`StreamKey::Trades`]: the trades of a batch.
    Trades(Vec<Trade>),
    /// Of [`StreamKey::Prices`].
    Prices(Prices),
    /// Of [`StreamKey::Prices`].
    Funding(Funding),
    /// Of [`StreamKey::Journal`]: frame of a batch or head, as docs/journal.md has it.
    Batch(Arc<[u8]>),
}

variants!(Event {
    1 => Report,
    2 => Position,
    3 => Cash,
    4 => MarginCall,
    5 => Liquidation,
    6 => Deleveraging,
    7 => BadDebt,
    8 => Levels,
    9 => Orders,
    10 => Trades,
    11 => Prices,
    12 => Funding,
    13 => Batch,
});

impl Event {
    /// Memory that it takes beside its fields.
    pub fn bytes(&self) -> usize {
        match self {
            Event::Batch(frame) => frame.len(),
            Event::Levels(levels) => size_of::<PriceLevel>() * levels.len(),
            Event::Orders(orders) => size_of::<Order>() * orders.len(),
            Event::Trades(trades) => size_of::<Trade>() * trades.len(),
            _ => 0,
        }
    }
}

/// FIX ExecutionReport (8) of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// ExecType (150): what the report says of the order.
    pub exec_type: ExecType,
    /// ClOrdID (11) of the order; 0 for a trade of a liquidation.
    pub cl_ord_id: u64,
    /// OrigClOrdID (41) of a replaced order, otherwise 0.
    pub orig_cl_ord_id: u64,
    /// Index of the market.
    pub symbol: u16,
    /// Side (54) of the order; `None` in a rejection.
    pub side: Option<Side>,
    /// LastPx (31); 0 without a trade.
    pub last_px: Price,
    /// LastQty (32); 0 without a trade.
    pub last_qty: Qty,
    /// LeavesQty (151): what may still be executed, in lots.
    pub leaves_qty: Qty,
    /// OrdRejReason (103) of a rejected request ([`surgetank_market::Reject`]), or the number of the
    /// [`surgetank_market::CancelReason`] of a cancelled one.
    pub reason: u8,
    /// Whether the order rested, in a trade.
    pub is_maker: bool,
}

fields!(Report {
    exec_type,
    cl_ord_id,
    orig_cl_ord_id,
    symbol,
    side,
    last_px,
    last_qty,
    leaves_qty,
    reason,
    is_maker
});

/// A position after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Owner of the position.
    pub account: AccountId,
    /// Index of the market.
    pub symbol: u16,
    /// Signed quantity.
    pub qty: Qty,
}

fields!(Holding { account, symbol, qty });

/// Cash after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cash {
    /// Owner of the cash.
    pub account: AccountId,
    /// Amount that is not allocated to an isolated position. With cross and portfolio margin, less
    /// what positions have cost: equity is cash and the positions at their mark prices.
    pub cash: Money,
}

fields!(Cash { account, cash });

/// An account has fallen below maintenance margin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarginCall {
    /// Index of the market.
    pub symbol: u16,
    /// Mark price.
    pub mark_price: Price,
}

fields!(MarginCall { symbol, mark_price });

/// A liquidation was executed, wholly or in part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Liquidation {
    /// Index of the market.
    pub symbol: u16,
    /// Signed position before it.
    pub held: Qty,
    /// Signed position after it.
    pub remaining: Qty,
    /// Quantity closed on the book.
    pub book_qty: Qty,
    /// Quantity closed by auto-deleveraging.
    pub deleveraged_qty: Qty,
    /// Quantity that the vault took over.
    pub taken_over_qty: Qty,
    /// Mark price.
    pub mark_price: Price,
    /// Price at which the account's equity was zero.
    pub bankruptcy_price: Price,
    /// Fee paid to the insurance fund.
    pub fee: Money,
}

fields!(Liquidation {
    symbol,
    held,
    remaining,
    book_qty,
    deleveraged_qty,
    taken_over_qty,
    mark_price,
    bankruptcy_price,
    fee
});

/// A profitable position was closed against a bankrupt one: on the stream of its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deleveraging {
    /// Index of the market.
    pub symbol: u16,
    /// Quantity closed.
    pub qty: Qty,
    /// Price, in ticks.
    pub price: Price,
    /// Loss compared with the mark price.
    pub haircut: Money,
}

fields!(Deleveraging { symbol, qty, price, haircut });

/// A loss beyond the collateral behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadDebt {
    /// Index of the market.
    pub symbol: u16,
    /// Amount, positive.
    pub amount: Money,
    /// Number of the [`surgetank_market::Bearer`].
    pub borne_by: u8,
}

fields!(BadDebt { symbol, amount, borne_by });

/// Quantity at a price after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceLevel {
    /// Side of the book.
    pub side: Side,
    /// Price, in ticks.
    pub price: Price,
    /// Quantity that rests there; 0: none.
    pub qty: Qty,
}

fields!(PriceLevel { side, price, qty });

/// An order after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Place in the journal of the request that entered it: its number in the market.
    pub order: u64,
    /// Side of the book.
    pub side: Side,
    /// Price, in ticks.
    pub price: Price,
    /// Quantity that rests; 0: it has left the book.
    pub qty: Qty,
}

fields!(Order { order, side, price, qty });

/// A trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Price, in ticks.
    pub price: Price,
    /// Quantity, in lots.
    pub qty: Qty,
    /// Side of the incoming order.
    pub taker_side: Side,
    /// Whether the incoming order closed out an account.
    pub liquidation: bool,
}

fields!(Trade { price, qty, taker_side, liquidation });

/// Prices in force after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prices {
    /// Oracle price.
    pub oracle: Price,
    /// Time at which the oracle observed it.
    pub observed_ns: Ns,
    /// Mark price.
    pub mark: Price,
}

fields!(Prices { oracle, observed_ns, mark });

/// A funding payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Funding {
    /// Oracle price at which positions were valued.
    pub price: Price,
    /// Average premium since the last payment, in 1e-9 of the oracle price.
    pub premium_ppb: i64,
    /// Rate paid, in 1e-9 of notional; positive: longs paid.
    pub rate_ppb: i64,
}

fields!(Funding { price, premium_ppb, rate_ppb });
