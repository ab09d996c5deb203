//! Streams of an account: its execution reports.

use surgetank_layer::message::ExecType;
use surgetank_layer::units::Qty;
use surgetank_market::Fact;

use super::runs::EventsByStream;
use crate::event::{Event, Report, StreamKey};

const BLANK: Report = Report {
    exec_type: ExecType::New,
    cl_ord_id: 0,
    orig_cl_ord_id: 0,
    symbol: 0,
    side: None,
    last_px: 0,
    last_qty: 0,
    leaves_qty: 0,
    reason: 0,
    is_maker: false,
};

/// The execution reports of a fact, given in the order of their batch.
pub fn reports(fact: &Fact, out: &mut EventsByStream) {
    let mut report = |account, report| {
        out.push(StreamKey::Executions(account), Event::Report(report));
    };
    match *fact {
        Fact::Accepted { account, cl_ord_id, symbol, side, leaves } => {
            let side = Some(side);
            report(account, Report { cl_ord_id, symbol, side, leaves_qty: leaves, ..BLANK });
        }
        // A price update has no ClOrdID, and is no order.
        Fact::Rejected { account, cl_ord_id, symbol, reason } if cl_ord_id != 0 => {
            let (exec_type, reason) = (ExecType::Rejected, reason as u8);
            report(account, Report { exec_type, cl_ord_id, symbol, reason, ..BLANK });
        }
        Fact::Canceled { account, cl_ord_id, symbol, side, reason, .. } => {
            let (exec_type, reason) = (ExecType::Canceled, reason as u8);
            let side = Some(side);
            report(account, Report { exec_type, cl_ord_id, symbol, side, reason, ..BLANK });
        }
        Fact::Replaced { account, cl_ord_id, orig_cl_ord_id, symbol, side, leaves, .. } => {
            let exec_type = ExecType::Replaced;
            let side = Some(side);
            let report_of = Report { exec_type, cl_ord_id, orig_cl_ord_id, symbol, side, ..BLANK };
            report(account, Report { leaves_qty: leaves, ..report_of });
        }
        Fact::Trade {
            symbol,
            price,
            qty,
            maker_account,
            maker_cl_ord_id,
            maker_leaves,
            taker_account,
            taker_cl_ord_id,
            taker_leaves,
            taker_side,
            ..
        } => {
            let of = |cl_ord_id, side, leaves_qty: Qty, is_maker| Report {
                exec_type: ExecType::Trade,
                cl_ord_id,
                symbol,
                side: Some(side),
                last_px: price,
                last_qty: qty,
                leaves_qty,
                is_maker,
                ..BLANK
            };
            report(maker_account, of(maker_cl_ord_id, taker_side.opposite(), maker_leaves, true));
            report(taker_account, of(taker_cl_ord_id, taker_side, taker_leaves, false));
        }
        _ => {}
    }
}
