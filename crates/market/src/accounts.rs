//! Requests of accounts other than orders: to be opened, to pay in and out, to cancel all orders.
//!
//! Rules: cash that is paid in counts at once. Cash can be paid out as far as the account keeps the
//! initial margin of its positions and orders at the marks; a withdrawal neither cancels orders nor
//! spends collateral assets. A refused request changes nothing.
//!
//! Theory of operation: as messages are, these requests are executed in the order of the journal, so
//! total money is that of the deposits less the withdrawals executed so far. What a venue opens with
//! is not requested; see [`Market::deposit`].

use surgetank_layer::units::{AccountId, Money};

use crate::config::{ACCOUNTS_MAX, MONEY_MAX, MarginMode};
use crate::facts::{CancelReason, Fact, Reject};
use crate::market::Market;

impl Market {
    /// Opens an account without cash.
    ///
    /// # Errors
    /// [`Reject::AccountUnavailable`]: the number is taken or too large;
    /// [`Reject::UnsupportedOrder`]: portfolio mode, and no options are listed.
    pub fn open_account(&mut self, account: AccountId, mode: MarginMode) -> Result<(), Reject> {
        if account >= ACCOUNTS_MAX || self.ledger.has_account(account) {
            return Err(Reject::AccountUnavailable);
        }
        if mode == MarginMode::Portfolio && self.desk.is_none() {
            return Err(Reject::UnsupportedOrder);
        }
        self.ledger.deposit(account, 0, mode);
        Ok(())
    }

    /// Adds cash, in quanta, to an open account.
    ///
    /// # Errors
    /// [`Reject::UnknownAccount`], [`Reject::IncorrectAmount`].
    pub fn credit(&mut self, account: AccountId, cash: Money) -> Result<(), Reject> {
        let mode = self.ledger.mode(account).ok_or(Reject::UnknownAccount)?;
        let all = cash.checked_add(self.paid_in()).ok_or(Reject::IncorrectAmount)?;
        if cash < 1 || all > MONEY_MAX {
            return Err(Reject::IncorrectAmount);
        }
        self.deposits += cash;
        self.ledger.deposit(account, cash, mode);
        Ok(())
    }

    /// Pays cash, in quanta, out to an account.
    ///
    /// # Errors
    /// [`Reject::UnknownAccount`], [`Reject::IncorrectAmount`];
    /// [`Reject::InsufficientMargin`]: more than [`Market::withdrawable`].
    pub fn debit(&mut self, account: AccountId, cash: Money) -> Result<(), Reject> {
        let mode = self.ledger.mode(account).ok_or(Reject::UnknownAccount)?;
        if cash < 1 {
            return Err(Reject::IncorrectAmount);
        }
        if cash > self.withdrawable(account) {
            return Err(Reject::InsufficientMargin);
        }
        self.deposits -= cash;
        self.ledger.deposit(account, -cash, mode);
        Ok(())
    }

    /// Cash that an account can withdraw now, in quanta; 0 for an unknown account.
    pub fn withdrawable(&self, account: AccountId) -> Money {
        self.ledger.withdrawable(account)
    }

    /// Cancels the account's resting orders in a market; `None`: in all.
    ///
    /// # Errors
    /// [`Reject::UnknownAccount`], [`Reject::UnknownSymbol`].
    pub fn cancel_account(
        &mut self,
        account: AccountId,
        symbol: Option<u16>,
        facts: &mut Vec<Fact>,
    ) -> Result<(), Reject> {
        if !self.ledger.has_account(account) {
            return Err(Reject::UnknownAccount);
        }
        let symbols = match symbol {
            Some(symbol) if symbol >= self.symbols() => return Err(Reject::UnknownSymbol),
            Some(symbol) => symbol..symbol + 1,
            None => 0..self.symbols(),
        };
        for symbol in symbols {
            self.cancel_orders(account, symbol, CancelReason::Requested, facts);
        }
        Ok(())
    }
}
