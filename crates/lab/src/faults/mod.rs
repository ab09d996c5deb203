//! Faults. One file per kind has its keys, its effect, its measurement and its report.
//!
//! # Rules
//! 1. A fault decides the fate of a packet ([`Fate`]), the impairment of a host ([`Impairment`]) or
//!    the messages to send. Links, hosts and the world apply it; no node is aware of it.
//! 2. Simultaneous faults combine: a packet passes all of them in the scenario's order, and a host
//!    has all their impairments. Each is measured net of the others.
//! 3. Each states the allowed range of its measurement ([`Allowed`]): five standard errors for a
//!    random quantity, so that chance alone makes no run invalid; else its own precision.
//! 4. Draws come from a packet's own number, or from the faults' own stream, so that a fault does
//!    not shift the draws of other parts.
//!
//! A new kind is a file here and a line of [`KINDS`]; Python declares its keys
//! (`surgetank.scenario.faults`).

mod crash;
mod delay;
mod keypers;
mod leader_delay;
mod leader_partition;
mod loss;
mod partition;
mod request;
mod slow;
mod spam;
mod whom;

use surgetank_layer::message::{NewOrderSingle, Side};
use surgetank_layer::node::Task;
use surgetank_layer::units::{NodeId, Ns, Price, Qty, ns};

use crate::host::{Service, Shares};
use crate::scenario;
use crate::seed::{Seed, Stream};
use crate::trace::{Allowed, FaultRow, Quantity};
use request::{FaultRequest, Members, Tally};
pub use whom::Whom;

/// The kinds of fault, by their names in a scenario.
const KINDS: &[(&str, Build)] = &[
    ("partition", partition::build),
    ("crash", crash::build),
    ("slow", slow::build),
    ("loss", loss::build),
    ("delay", delay::build),
    ("leader-delay", leader_delay::build),
    ("leader-partition", leader_partition::build),
    ("keypers", keypers::build),
    ("spam", spam::build),
];

/// Builds a fault of one kind from the scenario's entry.
type Build = fn(&FaultRequest<'_>) -> Result<Box<dyn Fault>, String>;

/// One fault of a run. The defaults do nothing.
trait Fault: Send + Sync {
    /// The part of the system on which it acts.
    fn reach(&self) -> Reach;

    /// Nodes affected, as the scenario names them.
    fn whom(&self) -> &Whom;

    /// Whether it acts on packets of the nodes that lead.
    fn follows_leaders(&self) -> bool {
        false
    }

    /// Changes the fate of a packet that is sent while it is active.
    fn strike(&mut self, _packet: &Packet, _fate: &mut Fate) {}

    /// Changes the impairment of a node's host while it is active.
    fn impair(&self, _node: NodeId, _machine: &mut Impairment) {}

    /// It has begun at a listed node; `holds_share` says whether the node holds a share of the
    /// blocks' key.
    fn begun_at(&mut self, _node: NodeId, _holds_share: bool) {}

    /// An event occurred on a host while it is active; `machine` is the combined impairment of that
    /// host.
    fn observe(&mut self, _node: NodeId, _seen: &Seen<'_>, _machine: &Impairment) {}

    /// It begins; returns its first action.
    fn begin(&mut self, _stage: &mut Stage<'_>) -> Turn {
        Turn::default()
    }

    /// A time that it requested was reached; returns its next action.
    fn act(&mut self, _stage: &mut Stage<'_>) -> Turn {
        Turn::default()
    }

    /// Requested, allowed and measured value.
    fn report(&self, run: &Ended<'_>) -> Report;

    /// How it can delay messages, for attribution; `None` if it cannot.
    fn hinders(&self) -> Option<Hindrance> {
        None
    }
}

/// The part of the system on which a fault acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Packets between nodes.
    Links,
    /// Hosts of nodes.
    Machines,
    /// Gateways, to which it sends messages.
    Gateways,
}

/// A packet at its sending.
struct Packet {
    from: NodeId,
    to: NodeId,
    /// Number of the packet, for draws.
    number: u64,
    /// Whether one of the two leads, as it sees it itself.
    leader: bool,
}

/// Fate of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// Whether it is lost.
    pub lost: bool,
    /// Delay on the link, in ns, if it is not lost.
    pub after_ns: Ns,
}

/// Combined effect of the active faults on a host.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Impairment {
    /// Factor on service times.
    pub slow: f64,
    /// Whether the host is stopped.
    pub down: bool,
    /// Added delay of its key shares, in ns.
    pub late_ns: Ns,
    /// Whether it withholds its key shares.
    pub silent: bool,
    /// Number of active faults by which it colludes with the attacker.
    pub bought: i32,
}

impl Impairment {
    const NONE: Impairment =
        Impairment { slow: 1.0, down: false, late_ns: 0, silent: false, bought: 0 };

    /// Conduct of its keyper.
    pub fn shares(&self) -> Shares {
        match self.late_ns {
            _ if self.silent => Shares::Never,
            0 => Shares::Prompt,
            extra => Shares::Late(extra),
        }
    }
}

/// An event on a host, as a fault observes it.
pub enum Seen<'a> {
    /// Work began that takes `span_ns`, and without faults `usual_ns` on average.
    Work {
        /// The work.
        task: &'a Task,
        /// Service time, in ns.
        span_ns: Ns,
        /// Mean service time without faults, in ns.
        usual_ns: Ns,
    },
    /// A share of a block's key is due.
    ShareDue,
    /// An event reached the host while it was stopped.
    Missed,
}

/// Context of a fault that sends messages.
pub struct Stage<'a> {
    now: Ns,
    until_ns: Ns,
    /// Number of the fault.
    index: u32,
    quote: &'a Quote<'a>,
    draws: &'a mut Stream,
}

/// Action of a fault that sends messages, and the time of its next one.
#[derive(Default)]
pub struct Turn {
    /// Order to send, and its gateway.
    pub order: Option<(NodeId, NewOrderSingle)>,
    /// Time of the next action; `None` if there is none.
    pub again: Option<Ns>,
}

/// Quantity and limit price for a notional in USD, this share of the outside price away from it on
/// the passive side.
pub type Quote<'a> = dyn Fn(f64, Side, f64) -> (Qty, Price) + 'a;

/// Facts of a finished run on which allowed ranges depend.
pub struct Ended<'a> {
    /// Time at which the run ended.
    pub end_ns: Ns,
    /// Service times without faults.
    pub service: &'a Service,
    /// Whether the ordering engine has leaders whom its nodes know.
    pub has_leaders: bool,
}

/// How a fault can delay messages, for the attribution of waits.
pub struct Hindrance {
    /// Time at which it begins.
    pub begin: Ns,
    /// Time at which it ends.
    pub end: Ns,
    /// Nodes affected.
    pub whom: Whom,
    /// Factor on service times.
    pub slows: f64,
    /// Effect on packet delays: added time in ns, and factor.
    pub delays: (Ns, f64),
    /// Probability with which it loses a packet of its nodes.
    pub chance: f64,
    /// Whether it stops the hosts of its nodes.
    pub stops: bool,
}

impl Hindrance {
    /// A hindrance of these nodes without effect.
    fn of(whom: &Whom) -> Hindrance {
        let (delays, whom) = ((0, 1.0), whom.clone());
        Hindrance { begin: 0, end: 0, whom, slows: 1.0, delays, chance: 0.0, stops: false }
    }
}

/// A fault as requested and as measured.
#[derive(Clone, Debug)]
pub struct Report {
    /// Quantity that is compared.
    pub quantity: Quantity,
    /// Requested value, in the unit of the quantity.
    pub asked: f64,
    /// Allowed range of the measured value.
    pub allowed: Allowed,
    /// Measured value; `None` without samples.
    pub measured: Option<f64>,
    /// Number of samples.
    pub samples: u64,
}

/// Allowed distance of a random measurement from the request, in standard errors.
const SIGMAS: f64 = 5.0;

/// Allowed range of an added time in ms that is exact to the nanosecond: rounding of it and of
/// sums.
fn to_the_nanosecond(asked_ms: f64) -> Allowed {
    Allowed::within(asked_ms, 1e-6 + 1e-9 * asked_ms.abs())
}

struct Entry {
    kind: &'static str,
    begin: Ns,
    end: Ns,
    active: bool,
    fault: Box<dyn Fault>,
}

/// All faults of a run.
pub struct Faults {
    entries: Vec<Entry>,
    /// Active faults that act on links, and those that act on hosts.
    on_links: Vec<usize>,
    on_machines: Vec<usize>,
    machines: Vec<Impairment>,
    /// Which nodes lead; empty if no fault asks for it.
    leaders: Vec<bool>,
    draws: Stream,
}

impl Faults {
    /// Reads the scenario's faults.
    ///
    /// # Errors
    /// Names the fault and the key that is not one of its kind.
    pub fn new(faults: &[scenario::Fault], nodes: u32, seed: &Seed) -> Result<Faults, String> {
        let key = seed.key("fault.loss");
        let read = |(index, fault)| {
            let asked = FaultRequest::new(index, fault, nodes, key);
            let &(kind, build) = asked.kind(KINDS)?;
            let (begin, end) = (ns(fault.at_s), ns(fault.at_s + fault.duration_s));
            Ok(Entry { kind, begin, end, active: false, fault: build(&asked)? })
        };
        let entries: Result<Vec<Entry>, String> = faults.iter().enumerate().map(read).collect();
        let entries = entries?;
        let follows = entries.iter().any(|entry| entry.fault.follows_leaders());
        Ok(Faults {
            entries,
            leaders: vec![false; if follows { nodes as usize } else { 0 }],
            on_links: Vec::new(),
            on_machines: Vec::new(),
            machines: vec![Impairment::NONE; nodes as usize],
            draws: seed.stream("flow.spam", 0),
        })
    }

    /// Times at which faults begin and end, in order; at one time, ends come before beginnings.
    pub fn boundaries(&self) -> Vec<(Ns, u32, bool)> {
        let mut all: Vec<(Ns, u32, bool)> = Vec::new();
        for (entry, index) in self.entries.iter().zip(0..) {
            assert!(entry.begin < entry.end, "Python refuses a fault that is shorter than 1 µs");
            all.push((entry.begin, index, true));
            all.push((entry.end, index, false));
        }
        all.sort_by_key(|&(at, index, begins)| (at, begins, index));
        all
    }

    /// Activates or deactivates a fault; returns the affected hosts with their impairment before
    /// and after.
    pub fn switch(&mut self, index: u32, active: bool) -> Vec<(NodeId, [Impairment; 2])> {
        self.entries[index as usize].active = active;
        let of = |reach: Reach| {
            let active = self.entries.iter().enumerate();
            let active = active.filter(|(_, e)| e.active && e.fault.reach() == reach);
            active.map(|(index, _)| index).collect()
        };
        (self.on_links, self.on_machines) = (of(Reach::Links), of(Reach::Machines));
        let fault = &self.entries[index as usize].fault;
        if fault.reach() != Reach::Machines {
            return Vec::new();
        }
        let named = fault.whom().named().to_vec();
        let change = |node: NodeId| {
            let mut now = Impairment::NONE;
            for &index in &self.on_machines {
                self.entries[index].fault.impair(node, &mut now);
            }
            (node, [std::mem::replace(&mut self.machines[node as usize], now), now])
        };
        named.into_iter().map(change).collect()
    }

    /// Whether any active fault acts on links.
    #[inline]
    pub fn on_links(&self) -> bool {
        !self.on_links.is_empty()
    }

    /// Fate of a packet with this delay under the active faults; `number` is the packet's.
    pub fn fate(&mut self, from: NodeId, to: NodeId, delay: Ns, number: u64) -> Fate {
        let leads = |node: NodeId| self.leaders.get(node as usize).is_some_and(|&leads| leads);
        let packet = Packet { from, to, number, leader: leads(from) || leads(to) };
        let mut fate = Fate { lost: false, after_ns: delay };
        for &index in &self.on_links {
            self.entries[index].fault.strike(&packet, &mut fate);
        }
        fate
    }

    /// Whether any fault asks which nodes lead.
    #[inline]
    pub fn follow_leaders(&self) -> bool {
        !self.leaders.is_empty()
    }

    /// A node leads, or does no longer.
    pub fn leads(&mut self, node: NodeId, leads: bool) {
        self.leaders[node as usize] = leads;
    }

    /// Whether any active fault acts on hosts.
    #[inline]
    pub fn on_machines(&self) -> bool {
        !self.on_machines.is_empty()
    }

    /// A fault has begun at a listed node; `holds_share` says whether the node holds a share of the
    /// blocks' key.
    pub fn begun_at(&mut self, index: u32, node: NodeId, holds_share: bool) {
        self.entries[index as usize].fault.begun_at(node, holds_share);
    }

    /// Passes an event on a host to the active faults, which measure their effect.
    pub fn observe(&mut self, node: NodeId, seen: &Seen<'_>) {
        for &index in &self.on_machines {
            self.entries[index].fault.observe(node, seen, &self.machines[node as usize]);
        }
    }

    /// A fault begins, or a time that it requested was reached.
    pub fn act(&mut self, index: u32, begins: bool, now: Ns, quote: &Quote<'_>) -> Turn {
        let entry = &mut self.entries[index as usize];
        let (until_ns, draws) = (entry.end, &mut self.draws);
        let mut stage = Stage { now, until_ns, index, quote, draws };
        if begins { entry.fault.begin(&mut stage) } else { entry.fault.act(&mut stage) }
    }

    /// Requested, allowed and measured value of a fault.
    pub fn report(&self, index: usize, run: &Ended<'_>) -> Report {
        self.entries[index].fault.report(run)
    }

    /// The same of all faults, as rows of the trace.
    pub fn rows(&self, run: &Ended<'_>) -> Vec<FaultRow> {
        let row = |entry: &Entry| {
            let report = entry.fault.report(run);
            FaultRow {
                kind: entry.kind,
                at_ns: entry.begin,
                until_ns: entry.end,
                nodes: entry.fault.whom().to_string(),
                quantity: report.quantity,
                asked: report.asked,
                allowed: report.allowed,
                measured: report.measured,
                samples: report.samples,
            }
        };
        self.entries.iter().map(row).collect()
    }

    /// Hindrances of the faults that can delay messages.
    pub fn hindrances(&self) -> Vec<Hindrance> {
        let of = |entry: &Entry| {
            let hindrance = entry.fault.hinders()?;
            Some(Hindrance { begin: entry.begin, end: entry.end, ..hindrance })
        };
        self.entries.iter().filter_map(of).collect()
    }
}
