//! Frames of the venue as tuples, each beginning with its number in the protocol.

use pyo3::BoundObject;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};
use surgetank_layer::message::Side;
use surgetank_venue::answer::{Answer, Status};
use surgetank_venue::event::{Event, Report, Stamped, StreamKey};
use surgetank_venue::wire::{Cut, Down, Gap, LoggedOn, StreamPosition, StreamState};

type Value<'py> = PyResult<Bound<'py, PyAny>>;

/// Any value; tuples above all.
fn value<'py, T: IntoPyObject<'py>>(py: Python<'py>, from: T) -> Value<'py> {
    Ok(from.into_pyobject(py).map_err(Into::into)?.into_any().into_bound())
}

fn list<'py, T>(
    py: Python<'py>,
    from: &[T],
    each: impl Fn(Python<'py>, &T) -> Value<'py>,
) -> PyResult<Bound<'py, PyList>> {
    let made: PyResult<Vec<_>> = from.iter().map(|one| each(py, one)).collect();
    PyList::new(py, made?)
}

/// An accepted logon; the session's key stays here.
pub fn logged_on<'py>(py: Python<'py>, logged_on: &LoggedOn) -> Value<'py> {
    let LoggedOn { account, time_ns, sequence, streams, .. } = logged_on;
    value(py, (130, account, time_ns, sequence, list(py, streams, position)?))
}

/// Any other frame.
pub fn down<'py>(py: Python<'py>, down: &Down) -> Value<'py> {
    match down {
        // The machine keeps these two to itself.
        Down::Challenge(_) => value(py, (129, py.None())),
        Down::LoggedOn(accepted) => logged_on(py, accepted),
        Down::Answers(answers) => {
            value(py, (131, answers.answered_through, list(py, &answers.answers, answer)?))
        }
        Down::OrderStatus(known) => {
            let (number, sequence, reason) = status(known.status);
            value(py, (132, known.cl_ord_id, number, sequence, reason))
        }
        Down::Events(events) => value(py, (133, list(py, events, stamped)?)),
        Down::Snapshot(state) => {
            let StreamState { key, last, sequence, events } = state;
            let events = list(py, events, event)?;
            value(py, (134, stream(*key), (last.epoch, last.number), sequence, events))
        }
        Down::Gap(Gap { key, epoch, from, to, reason }) => {
            value(py, (135, stream(*key), epoch, from, to, *reason as u8))
        }
        Down::Pong(content) => value(py, (136, content)),
        Down::Notice(notice) => value(py, (137, *notice as u8)),
        Down::Cut(Cut { reason, streams }) => {
            value(py, (138, *reason as u8, list(py, streams, position)?))
        }
    }
}

fn stream(key: StreamKey) -> (u8, u32) {
    match key {
        StreamKey::Executions(account) => (1, account),
        StreamKey::Positions(account) => (2, account),
        StreamKey::Risk(account) => (3, account),
        StreamKey::Book(symbol) => (4, symbol.into()),
        StreamKey::Orders(symbol) => (5, symbol.into()),
        StreamKey::Trades(symbol) => (6, symbol.into()),
        StreamKey::Prices(symbol) => (7, symbol.into()),
        StreamKey::Liquidations(symbol) => (8, symbol.into()),
        StreamKey::Journal(()) => (9, 0),
        StreamKey::PublicPositions(()) => (10, 0),
    }
}

fn position<'py>(py: Python<'py>, at: &StreamPosition) -> Value<'py> {
    value(py, (stream(at.key), (at.last.epoch, at.last.number)))
}

fn answer<'py>(py: Python<'py>, answer: &Answer) -> Value<'py> {
    match answer {
        Answer::Sealed(s) => {
            let times = (s.received_ns, s.sealed_ns, s.synced_ns, s.executed_ns);
            value(py, (1, s.request, s.sequence, s.ord_rej_reason, times))
        }
        Answer::Refused(r) => value(py, (2, r.request, r.refusal as u8, r.retry_after_ns)),
        Answer::Duplicate(d) => value(py, (3, d.request, d.sequence, d.ord_rej_reason)),
    }
}

fn status(status: Status) -> (u8, u64, u8) {
    match status {
        Status::Known(place) => (1, place.sequence, place.ord_rej_reason),
        Status::Waiting(()) => (2, 0, 0),
        Status::Unknown(()) => (3, 0, 0),
        Status::TooOld(()) => (4, 0, 0),
    }
}

fn stamped<'py>(py: Python<'py>, stamped: &Stamped) -> Value<'py> {
    let Stamped { key, epoch, number, previous, sequence, time_ns, event } = stamped;
    let event = self::event(py, event)?;
    value(py, (stream(*key), epoch, number, previous, sequence, time_ns, event))
}

fn event<'py>(py: Python<'py>, event: &Event) -> Value<'py> {
    let side = |side: Side| side as u8;
    match event {
        Event::Report(r) => report(py, r),
        Event::Position(p) => value(py, (2, p.account, p.symbol, p.qty)),
        Event::Cash(c) => value(py, (3, c.account, c.cash)),
        Event::MarginCall(m) => value(py, (4, m.symbol, m.mark_price)),
        Event::Liquidation(l) => {
            let held = (5, l.symbol, l.held, l.remaining);
            let closed = (l.book_qty, l.deleveraged_qty, l.taken_over_qty);
            let prices = (l.mark_price, l.bankruptcy_price, l.fee);
            let parts = [value(py, held)?, value(py, closed)?, value(py, prices)?];
            let mut fields = Vec::with_capacity(10);
            for part in parts {
                fields.extend(part.cast::<PyTuple>()?.iter());
            }
            value(py, PyTuple::new(py, fields)?)
        }
        Event::Deleveraging(d) => value(py, (6, d.symbol, d.qty, d.price, d.haircut)),
        Event::BadDebt(b) => value(py, (7, b.symbol, b.amount, b.borne_by)),
        Event::Levels(levels) => {
            let level = |l: &surgetank_venue::event::PriceLevel| (side(l.side), l.price, l.qty);
            value(py, (8, levels.iter().map(level).collect::<Vec<_>>()))
        }
        Event::Orders(orders) => {
            let order = |o: &surgetank_venue::event::Order| (o.order, side(o.side), o.price, o.qty);
            value(py, (9, orders.iter().map(order).collect::<Vec<_>>()))
        }
        Event::Trades(trades) => {
            let trade = |t: &surgetank_venue::event::Trade| {
                (t.price, t.qty, side(t.taker_side), t.liquidation)
            };
            value(py, (10, trades.iter().map(trade).collect::<Vec<_>>()))
        }
        Event::Prices(p) => value(py, (11, p.oracle, p.observed_ns, p.mark)),
        Event::Funding(f) => value(py, (12, f.price, f.premium_ppb, f.rate_ppb)),
        Event::Batch(frame) => value(py, (13, PyBytes::new(py, frame))),
    }
}

fn report<'py>(py: Python<'py>, r: &Report) -> Value<'py> {
    let side = r.side.map(|side| side as u8);
    let fields = (
        1,
        r.exec_type as u8,
        r.cl_ord_id,
        r.orig_cl_ord_id,
        r.symbol,
        side,
        r.last_px,
        r.last_qty,
        r.leaves_qty,
        r.reason,
        r.is_maker,
    );
    value(py, fields)
}
