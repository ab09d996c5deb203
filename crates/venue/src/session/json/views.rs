//! Views of the state, as results.

use super::fault::{Fault, rejection};
use super::markets::Markets;
use super::notify::direction;
use super::results::{AccountSummary, OrderBook, OrderState, PositionState, Resting};
use crate::answer::Status;
use crate::query::{AccountView, BookView, OrderView, PositionView};

pub(super) fn book(markets: &Markets, view: &BookView) -> Result<OrderBook, Fault> {
    let perpetual = markets.get(view.symbol).ok_or_else(|| Fault::params("no such market"))?;
    let level = |&(price, qty): &(i64, i64)| (perpetual.price(price), perpetual.amount(qty));
    Ok(OrderBook {
        instrument_name: perpetual.name.clone(),
        epoch: view.last.epoch,
        change_id: view.last.number,
        bids: view.bids.iter().map(level).collect(),
        asks: view.asks.iter().map(level).collect(),
        mark_price: perpetual.price(view.mark),
        index_price: perpetual.price(view.oracle),
        last_price: view.last_trade.map(|price| perpetual.price(price)),
    })
}

pub(super) fn positions(markets: &Markets, held: &[PositionView]) -> Vec<PositionState> {
    let position = |view: &PositionView| {
        let perpetual = markets.get(view.symbol)?;
        Some(PositionState {
            instrument_name: perpetual.name.clone(),
            size: perpetual.amount(view.qty),
            mark_price: perpetual.price(view.mark),
            cost: markets.money(view.cost),
            open_buy: perpetual.amount(view.open_buy),
            open_sell: perpetual.amount(view.open_sell),
            liquidation_price: view.liquidation_price.map(|price| perpetual.price(price)),
        })
    };
    held.iter().filter_map(position).collect()
}

pub(super) fn account(markets: &Markets, view: &AccountView) -> AccountSummary {
    AccountSummary {
        account: view.account,
        cash: markets.money(view.cash),
        equity: markets.money(view.equity),
        available_withdrawal: markets.money(view.withdrawable),
        fees_paid: markets.money(view.fees_paid),
        is_open: view.is_open,
    }
}

pub(super) fn order(markets: &Markets, view: &OrderView) -> OrderState {
    let (state, place) = match view.status {
        Status::Known(place) => ("placed", Some(place)),
        Status::Waiting(()) => ("waiting", None),
        Status::Unknown(()) => ("unknown", None),
        Status::TooOld(()) => ("too-old", None),
    };
    let rejected = place.filter(|place| place.ord_rej_reason > 0);
    let resting = view.resting.and_then(|resting| {
        let perpetual = markets.get(resting.symbol)?;
        Some(Resting {
            instrument_name: perpetual.name.clone(),
            direction: direction(resting.side),
            price: perpetual.price(resting.price),
            amount: perpetual.amount(resting.qty),
        })
    });
    OrderState {
        cl_ord_id: view.cl_ord_id.to_string(),
        state,
        sequence: place.map(|place| place.sequence),
        rejection: rejected.map(|place| rejection(place.ord_rej_reason)),
        resting,
    }
}
