//! What a client may ask of the state, and the view that it is given: the state as a batch left it,
//! shown once that batch is durable.

use surgetank_layer::message::Side;
use surgetank_layer::units::{AccountId, Money, Price, Qty};

use crate::answer::Status;
use crate::event::Position;

/// Greatest number of prices of a side in a view of a book.
pub const DEPTH_MAX: u32 = 1_000;

/// A question about the state. What belongs to an account is the asking session's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Query {
    /// The book of a market.
    Book {
        /// Index of the market.
        symbol: u16,
        /// Greatest number of prices of a side.
        depth: u32,
    },
    /// Positions in all perpetuals.
    Positions,
    /// Cash and equity.
    Account,
    /// What became of a request, by its ClOrdID.
    Order(u64),
}

/// The answer to a [`Query`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    /// To [`Query::Book`].
    Book(BookView),
    /// To [`Query::Positions`].
    Positions(Vec<PositionView>),
    /// To [`Query::Account`].
    Account(AccountView),
    /// To [`Query::Order`].
    Order(OrderView),
}

/// A book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookView {
    /// Index of the market.
    pub symbol: u16,
    /// Last event of the market's book that it contains.
    pub last: Position,
    /// Price and quantity of buy orders, best first.
    pub bids: Vec<(Price, Qty)>,
    /// Price and quantity of sell orders, best first.
    pub asks: Vec<(Price, Qty)>,
    /// Mark price.
    pub mark: Price,
    /// Oracle price.
    pub oracle: Price,
    /// Price of the last trade.
    pub last_trade: Option<Price>,
}

/// A position that is not zero, or has orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionView {
    /// Index of the market.
    pub symbol: u16,
    /// Signed quantity.
    pub qty: Qty,
    /// What was paid for it, signed as the quantity.
    pub cost: Money,
    /// Mark price.
    pub mark: Price,
    /// Quantity of resting buy orders.
    pub open_buy: Qty,
    /// Quantity of resting sell orders.
    pub open_sell: Qty,
    /// Price at which it may be liquidated.
    pub liquidation_price: Option<Price>,
}

/// An account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountView {
    /// Its number.
    pub account: AccountId,
    /// Whether it is open.
    pub is_open: bool,
    /// Cash, in quanta.
    pub cash: Money,
    /// Equity at the mark prices.
    pub equity: Money,
    /// Cash that can be withdrawn.
    pub withdrawable: Money,
    /// Fees paid so far.
    pub fees_paid: Money,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderView {
    /// Its ClOrdID.
    pub cl_ord_id: u64,
    /// Its place in the journal.
    pub status: Status,
    /// The order in a book.
    pub resting: Option<RestingView>,
}

/// An order in a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestingView {
    /// Index of the market.
    pub symbol: u16,
    /// Side of the book.
    pub side: Side,
    /// Limit price, in ticks.
    pub price: Price,
    /// Quantity that rests.
    pub qty: Qty,
}
