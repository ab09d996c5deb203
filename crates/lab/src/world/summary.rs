//! The summary of a run: tables and counts, assembled from the records of its parts.

use serde_json::{Value, json};
use surgetank_layer::node::FairTally;

use super::World;
use crate::exchange::Exchange;
use crate::faults::Ended;
use crate::host::Host;
use crate::lane::Lane;
use crate::trace::{LaneRow, Outcome, Receipts, Rows, Table};

impl World {
    /// Every table of the trace, in a fixed order.
    pub fn into_tables(mut self) -> Vec<Table> {
        let (messages, arrivals) = (self.clients.take_messages(), self.wire.take_arrivals());
        let ended = Ended {
            end_ns: self.now,
            service: self.nodes[0].service(),
            has_leaders: self.nodes[0].node.engine().leads().is_some(),
        };
        let rows = Rows {
            messages,
            waits: self.waits.as_ref().map_or(&[], |waits| &waits.rows),
            wait_places: self.waits.as_ref().map_or_else(Vec::new, |waits| waits.places()),
            receipts: Receipts {
                arrivals,
                nodes: self.nodes.len(),
                every: self.scenario.trace.receipts_every,
                until: self.now,
            },
            blocks: self.chain.rows(),
            executions: self.chain.executions(),
            gauges: self.gauges.rows(),
            market: self.exchange.as_ref().map_or(&[], |exchange| exchange.rows()),
            faults: self.wire.links.faults.rows(&ended),
            decisions: self.gauges.changes(),
        };
        rows.into_tables()
    }

    /// The journal of the blocks that were executed so far.
    pub fn journal(&self) -> Vec<u8> {
        let message = |id| self.clients.messages().message(self.wire.slot(id));
        self.chain.journal(message)
    }

    /// Counts and constants of the run, as a JSON object.
    pub fn stats(&self) -> Value {
        let scenario = &self.scenario;
        let counts = self.wire.links.counts;
        let market = scenario.market.as_ref();
        let messages = self.clients.messages();
        let refused = messages.outcome.iter().filter(|&&outcome| outcome == Outcome::Refused);
        let tick_usd = market.map_or(1.0, |m| m.tick_usd);
        let lot = market.map_or(1.0, |m| m.lot);
        let flow_until = self.now.min(scenario.flow_end_ns());
        let (ledger, numbers_fit) = self.ledger();
        let uncovered = self.exchange.as_ref().map_or_else(Vec::new, Exchange::uncovered);
        json!({
            "events": self.events,
            "transmissions": counts.transmissions,
            "first_arrivals": self.wire.first_arrivals(),
            "duplicates": self.wire.duplicates(),
            "lost_packets": counts.lost,
            "dropped_outbound": counts.dropped_outbound,
            "bytes": counts.bytes,
            "client_messages": messages.len(),
            "consensus_messages": self.wire.consensus_messages(),
            "refused": refused.count(),
            "expected_background": if scenario.flow.replay_messages { Value::Null } else {
                json!(self.actors.background.expected(flow_until))
            },
            "background": self.actors.background.sent(),
            "tick_usd": tick_usd,
            "lot": lot,
            "quantum_usd": tick_usd * lot,
            "nodes": self.nodes.len(),
            "measured_from_ns": scenario.measured_from_ns(),
            "flow_end_ns": scenario.flow_end_ns(),
            "end_ns": self.now,
            "consensus_lines": self.consensus_lines(),
            "equivocations": self.chain.equivocations(),
            "money_conserved": self.exchange.as_ref().is_none_or(Exchange::is_conserved),
            "numbers_fit": numbers_fit,
            "safety": self.chain.is_safe(),
            "uncovered": uncovered,
            "collateral": self.exchange.as_ref().map_or(&[][..], Exchange::collateral),
            "node_regions": scenario.network.region_names(),
            "accounts": self.account_ranges(),
            "attack": self.attack(),
            "ledger": ledger,
            "makers_broke": self.actors.makers.broke(),
            "lane": self.lane_rounds(),
            "fair": self.fair_order(),
        })
    }

    /// Ranges of accounts by owner: (first, number).
    fn account_ranges(&self) -> Value {
        let a = self.actors.accounts;
        json!({
            "leveraged": [0, a.judged()],
            "hedgers": [a.judged(), a.hedgers],
            "background": [a.background_from(), a.background],
            "makers": [a.makers_from(), a.makers],
            "keepers": [a.keepers_from(), a.keepers],
            "attackers": [a.attackers_from(), a.attackers],
        })
    }

    /// The attacker's finds, and its payments apart from fees.
    fn attack(&self) -> Value {
        json!({
            "found": self.adversary.found(),
            "withheld": self.adversary.withheld(),
            "bonds_usd": self.bonds_usd(),
        })
    }

    /// Gains and losses by group, and whether all prices and amounts fit the trace.
    fn ledger(&self) -> (Value, bool) {
        let Some(exchange) = &self.exchange else { return (json!([]), true) };
        let rounds = self.lane.as_ref().map_or(&[][..], Lane::rows);
        let (ledger, fits) = exchange.ledger(self.clients.messages(), rounds, self.bonds_usd());
        (ledger, fits && exchange.numbers_fit())
    }

    /// Bonds that the attacker forfeited for withheld reveals, in USD.
    pub(super) fn bonds_usd(&self) -> f64 {
        self.adversary.withheld() as f64 * self.scenario.layer.queue.bond_usd
    }

    /// Counters of the fair order; null without one.
    fn fair_order(&self) -> Value {
        let tallies: Vec<FairTally> =
            self.nodes.iter().filter_map(|host| host.node.fair_tally()).collect();
        let Some(leader) = self.clients.leader().and_then(|leader| tallies.get(leader as usize))
        else {
            return Value::Null;
        };
        let sum = |of: fn(&FairTally) -> u64| tallies.iter().map(of).sum::<u64>();
        json!({
            "rounds": leader.rounds,
            "failed": leader.failed,
            "ordered": leader.ordered,
            "cycles": leader.cycles,
            "in_cycles": leader.in_cycles,
            "largest_cycle": leader.largest,
            "forced_pairs": leader.forced_pairs,
            "deferred": leader.deferred,
            "overdue": leader.overdue,
            "dropped": leader.dropped,
            "passed_over": leader.passed_over,
            "reports": sum(|tally| tally.reports),
            "report_bytes": sum(|tally| tally.report_bytes),
            "answers": leader.answers,
            "unsigned": leader.unsigned,
            "rewritten": leader.rewritten,
            "order_breaks": sum(|tally| tally.breaks),
            "forged_grounds": sum(|tally| tally.forged),
        })
    }

    /// The rounds of the express lane that were sold.
    fn lane_rounds(&self) -> Value {
        let rows = self.lane.as_ref().map_or(&[][..], Lane::rows);
        let row = |row: &LaneRow| json!([row.round, row.controller, row.price_micros]);
        json!(rows.iter().map(row).collect::<Vec<_>>())
    }

    /// Counters of the engines, over all nodes: of Tendermint, how often each line of Algorithm 1
    /// fired.
    fn consensus_lines(&self) -> Value {
        let mut lines = std::collections::BTreeMap::new();
        for (line, times) in self.nodes.iter().flat_map(Host::counters) {
            *lines.entry(line).or_insert(0u64) += times;
        }
        json!(lines)
    }
}
