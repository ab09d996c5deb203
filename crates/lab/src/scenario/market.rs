//! `[market]`: what messages mean.

use serde::{Deserialize, Serialize};
use surgetank_layer::units::Ns;

/// One linear perpetual (BTC-USD in shape) and the accounts that hold it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Market {
    /// Smallest price step.
    pub tick_usd: f64,
    /// Smallest quantity in coins.
    pub lot: f64,
    /// The outside (index) price.
    pub price: Price,
    /// How the venue marks positions.
    pub mark: Mark,
    /// How orders meet.
    pub matching: Matching,
    /// Margin rules.
    pub margin: Margin,
    /// What keeps trades near the mark.
    pub protection: Protection,
    /// Positions at the start.
    pub positions: Positions,
    /// Options on it, and who holds them.
    pub options: Option<Options>,
}

/// The outside (index) price.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Where it comes from.
    pub path: PricePath,
    /// Step of the price process.
    pub step_ns: Ns,
    /// Permanent move of the outside price, in basis points, per 1 M USD sold (or bought) by liquidations.
    pub impact_bp_per_musd: f64,
    /// How the venue learns it.
    pub feed: Feed,
}

/// How the venue learns the outside price.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Feed {
    /// By oracles' messages, which queue like any other.
    Messages,
    /// Every block brings the price of the moment at which it is executed (dYdX v4's vote
    /// extensions, GMX's execution prices).
    Block,
}

/// Where the outside price comes from.
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
        /// Times.
        at_s: Vec<f64>,
        /// Prices at these times.
        price_usd: Vec<f64>,
        /// σ per √year of the bridge.
        volatility: f64,
    },
    /// The tape's recorded prices.
    Tape {},
}

/// How orders meet.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Matching {
    /// One after the other.
    Continuous,
    /// Those of a block at one price (Budish, Cramton and Shim).
    Auction,
}

/// How the venue marks positions.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// The last oracle price executed.
    Oracle,
    /// Median of oracle, oracle + EMA(mid − oracle) and the book's mid (Hyperliquid's form).
    Median,
}

/// Margin rules.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Margin {
    /// Isolated or cross.
    pub mode: MarginMode,
    /// Initial margin as a share of notional (1/leverage limit).
    pub initial: f64,
    /// Maintenance margin as a share of notional.
    pub maintenance: f64,
    /// Fee on liquidated notional, to the insurance fund.
    pub liquidation_fee_bp: f64,
    /// Taker fee.
    pub taker_fee_bp: f64,
    /// Maker fee.
    pub maker_fee_bp: f64,
    /// Share of the position that one liquidation order closes.
    pub liquidation_share: f64,
    /// Insurance fund at the start.
    pub insurance_usd: f64,
    /// Against whom a liquidation closes.
    pub close_out: CloseOut,
    /// Under `oracle`: how much worse than the mark price it closes.
    pub close_out_bp: f64,
    /// What a block may liquidate; without it nothing is limited.
    pub per_block: Option<BlockLimits>,
    /// The worst price that a liquidation takes, by how bad the account stands.
    pub fillable: Option<Fillable>,
    /// Whether large positions go in part first.
    pub partial: Option<Partial>,
    /// Whether a vault takes over what is nearly bankrupt.
    pub backstop: Option<Backstop>,
    /// A liquidation is late when it executes later than this after the outside price crossed the account's threshold.
    pub late_after_ns: Ns,
}

/// What keeps trades near the mark price; 0 = no limit.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Protection {
    /// A market order takes no price further from the mark.
    pub slippage_bp: f64,
    /// Limit orders that would buy higher above, or sell deeper below, are refused.
    pub band_bp: f64,
    /// Limit orders that would buy deeper below, or sell higher above, are refused.
    pub far_bp: f64,
    /// A liquidation takes no price further from the mark.
    pub liquidation_bp: f64,
    /// With an older oracle price only orders that reduce are admitted.
    pub reduce_only_after_ns: Ns,
}

/// What a block may liquidate (dYdX v4).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BlockLimits {
    /// Share of a position.
    pub position_share: f64,
    /// Notional of a position that may go in any case.
    pub position_min_usd: f64,
    /// Notional of one account.
    pub account_usd: f64,
    /// What one account may cost the insurance fund.
    pub account_insurance_usd: f64,
    /// Liquidations tried.
    pub attempts: u32,
    /// Positions deleveraged.
    pub deleveraging_attempts: u32,
}

/// The worst price that a liquidation takes (dYdX v4).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fillable {
    /// How fast it moves away from the mark as equity falls.
    pub bankruptcy_adjustment: f64,
    /// Its greatest distance, in maintenance margins.
    pub spread_to_maintenance: f64,
}

/// Large positions go in part first (Hyperliquid).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Partial {
    /// Notional above which a position is large.
    pub above_usd: f64,
    /// Share of it that goes at first.
    pub share: f64,
    /// For so long after that, the account's positions go as a whole.
    pub cooldown_ns: Ns,
}

/// A vault takes over what is nearly bankrupt (Hyperliquid).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Backstop {
    /// Share of the maintenance requirement below which it takes over.
    pub below: f64,
    /// What the vault has at the start.
    pub vault_usd: f64,
}

/// Against whom a liquidation closes.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum CloseOut {
    /// The book.
    Book,
    /// A liquidator who hedges outside: in full, at the mark price less `close_out_bp`.
    Oracle,
}

/// Isolated or cross margin.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum MarginMode {
    /// Each position has its own collateral.
    Isolated,
    /// One collateral for all.
    Cross,
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
    /// Most leverage.
    pub leverage_max: f64,
    /// Share of the leveraged accounts that are long.
    pub long_share: f64,
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
    /// Implied volatility at the start, per √year.
    pub iv: f64,
    /// Volatility added for each 1 % that spot has fallen since the start, per √year.
    pub iv_beta: f64,
    /// What is required of a portfolio.
    pub margin: PortfolioRule,
    /// How a portfolio is sold.
    pub auction: Auction,
    /// Portfolios at the start.
    pub positions: Portfolios,
}

/// Whose rule portfolios are margined by.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum PortfolioRule {
    /// Deribit's portfolio margin.
    DeribitPm,
    /// Derive's PMRM.
    DerivePmrm,
}

/// A Dutch auction: the price is a share of mark value.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Auction {
    /// Share asked at first.
    pub start: f64,
    /// Share asked after `fast_ns`.
    pub knee: f64,
    /// How long the price falls from `start` to `knee`.
    pub fast_ns: Ns,
    /// How long it falls from `knee` to nothing.
    pub slow_ns: Ns,
    /// Share at which liquidators buy.
    pub bid: f64,
}

/// What portfolios hold.
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

/// Portfolios at the start; the other side is one account that is not judged.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Portfolios {
    /// How many.
    pub count: u32,
    /// What they hold.
    pub hold: Hold,
    /// Mean notional of each leg (exponential).
    pub notional_usd: f64,
    /// Whether the perpetual hedges their delta at the start.
    pub hedge: bool,
    /// Least equity, as a multiple of the initial requirement (uniform between the two).
    pub equity_min: f64,
    /// Most equity.
    pub equity_max: f64,
}
