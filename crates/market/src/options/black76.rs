//! Black's 1976 formula: European options on a forward, undiscounted.
//!
//! Rules: a price is never below its bounds, (F − K)⁺ ≤ call ≤ F and (K − F)⁺ ≤ put ≤ K. Without
//! time or volatility the price is the intrinsic value.
//!
//! Theory of operation: with s = σ√T, d₁ = ln(F/K)/s + s/2 and d₂ = d₁ − s, call = F·N(d₁) −
//! K·N(d₂) and put = K·N(−d₂) − F·N(−d₁). The option out of the money is computed and the other
//! follows from put–call parity, call − put = F − K, which avoids cancellation deep in the money.
//! N(x) = erfc(−x/√2)/2.
//!
//! Source: F. Black, "The pricing of commodity contracts", J. Financial Economics 3 (1976).
//!
//! Departures: the discount factor is 1, as at Derive: collateral bears no interest here.

use std::f64::consts::{FRAC_1_SQRT_2, TAU};

/// Inputs of the formula for one option. All finite; forward and strike positive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// Forward price F of the underlying.
    pub forward: f64,
    /// Strike price K of the option, in the unit of the forward.
    pub strike: f64,
    /// Implied volatility σ per √year.
    pub vol: f64,
    /// Time to expiry T in years.
    pub years: f64,
    /// Whether it is a call (else a put).
    pub call: bool,
}

/// Price and sensitivities of one option.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Greeks {
    /// Undiscounted price, in the unit of the forward.
    pub price: f64,
    /// Delta, ∂price/∂F.
    pub delta: f64,
    /// Gamma, ∂²price/∂F².
    pub gamma: f64,
    /// Vega, ∂price/∂σ, per 1.00 of volatility.
    pub vega: f64,
    /// Theta, ∂price/∂t per year, at a constant forward.
    pub theta: f64,
    /// Rho, ∂price/∂r per 1.00 of the discount rate, at a constant forward.
    pub rho: f64,
}

/// The standard normal distribution function.
pub fn normal(x: f64) -> f64 {
    0.5 * libm::erfc(-x * FRAC_1_SQRT_2)
}

fn density(x: f64) -> f64 {
    libm::exp(-0.5 * x * x) / libm::sqrt(TAU)
}

impl Terms {
    /// Intrinsic value: the payoff if the option expired now.
    pub fn intrinsic(&self) -> f64 {
        let above = self.forward - self.strike;
        if self.call { above.max(0.0) } else { (-above).max(0.0) }
    }

    /// Standard deviation s = σ√T of the logarithm of the forward at expiry.
    fn spread(&self) -> f64 {
        self.vol.max(0.0) * libm::sqrt(self.years.max(0.0))
    }

    /// Time value: price less intrinsic value, the same for call and put.
    pub fn time_value(&self) -> f64 {
        let s = self.spread();
        if s <= 0.0 {
            return 0.0;
        }
        let (forward, strike) = (self.forward, self.strike);
        let d1 = libm::log(forward / strike) / s + 0.5 * s;
        let out = if strike >= forward {
            forward * normal(d1) - strike * normal(d1 - s)
        } else {
            strike * normal(s - d1) - forward * normal(-d1)
        };
        out.clamp(0.0, forward.min(strike))
    }

    /// Undiscounted price, in the unit of the forward.
    pub fn price(&self) -> f64 {
        self.time_value() + self.intrinsic()
    }

    /// The price and all sensitivities. At the kink (F = K without time or volatility) delta is
    /// half of one, gamma is 0.
    pub fn greeks(&self) -> Greeks {
        let price = self.price();
        let rho = -self.years.max(0.0) * price;
        let s = self.spread();
        let sign = if self.call { 1.0 } else { -1.0 };
        if s <= 0.0 {
            let above = self.forward - self.strike;
            let delta = if above == 0.0 {
                0.5 * sign
            } else if above * sign > 0.0 {
                sign
            } else {
                0.0
            };
            return Greeks { price, delta, rho, ..Greeks::default() };
        }
        let d1 = libm::log(self.forward / self.strike) / s + 0.5 * s;
        let gamma = density(d1) / (self.forward * s);
        let squared = self.forward * self.forward;
        Greeks {
            price,
            delta: sign * normal(sign * d1),
            gamma,
            vega: squared * gamma * self.vol * self.years,
            theta: -0.5 * squared * gamma * self.vol * self.vol,
            rho,
        }
    }
}
