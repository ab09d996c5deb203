//! Black's 1976 formula: European options on a forward, undiscounted.
//!
//! Rules: a price is never below its bounds, (F − K)⁺ ≤ call ≤ F and (K − F)⁺ ≤ put ≤ K. Without
//! time or without volatility the option is worth what it would pay now.
//!
//! Theory of operation: with s = σ√T, d₁ = ln(F/K)/s + s/2 and d₂ = d₁ − s,
//! call = F·N(d₁) − K·N(d₂) and put = K·N(−d₂) − F·N(−d₁). The option out of the money is computed
//! and the other had from it by put–call parity, call − put = F − K, so that no digits are lost to
//! cancellation deep in the money. N(x) = erfc(−x/√2)/2.
//!
//! Source: F. Black, "The pricing of commodity contracts", J. Financial Economics 3 (1976).
//!
//! Departures: the discount factor is 1, as at Derive: collateral bears no interest here.

use std::f64::consts::{FRAC_1_SQRT_2, TAU};

/// What one option is written on and how it is priced. All finite; forward and strike positive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// Forward price F of the underlying.
    pub forward: f64,
    /// Strike K.
    pub strike: f64,
    /// Implied volatility σ per √year.
    pub vol: f64,
    /// Time to expiry T in years.
    pub years: f64,
    /// Call, or put.
    pub call: bool,
}

/// Price and sensitivities of one option.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Greeks {
    /// Price.
    pub price: f64,
    /// ∂price/∂F.
    pub delta: f64,
    /// ∂²price/∂F².
    pub gamma: f64,
    /// ∂price/∂σ, per 1.00 of volatility.
    pub vega: f64,
    /// ∂price/∂t per year, the forward standing still.
    pub theta: f64,
    /// ∂price/∂r per 1.00 of the rate at which the price is discounted, the forward standing still.
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
    /// What the option would pay if it expired now.
    pub fn intrinsic(&self) -> f64 {
        let above = self.forward - self.strike;
        if self.call { above.max(0.0) } else { (-above).max(0.0) }
    }

    /// s = σ√T.
    fn spread(&self) -> f64 {
        self.vol.max(0.0) * libm::sqrt(self.years.max(0.0))
    }

    /// What the option is worth beyond what it would pay now: the same for call and put.
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

    /// The price.
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
