//! `[flow]`: messages arriving.

use serde::{Deserialize, Serialize};
use surgetank_layer::units::Ns;

/// Everything that sends messages.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// Background traders: accounts that the arrival process draws from.
    pub accounts: u32,
    /// When the background messages are meant to be sent.
    pub arrivals: Arrivals,
    /// Multiplies the arrival rate over time.
    pub profile: Profile,
    /// Which kinds the background messages are.
    pub mix: Mix,
    /// Bytes on the wire beside the encoded message (signature, framing).
    pub overhead_bytes: u32,
    /// Delay between a client and its gateway, each way.
    pub client_link: ClientLink,
    /// What clients do when refused or left without an answer.
    pub retry: Retry,
    /// Market makers, who requote when the outside price has moved.
    pub makers: Makers,
    /// Oracles, who send price updates.
    pub oracle: Oracle,
    /// Keepers, who send liquidation orders on the price they have received.
    pub keepers: Keepers,
    /// Traders who react to a falling price.
    pub panic: Panic,
    /// What senders offer to be served earlier.
    pub fees: Fees,
    /// Whether background arrivals come from the tape's recorded messages instead of `arrivals`.
    pub replay_messages: bool,
}

/// An arrival process. Rates are in messages per second of simulated time.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Arrivals {
    /// Nothing arrives by itself.
    None {},
    /// Every 1/rate seconds.
    Deterministic {
        /// λ
        rate_per_s: f64,
    },
    /// Independent exponential gaps.
    Poisson {
        /// λ
        rate_per_s: f64,
    },
    /// Self-exciting: intensity μ + Σ n·β·e^(−β(t−tᵢ)); mean rate μ/(1−n) = `rate_per_s`.
    Hawkes {
        /// Mean rate Λ = μ/(1−n).
        rate_per_s: f64,
        /// Branching ratio n, in [0, 1).
        branching: f64,
        /// Decay β.
        decay_per_s: f64,
    },
    /// Markov-modulated Poisson: state i lasts Exp(mean dwell_s[i]), then the next state, cyclically.
    Mmpp {
        /// λᵢ
        rates_per_s: Vec<f64>,
        /// Mean stay in state i.
        dwell_s: Vec<f64>,
    },
}

/// Multiplies the arrival rate over time; 1 outside its window.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Profile {
    /// 1 throughout.
    Constant {},
    /// From 1 at `from_s` linearly to `factor` at `until_s`, and `factor` from then on.
    Ramp {
        /// Begin.
        from_s: f64,
        /// End of the rise.
        until_s: f64,
        /// Multiplier reached.
        factor: f64,
    },
    /// `factor` between `from_s` and `until_s`.
    Step {
        /// Begin.
        from_s: f64,
        /// End.
        until_s: f64,
        /// Multiplier inside.
        factor: f64,
    },
    /// Jumps to `factor` at `at_s` and decays back to 1 exponentially with time constant `decay_s`.
    Spike {
        /// When.
        at_s: f64,
        /// Time constant.
        decay_s: f64,
        /// Multiplier at the peak.
        factor: f64,
    },
}

/// Relative weights of the background messages' kinds.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Mix {
    /// Resting limit orders (good till cancelled).
    pub limit: f64,
    /// Post-only limit orders.
    pub post_only: f64,
    /// Market orders.
    pub market: f64,
    /// Immediate-or-cancel limit orders.
    pub ioc: f64,
    /// Cancels.
    pub cancel: f64,
    /// Cancel-replaces.
    pub replace: f64,
    /// Mean size of an order in USD notional.
    pub order_usd: f64,
    /// Distance scale of limit prices from the last known price, in basis points (exponential).
    pub distance_bp: f64,
}

/// Delay between client and gateway, one way: fixed + exponential part.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ClientLink {
    /// Constant part.
    pub fixed_ns: Ns,
    /// Mean of the exponential part.
    pub jitter_ns: Ns,
}

/// What clients do when refused or left without an answer.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// Sends again after a refusal at most this many times.
    pub tries_max: u32,
    /// Wait before sending again; doubles each time.
    pub backoff_ns: Ns,
}

/// Market makers.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Makers {
    /// How many.
    pub count: u32,
    /// Price levels per side.
    pub levels: u32,
    /// Half spread of the best level.
    pub half_spread_bp: f64,
    /// Distance between levels.
    pub step_bp: f64,
    /// Size per level.
    pub level_usd: f64,
    /// Requotes when the outside price has moved by this much.
    pub requote_bp: f64,
    /// Delay between the outside price and the maker's decision.
    pub reaction_ns: Ns,
    /// Share of size withdrawn per 1 % of outside price move over the last second (0 = never).
    pub fear: f64,
    /// Never take.
    pub post_only: bool,
    /// How they move a quote.
    pub requote: Requote,
    /// What each has at the start.
    pub capital_usd: f64,
    /// Share of its capital after whose loss a maker stops for good.
    pub loss_max: f64,
    /// Position beyond which a maker quotes only what reduces it.
    pub inventory_usd: f64,
    /// Shift of both sides against a full inventory, in proportion to it.
    pub skew_bp: f64,
    /// Added to the half spread, per basis point of outside move in the last second.
    pub widen: f64,
    /// Pull all quotes on such a move in the last second (0 = never).
    pub pull_pct: f64,
    /// Pull all quotes when the venue has left them without an answer so long (0 = never).
    pub stale_ns: Ns,
}

/// How makers move a quote.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Requote {
    /// A cancel and a new order.
    CancelNew,
    /// One cancel-replace.
    Replace,
}

/// Oracles.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Oracle {
    /// How many; they take turns. 0 = none.
    pub count: u32,
    /// Interval between price updates.
    pub interval_ns: Ns,
    /// Age of the outside price when it is sent.
    pub observation_ns: Ns,
}

/// Keepers.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Keepers {
    /// How many; each watches its own share of the accounts.
    pub count: u32,
    /// Time from hearing a price to sending.
    pub reaction_ns: Ns,
    /// Most liquidation orders one keeper sends per price heard.
    pub orders_max: u32,
    /// Sends again for an account still under water after this long.
    pub resend_ns: Ns,
    /// Which price they look at.
    pub watch: Watch,
}

/// Which price keepers look at.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Watch {
    /// The venue's mark, as it reaches them over the client link.
    Venue,
    /// The outside price, at each of its steps.
    Outside,
}

/// What senders offer to be served earlier, where the rule or the price asks for it; in millionths
/// of a USD, but for the mean of a draw.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fees {
    /// Mean of background traders (exponential).
    pub background_usd: f64,
    /// Makers.
    pub maker_micros: u32,
    /// Keepers.
    pub keeper_micros: u32,
    /// Oracles.
    pub oracle_micros: u32,
    /// A bid that was too low is multiplied by this when the message is sent again.
    pub escalation: f64,
    /// Bids do not rise above this.
    pub max_micros: u32,
}

/// Traders who react to a falling (or rising) price.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Panic {
    /// Extra messages per second, for each 1 % of outside price move over the last `window_s`.
    pub rate_per_s_per_pct: f64,
    /// Look-back.
    pub window_s: f64,
}
