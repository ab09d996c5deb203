//! `[attack]`: kind, time and means of the attack.

use serde::{Deserialize, Serialize};
use surgetank_layer::message::Class;

/// One attacker, from `at_s` for `duration_s`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Attack {
    /// Start of the attack, in s.
    pub at_s: f64,
    /// Duration of the attack, in s.
    pub duration_s: f64,
    /// Total cash of the attacker's accounts at the start, in USD.
    pub capital_usd: f64,
    /// Kind of attack, with its keys.
    pub what: AttackKind,
}

/// Kinds of attack.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum AttackKind {
    /// No attack.
    None {},
    /// One account floods the gateways with post-only orders far from the market.
    Spam {
        /// Messages per second (Poisson).
        rate_per_s: f64,
    },
    /// The flood of `spam` from many accounts.
    Sybil {
        /// Messages per second, all in all.
        rate_per_s: f64,
        /// Number of accounts.
        accounts: u32,
    },
    /// One account floods the gateways with cancels of orders that do not exist.
    CancelStorm {
        /// Messages per second.
        rate_per_s: f64,
    },
    /// Background traders stop for `halt_s`, then many send at once.
    Stampede {
        /// Duration of the halt, in s.
        halt_s: f64,
        /// Number of messages sent after the halt.
        messages: u32,
        /// Span in which they are sent, in ms.
        within_ms: f64,
    },
    /// A node reads large market orders as they pass and trades before and after them.
    Sandwich(ReaderConfig),
    /// Front-running by that node's proposer, which places its own orders freely.
    Insider(ReaderConfig),
    /// As `sandwich`, choosing among many accounts the one whose drawn rank is first.
    Grind {
        /// The node at which it reads, and its orders.
        reader: ReaderConfig,
        /// Number of accounts to choose from.
        accounts: u32,
    },
    /// Commits to a purchase and a sale, and reveals the profitable one.
    Withhold {
        /// Pairs per second.
        rate_per_s: f64,
        /// Size of each order.
        size_usd: f64,
    },
    /// Takes the makers' stale quotes when the outside price moves.
    LatencyRace(RacerConfig),
    /// Latency arbitrage over a slower link, with a fee.
    FeeJump(RacerConfig),
    /// A node's proposer omits messages from its blocks.
    Censor {
        /// Node whose proposer censors.
        node: u32,
        /// Class of the omitted messages.
        class: Class,
    },
}

/// An attacker that reads orders before their execution.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ReaderConfig {
    /// Node at which it reads.
    pub node: u32,
    /// Least size of a victim, in USD.
    pub least_usd: f64,
    /// Size of its trade per victim, in USD.
    pub size_usd: f64,
    /// Fee that it bids to be served before its victim, in millionths of a USD.
    pub fee_micros: u32,
}

/// An attacker that takes stale quotes.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RacerConfig {
    /// Acts when the outside price has moved by this much since it last acted.
    pub move_bp: f64,
    /// Size of each trade, in USD.
    pub size_usd: f64,
    /// Its own client link, one way.
    pub link_ms: f64,
    /// Fee that it bids to be served first, in millionths of a USD.
    pub fee_micros: u32,
    /// Value of a round of the express lane to it, in USD; 0 = it does not bid.
    pub lane_usd: f64,
}
