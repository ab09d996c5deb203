//! The venue's report to a maker of one block: changes of its orders in one market.

use std::collections::BTreeMap;

use surgetank_layer::message::Message;
use surgetank_layer::units::{AccountId, Ns, Qty};
use surgetank_market::{Fact, Reject};

use super::super::{Accounts, View};

/// The venue's report to a maker of one block, in one market.
#[derive(Clone, Default)]
pub struct BlockReport {
    /// Index of the maker.
    pub maker: u32,
    /// Index of the market.
    pub market: u16,
    /// ClOrdIDs of orders accepted.
    pub accepted: Vec<u64>,
    /// ClOrdIDs of orders that no longer rest.
    pub gone: Vec<u64>,
    /// ClOrdIDs of messages refused, each with whether the order to replace still rests.
    pub refused: Vec<(u64, bool)>,
    /// Sending time of the latest message answered; 0 = none.
    pub answered_ns: Ns,
    /// Signed position, in lots.
    pub position: Qty,
    /// Equity of the account less the position's value, in USD.
    pub cash_usd: f64,
}

/// Change of an order.
#[derive(Clone, Copy)]
enum OrderChange {
    /// The order no longer rests.
    Gone(u64),
    /// It was refused; the flag says whether the order to replace still rests.
    Refused(u64, bool),
    /// It was accepted.
    Accepted(u64),
    /// Its owner's position changed.
    Traded,
}

impl BlockReport {
    fn note(&mut self, what: OrderChange) {
        match what {
            OrderChange::Gone(cl_ord_id) => self.gone.push(cl_ord_id),
            OrderChange::Refused(cl_ord_id, old_rests) => self.refused.push((cl_ord_id, old_rests)),
            OrderChange::Accepted(cl_ord_id) => self.accepted.push(cl_ord_id),
            OrderChange::Traded => {}
        }
    }
}

/// The changes of orders that a fact reports, by account.
fn changes_of(fact: &Fact) -> [Option<(AccountId, OrderChange)>; 2] {
    let traded = |leaves, id| if leaves == 0 { OrderChange::Gone(id) } else { OrderChange::Traded };
    match *fact {
        Fact::Trade {
            maker_account,
            maker_cl_ord_id,
            maker_leaves,
            taker_account,
            taker_cl_ord_id,
            taker_leaves,
            ..
        } => [
            Some((maker_account, traded(maker_leaves, maker_cl_ord_id))),
            Some((taker_account, traded(taker_leaves, taker_cl_ord_id))),
        ],
        Fact::Rejected { account, cl_ord_id, reason, .. } => {
            let old_rests = reason != Reject::UnknownOrder;
            [Some((account, OrderChange::Refused(cl_ord_id, old_rests))), None]
        }
        Fact::Canceled { account, cl_ord_id, .. } => {
            [Some((account, OrderChange::Gone(cl_ord_id))), None]
        }
        Fact::Accepted { account, cl_ord_id, .. } => {
            [Some((account, OrderChange::Accepted(cl_ord_id))), None]
        }
        Fact::Replaced { account, cl_ord_id, orig_cl_ord_id, .. } => [
            Some((account, OrderChange::Gone(orig_cl_ord_id))),
            Some((account, OrderChange::Accepted(cl_ord_id))),
        ],
        Fact::Deleveraged { against, .. } => [Some((against, OrderChange::Traded)), None],
        Fact::TakenOver { account, .. } => [Some((account, OrderChange::Traded)), None],
        _ => [None, None],
    }
}

/// A report for every maker and market with a change, in the order of accounts and markets.
pub fn reports(
    accounts: &Accounts,
    messages: &[Message],
    facts: &[Fact],
    view: &impl View,
) -> impl Iterator<Item = BlockReport> {
    let mut reports: BTreeMap<(AccountId, u16), BlockReport> = BTreeMap::new();
    for message in messages {
        if accounts.maker(message.account).is_some()
            && let Some(symbol) = message.body.symbol()
        {
            let report = reports.entry((message.account, symbol)).or_default();
            report.answered_ns = report.answered_ns.max(message.sent_ns);
        }
    }
    for fact in facts {
        for (account, what) in changes_of(fact).into_iter().flatten() {
            if accounts.maker(account).is_some() {
                let symbol = fact.symbol().unwrap_or(0);
                reports.entry((account, symbol)).or_default().note(what);
            }
        }
    }
    let first = accounts.makers_from();
    reports.into_iter().map(move |((account, market), mut report)| {
        let holding = view.holding(account, market);
        let quantum_usd = view.outside(market).map_or(0.0, |outside| outside.quantum_usd());
        (report.maker, report.market) = (account - first, market);
        report.position = holding.position;
        report.cash_usd = holding.cash as f64 * quantum_usd;
        report
    })
}
