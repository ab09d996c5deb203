//! The tables of a trace out of a run's record.

use serde_json::{Value, json};
use surgetank_lab::actors::Accounts;
use surgetank_lab::exchange::Exchange;
use surgetank_lab::scenario::Scenario;
use surgetank_lab::trace::{BlockRow, Outcome, Receipts, Rows, Table};
use surgetank_layer::units::Ns;

use crate::record::{Deed, Record};

/// Executes a record again, at the times at which the venue has executed it, on an exchange that
/// has just opened.
pub fn execute_again(record: &mut Record, exchange: &mut Exchange) {
    // A stable sort: what has the same time stays in the order in which it was recorded.
    record.deeds.sort_by_key(|(at, _)| *at);
    for (at, deed) in &record.deeds {
        match deed {
            Deed::Step(prices_usd) => exchange.stepped(*at, prices_usd),
            Deed::Sent(id) => exchange.note_sent(&record.messages.message(*id)),
            Deed::Batch(index) => {
                let batch = &record.batches[*index];
                exchange.execute(*at, (batch.height, batch.seed), &batch.messages);
            }
        }
    }
}

/// Every table of the trace. `end_ns`: when the run ended.
pub fn tables(mut record: Record, exchange: &Exchange, end_ns: Ns) -> Vec<Table> {
    let mut blocks = Vec::new();
    let mut executions = Vec::new();
    for batch in &record.batches {
        let (_, decided_ns, _) = record.stamps(batch);
        blocks.push(BlockRow {
            round: 0,
            proposer: 0,
            messages: batch.messages.len() as u32,
            size_bytes: batch.bytes,
            proposed_ns: batch.sealed_ns,
            decided_ns,
            hash: batch.hash.0,
        });
        executions.push((decided_ns, decided_ns));
    }
    let messages = std::mem::take(&mut record.messages);
    let rows = Rows {
        messages,
        receipts: Receipts { until: end_ns, ..Receipts::default() },
        blocks: &blocks,
        executions: &[executions],
        market: exchange.rows(),
        ..Rows::default()
    };
    rows.into_tables()
}

/// Counts and constants of the run, as the lab's, as far as they are known.
pub fn stats(
    record: &Record,
    exchange: &Exchange,
    scenario: &Scenario,
    (background, expected, end_ns): (u64, Option<f64>, Ns),
    found: u64,
) -> Value {
    let (tick_usd, lot) = scenario.market.as_ref().map_or((1.0, 1.0), |m| (m.tick_usd, m.lot));
    let (ledger, fits) = exchange.ledger(&record.messages, &[], 0.0);
    let refused = record.messages.outcome.iter().filter(|&&one| one == Outcome::Refused);
    let a = Accounts::new(scenario);
    json!({
        "client_messages": record.messages.len(),
        "refused": refused.count(),
        "expected_background": expected,
        "background": background,
        "tick_usd": tick_usd,
        "lot": lot,
        "quantum_usd": tick_usd * lot,
        "nodes": 1,
        "measured_from_ns": scenario.measured_from_ns(),
        "flow_end_ns": scenario.flow_end_ns(),
        "end_ns": end_ns,
        "money_conserved": exchange.is_conserved(),
        "numbers_fit": fits && exchange.numbers_fit(),
        "uncovered": exchange.uncovered(),
        "collateral": exchange.collateral(),
        "accounts": {
            "leveraged": [0, a.judged()],
            "hedgers": [a.judged(), a.hedgers],
            "background": [a.background_from(), a.background],
            "makers": [a.makers_from(), a.makers],
            "keepers": [a.keepers_from(), a.keepers],
            "attackers": [a.attackers_from(), a.attackers],
        },
        "attack": { "found": found, "withheld": 0, "bonds_usd": 0.0 },
        "ledger": ledger,
    })
}
