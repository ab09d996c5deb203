//! When faults were under way, and what they do to the time of what they strike.

use surgetank_layer::units::{NodeId, Ns, ns};

use crate::scenario::{Fault, FaultKind, ms};

/// A fault that can hold messages up.
struct Calamity {
    begin: Ns,
    end: Ns,
    /// Whom it strikes; nobody named is everybody, unless it is a cut.
    nodes: Vec<NodeId>,
    /// Who is cut off from whom; nodes in none are together.
    groups: Vec<Vec<NodeId>>,
    slows: f64,
    /// How much later packets are: a span, and as many times.
    delays: (Ns, f64),
    /// With which probability it loses a packet of its nodes.
    chance: f64,
    /// Whether it stops its nodes.
    stops: bool,
}

impl Calamity {
    fn names(&self, node: NodeId) -> bool {
        self.nodes.contains(&node) || self.nodes.is_empty() && self.groups.is_empty()
    }

    fn loses(&self) -> bool {
        self.stops || self.chance > 0.0 || !self.groups.is_empty()
    }

    fn separates(&self, a: NodeId, b: NodeId) -> bool {
        let group = |node| self.groups.iter().position(|group| group.contains(&node));
        group(a) != group(b)
    }
}

/// All of a run's.
pub struct Calamities(Vec<Calamity>);

impl Calamities {
    /// Those of a scenario.
    pub fn new(faults: &[Fault]) -> Calamities {
        let of = |fault: &Fault| {
            let (mut groups, mut slows, mut delays) = (Vec::new(), 1.0, (0, 1.0));
            let mut chance = 0.0;
            let nodes = match &fault.what {
                // What changes nothing is no calamity.
                FaultKind::Slow { factor, .. } if *factor <= 1.0 => return None,
                FaultKind::Loss { probability, .. } if *probability <= 0.0 => return None,
                FaultKind::Slow { nodes, factor } => {
                    slows = *factor;
                    nodes.clone()
                }
                FaultKind::Delay { nodes, extra_ms, factor } => {
                    delays = (ms(*extra_ms), factor.max(1.0));
                    nodes.clone()
                }
                FaultKind::Crash { nodes } => nodes.clone(),
                FaultKind::Loss { nodes, probability } => {
                    chance = *probability;
                    nodes.clone()
                }
                FaultKind::Partition { groups: cut } => {
                    groups.clone_from(cut);
                    Vec::new()
                }
                FaultKind::Keypers { .. } | FaultKind::Spam { .. } => return None,
            };
            let (begin, end) = (ns(fault.at_s), ns(fault.at_s + fault.duration_s));
            let stops = matches!(fault.what, FaultKind::Crash { .. });
            Some(Calamity { begin, end, nodes, groups, slows, delays, chance, stops })
        };
        Calamities(faults.iter().filter_map(of).collect())
    }

    fn between(&self, since: Ns, until: Ns) -> impl Iterator<Item = &Calamity> {
        self.0.iter().filter(move |fault| fault.begin < until && fault.end > since)
    }

    /// Whether a node was stopped within this time, or cut off from another.
    pub fn silence(&self, since: Ns, until: Ns, node: NodeId, other: NodeId) -> bool {
        let mut all = self.between(since, until);
        all.any(|fault| fault.stops && fault.names(node) || fault.separates(node, other))
    }

    /// Of a span in which a node waited for another's packet, how much faults of these two made of
    /// it: by how much they delay packets, and how often they lose them.
    pub fn lateness(&self, since: Ns, until: Ns, nodes: [NodeId; 2]) -> Ns {
        let span = until - since;
        let named = |fault: &&Calamity| nodes.iter().any(|&node| fault.names(node));
        let late = self.between(since, until).filter(named).map(|fault| {
            let (extra, factor) = fault.delays;
            extra + (span as f64 * (1.0 - (1.0 - fault.chance) / factor)) as Ns
        });
        late.sum::<Ns>().min(span)
    }

    /// Whether two nodes were cut off from each other within this time.
    pub fn separate(&self, since: Ns, until: Ns, a: NodeId, b: NodeId) -> bool {
        self.between(since, until).any(|fault| fault.separates(a, b))
    }

    /// Whether a fault that loses packets was under way in this time.
    pub fn lose(&self, since: Ns, until: Ns) -> bool {
        self.between(since, until).any(Calamity::loses)
    }

    /// How many nodes were stopped at some time of these.
    pub fn stopped(&self, since: Ns, until: Ns) -> usize {
        let stops = self.between(since, until).filter(|fault| fault.stops);
        stops.map(|fault| fault.nodes.len()).sum()
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
