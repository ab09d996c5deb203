//! When faults were under way, and what they do to the time of what they strike.

use surgetank_layer::units::{NodeId, Ns, ns};

use crate::scenario::{Fault, FaultKind};

/// A fault that can hold messages up.
struct Calamity {
    begin: Ns,
    end: Ns,
    /// Whom it strikes; nobody named is everybody.
    nodes: Vec<NodeId>,
    slows: f64,
    /// Whether it loses packets.
    loses: bool,
}

/// All of a run's.
pub struct Calamities(Vec<Calamity>);

impl Calamities {
    /// Those of a scenario.
    pub fn new(faults: &[Fault]) -> Calamities {
        let of = |fault: &Fault| {
            let (nodes, slows, loses) = match &fault.what {
                FaultKind::Slow { factor, .. } if *factor <= 1.0 => return None,
                FaultKind::Slow { nodes, factor } => (nodes.clone(), *factor, false),
                FaultKind::Delay { nodes, .. } => (nodes.clone(), 1.0, false),
                FaultKind::Crash { nodes } | FaultKind::Loss { nodes, .. } => {
                    (nodes.clone(), 1.0, true)
                }
                // Both sides of a cut lack the other.
                FaultKind::Partition { .. } => (Vec::new(), 1.0, true),
                FaultKind::Keypers { .. } | FaultKind::Spam { .. } => return None,
            };
            let end = ns(fault.at_s + fault.duration_s);
            Some(Calamity { begin: ns(fault.at_s), end, nodes, slows, loses })
        };
        Calamities(faults.iter().filter_map(of).collect())
    }

    fn between(&self, since: Ns, until: Ns) -> impl Iterator<Item = &Calamity> {
        self.0.iter().filter(move |fault| fault.begin < until && fault.end > since)
    }

    /// Whether a fault of one of these nodes, or of all, was under way in this time.
    pub fn strike(&self, since: Ns, until: Ns, nodes: &[NodeId]) -> bool {
        self.between(since, until).any(|fault| {
            fault.nodes.is_empty() || nodes.iter().any(|node| fault.nodes.contains(node))
        })
    }

    /// Whether a fault that loses packets was under way in this time.
    pub fn lose(&self, since: Ns, until: Ns) -> bool {
        self.between(since, until).any(|fault| fault.loses)
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
