//! Gauges, read from nodes at intervals, and changes of nodes' settings.

use surgetank_layer::node::Change;
use surgetank_layer::units::{NodeId, Ns};

use crate::host::Host;
use crate::network::Links;
use crate::scenario::Scenario;
use crate::trace::{DecisionRow, GaugeRow};

/// Rows of gauges and of changed settings.
pub struct Gauges {
    every_ns: Ns,
    end_ns: Ns,
    rows: Vec<GaugeRow>,
    changes: Vec<DecisionRow>,
}

impl Gauges {
    /// Gauges without rows.
    pub fn new(scenario: &Scenario) -> Gauges {
        Gauges {
            every_ns: scenario.trace.gauge_ns,
            end_ns: scenario.end_ns(),
            rows: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// Rows read so far.
    pub fn rows(&self) -> &[GaugeRow] {
        &self.rows
    }

    /// Changes made by controllers and by adaptive consensus.
    pub fn changes(&self) -> &[DecisionRow] {
        &self.changes
    }

    /// Whether gauges are enabled.
    pub fn is_on(&self) -> bool {
        self.every_ns > 0
    }

    /// Records a change of a node's setting.
    pub fn changed(&mut self, time_ns: Ns, node: NodeId, change: Change) {
        self.changes.push(DecisionRow { time_ns, node, change });
    }

    /// Reads every node; returns the time of the next reading.
    pub fn read(&mut self, now: Ns, nodes: &[Host], links: &Links) -> Option<Ns> {
        for (id, host) in (0 as NodeId..).zip(nodes) {
            let (node, busy) = (&host.node, host.busy_ns(now));
            self.rows.push(GaugeRow {
                time_ns: now,
                node: id,
                ingress_len: node.ingress_len() as u32,
                mempool_len: node.mempool_len() as u32,
                execution_len: node.execution_len() as u32,
                uplink_backlog_ns: links.uplink_backlog(id, now),
                uplink_busy_ns: links.uplink_busy(id, now),
                downlink_busy_ns: links.downlink_busy(id, now),
                validation_busy_ns: busy.validation,
                consensus_busy_ns: busy.verification,
                execution_busy_ns: busy.execution,
                height: node.executed_height() as u32,
                up: u8::from(host.is_up()),
            });
        }
        Some(now + self.every_ns).filter(|&next| next < self.end_ns)
    }
}
