//! Faults in attribution: their times, and the part of a wait that is due to them.

use surgetank_layer::units::{NodeId, Ns};

use crate::faults::{Hindrance, Whom};

/// All faults of a run that can delay messages.
pub struct FaultSpans(Vec<Hindrance>);

impl FaultSpans {
    /// The faults with these hindrances.
    pub fn new(faults: Vec<Hindrance>) -> FaultSpans {
        FaultSpans(faults)
    }

    fn between(&self, since: Ns, until: Ns) -> impl Iterator<Item = &Hindrance> {
        self.0.iter().filter(move |fault| fault.begin < until && fault.end > since)
    }

    /// Whether a node was down within this time, or partitioned from another.
    pub fn silence(&self, since: Ns, until: Ns, node: NodeId, other: NodeId) -> bool {
        let mut all = self.between(since, until);
        all.any(|fault| fault.stops && fault.whom.names(node) || fault.whom.separates(node, other))
    }

    /// The part of a wait for another node's packet, in ns, that is due to faults of the two nodes:
    /// to their delay of packets and to their losses.
    pub fn lateness(&self, since: Ns, until: Ns, nodes: [NodeId; 2]) -> Ns {
        let span = until - since;
        let named = |fault: &&Hindrance| nodes.iter().any(|&node| fault.whom.names(node));
        let late = self.between(since, until).filter(named).map(|fault| {
            let (extra, factor) = fault.delays;
            extra + (span as f64 * (1.0 - (1.0 - fault.chance) / factor)) as Ns
        });
        late.sum::<Ns>().min(span)
    }

    /// Whether two nodes were partitioned from each other within this time.
    pub fn separate(&self, since: Ns, until: Ns, a: NodeId, b: NodeId) -> bool {
        self.between(since, until).any(|fault| fault.whom.separates(a, b))
    }

    /// Whether a fault that loses packets was active in this time.
    pub fn lose(&self, since: Ns, until: Ns) -> bool {
        self.between(since, until).any(loses)
    }

    /// Number of nodes that were down at some time of the span.
    pub fn stopped(&self, since: Ns, until: Ns) -> usize {
        let stops = self.between(since, until).filter(|fault| fault.stops);
        stops.map(|fault| fault.whom.named().len()).sum()
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
        let slow = slow.filter(|fault| fault.slows > 1.0 && fault.whom.named().contains(&node));
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

/// Whether it drops packets.
fn loses(fault: &Hindrance) -> bool {
    fault.stops || fault.chance > 0.0 || matches!(fault.whom, Whom::Groups(_))
}
