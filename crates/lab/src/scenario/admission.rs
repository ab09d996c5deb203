//! `[layer.admission]`: who is let in.

use serde::{Deserialize, Serialize};
use surgetank_layer::units::Ns;

/// Rates, prices, expiry, remembered cancels.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Admission {
    /// How an account's orders and cancels are limited.
    pub policy: Policy,
    /// Orders and replaces per account, under `rates`.
    pub orders: Rate,
    /// Whether cancels have a rate of their own, under `rates`.
    pub cancels_shared: bool,
    /// Cancels per account, under `rates`, if not shared.
    pub cancels: Rate,
    /// Under `quota`.
    pub quota: Quota,
    /// How risk-reducing messages are limited.
    pub reducing: Reducing,
    /// Their rate: per account, or of the whole gate if reserved.
    pub reducing_rate: Rate,
    /// Accounts that a gate knows at a time.
    pub accounts_max: u32,
    /// Orders are refused while so many messages are on their way at a node that orders; 0 = never.
    pub limit: u32,
    /// What a message must bid.
    pub price: FeeRule,
    /// What cancels and risk-reducing messages pay of it.
    pub relief: Relief,
    /// ... at most, under `capped`.
    pub relief_cap_usd: f64,
    /// Orders are void so many blocks after their client's last one; 0 = never.
    pub expires_blocks: u32,
    /// Whether cancels also hold for orders that come after them.
    pub remember_cancels: bool,
    /// For how many blocks, where orders never expire.
    pub remember_blocks: u32,
    /// Cancels that are remembered at a time.
    pub remember_max: u32,
}

/// How an account's orders and cancels are limited.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Not at all.
    None,
    /// By rates.
    Rates,
    /// By what they have traded (Hyperliquid).
    Quota,
}

/// A rate and what may be saved up.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// In the long run.
    pub per_s: f64,
    /// At once.
    pub burst: u32,
}

/// Requests that must be earned.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// What every account starts with.
    pub initial: u32,
    /// Earned per USD of notional traded.
    pub per_usd: f64,
    /// Cancels go on to min(limit + this, 2 · limit).
    pub cancels_extra: u32,
    /// When all is used up, one request per so many seconds.
    pub trickle_ns: Ns,
}

/// How risk-reducing messages are limited.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Reducing {
    /// Not at all.
    Exempt,
    /// By a rate of each account's own.
    Own,
    /// By a share of the gate that is reserved for them.
    Reserved,
}

/// What a message must bid.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum FeeRule {
    /// Nothing.
    None {},
    /// A base fee that each block moves by at most 1/8.
    Eip1559 {
        /// Least base fee.
        fee_min_usd: f64,
        /// Work of a full block; half of it is the target.
        block_work: u32,
        /// A block is missing after this long.
        block_ns: Ns,
        /// What is counted.
        unit: WorkUnit,
    },
    /// The exponential of several backlogs.
    Backlog {
        /// Fee without a backlog.
        fee_min_usd: f64,
        /// Target rates and time scales.
        windows: Vec<PriceWindow>,
        /// Degree of the exponential's polynomial.
        degree: u32,
        /// What is counted.
        unit: WorkUnit,
    },
}

/// A target rate, and the time scale on which going above it is felt.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PriceWindow {
    /// Work a second.
    pub target_per_s: u32,
    /// The price grows e-fold when the backlog is worth this long.
    pub window_ns: Ns,
}

/// What a price counts.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum WorkUnit {
    /// Messages.
    Messages,
    /// Microseconds of mean execution time.
    ServiceUs,
}

/// What cancels and risk-reducing messages pay.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Relief {
    /// What the others pay.
    None,
    /// The fee, but no more than a cap.
    Capped,
    /// Nothing.
    Exempt,
}
