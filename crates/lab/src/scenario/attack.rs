//! `[attack]`: who attacks, and how.

use serde::{Deserialize, Serialize};
use surgetank_layer::message::Class;

/// One attacker, from `at_s` for `duration_s`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Attack {
    /// Begin.
    pub at_s: f64,
    /// Length.
    pub duration_s: f64,
    /// What the attacker's accounts have at the start, together.
    pub capital_usd: f64,
    /// How.
    pub what: AttackKind,
}

/// How somebody attacks.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum AttackKind {
    /// Nobody does.
    None {},
    /// One account floods the gateways with post-only orders far from the market.
    Spam {
        /// Messages per second (Poisson).
        rate_per_s: f64,
    },
    /// The same from many accounts.
    Sybil {
        /// Messages per second, all in all.
        rate_per_s: f64,
        /// How many accounts.
        accounts: u32,
    },
    /// One account floods the gateways with cancels of orders that are not there.
    CancelStorm {
        /// Messages per second.
        rate_per_s: f64,
    },
    /// Background traders stop for `halt_s`, then everybody sends at once.
    Stampede {
        /// How long they wait.
        halt_s: f64,
        /// Messages that come together.
        messages: u32,
        /// ... within this long.
        within_ms: f64,
    },
    /// A node reads large market orders as they pass and trades before and after them.
    Sandwich(Reader),
    /// The same by whoever makes the blocks on that node: it puts its own orders where it likes.
    Insider(Reader),
    /// As `sandwich`, choosing among many accounts the one whose place comes first.
    Grind {
        /// What it reads, and what it does then.
        reader: Reader,
        /// How many accounts there are to choose from.
        accounts: u32,
    },
    /// Commits to a purchase and a sale, and reveals what pays.
    Withhold {
        /// Pairs per second.
        rate_per_s: f64,
        /// Size of each order.
        size_usd: f64,
    },
    /// Takes the makers' stale quotes when the outside price moves.
    LatencyRace(Racer),
    /// The same from afar, with a fee.
    FeeJump(Racer),
    /// A node leaves messages out of its blocks.
    Censor {
        /// Which node.
        node: u32,
        /// Of which class.
        class: Class,
    },
}

/// Who reads orders that are not yet executed.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Reader {
    /// At which node.
    pub node: u32,
    /// Smaller orders are left alone.
    pub least_usd: f64,
    /// How much it trades per order that it finds.
    pub size_usd: f64,
    /// What it offers to be served before it, in millionths of a USD.
    pub fee_micros: u32,
}

/// Who takes stale quotes.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Racer {
    /// Acts when the outside price has moved by this much since it last acted.
    pub move_bp: f64,
    /// How much it takes each time.
    pub size_usd: f64,
    /// Its own client link, one way.
    pub link_ms: f64,
    /// What it offers to be served first, in millionths of a USD.
    pub fee_micros: u32,
    /// What a round of the express lane is worth to it; 0 = it does not bid.
    pub lane_usd: f64,
}
