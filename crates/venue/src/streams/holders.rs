//! Positions and cash of accounts, where a batch has changed them.
//!
//! Theory of operation: facts say whose positions and cash may have changed, and what they are now
//! is read from the market. So no sum is formed twice.

use std::collections::BTreeSet;

use surgetank_layer::units::AccountId;
use surgetank_market::Fact;

use super::Outcome;
use super::view::StreamView;
use crate::event::{Cash, Event, Holding, StreamKey};
use crate::request::AccountRequest;

/// The events of positions and cash; `view` is the state before the batch.
pub fn events(batch: &Outcome<'_>, view: &StreamView, out: &mut Vec<(StreamKey, Event)>) {
    let mut accounts = BTreeSet::new();
    let pays_all = batch.facts.iter().any(|(_, fact)| {
        accounts.extend(parties(fact).into_iter().flatten());
        matches!(fact, Fact::Funding { .. } | Fact::Expired { .. })
    });
    if pays_all {
        accounts.extend(batch.market.accounts());
    }
    for (_, request) in batch.requests {
        if let AccountRequest::Deposit { account, .. } | AccountRequest::Withdraw { account, .. } =
            *request
        {
            accounts.insert(account);
        }
    }
    for account in accounts {
        for symbol in 0..batch.market.symbols() {
            let qty = batch.market.position(account, symbol);
            if qty != view.position(account, symbol) {
                let event = Event::Position(Holding { account, symbol, qty });
                out.push((StreamKey::Positions(account), event.clone()));
                out.push((StreamKey::PublicPositions(()), event));
            }
        }
        let cash = batch.market.cash(account);
        if cash != view.cash(account) {
            out.push((StreamKey::Positions(account), Event::Cash(Cash { account, cash })));
        }
    }
}

/// Accounts whose positions or cash a fact may change.
fn parties(fact: &Fact) -> [Option<AccountId>; 2] {
    match *fact {
        Fact::Trade { maker_account: one, taker_account: other, .. }
        | Fact::CollateralSold { account: one, buyer: other, .. }
        | Fact::Liquidated { account: one, keeper: other, .. }
        | Fact::TakenOver { account: one, vault: other, .. }
        | Fact::Auctioned { account: one, liquidator: other, .. }
        | Fact::Deleveraged { account: one, against: other, .. } => [Some(one), Some(other)],
        Fact::BadDebt { account, .. } => [Some(account), None],
        _ => [None, None],
    }
}
