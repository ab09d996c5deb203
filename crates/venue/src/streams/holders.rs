//! Positions and cash of accounts, where a batch has changed them.
//!
//! Theory of operation: facts say whose positions and cash may have changed, and what they are now
//! is read from the market. So no sum is formed twice.

use surgetank_layer::units::AccountId;
use surgetank_market::Fact;

use super::Outcome;
use super::latest::Latest;
use super::runs::EventsByStream;
use crate::event::{Cash, Event, Holding, StreamKey};
use crate::request::AccountRequest;

/// The events of positions and cash; `latest` is that of before the batch.
pub fn events(batch: &Outcome<'_>, latest: &mut Latest, out: &mut EventsByStream) {
    let mut accounts = Vec::new();
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
            accounts.push(account);
        }
    }
    accounts.sort_unstable();
    accounts.dedup();
    for account in accounts {
        for symbol in 0..batch.market.symbols() {
            let qty = batch.market.position(account, symbol);
            if latest.set_position(account, symbol, qty) {
                let event = Event::Position(Holding { account, symbol, qty });
                out.push(StreamKey::Positions(account), event.clone());
                out.push(StreamKey::PublicPositions(()), event);
            }
        }
        let cash = batch.market.cash(account);
        if latest.set_cash(account, cash) {
            out.push(StreamKey::Positions(account), Event::Cash(Cash { account, cash }));
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
