//! Whether a venue can open with its settings: their bounds, and what must be in order.

use std::fmt;

use surgetank_layer::units::Price;

use crate::config::{
    AssetPrice, BlockLimits, CloseOut, CollateralAsset, Config, MONEY_MAX, OpenInterestCap, PPM,
    PRICE_MAX, SymbolConfig,
};
use crate::options::Listing;

/// Settings with which no venue can open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidRules(
    /// What is wrong with them.
    pub &'static str,
);

impl fmt::Display for InvalidRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for InvalidRules {}

/// This is wrong unless it holds.
fn must(holds: bool, problem: &'static str) -> Result<(), InvalidRules> {
    if holds { Ok(()) } else { Err(InvalidRules(problem)) }
}

impl Config {
    /// Whether a venue can open with these settings, and its markets at these prices.
    ///
    /// # Errors
    /// Names the first setting that is out of bounds or out of order.
    pub fn check(&self, initial_price: &[Price]) -> Result<(), InvalidRules> {
        let markets = self.symbols.len();
        must((1..=usize::from(u16::MAX)).contains(&markets), "a venue has at least one market")?;
        must(markets == initial_price.len(), "each market has one initial price")?;
        let priced = initial_price.iter().all(|price| (1..=PRICE_MAX).contains(price));
        must(priced, "initial price out of bounds")?;
        must((0..=MONEY_MAX).contains(&self.insurance), "insurance fund out of bounds")?;
        self.symbols.iter().try_for_each(SymbolConfig::check)
    }
}

impl SymbolConfig {
    fn check(&self) -> Result<(), InvalidRules> {
        let (mut above, mut rates) = (0, (self.initial_margin_ppm, self.maintenance_margin_ppm));
        for tier in &self.tiers {
            let next = (tier.initial_ppm, tier.maintenance_ppm);
            let rises = (above + 1..=MONEY_MAX).contains(&tier.above);
            must(rises, "bounds of margin tiers must rise")?;
            let falls = next.0 < rates.0 || next.1 < rates.1;
            must(!falls, "rates of margin tiers must not fall")?;
            (above, rates) = (tier.above, next);
        }
        must(rates.1 < PPM, "maintenance margin must be below 100 %")?;
        must(rates.0 <= PPM, "initial margin must not exceed 100 %")?;
        if let Some(funding) = self.funding {
            let positive = funding.sample_ns > 0 && funding.interval_ns > 0;
            must(positive, "funding intervals are positive")?;
            must((1..=MONEY_MAX).contains(&funding.impact), "impact notional out of bounds")?;
        }
        if let Some(OpenInterestCap { lower, upper }) = self.open_interest_cap {
            let rise = 0 <= lower && lower < upper && upper <= MONEY_MAX;
            must(rise, "caps of open interest must rise")?;
        }
        must(self.taker_fee_ppm.max(self.maker_fee_ppm) <= PPM, "fee above 100 %")?;
        must(self.worst_price_ppm.is_none_or(|worst| worst <= PPM), "worst price above 100 %")?;
        match self.close_out {
            CloseOut::Oracle { worse_ppm, .. } if worse_ppm > PPM => {
                Err(InvalidRules("close-out price above 100 % from the mark"))
            }
            _ => Ok(()),
        }
    }
}

impl BlockLimits {
    /// Whether these limits can hold.
    ///
    /// # Errors
    /// If the share is above 100 %.
    pub fn check(&self) -> Result<(), InvalidRules> {
        must(self.position_share_ppm <= PPM, "share of a position above 100 %")
    }
}

impl CollateralAsset {
    /// Whether a venue of so many markets can accept the asset.
    ///
    /// # Errors
    /// If its haircut is 100 % or more, or the market that prices it is not there.
    pub fn check(&self, markets: u16) -> Result<(), InvalidRules> {
        must(self.haircut_ppm < PPM, "a haircut must be below 100 %")?;
        let priced = match self.price {
            AssetPrice::Mark { symbol } => symbol < markets,
            AssetPrice::Constant {} => true,
        };
        must(priced, "no market prices a collateral asset")
    }
}

impl Listing {
    /// Whether a venue can list these options.
    ///
    /// # Errors
    /// If a strike is out of bounds, the volatility is no positive number, or the auction's price
    /// does not fall.
    pub fn check(&self) -> Result<(), InvalidRules> {
        let in_bounds = self.contracts.iter().all(|one| (1..=PRICE_MAX).contains(&one.strike));
        must(in_bounds, "a strike is out of bounds")?;
        must(self.contracts.len() < usize::from(u16::MAX) / 2, "too many options")?;
        let numbers =
            self.vol.start > 0.0 && self.vol.start.is_finite() && self.vol.beta.is_finite();
        must(numbers, "implied volatility is a positive number")?;
        let falls =
            self.auction.knee_ppm <= self.auction.start_ppm && self.auction.start_ppm <= PPM;
        must(falls, "an auction must start at most at mark value, and fall")
    }
}
