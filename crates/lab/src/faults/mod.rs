//! What goes wrong, from when to when. A file for each kind holds all of it: what is asked, what it
//! does, how that is measured, and what is reported.
//!
//! # Rules
//! 1. A fault says what becomes of a packet ([`Fate`]), what it does to a machine ([`Impairment`])
//!    or what it sends. Links, hosts and the world do it; no node knows of it.
//! 2. Faults that are under way together add up: a packet passes all of them in the scenario's
//!    order, a machine bears them all. Each is measured against what the others leave.
//! 3. Each says what its measurement may be ([`Allowed`]): where chance has a part in it, five standard
//!    errors, so that chance alone makes no run invalid; else its own precision.
//! 4. Draws come from a packet's own number, or from a stream of the faults' own, so that a fault
//!    does not shift anybody else's.
//!
//! A new kind is a file here and a line of [`KINDS`]; Python declares its keys
//! (`surgetank.scenario.faults`).

mod asked;
mod crash;
mod delay;
mod keypers;
mod loss;
mod partition;
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
use asked::{Asked, Members, Tally};
pub use whom::Whom;

/// The kinds, by their names in a scenario.
const KINDS: &[(&str, Build)] = &[
    ("partition", partition::build),
    ("crash", crash::build),
    ("slow", slow::build),
    ("loss", loss::build),
    ("delay", delay::build),
    ("keypers", keypers::build),
    ("spam", spam::build),
];

/// Reads what is asked of a fault.
type Build = fn(&Asked<'_>) -> Result<Box<dyn Fault>, String>;

/// One fault of a run. What it does not do, it need not say.
trait Fault: Send + Sync {
    /// What it acts on.
    fn reach(&self) -> Reach;

    /// Whom it concerns, as the scenario says it.
    fn whom(&self) -> &Whom;

    /// What it does to a packet that passes while it lasts.
    fn strike(&mut self, _packet: &Packet, _fate: &mut Fate) {}

    /// What it does to a node's machine while it lasts.
    fn impair(&self, _node: NodeId, _machine: &mut Impairment) {}

    /// It has begun at a node that it names, which holds a share of the blocks' key or does not.
    fn begun_at(&mut self, _node: NodeId, _holds_share: bool) {}

    /// Something has happened on a machine while it lasts; `machine` is what all faults together do
    /// to that machine.
    fn observe(&mut self, _node: NodeId, _seen: &Seen<'_>, _machine: &Impairment) {}

    /// It begins: does it want to act?
    fn begin(&mut self, _stage: &mut Stage<'_>) -> Turn {
        Turn::default()
    }

    /// A time has come that it asked for.
    fn act(&mut self, _stage: &mut Stage<'_>) -> Turn {
        Turn::default()
    }

    /// What was asked, allowed and measured.
    fn report(&self, run: &Ended<'_>) -> Report;

    /// How it can keep messages waiting.
    fn hinders(&self) -> Option<Hindrance> {
        None
    }
}

/// What a fault acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Packets between nodes.
    Links,
    /// What nodes run on.
    Machines,
    /// Gateways, to which it sends.
    Gateways,
}

/// A packet that passes.
struct Packet {
    from: NodeId,
    to: NodeId,
    /// Its own number, for draws.
    number: u64,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// Whether it is lost.
    pub lost: bool,
    /// Time on the link, if it is not.
    pub after_ns: Ns,
}

/// What all faults under way do to a machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Impairment {
    /// How many times as long work takes.
    pub slow: f64,
    /// Whether it is stopped.
    pub down: bool,
    /// How much later its shares of keys are made.
    pub late_ns: Ns,
    /// Whether it sends no shares.
    pub silent: bool,
    /// How many have bought its shares.
    pub bought: i32,
}

impl Impairment {
    const NONE: Impairment =
        Impairment { slow: 1.0, down: false, late_ns: 0, silent: false, bought: 0 };

    /// How its shares of keys come.
    pub fn shares(&self) -> Shares {
        match self.late_ns {
            _ if self.silent => Shares::Never,
            0 => Shares::Prompt,
            extra => Shares::Late(extra),
        }
    }
}

/// What has happened on a machine.
pub enum Seen<'a> {
    /// It has begun work that takes `span_ns`, and by itself `usual_ns` on average.
    Work {
        /// What work.
        task: &'a Task,
        /// How long it takes.
        span_ns: Ns,
        /// How long on average, without faults.
        usual_ns: Ns,
    },
    /// It is to send a share of a block's key.
    ShareDue,
    /// Something came to it while it was stopped.
    Missed,
}

/// What a fault that sends can see and use.
pub struct Stage<'a> {
    now: Ns,
    until_ns: Ns,
    /// Number of the fault.
    index: u32,
    quote: &'a Quote<'a>,
    draws: &'a mut Stream,
}

/// What a fault that sends does now, and when it wants to act again.
#[derive(Default)]
pub struct Turn {
    /// An order, and the gateway to which it goes.
    pub order: Option<(NodeId, NewOrderSingle)>,
    /// When it wants to act again.
    pub again: Option<Ns>,
}

/// Quantity and limit price for a notional in USD, this share of the outside price away from it on
/// the passive side.
pub type Quote<'a> = dyn Fn(f64, Side, f64) -> (Qty, Price) + 'a;

/// A run that has ended, as far as what is allowed depends on it.
pub struct Ended<'a> {
    /// When.
    pub end_ns: Ns,
    /// How long work took without faults.
    pub service: &'a Service,
}

/// How a fault can keep messages waiting; for whoever says what a message waited for.
pub struct Hindrance {
    /// From when on.
    pub begin: Ns,
    /// Until when.
    pub end: Ns,
    /// Whom it concerns.
    pub whom: Whom,
    /// How many times as long work takes.
    pub slows: f64,
    /// How much later packets are: a span, and as many times.
    pub delays: (Ns, f64),
    /// With which probability it loses a packet of its nodes.
    pub chance: f64,
    /// Whether it stops its nodes.
    pub stops: bool,
}

impl Hindrance {
    /// Of these nodes, in no way yet.
    fn of(whom: &Whom) -> Hindrance {
        let (delays, whom) = ((0, 1.0), whom.clone());
        Hindrance { begin: 0, end: 0, whom, slows: 1.0, delays, chance: 0.0, stops: false }
    }
}

/// A fault as it was asked for and as it was measured.
#[derive(Clone, Debug)]
pub struct Report {
    /// What is compared.
    pub quantity: Quantity,
    /// As asked.
    pub asked: f64,
    /// What is allowed.
    pub allowed: Allowed,
    /// As measured; `None` when nothing came by.
    pub measured: Option<f64>,
    /// Out of how many.
    pub samples: u64,
}

/// Standard errors that a measurement may be away from what was asked, where chance has a part in it.
const SIGMAS: f64 = 5.0;

/// Of a time in ms that is added to the nanosecond: rounding, and that of the sums of many.
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
    /// Which of those under way act on links, and which on machines.
    on_links: Vec<usize>,
    on_machines: Vec<usize>,
    machines: Vec<Impairment>,
    draws: Stream,
}

impl Faults {
    /// Reads the scenario's faults.
    ///
    /// # Errors
    /// Names the fault and what is wrong with it, such as a node that is not there.
    pub fn new(faults: &[scenario::Fault], nodes: u32, seed: &Seed) -> Result<Faults, String> {
        let key = seed.key("fault.loss");
        let read = |(index, fault)| {
            let asked = Asked::new(index, fault, nodes, key);
            let &(kind, build) = asked.kind(KINDS)?;
            let (begin, end) = (ns(fault.at_s), ns(fault.at_s + fault.duration_s));
            Ok(Entry { kind, begin, end, active: false, fault: build(&asked)? })
        };
        Ok(Faults {
            entries: faults.iter().enumerate().map(read).collect::<Result<_, String>>()?,
            on_links: Vec::new(),
            on_machines: Vec::new(),
            machines: vec![Impairment::NONE; nodes as usize],
            draws: seed.stream("flow.spam", 0),
        })
    }

    /// When faults begin and end, in order of time; what ends at a time ends before what begins.
    pub fn boundaries(&self) -> Vec<(Ns, u32, bool)> {
        let mut all: Vec<(Ns, u32, bool)> = Vec::new();
        for (entry, index) in self.entries.iter().zip(0..) {
            // Never of no length: it would end before it begins, and last.
            all.push((entry.begin, index, true));
            all.push((entry.end.max(entry.begin + 1), index, false));
        }
        all.sort_by_key(|&(at, index, begins)| (at, begins, index));
        all
    }

    /// A fault begins or ends: the machines that it concerns, and what all faults did to them
    /// before and do now.
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

    /// Whether any fault acts on links now.
    #[inline]
    pub fn on_links(&self) -> bool {
        !self.on_links.is_empty()
    }

    /// What faults under way make of a packet with this delay; `number` is the packet's own.
    pub fn fate(&mut self, from: NodeId, to: NodeId, delay: Ns, number: u64) -> Fate {
        let packet = Packet { from, to, number };
        let mut fate = Fate { lost: false, after_ns: delay };
        for &index in &self.on_links {
            self.entries[index].fault.strike(&packet, &mut fate);
        }
        fate
    }

    /// Whether any fault acts on machines now.
    #[inline]
    pub fn on_machines(&self) -> bool {
        !self.on_machines.is_empty()
    }

    /// A fault has begun at a node that it names, which holds a share of the blocks' key or does
    /// not.
    pub fn begun_at(&mut self, index: u32, node: NodeId, holds_share: bool) {
        self.entries[index as usize].fault.begun_at(node, holds_share);
    }

    /// Something has happened on a machine: faults under way measure what they do.
    pub fn observe(&mut self, node: NodeId, seen: &Seen<'_>) {
        for &index in &self.on_machines {
            self.entries[index].fault.observe(node, seen, &self.machines[node as usize]);
        }
    }

    /// A fault begins, or a time has come that it asked for.
    pub fn act(&mut self, index: u32, begins: bool, now: Ns, quote: &Quote<'_>) -> Turn {
        let entry = &mut self.entries[index as usize];
        let (until_ns, draws) = (entry.end, &mut self.draws);
        let mut stage = Stage { now, until_ns, index, quote, draws };
        if begins { entry.fault.begin(&mut stage) } else { entry.fault.act(&mut stage) }
    }

    /// What was asked of a fault, allowed and measured.
    pub fn report(&self, index: usize, run: &Ended<'_>) -> Report {
        self.entries[index].fault.report(run)
    }

    /// The same of all, as rows of the trace.
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

    /// How they can keep messages waiting, those that can.
    pub fn hindrances(&self) -> Vec<Hindrance> {
        let of = |entry: &Entry| {
            let hindrance = entry.fault.hinders()?;
            Some(Hindrance { begin: entry.begin, end: entry.end, ..hindrance })
        };
        self.entries.iter().filter_map(of).collect()
    }
}
