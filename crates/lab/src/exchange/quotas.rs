//! Quotas of requests, which accounts earn by trading.

use surgetank_layer::units::AccountId;

use crate::scenario::Scenario;
use crate::trace::{MarketKind, MarketRow};

/// Requests earned by trades.
pub struct Quotas {
    /// Requests per USD of notional traded.
    per_usd: f64,
    /// Rows whose trades have been counted.
    counted: usize,
}

impl Quotas {
    /// `None` where accounts have no quotas.
    pub fn new(scenario: &Scenario) -> Option<Quotas> {
        let per_usd = scenario.layer.admission.earned_per_usd?;
        Some(Quotas { per_usd, counted: 0 })
    }

    /// Requests earned by the trades since the last call, by both sides.
    pub fn earned(&mut self, rows: &[MarketRow], quantum_usd: f64) -> Vec<(AccountId, u64)> {
        let per_quantum = quantum_usd * self.per_usd;
        let new = &rows[self.counted..];
        self.counted = rows.len();
        let trades = new.iter().filter(|row| row.kind == MarketKind::Trade);
        let earned = trades.flat_map(|row| {
            let requests = (row.price as f64 * row.qty.abs() as f64 * per_quantum) as u64;
            [(row.account, requests), (row.other, requests)]
        });
        earned.collect()
    }
}
