//! Events of the streams, as clients of the WebSocket read them.

use schemars::JsonSchema;
use serde::Serialize;
use surgetank_layer::message::{ExecType, Side};
use surgetank_market::{Bearer, CancelReason};

use super::decimal::Decimal;
use super::fault::rejection;
use super::markets::Markets;
use crate::event::{self, Event, PriceLevel};

/// Content of a notification `subscription`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SubscriptionParams {
    /// Name of the channel.
    pub channel: String,
    /// What happened.
    pub data: Data,
}

/// Where an event stands.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
pub struct Stamp {
    /// History to which the numbers belong.
    pub epoch: u32,
    /// Number of the event in the venue's stream.
    pub change_id: u64,
    /// Number of the event before it on this channel; none in a snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prev_change_id: Option<u64>,
    /// Place in the journal of the last request of its batch.
    pub sequence: u64,
    /// When that batch was sealed, in milliseconds since 1970; none in a snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<u64>,
}

/// An event with its place.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Data {
    /// Its place.
    #[serde(flatten)]
    pub stamp: Stamp,
    /// What happened.
    #[serde(flatten)]
    pub content: Content,
}

/// A price of a book: `new` in a snapshot, `change` or `delete` (quantity 0), price, quantity.
pub type ShownLevel = (&'static str, Decimal, Decimal);

/// What happened.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Content {
    /// The whole book; of `book` channels.
    Snapshot(Book),
    /// What has changed; of `book` channels.
    Change(Book),
    /// An execution report; of `user.orders`.
    Order(ShownOrder),
    /// Positions and cash as they are; the first of `user.portfolio`.
    Portfolio(Portfolio),
    /// A position after a change; of `user.portfolio`.
    Position(ShownHolding),
    /// Cash after a change; of `user.portfolio`.
    Cash(ShownCash),
    /// Trades of a batch; of `trades`.
    Trades(Trades),
    /// Prices in force; of `ticker`.
    Prices(ShownPrices),
    /// A funding payment; of `ticker`.
    Funding(ShownFunding),
    /// The account is below maintenance margin; of `user.risk`.
    MarginCall(ShownMarginCall),
    /// A liquidation; of `user.risk` and `liquidations`.
    Liquidation(ShownLiquidation),
    /// A position was closed against a bankrupt one; of `user.risk` and `liquidations`.
    Deleveraging(ShownDeleveraging),
    /// A loss beyond the collateral; of `user.risk` and `liquidations`.
    BadDebt(ShownBadDebt),
}

/// Prices of a book.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Book {
    /// Name of the market.
    pub instrument_name: String,
    /// Buy orders.
    pub bids: Vec<ShownLevel>,
    /// Sell orders.
    pub asks: Vec<ShownLevel>,
}

/// An execution report.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ShownOrder {
    /// Name of the market.
    pub instrument_name: String,
    /// `new`, `trade`, `cancelled`, `replaced` or `rejected`.
    pub exec_type: &'static str,
    /// ClOrdID of the order; `0` for a trade of a liquidation.
    pub cl_ord_id: String,
    /// ClOrdID of a replaced order.
    pub orig_cl_ord_id: Option<String>,
    /// `buy` or `sell`; none in a rejection.
    pub direction: Option<&'static str>,
    /// Price of the trade, USD.
    pub last_price: Option<Decimal>,
    /// Quantity of the trade, coins.
    pub last_amount: Decimal,
    /// Quantity that may still trade, coins.
    pub leaves_amount: Decimal,
    /// Why it was rejected or cancelled.
    pub reason: Option<&'static str>,
    /// Whether the order rested, in a trade.
    pub is_maker: bool,
}

/// A position.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ShownHolding {
    /// The account.
    pub account: u32,
    /// Name of the market.
    pub instrument_name: String,
    /// Signed quantity, coins.
    pub size: Decimal,
}

/// Cash of an account.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ShownCash {
    /// The account.
    pub account: u32,
    /// Amount, USD.
    pub cash: Decimal,
}

/// Positions and cash.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Portfolio {
    /// Positions that are not zero.
    pub positions: Vec<ShownHolding>,
    /// Cash, USD.
    pub cash: Option<Decimal>,
}

/// Trades of a batch.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Trades {
    /// In their order.
    pub trades: Vec<ShownTrade>,
}

/// A trade.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ShownTrade {
    /// Price, USD.
    pub price: Decimal,
    /// Quantity, coins.
    pub amount: Decimal,
    /// Side of the incoming order.
    pub direction: &'static str,
    /// Whether the incoming order closed out an account.
    pub liquidation: bool,
}

/// Prices in force.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ShownPrices {
    /// Oracle price, USD.
    pub index_price: Decimal,
    /// When the oracle observed it, ns since 1970.
    pub observed_ns: u64,
    /// Mark price, USD.
    pub mark_price: Decimal,
}

/// A funding payment.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ShownFunding {
    /// Oracle price at which positions were valued, USD.
    pub index_price: Decimal,
    /// Average premium, in 1e-9 of the oracle price.
    pub premium_ppb: i64,
    /// Rate, in 1e-9 of notional; positive: longs paid.
    pub rate_ppb: i64,
}

/// A margin call.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ShownMarginCall {
    /// Name of the market.
    pub instrument_name: String,
    /// Mark price, USD.
    pub mark_price: Decimal,
}

/// A liquidation.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ShownLiquidation {
    /// Name of the market.
    pub instrument_name: String,
    /// Signed position before it, coins.
    pub held: Decimal,
    /// Signed position after it.
    pub remaining: Decimal,
    /// Quantity closed on the book.
    pub book_amount: Decimal,
    /// Quantity closed by auto-deleveraging.
    pub deleveraged_amount: Decimal,
    /// Quantity that the vault took over.
    pub taken_over_amount: Decimal,
    /// Mark price, USD.
    pub mark_price: Decimal,
    /// Price at which the account's equity was zero, USD.
    pub bankruptcy_price: Decimal,
    /// Fee paid to the insurance fund, USD.
    pub fee: Decimal,
}

/// A deleveraging.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ShownDeleveraging {
    /// Name of the market.
    pub instrument_name: String,
    /// Quantity closed, coins.
    pub amount: Decimal,
    /// Price, USD.
    pub price: Decimal,
    /// Loss compared with the mark price, USD.
    pub haircut: Decimal,
}

/// A loss beyond the collateral.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ShownBadDebt {
    /// Name of the market.
    pub instrument_name: String,
    /// Amount, USD.
    pub amount: Decimal,
    /// `insurance`, `deleveraged`, `venue` or `vault`.
    pub borne_by: &'static str,
}

/// `buy` or `sell`.
pub fn direction(side: Side) -> &'static str {
    if side == Side::Buy { "buy" } else { "sell" }
}

/// Content of an event; `None`: clients of the WebSocket are not shown it, or its market is unknown.
pub fn content(markets: &Markets, symbol: Option<u16>, event: &Event) -> Option<Content> {
    let of = |symbol: u16| markets.get(symbol);
    Some(match event {
        Event::Report(report) => Content::Order(order(markets, report)?),
        Event::Position(held) => Content::Position(holding(markets, held)?),
        Event::Cash(event::Cash { account, cash }) => {
            Content::Cash(ShownCash { account: *account, cash: markets.money(*cash) })
        }
        Event::MarginCall(call) => Content::MarginCall(ShownMarginCall {
            instrument_name: of(call.symbol)?.name.clone(),
            mark_price: of(call.symbol)?.price(call.mark_price),
        }),
        Event::Liquidation(liquidation) => Content::Liquidation(liquidated(markets, liquidation)?),
        Event::Deleveraging(event::Deleveraging { symbol, qty, price, haircut }) => {
            Content::Deleveraging(ShownDeleveraging {
                instrument_name: of(*symbol)?.name.clone(),
                amount: of(*symbol)?.amount(*qty),
                price: of(*symbol)?.price(*price),
                haircut: markets.money(*haircut),
            })
        }
        Event::BadDebt(event::BadDebt { symbol, amount, borne_by }) => {
            Content::BadDebt(ShownBadDebt {
                instrument_name: of(*symbol)?.name.clone(),
                amount: markets.money(*amount),
                borne_by: bearer(*borne_by),
            })
        }
        Event::Levels(levels) => Content::Change(book(markets, symbol?, levels, false)?),
        Event::Trades(trades) => {
            let perpetual = of(symbol?)?;
            let trade = |trade: &event::Trade| ShownTrade {
                price: perpetual.price(trade.price),
                amount: perpetual.amount(trade.qty),
                direction: direction(trade.taker_side),
                liquidation: trade.liquidation,
            };
            Content::Trades(Trades { trades: trades.iter().map(trade).collect() })
        }
        Event::Prices(event::Prices { oracle, observed_ns, mark }) => {
            let perpetual = of(symbol?)?;
            Content::Prices(ShownPrices {
                index_price: perpetual.price(*oracle),
                observed_ns: *observed_ns,
                mark_price: perpetual.price(*mark),
            })
        }
        Event::Funding(event::Funding { price, premium_ppb, rate_ppb }) => {
            Content::Funding(ShownFunding {
                index_price: of(symbol?)?.price(*price),
                premium_ppb: *premium_ppb,
                rate_ppb: *rate_ppb,
            })
        }
        _ => return None,
    })
}

/// Prices of a book, all of them as new ones in a snapshot.
pub fn book(
    markets: &Markets,
    symbol: u16,
    levels: &[PriceLevel],
    is_snapshot: bool,
) -> Option<Book> {
    let perpetual = markets.get(symbol)?;
    let side = |side: Side| {
        let of_side = levels.iter().filter(|level| level.side == side);
        let level = |level: &PriceLevel| {
            let change = match level.qty {
                0 => "delete",
                _ if is_snapshot => "new",
                _ => "change",
            };
            (change, perpetual.price(level.price), perpetual.amount(level.qty))
        };
        of_side.map(level).collect()
    };
    let instrument_name = perpetual.name.clone();
    Some(Book { instrument_name, bids: side(Side::Buy), asks: side(Side::Sell) })
}

/// The state to which these events of a portfolio lead.
pub fn portfolio(markets: &Markets, events: &[Event]) -> Portfolio {
    let mut portfolio = Portfolio::default();
    for event in events {
        match event {
            Event::Position(held) => portfolio.positions.extend(holding(markets, held)),
            Event::Cash(cash) => portfolio.cash = Some(markets.money(cash.cash)),
            _ => {}
        }
    }
    portfolio
}

fn holding(markets: &Markets, held: &event::Holding) -> Option<ShownHolding> {
    let perpetual = markets.get(held.symbol)?;
    let (instrument_name, size) = (perpetual.name.clone(), perpetual.amount(held.qty));
    Some(ShownHolding { account: held.account, instrument_name, size })
}

fn order(markets: &Markets, report: &event::Report) -> Option<ShownOrder> {
    let perpetual = markets.get(report.symbol)?;
    let exec_type = match report.exec_type {
        ExecType::New => "new",
        ExecType::Trade => "trade",
        ExecType::Canceled => "cancelled",
        ExecType::Replaced => "replaced",
        ExecType::Rejected => "rejected",
    };
    let reason = match report.exec_type {
        ExecType::Rejected => Some(rejection(report.reason)),
        ExecType::Canceled => Some(cancelled(report.reason)),
        _ => None,
    };
    let is_trade = report.exec_type == ExecType::Trade;
    Some(ShownOrder {
        instrument_name: perpetual.name.clone(),
        exec_type,
        cl_ord_id: report.cl_ord_id.to_string(),
        orig_cl_ord_id: (report.orig_cl_ord_id > 0).then(|| report.orig_cl_ord_id.to_string()),
        direction: report.side.map(direction),
        last_price: is_trade.then(|| perpetual.price(report.last_px)),
        last_amount: perpetual.amount(report.last_qty),
        leaves_amount: perpetual.amount(report.leaves_qty),
        reason,
        is_maker: report.is_maker,
    })
}

fn liquidated(markets: &Markets, of: &event::Liquidation) -> Option<ShownLiquidation> {
    let perpetual = markets.get(of.symbol)?;
    Some(ShownLiquidation {
        instrument_name: perpetual.name.clone(),
        held: perpetual.amount(of.held),
        remaining: perpetual.amount(of.remaining),
        book_amount: perpetual.amount(of.book_qty),
        deleveraged_amount: perpetual.amount(of.deleveraged_qty),
        taken_over_amount: perpetual.amount(of.taken_over_qty),
        mark_price: perpetual.price(of.mark_price),
        bankruptcy_price: perpetual.price(of.bankruptcy_price),
        fee: markets.money(of.fee),
    })
}

fn cancelled(reason: u8) -> &'static str {
    let names = [
        (CancelReason::Requested, "requested"),
        (CancelReason::ImmediateOrCancel, "immediate-or-cancel"),
        (CancelReason::SelfTrade, "self-trade"),
        (CancelReason::ReduceOnly, "reduce-only"),
        (CancelReason::Liquidation, "liquidation"),
    ];
    let named = names.into_iter().find(|(cancel, _)| *cancel as u8 == reason);
    named.map_or("other", |(_, name)| name)
}

fn bearer(number: u8) -> &'static str {
    let names = [
        (Bearer::Insurance, "insurance"),
        (Bearer::Deleveraged, "deleveraged"),
        (Bearer::Venue, "venue"),
        (Bearer::Vault, "vault"),
    ];
    names.into_iter().find(|(of, _)| *of as u8 == number).map_or("other", |(_, name)| name)
}
