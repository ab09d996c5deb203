//! A stored ledger under its rules again.

use std::fmt;

use surgetank_layer::units::Price;

use super::{Assets, Ledger};

/// What was read is not the state of a market with these rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateMismatch(
    /// The part that does not fit.
    pub &'static str,
);

impl fmt::Display for StateMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the stored {} are not those of a venue with these rules", self.0)
    }
}

impl std::error::Error for StateMismatch {}

impl Ledger {
    /// A stored ledger with the requirements, options and accepted assets of this one. `spot` is the
    /// oracle price of market 0 at which its options were marked.
    pub(crate) fn restore(&self, stored: Ledger, spot: Price) -> Result<Ledger, StateMismatch> {
        let accounts = stored.accounts.len();
        let per_market = [stored.positions.len(), stored.open_interest.len()];
        if per_market != [self.positions.len(); 2] || stored.marks.len() != self.marks.len() {
            return Err(StateMismatch("markets or options"));
        }
        if stored.positions.iter().any(|of_market| of_market.len() != accounts) {
            return Err(StateMismatch("positions"));
        }
        let options = self.positions.len()..self.marks.len();
        for (&account, held) in &stored.held {
            let rises = held.windows(2).all(|pair| pair[0].0 < pair[1].0);
            let listed = held.iter().all(|(option, _)| options.contains(option));
            if !rises || !listed || !stored.has_account(account) {
                return Err(StateMismatch("positions in options"));
            }
        }
        let chain = match (&self.chain, &stored.chain) {
            (Some(chain), Some(time)) => Some(chain.restore(time, spot)),
            (None, None) => None,
            _ => return Err(StateMismatch("options")),
        };
        Ok(Ledger {
            requirements: self.requirements.clone(),
            chain,
            assets: self.assets.restore(stored.assets)?,
            ..stored
        })
    }
}

impl Assets {
    /// Stored amounts of the assets that are accepted here.
    fn restore(&self, stored: Assets) -> Result<Assets, StateMismatch> {
        let kinds = self.accepted.len();
        if stored.held.iter().any(|amounts| ![0, kinds].contains(&amounts.len())) {
            return Err(StateMismatch("collateral assets"));
        }
        Ok(Assets { accepted: self.accepted.clone(), ..stored })
    }
}
