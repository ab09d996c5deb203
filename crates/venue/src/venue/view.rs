//! What operators see of a venue.
//!
//! # Rules
//! 1. Looking takes a bounded time, whatever the venue holds: lists have a greatest length, and
//!    nothing is computed over accounts or orders.
//! 2. Trades are shown once they are durable. Books, prices and money are those of the execution,
//!    which may be one batch ahead of the disk.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use surgetank_layer::message::Side;
use surgetank_layer::units::{MessageId, Money, Ns, Price, Qty};
use surgetank_market::Fact;

use super::{Progress, Venue};
use crate::intake::tally::Standing;
use crate::streams::Source;
use crate::wire::ConnectionId;

/// Levels of each side of a book.
pub const LEVELS_SHOWN: usize = 15;
/// Perpetuals whose books and prices are shown.
pub const MARKETS_SHOWN: usize = 64;
/// Trades of each market that are kept.
const TRADES_KEPT: usize = 50;

/// A trade, as operators see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RecentTrade {
    /// Number of the record with its batch.
    pub record: u64,
    /// Time at which the batch was sealed.
    pub time_ns: Ns,
    /// Price, in ticks.
    pub price: Price,
    /// Quantity, in lots.
    pub quantity: Qty,
    /// Side of the incoming order.
    pub taker_side: Side,
    /// Whether the taker is an account in liquidation.
    pub liquidation: bool,
}

/// What has happened in a market since the start of the process, batches of the journal that were
/// executed again included.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Happened {
    /// Number of trades.
    pub trades: u64,
    /// Their quantity, in lots.
    pub traded: Money,
    /// Liquidations of positions.
    pub liquidations: u64,
    /// Accounts called for margin.
    pub margin_calls: u64,
    /// Time of the batch with the newest oracle price; 0: there was none.
    pub priced_ns: Ns,
}

/// The newest trades of each market, and counts.
#[derive(Clone, Debug, Default)]
pub struct Recent(BTreeMap<u16, (Happened, VecDeque<RecentTrade>)>);

impl Recent {
    /// A batch was executed.
    pub fn batch(&mut self, source: Source, facts: &[(MessageId, Fact)]) {
        for (_, fact) in facts {
            match *fact {
                Fact::Trade { symbol, price, qty, taker_side, liquidation, .. } => {
                    let (happened, trades) = self.0.entry(symbol).or_default();
                    happened.trades += 1;
                    happened.traded += Money::from(qty);
                    if trades.len() == TRADES_KEPT {
                        trades.pop_front();
                    }
                    let (record, time_ns) = (source.record, source.sealed_ns);
                    let quantity = qty;
                    trades.push_back(RecentTrade {
                        record,
                        time_ns,
                        price,
                        quantity,
                        taker_side,
                        liquidation,
                    });
                }
                Fact::Liquidated { symbol, .. } => {
                    self.0.entry(symbol).or_default().0.liquidations += 1;
                }
                Fact::MarginCall { symbol, .. } => {
                    self.0.entry(symbol).or_default().0.margin_calls += 1;
                }
                Fact::OraclePrice { symbol, .. } => {
                    self.0.entry(symbol).or_default().0.priced_ns = source.sealed_ns;
                }
                _ => {}
            }
        }
    }
}

/// A perpetual.
#[derive(Clone, Debug, Serialize)]
pub struct MarketView {
    /// Its name.
    pub name: String,
    /// Smallest price step, in USD.
    pub tick_usd: f64,
    /// Smallest quantity, in coins.
    pub lot: f64,
    /// Mark price, in ticks.
    pub mark: Price,
    /// Oracle price in force, in ticks.
    pub oracle: Price,
    /// Long positions, in lots; as many are short.
    pub open_interest: Money,
    /// Resting orders.
    pub orders: usize,
    /// Best levels to buy, best first: price and quantity.
    pub bids: Vec<(Price, Qty)>,
    /// Best levels to sell.
    pub asks: Vec<(Price, Qty)>,
    /// The newest trades that are durable, the latest first.
    pub trades: Vec<RecentTrade>,
    /// Counts since the start.
    pub happened: Happened,
}

/// What operators see.
#[derive(Clone, Debug, Serialize)]
pub struct OperatorView {
    /// How far the journal is.
    pub progress: Progress,
    /// The intake and the sessions.
    pub intake: Standing,
    /// Streams that each listed session follows, by connection.
    pub streams: BTreeMap<ConnectionId, usize>,
    /// Events that are kept for late readers, in bytes.
    pub history_bytes: usize,
    /// Perpetuals, by their numbers.
    pub markets: Vec<MarketView>,
    /// The insurance fund, in quanta.
    pub insurance: Money,
    /// Losses beyond collateral so far, in quanta.
    pub bad_debt: Money,
    /// Those that neither the fund nor deleveraged accounts covered, in quanta.
    pub deficit: Money,
    /// Trading fees so far, in quanta.
    pub fees: Money,
}

impl Venue {
    /// What operators see.
    pub fn view(&self) -> OperatorView {
        let market = self.execution.market();
        let intake = self.intake.standing();
        let followed = |connection| (connection, self.streams.followed_by(connection));
        let markets = self.config.genesis.perpetuals.len().min(MARKETS_SHOWN);
        OperatorView {
            progress: self.progress(),
            streams: intake.sessions.iter().map(|session| followed(session.connection)).collect(),
            intake,
            history_bytes: self.streams.history_bytes(),
            markets: (0..market.symbols()).take(markets).map(|one| self.market_view(one)).collect(),
            insurance: market.insurance(),
            bad_debt: market.bad_debt_total(),
            deficit: market.deficit(),
            fees: market.fees(),
        }
    }

    fn market_view(&self, symbol: u16) -> MarketView {
        let market = self.execution.market();
        let perpetual = &self.config.genesis.perpetuals[usize::from(symbol)];
        let book = market.book(symbol);
        let (happened, trades) = self.recent.0.get(&symbol).cloned().unwrap_or_default();
        MarketView {
            name: perpetual.name.clone(),
            tick_usd: perpetual.tick_usd,
            lot: perpetual.lot,
            mark: market.mark(symbol),
            oracle: market.oracle(symbol).0,
            open_interest: market.open_interest(symbol),
            orders: book.len(),
            bids: book.levels(Side::Buy).take(LEVELS_SHOWN).collect(),
            asks: book.levels(Side::Sell).take(LEVELS_SHOWN).collect(),
            trades: trades.into_iter().rev().filter(|one| one.record <= self.durable).collect(),
            happened,
        }
    }
}
