//! `[flow]`: messages arriving.

use serde::{Deserialize, Serialize};
use surgetank_layer::units::Ns;

/// Senders of messages.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// Background traders: accounts that the arrival process draws from.
    pub accounts: u32,
    /// Arrival process of the background messages.
    pub arrivals: Arrivals,
    /// Multiplies the arrival rate over time.
    pub profile: Profile,
    /// Mix of kinds of the background messages.
    pub mix: Mix,
    /// Bytes on the wire in addition to the encoded message (signature, framing).
    pub overhead_bytes: u32,
    /// Delay between a client and its gateway, each way.
    pub client_link: ClientLink,
    /// Clients' reaction to a refusal or a missing answer.
    pub retry: RetryConfig,
    /// Market makers, which requote when the outside price has moved.
    pub makers: MakersConfig,
    /// Oracles, which send price updates.
    pub oracle: Oracle,
    /// Keepers, which send liquidation orders on the price that they have received.
    pub keepers: KeepersConfig,
    /// Traders who react to a falling price.
    pub panic: PanicConfig,
    /// Priority fees that senders offer.
    pub fees: Fees,
    /// Whether background arrivals come from the tape's recorded messages instead of `arrivals`.
    pub replay_messages: bool,
}

/// An arrival process. Rates are in messages per second of simulated time.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Arrivals {
    /// No background messages.
    None {},
    /// Every 1/rate seconds.
    Deterministic {
        /// Arrival rate λ, per second.
        rate_per_s: f64,
    },
    /// Independent exponential gaps.
    Poisson {
        /// Arrival rate λ, per second.
        rate_per_s: f64,
    },
    /// Self-exciting: intensity μ + Σ n·β·e^(−β(t−tᵢ)); mean rate μ/(1−n) = `rate_per_s`.
    Hawkes {
        /// Mean rate Λ = μ/(1−n).
        rate_per_s: f64,
        /// Branching ratio n, in [0, 1).
        branching: f64,
        /// Decay rate β of the excitation, per second.
        decay_per_s: f64,
    },
    /// Markov-modulated Poisson: state i lasts Exp(mean dwell_s[i]), then the next state, cyclically.
    Mmpp {
        /// Arrival rate λᵢ of each state, per second.
        rates_per_s: Vec<f64>,
        /// Mean stay in state i.
        dwell_s: Vec<f64>,
    },
}

/// Multiplies the arrival rate over time; 1 outside its window.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Profile {
    /// The factor is 1 throughout.
    Constant {},
    /// From 1 at `from_s` linearly to `factor` at `until_s`, and `factor` from then on.
    Ramp {
        /// Start of the change, in s.
        from_s: f64,
        /// End of the rise.
        until_s: f64,
        /// Factor reached at the end of the rise.
        factor: f64,
    },
    /// `factor` between `from_s` and `until_s`.
    Step {
        /// Start of the change, in s.
        from_s: f64,
        /// End of the step, in s.
        until_s: f64,
        /// Factor inside the step.
        factor: f64,
    },
    /// Jumps to `factor` at `at_s` and decays back to 1 exponentially with time constant `decay_s`.
    Spike {
        /// Time of the jump, in s.
        at_s: f64,
        /// Time constant of the decay, in s.
        decay_s: f64,
        /// Multiplier at the peak.
        factor: f64,
    },
    /// `factors[i]` from `from_s[i]` until the next; the last one from then on. As many of both, and
    /// `from_s` rises.
    Piecewise {
        /// Start of each piece, in s.
        from_s: Vec<f64>,
        /// Factor of each piece.
        factors: Vec<f64>,
    },
}

/// Relative weights of the background messages' kinds.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Mix {
    /// Weight of resting limit orders (good till cancelled).
    pub limit: f64,
    /// Weight of post-only limit orders.
    pub post_only: f64,
    /// Weight of market orders.
    pub market: f64,
    /// Weight of immediate-or-cancel limit orders.
    pub ioc: f64,
    /// Weight of cancels.
    pub cancel: f64,
    /// Weight of cancel-replaces.
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
    /// Constant part of the delay, in ns.
    pub fixed_ns: Ns,
    /// Mean of the exponential part.
    pub jitter_ns: Ns,
}

/// Clients' reaction to a refusal or a missing answer.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RetryConfig {
    /// Sends again after a refusal at most this many times.
    pub tries_max: u32,
    /// Wait before sending again; doubles each time.
    pub backoff_ns: Ns,
}

/// Parameters of the market makers.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MakersConfig {
    /// Number of makers.
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
    /// Whether makers' orders are post-only.
    pub post_only: bool,
    /// Messages by which they move a quote.
    pub requote: Requote,
    /// Capital of each maker at the start, in USD.
    pub capital_usd: f64,
    /// Share of its capital after whose loss a maker stops permanently.
    pub loss_max: f64,
    /// Position beyond which a maker quotes only what reduces it.
    pub inventory_usd: f64,
    /// Shift of both sides against a full inventory, in proportion to it.
    pub skew_bp: f64,
    /// Added to the half spread, per basis point of outside move in the last second.
    pub widen: f64,
    /// Pull all quotes on such a move in the last second (0 = never).
    pub pull_pct: f64,
    /// Pull all quotes when a message was unanswered for this long, in ns (0 = never).
    pub stale_ns: Ns,
}

/// Messages by which makers move a quote.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Requote {
    /// A cancel and a new order.
    CancelNew,
    /// One cancel-replace per quote.
    Replace,
}

/// Parameters of the oracles.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Oracle {
    /// Number of oracles, which take turns; 0 = none.
    pub count: u32,
    /// Interval between price updates.
    pub interval_ns: Ns,
    /// Age of the outside price when it is sent.
    pub observation_ns: Ns,
}

/// Parameters of the keepers.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KeepersConfig {
    /// Number of keepers; each watches its own share of the accounts.
    pub count: u32,
    /// Time from receiving a price to sending, in ns.
    pub reaction_ns: Ns,
    /// Greatest number of liquidation orders that one keeper sends per price.
    pub orders_max: u32,
    /// Time after which a keeper sends again for an account still below maintenance, in ns.
    pub resend_ns: Ns,
    /// Price that keepers watch.
    pub watch: Watch,
}

/// Price that keepers watch.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Watch {
    /// The venue's mark, as it reaches them over the client link.
    Venue,
    /// The outside price, at each of its steps.
    Outside,
}

/// Fees that senders bid, where the queue rule or the admission price uses them; in millionths of a
/// USD, except the mean of a draw.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fees {
    /// Mean of background traders (exponential).
    pub background_usd: f64,
    /// Fee of makers, in millionths of a USD.
    pub maker_micros: u32,
    /// Fee of keepers, in millionths of a USD.
    pub keeper_micros: u32,
    /// Fee of oracles, in millionths of a USD.
    pub oracle_micros: u32,
    /// A bid that was too low is multiplied by this when the message is sent again.
    pub escalation: f64,
    /// Bids do not rise above this.
    pub max_micros: u32,
}

/// Traders who react to a falling (or rising) price.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PanicConfig {
    /// Extra messages per second, for each 1 % of outside price move over the last `window_s`.
    pub rate_per_s_per_pct: f64,
    /// Length of the look-back for the price's move, in s.
    pub window_s: f64,
}
