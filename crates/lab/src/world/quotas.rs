//! Requests are earned by trading, where accounts have quotas.

use super::World;
use crate::scenario::Policy;
use crate::trace::MarketKind;

impl World {
    /// Pays out what the trades since the last time have earned: both sides, at their own gateways.
    ///
    /// A gateway has it at once, as it has the block: the venue counts where it executes.
    pub(super) fn pay_out_quotas(&mut self) {
        let admission = &self.scenario.layer.admission;
        if admission.policy != Policy::Quota {
            return;
        }
        let Some(exchange) = &self.exchange else { return };
        let per_quantum = exchange.quantum_usd() * admission.quota.per_usd;
        let rows = &exchange.rows[self.clients.paid_rows..];
        self.clients.paid_rows = exchange.rows.len();
        let nodes = self.nodes.len() as u32;
        for row in rows.iter().filter(|row| row.kind == MarketKind::Trade) {
            let requests = (row.price as f64 * row.qty.abs() as f64 * per_quantum) as u64;
            for account in [row.account, row.other] {
                let gateway = (account % nodes) as usize;
                self.nodes[gateway].earn(self.now, account, requests);
            }
        }
    }
}
