//! EIP-1559: a base fee that each block moves by at most 1/8.
//!
//! Rules. Above target the fee rises by max(fee · (used − target) / target / 8, 1); below it falls
//! by fee · (target − used) / target / 8; at target it stays. Target = limit / 2. Divisions are
//! integer ones, in this order.
//!
//! Theory of operation. A full block multiplies the fee by 9/8, an empty one by 7/8. Ten times the
//! fee takes about 20 full blocks: slow for a circuit breaker, which is why [`backlog`](super::backlog)
//! exists.
//!
//! Source: V. Buterin and others, EIP-1559 (2019), section "Specification".
//!
//! Departures. More work than the limit counts as the limit, so that 1/8 holds. If a batch is late
//! by a whole `block_ns`, an empty block is assumed, and one for each further `block_ns`: otherwise
//! a prohibitive fee would never fall again. [`NEVER`] turns that off. By integer division the fee
//! does not fall below 7 by itself; choose the unit accordingly.

use crate::units::{NEVER, Ns};

/// EIP-1559's `ELASTICITY_MULTIPLIER`: block limit over target.
pub const ELASTICITY: u64 = 2;
/// EIP-1559's `BASE_FEE_MAX_CHANGE_DENOMINATOR`: a block moves the fee by at most 1/8.
pub const CHANGE_DENOMINATOR: u64 = 8;

/// The base fee of the block that follows one of base fee `fee`, of limit `limit` (at least 2) and
/// of `used` work.
pub fn next_base_fee(fee: u64, limit: u64, used: u64) -> u64 {
    let target = u128::from(limit / ELASTICITY);
    let (wide, used) = (u128::from(fee), u128::from(used.min(limit)));
    let part = |gap: u128| wide * gap / target / u128::from(CHANGE_DENOMINATOR);
    if used > target {
        // At most fee · (limit − target) / target / 8 ≤ fee / 4 even for odd limits.
        fee.saturating_add(part(used - target).max(1) as u64)
    } else {
        fee - part(target - used) as u64
    }
}

/// A base fee over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BaseFee {
    limit: u64,
    fee_min: u64,
    block_ns: Ns,
    fee: u64,
    at_ns: Ns,
}

impl BaseFee {
    /// A fee that starts at, and never falls below, `fee_min`; blocks hold `limit` work and are
    /// expected every `block_ns`.
    ///
    /// # Panics
    /// If the limit is below 2 or the block time 0.
    pub fn new(fee_min: u64, limit: u64, block_ns: Ns) -> BaseFee {
        assert!(limit >= ELASTICITY, "base fee: the block limit must be at least {ELASTICITY}");
        assert!(block_ns > 0, "base fee: block_ns must be at least 1");
        BaseFee { limit, fee_min, block_ns, fee: fee_min, at_ns: 0 }
    }

    /// The fee in force now.
    pub fn fee(&mut self, now: Ns) -> u64 {
        self.pass_empty(now);
        self.fee
    }

    /// Accounts for a block of this much work; returns the fee from now on.
    pub fn on_batch(&mut self, now: Ns, used: u64) -> u64 {
        self.pass_empty(now);
        self.step(used);
        self.at_ns = now;
        self.fee
    }

    /// Time until the fee has fallen to `bid` by empty blocks; [`NEVER`] if it will not.
    pub fn falls_to_ns(&self, now: Ns, bid: u64) -> Ns {
        let mut ahead = *self;
        ahead.pass_empty(now);
        let mut blocks = 0;
        while ahead.fee > bid {
            let before = ahead.fee;
            ahead.step(0);
            if ahead.fee == before || self.block_ns == NEVER {
                return NEVER;
            }
            blocks += 1;
        }
        match blocks {
            0 => 0,
            _ => ahead.at_ns.saturating_add(self.block_ns.saturating_mul(blocks + 1)) - now,
        }
    }

    fn step(&mut self, used: u64) {
        self.fee = next_base_fee(self.fee, self.limit, used).max(self.fee_min);
    }

    /// Applies the empty blocks that are due.
    fn pass_empty(&mut self, now: Ns) {
        let passed = now.saturating_sub(self.at_ns) / self.block_ns;
        let mut missed = passed.saturating_sub(1);
        self.at_ns += missed * self.block_ns;
        while missed > 0 {
            let before = self.fee;
            self.step(0);
            missed = if self.fee == before { 0 } else { missed - 1 };
        }
    }
}
