//! Bounds of prices, quantities and money.

use surgetank_layer::units::{AccountId, Money, Price, Qty};

/// One million: shares are in parts per million.
pub const PPM: u32 = 1_000_000;
/// Greatest price accepted, in ticks. With [`QTY_MAX`] it keeps all arithmetic inside `i128`.
pub const PRICE_MAX: Price = 1 << 40;
/// Greatest quantity of an order, and of a position with all its orders, in lots.
pub const QTY_MAX: Qty = 1 << 40;
/// Greatest sum of all deposits and the insurance fund, in quanta.
pub const MONEY_MAX: Money = 1 << 96;
/// Number from which on no account can be opened by request: an account's position takes room in
/// every market, as do those of all lower numbers.
pub const ACCOUNTS_MAX: AccountId = 1 << 24;
