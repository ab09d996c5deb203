//! Admission control: rates, fees, expiry, and remembered cancels.
//!
//! # Rules
//! 1. A message that is not admitted is refused, with a reason and a hint when to retry.
//! 2. A refused message has consumed nothing.
//! 3. Cancels and risk-reducing messages have budgets of their own.
//! 4. Load throttles messages by criticality, the least critical first.
//! 5. Memory is bounded for any input.
//!
//! Read in this order: [`limit`], [`bucket`] and [`gcra`] (two forms of one rule), [`budgets`] (per
//! account), [`price`], [`cancel_memory`], [`gate`], which applies them in sequence, and
//! [`criticality`].

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

/// Reason for which a message was not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum AdmissionReason {
    /// Its account's budget is used up.
    RateExceeded = 1,
    /// It bids less than the fee that is due.
    FeeTooLow = 2,
    /// It arrived after its expiry height.
    Expired = 3,
    /// Its expiry is further ahead than cancels are remembered.
    ExpiryTooFar = 4,
    /// The cancel of its order arrived first.
    CancelledBefore = 5,
}

/// A refusal with its reason and retry hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Reason of the refusal.
    pub reason: AdmissionReason,
    /// Time after which the same message may be admitted, without further arrivals;
    /// [`NEVER`](crate::units::NEVER) if it will not be.
    pub retry_after_ns: Ns,
}

/// Budget on which a message draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Orders and replaces, which may add risk.
    Order,
    /// Cancels of resting orders.
    Cancel,
    /// Price updates, liquidation orders, and orders that only reduce a position.
    Reducing,
}

impl Kind {
    /// Of a client's message; `None` for what the venue itself sends.
    ///
    /// `reduce_only` is the sender's claim: the market refuses or cuts an order that violates it,
    /// but only after it was carried. So the budget of this kind must be bounded too wherever
    /// clients can set the flag.
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
