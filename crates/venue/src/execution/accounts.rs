//! Requests of accounts at their place among the messages of a batch.

use surgetank_layer::units::MessageId;
use surgetank_market::{Fact, Market, Reject};

use super::Execution;
use crate::request::AccountRequest;

/// The requests of a batch, and what became of those that are executed.
pub(super) struct Asked<'a> {
    requests: &'a [(u32, AccountRequest)],
    pub(super) outcomes: Vec<Result<(), Reject>>,
}

impl<'a> Asked<'a> {
    pub(super) fn new(requests: &'a [(u32, AccountRequest)]) -> Asked<'a> {
        Asked { requests, outcomes: Vec::new() }
    }
}

impl Execution {
    /// Executes the requests that are due before the message with this index.
    #[inline]
    pub(super) fn ask(&mut self, asked: &mut Asked<'_>, message: usize) {
        while let Some(&(before, request)) = asked.requests.get(asked.outcomes.len())
            && before as usize <= message
        {
            let place = before + asked.outcomes.len() as MessageId;
            asked.outcomes.push(execute(&mut self.market, request, &mut self.scratch));
            self.attribute(place);
        }
    }
}

fn execute(
    market: &mut Market,
    request: AccountRequest,
    facts: &mut Vec<Fact>,
) -> Result<(), Reject> {
    match request {
        AccountRequest::Open { account, mode } => market.open_account(account, mode),
        AccountRequest::Deposit { account, cash } => market.credit(account, cash),
        AccountRequest::Withdraw { account, cash } => market.debit(account, cash),
        AccountRequest::CancelAll { account, symbol } => {
            market.cancel_account(account, symbol, facts)
        }
        // The intake refuses the orders; nothing in the market changes.
        AccountRequest::Halt { .. } => Ok(()),
    }
}
