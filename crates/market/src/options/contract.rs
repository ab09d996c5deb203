//! One option contract, as a venue lists it.

use serde::{Deserialize, Serialize};
use surgetank_layer::units::{Ns, Price};

use super::black76::Terms;

/// Nanoseconds in a year of 365 days.
pub const YEAR_NS: f64 = 365.0 * 86_400.0 * 1e9;

/// A European option on one unit of the underlying, settled in cash at the oracle price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// Expiry, in simulated time.
    pub expiry_ns: Ns,
    /// Strike price, in ticks.
    pub strike: Price,
    /// Whether it is a call (else a put).
    pub call: bool,
}

impl Contract {
    /// Time left in years; 0 from expiry on.
    pub fn years(&self, now: Ns) -> f64 {
        self.expiry_ns.saturating_sub(now) as f64 / YEAR_NS
    }

    /// Payoff at expiry if the oracle price is `settlement`, in ticks: exact.
    pub fn payoff(&self, settlement: Price) -> Price {
        let above = settlement - self.strike;
        if self.call { above.max(0) } else { (-above).max(0) }
    }

    /// Inputs of its price at this spot (in ticks, need not be whole), volatility and time.
    pub fn terms(&self, spot: f64, vol: f64, now: Ns) -> Terms {
        let (strike, years) = (self.strike as f64, self.years(now));
        Terms { forward: spot, strike, vol, years, call: self.call }
    }
}
