//! The price of a portfolio's Dutch auction.
//!
//! Rules: a share of mark value, which falls linearly from `start_ppm` to `knee_ppm` within
//! `fast_ns` and from there to zero within `slow_ns`.
//!
//! Source: Derive v2-core `DutchAuction.sol` at 7736900d (95 % → 70 % in 15 min → 0 in 12 h).

use serde::{Deserialize, Serialize};
use surgetank_layer::units::Ns;

/// Terms of the Dutch auction of a portfolio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Auction {
    /// Share of mark value asked at the start, in millionths.
    pub start_ppm: u32,
    /// Share of mark value asked after `fast_ns`, in millionths.
    pub knee_ppm: u32,
    /// Time in which the price falls from `start_ppm` to `knee_ppm`.
    pub fast_ns: Ns,
    /// Time in which it falls from `knee_ppm` to zero.
    pub slow_ns: Ns,
    /// Share of mark value at which liquidators buy, in millionths.
    pub bid_ppm: u32,
}

impl Auction {
    /// The share of mark value asked this long after the start.
    pub fn price_ppm(&self, elapsed: Ns) -> u32 {
        let fall = |from: u32, to: u32, part: Ns, whole: Ns| {
            from - (u128::from(from - to) * u128::from(part) / u128::from(whole)) as u32
        };
        if elapsed < self.fast_ns {
            return fall(self.start_ppm, self.knee_ppm, elapsed, self.fast_ns);
        }
        let slow = (elapsed - self.fast_ns).min(self.slow_ns);
        if slow == self.slow_ns { 0 } else { fall(self.knee_ppm, 0, slow, self.slow_ns) }
    }
}
