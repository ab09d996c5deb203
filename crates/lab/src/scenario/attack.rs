//! `[attack]`: kind, time and means of the attack.

use serde::{Deserialize, Serialize};

use super::Kinded;

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
    /// Number of the attacker's accounts.
    pub accounts: u32,
    /// Its `kind` and that kind's keys, which the kind's file in [`adversary`](crate::adversary)
    /// reads.
    pub what: Kinded,
}

impl Attack {
    /// Whether there is no attack.
    pub fn is_none(&self) -> bool {
        self.what.kind() == "none"
    }
}
