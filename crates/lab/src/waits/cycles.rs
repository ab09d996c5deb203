//! Attribution of the time between two blocks, and of messages that wait for a block.
//!
//! # Rules
//! 1. A cycle is the time from one block's proposal to the next's. It is charged along the way that
//!    led from the one to the other.
//! 2. A message that becomes ready within a cycle waits for what is left of it. That is charged in
//!    the proportions of the whole cycle: which part of it a message happens to meet is chance.
//! 3. A cycle is crowded for a class if the block at its begin left messages of that class out. Of
//!    what a crowded cycle takes whatever its block holds, half is charged to block space.
//! 4. A crowded cycle is charged in the proportions of all cycles since the spell of crowded ones
//!    began, for they all made the backlog that it finds.
//! 5. What passes on a message's way before it is ready, while cycles are crowded, is charged like
//!    waiting for a block: had the message been ready earlier, another would have been left out.
//! 6. A cycle whose proposer did not have the message because of a fault is the fault's, but no longer
//!    than the fault can have kept it waiting.
//!
//! # Theory of operation
//! Rule 2: a message at a random moment waits half a cycle in the mean, and each part of the cycle
//! that is taken away takes half of itself away. Charging the part that comes last (the commit
//! timer, mostly) would charge it nearly twice what taking it away is worth.
//!
//! Rule 3: the wait is cycles × length. It ends if either goes: blocks without bound (no cycle to
//! wait) or cycles without length. Shapley's value gives each of the two factors half. Work that
//! grows with the block (execution, bandwidth) remains when blocks are larger, and is charged whole;
//! so is what a fault takes, which is no cycle's own.
//!
//! Rule 4: in a busy period, a nanosecond taken from any service moves all later departures by one
//! (infinitesimal perturbation analysis).
//!
//! # Source
//! L. S. Shapley, "A value for n-person games" (1953), for the halves; Y. C. Ho, X. R. Cao,
//! "Perturbation Analysis of Discrete Event Dynamic Systems" (1991), for the spell.

use surgetank_layer::message::Class;
use surgetank_layer::units::{Height, NodeId, Ns};

use super::places::{Part, Places, Used};
use super::segments::Charged;
use crate::trace::{Charges, Place, Resource};

/// Classes of clients' messages.
pub const CLASSES: usize = 8;

/// Classes of messages that a block left out: bits `1 << class`.
pub type LeftOut = u8;

/// Between the proposals of two blocks.
#[derive(Clone, Debug)]
struct Cycle {
    begin: Ns,
    /// Time from which the path to the proposal is known; later than the begin if no message waited
    /// then.
    known_from: Ns,
    /// Time of the proposal.
    end: Ns,
    proposer: NodeId,
    charges: Charges,
    /// The charges of the cycle, part by part.
    parts: Vec<Part>,
    /// The charges of all cycles since the spell of crowded ones began.
    spell: Charges,
    /// For which classes it is crowded.
    crowded: LeftOut,
    /// Which classes the block at its end leaves out.
    left_out: LeftOut,
}

/// Facts of a block's proposal.
#[derive(Clone, Copy, Debug)]
pub struct Proposal {
    /// Time of the proposal.
    pub at: Ns,
    /// Node that proposed it.
    pub proposer: NodeId,
    /// Classes of messages that it left out.
    pub left_out: LeftOut,
}

/// Upper bound on the time for which a fault delayed a message that a proposer lacked at a given
/// time.
pub type Missed<'a> = dyn Fn(Ns, NodeId) -> Option<Ns> + 'a;

/// All cycles of a run, by height.
#[derive(Debug)]
pub struct Cycles {
    cycles: Vec<Cycle>,
    /// Charges of all cycles up to each, by class.
    up_to: Vec<[Charges; CLASSES]>,
    /// Whether any cycle was crowded.
    any_crowded: bool,
    /// Waiting before anything leads to a block is waiting for this.
    idle: Resource,
}

impl Cycles {
    /// Cycles of a run before its first block.
    pub fn new(idle: Resource) -> Cycles {
        Cycles { cycles: Vec::new(), up_to: Vec::new(), any_crowded: false, idle }
    }

    /// When the last block was proposed; 0 before the first.
    pub fn last(&self) -> Ns {
        self.cycles.last().map_or(0, |cycle| cycle.end)
    }

    /// When the block of a height was proposed.
    pub fn end(&self, height: Height) -> Ns {
        self.cycles[height as usize - 1].end
    }

    /// Adds the cycle that ends with this proposal; `charged` is the path from the previous block
    /// to it.
    pub fn add(&mut self, proposal: Proposal, charged: Charged) {
        let Charged { mut charges, mut parts, .. } = charged;
        let Proposal { at: end, proposer, left_out } = proposal;
        // The block before executes while this one waits: others' work.
        charges.shift(Resource::ExecutionOwn, Resource::ExecutionOthers);
        for part in parts.iter_mut().filter(|part| part.resource == Resource::ExecutionOwn) {
            part.resource = Resource::ExecutionOthers;
        }
        let (begin, known_from) = (self.last(), end - charges.sum());
        let before = self.cycles.last();
        let crowded = before.map_or(0, |before| before.left_out);
        // The first crowded cycle finds what came in the one before it.
        let mut spell = before.filter(|_| crowded > 0).map_or(Charges::default(), |c| c.spell);
        spell.join(&charges);
        self.any_crowded |= crowded > 0;
        let cycle =
            Cycle { begin, known_from, end, proposer, charges, parts, spell, crowded, left_out };
        let mut up_to = self.up_to.last().copied().unwrap_or_default();
        for (class, sum) in up_to.iter_mut().enumerate() {
            sum.join(&self.part(&cycle, begin, end, class as u8));
        }
        self.cycles.push(cycle);
        self.up_to.push(up_to);
    }

    /// The charges, with places, of waiting from `since` for the block of this height. For the
    /// proposer of an earlier block, `missed` gives an upper bound on the delay by a fault of a
    /// message that this proposer lacked.
    pub fn wait(
        &self,
        since: Ns,
        height: Height,
        class: Class,
        missed: Option<&Missed<'_>>,
        mut places: Option<&mut Places>,
    ) -> Charges {
        let (last, class) = (height as usize - 1, class as u8);
        let first = self.cycles[..last].partition_point(|cycle| cycle.end < since);
        let end = self.cycles[first].end;
        let mut charges = self.noted(first, since, end, class, places.as_deref_mut());
        let Some(missed) = missed else {
            let earlier = &self.up_to[first][class as usize];
            charges.join(&self.up_to[last][class as usize].since(earlier));
            if let Some(places) = places {
                places.uses_whole(class, first + 1..last + 1);
            }
            return charges;
        };
        for index in first + 1..=last {
            let (before, cycle) = (&self.cycles[index - 1], &self.cycles[index]);
            let fault = missed(before.end, before.proposer).unwrap_or(0);
            let fault = fault.min(cycle.end - cycle.begin);
            let from = cycle.begin + fault;
            charges.add(Resource::Faults, fault);
            charges.join(&self.noted(index, from, cycle.end, class, places.as_deref_mut()));
            if let Some(places) = &mut places {
                places.add(class, Resource::Faults, Place::at(before.proposer), fault as f64);
            }
        }
        charges
    }

    /// Of the time from `since` to `until`, what passed in cycles crowded for the class, charged
    /// like waiting for a block.
    pub fn crowd(
        &self,
        since: Ns,
        until: Ns,
        class: Class,
        mut places: Option<&mut Places>,
    ) -> Charges {
        let (mut charges, class) = (Charges::default(), class as u8);
        if !self.any_crowded || since >= until {
            return charges;
        }
        let first = self.cycles.partition_point(|cycle| cycle.end <= since);
        let within = (first..).zip(&self.cycles[first..]);
        let within = within.take_while(|(_, cycle)| cycle.begin < until);
        for (index, cycle) in within.filter(|(_, cycle)| cycle.is_crowded(class)) {
            let (from, to) = (cycle.begin.max(since), cycle.end.min(until));
            charges.join(&self.noted(index, from, to, class, places.as_deref_mut()));
        }
        charges
    }

    /// A part of a cycle, in the cycle's proportions, noted in places.
    fn noted(
        &self,
        index: usize,
        since: Ns,
        until: Ns,
        class: u8,
        places: Option<&mut Places>,
    ) -> Charges {
        let cycle = &self.cycles[index];
        if let Some(places) = places {
            places.uses(class, index, cycle.used(since, until, class));
        }
        self.part(cycle, since, until, class)
    }

    /// A part of a cycle, in the cycle's proportions.
    fn part(&self, cycle: &Cycle, since: Ns, until: Ns, class: u8) -> Charges {
        let known = cycle.known(since, until);
        let mut charges = match cycle.is_crowded(class) {
            true => halved(&cycle.spell.scaled_to(known)),
            false => cycle.charges.scaled_to(known),
        };
        charges.add(self.idle, until.saturating_sub(since) - known);
        charges
    }

    /// Distributes the charges of cycles over their places.
    pub fn settle(&self, places: &mut Places) {
        for class in 0..CLASSES as u8 {
            let whole = places.whole(class, self.cycles.len());
            // How much of this cycle and of later ones in its spell was charged as spell.
            let mut spell = 0.0;
            for (index, cycle) in self.cycles.iter().enumerate().rev() {
                let mut used = places.used(class, index);
                used.add(cycle.used(cycle.begin, cycle.end, class), whole[index] as f64);
                spell += used.spell;
                let idle = Place::at(cycle.proposer);
                places.add(class, self.idle, idle, used.idle);
                for &Part { resource, place, span } in &cycle.parts {
                    let kept = if grows(resource) { 1.0 } else { 0.5 };
                    let of_spell = span as f64 * spell;
                    places.add(class, resource, place, span as f64 * used.own + of_spell * kept);
                    let space = of_spell * (1.0 - kept);
                    places.add(class, Resource::BlockSpace, Place::NOWHERE, space);
                }
                // Here the spell began.
                if cycle.crowded == 0 {
                    spell = 0.0;
                }
            }
        }
    }
}

impl Cycle {
    fn is_crowded(&self, class: u8) -> bool {
        self.crowded & 1 << class > 0
    }

    /// Length of the intersection of a part of the cycle with the known path to the proposal, in
    /// ns.
    fn known(&self, since: Ns, until: Ns) -> Ns {
        until.saturating_sub(since.max(self.known_from))
    }

    /// How much of it a part of it is.
    fn used(&self, since: Ns, until: Ns, class: u8) -> Used {
        let known = self.known(since, until);
        let idle = (until.saturating_sub(since) - known) as f64;
        let crowded = self.is_crowded(class);
        let whole = if crowded { self.spell.sum() } else { self.charges.sum() };
        let share = if whole > 0 { known as f64 / whole as f64 } else { 0.0 };
        let (own, spell) = if crowded { (0.0, share) } else { (share, 0.0) };
        Used { own, spell, idle }
    }
}

/// Whether it takes longer the more a block holds, or is not the cycle's own.
fn grows(resource: Resource) -> bool {
    matches!(resource, Resource::ExecutionOthers | Resource::Bandwidth | Resource::Faults)
}

/// Charges half of a cycle's time that does not depend on the block's content to block space.
fn halved(charges: &Charges) -> Charges {
    let mut halved = Charges::default();
    for &resource in Resource::ALL {
        let span = charges.get(resource);
        let kept = if grows(resource) { span } else { span / 2 };
        halved.add(resource, kept);
        halved.add(Resource::BlockSpace, span - kept);
    }
    halved
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLASS: Class = Class::NewOrderSingle;

    /// Timers at node 1, execution at node 2.
    fn charges(timers: Ns, execution: Ns) -> Charged {
        let mut charged = Charged::default();
        let spans = [(Resource::Timers, 1, timers), (Resource::ExecutionOwn, 2, execution)];
        for (resource, node, span) in spans {
            charged.charges.add(resource, span);
            charged.parts.push(Part { resource, place: Place::at(node), span });
        }
        charged
    }

    fn proposal(at: Ns, left_out: LeftOut) -> Proposal {
        Proposal { at, proposer: 0, left_out }
    }

    /// Two cycles of 400; the block between them leaves messages of the class out.
    fn left_out_once() -> Cycles {
        let mut cycles = Cycles::new(Resource::Other);
        cycles.add(proposal(400, 1 << CLASS as u8), charges(300, 100));
        cycles.add(proposal(800, 0), charges(300, 100));
        cycles
    }

    #[test]
    fn the_rest_of_a_cycle_is_charged_in_the_proportions_of_the_whole() {
        let mut cycles = Cycles::new(Resource::Other);
        cycles.add(proposal(400, 0), charges(300, 100));
        let wait = cycles.wait(200, 1, CLASS, None, None);
        assert_eq!(wait.get(Resource::Timers), 150);
        assert_eq!(wait.get(Resource::ExecutionOthers), 50);
    }

    #[test]
    fn a_message_left_out_is_charged_block_space_from_then_on_and_others_are_not() {
        let cycles = left_out_once();
        for missed in [None, Some(&(|_, _| None) as &Missed<'_>)] {
            let left_out = cycles.wait(200, 2, CLASS, missed, None);
            assert_eq!(left_out.sum(), 600);
            assert_eq!(left_out.get(Resource::BlockSpace), 150);
            assert_eq!(left_out.get(Resource::Timers), 300);
            assert_eq!(left_out.get(Resource::ExecutionOthers), 150);
            let urgent = cycles.wait(200, 2, Class::LiquidationOrder, missed, None);
            assert_eq!(urgent.get(Resource::BlockSpace), 0);
        }
        assert_eq!(cycles.crowd(300, 600, CLASS, None).sum(), 200);
        assert_eq!(cycles.crowd(300, 600, Class::LiquidationOrder, None).sum(), 0);
    }

    #[test]
    fn a_cycle_whose_proposer_was_cut_off_is_the_faults() {
        let mut cycles = Cycles::new(Resource::Other);
        cycles.add(proposal(400, 0), charges(300, 100));
        cycles.add(proposal(800, 0), charges(300, 100));
        for (kept, charged) in [(Ns::MAX, 400), (100, 100)] {
            let cut_off = move |_, _| Some(kept);
            let wait = cycles.wait(200, 2, CLASS, Some(&cut_off), None);
            assert_eq!((wait.get(Resource::Faults), wait.sum()), (charged, 600));
        }
    }

    #[test]
    fn idle_time_before_a_batch_is_not_its_cycle() {
        let mut cycles = Cycles::new(Resource::Timers);
        cycles.add(proposal(1000, 0), charges(10, 0));
        assert_eq!(cycles.wait(995, 1, CLASS, None, None).sum(), 5);
        assert_eq!(cycles.wait(900, 1, CLASS, None, None).sum(), 100);
    }

    #[test]
    fn what_was_charged_of_cycles_is_laid_over_their_places() {
        let cycles = left_out_once();
        for missed in [None, Some(&(|_, _| None) as &Missed<'_>)] {
            let mut places = Places::new(3, 0..1000);
            let wait = cycles.wait(200, 2, CLASS, missed, Some(&mut places));
            places.total(CLASS as u8, &wait);
            cycles.settle(&mut places);
            let rows = places.rows();
            let rows: Vec<_> = rows.iter().map(|row| (row.resource, row.place, row.span)).collect();
            let execution = (Resource::ExecutionOthers, Place::at(2), 150);
            let timers = (Resource::Timers, Place::at(1), 300);
            let space = (Resource::BlockSpace, Place::NOWHERE, 150);
            assert_eq!(rows, [execution, timers, space]);
        }
    }
}
