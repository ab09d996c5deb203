//! What a message costs: fees that rise with the load and fall without it.
//!
//! Money here is the layer's own fee unit, a whole number; who is charged what is the market's.
//!
//! [`eip1559`] moves by at most 1/8 a block; [`backlog`] is the exponential of several backlogs,
//! each with its own time scale, and serves as the circuit breaker.

pub mod backlog;
pub mod eip1559;

use super::Kind;
use crate::units::{NEVER, Ns};

/// What cancels and risk-reducing messages pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relief {
    /// What the others pay.
    None,
    /// The fee, but no more than this.
    Capped(u64),
    /// Nothing.
    Exempt,
}

impl Relief {
    /// What a message of this kind owes when the fee is `fee`.
    pub fn owed(self, fee: u64, kind: Kind) -> u64 {
        match (self, kind) {
            (_, Kind::Order) | (Relief::None, _) => fee,
            (Relief::Capped(most), _) => fee.min(most),
            (Relief::Exempt, _) => 0,
        }
    }
}

/// A fee under one of the rules.
#[derive(Clone, Debug)]
pub enum Price {
    /// Always the same.
    Fixed(u64),
    /// Moves from block to block.
    BaseFee(eip1559::BaseFee),
    /// Follows the backlogs.
    Backlog(backlog::Backlog),
}

impl Price {
    /// The fee in force now.
    pub fn fee(&mut self, now: Ns) -> u64 {
        match self {
            Price::Fixed(fee) => *fee,
            Price::BaseFee(base) => base.fee(now),
            Price::Backlog(backlog) => backlog.fee(now),
        }
    }

    /// A batch of this much work is made: gives the fee from now on, to be published with it.
    pub fn on_batch(&mut self, now: Ns, work: u64) -> u64 {
        match self {
            Price::Fixed(fee) => *fee,
            Price::BaseFee(base) => base.on_batch(now, work),
            Price::Backlog(backlog) => backlog.on_batch(now, work),
        }
    }

    /// How long until the fee has fallen to `bid` if no more work comes; [`NEVER`] if it will not.
    pub fn falls_to_ns(&self, now: Ns, bid: u64) -> Ns {
        match self {
            Price::Fixed(fee) => {
                if *fee <= bid {
                    0
                } else {
                    NEVER
                }
            }
            Price::BaseFee(base) => base.falls_to_ns(now, bid),
            Price::Backlog(backlog) => backlog.falls_to_ns(now, bid),
        }
    }
}
