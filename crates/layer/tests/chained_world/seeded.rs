//! What may be wrong in a world, and how it is done.

use std::sync::Arc;

use surgetank_layer::chained::{BlockVote, ChainMessage, ChainView, QuorumCertificate};
use surgetank_layer::units::Height;

use super::{Protocol, World, is_valid};

/// What may be wrong in a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seeded {
    /// Nothing, and no validator lies.
    Honest,
    /// Nothing; less than a third of the weight lies.
    Liars,
    /// More than a third of the weight lies.
    TooManyLiars,
    /// All validators vote for a second proposal of a round, too.
    VotesTwice,
    /// All nodes decide a block as soon as they know its certificate.
    CommitsOneChain,
    /// Nothing, but all validators crash again and again.
    Crashes,
    /// They do, and come back without what they have voted.
    Forgets,
    /// Simplex: all validators finalize what they have seen notarized, also if they have voted for
    /// the dummy block.
    FinalizesAlways,
}

impl Seeded {
    /// Whether honest nodes must agree.
    pub fn is_sound(self) -> bool {
        matches!(self, Seeded::Honest | Seeded::Liars | Seeded::Crashes)
    }

    /// Whether all validators crash until the network heals.
    pub fn crashes_often(self) -> bool {
        matches!(self, Seeded::Crashes | Seeded::Forgets)
    }

    /// Whether honest validators are made to contradict themselves.
    pub fn errs(self) -> bool {
        matches!(self, Seeded::VotesTwice | Seeded::Forgets | Seeded::FinalizesAlways)
    }
}

impl<M: Protocol> World<M> {
    /// The wrong rule: a finalize vote whether the timer has fired or not.
    pub(super) fn seed_final(&self, message: Arc<ChainMessage>) -> Arc<ChainMessage> {
        match &*message {
            ChainMessage::View(view)
                if self.seeded == Seeded::FinalizesAlways && view.chain.dummies.is_empty() =>
            {
                Arc::new(ChainMessage::View(ChainView { finalizes: true, ..view.clone() }))
            }
            _ => message,
        }
    }

    /// A vote for whatever is proposed in the round, beside that of the machine.
    pub(super) fn vote_twice(&mut self, to: usize, message: &Arc<ChainMessage>) {
        let place = self.places[to].as_ref().expect("honest");
        let Some(machine) = &place.machine else { return };
        let ChainMessage::Proposal(proposal) = &**message else { return };
        if proposal.round != machine.round() || !is_valid(proposal.height, proposal.value) {
            return;
        }
        let vote = ChainMessage::Vote(BlockVote {
            round: proposal.round,
            height: proposal.height,
            value: proposal.value,
            validator: to as u32,
        });
        let receiver = machine.votes_to(proposal.round);
        self.note(to, &vote);
        let vote = Arc::new(vote);
        for other in 0..self.places.len() {
            if receiver.is_none_or(|only| only as usize == other) {
                self.send(to, other, &vote);
            }
        }
    }

    /// The wrong rule: what is certified is decided, with its ancestors.
    pub(super) fn commit_one_chain(&mut self, node: usize, qc: &QuorumCertificate) {
        let mut branch = vec![qc.value];
        let decided = self.places[node].as_ref().expect("honest").decided.len() as Height;
        if qc.height <= decided {
            return;
        }
        for _ in decided + 1..qc.height {
            let last = branch.last().expect("not empty");
            branch.extend(self.parents.get(last).copied());
        }
        for (height, value) in (decided + 1..).zip(branch.into_iter().rev()) {
            self.decide(node, height, value);
        }
    }
}
