//! What goes wrong with links, and how much of it was seen to happen.

use surgetank_layer::units::{NodeId, Ns, ns};

use crate::scenario::{Fault, FaultKind};
use crate::seed::{packet_bits, unit};

/// What the network does to one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives after this long.
    Delivered {
        /// Time on the link.
        after_ns: Ns,
    },
    /// It does not.
    Lost,
}

/// A fault as it was asked for and as it was measured.
#[derive(Clone, Debug)]
pub struct FaultReport {
    /// Which kind.
    pub kind: &'static str,
    /// What is compared.
    pub quantity: &'static str,
    /// As asked.
    pub asked: f64,
    /// As measured; `None` when nothing came by.
    pub measured: Option<f64>,
    /// Out of how many.
    pub samples: u64,
}

/// All faults of a run.
pub struct Faults {
    faults: Vec<Fault>,
    active: Vec<bool>,
    /// How many of the active act on links.
    acting: usize,
    /// Group of each node, per fault (partitions) or whether it is concerned (others).
    members: Vec<Vec<u32>>,
    key: u64,
    seen: Vec<Seen>,
}

/// What links saw of one fault: sums over the packets that came by.
#[derive(Clone, Copy, Default)]
struct Seen {
    asked: f64,
    measured: f64,
    packets: u64,
}

impl Seen {
    fn note(&mut self, asked: f64, measured: f64) {
        self.asked += asked;
        self.measured += measured;
        self.packets += 1;
    }

    fn mean(&self, sum: f64) -> Option<f64> {
        (self.packets > 0).then(|| sum / self.packets as f64)
    }
}

impl Faults {
    /// Compiles the scenario's faults.
    ///
    /// # Errors
    /// Names the fault and the node that is not there.
    pub fn new(faults: &[Fault], nodes: u32, key: u64) -> Result<Faults, String> {
        let mut members = Vec::new();
        for (index, fault) in faults.iter().enumerate() {
            let named = |what: &str, list: &[u32]| match list.iter().find(|&&node| node >= nodes) {
                Some(node) => Err(format!(
                    "faults[{index}].{what}: node {node} is not there; the network has {nodes} nodes, \
                     0..{}",
                    nodes - 1
                )),
                None => Ok(()),
            };
            let mut of = vec![0; nodes as usize];
            match &fault.what {
                FaultKind::Partition { groups } => {
                    for (group, list) in groups.iter().enumerate() {
                        named("groups", list)?;
                        for &node in list {
                            let before =
                                std::mem::replace(&mut of[node as usize], group as u32 + 1);
                            if before > 0 && before != group as u32 + 1 {
                                return Err(format!(
                                    "faults[{index}].groups: node {node} is in two groups, {} and \
                                     {group}; leave it in one",
                                    before - 1
                                ));
                            }
                        }
                    }
                }
                FaultKind::Crash { nodes: list }
                | FaultKind::Slow { nodes: list, .. }
                | FaultKind::Loss { nodes: list, .. }
                | FaultKind::Delay { nodes: list, .. }
                | FaultKind::Keypers { nodes: list, .. }
                | FaultKind::Spam { nodes: list, .. } => {
                    named("nodes", list)?;
                    list.iter().for_each(|&node| of[node as usize] = 1);
                    // These name their nodes; for the others, none means all.
                    let named_only = matches!(
                        fault.what,
                        FaultKind::Slow { .. }
                            | FaultKind::Crash { .. }
                            | FaultKind::Keypers { .. }
                    );
                    if list.is_empty() && !named_only {
                        of.fill(1);
                    }
                }
            }
            members.push(of);
        }
        let (faults, count) = (faults.to_vec(), faults.len());
        let (active, seen) = (vec![false; count], vec![Seen::default(); count]);
        Ok(Faults { faults, active, acting: 0, members, key, seen })
    }

    /// When faults begin and end, in order of time; what ends at a time ends before what begins.
    pub fn boundaries(&self) -> Vec<(Ns, usize, bool)> {
        let mut all: Vec<(Ns, usize, bool)> = Vec::new();
        for (index, fault) in self.faults.iter().enumerate() {
            // Never of no length: it would end before it begins, and last.
            let begin = ns(fault.at_s);
            all.push((begin, index, true));
            all.push((ns(fault.at_s + fault.duration_s).max(begin + 1), index, false));
        }
        all.sort_by_key(|&(at, index, begins)| (at, begins, index));
        all
    }

    /// A fault begins or ends.
    pub fn set_active(&mut self, index: usize, active: bool) {
        self.active[index] = active;
        let acts = |(fault, active): (&Fault, &bool)| {
            *active
                && matches!(
                    fault.what,
                    FaultKind::Partition { .. } | FaultKind::Loss { .. } | FaultKind::Delay { .. }
                )
        };
        self.acting = self.faults.iter().zip(&self.active).filter(|pair| acts(*pair)).count();
    }

    /// Whether any fault acts on links now.
    #[inline]
    pub fn any_active(&self) -> bool {
        self.acting > 0
    }

    /// What active faults make of a packet with this delay; `number` is the packet's own.
    pub fn fate(&mut self, from: NodeId, to: NodeId, delay: Ns, number: u64) -> Fate {
        let mut after_ns = delay;
        let mut lost = false;
        for (index, fault) in self.faults.iter().enumerate() {
            if !self.active[index] {
                continue;
            }
            let of = &self.members[index];
            let (a, b) = (of[from as usize], of[to as usize]);
            let seen = &mut self.seen[index];
            match fault.what {
                FaultKind::Partition { .. } if a != b => {
                    lost = true;
                    seen.note(1.0, 1.0);
                }
                FaultKind::Loss { probability, .. } if a.max(b) > 0 => {
                    let key = self.key.wrapping_add(index as u64);
                    let is_lost = unit(packet_bits(key, number)) < probability;
                    seen.note(probability, f64::from(u8::from(is_lost)));
                    lost |= is_lost;
                }
                FaultKind::Delay { extra_ms, factor, .. } if a.max(b) > 0 => {
                    let wanted = after_ns as f64 * factor + extra_ms * 1e6;
                    let more = (wanted.round() as Ns).max(1);
                    let added = more as f64 - after_ns as f64;
                    seen.note((wanted - after_ns as f64) / 1e6, added / 1e6);
                    after_ns = more;
                }
                _ => {}
            }
        }
        if lost { Fate::Lost } else { Fate::Delivered { after_ns } }
    }

    /// How many times as long work takes on a node now.
    pub fn service_factor(&self, node: NodeId) -> f64 {
        let slow = self.current(node).map(|fault| match fault.what {
            FaultKind::Slow { factor, .. } => factor,
            _ => 1.0,
        });
        slow.product()
    }

    /// Whether a node is down now.
    pub fn is_down(&self, node: NodeId) -> bool {
        self.current(node).any(|fault| matches!(fault.what, FaultKind::Crash { .. }))
    }

    /// Active faults that concern a node.
    fn current(&self, node: NodeId) -> impl Iterator<Item = &Fault> {
        let active = self.faults.iter().zip(&self.active).zip(&self.members);
        active
            .filter(move |((_, active), of)| **active && of[node as usize] > 0)
            .map(|((f, _), _)| f)
    }

    /// What links saw of a fault. Faults of nodes and clients are measured where they act.
    pub fn report(&self, index: usize) -> FaultReport {
        let seen = self.seen[index];
        let measured = seen.mean(seen.measured);
        let (kind, quantity, asked) = match self.faults[index].what {
            FaultKind::Partition { .. } => ("partition", "loss share across", 1.0),
            FaultKind::Loss { probability, .. } => ("loss", "loss share", probability),
            // What a factor adds depends on the packets.
            FaultKind::Delay { extra_ms, .. } => {
                ("delay", "added delay ms", seen.mean(seen.asked).unwrap_or(extra_ms))
            }
            FaultKind::Crash { .. } => ("crash", "events handled while down", 0.0),
            FaultKind::Slow { factor, .. } => ("slow", "service factor", factor),
            FaultKind::Keypers { extra_ms, .. } => ("keypers", "added share ms", extra_ms),
            FaultKind::Spam { rate_per_s, .. } => ("spam", "spam per s", rate_per_s),
        };
        FaultReport { kind, quantity, asked, measured, samples: seen.packets }
    }
}
