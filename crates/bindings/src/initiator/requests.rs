//! Tuples of Python as requests.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};
use surgetank_layer::message::{
    Body, LiquidationOrder, NewOrderSingle, OrdType, OrderCancelReplaceRequest, OrderCancelRequest,
    PriceUpdate, Side, TimeInForce,
};
use surgetank_market::MarginMode;
use surgetank_venue::encoding::Encoded;
use surgetank_venue::request::{AccountRequest, Action, Request};

/// Extracts the fields of a tuple from `$at` on, in the order in which they are named.
macro_rules! fields {
    ($from:ident, $($field:ident),+) => {
        let mut at = 3;
        $(
            let $field = $from.get_item(at)?.extract()?;
            at += 1;
        )+
        if $from.len() != at {
            return Err(PyValueError::new_err(format!("{} fields, not {at}", $from.len())));
        }
    };
}

fn side(number: u8) -> PyResult<Side> {
    Side::from_bytes(&[number]).map_err(|_| PyValueError::new_err(format!("side: {number}")))
}

fn mode(number: u8) -> PyResult<MarginMode> {
    let mode = MarginMode::from_bytes(&[number]);
    mode.map_err(|_| PyValueError::new_err(format!("mode: {number}")))
}

fn ord_type(number: u8) -> PyResult<OrdType> {
    match number {
        1 => Ok(OrdType::Market),
        2 => Ok(OrdType::Limit),
        _ => Err(PyValueError::new_err(format!("ord_type: {number}"))),
    }
}

fn time_in_force(number: u8) -> PyResult<TimeInForce> {
    match number {
        1 => Ok(TimeInForce::GoodTillCancel),
        3 => Ok(TimeInForce::ImmediateOrCancel),
        _ => Err(PyValueError::new_err(format!("time_in_force: {number}"))),
    }
}

/// A request of its name, sender, sent_ns and the fields of its body; its number is not set.
pub fn read(from: &Bound<'_, PyAny>, padding: u16) -> PyResult<Request> {
    let from = from.cast::<PyTuple>()?;
    let name = from.get_item(0)?;
    let name = name.cast::<PyString>()?.to_str()?;
    let sender = from.get_item(1)?.extract()?;
    let sent_ns = from.get_item(2)?.extract()?;
    let action = match message(name, from)? {
        Some(body) => Action::Message { body, padding },
        None => account_request(name, from)?,
    };
    Ok(Request { number: 0, sender, sent_ns, action })
}

/// `None`: it is a request that concerns accounts.
fn message(name: &str, from: &Bound<'_, PyTuple>) -> PyResult<Option<Body>> {
    Ok(Some(match name {
        "order" => {
            fields!(
                from,
                cl_ord_id,
                symbol,
                side_number,
                type_number,
                force_number,
                post_only,
                reduce_only,
                price,
                order_qty
            );
            Body::NewOrderSingle(NewOrderSingle {
                cl_ord_id,
                symbol,
                side: side(side_number)?,
                ord_type: ord_type(type_number)?,
                time_in_force: time_in_force(force_number)?,
                post_only,
                reduce_only,
                price,
                order_qty,
            })
        }
        "cancel" => {
            fields!(from, cl_ord_id, orig_cl_ord_id, symbol);
            Body::OrderCancelRequest(OrderCancelRequest { cl_ord_id, orig_cl_ord_id, symbol })
        }
        "replace" => {
            fields!(from, cl_ord_id, orig_cl_ord_id, symbol, price, order_qty);
            Body::OrderCancelReplaceRequest(OrderCancelReplaceRequest {
                cl_ord_id,
                orig_cl_ord_id,
                symbol,
                price,
                order_qty,
            })
        }
        "price" => {
            fields!(from, symbol, price, observed_ns);
            Body::PriceUpdate(PriceUpdate { symbol, price, observed_ns })
        }
        "liquidation" => {
            fields!(from, symbol, target, order_qty, trigger_price);
            Body::LiquidationOrder(LiquidationOrder { symbol, target, order_qty, trigger_price })
        }
        _ => return Ok(None),
    }))
}

fn account_request(name: &str, from: &Bound<'_, PyTuple>) -> PyResult<Action> {
    let (cl_ord_id, request) = match name {
        "open" => {
            fields!(from, cl_ord_id, account, mode_number);
            (cl_ord_id, AccountRequest::Open { account, mode: mode(mode_number)? })
        }
        "deposit" => {
            fields!(from, cl_ord_id, account, cash);
            (cl_ord_id, AccountRequest::Deposit { account, cash })
        }
        "withdraw" => {
            fields!(from, cl_ord_id, account, cash);
            (cl_ord_id, AccountRequest::Withdraw { account, cash })
        }
        "cancel-all" => {
            fields!(from, cl_ord_id, account, symbol);
            (cl_ord_id, AccountRequest::CancelAll { account, symbol })
        }
        "halt" => {
            fields!(from, cl_ord_id, account, symbol, halted);
            (cl_ord_id, AccountRequest::Halt { account, symbol, halted })
        }
        _ => return Err(PyValueError::new_err(format!("no request: {name}"))),
    };
    Ok(Action::Account { cl_ord_id, request })
}
