//! States of the streams: what all events of a stream have led to.
//!
//! Rule: a state is made of the market while no batch is held, so that a reader who applies the later
//! events has the state of a reader who applied all.

use surgetank_layer::message::{ExecType, Side};
use surgetank_layer::units::AccountId;
use surgetank_market::Market;
use surgetank_market::book::Resting;

use super::latest::Latest;
use super::order_numbers::OrderNumbers;
use crate::event::{Cash, Event, Holding, Order, PriceLevel, Report, StreamKey};

/// Events that lead to the state of a stream from an empty one; none of a stream without state.
pub fn state(
    key: StreamKey,
    market: &Market,
    latest: &Latest,
    numbers: &OrderNumbers,
) -> Vec<Event> {
    let position = |account, symbol, qty| Event::Position(Holding { account, symbol, qty });
    match key {
        StreamKey::Executions(account) => open_orders(account, market),
        StreamKey::Positions(account) => {
            let cash = Event::Cash(Cash { account, cash: latest.cash(account) });
            let held = latest.held_by(account).map(|(symbol, qty)| position(account, symbol, qty));
            std::iter::once(cash).chain(held).collect()
        }
        StreamKey::PublicPositions(()) => {
            latest.holdings().map(|(account, symbol, qty)| position(account, symbol, qty)).collect()
        }
        StreamKey::Book(symbol) if symbol < market.symbols() => {
            let side = |side| {
                let levels = market.book(symbol).levels(side);
                levels.map(move |(price, qty)| PriceLevel { side, price, qty })
            };
            vec![Event::Levels(side(Side::Buy).chain(side(Side::Sell)).collect())]
        }
        StreamKey::Orders(symbol) if symbol < market.symbols() => {
            let of = |resting: Resting| {
                let number = numbers.of(symbol, resting.account, resting.cl_ord_id);
                let Resting { side, price, qty, .. } = resting;
                Order { order: number.unwrap_or(0), side, price, qty }
            };
            let queue = |side| market.book(symbol).queue(side);
            vec![Event::Orders(queue(Side::Buy).chain(queue(Side::Sell)).map(of).collect())]
        }
        StreamKey::Prices(symbol) => {
            let funding = latest.funding(symbol).map(Event::Funding);
            latest.prices(symbol).map(Event::Prices).into_iter().chain(funding).collect()
        }
        StreamKey::Book(_)
        | StreamKey::Orders(_)
        | StreamKey::Risk(_)
        | StreamKey::Trades(_)
        | StreamKey::Liquidations(_)
        | StreamKey::Journal(()) => Vec::new(),
    }
}

/// The open orders of an account, as reports of new orders.
fn open_orders(account: AccountId, market: &Market) -> Vec<Event> {
    let of_market = |symbol| {
        let report = move |resting: Resting| {
            Event::Report(Report {
                exec_type: ExecType::New,
                cl_ord_id: resting.cl_ord_id,
                orig_cl_ord_id: 0,
                symbol,
                side: Some(resting.side),
                last_px: 0,
                last_qty: 0,
                leaves_qty: resting.qty,
                reason: 0,
                is_maker: false,
            })
        };
        market.book(symbol).orders(account).map(report)
    };
    (0..market.symbols()).flat_map(of_market).collect()
}
