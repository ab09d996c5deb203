//! Results of the methods, as clients read them.

use schemars::JsonSchema;
use serde::Serialize;

use super::decimal::Decimal;

/// Of `public/test`.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct Tested {
    /// Version of this protocol.
    pub version: &'static str,
}

/// Of `public/auth`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Authenticated {
    /// Account of the key.
    pub account: u32,
    /// Place in the journal of the last durable request.
    pub sequence: u64,
}

/// A market, of `public/get_instruments`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Instrument {
    /// Its name.
    pub instrument_name: String,
    /// Its number in the binary protocol.
    pub instrument_id: u16,
    /// Always `perpetual`.
    pub kind: &'static str,
    /// Step of prices, USD.
    pub tick_size: Decimal,
    /// Step of quantities, coins.
    pub min_trade_amount: Decimal,
    /// Initial margin of the first tier, as a share of notional.
    pub initial_margin: Decimal,
    /// Maintenance margin of the first tier, as a share of notional.
    pub maintenance_margin: Decimal,
    /// Fee of the incoming order, as a share of notional.
    pub taker_commission: Decimal,
    /// Fee of the resting order, as a share of notional.
    pub maker_commission: Decimal,
}

/// Of `public/get_order_book`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct OrderBook {
    /// Name of the market.
    pub instrument_name: String,
    /// History to which the change's number belongs.
    pub epoch: u32,
    /// Last change that it contains.
    pub change_id: u64,
    /// Price and quantity, best first.
    pub bids: Vec<(Decimal, Decimal)>,
    /// Price and quantity, best first.
    pub asks: Vec<(Decimal, Decimal)>,
    /// Mark price, USD.
    pub mark_price: Decimal,
    /// Oracle price, USD.
    pub index_price: Decimal,
    /// Price of the last trade, USD.
    pub last_price: Option<Decimal>,
}

/// A request with its place in the journal.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Placed {
    /// ClOrdID of the request.
    pub cl_ord_id: String,
    /// Place in the journal.
    pub sequence: u64,
    /// Whether this is the answer to a further copy; it has no times.
    pub duplicate: bool,
    /// When the venue received it, ns since 1970; 0 in a duplicate.
    pub received_ns: u64,
    /// When its batch was sealed.
    pub sealed_ns: u64,
    /// When its batch was durable; 0: it is not known to be.
    pub synced_ns: u64,
    /// When it was executed.
    pub executed_ns: u64,
}

/// Of `private/get_order_state`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct OrderState {
    /// ClOrdID that was asked for.
    pub cl_ord_id: String,
    /// `placed`, `waiting`, `unknown`, `too-old`.
    pub state: &'static str,
    /// Place in the journal, if it is placed.
    pub sequence: Option<u64>,
    /// Why the market has rejected it, if it has.
    pub rejection: Option<&'static str>,
    /// The order in the book, if it rests there.
    pub resting: Option<Resting>,
}

/// An order in the book.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Resting {
    /// Name of the market.
    pub instrument_name: String,
    /// `buy` or `sell`.
    pub direction: &'static str,
    /// Price, USD.
    pub price: Decimal,
    /// Quantity that rests, coins.
    pub amount: Decimal,
}

/// A position, of `private/get_positions`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PositionState {
    /// Name of the market.
    pub instrument_name: String,
    /// Signed quantity, coins.
    pub size: Decimal,
    /// Mark price, USD.
    pub mark_price: Decimal,
    /// What was paid for it, USD; negative for a short position.
    pub cost: Decimal,
    /// Quantity of resting buy orders, coins.
    pub open_buy: Decimal,
    /// Quantity of resting sell orders, coins.
    pub open_sell: Decimal,
    /// Price at which it may be liquidated, if there is one.
    pub liquidation_price: Option<Decimal>,
}

/// Of `private/get_account_summary`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AccountSummary {
    /// The account.
    pub account: u32,
    /// Cash, USD.
    pub cash: Decimal,
    /// Equity at the mark prices, USD.
    pub equity: Decimal,
    /// Cash that can be withdrawn, USD.
    pub available_withdrawal: Decimal,
    /// Fees paid, USD.
    pub fees_paid: Decimal,
    /// Whether the account is open.
    pub is_open: bool,
}
