//! Requests of the venue, out of the parameters of calls: real units become ticks, lots and quanta.

use surgetank_layer::message::{
    Body, NewOrderSingle, OrdType, OrderCancelReplaceRequest, OrderCancelRequest, Side, TimeInForce,
};
use surgetank_layer::units::{AccountId, Money, Price, Qty};
use surgetank_market::{MONEY_MAX, PRICE_MAX, QTY_MAX};

use super::decimal::Unit;
use super::fault::Fault;
use super::markets::{Markets, NamedPerpetual};
use super::params::{Amount, Cancel, CancelAll, Edit, Force, NewOrder, OrderType, Transfer};
use crate::request::{AccountRequest, Action};

/// The market of this name.
///
/// # Errors
/// There is none.
pub fn market<'m>(markets: &'m Markets, name: &str) -> Result<(u16, &'m NamedPerpetual), Fault> {
    markets.find(name).ok_or_else(|| Fault::params("instrument_name: no such market"))
}

fn count(unit: Unit, amount: Amount, most: i128, name: &str) -> Result<i128, Fault> {
    let count = unit.count(amount.0).ok_or_else(|| {
        let step = unit.step();
        Fault::params(format!("{name}: {} is no multiple of {step}", amount.0))
    })?;
    let in_bounds = (1..=most).contains(&count).then_some(count);
    in_bounds.ok_or_else(|| Fault::params(format!("{name}: out of bounds")))
}

fn price(perpetual: &NamedPerpetual, price: Amount) -> Result<Price, Fault> {
    Ok(count(perpetual.tick, price, PRICE_MAX.into(), "price")? as Price)
}

fn amount(perpetual: &NamedPerpetual, amount: Amount) -> Result<Qty, Fault> {
    Ok(count(perpetual.lot, amount, QTY_MAX.into(), "amount")? as Qty)
}

fn message(body: Body) -> Action {
    Action::Message { body, padding: 0 }
}

/// Of `private/buy` and `private/sell`.
///
/// # Errors
/// A parameter is wrong.
pub fn new_order(markets: &Markets, order: &NewOrder, side: Side) -> Result<Action, Fault> {
    let (symbol, perpetual) = market(markets, &order.instrument_name)?;
    let (ord_type, limit) = match (order.kind, order.price) {
        (OrderType::Limit, Some(limit)) => (OrdType::Limit, price(perpetual, limit)?),
        (OrderType::Market, None) => (OrdType::Market, 0),
        (OrderType::Limit, None) => return Err(Fault::params("price: a limit order needs one")),
        (OrderType::Market, Some(_)) => {
            return Err(Fault::params("price: a market order has none"));
        }
    };
    Ok(message(Body::NewOrderSingle(NewOrderSingle {
        cl_ord_id: order.cl_ord_id.0,
        symbol,
        side,
        ord_type,
        time_in_force: match order.time_in_force {
            Force::GoodTilCancelled => TimeInForce::GoodTillCancel,
            Force::ImmediateOrCancel => TimeInForce::ImmediateOrCancel,
        },
        post_only: order.post_only,
        reduce_only: order.reduce_only,
        price: limit,
        order_qty: amount(perpetual, order.amount)?,
    })))
}

/// Of `private/edit`.
///
/// # Errors
/// A parameter is wrong.
pub fn edit(markets: &Markets, edit: &Edit) -> Result<Action, Fault> {
    let (symbol, perpetual) = market(markets, &edit.instrument_name)?;
    Ok(message(Body::OrderCancelReplaceRequest(OrderCancelReplaceRequest {
        cl_ord_id: edit.cl_ord_id.0,
        orig_cl_ord_id: edit.orig_cl_ord_id.0,
        symbol,
        price: price(perpetual, edit.price)?,
        order_qty: amount(perpetual, edit.amount)?,
    })))
}

/// Of `private/cancel`.
///
/// # Errors
/// A parameter is wrong.
pub fn cancel(markets: &Markets, cancel: &Cancel) -> Result<Action, Fault> {
    let (symbol, _) = market(markets, &cancel.instrument_name)?;
    Ok(message(Body::OrderCancelRequest(OrderCancelRequest {
        cl_ord_id: cancel.cl_ord_id.0,
        orig_cl_ord_id: cancel.orig_cl_ord_id.0,
        symbol,
    })))
}

/// Of `private/cancel_all`.
///
/// # Errors
/// A parameter is wrong.
pub fn cancel_all(markets: &Markets, own: AccountId, cancel: &CancelAll) -> Result<Action, Fault> {
    let name = cancel.instrument_name.as_deref();
    let symbol = name.map(|name| market(markets, name)).transpose()?.map(|(symbol, _)| symbol);
    let request = AccountRequest::CancelAll { account: own, symbol };
    Ok(Action::Account { cl_ord_id: cancel.cl_ord_id.0, request })
}

/// Of `private/deposit` (`into`) and `private/withdraw`.
///
/// # Errors
/// A parameter is wrong.
pub fn transfer(
    markets: &Markets,
    own: AccountId,
    transfer: &Transfer,
    into: bool,
) -> Result<Action, Fault> {
    let account = transfer.account.unwrap_or(own);
    let cash: Money = count(markets.quantum(), transfer.amount, MONEY_MAX, "amount")?;
    let request = if into {
        AccountRequest::Deposit { account, cash }
    } else {
        AccountRequest::Withdraw { account, cash }
    };
    Ok(Action::Account { cl_ord_id: transfer.cl_ord_id.0, request })
}
