//! Fees of messages, which rise with the load and fall without it.
//!
//! Amounts are whole numbers of the layer's own fee unit; charging accounts is the market's task.
//!
//! [`eip1559`] moves by at most 1/8 a block; [`backlog`] is the exponential of several backlogs,
//! each with its own time scale, and serves as the circuit breaker.

pub mod backlog;
pub mod eip1559;

use serde::{Deserialize, Serialize};

use super::Kind;
use crate::units::{NEVER, Ns};

/// Fee of cancels and risk-reducing messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relief {
    /// The full fee.
    None,
    /// The fee, but at most this amount.
    Capped(u64),
    /// They pay no fee.
    Exempt,
}

impl Relief {
    /// Fee that a message of this kind owes when the full fee is `fee`.
    pub fn owed(self, fee: u64, kind: Kind) -> u64 {
        match (self, kind) {
            (_, Kind::Order) | (Relief::None, _) => fee,
            (Relief::Capped(most), _) => fee.min(most),
            (Relief::Exempt, _) => 0,
        }
    }
}

/// What a price is like.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Config {
    /// A constant fee.
    Fixed {
        /// In millionths of a USD.
        fee_micros: u64,
    },
    /// A base fee that each block moves by at most 1/8.
    Eip1559 {
        /// Least base fee, in millionths of a USD.
        fee_min_micros: u64,
        /// Work of a full block, at least 2; half of it is the target.
        block_work: u64,
        /// A block is missing after this long, at least 1; [`NEVER`] turns that off.
        block_ns: Ns,
    },
    /// The exponential of several backlogs.
    Backlog(backlog::Config),
}

/// A fee under one of the rules.
#[derive(Clone, Debug)]
pub enum FeeRule {
    /// A constant fee.
    Fixed(u64),
    /// EIP-1559's base fee.
    BaseFee(eip1559::BaseFee),
    /// The exponential of the backlogs.
    Backlog(backlog::Backlog),
}

impl FeeRule {
    /// A price without backlog.
    pub fn new(config: Config) -> FeeRule {
        match config {
            Config::Fixed { fee_micros } => FeeRule::Fixed(fee_micros),
            Config::Eip1559 { fee_min_micros, block_work, block_ns } => {
                FeeRule::BaseFee(eip1559::BaseFee::new(fee_min_micros, block_work, block_ns))
            }
            Config::Backlog(config) => FeeRule::Backlog(backlog::Backlog::new(config)),
        }
    }

    /// The fee in force now.
    pub fn fee(&mut self, now: Ns) -> u64 {
        match self {
            FeeRule::Fixed(fee) => *fee,
            FeeRule::BaseFee(base) => base.fee(now),
            FeeRule::Backlog(backlog) => backlog.fee(now),
        }
    }

    /// Accounts for a batch of this much work; returns the fee from now on, to be published with
    /// it.
    pub fn on_batch(&mut self, now: Ns, work: u64) -> u64 {
        match self {
            FeeRule::Fixed(fee) => *fee,
            FeeRule::BaseFee(base) => base.on_batch(now, work),
            FeeRule::Backlog(backlog) => backlog.on_batch(now, work),
        }
    }

    /// Time until the fee has fallen to `bid` without further work; [`NEVER`] if it will not.
    pub fn falls_to_ns(&self, now: Ns, bid: u64) -> Ns {
        match self {
            FeeRule::Fixed(fee) => {
                if *fee <= bid {
                    0
                } else {
                    NEVER
                }
            }
            FeeRule::BaseFee(base) => base.falls_to_ns(now, bid),
            FeeRule::Backlog(backlog) => backlog.falls_to_ns(now, bid),
        }
    }
}
