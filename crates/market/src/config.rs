//! A venue's settings: margin, fees, mark and liquidation rules, all in integers.

use serde::{Deserialize, Serialize};
use surgetank_layer::message::Side;
use surgetank_layer::units::{AccountId, Money, Ns, Price};

use crate::book::reaches;
use crate::mark::Mark;

pub use crate::bounds::{ACCOUNTS_MAX, MONEY_MAX, PPM, PRICE_MAX, QTY_MAX};

/// Whether positions share their collateral.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MarginMode {
    /// Each position has its own collateral and can lose no more than that.
    Isolated,
    /// All positions share one collateral.
    Cross,
    /// Positions and options share one collateral; a grid of scenarios sets the requirement.
    Portfolio,
}

/// Price protection: how far from the mark price orders may trade or rest. Distances are shares of
/// the mark; `None` = no limit.
///
/// Source: Paradex docs, "Price bands" (aggressive orders only, market orders take up to the band);
/// Binance USD-M `exchangeInfo` (`marketTakeBound`, `PERCENT_PRICE` on both sides).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Protection {
    /// A market order takes nothing worse than the mark by more than this.
    pub slippage_ppm: Option<u32>,
    /// A limit order that would buy above the mark, or sell below it, by more than this is refused;
    /// a market order takes nothing beyond it either.
    pub band_ppm: Option<u32>,
    /// A limit order that would buy below the mark, or sell above it, by more than this is refused.
    pub far_ppm: Option<u32>,
    /// With an oracle price older than this, only orders that reduce a position are admitted.
    pub reduce_only_after_ns: Option<Ns>,
}

impl Protection {
    /// The worst price that a market order of this side takes at this mark; `None`: any.
    pub fn worst(&self, mark: Price, side: Side) -> Option<Price> {
        let ppm = match (self.slippage_ppm, self.band_ppm) {
            (Some(slippage), Some(band)) => slippage.min(band),
            (one, other) => one.or(other)?,
        };
        Some(worse(mark, side, Money::from(ppm)))
    }

    /// Whether a limit order of this side and price is near enough to this mark.
    pub fn admits(&self, mark: Price, side: Side, price: Price) -> bool {
        let taking = self.band_ppm.is_none_or(|ppm| {
            let limit = worse(mark, side, Money::from(ppm));
            reaches(side, limit, price)
        });
        let resting = self.far_ppm.is_none_or(|ppm| {
            let limit = worse(mark, side.opposite(), Money::from(ppm));
            reaches(side.opposite(), limit, price)
        });
        taking && resting
    }
}

/// The mark price made worse by a share for a trader on this side, rounded towards the mark; at
/// least one tick.
pub(crate) fn worse(mark: Price, side: Side, ppm: Money) -> Price {
    let (mark, whole) = (Money::from(mark), Money::from(PPM));
    let price = match side {
        Side::Sell => (mark * (whole - ppm) + whole - 1).div_euclid(whole),
        Side::Buy => mark * (whole + ppm) / whole,
    };
    price.clamp(1, Money::from(PRICE_MAX)) as Price
}

/// The counterparty of a liquidation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum CloseOut {
    /// The market's own book.
    Book,
    /// A liquidator that hedges outside the venue: the whole position at once, at the mark price
    /// worsened by this share, whatever the book holds.
    Oracle {
        /// Share of the mark price that the liquidator keeps, at most [`PPM`].
        worse_ppm: u32,
        /// The liquidator's account. It is never liquidated itself.
        #[serde(skip)]
        against: AccountId,
    },
}

/// The worst price that a liquidation takes, as dYdX v4 has it: it moves away from the mark price
/// as the account's equity falls short of its maintenance requirement, up to
/// `spread_to_maintenance` times the maintenance margin where equity is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fillable {
    /// How fast it moves; at one (1,000,000) it spans all the range from maintenance to bankruptcy.
    pub bankruptcy_adjustment_ppm: u32,
    /// Its greatest distance from the mark, in maintenance margins.
    pub spread_to_maintenance_ppm: u32,
}

/// Large positions are liquidated in part first, as on Hyperliquid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Partial {
    /// Notional at the mark above which a position is large.
    pub above: Money,
    /// Share of it that is closed first, rounded up to a lot.
    pub share_ppm: u32,
    /// Time after that during which the account's positions are closed as a whole.
    pub cooldown_ns: Ns,
}

/// A vault takes over nearly bankrupt positions, as on Hyperliquid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Backstop {
    /// Share of the maintenance requirement below which the vault takes over instead of the book.
    pub below_ppm: u32,
    /// The vault's account, in cross mode. It is never liquidated itself.
    #[serde(skip)]
    pub vault: AccountId,
}

/// Liquidation limits per block, as on dYdX v4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BlockLimits {
    /// Share of a position that may be closed in one block.
    pub position_share_ppm: u32,
    /// Notional of a position that may be closed in any case, in quanta.
    pub position_min: Money,
    /// Greatest notional closed of one account, in quanta.
    #[serde(rename = "account")]
    pub account_notional: Money,
    /// Greatest amount that one account may cost the insurance fund, in quanta.
    pub account_insurance: Money,
    /// Greatest number of liquidations tried.
    pub attempts: u32,
    /// Greatest number of positions deleveraged.
    pub deleveraging_attempts: u32,
}

/// The margin rates of the part of a position's notional above a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// Notional at the mark above which the tier's rates hold, in quanta.
    pub above: Money,
    /// Initial margin as a share of this part of notional.
    pub initial_ppm: u32,
    /// Maintenance margin as a share of this part of notional.
    pub maintenance_ppm: u32,
}

/// Initial margin grows with open interest, as on dYdX v4: from its own rate at `lower` linearly to
/// 100 % at `upper`. The maintenance margin does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OpenInterestCap {
    /// Open interest at the mark at which the growth begins, in quanta.
    pub lower: Money,
    /// Open interest at the mark from which positions need their whole notional, in quanta.
    pub upper: Money,
}

/// How premium and interest make the 8-hour funding rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Formula {
    /// Premium + clamp(interest − premium, ±damping), as on Hyperliquid and Binance.
    Damped {
        /// The damping, of notional.
        damping_ppm: u32,
    },
    /// Premium + interest, as on dYdX v4.
    Added,
}

/// How the premiums between two payments are averaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Average {
    /// All alike.
    Mean,
    /// The k-th sample k times, as on Binance.
    TimeWeighted,
}

/// Funding payments between longs and shorts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Funding {
    /// Time between two samples of the premium.
    pub sample_ns: Ns,
    /// Time between two payments.
    pub interval_ns: Ns,
    /// Time of the first payment.
    pub first_ns: Ns,
    /// Notional of the order whose average price is the impact price, in quanta.
    pub impact: Money,
    /// Interest of 8 hours, of notional.
    pub interest_ppm: i32,
    /// The 8-hour rate.
    pub formula: Formula,
    /// How premiums are averaged.
    pub average: Average,
    /// Share of the 8-hour rate that one payment is.
    pub paid_ppm: u32,
    /// Greatest payment, of notional; `None`: all of it.
    pub cap_ppm: Option<u32>,
    /// Greatest 8-hour rate, as a multiple of initial less maintenance margin; `None`: none.
    pub cap_margins_ppm: Option<u32>,
    /// Mean premium of the samples of the first interval that were taken before the start.
    pub premium_ppm: i32,
}

/// The rules of one market.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SymbolConfig {
    /// Initial margin as a share of notional; the greatest leverage is its inverse.
    pub initial_margin_ppm: u32,
    /// Maintenance margin as a share of notional at the mark price.
    pub maintenance_margin_ppm: u32,
    /// Higher rates of large positions, by rising bounds; empty: the two above hold at any size.
    pub tiers: Vec<Tier>,
    /// Growth of the initial margin with open interest; `None`: none.
    pub open_interest_cap: Option<OpenInterestCap>,
    /// Funding payments; `None`: none.
    pub funding: Option<Funding>,
    /// Share of liquidated notional owed to the insurance fund, out of what is left to the account.
    pub liquidation_fee_ppm: u32,
    /// Taker fee on notional.
    pub taker_fee_ppm: u32,
    /// Maker fee on notional.
    pub maker_fee_ppm: u32,
    /// Share of the position that one liquidation order closes at most, rounded up to a lot.
    pub liquidation_share_ppm: u32,
    /// A liquidation takes no price worse than the mark price by more than this share.
    pub worst_price_ppm: Option<u32>,
    /// Price bands and slippage limits of orders.
    pub protection: Protection,
    /// How the mark price is computed.
    pub mark: Mark,
    /// The counterparty of liquidations.
    pub close_out: CloseOut,
    /// The worst price that a liquidation takes, as a function of the account's equity.
    pub fillable: Option<Fillable>,
    /// Whether large positions are liquidated in part first.
    pub partial: Option<Partial>,
    /// Whether a vault takes over nearly bankrupt positions.
    pub backstop: Option<Backstop>,
}

impl Default for SymbolConfig {
    /// 40× with half of it for maintenance (Hyperliquid's ratio), no fees, whole positions at once.
    fn default() -> SymbolConfig {
        SymbolConfig {
            initial_margin_ppm: 25_000,
            maintenance_margin_ppm: 12_500,
            tiers: Vec::new(),
            open_interest_cap: None,
            funding: None,
            liquidation_fee_ppm: 0,
            taker_fee_ppm: 0,
            maker_fee_ppm: 0,
            liquidation_share_ppm: PPM,
            worst_price_ppm: None,
            protection: Protection::default(),
            mark: Mark::Oracle,
            close_out: CloseOut::Book,
            fillable: None,
            partial: None,
            backstop: None,
        }
    }
}

/// Where the price of a collateral asset comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum AssetPrice {
    /// The mark price of a market; amounts are in its lots.
    Mark {
        /// Index of the market in [`Config::symbols`].
        symbol: u16,
    },
    /// Constant, as of a stablecoin; amounts are in quanta.
    Constant {},
}

/// An asset that the venue accepts as collateral.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CollateralAsset {
    /// Source of its price.
    pub price: AssetPrice,
    /// Share of its value that does not count for margin.
    pub haircut_ppm: u32,
}

/// The rules of a venue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Its markets; a message's `symbol` is the index here.
    pub symbols: Vec<SymbolConfig>,
    /// Insurance fund at the start, in quanta.
    pub insurance: Money,
}
