//! EIP-4844: a fee that is the exponential of the excess over target.
//!
//! Rules. excess' = max(excess + used − target, 0); fee = fee_min · e^(excess / fraction) by a Taylor
//! series in integers that ends when a term is 0.
//!
//! Source: V. Buterin and others, EIP-4844 (2022), "Helpers" and "Gas accounting".
//!
//! Departures: 128-bit arithmetic that saturates, where the EIP's integers have no bound.

/// `MIN_BASE_FEE_PER_BLOB_GAS`.
pub const FEE_MIN: u64 = 1;
/// `BLOB_BASE_FEE_UPDATE_FRACTION`.
pub const UPDATE_FRACTION: u64 = 3_338_477;
/// `TARGET_BLOB_GAS_PER_BLOCK`.
pub const TARGET: u64 = 393_216;

/// factor · e^(numerator / denominator), about; `u128::MAX` if 128 bits do not suffice.
///
/// # Panics
/// If the denominator is 0.
pub fn fake_exponential(factor: u64, numerator: u64, denominator: u64) -> u128 {
    let (numerator, denominator) = (u128::from(numerator), u128::from(denominator));
    let mut sum = 0_u128;
    let mut term = u128::from(factor) * denominator;
    let mut order = 1;
    while term > 0 {
        let next = term.checked_mul(numerator);
        let (Some(total), Some(next)) = (sum.checked_add(term), next) else {
            return u128::MAX;
        };
        sum = total;
        term = next / (denominator * order);
        order += 1;
    }
    sum / denominator
}

/// The excess after a block.
pub fn next_excess(excess: u64, used: u64, target: u64) -> u64 {
    excess.saturating_add(used).saturating_sub(target)
}
