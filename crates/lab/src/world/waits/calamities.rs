//! When faults were under way, and what they do to the time of what they strike.

use surgetank_layer::units::{NodeId, Ns, ns};

use crate::scenario::{Fault, FaultKind};

/// A fault that can hold agreement up.
struct Calamity {
    begin: Ns,
    end: Ns,
    /// Whom it strikes; nobody named is everybody.
    nodes: Vec<NodeId>,
    slows: f64,
}

/// All of a run's.
pub struct Calamities(Vec<Calamity>);

impl Calamities {
    /// Those of a scenario.
    pub fn new(faults: &[Fault]) -> Calamities {
        let of = |fault: &Fault| {
            let (nodes, slows) = match &fault.what {
                FaultKind::Slow { nodes, factor } => (nodes.clone(), *factor),
                FaultKind::Crash { nodes }
                | FaultKind::Loss { nodes, .. }
                | FaultKind::Delay { nodes, .. } => (nodes.clone(), 1.0),
                // Both sides of a cut lack the other.
                FaultKind::Partition { .. } => (Vec::new(), 1.0),
                FaultKind::Keypers { .. } | FaultKind::Spam { .. } => return None,
            };
            let end = ns(fault.at_s + fault.duration_s);
            Some(Calamity { begin: ns(fault.at_s), end, nodes, slows })
        };
        Calamities(faults.iter().filter_map(of).collect())
    }

    fn between(&self, since: Ns, until: Ns) -> impl Iterator<Item = &Calamity> {
        self.0.iter().filter(move |fault| fault.begin < until && fault.end > since)
    }

    /// Whether a fault was under way in this time: at this node, or at any.
    pub fn strike(&self, since: Ns, until: Ns, node: Option<NodeId>) -> bool {
        self.between(since, until).any(|fault| {
            node.is_none_or(|node| fault.nodes.is_empty() || fault.nodes.contains(&node))
        })
    }

    /// Of a span that a node was at work, or something waited for that work, the part that is
    /// charged to the node's slowness while it worked, from `since` to `until`.
    ///
    /// Work of factor f takes 1 − 1/f of its time because of the fault. That part goes if the fault
    /// goes and if the work goes: half is the fault's (Shapley's value).
    pub fn slowness(&self, node: NodeId, since: Ns, until: Ns, span: Ns) -> Ns {
        if self.0.is_empty() || span == 0 {
            return 0;
        }
        let slow = self.between(since, until.max(since + 1));
        let slow = slow.filter(|fault| fault.slows > 1.0 && fault.nodes.contains(&node));
        let part: f64 = slow
            .map(|fault| {
                let both = fault.end.min(until).saturating_sub(fault.begin.max(since)).max(1);
                let overlap = both as f64 / until.saturating_sub(since).max(1) as f64;
                overlap * (1.0 - 1.0 / fault.slows)
            })
            .sum();
        (span as f64 * part.min(1.0) / 2.0) as Ns
    }
}
