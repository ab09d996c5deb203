//! What the time between two blocks was spent on, and what a message that waits for a block is
//! charged.
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
//! 6. A whole cycle whose proposer did not have the message because of a fault is the fault's.
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

use crate::trace::{Charges, Resource};

/// Classes of clients' messages.
const CLASSES: usize = 8;

/// Which classes of messages a block left out: bits `1 << class`.
pub type LeftOut = u8;

/// Between the proposals of two blocks.
#[derive(Clone, Copy, Debug)]
struct Cycle {
    begin: Ns,
    /// From here on the way to the proposal is known: later than the begin, if nothing waited then.
    known_from: Ns,
    /// The proposal, and whose.
    end: Ns,
    proposer: NodeId,
    charges: Charges,
    /// The same, of all cycles since the spell of crowded ones began.
    spell: Charges,
    /// For which classes it is crowded.
    crowded: LeftOut,
    /// Which classes the block at its end leaves out.
    left_out: LeftOut,
}

/// What a block's proposal tells.
#[derive(Clone, Copy, Debug)]
pub struct Proposal {
    /// When it was made.
    pub at: Ns,
    /// By whom.
    pub proposer: NodeId,
    /// What it left out.
    pub left_out: LeftOut,
}

/// All cycles, by height.
#[derive(Debug)]
pub struct Cycles {
    cycles: Vec<Cycle>,
    /// Charges of all cycles up to each, by class.
    up_to: Vec<[Charges; CLASSES]>,
    /// Whether any was crowded.
    any_crowded: bool,
    /// Waiting before anything leads to a block is waiting for this.
    idle: Resource,
}

impl Cycles {
    /// None yet.
    pub fn new(idle: Resource) -> Cycles {
        Cycles { cycles: Vec::new(), up_to: Vec::new(), any_crowded: false, idle }
    }

    /// When the last block was proposed; 0 before the first.
    pub fn last(&self) -> Ns {
        self.cycles.last().map_or(0, |cycle| cycle.end)
    }

    /// The next block was proposed. `charges` = what led from the block before to it.
    pub fn add(&mut self, proposal: Proposal, mut charges: Charges) {
        let Proposal { at: end, proposer, left_out } = proposal;
        // The block before executes while this one waits: others' work.
        charges.shift(Resource::ExecutionOwn, Resource::ExecutionOthers);
        let (begin, known_from) = (self.last(), end - charges.sum());
        let before = self.cycles.last();
        let crowded = before.map_or(0, |before| before.left_out);
        // The first crowded cycle finds what came in the one before it.
        let mut spell = before.filter(|_| crowded > 0).map_or(Charges::default(), |c| c.spell);
        spell.join(&charges);
        self.any_crowded |= crowded > 0;
        let cycle = Cycle { begin, known_from, end, proposer, charges, spell, crowded, left_out };
        let mut up_to = self.up_to.last().copied().unwrap_or_default();
        for (class, sum) in up_to.iter_mut().enumerate() {
            sum.join(&self.part(&cycle, begin, end, class as u8));
        }
        self.cycles.push(cycle);
        self.up_to.push(up_to);
    }

    /// What waiting from `since` for the block of this height is charged to. `missed` says, of the
    /// proposer of an earlier block, what kept the message from it, if that is to be charged.
    pub fn wait(
        &self,
        since: Ns,
        height: Height,
        class: Class,
        missed: Option<&dyn Fn(Ns, NodeId) -> Option<Resource>>,
    ) -> Charges {
        let (last, class) = (height as usize - 1, class as u8);
        let first = self.cycles[..last].partition_point(|cycle| cycle.end < since);
        let cycle = &self.cycles[first];
        let mut charges = self.part(cycle, since, cycle.end, class);
        let Some(missed) = missed else {
            let earlier = &self.up_to[first][class as usize];
            charges.join(&self.up_to[last][class as usize].since(earlier));
            return charges;
        };
        for pair in self.cycles[first..=last].windows(2) {
            let (before, cycle) = (&pair[0], &pair[1]);
            match missed(before.end, before.proposer) {
                Some(resource) => charges.add(resource, cycle.end - cycle.begin),
                None => charges.join(&self.part(cycle, cycle.begin, cycle.end, class)),
            }
        }
        charges
    }

    /// Of the time from `since` to `until`, what passed in cycles crowded for the class, charged
    /// like waiting for a block.
    pub fn crowd(&self, since: Ns, until: Ns, class: Class) -> Charges {
        let (mut charges, class) = (Charges::default(), class as u8);
        if !self.any_crowded || since >= until {
            return charges;
        }
        let first = self.cycles.partition_point(|cycle| cycle.end <= since);
        let within = self.cycles[first..].iter().take_while(|cycle| cycle.begin < until);
        for cycle in within.filter(|cycle| cycle.crowded & 1 << class > 0) {
            let (from, to) = (cycle.begin.max(since), cycle.end.min(until));
            charges.join(&self.part(cycle, from, to, class));
        }
        charges
    }

    /// A part of a cycle, in the cycle's proportions.
    fn part(&self, cycle: &Cycle, since: Ns, until: Ns, class: u8) -> Charges {
        let known = until.saturating_sub(since.max(cycle.known_from));
        let crowded = cycle.crowded & 1 << class > 0;
        let mut charges = match crowded {
            true => halved(&cycle.spell.scaled_to(known)),
            false => cycle.charges.scaled_to(known),
        };
        charges.add(self.idle, until.saturating_sub(since) - known);
        charges
    }
}

/// Half of what a cycle takes whatever the block holds is charged to block space.
fn halved(charges: &Charges) -> Charges {
    let mut halved = Charges::default();
    for &resource in Resource::ALL {
        let span = charges.get(resource);
        let grows =
            matches!(resource, Resource::ExecutionOthers | Resource::Bandwidth | Resource::Faults);
        let kept = if grows { span } else { span / 2 };
        halved.add(resource, kept);
        halved.add(Resource::BlockSpace, span - kept);
    }
    halved
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLASS: Class = Class::NewOrderSingle;

    fn charges(timers: Ns, execution: Ns) -> Charges {
        let mut charges = Charges::default();
        charges.add(Resource::Timers, timers);
        charges.add(Resource::ExecutionOwn, execution);
        charges
    }

    fn proposal(at: Ns, left_out: LeftOut) -> Proposal {
        Proposal { at, proposer: 0, left_out }
    }

    #[test]
    fn the_rest_of_a_cycle_is_charged_in_the_proportions_of_the_whole() {
        let mut cycles = Cycles::new(Resource::Other);
        cycles.add(proposal(400, 0), charges(300, 100));
        let wait = cycles.wait(200, 1, CLASS, None);
        assert_eq!(wait.get(Resource::Timers), 150);
        assert_eq!(wait.get(Resource::ExecutionOthers), 50);
    }

    #[test]
    fn a_message_left_out_is_charged_block_space_from_then_on_and_others_are_not() {
        let mut cycles = Cycles::new(Resource::Other);
        cycles.add(proposal(400, 1 << CLASS as u8), charges(300, 100));
        cycles.add(proposal(800, 0), charges(300, 100));
        for missed in [None, Some(&(|_, _| None) as &dyn Fn(Ns, NodeId) -> Option<Resource>)] {
            let left_out = cycles.wait(200, 2, CLASS, missed);
            assert_eq!(left_out.sum(), 600);
            assert_eq!(left_out.get(Resource::BlockSpace), 150);
            assert_eq!(left_out.get(Resource::Timers), 300);
            assert_eq!(left_out.get(Resource::ExecutionOthers), 150);
            let urgent = cycles.wait(200, 2, Class::LiquidationOrder, missed);
            assert_eq!(urgent.get(Resource::BlockSpace), 0);
        }
        assert_eq!(cycles.crowd(300, 600, CLASS).sum(), 200);
        assert_eq!(cycles.crowd(300, 600, Class::LiquidationOrder).sum(), 0);
    }

    #[test]
    fn a_cycle_whose_proposer_was_cut_off_is_the_faults() {
        let mut cycles = Cycles::new(Resource::Other);
        cycles.add(proposal(400, 0), charges(300, 100));
        cycles.add(proposal(800, 0), charges(300, 100));
        let cut_off = |_, _| Some(Resource::Faults);
        let wait = cycles.wait(200, 2, CLASS, Some(&cut_off));
        assert_eq!((wait.get(Resource::Faults), wait.sum()), (400, 600));
    }

    #[test]
    fn idle_time_before_a_batch_is_not_its_cycle() {
        let mut cycles = Cycles::new(Resource::Timers);
        cycles.add(proposal(1000, 0), charges(10, 0));
        assert_eq!(cycles.wait(995, 1, CLASS, None).sum(), 5);
        assert_eq!(cycles.wait(900, 1, CLASS, None).sum(), 100);
    }
}
