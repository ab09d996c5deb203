//! Who is let in: rates, prices, expiry, and cancels that are remembered.
//!
//! # Rules
//! 1. Whatever is not let in is refused, with a reason and a hint when to try again.
//! 2. A refused message has spent nothing.
//! 3. Cancels and risk-reducing messages have budgets of their own.
//! 4. What load throttles it throttles by criticality, the least critical first.
//! 5. Memory is bounded, whoever sends.
//!
//! Read in this order: [`limit`], [`bucket`] and [`gcra`] (two forms of one rule), [`budgets`] (per
//! account), [`price`], [`cancel_memory`], [`gate`], which puts them in a row, and [`criticality`].

pub mod bucket;
pub mod budgets;
pub mod cancel_memory;
pub mod criticality;
pub mod gate;
pub mod gcra;
pub mod limit;
pub mod price;

use crate::message::Class;
use crate::units::Ns;

/// Why a message was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Reason {
    /// Its account's budget is used up.
    RateExceeded = 1,
    /// It bids less than the fee that is due.
    FeeTooLow = 2,
    /// It arrives after its expiry height.
    Expired = 3,
    /// Its expiry lies further ahead than cancels are remembered.
    ExpiryTooFar = 4,
    /// The cancel of its order came first.
    CancelledBefore = 5,
    /// As many are on their way as the admission limit allows.
    Busy = 6,
}

/// An explicit no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What the message ran into.
    pub reason: Reason,
    /// The same message may be let in after this long, if nothing else comes;
    /// [`NEVER`](crate::units::NEVER) if it will not be.
    pub retry_after_ns: Ns,
}

/// Which budget a message draws on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Orders and replaces: what adds work and may add risk.
    Order,
    /// Cancels.
    Cancel,
    /// Price updates, liquidation orders, and orders that only reduce a position.
    Reducing,
}

impl Kind {
    /// Of a client's message; `None` for what the venue itself sends.
    ///
    /// `reduce_only` is what the sender claims: the market refuses or cuts an order that does not
    /// keep to it, but by then it has been carried. So the budget of this kind must be bounded too
    /// wherever clients can set the flag.
    pub fn of(class: Class, reduce_only: bool) -> Option<Kind> {
        match class {
            Class::PriceUpdate | Class::LiquidationOrder => Some(Kind::Reducing),
            Class::OrderCancelRequest => Some(Kind::Cancel),
            Class::NewOrderSingle | Class::OrderCancelReplaceRequest => {
                Some(if reduce_only { Kind::Reducing } else { Kind::Order })
            }
            Class::ExecutionReport | Class::Proposal | Class::Vote => None,
        }
    }
}
