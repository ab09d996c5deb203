//! Requests of clients and operators.

use surgetank_layer::units::{AccountId, Money};
use surgetank_market::MarginMode;

/// A request that concerns accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountRequest {
    /// Opens an account, without money.
    Open {
        /// Number of the new account.
        account: AccountId,
        /// Whether its positions share their collateral.
        mode: MarginMode,
    },
    /// Pays money in.
    Deposit {
        /// Account that is credited.
        account: AccountId,
        /// Amount, in quanta.
        cash: Money,
    },
    /// Pays money out, which must not be needed as initial margin.
    Withdraw {
        /// Account that is debited.
        account: AccountId,
        /// Amount, in quanta.
        cash: Money,
    },
    /// Cancels the resting orders of an account.
    CancelAll {
        /// Owner of the orders.
        account: AccountId,
        /// Index of the market; `None`: all.
        symbol: Option<u16>,
    },
    /// Stops new orders of an account, of a market, or of both together, or lets them in again.
    Halt {
        /// The account; `None`: all.
        account: Option<AccountId>,
        /// Index of the market; `None`: all.
        symbol: Option<u16>,
        /// Whether new orders are refused from now on.
        halted: bool,
    },
}
