//! `[market]`: its perpetuals, their prices, margin rules and positions.

use serde::{Deserialize, Serialize};
use surgetank_layer::units::{Money, Ns};
use surgetank_market::options::{Auction, ImpliedVol, Rule};
use surgetank_market::{BlockLimits, CollateralAsset, MarginMode, SymbolConfig};
use surgetank_venue::genesis::Matching;

/// Linear perpetuals (BTC-USD in shape) and the accounts that hold them.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Market {
    /// Name of the first perpetual.
    pub name: String,
    /// Smallest price step.
    pub tick_usd: f64,
    /// Smallest quantity in coins. A lot at one tick is the quantum of money, of all perpetuals.
    pub lot: f64,
    /// The outside (index) price.
    pub price: Price,
    /// The rules of the perpetual; accounts that they name are the lab's.
    pub symbol: SymbolConfig,
    /// Further perpetuals; accounts, collateral and insurance fund are the same.
    pub perpetuals: Vec<Perpetual>,
    /// Insurance fund at the start.
    pub insurance: Money,
    /// Liquidation limits per block; `None` = no limit.
    pub per_block: Option<BlockLimits>,
    /// The collateral of leveraged positions.
    pub mode: MarginMode,
    /// Assets accepted as collateral, in the order in which they are sold.
    pub collateral: Vec<Collateral>,
    /// Cash of the vault of `symbol.backstop` at the start.
    pub vault: Money,
    /// Matching of orders.
    pub matching: Matching,
    /// Positions at the start.
    pub positions: Positions,
    /// Options on it, and portfolios that hold them.
    pub options: Option<Options>,
}

/// An asset accepted as collateral.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Collateral {
    /// Name of the asset.
    pub name: String,
    /// Its price and haircut.
    pub asset: CollateralAsset,
    /// Share of the deposit of each position at the start that is held in it.
    pub share: f64,
}

/// A further perpetual. Its lot is the quantum of money over its tick.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Perpetual {
    /// Name of the perpetual.
    pub name: String,
    /// Smallest price step.
    pub tick_usd: f64,
    /// Its outside price, whose step and feed are the first's.
    pub price: FurtherPrice,
    /// The rules of the perpetual; accounts that they name are the lab's.
    pub symbol: SymbolConfig,
    /// Background messages and positions, relative to those of the first.
    pub weight: f64,
}

/// The outside price of a further perpetual.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FurtherPrice {
    /// Source of the price path.
    pub path: PricePath,
    /// Permanent move of this outside price, in basis points, per 1 M USD sold (or bought) by liquidations.
    pub impact_bp_per_musd: f64,
}

/// What differs between perpetuals, of the first as of the others.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// Name of the perpetual.
    pub name: &'a str,
    /// Smallest price step.
    pub tick_usd: f64,
    /// Smallest quantity in coins.
    pub lot: f64,
    /// Source of the price path.
    pub path: &'a PricePath,
    /// Permanent move of the outside price, in basis points, per 1 M USD of liquidations.
    pub impact_bp_per_musd: f64,
    /// The rules of the perpetual.
    pub symbol: &'a SymbolConfig,
    /// Background messages and positions, relative to those of the first.
    pub weight: f64,
}

impl Market {
    /// Value of one quantum of money, in USD.
    pub fn quantum_usd(&self) -> f64 {
        self.tick_usd * self.lot
    }

    /// Number of perpetuals.
    pub fn markets(&self) -> usize {
        1 + self.perpetuals.len()
    }

    /// The terms of all perpetuals, by market index.
    pub fn terms(&self) -> impl Iterator<Item = Terms<'_>> {
        let first = Terms {
            name: &self.name,
            tick_usd: self.tick_usd,
            lot: self.lot,
            path: &self.price.path,
            impact_bp_per_musd: self.price.impact_bp_per_musd,
            symbol: &self.symbol,
            weight: 1.0,
        };
        let further = self.perpetuals.iter().map(|perpetual| Terms {
            name: &perpetual.name,
            tick_usd: perpetual.tick_usd,
            lot: self.quantum_usd() / perpetual.tick_usd,
            path: &perpetual.price.path,
            impact_bp_per_musd: perpetual.price.impact_bp_per_musd,
            symbol: &perpetual.symbol,
            weight: perpetual.weight,
        });
        std::iter::once(first).chain(further)
    }
}

/// The outside (index) price.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Source of the price path.
    pub path: PricePath,
    /// Step of the price process.
    pub step_ns: Ns,
    /// Permanent move of the outside price, in basis points, per 1 M USD sold (or bought) by liquidations.
    pub impact_bp_per_musd: f64,
    /// The channel by which the venue receives it.
    pub feed: Feed,
}

/// The channel by which the venue receives the outside price.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Feed {
    /// Oracles' messages, which queue like any other.
    Messages,
    /// Every block carries the price at its execution (dYdX v4's vote extensions, GMX's execution
    /// prices).
    Block,
}

/// Source of the outside price.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum PricePath {
    /// Geometric Brownian motion with Merton jumps.
    Gbm {
        /// Price at the start.
        start_usd: f64,
        /// σ per √year (365 days).
        volatility: f64,
        /// ν: drift of the log price per year.
        drift: f64,
        /// Mean number of jumps per day.
        jumps_per_day: f64,
        /// Mean log jump.
        jump_mean: f64,
        /// Standard deviation of the log jump.
        jump_sd: f64,
    },
    /// Given points, log-linear between them, with a Brownian bridge of this volatility between each two.
    Points {
        /// Times of the points, in s.
        at_s: Vec<f64>,
        /// Prices at these times.
        price_usd: Vec<f64>,
        /// σ per √year of the bridge.
        volatility: f64,
    },
    /// The tape's recorded prices.
    Tape {},
    /// Of a further perpetual: it follows the first's log return, times beta, with diffusion and
    /// jumps of its own.
    Follows {
        /// Price at the start.
        start_usd: f64,
        /// Log return per log return of the first perpetual's outside price.
        beta: f64,
        /// σ per √year of its own diffusion.
        volatility: f64,
        /// Mean number of its own jumps per day.
        jumps_per_day: f64,
        /// Mean log jump.
        jump_mean: f64,
        /// Standard deviation of the log jump.
        jump_sd: f64,
    },
}

/// Positions at the start: as many long as short in quantity.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Positions {
    /// Accounts with a leveraged long position; shorts of the same total are held at low leverage.
    pub count: u32,
    /// Mean notional (exponential).
    pub notional_usd: f64,
    /// Least leverage (uniform in 1/leverage between the two).
    pub leverage_min: f64,
    /// Greatest leverage of a position.
    pub leverage_max: f64,
    /// Share of the leveraged positions that are long.
    pub long_share: f64,
    /// Number of perpetuals in which each account has a position.
    pub markets: u32,
    /// Equity above the maintenance requirement is a uniform share, between this and 1, of what a
    /// position just opened at its leverage has: as if the price had moved since.
    pub buffer_min: f64,
}

/// European options on the perpetual's oracle price.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Expiries, in days from the start.
    pub expiry_days: Vec<f64>,
    /// Strikes, in percent of the price at the start; a put and a call at each.
    pub strikes_pct: Vec<f64>,
    /// Implied volatility as a function of spot.
    pub vol: ImpliedVol,
    /// Portfolio-margin rule.
    pub rule: Rule,
    /// Terms of the auction of a portfolio.
    pub auction: Auction,
    /// Portfolios at the start.
    pub positions: Portfolios,
}

/// Holdings of portfolios.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Hold {
    /// A put and a call sold, equally far down the list below and above the start.
    ShortStrangles,
    /// A put and a call sold at the strike nearest to the start.
    ShortStraddles,
    /// A put sold below the start.
    ShortPuts,
}

/// Portfolios at the start; the other side is one account that is not measured.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Portfolios {
    /// Number of portfolios.
    pub count: u32,
    /// Holdings of each.
    pub hold: Hold,
    /// Mean notional of each leg (exponential).
    pub notional_usd: f64,
    /// Whether the perpetual hedges their delta at the start.
    pub hedge: bool,
    /// Least equity, as a multiple of the initial requirement (uniform between the two).
    pub equity_min: f64,
    /// Greatest equity, as a multiple of the initial requirement.
    pub equity_max: f64,
}
